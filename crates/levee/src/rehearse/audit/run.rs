//! The audit of one run.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aws_sdk_sfn::types::ExecutionStatus;
use jiff::civil::Date;
use levee_formats::{
    KeyCodec,
    inventory::{self, DataReader},
    report::{self, ResultReader, TaskStatus},
};
use levee_ledger::{
    dates, names,
    state::{Job, JobManifestKind, Manifest, Run},
};
use levee_stage::Aws;
use serde_json::Value;

use crate::{deploy::Accounts, rehearse::history::History};

/// The longest that a run may take from its start or its last redrive to its end, in hours: the limits of its waits for the
/// inventory (48), and for each of at most four attempts the wait before it (1 or less), for a job that stands still (6, anew
/// with any progress) and for the report (1), and the jobs themselves.
const LONGEST_HOURS: i64 = 120;
/// Keys that a violation names.
const NAMED: usize = 3;

/// One execution as Step Functions describes it.
pub(super) struct Seen {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) error: String,
    pub(super) cause: String,
    pub(super) redrives: i32,
    pub(super) source: String,
    pub(super) backup_date: Date,
    pub(super) snapshot: String,
    settle_days: u8,
    time_zone: String,
    /// When the execution was started, in seconds since 1970.
    started: i64,
    /// When it was started or last redriven.
    began: i64,
    ended: Option<i64>,
    output: Value,
}

impl Seen {
    pub(super) async fn describe(aws: &Aws, arn: &str) -> Result<Self> {
        let seen = aws.sfn.describe_execution().execution_arn(arn).send().await.context("cannot look at a run")?;
        let input: Value = serde_json::from_str(seen.input().unwrap_or_default()).context("a run has no input")?;
        let run: Run = serde_json::from_value(input.get("run").cloned().unwrap_or_default())
            .with_context(|| format!("the input of {arn} is not a run"))?;
        let backup_date = dates::backup_date(&run)?;
        let output = seen.output().map(serde_json::from_str).transpose()?.unwrap_or(Value::Null);
        Ok(Self {
            arn: arn.to_owned(),
            name: seen.name().unwrap_or_default().to_owned(),
            status: seen.status().as_str().to_owned(),
            error: seen.error().unwrap_or("no error").to_owned(),
            cause: seen.cause().unwrap_or_default().to_owned(),
            redrives: seen.redrive_count().unwrap_or(0),
            snapshot: names::snapshot_bucket(&run.source, backup_date)?,
            source: run.source,
            backup_date,
            settle_days: run.settle_days,
            time_zone: run.time_zone,
            started: seen.start_date().secs(),
            began: seen.redrive_date().unwrap_or(seen.start_date()).secs(),
            ended: seen.stop_date().map(aws_sdk_sfn::primitives::DateTime::secs),
            output,
        })
    }

    pub(super) fn succeeded(&self) -> bool {
        self.status == ExecutionStatus::Succeeded.as_str()
    }

    fn record_prefix(&self) -> String {
        format!("runs/{}/{}/{}/", self.source, self.backup_date, self.name)
    }
}

/// What the audit of one run looks at.
pub(super) struct RunAudit<'a> {
    pub(super) accounts: &'a Accounts,
    pub(super) ledger: &'a BTreeMap<String, Vec<u8>>,
    pub(super) source: &'a History,
    pub(super) snapshots: &'a BTreeMap<String, History>,
    pub(super) run: &'a Seen,
}

