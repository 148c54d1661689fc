//! The state of a run: one object per stage, each written once by its stage and only read by later ones.
//!
//! The state machine carries these as `$.run`, `$.manifest`, `$.bucket`, `$.job`, `$.copy`, `$.report`, `$.thaw`, `$.large` and
//! `$.snapshot`.

mod classify;
mod large;
mod plan;
mod restoration;
mod snapshot;
mod tables;

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
pub use large::{LargeCopied, LargeCopy, LargeFailure, LargeVanished, Proof};
use levee_formats::KeySum;
pub use plan::{
    Amount, ArchivedPolicy, COPY_LIMIT_BYTES, Decision, KeyPattern, LargeRow, Plan, PlannedList, PlannedRestore,
    RestoreTier, Restoring, Selection, SkippedRow, Thaw,
};
pub use restoration::Restoration;
use serde::{Deserialize, Serialize};
pub use snapshot::{Difference, Finding, SnapshotCheck, SnapshotNext};
pub use tables::{Repair, TableLine, Tables, VerdictCounts};

/// A pointer to one object version in S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectPointer {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: String,
    /// The entity tag without quotes.
    pub etag: String,
    /// The version, where the bucket is versioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
}

/// `$.run.slice_files` where nothing is said.
pub const SLICE_FILES: u32 = 512;

/// `$.run`: the input of the execution, what the schedule or the operator asks for. In a restore, whose `restore` says so, the
/// source is the snapshot bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The source bucket's name.
    pub source: String,
    /// The account that owns the source bucket, 12 digits.
    pub source_account: String,
    /// Where the source bucket's inventories arrive. A restore has none.
    #[serde(default, skip_serializing_if = "InventoryLocation::is_none")]
    pub inventory: InventoryLocation,
    /// The day that the snapshot stands for. Without it: the scheduled day in `time_zone` less `settle_days`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_date: Option<Date>,
    /// When the schedule meant the run to start (`<aws.scheduler.scheduled-time>`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_time: Option<Timestamp>,
    /// The IANA zone whose midnights bound the backup date.
    #[serde(default = "defaults::time_zone")]
    pub time_zone: String,
    /// Days that Inventory is given to become consistent.
    #[serde(default = "defaults::settle_days")]
    pub settle_days: u8,
    /// How long the manifest is waited for, in hours.
    #[serde(default = "defaults::manifest_limit_hours")]
    pub manifest_limit_hours: u16,
    /// How a copy job may stand still before the run fails, in hours.
    #[serde(default = "defaults::stall_limit_hours")]
    pub stall_limit_hours: u16,
    /// The copy job's priority among the account's jobs; higher goes first.
    #[serde(default = "defaults::priority")]
    pub priority: i32,
    /// How often rows that failed in passing are copied again without anybody's doing, 0 to 10. A redrive starts afresh.
    #[serde(default = "defaults::retries")]
    pub retries: u8,
    /// How many data files of an inventory are read by one worker. One that has more is read in slices, side by side.
    #[serde(default = "defaults::slice_files", skip_serializing_if = "defaults::is_slice_files")]
    pub slice_files: u32,
    /// Which objects are backed up; all without it.
    #[serde(default, skip_serializing_if = "Selection::is_everything")]
    pub selection: Selection,
    /// What is done about objects in an archive class or tier.
    #[serde(default, skip_serializing_if = "ArchivedPolicy::is_fail")]
    pub archived: ArchivedPolicy,
    /// How the snapshot bucket is made.
    #[serde(default)]
    pub snapshot: SnapshotSettings,
    /// What is brought back, and where to; absent in a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<Restoration>,
}

impl Run {
    /// What its jobs are named by: the source, and for a restore the place of its records, so that no two have the same names.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.restore {
            None => self.source.clone(),
            Some(restore) => format!("restores/{}/{}", restore.of, restore.id),
        }
    }

    /// What it does, in an operator's words: `backup of lake-events`.
    #[must_use]
    pub fn work(&self) -> String {
        match &self.restore {
            None => format!("backup of {}", self.source),
            Some(restore) => format!("restore {} of {}", restore.id, restore.of),
        }
    }

    /// What the keys of copies get in front, without a slash at the end; empty in a backup.
    #[must_use]
    pub fn target_prefix(&self) -> &str {
        self.restore.as_ref().map_or("", |restore| restore.prefix.as_str())
    }
}

