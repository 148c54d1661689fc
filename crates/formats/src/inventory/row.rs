//! One row of an inventory, whole or in part.

use std::{borrow::Cow, fmt};

use jiff::Timestamp;

use super::{Column, Schema};
use crate::{
    csv::{self, Span},
    key::KeyError,
};

/// One row: one version of an object, or a delete marker.
///
/// Columns that the schema lacks are `None`. The row has been checked: it has as many fields as the schema has columns,
/// its bucket is the inventory's, its key decodes to UTF-8 as all keys of S3 do, and booleans, sizes and times parse.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Row<'a> {
    /// The line of the uncompressed data file, from 1.
    pub line: u64,
    /// The bucket that the inventory describes.
    pub bucket: Cow<'a, str>,
    /// The key, decoded.
    pub key: Cow<'a, str>,
    /// The key as the file has it. A job that reads the inventory as its manifest echoes it in its report.
    pub raw_key: Cow<'a, [u8]>,
    /// The version; `null`, S3's own name for it, where the field is empty; `None` without the column.
    pub version_id: Option<Cow<'a, str>>,
    /// Whether the version is the current one.
    pub is_latest: Option<bool>,
    /// Whether the version is a delete marker.
    pub is_delete_marker: Option<bool>,
    /// Bytes; `None` for a delete marker too.
    pub size: Option<u64>,
    /// When the version was made.
    pub last_modified: Option<Timestamp>,
    /// The entity tag without quotes; `None` where the field is empty too.
    pub etag: Option<Cow<'a, str>>,
    /// The storage class; `None` where the field is empty too.
    pub storage_class: Option<Cow<'a, str>>,
    /// Whether the object was uploaded in parts; `None` where the field is empty too.
    pub is_multipart_uploaded: Option<bool>,
    pub(super) cells: Cells<'a>,
}

impl Row<'_> {
    /// Whether the row stands for an object that a reader of the bucket sees: the current version and not a delete
    /// marker. Every row of an inventory of current versions does.
    pub fn is_current_object(&self) -> bool {
        self.is_latest != Some(false) && self.is_delete_marker != Some(true)
    }

    /// A field as the file has it, without its quotes; `None` where it is empty or the schema lacks the column.
    pub fn text(&self, column: &Column) -> Option<Cow<'_, str>> {
        let index = self.cells.schema.position(column)?;
        self.cells.text(index).filter(|text| !text.is_empty())
    }

    /// All columns with their fields, as the file has them, without quotes.
    pub fn fields(&self) -> impl Iterator<Item = (&Column, Cow<'_, str>)> {
        self.cells.fields()
    }
}

/// What could be read of a row that is not whole. A field that is `None` is absent, empty or broken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PartialRow<'a> {
    /// The bucket, of this or of another inventory.
    pub bucket: Option<Cow<'a, str>>,
    /// The key as far as it decodes: broken escapes are kept, and it may not be UTF-8.
    pub key: Option<Cow<'a, [u8]>>,
    /// See [`Row::version_id`].
    pub version_id: Option<Cow<'a, str>>,
    /// See [`Row::is_latest`].
    pub is_latest: Option<bool>,
    /// See [`Row::is_delete_marker`].
    pub is_delete_marker: Option<bool>,
    /// See [`Row::size`].
    pub size: Option<u64>,
    /// See [`Row::last_modified`].
    pub last_modified: Option<Timestamp>,
    /// See [`Row::etag`].
    pub etag: Option<Cow<'a, str>>,
    /// See [`Row::storage_class`].
    pub storage_class: Option<Cow<'a, str>>,
    /// See [`Row::is_multipart_uploaded`].
    pub is_multipart_uploaded: Option<bool>,
    pub(super) cells: Cells<'a>,
}

impl PartialRow<'_> {
    /// A field as the file has it, without its quotes, bytes that are not UTF-8 replaced; `None` where it is empty or
    /// absent.
    pub fn text(&self, column: &Column) -> Option<Cow<'_, str>> {
        let index = self.cells.schema.position(column)?;
        self.cells.text(index).filter(|text| !text.is_empty())
    }

    /// The columns that have a field, with that field; bytes that are not UTF-8 are replaced.
    pub fn fields(&self) -> impl Iterator<Item = (&Column, Cow<'_, str>)> {
        self.cells.fields()
    }
}

