//! Turns the bytes of rows into rows.

use std::borrow::Cow;

use super::alike::{Alike, Before};
use super::{
    PartialRow, Row, RowError, RowProblem, TaskStatus,
    scan::{Extent, leading_fields},
};
use crate::{
    KeyCodec,
    csv::{self, Span},
    key::KeyReader,
};

/// Turns the bytes of rows into rows.
pub(super) struct RowReader {
    pub(super) file: String,
    codec: KeyCodec,
    /// The status that all rows of the file should have.
    pub(super) status: Option<TaskStatus>,
    /// The bucket of the last row that has one.
    pub(super) bucket: Vec<u8>,
    pub(super) spans: Vec<Span>,
    keys: KeyReader,
    before: Before,
}

const FIELDS: [&str; 7] = ["Bucket", "Key", "VersionId", "TaskStatus", "field 5", "field 6", "ResultMessage"];

impl RowReader {
    pub(super) fn new(file: &str, codec: KeyCodec) -> Self {
        Self {
            file: file.to_owned(),
            codec,
            status: None,
            bucket: Vec::new(),
            spans: Vec::new(),
            keys: KeyReader::new(codec),
            before: Before::default(),
        }
    }

    /// The form of the row at the beginning of the bytes, if one was read before that differs from it in nothing but the key:
    /// then nothing but the key need be read.
    #[inline]
    pub(super) fn alike<'a>(&'a mut self, bytes: &'a [u8]) -> Option<Alike<'a>> {
        let form = self.before.row.as_ref()?;
        let from_key = bytes.strip_prefix(form.head.as_slice())?;
        let (raw_key, rest) = from_key.split_at_checked(memchr::memchr3(b',', b'"', b'\n', from_key)?)?;
        if raw_key.is_empty() || !rest.starts_with(&form.tail) {
            return None;
        }
        self.keys.read(raw_key)?;
        Some(Alike { form, key: self.keys.key(), raw_key })
    }

    /// Reads a row whose fields are in the spans, if it is well formed.
    pub(super) fn read<'a>(
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
        match whole_row(row, line, problems.is_empty()) {
            Ok(row) => {
                if let Some(key) = self.spans.get(1) {
                    self.before.remember(whole, key, &row);
                }
                Ok(row)
            }
            Err(row) => Err(RowError { file: &self.file, line, problems, raw, row }),
        }
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
