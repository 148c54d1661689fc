//! Reads the rows of a result file.

use std::borrow::Cow;

use super::{
    PartialRow, ResultFile, Row, RowError, RowProblem, TaskStatus,
    scan::{Extent, Scan, leading_fields, scan},
};
use crate::{
    FileError, KeyCodec, MAX_ROW_BYTES,
    csv::{self, Span},
    digest::Tally,
};

/// Reads one result file that is pushed in pieces of any size.
///
/// Messages may hold quotes, commas and line ends. Where the quotes are malformed, the row is given to the sink as an
/// error with its first six fields and its message as it stands, and reading goes on at the next row: a malformed row
/// ends at the first line end that follows a quote or is followed by the bucket and a comma. A message with a line that
/// looks like a row is malformed too, since it cannot be told from a missing quote. Blank lines are counted and skipped.
pub struct ResultReader {
    rows: RowReader,
    buffer: Vec<u8>,
    /// The line on which the buffer begins.
    line: u64,
    tally: Tally,
    totals: ResultTotals,
    failed: Option<FileError>,
}

/// What a result file held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResultTotals {
    /// Rows that were read whole: those that succeeded and those that failed.
    pub rows: u64,
    /// Rows of tasks that succeeded.
    pub succeeded: u64,
    /// Rows of tasks that failed.
    pub failed: u64,
    /// Rows that were given to the sink as errors. A report with one of these says nothing certain about its job.
    pub unreadable: u64,
    /// Lines without a byte.
    pub blank_lines: u64,
    /// Bytes pushed.
    pub bytes: u64,
    /// The MD5 of the bytes pushed, in hexadecimal; to be compared with [`ResultFile::md5`].
    pub md5: String,
}

impl ResultReader {
    /// A reader of the result file `file_name`, which errors are to name. `codec` is that of the job's manifest.
    pub fn new(file_name: &str, codec: KeyCodec) -> Self {
        let rows = RowReader { file: file_name.to_owned(), codec, status: None, bucket: Vec::new(), spans: Vec::new() };
        Self {
            rows,
            buffer: Vec::new(),
            line: 1,
            tally: Tally::default(),
            totals: ResultTotals::default(),
            failed: None,
        }
    }

    /// A reader of a file of the report's manifest. A row with another status than the file's is an error.
    pub fn of(file: &ResultFile, codec: KeyCodec) -> Self {
        let mut reader = Self::new(&file.key, codec);
        reader.rows.status = Some(file.status);
        reader
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
        // Only a line end completes a row before the end of the file.
        let read = if memchr::memchr(b'\n', bytes).is_some() { self.read_rows(false, sink) } else { Ok(()) };
        let read = read.and_then(|()| self.check_length());
        self.failed = read.as_ref().err().cloned();
        read
    }

    /// Ends the file and gives the last row to the sink. The caller compares the MD5 with the manifest.
    pub fn finish(mut self, sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>)) -> Result<ResultTotals, FileError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.read_rows(true, sink)?;
        let (bytes, md5) = self.tally.finish();
        Ok(ResultTotals { bytes, md5, ..self.totals })
    }

    fn read_rows(
        &mut self,
        at_end: bool,
        sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>),
    ) -> Result<(), FileError> {
        let mut start = 0;
        loop {
            let rest = self.buffer.get(start..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let scanned = scan(rest, at_end, &self.rows.bucket, &mut self.rows.spans);
            let (extent, well_formed) = match scanned {
                Scan::Incomplete => break,
                Scan::Blank(extent) | Scan::Row(extent) => (extent, true),
                Scan::Malformed(extent) => (extent, false),
            };
            if extent.body > MAX_ROW_BYTES {
                return Err(self.too_long());
            }
            let whole = rest.get(..extent.whole).unwrap_or(rest);
            if matches!(scanned, Scan::Blank(_)) {
                self.totals.blank_lines += 1;
            } else {
                let row = self.rows.read(whole, extent, self.line, well_formed);
                self.totals.count(&row);
                sink(row);
            }
            self.line += memchr::memchr_iter(b'\n', whole).count() as u64;
            start += extent.whole;
        }
        self.buffer.drain(..start);
        Ok(())
    }

    fn check_length(&self) -> Result<(), FileError> {
        if self.buffer.len() > MAX_ROW_BYTES { Err(self.too_long()) } else { Ok(()) }
    }

    fn too_long(&self) -> FileError {
        FileError::RowTooLong { file: self.rows.file.clone(), line: self.line, limit: MAX_ROW_BYTES }
    }
}

