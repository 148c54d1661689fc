//! What the last look at a snapshot bucket found.

use serde::{Deserialize, Serialize};

use super::{JobManifest, ObjectPointer};

/// What the state machine does after SnapshotCheck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotNext {
    /// Every object is there; go on.
    Done,
    /// Submit `retry_manifest` as attempt `next_attempt`: somebody has redriven the execution after objects were missing.
    Retry,
}

/// `$.snapshot`, by snapshot-check: whether the snapshot bucket has every object that was to be copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotCheck {
    /// The last attempt before the look.
    pub attempt: u32,
    /// Objects in the bucket.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that were planned and had not vanished from the source: each of them is in the bucket, but for the missing.
    pub planned: u64,
    /// Those of them that are not in the bucket. None when `next` is `done`.
    pub missing: u64,
    /// Those of them that have another size than the inventory says: they were overwritten between inventory and copy.
    pub changed: u64,
    /// Objects in the bucket that were not planned, such as the copies of an earlier execution for the same date.
    pub unexpected: u64,
    /// Whether sizes were compared, too: the inventory has them, and no more objects had changed than can be told apart.
    pub sizes_compared: bool,
    /// The missing, the changed and the unexpected ones, as lines of [`Finding`]; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<ObjectPointer>,
    /// What comes next.
    pub next: SnapshotNext,
    /// The attempt to submit when `next` is `retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<u32>,
    /// The rows to submit then: the missing ones, but for those that are too large for a copy job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_manifest: Option<JobManifest>,
}

/// How the snapshot bucket differs from the plan at one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The key, decoded.
    pub key: String,
    /// The difference.
    pub finding: Difference,
    /// Bytes as the inventory has them; absent where it has none, or not the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_bytes: Option<u64>,
    /// Bytes in the snapshot bucket; absent where the object is missing there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// The ways in which a snapshot bucket can differ from the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// Planned and reported as copied, but not in the bucket.
    Missing,
    /// In the bucket with another size.
    Changed,
    /// In the bucket, but not planned.
    Unexpected,
}
