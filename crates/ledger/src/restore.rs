//! Restores: the plan, a file that says what is to be put back, from where and to where, before anything is done; and the
//! receipt of what was done.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use levee_delta_log::{Described, RestoreSummary};
use levee_stage::StageError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    canonical_json,
    drill::Spread,
    receipt::{JobFacts, StageFacts},
    restore_prefix,
    state::{Bucket, ObjectPointer, Tables},
};

/// The version of the form of plans that this release writes.
pub const RESTORE_PLAN_VERSION: u32 = 1;
/// The version of the form of the receipts of restores that this release writes.
pub const RESTORE_RECEIPT_VERSION: u32 = 1;
/// Digits of a plan's digest that its restores are named by.
const ID_DIGITS: usize = 12;

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
    /// The ledger that knows the snapshots.
    pub ledger_bucket: String,
    /// The state machine that carries it out.
    pub state_machine_arn: String,
    /// The bucket that is restored into.
    pub target: Bucket,
    /// The prefix of it that is restored below, without a slash at the end; empty for the whole bucket.
    pub target_prefix: String,
    /// Whether objects that are in the way may be replaced.
    pub overwrite: bool,
    /// What it takes, as far as that is known.
    #[serde(default)]
    pub outlook: Outlook,
    /// The tables, by path.
    pub tables: Vec<TableToRestore>,
    /// Prefixes and single objects, whatever is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<PrefixToRestore>,
}

/// Objects below a prefix of a snapshot, as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixToRestore {
    /// What their keys begin with; empty for the whole bucket. The whole key of a single object.
    pub prefix: String,
    /// Whether it is one object.
    pub single: bool,
    /// The run whose snapshot has them.
    pub run: SnapshotRun,
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub object_bytes: u64,
    /// Of them, those that are too large for a batch copy.
    pub large_objects: u64,
    /// Of them, those that are archived in the snapshot and are thawed first.
    pub archived_objects: u64,
    /// SHA-256 in hexadecimal over a line `<size> <key>` for each of them, in the order of keys.
    pub objects_sha256: String,
}

/// What a restore takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// Requests that are billed: copies, and restores of archived copies.
    pub requests: u64,
    /// What all of it costs, in millionths of `currency`; an estimate.
    pub cost_millionths: u64,
    /// The currency of the price table.
    pub currency: String,
    /// The day of the price table, and its Region.
    pub prices_of: String,
    /// How long the execution takes, by the last drills of the source, without the thawing of archived copies; absent without drills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Spread>,
}

/// A table at a version, in a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableToRestore {
    /// Its root in the source and in the snapshot, without a slash at the end.
    pub path: String,
    /// Its root in the target bucket, without a slash at the end.
    pub target: String,
    /// What is done with it.
    pub how: How,
    /// The version that is whole afterwards.
    pub version: u64,
    /// When that was committed, in milliseconds since 1970, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<i64>,
    /// The run whose snapshot has what is copied.
    pub run: SnapshotRun,
    /// Live data files of the version.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows, where every file has statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Everything that is copied: of data, deletion vectors, the checkpoint, and commits up to the version, what the target lacks.
    pub objects: u64,
    /// Their bytes.
    pub object_bytes: u64,
    /// Of them, those that are too large for a batch copy.
    pub large_objects: u64,
    /// Of them, those that are archived in the snapshot and are thawed first.
    pub archived_objects: u64,
    /// What the version needs and the target has; it is not touched.
    pub present_objects: u64,
    /// SHA-256 in hexadecimal over a line `<size> <path>` for each of what is copied, by path: another set of objects is another plan.
    pub objects_sha256: String,
    /// Schema, partitioning and properties at the version; absent where its metadata cannot be read, which readers may not mind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub described: Option<Described>,
}

/// What is done with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is put where nothing is, or where what is there is replaced.
    New,
    /// In its own place, what its newest version lacks is put back, and nothing else is changed.
    PutBack,
    /// In its own place, what the version lacks is put back; then a new commit gives the table the state of the version.
    RollBack {
        /// The newest version when the plan was made. A table that has moved on is not rolled back.
        from: u64,
    },
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
    /// The storage class of its copies, as the run has made them.
    pub storage_class: String,
}

/// What one execution does of a plan: all tables of one snapshot bucket, because a copy job copies from one bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoreExecution<'a> {
    /// `<12 hex digits of the plan's digest>-<yyyy-mm-dd>`.
    pub id: String,
    /// The snapshot.
    pub run: &'a SnapshotRun,
    /// Its tables.
    pub tables: Vec<&'a TableToRestore>,
    /// Its prefixes.
    pub prefixes: Vec<&'a PrefixToRestore>,
}

/// What an execution copies, in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of them, those that are too large for a batch copy.
    pub large: u64,
    /// Of them, those that are archived.
    pub archived: u64,
}

impl Copied {
    const fn add(&mut self, [objects, bytes, large, archived]: [u64; 4]) {
        self.objects = self.objects.saturating_add(objects);
        self.bytes = self.bytes.saturating_add(bytes);
        self.large = self.large.saturating_add(large);
        self.archived = self.archived.saturating_add(archived);
    }
}

impl<'a> RestoreExecution<'a> {
    fn of(digest: &str, run: &'a SnapshotRun) -> Self {
        Self { id: format!("{digest}-{}", run.backup_date), run, tables: Vec::new(), prefixes: Vec::new() }
    }

