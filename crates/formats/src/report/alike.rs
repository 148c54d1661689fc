//! Rows that differ in nothing but the key, as those of nearly all tasks of a job do.

use std::borrow::Cow;

use super::{Row, TaskStatus};
use crate::csv::Span;

/// The form that rows have had before.
#[derive(Default)]
pub(super) struct Before {
    /// A form that two rows have had.
    pub(super) row: Option<Form>,
    /// What followed the key in the last row of another form.
    tail: Vec<u8>,
}

/// A row without its key.
pub(super) struct Form {
    /// What stands before the key.
    pub(super) head: Vec<u8>,
    /// What stands after it, with the line end.
    pub(super) tail: Vec<u8>,
    bucket: String,
    version_id: Option<String>,
    status: TaskStatus,
    http_status: Option<u16>,
    error_code: Option<String>,
    message: Option<String>,
}

impl Before {
    /// Looks whether the row, which is whole, has the form of the one before it. Only a row of one line with a line end and
    /// a key without quotes has one: what ends it is then the same for every key without quotes, commas and line ends.
    pub(super) fn remember(&mut self, whole: &[u8], key: &Span, row: &Row<'_>) {
        let Some((head, tail)) = around(whole, key) else { return };
        if self.tail != tail {
            self.tail.clear();
            self.tail.extend_from_slice(tail);
            return;
        }
        let owned = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        self.row = Some(Form {
            head: head.to_owned(),
            tail: tail.to_owned(),
            bucket: row.bucket.clone().into_owned(),
            version_id: owned(&row.version_id),
            status: row.status,
            http_status: row.http_status,
            error_code: owned(&row.error_code),
            message: owned(&row.message),
        });
    }
}

/// What stands before and after the key of a row that can have a form.
fn around<'a>(whole: &'a [u8], key: &Span) -> Option<(&'a [u8], &'a [u8])> {
    let plain = key.plain(whole)?;
    let (head, rest) = whole.split_at_checked(key.start())?;
    let tail = rest.get(plain.len()..)?;
    let one_line = memchr::memchr(b'\n', whole)? + 1 == whole.len();
    let no_special = memchr::memchr3(b',', b'"', b'\n', plain).is_none();
    (one_line && no_special && head.ends_with(b",") && tail.starts_with(b",")).then_some((head, tail))
}

/// A row of a known form.
pub(super) struct Alike<'a> {
    pub(super) form: &'a Form,
    /// Decoded.
    pub(super) key: &'a str,
    pub(super) raw_key: &'a [u8],
}

impl<'a> Alike<'a> {
    /// What became of the task.
    #[inline]
    pub(super) fn status(&self) -> TaskStatus {
        self.form.status
    }

    /// The bytes of the row with its line end.
    #[inline]
    pub(super) fn length(&self) -> usize {
        self.form.head.len() + self.raw_key.len() + self.form.tail.len()
    }

    /// The row. It is large: inlined, it is made where it is handed on.
    #[inline(always)]
    pub(super) fn row(&self, line: u64) -> Row<'a> {
        let form = self.form;
        let text = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
        Row {
            line,
            bucket: Cow::Borrowed(&form.bucket),
            key: Cow::Borrowed(self.key),
            raw_key: Cow::Borrowed(self.raw_key),
            version_id: text(&form.version_id),
            status: form.status,
            http_status: form.http_status,
            error_code: text(&form.error_code),
            message: text(&form.message),
        }
    }
}
