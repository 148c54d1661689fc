//! `manifest.json` and `manifest.checksum` of an inventory.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Schema, SchemaError};
use crate::digest::{is_md5_hex, md5_hex};

/// What a `manifest.json` says about one inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The bucket that the inventory describes.
    pub source_bucket: String,
    /// The name, not the ARN, of the bucket that S3 delivered the inventory to.
    pub destination_bucket: String,
    /// The version of the manifest's format. S3 has written `2016-11-30` and others; nothing depends on it.
    pub version: String,
    /// When the scan of the source bucket began; not when the inventory was delivered. Whole milliseconds.
    pub created: Timestamp,
    /// The format of the data files.
    pub format: FileFormat,
    /// Their columns.
    pub schema: Schema,
    /// The data files; none for an empty bucket.
    pub files: Vec<DataFile>,
}

/// The format of an inventory's data files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Gzipped CSV: the only one that is read here, and that Batch Operations takes as a manifest.
    Csv,
    /// Apache ORC.
    Orc,
    /// Apache Parquet.
    Parquet,
    /// One that is not in the documentation of November 2026.
    Other(String),
}

/// One data file of an inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Its key in the destination bucket, not encoded.
    pub key: String,
    /// Its compressed size in bytes.
    pub size: u64,
    /// The MD5 of its compressed bytes in lower-case hexadecimal.
    pub md5: String,
}

/// A manifest or its checksum that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The bytes are not JSON, or not the members that a manifest has.
    #[error("manifest.json is not an inventory manifest: {0}")]
    NotAManifest(#[from] serde_json::Error),
    /// There is no list of data files. An empty list stands for an empty bucket, an absent one for nothing known.
    #[error("manifest.json has no member \"files\", so it does not say which data files belong to the inventory")]
    NoFiles,
    /// A member has a value that it cannot have.
    #[error("manifest.json: {member} is {value:?}: {expected}")]
    Member {
        /// The member's path.
        member: String,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The columns cannot be used.
    #[error("manifest.json: {0}")]
    Schema(#[from] SchemaError),
    /// Rows are wanted of data files that are not CSV.
    #[error(
        "the inventory's data files are not CSV (fileSchema {schema:?}); rows are read from CSV only: \
         set the inventory configuration's format to CSV"
    )]
    NotCsv {
        /// `fileSchema`.
        schema: String,
    },
    /// `manifest.checksum` does not hold an MD5.
    #[error("the checksum file holds {text:?} and not an MD5 in hexadecimal")]
    BadChecksum {
        /// The beginning of what it holds.
        text: String,
    },
    /// `manifest.json` is not the one that the checksum was made of.
    #[error("the MD5 of the manifest is {actual}, its checksum file says {expected}: fetch both again")]
    ChecksumMismatch {
        /// The MD5 that the checksum file holds.
        expected: String,
        /// The MD5 of the manifest.
        actual: String,
    },
}

impl FileFormat {
    /// The name in a manifest.
    pub fn name(&self) -> &str {
        match self {
            Self::Csv => "CSV",
            Self::Orc => "ORC",
            Self::Parquet => "Parquet",
            Self::Other(name) => name,
        }
    }

