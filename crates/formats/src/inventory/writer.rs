//! Writes data files in the dialect of S3.

use std::io::Write;

use flate2::{Compression, GzBuilder, write::GzEncoder};
use jiff::Timestamp;

use super::{Column, ManifestError, Schema};
use crate::{KeyCodec, WriteError, csv, digest::TallyWriter};

/// Writes one gzipped CSV data file in the dialect of S3 Inventory: every field in quotes, LF after every row, no header,
/// keys form-encoded, `true` and `false`, times in UTC with milliseconds, and an empty field for what is absent.
///
/// The null version is where inventories and manifests differ: S3 Inventory leaves its field empty, and Batch Operations
/// fails a task whose version is empty and wants the literal `null` (Amazon S3 User Guide, "Specifying a manifest for a
/// Batch Operations job"). So the two are written by [`DataWriter::inventory`] and by [`DataWriter::batch_manifest`].
///
/// The same rows give the same bytes: the gzip header has neither time nor name.
pub struct DataWriter<W: Write> {
    gzip: GzEncoder<TallyWriter<W>>,
    schema: Schema,
    purpose: Purpose,
    /// Rows that wait to be compressed together: a call for each would take longer than the compression.
    lines: Vec<u8>,
    rows: u64,
}

/// Bytes of rows that are compressed together.
const AT_ONCE: usize = 32 * 1024;

/// Who reads the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Inventory,
    BatchManifest,
}

/// A row to be written. Members whose column the schema lacks are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// The bucket that the inventory describes.
    pub bucket: &'a str,
    /// The key, not encoded.
    pub key: &'a [u8],
    /// The version; `None` and `null` are the null version.
    pub version_id: Option<&'a str>,
    /// Whether the version is the current one.
    pub is_latest: bool,
    /// Whether the version is a delete marker.
    pub is_delete_marker: bool,
    /// Bytes; `None` for a delete marker.
    pub size: Option<u64>,
    /// When the version was made.
    pub last_modified: Timestamp,
    /// The entity tag without quotes; `None` for a delete marker.
    pub etag: Option<&'a str>,
    /// The storage class.
    pub storage_class: Option<&'a str>,
    /// Whether the object was uploaded in parts; `None` for a delete marker.
    pub is_multipart_uploaded: Option<bool>,
    /// The fields of further columns; those that are not named are empty.
    pub further: &'a [(Column, &'a str)],
}

/// A data file that has been written.
#[derive(Debug)]
#[non_exhaustive]
pub struct WrittenDataFile<W> {
    /// The writer below.
    pub writer: W,
    /// The rows written.
    pub rows: u64,
    /// Compressed bytes: [`super::DataFile::size`].
    pub size: u64,
    /// Their MD5 in hexadecimal: [`super::DataFile::md5`].
    pub md5: String,
}

impl<W: Write> DataWriter<W> {
    /// A writer of rows as S3 Inventory writes them, with an empty field for the null version. Refuses a schema that is not
    /// one of CSV files.
    pub fn inventory(writer: W, schema: &Schema) -> Result<Self, ManifestError> {
        Self::new(writer, schema, Purpose::Inventory)
    }

    /// A writer of rows that Batch Operations is to work through, for a manifest in the format of inventories that is made
    /// up of rows of one's own: the null version is the literal `null`, and delete markers, which cannot be copied, are
    /// refused. Refuses a schema that is not one of CSV files.
    pub fn batch_manifest(writer: W, schema: &Schema) -> Result<Self, ManifestError> {
        Self::new(writer, schema, Purpose::BatchManifest)
    }

    fn new(writer: W, schema: &Schema, purpose: Purpose) -> Result<Self, ManifestError> {
        if !schema.is_csv() {
            return Err(ManifestError::NotCsv { schema: schema.to_string() });
        }
        // A manifest is read once, by its job: what little a better compression saves is not worth its time.
        let level = match purpose {
            Purpose::Inventory => Compression::default(),
            Purpose::BatchManifest => Compression::fast(),
        };
        let gzip = GzBuilder::new().write(TallyWriter::new(writer), level);
        Ok(Self { gzip, schema: schema.clone(), purpose, lines: Vec::new(), rows: 0 })
    }

    /// Writes a row. A field with a line end, which no inventory can have, is refused and nothing is written; so is a delete
    /// marker in a manifest for Batch Operations.
    pub fn row(&mut self, record: &Record<'_>) -> Result<(), WriteError> {
        if self.purpose == Purpose::BatchManifest && record.is_delete_marker {
            let value = String::from_utf8_lossy(record.key).into_owned();
            return Err(WriteError::Field { field: "key", value, reason: "a delete marker has nothing to copy" });
        }
        let before = self.lines.len();
        if let Err(error) = self.push_row(record) {
            self.lines.truncate(before);
            return Err(error);
        }
        self.rows += 1;
        if self.lines.len() >= AT_ONCE { self.compress() } else { Ok(()) }
    }

    fn push_row(&mut self, record: &Record<'_>) -> Result<(), WriteError> {
        for (index, column) in self.schema.columns().iter().enumerate() {
            if index > 0 {
                self.lines.push(b',');
            }
            self.lines.push(b'"');
            record.push_field(column, self.purpose, &mut self.lines)?;
            self.lines.push(b'"');
        }
        self.lines.push(b'\n');
        Ok(())
    }

    fn compress(&mut self) -> Result<(), WriteError> {
        self.gzip.write_all(&self.lines)?;
        self.lines.clear();
        Ok(())
    }

    /// The writer below. What is compressed so far has been written to it, but for the last rows, and for what the compressor
    /// still holds.
    pub fn writer(&mut self) -> &mut W {
        self.gzip.get_mut().inner()
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<WrittenDataFile<W>, WriteError> {
        self.compress()?;
        let (mut writer, size, md5) = self.gzip.finish()?.finish();
        writer.flush()?;
        Ok(WrittenDataFile { writer, rows: self.rows, size, md5 })
    }
}

impl Record<'_> {
    /// Appends a field, quotes in it doubled.
    fn push_field(&self, column: &Column, purpose: Purpose, line: &mut Vec<u8>) -> Result<(), WriteError> {
        let text = match column {
            Column::Bucket => self.bucket,
            Column::Key => {
                KeyCodec::Form.encode_into(self.key, line);
                ""
            }
            Column::VersionId => match (self.version_id.filter(|id| *id != "null"), purpose) {
                (Some(id), _) => id,
                (None, Purpose::Inventory) => "",
                (None, Purpose::BatchManifest) => "null",
            },
            Column::IsLatest => boolean(self.is_latest),
            Column::IsDeleteMarker => boolean(self.is_delete_marker),
            Column::Size => {
                self.size.map_or(Ok(()), |size| write!(line, "{size}"))?;
                ""
            }
            Column::LastModifiedDate => {
                write!(line, "{}", self.last_modified.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"))?;
                ""
            }
            Column::ETag => self.etag.unwrap_or_default(),
            Column::StorageClass => self.storage_class.unwrap_or_default(),
            Column::IsMultipartUploaded => self.is_multipart_uploaded.map(boolean).unwrap_or_default(),
            other => {
                let found = self.further.iter().find(|(column, _)| column == other);
                found.map(|(_, field)| *field).unwrap_or_default()
            }
        };
        if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_some() {
            let value = text.to_owned();
            return Err(WriteError::Field { field: "inventory field", value, reason: "it holds a line end" });
        }
        csv::push_doubled(text.as_bytes(), line);
        Ok(())
    }
}

fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
