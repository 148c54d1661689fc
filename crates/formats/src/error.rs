//! Errors that end a whole file, as opposed to those of single rows.

use std::io;

/// A file cannot be read to its end. Rows before the place have been given to the sink.
///
/// Whoever gets one must not use the rows of the file: their number is not what the writer wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The bytes are not gzip, end within a member, or a member's check value or length does not match its content. The
    /// decoder does not tell these apart.
    #[error(
        "{file}: not readable as gzip: {reason}; fetch the file again and compare its size and MD5 with the manifest"
    )]
    Gzip {
        /// The file as the caller named it.
        file: String,
        /// What the decoder met.
        reason: String,
    },
    /// A row is longer than [`crate::MAX_ROW_BYTES`].
    #[error("{file} line {line}: the row is longer than {limit} bytes, so this is not the expected CSV")]
    RowTooLong {
        /// The file as the caller named it.
        file: String,
        /// The line on which the row begins, from 1.
        line: u64,
        /// The limit in bytes.
        limit: usize,
    },
}

/// A row or a file cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The writer below failed.
    #[error("the output could not be written: {0}")]
    Io(#[from] io::Error),
    /// A field has no place in the format: a reader would see other fields or other rows.
    #[error("{field} {value:?} cannot be written: {reason}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// Its value.
        value: String,
        /// Why the format has no place for it.
        reason: &'static str,
    },
}