    fn from_name(name: String) -> Self {
        match name.as_str() {
            "CSV" => Self::Csv,
            "ORC" => Self::Orc,
            "Parquet" => Self::Parquet,
            _ => Self::Other(name),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    source_bucket: String,
    destination_bucket: String,
    version: String,
    creation_timestamp: String,
    file_format: String,
    file_schema: String,
    files: Option<Vec<WireFile>>,
}

#[derive(Serialize, Deserialize)]
struct WireFile {
    key: String,
    size: u64,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

impl Manifest {
    /// Parses `manifest.json`. Members that are not known are ignored; a known one with a wrong value is an error.
    ///
    /// Inventories in ORC, Parquet and unknown formats parse too; [`crate::inventory::DataReader::new`] refuses them.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let wire: Wire = serde_json::from_slice(bytes)?;
        let files = wire.files.ok_or(ManifestError::NoFiles)?;
        let format = FileFormat::from_name(wire.file_format);
        let schema = match format {
            FileFormat::Csv => Schema::parse(&wire.file_schema)?,
            _ => Schema::opaque(&wire.file_schema),
        };
        if wire.source_bucket.is_empty() {
            return Err(member("sourceBucket", &wire.source_bucket, "the name of a bucket is expected"));
        }
        Ok(Self {
            destination_bucket: bucket_of_arn(&wire.destination_bucket)?,
            source_bucket: wire.source_bucket,
            version: wire.version,
            created: timestamp(&wire.creation_timestamp)?,
            format,
            schema,
            files: files.into_iter().enumerate().map(data_file).collect::<Result<_, _>>()?,
        })
    }

    /// The manifest as S3 writes it, with its members in their order. `parse(to_json())` gives the same manifest.
    pub fn to_json(&self) -> Vec<u8> {
        let wire = Wire {
            source_bucket: self.source_bucket.clone(),
            destination_bucket: format!("{ARN_PREFIX}{}", self.destination_bucket),
            version: self.version.clone(),
            creation_timestamp: self.created.as_millisecond().to_string(),
            file_format: self.format.name().to_owned(),
            file_schema: self.schema.as_str().to_owned(),
            files: Some(self.files.iter().map(WireFile::from).collect()),
        };
        // Strings, numbers and lists of them: serialising to memory has no way to fail.
        serde_json::to_vec_pretty(&wire).unwrap_or_default()
    }

    /// What `manifest.checksum` holds for these bytes of a `manifest.json`: their MD5 in hexadecimal.
    pub fn checksum(manifest: &[u8]) -> String {
        md5_hex(manifest)
    }

    /// Compares a `manifest.json` with its `manifest.checksum`. White space around the checksum is ignored.
    pub fn verify_checksum(manifest: &[u8], checksum_file: &[u8]) -> Result<(), ManifestError> {
        let text = String::from_utf8_lossy(checksum_file.get(..CHECKSUM_FILE_LIMIT).unwrap_or(checksum_file));
        let expected = text.trim();
        if !is_md5_hex(expected) {
            return Err(ManifestError::BadChecksum { text: text.chars().take(80).collect() });
        }
        let actual = md5_hex(manifest);
        if actual.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(ManifestError::ChecksumMismatch { expected: expected.to_ascii_lowercase(), actual })
    }
}

/// A checksum file is 32 digits and perhaps a line end; no more of it is looked at.
const CHECKSUM_FILE_LIMIT: usize = 256;

const ARN_PREFIX: &str = "arn:aws:s3:::";

impl From<&DataFile> for WireFile {
    fn from(file: &DataFile) -> Self {
        Self { key: file.key.clone(), size: file.size, md5: file.md5.clone() }
    }
}

fn member(member: impl Into<String>, value: &str, expected: &'static str) -> ManifestError {
    ManifestError::Member { member: member.into(), value: value.to_owned(), expected }
}

/// The name in `arn:<partition>:s3:::<name>`.
fn bucket_of_arn(arn: &str) -> Result<String, ManifestError> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "s3", "", "", name] if !partition.is_empty() && !name.is_empty() => Ok((*name).to_owned()),
        _ => Err(member("destinationBucket", arn, "the ARN of a bucket is expected (arn:aws:s3:::NAME)")),
    }
}

/// Epoch milliseconds in a string.
fn timestamp(text: &str) -> Result<Timestamp, ManifestError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = text.parse().ok().filter(|_| digits).and_then(|millis| Timestamp::from_millisecond(millis).ok());
    parsed.ok_or_else(|| member("creationTimestamp", text, "milliseconds since 1970 in a string are expected"))
}

fn data_file((index, file): (usize, WireFile)) -> Result<DataFile, ManifestError> {
    if file.key.is_empty() {
        return Err(member(format!("files[{index}].key"), &file.key, "the key of a data file is expected"));
    }
    if !is_md5_hex(&file.md5) {
        return Err(member(format!("files[{index}].MD5checksum"), &file.md5, "an MD5 in hexadecimal is expected"));
    }
    Ok(DataFile { key: file.key, size: file.size, md5: file.md5.to_ascii_lowercase() })
}
