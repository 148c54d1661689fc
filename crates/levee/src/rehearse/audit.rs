//! Looks, after a month, for what must never be.

mod run;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aws_sdk_s3::types::BucketVersioningStatus;
use levee_twin::Twin;
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::run::{RunAudit, Seen};
use super::{
    history::History,
    operator::executions,
    outcome::{Failure, Outcome},
    settings::Month,
    witness::Witness,
};
use crate::deploy::{Accounts, Deployed, Plan};

/// The audit of one rehearsal.
///
/// It believes nothing that Levee says of itself: copies are compared with what the source bucket held at the moment of the
/// copy, counts are taken from the inventory and the completion reports themselves, and what was removed is told by the
/// twin's record of calls and by the buckets.
pub(super) struct Audit<'a> {
    twin: &'a Twin,
    accounts: &'a Accounts,
    plans: &'a [Plan],
    deployed: &'a Deployed,
    month: Month,
    outcome: Outcome,
}

impl<'a> Audit<'a> {
    pub(super) fn of(
        twin: &'a Twin,
        accounts: &'a Accounts,
        plans: &'a [Plan],
        deployed: &'a Deployed,
        month: Month,
    ) -> Self {
        Self { twin, accounts, plans, deployed, outcome: Outcome::empty(&month), month }
    }

    /// Does the audit.
    ///
    /// # Errors
    /// Something could not be read; what is wrong with what was read is in the outcome.
    pub(super) async fn outcome(mut self, witness: &Witness) -> Result<Outcome> {
        let runs = self.runs().await?;
        let ledger = self.ledger().await?;
        let mut sources = BTreeMap::new();
        for plan in self.plans {
            let history = History::read(&self.accounts.warehouse.s3, &plan.source).await?;
            sources.insert(plan.source.clone(), history.context("a source bucket is gone")?);
        }
        let snapshots = self.snapshots(&runs, &sources).await?;
        for run in &runs {
            self.count(run);
            let Some(source) = sources.get(&run.source) else { continue };
            let audit = RunAudit { accounts: self.accounts, ledger: &ledger, source, snapshots: &snapshots, run };
            self.outcome.violations.extend(audit.violations().await?);
            self.outcome.vanished += u64::try_from(audit.vanished()?.len()).unwrap_or(u64::MAX);
        }
        self.alarms(&runs);
        self.missing_runs(&runs);
        self.outcome.violations.extend(witness.removals().iter().cloned());
        self.outcome.calls = witness.calls();
        Ok(self.outcome)
    }

    async fn runs(&self) -> Result<Vec<Seen>> {
        let mut runs = Vec::new();
        for execution in executions(&self.accounts.backup, &self.deployed.state_machine_arn).await? {
            runs.push(Seen::describe(&self.accounts.backup, execution.execution_arn()).await?);
        }
        Ok(runs)
    }

    fn count(&mut self, run: &Seen) {
        self.outcome.runs += 1;
        match (run.succeeded(), run.redrives) {
            (true, 0) => self.outcome.succeeded_at_once += 1,
            (true, _) => self.outcome.succeeded_after_redrive += 1,
            (false, _) => {
                *self.outcome.failed.entry(run.error.clone()).or_default() += 1;
                let (execution, error, cause) = (run.name.clone(), run.error.clone(), run.cause.clone());
                self.outcome.failures.push(Failure { execution, error, cause });
            }
        }
    }

