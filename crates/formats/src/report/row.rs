//! One row of a result file, whole or in part.

use std::{borrow::Cow, fmt};

use crate::key::KeyError;

/// What became of a task. Nothing else decides it: failed tasks may have the HTTP status 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskStatus {
    /// `succeeded`
    Succeeded,
    /// `failed`
    Failed,
}

impl TaskStatus {
    /// The name in manifests and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The status of a name; `None` for any other than the two.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Succeeded, Self::Failed].into_iter().find(|status| status.name() == name)
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The result of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row<'a> {
    /// The line of the file on which the row begins, from 1.
    pub line: u64,
    /// The bucket of the source object.
    pub bucket: Cow<'a, str>,
    /// The key of the source object, decoded.
    pub key: Cow<'a, str>,
    /// The key as the job's manifest has it.
    pub raw_key: Cow<'a, [u8]>,
    /// The version as the job's manifest has it, `null` for the null version; `None` where the field is empty or `\N`,
    /// which is what S3 writes where the manifest's field was empty.
    pub version_id: Option<Cow<'a, str>>,
    /// What became of the task.
    pub status: TaskStatus,
    /// The HTTP status; `None` where neither field 5 nor 6 has three digits.
    pub http_status: Option<u16>,
    /// The error code; `None` where it is empty.
    pub error_code: Option<Cow<'a, str>>,
    /// The message; `None` where it is empty.
    pub message: Option<Cow<'a, str>>,
}

/// What could be read of a row that is not whole. A field that is `None` is absent, empty or unreadable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartialRow<'a> {
    /// The bucket.
    pub bucket: Option<Cow<'a, str>>,
    /// The key as far as it decodes: broken escapes are kept, and it may not be UTF-8.
    pub key: Option<Cow<'a, [u8]>>,
    /// The key as the row has it.
    pub raw_key: Option<Cow<'a, [u8]>>,
    /// See [`Row::version_id`].
    pub version_id: Option<Cow<'a, str>>,
    /// The status as the row has it, which may be an unknown one.
    pub status: Option<Cow<'a, str>>,
    /// See [`Row::http_status`].
    pub http_status: Option<u16>,
    /// See [`Row::error_code`].
    pub error_code: Option<Cow<'a, str>>,
    /// The message, with its quotes as they are where those are the problem.
    pub message: Option<Cow<'a, str>>,
}

impl PartialRow<'_> {
    /// The status, if it is one of the two.
    pub fn task_status(&self) -> Option<TaskStatus> {
        TaskStatus::from_name(self.status.as_deref()?)
    }
}

/// A row of a result file that could not be read whole.
pub type RowError<'a> = crate::RowError<'a, RowProblem, PartialRow<'a>>;

/// What is wrong with a row of a result file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowProblem {
    /// The quotes do not say where the row's fields, or the row itself, end.
    Quotes,
    /// The row has fewer than seven fields.
    TooFewFields {
        /// The number of fields.
        found: usize,
    },
    /// The row has more than seven fields; the message is what follows the sixth comma.
    TooManyFields {
        /// The number of fields.
        found: usize,
    },
    /// The status is neither `succeeded` nor `failed`.
    UnknownStatus {
        /// The field.
        status: String,
    },
    /// The row's status is not that of the file, by the report's manifest.
    StatusDisagreesWithFile {
        /// The status of the row.
        row: TaskStatus,
        /// The status of the file.
        file: TaskStatus,
    },
    /// Neither field 5 nor 6 is a status of three digits although both have a value.
    NoHttpStatus {
        /// Field 5.
        fifth: String,
        /// Field 6.
        sixth: String,
    },
    /// The bucket or the key is empty.
    EmptyField {
        /// The field's name.
        field: &'static str,
    },
    /// The key has a broken escape.
    KeyEscape(KeyError),
    /// The decoded key is not UTF-8.
    KeyNotUtf8,
    /// A field other than the key is not UTF-8.
    NotUtf8 {
        /// The field's name.
        field: &'static str,
    },
}

impl RowProblem {
    /// A short name for machines: `malformed-quotes`, `short-row`, `long-row`, `unknown-status`,
    /// `status-disagrees-with-file`, `no-http-status`, `empty-field`, `bad-escape`, `key-not-utf8`, `not-utf8`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Quotes => "malformed-quotes",
            Self::TooFewFields { .. } => "short-row",
            Self::TooManyFields { .. } => "long-row",
            Self::UnknownStatus { .. } => "unknown-status",
            Self::StatusDisagreesWithFile { .. } => "status-disagrees-with-file",
            Self::NoHttpStatus { .. } => "no-http-status",
            Self::EmptyField { .. } => "empty-field",
            Self::KeyEscape(_) => "bad-escape",
            Self::KeyNotUtf8 => "key-not-utf8",
            Self::NotUtf8 { .. } => "not-utf8",
        }
    }
}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quotes => write!(f, "the quotes are malformed, so the message cannot be told from what follows it"),
            Self::TooFewFields { found } => write!(f, "the row has {found} of seven fields"),
            Self::TooManyFields { found } => write!(f, "the row has {found} fields instead of seven"),
            Self::UnknownStatus { status } => write!(f, "the status {status:?} is neither succeeded nor failed"),
            Self::StatusDisagreesWithFile { row, file } => {
                write!(f, "the task {row} but the manifest lists the file under {file}")
            }
            Self::NoHttpStatus { fifth, sixth } => {
                write!(f, "neither {fifth:?} nor {sixth:?} is an HTTP status of three digits")
            }
            Self::EmptyField { field } => write!(f, "{field} is empty"),
            Self::KeyEscape(error) => write!(f, "{error}"),
            Self::KeyNotUtf8 => write!(f, "the decoded key is not UTF-8, so it is not a key of S3"),
            Self::NotUtf8 { field } => write!(f, "{field} is not UTF-8"),
        }
    }
}