    /// What it copies.
    #[must_use]
    pub fn copied(&self) -> Copied {
        let mut copied = Copied::default();
        for table in &self.tables {
            copied.add([table.objects, table.object_bytes, table.large_objects, table.archived_objects]);
        }
        for prefix in &self.prefixes {
            copied.add([prefix.objects, prefix.object_bytes, prefix.large_objects, prefix.archived_objects]);
        }
        copied
    }
}

impl RestorePlan {
    /// SHA-256 of the plan's canonical JSON, in hexadecimal.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn digest(&self) -> Result<String, StageError> {
        let bytes = canonical_json(self).map_err(|error| {
            StageError::permanent(StageError::OUTPUT_INVALID, format!("the plan is no JSON: {error}"))
        })?;
        Ok(hex::encode(Sha256::digest(bytes)))
    }

    /// The executions that carry it out, by snapshot bucket.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn executions(&self) -> Result<Vec<RestoreExecution<'_>>, StageError> {
        let digest: String = self.digest()?.chars().take(ID_DIGITS).collect();
        let mut by_bucket: BTreeMap<&str, RestoreExecution<'_>> = BTreeMap::new();
        for table in &self.tables {
            by_bucket
                .entry(&table.run.bucket)
                .or_insert_with(|| RestoreExecution::of(&digest, &table.run))
                .tables
                .push(table);
        }
        for prefix in &self.prefixes {
            by_bucket
                .entry(&prefix.run.bucket)
                .or_insert_with(|| RestoreExecution::of(&digest, &prefix.run))
                .prefixes
                .push(prefix);
        }
        Ok(by_bucket.into_values().collect())
    }

    /// Where an execution finds the plan in the ledger.
    #[must_use]
    pub fn key(&self, id: &str) -> String {
        format!("{}plan.json", restore_prefix(&self.source, id))
    }
}

/// The state machine of restores beside the one whose execution this is: the two are named alike, `…-backup` and `…-restore`. None for
/// an execution of another one.
#[must_use]
pub fn state_machine_of(execution_arn: &str) -> Option<String> {
    let parts: Vec<&str> = execution_arn.split(':').collect();
    let [arn, partition, states, region, account, "execution", machine, _] = parts.as_slice() else { return None };
    let name = machine.strip_suffix("-backup")?;
    Some(format!("{arn}:{partition}:{states}:{region}:{account}:stateMachine:{name}-restore"))
}

/// A table that is restored: a line of the list of [`Tables`] of a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredTable {
    /// Its root in the snapshot.
    pub path: String,
    /// Its root in the target bucket.
    pub target: String,
    /// The version of the plan, which is whole there.
    pub version: u64,
    /// Live data files at the version, as counted at the target.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows, where every file has statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The newest version there: another one than `version` after a rollback, or where the table has moved on.
    pub latest_version: u64,
    /// Whether a reader that is pointed at it gets its newest version: always, but where a catalog decides which one that is.
    pub opens: bool,
    /// What the commit of a rollback did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<RestoreSummary>,
}

/// What closes a restore: `restores/<source>/<id>/<execution>/receipt.json`. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreReceipt {
    /// The form, [`RESTORE_RECEIPT_VERSION`].
    pub version: u32,
    /// `restore of lake-events from 31 Mar 2026: 1 of 1 table whole at its version, 412 objects`.
    pub headline: String,
    /// Which restore: see [`RestorePlan::executions`].
    pub id: String,
    /// The source bucket that the snapshot is of.
    pub source: String,
    /// The day of the snapshot.
    pub backup_date: Date,
    /// The snapshot bucket.
    pub snapshot_bucket: String,
    /// The execution's ARN.
    pub execution_arn: String,
    /// When it started.
    pub started: Timestamp,
    /// When the receipt was written.
    pub closed: Timestamp,
    /// How often somebody has redriven it.
    pub redrives: u32,
    /// The plan that was carried out.
    pub plan: ObjectPointer,
    /// The bucket that was restored into.
    pub target: Bucket,
    /// The prefix that was restored below.
    pub target_prefix: String,
    /// Objects that were copied: as many as the plan has.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The tables, each of them whole at its version; a line of [`RestoredTable`] for each in the list.
    pub tables: Tables,
    /// SHA-256 of the list; absent where no table was restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_sha256: Option<String>,
    /// The copy jobs, by attempt.
    pub jobs: Vec<JobFacts>,
    /// The stages, in the order in which they ended.
    pub stages: Vec<StageFacts>,
    /// The version of Levee that closed it.
    pub levee_version: String,
}

/// `$.receipt` of a restore, by run-close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreClosed {
    /// See [`RestoreReceipt::headline`].
    pub headline: String,
    /// The receipt.
    #[serde(flatten)]
    pub pointer: ObjectPointer,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::state_machine_of;

    #[rstest]
    #[case(
        "arn:aws:states:eu-west-1:222222222222:execution:levee-backup:lake-2026-03-31",
        Some("arn:aws:states:eu-west-1:222222222222:stateMachine:levee-restore")
    )]
    #[case(
        "arn:aws-cn:states:cn-north-1:222222222222:execution:a-b-backup:night",
        Some("arn:aws-cn:states:cn-north-1:222222222222:stateMachine:a-b-restore")
    )]
    #[case("arn:aws:states:eu-west-1:222222222222:execution:other:night", None)]
    #[case("night", None)]
    fn restores_have_the_state_machine_beside_that_of_the_nights(
        #[case] execution: &str,
        #[case] machine: Option<&str>,
    ) {
        assert_eq!(state_machine_of(execution).as_deref(), machine);
    }
}
