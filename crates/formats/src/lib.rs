//! The formats around S3 Inventory and S3 Batch Operations: bytes in, values out.
//!
//! Nothing here does I/O, knows a clock or an AWS SDK. Readers are *pushed* to: the caller hands them the bytes of a
//! file in pieces of any size, from a socket or a disk, and they call a sink once per row. Rows borrow from the
//! reader's buffer, so a row that needs no unescaping costs no allocation, and memory is bounded by [`MAX_ROW_BYTES`]
//! however large the file is.
//!
//! Nothing is dropped silently. A row that cannot be read whole reaches the sink as an error that names the file, the
//! line and every reason, carries what could be read, and is counted; a file that cannot be read ends with a
//! [`FileError`].
//!
//! | module | format | made by |
//! |---|---|---|
//! | [`inventory`] | `manifest.json`, `manifest.checksum`, gzip CSV data files | S3 Inventory, Levee |
//! | [`batch_manifest`] | `S3BatchOperations_CSV_20180820` manifests | Levee, other tools |
//! | [`report`] | completion report: `manifest.json` and result files | S3 Batch Operations |
//! | [`event`] | S3 event notifications | S3 |
//! | [`key`] | the encodings of object keys in all of these | |

pub mod batch_manifest;
mod csv;
mod digest;
mod error;
pub mod event;
mod gunzip;
pub mod inventory;
pub mod key;
mod key_sum;
mod lines;
pub mod report;
mod row_error;

pub use digest::{Md5Pool, PooledMd5, md5_hex};
pub use error::{FileError, WriteError};
pub use key::{KeyCodec, KeyError};
pub use key_sum::{KeySum, NotAKeySum};
pub use row_error::RowError;

/// The longest row that a reader takes, in bytes of CSV, its line end included: 1 MiB.
///
/// It bounds the memory of a reader. An encoded key is at most 3,072 bytes and the longest further field of an
/// inventory, the base64 of an access control list of 100 grants, stays below 64 KiB, so that a longer row means that
/// the bytes are not the format that they claim to be. The reader then refuses the file with
/// [`FileError::RowTooLong`].
pub const MAX_ROW_BYTES: usize = 1 << 20;
