//! What a night has copied, from the best witness that there is.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use levee_ledger::{
    Ledger,
    state::{FailureClass, Manifest, Report, ReportNext},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::deploy::{Accounts, Plan};

/// Who counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// The rows of the completion report, one by one.
    Report,
    /// The copy job itself. Without a report that adds up nothing proves it.
    Job,
}

/// What was copied and what was not; nothing where nobody has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) succeeded: Option<u64>,
    pub(super) failed: Option<u64>,
    pub(super) failed_by_class: BTreeMap<String, u64>,
    pub(super) vanished: Option<u64>,
    pub(super) counted_by: Option<CountedBy>,
}

impl Counts {
    /// The counts of a night that ended with `state`, over all its attempts: of the last report; where the run failed over that
    /// report's rows, of the record of that; where it did not come to a report, of its job.
    pub(super) async fn of(accounts: &Accounts, plan: &Plan, state: &Value, execution: &str) -> Result<Self> {
        let reports = [part::<Report>(state, "report")?, incomplete(accounts, plan, state, execution).await?];
        match reports.into_iter().flatten().max_by_key(|report| report.attempt) {
            Some(report) => Ok(Self::of_report(&report)),
            None => Self::of_job(accounts, plan, state).await,
        }
    }

    fn of_report(report: &Report) -> Self {
        let mut failed = report.outstanding.clone();
        // Where the night ended before they were copied again.
        if report.next == ReportNext::RetryLater {
            *failed.entry(FailureClass::Throttled).or_default() +=
                report.retry_manifest.as_ref().map_or(0, |rows| rows.rows);
        }
        Self {
            succeeded: Some(report.copied_in_all),
            failed: Some(failed.values().sum()),
            failed_by_class: failed.into_iter().map(|(class, count)| (class.name().to_owned(), count)).collect(),
            vanished: Some(report.vanished_in_all),
            counted_by: Some(CountedBy::Report),
        }
    }

    async fn of_job(accounts: &Accounts, plan: &Plan, state: &Value) -> Result<Self> {
        let Some(id) = state.pointer("/job/id").and_then(Value::as_str) else { return Ok(Self::default()) };
        let describe = accounts.backup.s3control.describe_job().account_id(&plan.backup_account).job_id(id);
        let answer = describe.send().await.with_context(|| format!("cannot look at the copy job {id}"))?;
        let Some(summary) = answer.job().and_then(|job| job.progress_summary()) else { return Ok(Self::default()) };
        let count = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        Ok(Self {
            succeeded: count(summary.number_of_tasks_succeeded()),
            failed: count(summary.number_of_tasks_failed()),
            counted_by: Some(CountedBy::Job),
            ..Self::default()
        })
    }
}

/// One stage's part of the state; absent when the stage was not reached.
pub(super) fn part<T: DeserializeOwned>(state: &Value, name: &str) -> Result<Option<T>> {
    let Some(value) = state.get(name) else { return Ok(None) };
    serde_json::from_value(value.clone()).with_context(|| format!("cannot read the part {name} of the state"))
}

/// The report of the last attempt that left rows outstanding, from the ledger.
async fn incomplete(accounts: &Accounts, plan: &Plan, state: &Value, execution: &str) -> Result<Option<Report>> {
    let Some(manifest) = part::<Manifest>(state, "manifest")? else { return Ok(None) };
    let ledger = Ledger::new(accounts.backup.s3.clone(), &plan.ledger_bucket);
    let prefix = format!("runs/{}/{}/{execution}/05-report-parse-", plan.source, manifest.backup_date);
    let keys = ledger.list(&prefix).await?;
    let attempt = |key: &&String| {
        key.strip_prefix(&prefix)?.strip_prefix("attempt-")?.strip_suffix("-incomplete.json")?.parse::<u32>().ok()
    };
    let last = keys.iter().filter(|key| attempt(key).is_some()).max_by_key(attempt);
    let Some(key) = last else { return Ok(None) };
    let record = ledger.read::<Value>(key).await?.map(|stored| stored.value).unwrap_or_default();
    part(&record, "report")
}
