//! Where tables are.

use bytes::Bytes;
use levee_stage::StageError;

/// An object of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    /// Its key, decoded.
    pub key: &'a str,
    /// Its bytes.
    pub size: u64,
    /// When it was changed last, in milliseconds since 1970, where that is known.
    pub modified_ms: Option<i64>,
    /// Its entity tag without quotes, where it has one.
    pub etag: Option<&'a str>,
    /// Whether it is in GLACIER or `DEEP_ARCHIVE`, where it cannot be read before it is restored.
    pub archived: bool,
}

/// A place with objects: a bucket, what is below a prefix of one, or a folder. Keys are relative to it.
pub trait Store: Clone + Send + Sync + 'static {
    /// Gives every object whose key begins with `below` to `take`, in any order.
    ///
    /// # Errors
    /// The place cannot be listed.
    fn list(
        &self,
        below: &str,
        take: impl FnMut(Object<'_>) + Send,
    ) -> impl Future<Output = Result<(), StageError>> + Send;

    /// The whole object at a key; none when there is none.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self, key: &str) -> impl Future<Output = Result<Option<Bytes>, StageError>> + Send;

    /// The key's place in an operator's words: a URL or a path.
    fn place(&self, key: &str) -> String;
}
