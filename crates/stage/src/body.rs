//! Objects that are read in pieces.

use bytes::Bytes;

use crate::StageError;

/// The bytes of an object, or of a file, in pieces.
pub trait Body: Send {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// It cannot be read on.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, StageError>> + Send;
}