impl RunAudit<'_> {
    /// What is wrong with the run.
    pub(super) async fn violations(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        found.extend(self.endless());
        found.extend(self.missing("reported as copied", &self.reported_copies().await?));
        if self.run.succeeded() {
            found.extend(self.unearned().await?);
        }
        Ok(found)
    }

    fn endless(&self) -> Option<String> {
        let Some(ended) = self.run.ended else {
            return Some(format!("{} never ended", self.run.name));
        };
        let hours = (ended - self.run.began) / 3600;
        (hours > LONGEST_HOURS).then(|| format!("{} took {hours} hours", self.run.name))
    }

    /// The keys that the snapshot bucket does not have.
    fn missing(&self, what: &str, keys: &BTreeSet<String>) -> Option<String> {
        let snapshot = self.snapshots.get(&self.run.snapshot);
        let absent = |key: &&String| !snapshot.is_some_and(|snapshot| snapshot.has(key));
        let missing: Vec<_> = keys.iter().filter(absent).collect();
        let first: Vec<_> = missing.iter().take(NAMED).collect();
        (!missing.is_empty()).then(|| {
            format!("{}: {} objects {what} are not in {}: {first:?}", self.run.name, missing.len(), self.run.snapshot)
        })
    }

    /// What a run that succeeded has no right to: another inventory, objects that are not there.
    async fn unearned(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let pinned: Manifest = serde_json::from_value(self.run.output.get("manifest").cloned().unwrap_or_default())
            .with_context(|| format!("{} succeeded without a manifest", self.run.name))?;
        let threshold = dates::threshold(self.run.backup_date, self.run.settle_days, &self.run.time_zone)?;
        if pinned.scan_started < threshold {
            found.push(format!("{} took an inventory from before {threshold}", self.run.name));
        }
        let listed = self.listed(&pinned).await?;
        if u64::try_from(listed.len()).ok() != Some(pinned.objects) {
            found.push(format!(
                "{} counted {} objects, the inventory has {}",
                self.run.name,
                pinned.objects,
                listed.len()
            ));
        }
        let vanished = self.vanished()?;
        found.extend(unexplained(self.run, self.source, &vanished, &listed));
        found.extend(self.missing("of the inventory", &listed.difference(&vanished).cloned().collect()));
        Ok(found)
    }

    /// The keys that a run which succeeded calls vanished.
    pub(super) fn vanished(&self) -> Result<BTreeSet<String>> {
        let Some(list) = self.run.output.pointer("/report/vanished_list/key").and_then(Value::as_str) else {
            return Ok(BTreeSet::new());
        };
        let bytes = self.ledger.get(list).with_context(|| format!("{list} is not in the ledger"))?;
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let key = |line: &[u8]| -> Result<String> {
            let row: Value = serde_json::from_slice(line).with_context(|| format!("a row of {list} is no JSON"))?;
            Ok(row.get("key").and_then(Value::as_str).context("a row has no key")?.to_owned())
        };
        lines.map(key).collect()
    }

    /// The keys of the inventory that the run has pinned, read anew.
    async fn listed(&self, pinned: &Manifest) -> Result<BTreeSet<String>> {
        let place = &pinned.pointer;
        let bytes = self.get(&place.bucket, &place.key, place.version_id.as_deref()).await?;
        let bytes = bytes.with_context(|| format!("the pinned {} is gone", place.key))?;
        let manifest = inventory::Manifest::parse(&bytes)?;
        let mut keys = BTreeSet::new();
        for file in &manifest.files {
            let bytes = self.get(&place.bucket, &file.key, None).await?;
            let bytes = bytes.with_context(|| format!("the data file {} is gone", file.key))?;
            let mut reader = DataReader::new(&file.key, &manifest.schema, &manifest.source_bucket)?;
            let mut bad = 0_u64;
            let mut sink = |row: Result<inventory::Row<'_>, inventory::RowError<'_>>| match row {
                Ok(row) => {
                    keys.insert(row.key.into_owned());
                }
                Err(_) => bad += 1,
            };
            reader.push(&bytes, &mut sink)?;
            reader.finish(&mut sink)?;
            anyhow::ensure!(bad == 0, "{bad} rows of {} cannot be read", file.key);
        }
        Ok(keys)
    }

    /// The keys that the completion reports of the run's jobs call succeeded, as far as these reports can be read.
    async fn reported_copies(&self) -> Result<BTreeSet<String>> {
        let mut keys = BTreeSet::new();
        for job in self.jobs()? {
            let Some(id) = &job.id else { continue };
            let folder = format!("{}/job-{id}/manifest.json", job.report_prefix);
            let Some(bytes) = self.get(&job.report_bucket, &folder, None).await? else { continue };
            let Ok(manifest) = report::Manifest::parse(&bytes) else { continue };
            let codec = match job.manifest.kind {
                JobManifestKind::Inventory => KeyCodec::Form,
                JobManifestKind::Csv | JobManifestKind::CsvVersions => KeyCodec::Percent,
            };
            for file in &manifest.results {
                let Some(bytes) = self.get(&job.report_bucket, &file.key, None).await? else { continue };
                let mut reader = ResultReader::of(file, codec);
                let mut sink = |row: Result<report::Row<'_>, report::RowError<'_>>| {
                    if let Ok(row) = row
                        && row.status == TaskStatus::Succeeded
                    {
                        keys.insert(row.key.into_owned());
                    }
                };
                reader.push(&bytes, &mut sink)?;
                reader.finish(&mut sink)?;
            }
        }
        Ok(keys)
    }

    /// The jobs that the ledger says the run has made.
    fn jobs(&self) -> Result<Vec<Job>> {
        let prefix = format!("{}03-job-submit-attempt-", self.run.record_prefix());
        let records = self.ledger.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        records.map(|(key, bytes)| serde_json::from_slice(bytes).with_context(|| format!("{key} is no job"))).collect()
    }

    async fn get(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Option<Vec<u8>>> {
        let s3 = &self.accounts.backup.s3;
        let get = s3.get_object().bucket(bucket).key(key).set_version_id(version.map(str::to_owned));
        match get.send().await {
            Ok(found) => Ok(Some(found.body.collect().await?.to_vec())),
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {key} of {bucket}")),
        }
    }
}

