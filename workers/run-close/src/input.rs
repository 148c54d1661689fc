//! The part of the state that the stage reads.

use levee_ledger::state::{Bucket, Decision, Job, LargeCopied, Manifest, Report, Run, SnapshotCheck, Tables};
use serde::Deserialize;

/// The part of the state that the stage reads.
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
