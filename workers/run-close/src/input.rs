//! The part of the state that the stage reads.

use levee_ledger::{
    receipt::Closed,
    restore::RestoreClosed,
    state::{Bucket, Decision, Job, LargeCopied, Manifest, Report, Restoration, Run, SnapshotCheck, Tables},
};
use serde::{Deserialize, Serialize, de::Error};
use serde_json::Value;

/// The part of the state that the stage reads, of a backup or of a restore.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub enum Stated {
    /// A backup.
    Backup(Box<Input>),
    /// A restore.
    Restore(Box<RestoreInput>),
}

impl TryFrom<Value> for Stated {
    type Error = serde_json::Error;

    fn try_from(state: Value) -> Result<Self, serde_json::Error> {
        if state.pointer("/run/restore").is_none() {
            return serde_json::from_value(state).map(|input| Self::Backup(Box::new(input)));
        }
        serde_json::from_value(state).map(|input| Self::Restore(Box::new(input)))
    }
}

/// What the stage adds to the state.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Ended {
    /// Of a backup.
    Backup(Box<Closed>),
    /// Of a restore.
    Restore(RestoreClosed),
}

/// The part of the state of a restore that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct RestoreInput {
    /// What was asked for.
    pub run: Run,
    /// What the plan has come to.
    pub manifest: Manifest,
    /// The last attempt's job.
    pub job: Job,
    /// What the last report said; absent when no job was made.
    #[serde(default)]
    pub report: Option<Report>,
    /// What large-copy has done; absent when nothing was too large.
    #[serde(default)]
    pub large: Option<LargeCopied>,
    /// The restored tables.
    pub tables: Tables,
}

impl RestoreInput {
    /// What makes the run a restore.
    ///
    /// # Errors
    /// Nothing does.
    pub(crate) fn restore(&self) -> Result<&Restoration, serde_json::Error> {
        self.run.restore.as_ref().ok_or_else(|| serde_json::Error::custom("$.run.restore is null"))
    }
}

/// The part of the state of a backup that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// What was asked for.
    pub run: Run,
    /// The pinned inventory, and the plan.
    pub manifest: Manifest,
    /// The snapshot bucket.
    pub bucket: Bucket,
    /// The last attempt's job.
    pub job: Job,
    /// What the last report said; absent when no job was made.
    #[serde(default)]
    pub report: Option<Report>,
    /// What large-copy has done; absent when nothing was too large.
    #[serde(default)]
    pub large: Option<LargeCopied>,
    /// What the snapshot bucket has.
    pub snapshot: SnapshotCheck,
    /// What its tables are worth.
    pub tables: Tables,
}

impl Input {
    /// Objects with one of these decisions; none without a plan.
    pub(crate) fn decided(&self, decisions: &[Decision]) -> u64 {
        let Some(plan) = &self.manifest.plan else { return 0 };
        decisions.iter().filter_map(|decision| plan.decisions.get(decision)).map(|amount| amount.rows).sum()
    }
}
