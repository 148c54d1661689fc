//! S3 Inventory: manifests, their checksums, and the CSV data files, read and written.
//!
//! Source of the format: Amazon S3 User Guide, "Locating your inventory list" and "Inventory list", and recorded
//! inventories. What the two do not agree on is said where it matters.
//!
//! ```
//! use levee_formats::inventory::{DataReader, Manifest};
//!
//! fn count(manifest: &[u8], checksum: &[u8], data: &[u8]) -> Result<u64, Box<dyn std::error::Error>> {
//!     Manifest::verify_checksum(manifest, checksum)?;
//!     let manifest = Manifest::parse(manifest)?;
//!     let mut rows = 0;
//!     for file in &manifest.files {
//!         let mut reader = DataReader::new(&file.key, &manifest.schema, &manifest.source_bucket)?;
//!         reader.push(data, &mut |row| rows += u64::from(row.is_ok()))?;
//!         let totals = reader.finish(&mut |row| rows += u64::from(row.is_ok()))?;
//!         assert_eq!((totals.compressed_bytes, &totals.md5), (file.size, &file.md5));
//!     }
//!     Ok(rows)
//! }
//! ```

mod manifest;
mod reader;
mod row;
mod row_reader;
mod schema;
mod time;
mod writer;

pub use manifest::{DataFile, FileFormat, Manifest, ManifestError};
pub use reader::{DataFileTotals, DataReader};
pub use row::{PartialRow, Row, RowError, RowProblem};
pub use schema::{Column, Schema, SchemaError};
pub use writer::{DataWriter, Record, WrittenDataFile};
