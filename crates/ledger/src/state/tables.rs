//! What the tables of a snapshot are worth.

use levee_delta_log::{TableVerdict, Verdict};
use serde::{Deserialize, Serialize};

use super::ObjectPointer;

/// `$.tables`, by table-verify: a verdict on every Delta table in the snapshot bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tables {
    /// Tables found.
    pub tables: u64,
    /// How many have each verdict, after repairs.
    pub verdicts: VerdictCounts,
    /// Tables that were made better by copying from the source what their copy lacked.
    pub repaired: u64,
    /// Objects that were copied for that.
    pub repaired_objects: u64,
    /// Their bytes.
    pub repaired_bytes: u64,
    /// A line of [`TableLine`] for each table, by path; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ObjectPointer>,
    /// Why no table was looked at; absent when they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_checked: Option<String>,
}

/// Tables by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerdictCounts {
    /// See [`Verdict::Whole`].
    pub whole: u64,
    /// See [`Verdict::CatalogManaged`].
    pub catalog_managed: u64,
    /// See [`Verdict::Behind`].
    pub behind: u64,
    /// See [`Verdict::NotSelfContained`].
    pub not_self_contained: u64,
    /// See [`Verdict::Unsupported`].
    pub unsupported: u64,
    /// See [`Verdict::NotChecked`].
    pub not_checked: u64,
    /// See [`Verdict::Torn`].
    pub torn: u64,
}

impl VerdictCounts {
    /// Counts one more.
    pub fn add(&mut self, verdict: Verdict) {
        let count = match verdict {
            Verdict::Whole => &mut self.whole,
            Verdict::CatalogManaged => &mut self.catalog_managed,
            Verdict::Behind => &mut self.behind,
            Verdict::NotSelfContained => &mut self.not_self_contained,
            Verdict::Unsupported => &mut self.unsupported,
            Verdict::NotChecked => &mut self.not_checked,
            Verdict::Torn => &mut self.torn,
        };
        *count += 1;
    }

    /// Tables with a verdict.
    #[must_use]
    pub const fn of(&self, verdict: Verdict) -> u64 {
        match verdict {
            Verdict::Whole => self.whole,
            Verdict::CatalogManaged => self.catalog_managed,
            Verdict::Behind => self.behind,
            Verdict::NotSelfContained => self.not_self_contained,
            Verdict::Unsupported => self.unsupported,
            Verdict::NotChecked => self.not_checked,
            Verdict::Torn => self.torn,
        }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        Verdict::ALL.into_iter().fold(0, |sum, verdict| sum.saturating_add(self.of(verdict)))
    }

    /// Tables that are wholly there in their newest version.
    #[must_use]
    pub const fn good(&self) -> u64 {
        self.whole + self.catalog_managed
    }
}

/// A line of the list of tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableLine {
    /// The verdict on the copy as it is now.
    #[serde(flatten)]
    pub verdict: TableVerdict,
    /// How old the newest whole version was when the inventory's scan began, in seconds: what a restore of it loses against
    /// the moment that the snapshot stands for. Absent when none is whole or its time is not known, 0 when it was committed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
    /// What was done to the copy; absent when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
    /// Why the copy is not whole, as far as the source tells, and what to do; absent when it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// What somebody has to mend before the copy can be mended from the source; absent when nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What was done to a table's copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// The verdict before it.
    pub before: Verdict,
    /// The newest whole version before it.
    pub version_before: Option<u64>,
    /// Objects that were copied from the source.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether `_last_checkpoint` was written anew.
    pub last_checkpoint_written: bool,
}