/// Where inventories of the source arrive: `<prefix>/<source>/<id>/…` in `bucket`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InventoryLocation {
    /// The manifest bucket.
    pub bucket: String,
    /// The destination prefix of the inventory configuration; empty for none.
    #[serde(default)]
    pub prefix: String,
    /// The inventory configuration's id.
    pub id: String,
}

impl InventoryLocation {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Settings of the snapshot bucket and of the copies in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotSettings {
    /// Default retention by Object Lock; none without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<ObjectLock>,
    /// The KMS key of the bucket's default encryption; SSE-S3 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// The storage class of the copies; STANDARD without it. Copies in GLACIER and `DEEP_ARCHIVE` cannot be read before they
    /// are restored, which takes hours: neither a restore of the backup nor a check that reads tables in it can do without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Further tags of the bucket.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Default retention of the snapshot bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectLock {
    /// Who may shorten it: `GOVERNANCE` a principal with the bypass permission, `COMPLIANCE` nobody.
    pub mode: ObjectLockMode,
    /// Days from the copy.
    pub days: u16,
}

/// The Object Lock modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ObjectLockMode {
    /// May be bypassed with `s3:BypassGovernanceRetention`.
    Governance,
    /// May not be bypassed.
    Compliance,
}

/// `$.manifest`, by manifest-ready: the inventory that the run copies, pinned and counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The day that the snapshot stands for.
    pub backup_date: Date,
    /// The inventory's `manifest.json`, pinned by ETag and version.
    #[serde(flatten)]
    pub pointer: ObjectPointer,
    /// When the inventory's scan began.
    pub scan_started: Timestamp,
    /// The columns, as the manifest names them.
    pub schema: Vec<String>,
    /// Data files.
    pub files: u64,
    /// Its rows: one for each object that the source had.
    pub objects: u64,
    /// Their bytes; absent where the inventory has no Size column.
    pub bytes: Option<u64>,
    /// Objects above the limit of a batch copy; absent where the inventory has no Size column.
    pub too_large: Option<u64>,
    /// Objects in an archive class or tier; absent where the inventory has no StorageClass column.
    pub archived: Option<u64>,
    /// The keys of all rows. Absent in what earlier releases have written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeySum>,
    /// What is done with each object; absent when one copy job is given the inventory as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

/// `$.bucket`, by bucket-provision: the snapshot bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// `<source>-<dd-mmm-yyyy>`.
    pub name: String,
    /// The account that owns it.
    pub account: String,
    /// The Region it is in.
    pub region: String,
}

/// The rows that a copy job works through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobManifest {
    /// The kind of manifest; it decides how keys are encoded in it and in the report.
    pub kind: JobManifestKind,
    /// The manifest object.
    #[serde(flatten)]
    pub pointer: ObjectPointer,
    /// Rows in it.
    pub rows: u64,
    /// Their keys, which those of the report are compared with; absent where nobody has summed them up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeySum>,
}

/// The kinds of manifest that Batch Operations takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobManifestKind {
    /// The inventory's own `manifest.json` (`S3InventoryReport_CSV_20161130`); keys are form-encoded.
    Inventory,
    /// A CSV of our own with Bucket and Key (`S3BatchOperations_CSV_20180820`); keys are percent-encoded.
    Csv,
    /// A CSV of our own with Bucket, Key and VersionId; keys are percent-encoded.
    CsvVersions,
}

/// `$.job`, by job-submit: the copy job of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// 1 for the first job of the run; a deliberate repetition counts up.
    pub attempt: u32,
    /// The job; absent when there is nothing to copy and so no job was made.
    pub id: Option<String>,
    /// What it copies.
    pub manifest: JobManifest,
    /// The report's location: `s3://<report_bucket>/<report_prefix>/job-<id>/`.
    pub report_bucket: String,
    /// See `report_bucket`; no slash at the end.
    pub report_prefix: String,
}

/// What the state machine does after JobPoll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyNext {
    /// Read the completion report.
    Report,
    /// Make the job again, with the same manifest, as attempt `next_attempt`.
    Resubmit,
}

