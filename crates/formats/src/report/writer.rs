//! Writes result files in the layout of S3.

use std::io::Write;

use super::TaskStatus;
use crate::{WriteError, csv, digest::TallyWriter};

/// Writes a result file as S3 does: no header, and `Bucket, Key, VersionId, TaskStatus, HTTPStatusCode, ErrorCode,
/// ResultMessage`, fields in quotes only where RFC 4180 needs them.
pub struct ResultWriter<W: Write> {
    writer: TallyWriter<W>,
    line_end: LineEnd,
    line: Vec<u8>,
    rows: u64,
}

/// How rows end; both have been seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEnd {
    /// LF
    #[default]
    Lf,
    /// CRLF
    CrLf,
}

/// The result of one task, to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskResult<'a> {
    /// The bucket of the source object.
    pub bucket: &'a str,
    /// The key as the job's manifest has it: it is echoed, not encoded.
    pub raw_key: &'a [u8],
    /// The version as it is to be echoed: an id, `null`, `\N` for an empty field of the manifest, or empty.
    pub version_id: &'a str,
    /// What became of the task.
    pub status: TaskStatus,
    /// The HTTP status.
    pub http_status: Option<u16>,
    /// The error code; empty for none.
    pub error_code: &'a str,
    /// The message.
    pub message: &'a str,
}

/// A result file that has been written.
#[derive(Debug)]
#[non_exhaustive]
pub struct WrittenResults<W> {
    /// The writer below.
    pub writer: W,
    /// The rows written.
    pub rows: u64,
    /// The bytes written.
    pub size: u64,
    /// Their MD5 in hexadecimal: [`super::ResultFile::md5`].
    pub md5: String,
}

impl<W: Write> ResultWriter<W> {
    /// A writer of one result file.
    pub fn new(writer: W, line_end: LineEnd) -> Self {
        Self { writer: TallyWriter::new(writer), line_end, line: Vec::new(), rows: 0 }
    }

    /// Writes a row.
    pub fn row(&mut self, result: &TaskResult<'_>) -> Result<(), WriteError> {
        let http_status = result.http_status.map(|status| format!("{status:03}")).unwrap_or_default();
        let fields = [
            result.bucket.as_bytes(),
            result.raw_key,
            result.version_id.as_bytes(),
            result.status.name().as_bytes(),
            http_status.as_bytes(),
            result.error_code.as_bytes(),
            result.message.as_bytes(),
        ];
        self.line.clear();
        for (index, field) in fields.into_iter().enumerate() {
            if index > 0 {
                self.line.push(b',');
            }
            csv::push(field, &mut self.line);
        }
        self.line.extend_from_slice(match self.line_end {
            LineEnd::Lf => b"\n",
            LineEnd::CrLf => b"\r\n",
        });
        self.writer.write_all(&self.line)?;
        self.rows += 1;
        Ok(())
    }

    /// Ends the file.
    pub fn finish(self) -> Result<WrittenResults<W>, WriteError> {
        let (mut writer, size, md5) = self.writer.finish();
        writer.flush()?;
        Ok(WrittenResults { writer, rows: self.rows, size, md5 })
    }
}
