//! The receipt: the immutable record that closes a run.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::state::{Amount, Decision, FailureClass, ObjectPointer, Run, Tables};

/// The version of the receipt's form that this release writes.
pub const RECEIPT_VERSION: u32 = 1;

/// What closes a run. Its bytes are [`canonical_json`](crate::canonical_json), and its digest is the SHA-256 of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The form, [`RECEIPT_VERSION`].
    pub version: u32,
    /// The place in the source's chain: 1 for its first receipt.
    pub sequence: u64,
    /// SHA-256 of the receipt before it in the chain, in hexadecimal; absent in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_sha256: Option<String>,
    /// The run.
    pub run: RunFacts,
    /// What it comes to, in a line that a person reads first: `lake-events 31 Mar 2026: 412 of 412 tables whole, 1,204,331 objects, 3 vanished`.
    pub headline: String,
    /// Whether anything is to be looked at.
    pub outcome: Outcome,
    /// The inventory that was copied.
    pub inventory: InventoryFacts,
    /// The objects, by what became of them.
    pub objects: ObjectFacts,
    /// The copy jobs, by attempt.
    pub jobs: Vec<JobFacts>,
    /// The snapshot bucket.
    pub snapshot: SnapshotFacts,
    /// The verdicts.
    pub tables: TableFacts,
    /// The stages, in the order in which they ended.
    pub stages: Vec<StageFacts>,
    /// The settings of the run.
    pub settings: Run,
    /// The version of Levee that closed it.
    pub levee_version: String,
}

/// Whether anything of a closed run is to be looked at. A run that failed has no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every object is copied or gone from the source, and every table is whole.
    Complete,
    /// The run has ended, but objects were skipped or were not planned, or a table is not whole or was not checked: see the counts.
    Degraded,
}

/// Which run it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFacts {
    /// The source bucket.
    pub source: String,
    /// The account that owns it.
    pub source_account: String,
    /// The day that the snapshot stands for.
    pub backup_date: Date,
    /// The execution's ARN.
    pub execution_arn: String,
    /// The execution's name.
    pub execution_name: String,
    /// When the execution started.
    pub started: Timestamp,
    /// When the receipt was written.
    pub closed: Timestamp,
    /// How often somebody has redriven it.
    pub redrives: u32,
}

/// The inventory, pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryFacts {
    /// Its `manifest.json`.
    #[serde(flatten)]
    pub pointer: ObjectPointer,
    /// When its scan began.
    pub scan_started: Timestamp,
    /// Its rows.
    pub objects: u64,
    /// Their bytes; absent without a Size column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The plan's manifest for the first copy job and the plan's summary, with their ETags; empty when the inventory was handed over as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<ObjectPointer>,
    /// Objects and bytes by what the plan decides; empty without a plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub decisions: BTreeMap<Decision, Amount>,
}

/// The objects, by what became of them. Every object of the inventory is in exactly one of `copied`, `vanished`, `skipped` and
/// `excluded`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectFacts {
    /// Copied, by jobs and part by part.
    pub copied: u64,
    /// Of them, those that were copied part by part because they are too large for a job.
    pub copied_large: u64,
    /// Gone from the source when their turn came.
    pub vanished: u64,
    /// Not copied by policy, or because nobody else can read them.
    pub skipped: u64,
    /// Not selected by the settings of the run.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub excluded: u64,
    /// Rows of completion reports that failed, over all attempts, by class. They are copied or explained since.
    pub failed_rows: BTreeMap<FailureClass, u64>,
    /// Lists of the vanished and of the skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<ObjectPointer>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl ObjectFacts {
    /// Objects whose end is known: as many as the inventory has, or the receipt contradicts itself.
    #[must_use]
    pub const fn accounted(&self) -> u64 {
        self.copied.saturating_add(self.vanished).saturating_add(self.skipped).saturating_add(self.excluded)
    }
}

/// A copy job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFacts {
    /// The attempt, from 1.
    pub attempt: u32,
    /// The job's id.
    pub id: String,
    /// Its last status.
    pub status: String,
    /// Its tasks.
    pub tasks: u64,
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed.
    pub failed: u64,
    /// The manifest of its completion report, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ObjectPointer>,
}

/// The snapshot bucket, as it was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFacts {
    /// The bucket.
    pub bucket: String,
    /// Its account.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// Objects listed.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects of another size than the inventory has.
    pub changed: u64,
    /// Objects that were not planned.
    pub unexpected: u64,
    /// The list of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<ObjectPointer>,
}

/// The verdicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFacts {
    /// Counts, and the list.
    #[serde(flatten)]
    pub tables: Tables,
    /// SHA-256 of the list; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_sha256: Option<String>,
}

/// A stage that was passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageFacts {
    /// The state's name, `JobPoll`.
    pub state: String,
    /// When it was entered.
    pub entered: Timestamp,
    /// When it was left; absent for the stage that writes the receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Timestamp>,
}

/// `$.receipt`, by run-close: where the receipt is, and what it says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// See [`Receipt::headline`].
    pub headline: String,
    /// See [`Receipt::outcome`].
    pub outcome: Outcome,
    /// See [`Receipt::sequence`].
    pub sequence: u64,
    /// SHA-256 of the receipt's bytes, in hexadecimal.
    pub sha256: String,
    /// The receipt among the records of the run.
    #[serde(flatten)]
    pub pointer: ObjectPointer,
    /// The same bytes in the chain of the source.
    pub chained: ObjectPointer,
    /// The signature of the receipt; absent without a signing key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<ObjectPointer>,
    /// The page of the run; absent when none is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<ObjectPointer>,
}
