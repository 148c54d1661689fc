//! A failed row, as the lists in the ledger have it.

use levee_formats::report::Row;
use levee_ledger::state::FailureClass;
use serde::{Deserialize, Serialize};

/// A failed row: one line of the lists of failures and of vanished objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRow {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version_id: Option<String>,
    pub(crate) class: FailureClass,
    pub(crate) http_status: Option<u16>,
    pub(crate) error_code: Option<String>,
    pub(crate) message: Option<String>,
    /// What a look at the object found, where the report says that it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) head: Option<Head>,
}

/// What a HEAD of an object found that the report says is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Head {
    /// 404: it is gone.
    Gone,
    /// 200: it is there.
    There,
    /// 403: the worker's role may not look, or may not be told that nothing is there.
    Denied,
}

impl FailedRow {
    /// The row as the report has it, sorted by what it says.
    pub(crate) fn of(row: &Row<'_>) -> Self {
        Self {
            bucket: row.bucket.to_string(),
            key: row.key.to_string(),
            version_id: row.version_id.as_deref().map(str::to_owned),
            class: FailureClass::of(row.error_code.as_deref(), row.http_status, row.message.as_deref()),
            http_status: row.http_status,
            error_code: row.error_code.as_deref().map(str::to_owned),
            message: row.message.as_deref().map(str::to_owned),
            head: None,
        }
    }

    /// The error code, where the row has one.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.error_code.as_deref()
    }

    /// Whether the object has to be looked for: the report alone does not prove that it is gone.
    pub(crate) fn said_to_be_gone(&self) -> bool {
        self.class == FailureClass::Vanished && self.head.is_none()
    }

    /// The row, sorted by what the look has found.
    pub(crate) fn looked_for(self, head: Head) -> Self {
        let class = match head {
            Head::Gone => FailureClass::Vanished,
            Head::There => FailureClass::Throttled,
            Head::Denied => FailureClass::Denied,
        };
        Self { class, head: Some(head), ..self }
    }
}