/// `$.copy`, by job-poll: how the copy job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// The attempt that was watched.
    pub attempt: u32,
    /// The job that was watched.
    pub job_id: String,
    /// Its terminal status.
    pub status: String,
    /// Tasks in all, as the job counts them.
    pub tasks: u64,
    /// Tasks that succeeded, as the job counts them.
    pub succeeded: u64,
    /// Tasks that failed, as the job counts them.
    pub failed: u64,
    /// What comes next.
    pub next: CopyNext,
    /// The attempt to submit when `next` is `resubmit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<u32>,
}

/// Why an object was not copied: a row of a completion report, or an object of large-copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The object was gone when its turn came, and a HEAD has confirmed that it is.
    Vanished,
    /// Above the limit of a batch copy.
    TooLarge,
    /// In an archive class or tier.
    Archived,
    /// A policy refused the copy, or the HEAD that should have told whether the object is gone.
    Denied,
    /// A KMS key refused it.
    Key,
    /// Throttling, internal errors, time-outs, or said to be gone and there all the same: a further attempt may succeed.
    Throttled,
    /// Changed since the constraint date, or again and again while it was copied.
    Changed,
    /// Encrypted with a key of the customer's own (SSE-C), which nobody but its owner can read.
    Unsupported,
    /// Anything else.
    Other,
}

impl FailureClass {
    /// The class in an operator's words; the same as in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vanished => "vanished",
            Self::TooLarge => "too_large",
            Self::Archived => "archived",
            Self::Denied => "denied",
            Self::Key => "key",
            Self::Throttled => "throttled",
            Self::Changed => "changed",
            Self::Unsupported => "unsupported",
            Self::Other => "other",
        }
    }
}

/// What the state machine does after ReportParse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportNext {
    /// Every object is accounted for; go on.
    Done,
    /// Wait for `wait_seconds`, then submit `retry_manifest` as attempt `next_attempt`.
    RetryLater,
    /// Submit `retry_manifest` as attempt `next_attempt` at once: somebody has redriven the execution.
    Retry,
}

/// `$.report`, by report-parse: every row accounted for.
///
/// Over all attempts so far, and after each of them: `copied_in_all` + `vanished_in_all` + the rows in `outstanding` + the rows
/// that are retried next = the objects that copy jobs were given: those of the inventory, or what the plan has for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The attempt whose report was read.
    pub attempt: u32,
    /// Rows of that report.
    pub rows: u64,
    /// Rows of that report that succeeded.
    pub succeeded: u64,
    /// Rows of that report that failed.
    pub failed: u64,
    /// The failed rows of that report by class; classes without rows are absent.
    pub failed_by_class: BTreeMap<FailureClass, u64>,
    /// Objects of the run copied over all its attempts so far.
    pub copied_in_all: u64,
    /// Objects of the run that are gone from its source, over all its attempts so far.
    #[serde(default)]
    pub vanished_in_all: u64,
    /// Those in full, as JSON lines; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vanished_list: Option<ObjectPointer>,
    /// Rows of all attempts so far that are neither copied nor vanished nor retried by themselves, by class.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outstanding: BTreeMap<FailureClass, u64>,
    /// Those in full, as JSON lines; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_list: Option<ObjectPointer>,
    /// Which retry this attempt was: 0 for the first attempt, and for that of a redrive.
    #[serde(default)]
    pub retries: u8,
    /// What comes next.
    pub next: ReportNext,
    /// How long to wait before that when `next` is `retry_later`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u64>,
    /// The attempt to submit when `next` is `retry_later` or `retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<u32>,
    /// The rows to submit then: those that failed in passing for `retry_later`, all outstanding ones for `retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_manifest: Option<JobManifest>,
}

impl Report {
    /// The number of outstanding rows.
    #[must_use]
    pub fn outstanding_rows(&self) -> u64 {
        self.outstanding.values().sum()
    }
}

mod defaults {
    pub(super) fn time_zone() -> String {
        "UTC".to_owned()
    }
    pub(super) fn settle_days() -> u8 {
        2
    }
    pub(super) fn manifest_limit_hours() -> u16 {
        48
    }
    pub(super) fn stall_limit_hours() -> u16 {
        6
    }
    pub(super) fn retries() -> u8 {
        3
    }
    pub(super) fn priority() -> i32 {
        10
    }
    pub(super) fn slice_files() -> u32 {
        super::SLICE_FILES
    }
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn is_slice_files(files: &u32) -> bool {
        *files == slice_files()
    }
}