/// A row of an inventory that cannot be used as it is.
pub type RowError<'a> = crate::RowError<'a, RowProblem, PartialRow<'a>>;

/// What is wrong with a row of an inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowProblem {
    /// A quote is where none may be, or is not closed on its line. What follows it is not read.
    Quotes,
    /// The row has more or fewer fields than the schema has columns.
    ColumnCount {
        /// The number of columns.
        expected: usize,
        /// The number of fields.
        found: usize,
    },
    /// The bucket is not the one that the inventory describes.
    OtherBucket {
        /// The bucket of the row.
        bucket: String,
    },
    /// The key is empty.
    EmptyKey,
    /// The key has a broken escape.
    KeyEscape(KeyError),
    /// The decoded key is not UTF-8.
    KeyNotUtf8,
    /// A field other than the key is not UTF-8.
    NotUtf8 {
        /// The column.
        column: Column,
    },
    /// A boolean is neither `true` nor `false`.
    NotABoolean {
        /// The column.
        column: Column,
        /// The field.
        value: String,
    },
    /// The size is not a number of bytes, or it is empty although the row is not a delete marker.
    NotASize {
        /// The field.
        value: String,
    },
    /// The time of last modification is not a time in UTC.
    NotATime {
        /// The field.
        value: String,
    },
}

impl RowProblem {
    /// A short name for machines: `quotes`, `row-columns`, `other-bucket`, `empty-key`, `bad-escape`, `key-not-utf8`,
    /// `not-utf8`, `bad-bool`, `bad-size`, `bad-time`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Quotes => "quotes",
            Self::ColumnCount { .. } => "row-columns",
            Self::OtherBucket { .. } => "other-bucket",
            Self::EmptyKey => "empty-key",
            Self::KeyEscape(_) => "bad-escape",
            Self::KeyNotUtf8 => "key-not-utf8",
            Self::NotUtf8 { .. } => "not-utf8",
            Self::NotABoolean { .. } => "bad-bool",
            Self::NotASize { .. } => "bad-size",
            Self::NotATime { .. } => "bad-time",
        }
    }
}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quotes => write!(f, "a quote is misplaced or not closed"),
            Self::ColumnCount { expected, found } => {
                write!(f, "the row has {found} fields where the schema has {expected} columns")
            }
            Self::OtherBucket { bucket } => write!(f, "the row is of the bucket {bucket:?}, not of the inventory's"),
            Self::EmptyKey => write!(f, "the key is empty"),
            Self::KeyEscape(error) => write!(f, "{error}"),
            Self::KeyNotUtf8 => write!(f, "the decoded key is not UTF-8, so it is not a key of S3"),
            Self::NotUtf8 { column } => write!(f, "{column} is not UTF-8"),
            Self::NotABoolean { column, value } => write!(f, "{column} is {value:?}, neither true nor false"),
            Self::NotASize { value } => write!(f, "Size is {value:?}, not a number of bytes"),
            Self::NotATime { value } => write!(f, "LastModifiedDate is {value:?}, not a time in UTC"),
        }
    }
}

/// The fields of a line, by the schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells<'a> {
    pub(super) schema: &'a Schema,
    pub(super) line: &'a [u8],
    pub(super) spans: &'a [Span],
}

impl<'a> Cells<'a> {
    pub(super) fn bytes(&self, index: usize) -> Option<Cow<'a, [u8]>> {
        self.spans.get(index).map(|span| span.of(self.line))
    }

    /// The field as text, bytes that are not UTF-8 replaced.
    pub(super) fn text(&self, index: usize) -> Option<Cow<'a, str>> {
        let lossy = |bytes: Cow<'a, [u8]>| Cow::Owned(String::from_utf8_lossy(&bytes).into_owned());
        self.bytes(index).map(|bytes| csv::text(bytes).unwrap_or_else(lossy))
    }

    fn fields<'s>(&'s self) -> impl Iterator<Item = (&'s Column, Cow<'s, str>)> + use<'a, 's> {
        let columns = self.schema.columns().iter().enumerate();
        columns.filter_map(|(index, column)| Some((column, self.text(index)?)))
    }
}