    /// The ledger's records; each must have been written once.
    async fn ledger(&mut self) -> Result<BTreeMap<String, Vec<u8>>> {
        let bucket = self.plans.first().map(|plan| plan.ledger_bucket.clone()).unwrap_or_default();
        let s3 = &self.accounts.backup.s3;
        let history = History::read(s3, &bucket).await?.context("the ledger bucket is gone")?;
        let mut records = BTreeMap::new();
        let mut digest = Sha256::new();
        for (key, versions) in &history.keys {
            if versions.len() != 1 {
                let times = versions.len();
                self.outcome.violations.push(format!("the ledger's {key} was written or removed {times} times"));
            }
            // The record as it was first written, whatever became of it.
            let version = versions.first().and_then(|version| version.id.as_deref());
            let got = s3.get_object().bucket(&bucket).key(key).set_version_id(version.map(str::to_owned)).send().await;
            let body = got.with_context(|| format!("cannot read {key} of the ledger"))?.body.collect().await?;
            let bytes = body.to_vec();
            for part in [key.as_bytes(), bytes.as_slice()] {
                digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                digest.update(part);
            }
            records.insert(key.clone(), bytes);
        }
        self.outcome.ledger_records = u64::try_from(records.len()).unwrap_or(u64::MAX);
        self.outcome.ledger_sha256 = hex::encode(digest.finalize());
        Ok(records)
    }

    /// The snapshot buckets of the runs. Every version in them must be what the source held when it was written, and
    /// nothing may hide or have taken away one.
    async fn snapshots(
        &mut self,
        runs: &[Seen],
        sources: &BTreeMap<String, History>,
    ) -> Result<BTreeMap<String, History>> {
        let s3 = &self.accounts.backup.s3;
        let names: BTreeSet<_> = runs.iter().map(|run| (run.snapshot.clone(), run.source.clone())).collect();
        let mut snapshots = BTreeMap::new();
        for (bucket, source) in names {
            let Some(history) = History::read(s3, &bucket).await? else { continue };
            let versioning = s3.get_bucket_versioning().bucket(&bucket).send().await?;
            if versioning.status() != Some(&BucketVersioningStatus::Enabled) {
                self.outcome.violations.push(format!("{bucket} is not versioned"));
            }
            for (key, versions) in &history.keys {
                for version in versions {
                    self.outcome.copies_compared += 1;
                    let known = sources.get(&source);
                    match &version.sha256 {
                        None => self.outcome.violations.push(format!("{key:?} was hidden in {bucket}")),
                        Some(bytes) if known.is_some_and(|known| known.held(key, bytes, version.written)) => {}
                        Some(_) => {
                            let what = format!("{key:?} in {bucket} is not what {source} held when it was copied");
                            self.outcome.violations.push(what);
                        }
                    }
                }
            }
            snapshots.insert(bucket, history);
        }
        Ok(snapshots)
    }

    /// Every run that did not succeed must have been told of on the event bus.
    fn alarms(&mut self, runs: &[Seen]) {
        let mut told = BTreeSet::new();
        for event in self.twin.events() {
            let text = |pointer: &str| event.event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let bad = matches!(text("/detail/status"), "FAILED" | "TIMED_OUT" | "ABORTED");
            if text("/source") == "aws.states" && bad {
                self.outcome.alarms += 1;
                told.insert(text("/detail/executionArn").to_owned());
            }
        }
        for run in runs.iter().filter(|run| !run.succeeded() && !told.contains(&run.arn)) {
            let what = format!("{} ended as {} without an alarm", run.name, run.status);
            self.outcome.violations.push(what);
        }
    }

    /// Every source must have a run for every backup date.
    fn missing_runs(&mut self, runs: &[Seen]) {
        let begun: BTreeSet<_> = runs.iter().map(|run| (run.source.as_str(), run.backup_date)).collect();
        let days = (0..i64::from(self.month.days)).map(|index| self.month.day(index));
        let wanted: BTreeSet<_> =
            days.flat_map(|day| self.plans.iter().map(move |plan| (plan.source.as_str(), day))).collect();
        for (source, day) in wanted.difference(&begun) {
            self.outcome.violations.push(format!("the run of {source} for {day} was never started"));
        }
        for (source, day) in begun.difference(&wanted) {
            self.outcome.violations.push(format!("a run of {source} for {day} was started that nobody asked for"));
        }
    }
}
