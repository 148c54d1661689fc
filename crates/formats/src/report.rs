//! Completion reports of S3 Batch Operations: `manifest.json` and the result files, read and written.
//!
//! Source of the format: Amazon S3 User Guide, "Examples: completion reports", and recorded reports. Three things are
//! not as the documentation's schema says or leaves to find out:
//!
//! - The fields 5 and 6 are, in real reports, the HTTP status and the error code, the other way round than
//!   `ReportSchema` names them. They are told apart by content: the one of three digits is the status.
//! - Keys are echoed as the job's manifest has them, so that they are decoded with the codec of *that* manifest.
//! - Some messages are not quoted by the rules (RFC 4180); see [`ResultReader`].

mod alike;
mod manifest;
mod reader;
mod row;
mod row_reader;
mod scan;
mod writer;

pub use manifest::{Manifest, ManifestError, REPORT_SCHEMA, ResultFile};
pub use reader::{ResultReader, ResultTotals};
pub use row::{PartialRow, Row, RowError, RowProblem, TaskStatus};
pub use writer::{LineEnd, ResultWriter, TaskResult, WrittenResults};
