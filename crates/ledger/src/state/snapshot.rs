//! What the last look at a snapshot bucket found.

use serde::{Deserialize, Serialize};

use super::ObjectPointer;

/// `$.snapshot`, by snapshot-check: the snapshot bucket has every object that was to be copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotCheck {
    /// Objects in the bucket.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that were planned and had not vanished from the source: each of them is in the bucket.
    pub planned: u64,
    /// Those of them that have another size than the inventory says: they were overwritten between inventory and copy.
    pub changed: u64,
    /// Objects in the bucket that were not planned, such as the copies of an earlier execution for the same date.
    pub unexpected: u64,
    /// Whether sizes were compared, too: the inventory has them, and no more objects had changed than can be told apart.
    pub sizes_compared: bool,
    /// The changed and the unexpected ones, as lines of [`Finding`]; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<ObjectPointer>,
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
