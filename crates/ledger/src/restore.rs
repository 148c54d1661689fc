//! The plan of a restore: a file that says what is to be put back, from where and to where, before anything is done.

use jiff::{Timestamp, civil::Date};
use levee_delta_log::Described;
use serde::{Deserialize, Serialize};

/// The version of the form of plans that this release writes.
pub const RESTORE_PLAN_VERSION: u32 = 1;

/// What is to be restored. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestorePlan {
    /// The form, [`RESTORE_PLAN_VERSION`].
    pub version: u32,
    /// When the plan was made.
    pub made: Timestamp,
    /// The version of Levee that made it.
    pub levee_version: String,
    /// The source bucket that the snapshots are of.
    pub source: String,
    /// The bucket that is restored into.
    pub target_bucket: String,
    /// The prefix of it that is restored below, without a slash at the end; empty for the whole bucket.
    pub target_prefix: String,
    /// Whether objects that are in the way may be replaced.
    pub overwrite: bool,
    /// The tables, by path.
    pub tables: Vec<TableToRestore>,
}

/// A table at a version, in a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableToRestore {
    /// Its root in the source and in the snapshot, without a slash at the end.
    pub path: String,
    /// Its root in the target bucket, without a slash at the end.
    pub target: String,
    /// The version.
    pub version: u64,
    /// When that was committed, in milliseconds since 1970, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<i64>,
    /// The run whose snapshot has it.
    pub run: SnapshotRun,
    /// Live data files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows, where every file has statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Everything that is copied: data, deletion vectors, the checkpoint, and commits up to the version.
    pub objects: u64,
    /// Their bytes.
    pub object_bytes: u64,
    /// Of them, those that are too large for a batch copy.
    pub large_objects: u64,
    /// SHA-256 in hexadecimal over a line `<size> <path>` for each of them, by path: another set of objects is another plan.
    pub objects_sha256: String,
    /// Schema, partitioning and properties at the version.
    pub described: Described,
}

/// The run that a table is restored from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRun {
    /// The day that its snapshot stands for.
    pub backup_date: Date,
    /// The execution's name.
    pub execution_name: String,
    /// SHA-256 of its receipt, in hexadecimal.
    pub receipt_sha256: String,
    /// The snapshot bucket.
    pub bucket: String,
    /// The account that owns it.
    pub account: String,
}
