//! What is copied and how: the settings that decide, the plan that manifest-ready makes of an inventory, and the rows of the
//! lists that a plan points to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{JobManifest, ObjectPointer};

/// Above this, CopyObject and so a batch copy refuses an object. Documents say both 5 GB and 5 GiB; this is the lower one.
pub const COPY_LIMIT_BYTES: u64 = 5_000_000_000;

/// `$.run.selection`: which objects of the source are backed up. An object is when `include` is empty or one of its patterns
/// matches, no pattern of `exclude` matches, and `storage_classes` is empty or has its class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Only what one of these matches; everything when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<KeyPattern>,
    /// Nothing that one of these matches, whatever `include` says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<KeyPattern>,
    /// Only objects of these storage classes, as the inventory names them; of all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub storage_classes: Vec<String>,
}

impl Selection {
    /// Whether it takes every object.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty() && self.storage_classes.is_empty()
    }
}

/// A pattern of keys, matched against the key as it is in S3, not as a file encodes it: `{"prefix": "sales/orders/"}` or
/// `{"glob": "sales/*/_delta_log/**"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPattern {
    /// Keys that begin with this, byte for byte.
    Prefix(String),
    /// Keys that this matches as a whole: `*` and `?` stay within a `/`, `**` does not, `[…]` is one of, `{a,b}` either. `?` and
    /// `[…]` stand for one byte, which is part of a character beyond ASCII; `\` takes the meaning of what follows it.
    Glob(String),
}

/// `$.run.archived`: what is done about objects in an archive class or tier, which cannot be copied before they are restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ArchivedPolicy {
    /// They are left to the copy job, where they fail: everything else is copied, then the run stops and names them. Once
    /// somebody has restored them, a redrive copies exactly them.
    #[default]
    Fail,
    /// They are not copied, and named in the ledger.
    Skip,
    /// They are restored by a batch job after everything else has been copied, and copied then.
    Restore(Restoring),
}

impl ArchivedPolicy {
    /// Whether nothing is done about them.
    #[must_use]
    pub fn is_fail(&self) -> bool {
        *self == Self::Fail
    }
}

/// How archived objects are restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restoring {
    /// How fast and how dear.
    #[serde(default)]
    pub tier: RestoreTier,
    /// Days that the restored copy stays in the source, 1 to 365. It must outlast the copy job.
    #[serde(default = "restored_days")]
    pub days: u16,
    /// How long the objects are waited for, in hours, 1 to 336.
    #[serde(default = "restore_limit_hours")]
    pub limit_hours: u16,
}

/// The retrieval tiers that a batch restore takes; `EXPEDITED` is not one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RestoreTier {
    /// 5 to 12 hours from GLACIER, within 48 hours from `DEEP_ARCHIVE`.
    #[default]
    Bulk,
    /// 3 to 5 hours from GLACIER, within 12 hours from `DEEP_ARCHIVE`.
    Standard,
}

impl Default for Restoring {
    fn default() -> Self {
        Self { tier: RestoreTier::default(), days: restored_days(), limit_hours: restore_limit_hours() }
    }
}

const fn restored_days() -> u16 {
    7
}

const fn restore_limit_hours() -> u16 {
    72
}

/// What is done with an object of the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Copied by the first copy job.
    Batch,
    /// Too large for a batch copy: copied part by part by large-copy.
    Large,
    /// Restored first, then copied by a further copy job, or by large-copy when it is too large for one.
    Restore,
    /// Archived, and not copied because `$.run.archived` is `skip`. Named in the ledger.
    SkippedArchived,
    /// Encrypted with a key of the customer's own (SSE-C), so that nobody else can read it. Named in the ledger.
    Unsupported,
    /// Not selected. Counted only.
    Excluded,
}

impl Decision {
    /// The decision as in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Large => "large",
            Self::Restore => "restore",
            Self::SkippedArchived => "skipped_archived",
            Self::Unsupported => "unsupported",
            Self::Excluded => "excluded",
        }
    }
}

/// Objects and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Objects.
    pub rows: u64,
    /// Their bytes; 0 where the inventory has no Size column.
    pub bytes: u64,
}

impl Amount {
    /// Adds another amount.
    pub const fn add(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// `$.manifest.plan`: what is done with each object of the inventory, where that is not one copy job for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The plan's summary in the ledger, which names all else with its checksums.
    pub summary: ObjectPointer,
    /// Objects and bytes by decision; decisions without objects are absent.
    pub decisions: BTreeMap<Decision, Amount>,
    /// What the first copy job works through; absent when that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<JobManifest>,
    /// The objects for large-copy, archived ones that are restored first among them, as lines of [`LargeRow`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub large: Option<PlannedList>,
    /// The objects to restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<PlannedRestore>,
    /// The objects that are not copied although they are selected, as lines of [`SkippedRow`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<PlannedList>,
}

/// A list of JSON lines in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedList {
    /// Where it is.
    #[serde(flatten)]
    pub pointer: ObjectPointer,
    /// Objects in it, and their bytes.
    #[serde(flatten)]
    pub amount: Amount,
}

/// Objects that are restored before they are copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRestore {
    /// The objects of the classes GLACIER and `DEEP_ARCHIVE`, of which a restored copy is made for some days. Absent when there
    /// are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<JobManifest>,
    /// The objects of `INTELLIGENT_TIERING` in an archive tier, which come back for good. They need a job of their own: one
    /// with days is refused for them, and one without for the others. Absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiered: Option<JobManifest>,
    /// What the copy job after that works through: those that are not too large for it. Absent when all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<JobManifest>,
    /// All of them.
    #[serde(flatten)]
    pub amount: Amount,
}

/// A line of [`Plan::large`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeRow {
    /// The key, decoded.
    pub key: String,
    /// Bytes, as the inventory has it.
    pub size: u64,
    /// The entity tag as the inventory has it, without quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// A line of [`Plan::skipped`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedRow {
    /// The key, decoded.
    pub key: String,
    /// Bytes, where the inventory has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Why: [`Decision::SkippedArchived`] or [`Decision::Unsupported`].
    pub reason: Decision,
    /// The storage class, where the inventory has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

/// `$.thaw`, by thaw: the archived objects of the plan can be read now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thaw {
    /// The restore jobs, the last one of each manifest.
    pub job_ids: Vec<String>,
    /// Objects that were to be restored.
    pub rows: u64,
    /// Those of them that could not be asked for, may not be looked at, or are gone: the copy says what became of them.
    pub failed: u64,
    /// The attempt that copies them.
    pub next_attempt: u32,
    /// What that attempt copies; absent when large-copy copies all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<JobManifest>,
}
