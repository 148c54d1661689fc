//! `manifest.json` of a completion report.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::TaskStatus;
use crate::digest::{is_md5_hex, md5_hex};

/// `ReportSchema` as S3 writes it. It names the fields 5 and 6 the other way round than they are.
pub const REPORT_SCHEMA: &str = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage";

/// The only format of reports there is.
const REPORT_FORMAT: &str = "Report_CSV_20180820";

/// What the `manifest.json` of a report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// When the report was made.
    pub created: Timestamp,
    /// The result files, none of them for a status that no task has.
    pub results: Vec<ResultFile>,
    /// `ReportSchema`: see [`REPORT_SCHEMA`].
    pub schema: String,
}

/// One file of results, all of one status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultFile {
    /// The status of its rows.
    pub status: TaskStatus,
    /// The bucket that it is in.
    pub bucket: String,
    /// Its key, not encoded.
    pub key: String,
    /// The MD5 of its bytes in lower-case hexadecimal.
    pub md5: String,
}

/// A report's manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The bytes are not JSON, or not the members that a manifest has.
    #[error("manifest.json is not the manifest of a completion report: {0}")]
    NotAManifest(#[from] serde_json::Error),
    /// A member has a value that it cannot have.
    #[error("the report's manifest.json: {member} is {value:?}: {expected}")]
    Member {
        /// The member's path.
        member: String,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// `manifest.json.md5` does not hold an MD5.
    #[error("manifest.json.md5 holds {text:?} and not an MD5 in hexadecimal")]
    BadChecksum {
        /// The beginning of what it holds.
        text: String,
    },
    /// `manifest.json` is not the one that the checksum was made of.
    #[error("the MD5 of the report's manifest.json is {actual}, manifest.json.md5 says {expected}: fetch both again")]
    ChecksumMismatch {
        /// The MD5 that the checksum file holds.
        expected: String,
        /// The MD5 of the manifest.
        actual: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    format: String,
    report_creation_date: String,
    results: Vec<WireResult>,
    report_schema: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireResult {
    task_execution_status: String,
    bucket: String,
    #[serde(rename = "MD5Checksum")]
    md5: String,
    key: String,
}

impl Manifest {
    /// Parses `manifest.json`. Members that are not known are ignored; a known one with a wrong value is an error.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let wire: Wire = serde_json::from_slice(bytes)?;
        if wire.format != REPORT_FORMAT {
            return Err(member("Format", &wire.format, "only Report_CSV_20180820 is known"));
        }
        check_schema(&wire.report_schema)?;
        let date = &wire.report_creation_date;
        Ok(Self {
            created: date.parse().map_err(|_| member("ReportCreationDate", date, "a time in UTC is expected"))?,
            results: wire.results.into_iter().enumerate().map(result_file).collect::<Result<_, _>>()?,
            schema: wire.report_schema,
        })
    }

    /// The manifest as S3 writes it, with its members in their order. `parse(to_json())` gives the same manifest.
    pub fn to_json(&self) -> Vec<u8> {
        let wire = Wire {
            format: REPORT_FORMAT.to_owned(),
            report_creation_date: self.created.to_string(),
            results: self.results.iter().map(WireResult::from).collect(),
            report_schema: self.schema.clone(),
        };
        // Strings and lists of them: serialising to memory has no way to fail.
        serde_json::to_vec_pretty(&wire).unwrap_or_default()
    }

    /// What `manifest.json.md5` holds for these bytes of a `manifest.json`: their MD5 in hexadecimal.
    pub fn checksum(manifest: &[u8]) -> String {
        md5_hex(manifest)
    }

    /// Compares a `manifest.json` with its `manifest.json.md5`, which S3 writes without documenting it, so that a report
    /// may lack it. White space around the checksum is ignored.
    pub fn verify_checksum(manifest: &[u8], checksum_file: &[u8]) -> Result<(), ManifestError> {
        let text = String::from_utf8_lossy(checksum_file.get(..256).unwrap_or(checksum_file));
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

impl From<&ResultFile> for WireResult {
    fn from(file: &ResultFile) -> Self {
        Self {
            task_execution_status: file.status.name().to_owned(),
            bucket: file.bucket.clone(),
            md5: file.md5.clone(),
            key: file.key.clone(),
        }
    }
}

fn member(member: impl Into<String>, value: &str, expected: &'static str) -> ManifestError {
    ManifestError::Member { member: member.into(), value: value.to_owned(), expected }
}

/// The seven fields in their order; of 5 and 6 either order, since content decides.
fn check_schema(schema: &str) -> Result<(), ManifestError> {
    let columns: Vec<&str> = schema.split(',').map(str::trim).collect();
    match columns.as_slice() {
        ["Bucket", "Key", "VersionId", "TaskStatus", "ErrorCode", "HTTPStatusCode", "ResultMessage"]
        | ["Bucket", "Key", "VersionId", "TaskStatus", "HTTPStatusCode", "ErrorCode", "ResultMessage"] => Ok(()),
        _ => Err(member("ReportSchema", schema, "the seven fields of Report_CSV_20180820 are expected")),
    }
}

fn result_file((index, result): (usize, WireResult)) -> Result<ResultFile, ManifestError> {
    let path = |name: &str| format!("Results[{index}].{name}");
    let name = &result.task_execution_status;
    let status = TaskStatus::from_name(name)
        .ok_or_else(|| member(path("TaskExecutionStatus"), name, "succeeded or failed is expected"))?;
    for (name, value) in [("Bucket", &result.bucket), ("Key", &result.key)] {
        if value.is_empty() {
            return Err(member(path(name), value, "the place of a result file is expected"));
        }
    }
    if !is_md5_hex(&result.md5) {
        return Err(member(path("MD5Checksum"), &result.md5, "an MD5 in hexadecimal is expected"));
    }
    let md5 = result.md5.to_ascii_lowercase();
    Ok(ResultFile { status, bucket: result.bucket, key: result.key, md5 })
}