/// What is wrong with the vanished objects of a run that succeeded: one that was there all the time, one that the inventory does
/// not have, numbers that do not add up.
fn unexplained(run: &Seen, source: &History, vanished: &BTreeSet<String>, listed: &BTreeSet<String>) -> Vec<String> {
    let name = &run.name;
    let (from, until) = (run.started.saturating_mul(1000), run.ended.unwrap_or(i64::MAX).saturating_mul(1000));
    let there = vanished.iter().filter(|key| !source.was_absent(key, from, until));
    let mut found: Vec<_> =
        there.map(|key| format!("{name} calls {key:?} vanished, which was in {} all the time", run.source)).collect();
    let strange = vanished.difference(listed);
    found.extend(strange.map(|key| format!("{name} calls {key:?} vanished, which its inventory does not have")));
    let count = |member: &str| run.output.pointer(&format!("/report/{member}")).and_then(Value::as_u64);
    // A run without objects has no job, and so no report.
    let (copied, counted) = (count("copied_in_all").unwrap_or(0), count("vanished_in_all").unwrap_or(0));
    let (gone, all) = (vanished.len(), listed.len());
    let adds_up = u64::try_from(all).ok() == copied.checked_add(counted);
    if u64::try_from(gone).ok() != Some(counted) || !adds_up {
        found.push(format!(
            "{name} counts {copied} copied and {counted} vanished of {all} objects, and lists {gone} as vanished"
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::rehearse::history::Version;

    /// A run from second 100 to 200 whose source had `a` all the time, and `b` until second 150.
    fn found(vanished: &[&str], listed: &[&str], copied: u64, counted: u64) -> Vec<String> {
        let run = Seen {
            arn: "arn".into(),
            name: "night".into(),
            status: "SUCCEEDED".into(),
            error: String::new(),
            cause: String::new(),
            redrives: 0,
            source: "lake".into(),
            backup_date: "2026-03-31".parse().unwrap(),
            snapshot: "lake-31-mar-2026".into(),
            settle_days: 2,
            time_zone: "UTC".into(),
            started: 100,
            began: 100,
            ended: Some(200),
            output: json!({ "report": { "copied_in_all": copied, "vanished_in_all": counted } }),
        };
        let version = |written, there: bool| Version { id: None, written, sha256: there.then_some([0; 32]) };
        let keys = [
            ("a".to_owned(), vec![version(10_000, true)]),
            ("b".to_owned(), vec![version(10_000, true), version(150_000, false)]),
        ];
        let set = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        unexplained(&run, &History { keys: keys.into() }, &set(vanished), &set(listed))
    }

    #[test]
    fn object_that_was_gone_while_the_run_went_on_is_explained() {
        assert_eq!(found(&["b"], &["a", "b"], 1, 1), Vec::<String>::new());
    }

    #[rstest]
    #[case::there_all_the_time(&["a"], &["a", "b"], 1, 1, "\"a\" vanished, which was in lake all the time")]
    #[case::not_in_the_inventory(&["b"], &["a"], 0, 1, "\"b\" vanished, which its inventory does not have")]
    #[case::more_counted_than_listed(&["b"], &["a", "b"], 0, 2, "lists 1 as vanished")]
    #[case::copied_one_too_many(&["b"], &["a", "b"], 2, 1, "2 copied and 1 vanished of 2 objects")]
    fn object_that_is_called_vanished_and_was_never_gone_is_found(
        #[case] vanished: &[&str],
        #[case] listed: &[&str],
        #[case] copied: u64,
        #[case] counted: u64,
        #[case] told: &str,
    ) {
        let found = found(vanished, listed, copied, counted);
        assert!(found.len() == 1 && found[0].contains(told), "{found:?}");
    }
}
