//! Reads CSV manifests.

use std::borrow::Cow;

use super::{Field, Fields, PartialRow, Row, RowError, RowProblem};
use crate::{
    FileError, KeyCodec, MAX_ROW_BYTES,
    csv::{self, Span},
    digest::Tally,
    lines::{Line, Lines},
};

/// Reads a manifest that is pushed in pieces of any size.
///
/// A row is a line, its fields may be quoted, and lines may end with LF or CRLF. Blank lines are errors, as they are
/// for S3.
pub struct ManifestReader {
    rows: RowReader,
    lines: Lines,
    buffer: Vec<u8>,
    tally: Tally,
    totals: ManifestTotals,
    failed: Option<FileError>,
}

/// What a manifest held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestTotals {
    /// Rows that were read whole.
    pub rows: u64,
    /// Rows that were given to the sink as errors.
    pub bad_rows: u64,
    /// Bytes pushed.
    pub bytes: u64,
    /// The MD5 of the bytes pushed, in hexadecimal.
    pub md5: String,
}

impl ManifestReader {
    /// A reader of the manifest `file_name`, which errors are to name. Levee's own have keys in
    /// [`KeyCodec::Percent`]; S3 itself takes a `+` for a space, as [`KeyCodec::Form`] does.
    pub fn new(file_name: &str, fields: &Fields, codec: KeyCodec) -> Self {
        let (file, fields) = (file_name.to_owned(), fields.clone());
        Self {
            rows: RowReader { file, fields, codec, bucket: None, spans: Vec::new() },
            lines: Lines::new(),
            buffer: Vec::new(),
            tally: Tally::default(),
            totals: ManifestTotals::default(),
            failed: None,
        }
    }

    /// Reads the next bytes and gives every row that they complete to the sink.
    ///
    /// After an error the file is lost: every later call gives the same error.
    pub fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>)) -> Result<(), FileError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.tally.update(bytes);
        self.buffer.extend_from_slice(bytes);
        let read = self.read_lines(false, sink);
        self.failed = read.as_ref().err().cloned();
        read
    }

    /// Ends the manifest and gives the last row to the sink.
    pub fn finish(mut self, sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>)) -> Result<ManifestTotals, FileError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.read_lines(true, sink)?;
        let (bytes, md5) = self.tally.finish();
        Ok(ManifestTotals { bytes, md5, ..self.totals })
    }

    fn read_lines(
        &mut self,
        at_end: bool,
        sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>),
    ) -> Result<(), FileError> {
        let too_long =
            |file: &str, line| Err(FileError::RowTooLong { file: file.to_owned(), line, limit: MAX_ROW_BYTES });
        while let Some(line) = self.lines.next(&self.buffer, at_end) {
            if line.bytes.len() > MAX_ROW_BYTES {
                return too_long(&self.rows.file, line.number);
            }
            let row = self.rows.read(line);
            match &row {
                Ok(_) => self.totals.rows += 1,
                Err(_) => self.totals.bad_rows += 1,
            }
            sink(row);
        }
        self.buffer.drain(..self.lines.take_read().min(self.buffer.len()));
        if self.buffer.len() > MAX_ROW_BYTES {
            return too_long(&self.rows.file, self.lines.pending_line());
        }
        Ok(())
    }
}

/// Turns lines into rows.
struct RowReader {
    file: String,
    fields: Fields,
    codec: KeyCodec,
    /// The bucket of the first row.
    bucket: Option<String>,
    spans: Vec<Span>,
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl RowReader {
    fn read<'a>(&'a mut self, line: Line<'a>) -> Result<Row<'a>, RowError<'a>> {
        let mut problems = Vec::new();
        let split = csv::split(line.bytes, &mut self.spans);
        let expected = self.fields.as_slice().len();
        if line.bytes.is_empty() {
            problems.push(RowProblem::Blank);
        } else if line.number == 1 && line.bytes.starts_with(BYTE_ORDER_MARK) {
            problems.push(RowProblem::ByteOrderMark);
        } else if split.is_err() {
            problems.push(RowProblem::Quotes);
        } else if self.spans.len() != expected {
            problems.push(RowProblem::FieldCount { expected, found: self.spans.len() });
        }
        let row = self.fields(line.bytes, &mut problems);
        if problems.is_empty() {
            self.check_bucket(row.bucket.as_deref(), &mut problems);
        }
        let key = row.key.clone().and_then(|key| csv::text(key).ok());
        match (row.bucket.clone(), key, row.raw_key.clone(), problems.is_empty()) {
            (Some(bucket), Some(key), Some(raw_key), true) => {
                Ok(Row { line: line.number, bucket, key, raw_key, version_id: row.version_id })
            }
            _ => Err(RowError { file: &self.file, line: line.number, problems, raw: line.bytes, row: Box::new(row) }),
        }
    }

    fn fields<'a>(&self, line: &'a [u8], problems: &mut Vec<RowProblem>) -> PartialRow<'a> {
        let mut row = PartialRow::default();
        for (&field, span) in self.fields.as_slice().iter().zip(&self.spans) {
            let value = span.of(line);
            match field {
                Field::Bucket => row.bucket = text(field, value, problems),
                Field::VersionId => row.version_id = text(field, value, problems),
                Field::Key => {
                    row.key = Some(self.key(&value, problems));
                    row.raw_key = Some(value);
                }
                Field::Ignore => {}
            }
        }
        row
    }

    fn key<'a>(&self, raw: &Cow<'a, [u8]>, problems: &mut Vec<RowProblem>) -> Cow<'a, [u8]> {
        let (key, error) = self.codec.decode_shared(raw);
        match error {
            Some(error) => problems.push(RowProblem::KeyEscape(error)),
            None if key.is_empty() => problems.push(RowProblem::EmptyField { field: Field::Key }),
            None if str::from_utf8(&key).is_err() => problems.push(RowProblem::KeyNotUtf8),
            None => {}
        }
        key
    }

    fn check_bucket(&mut self, bucket: Option<&str>, problems: &mut Vec<RowProblem>) {
        let bucket = bucket.unwrap_or_default();
        match &self.bucket {
            _ if bucket.is_empty() => problems.push(RowProblem::EmptyField { field: Field::Bucket }),
            Some(first) if first != bucket => problems.push(RowProblem::OtherBucket { bucket: bucket.to_owned() }),
            Some(_) => {}
            None => self.bucket = Some(bucket.to_owned()),
        }
    }
}

fn text<'a>(field: Field, value: Cow<'a, [u8]>, problems: &mut Vec<RowProblem>) -> Option<Cow<'a, str>> {
    let text = csv::text(value).ok();
    if text.is_none() {
        problems.push(RowProblem::NotUtf8 { field });
    }
    text
}
