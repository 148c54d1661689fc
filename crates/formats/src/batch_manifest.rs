//! CSV manifests of S3 Batch Operations (`S3BatchOperations_CSV_20180820`).
//!
//! Rules (Amazon S3 User Guide, "Specifying a manifest", and "Troubleshooting Batch Operations"): no header, no byte
//! order mark, UTF-8, commas, the same number of fields in every row, no blank lines, URL-encoded keys, one bucket,
//! version ids for all rows or for none, and the literal `null` for the null version: S3 fails a task whose version is
//! empty, and a job whose rows have an unexpected number of fields.
//!
//! An inventory can be a manifest as it is; one that is made up of rows of one's own is written with
//! [`crate::inventory::DataWriter::batch_manifest`] and [`crate::inventory::Manifest::to_json`].

mod reader;
mod row;
mod writer;

pub use reader::{ManifestReader, ManifestTotals};
pub use row::{Field, Fields, FieldsError, PartialRow, Row, RowError, RowProblem};
pub use writer::{ManifestWriter, WrittenManifest};