impl ResultTotals {
    fn count(&mut self, row: &Result<Row<'_>, RowError<'_>>) {
        match row.as_ref().map(|row| row.status) {
            Ok(TaskStatus::Succeeded) => self.succeeded += 1,
            Ok(TaskStatus::Failed) => self.failed += 1,
            Err(_) => self.unreadable += 1,
        }
        self.rows = self.succeeded + self.failed;
    }
}

/// Turns the bytes of rows into rows.
struct RowReader {
    file: String,
    codec: KeyCodec,
    /// The status that all rows of the file should have.
    status: Option<TaskStatus>,
    /// The bucket of the last row that has one.
    bucket: Vec<u8>,
    spans: Vec<Span>,
}

const FIELDS: [&str; 7] = ["Bucket", "Key", "VersionId", "TaskStatus", "field 5", "field 6", "ResultMessage"];

impl RowReader {
    /// Reads a row whose fields are in the spans, if it is well formed.
    fn read<'a>(
        &'a mut self,
        whole: &'a [u8],
        extent: Extent,
        line: u64,
        well_formed: bool,
    ) -> Result<Row<'a>, RowError<'a>> {
        let raw = whole.get(..extent.body).unwrap_or(whole);
        let mut problems = Vec::new();
        let message = if well_formed {
            self.message(raw, &mut problems)
        } else {
            problems.push(RowProblem::Quotes);
            let rest = leading_fields(raw, 6, &mut self.spans);
            rest.and_then(|start| raw.get(start..)).map(Cow::Borrowed)
        };
        let row = Reading { row: self, raw, problems: &mut problems }.fields(message);
        if let Some(bucket) = &row.bucket {
            self.bucket.clear();
            self.bucket.extend_from_slice(bucket.as_bytes());
        }
        whole_row(row, line, problems.is_empty()).map_err(|row| RowError { file: &self.file, line, problems, raw, row })
    }

    /// The seventh field, or all from the seventh on if there are more.
    fn message<'a>(&self, raw: &'a [u8], problems: &mut Vec<RowProblem>) -> Option<Cow<'a, [u8]>> {
        let found = self.spans.len();
        if found < FIELDS.len() {
            problems.push(RowProblem::TooFewFields { found });
        }
        let message = self.spans.get(6)?;
        if found == FIELDS.len() {
            return Some(message.of(raw));
        }
        problems.push(RowProblem::TooManyFields { found });
        raw.get(message.start()..).map(Cow::Borrowed)
    }
}

/// Reads the fields of one row and gathers what is wrong with them.
struct Reading<'r, 'a> {
    row: &'r RowReader,
    raw: &'a [u8],
    problems: &'r mut Vec<RowProblem>,
}

impl<'a> Reading<'_, 'a> {
    fn fields(mut self, message: Option<Cow<'a, [u8]>>) -> PartialRow<'a> {
        let raw_key = self.field(1);
        let (http_status, error_code) = self.http_status_and_error_code();
        let row = PartialRow {
            bucket: self.text(0),
            key: raw_key.as_ref().map(|raw| self.key(raw)),
            raw_key,
            version_id: self.text(2).filter(|version| !matches!(&**version, "" | "\\N")),
            status: self.text(3),
            http_status,
            error_code,
            message: self.utf8(6, message).filter(|message| !message.is_empty()),
        };
        if row.bucket.as_ref().is_some_and(|bucket| bucket.is_empty()) {
            self.problems.push(RowProblem::EmptyField { field: "Bucket" });
        }
        match (row.status.as_deref(), row.task_status()) {
            (Some(status), None) => self.problems.push(RowProblem::UnknownStatus { status: status.to_owned() }),
            (_, Some(status)) => self.compare_status(status),
            (None, None) => {}
        }
        row
    }

    fn compare_status(&mut self, row: TaskStatus) {
        if let Some(file) = self.row.status.filter(|file| *file != row) {
            self.problems.push(RowProblem::StatusDisagreesWithFile { row, file });
        }
    }

    fn field(&self, index: usize) -> Option<Cow<'a, [u8]>> {
        self.row.spans.get(index).map(|span| span.of(self.raw))
    }

    fn text(&mut self, index: usize) -> Option<Cow<'a, str>> {
        let field = self.field(index);
        self.utf8(index, field)
    }

    fn utf8(&mut self, index: usize, field: Option<Cow<'a, [u8]>>) -> Option<Cow<'a, str>> {
        match csv::text(field?) {
            Ok(text) => Some(text),
            Err(bytes) => {
                let field = FIELDS.get(index).copied().unwrap_or_default();
                self.problems.push(RowProblem::NotUtf8 { field });
                Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
            }
        }
    }

    fn key(&mut self, raw: &Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        let (key, error) = self.row.codec.decode_shared(raw);
        match error {
            Some(error) => self.problems.push(RowProblem::KeyEscape(error)),
            None if key.is_empty() => self.problems.push(RowProblem::EmptyField { field: "Key" }),
            None if str::from_utf8(&key).is_err() => self.problems.push(RowProblem::KeyNotUtf8),
            None => {}
        }
        key
    }

    /// Tells the fields 5 and 6 apart: the one of three digits is the status, the fifth if both are.
    fn http_status_and_error_code(&mut self) -> (Option<u16>, Option<Cow<'a, str>>) {
        let (fifth, sixth) = (self.text(4), self.text(5));
        let status = |field: &Option<Cow<'_, str>>| field.as_deref().and_then(http_status);
        let (http_status, error_code) = match (status(&fifth), status(&sixth)) {
            (Some(status), _) => (Some(status), sixth),
            (None, Some(status)) => (Some(status), fifth),
            (None, None) => match (fifth.unwrap_or_default(), sixth.unwrap_or_default()) {
                (only, none) | (none, only) if none.is_empty() => (None, Some(only)),
                (fifth, sixth) => {
                    let problem =
                        RowProblem::NoHttpStatus { fifth: fifth.clone().into_owned(), sixth: sixth.into_owned() };
                    self.problems.push(problem);
                    (None, Some(fifth))
                }
            },
        };
        (http_status, error_code.filter(|code| !code.is_empty()))
    }
}

fn http_status(field: &str) -> Option<u16> {
    let three_digits = field.len() == 3 && field.bytes().all(|byte| byte.is_ascii_digit());
    three_digits.then(|| field.parse().ok()).flatten()
}

/// The row, if it has been found to be whole.
fn whole_row(row: PartialRow<'_>, line: u64, without_problems: bool) -> Result<Row<'_>, Box<PartialRow<'_>>> {
    let key = row.key.clone().and_then(|key| csv::text(key).ok());
    let (Some(bucket), Some(key), Some(raw_key), Some(status), true) =
        (row.bucket.clone(), key, row.raw_key.clone(), row.task_status(), without_problems)
    else {
        return Err(Box::new(row));
    };
    Ok(Row {
        line,
        bucket,
        key,
        raw_key,
        version_id: row.version_id,
        status,
        http_status: row.http_status,
        error_code: row.error_code,
        message: row.message,
    })
}
