//! The stage that reads the completion report down to the last row and accounts for every object.
//!
//! A `Complete` job only says that every object was tried. What succeeded is what the report says, and only when the
//! report, the job's own count and the manifest agree. What failed is sorted:
//!
//! ```text
//! report, read once -> look (HEADs of what is said to be gone) -> sort, after the rows of earlier attempts -> decide
//!   vanished: explained    throttled: retried by the state machine    the rest: outstanding, until somebody has mended it
//! ```
//!
//! Looks are written down before anything follows from them, and all else follows from the report and from records: so the
//! stage comes to the same however often it is done.

mod carried;
mod failures;
mod keys;
mod lane;
mod look;
pub mod read;
mod row;
mod source;
mod tally;
mod tell;

use std::time::Duration;

use carried::{Carried, Incomplete, incomplete_record, record, stem};
use failures::{Counts, Sorted, Sorter};
use jiff::SignedDuration;
use keys::Keys;
use lane::{Decision, Lane};
use levee_formats::report::Manifest as ReportManifest;
use levee_ledger::{
    Ledger, RunKey,
    state::{
        Copy, Job, JobManifest, JobManifestKind, Manifest, ObjectPointer, Report, ReportNext, Run, SnapshotCheck, Thaw,
    },
};
use levee_stage::{Aws, CommonSettings, Context, EventBus, NoSettings, Progress, Stage, StageError};
use look::{Ended, Looks};
use read::{ResultFiles, Step};
use serde::Deserialize;
use serde_json::Value;
use source::ReportSource;
use tally::{Tally, reconcile, reconcile_all};

/// The error of a report that did not arrive in time.
pub const REPORT_MISSING: &str = "Levee.ReportMissing";
/// The error of a report that cannot be trusted.
pub const DOES_NOT_RECONCILE: &str = "Levee.ReportDoesNotReconcile";
/// The error of a run with rows that a retry cannot mend, or that failed with every retry.
pub const COPY_INCOMPLETE: &str = "Levee.CopyIncomplete";

/// Documented to be there as soon as the job is complete; tools in the field wait this long.
const REPORT_WITHIN: SignedDuration = SignedDuration::from_hours(1);
const REPORT_PAUSE: Duration = Duration::from_secs(60);

/// The part of the state that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// What was asked for.
    pub run: Run,
    /// The pinned inventory.
    pub manifest: Manifest,
    /// The job whose report is read.
    pub job: Job,
    /// How the job ended.
    pub copy: Copy,
    /// The archived objects that can be read now, and that one of the attempts copies.
    #[serde(default)]
    pub thaw: Option<Thaw>,
    /// The copies that were missing in the snapshot bucket, and that one of the attempts makes again.
    #[serde(default)]
    pub snapshot: Option<SnapshotCheck>,
}

impl Input {
    /// The objects that the copy jobs have been given so far: all of the inventory, or what the plan has for them.
    fn given(&self) -> u64 {
        let Some(plan) = &self.manifest.plan else { return self.manifest.objects };
        let rows = |manifest: Option<&JobManifest>| manifest.map_or(0, |manifest| manifest.rows);
        let thawed = self.thaw.as_ref().and_then(|thaw| thaw.copy.as_ref());
        rows(plan.batch.as_ref()).saturating_add(rows(thawed))
    }
}

/// The stage.
pub struct ReportParse {
    aws: Aws,
    ledger: Ledger,
    bus: EventBus,
    account: String,
}

impl ReportParse {
    /// The stage on these clients.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, _own: &NoSettings) -> Self {
        Self {
            aws: aws.clone(),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
            bus: EventBus::new(aws.events.clone(), &common.event_bus),
            account: common.account.clone(),
        }
    }

    async fn read(
        &self,
        context: &Context,
        run: &RunKey,
        input: &Input,
        id: &str,
    ) -> Result<Progress<Report>, StageError> {
        let source = ReportSource {
            s3: self.aws.s3.clone(),
            owner: self.account.clone(),
            source: input.run.source.clone(),
            job: input.job.clone(),
            job_id: id.to_owned(),
        };
        let Some(manifest) = source.manifest().await? else { return wait(context, input, &source, "manifest.json") };
        let carried = Carried::before(&self.ledger, run, input.job.attempt, input.snapshot.as_ref()).await?;
        let lane = Lane { retries: carried.retries, allowed: input.run.retries };
        loop {
            let mut sorter = Sorter::new(&self.ledger, &stem(run, input.job.attempt), with_versions(&input.job), lane);
            match self.sort(run, input, (&source, &manifest), &carried, &mut sorter).await {
                Ok(Sorting::Done(tally)) => {
                    let sorted = sorter.finish().await?;
                    return self.account_for(context, run, &source, input, (&carried, tally, sorted)).await;
                }
                Ok(Sorting::Overtaken) => sorter.abort().await,
                Ok(Sorting::Missing(missing)) => {
                    sorter.abort().await;
                    return wait(context, input, &source, &missing);
                }
                Err(error) => {
                    sorter.abort().await;
                    return Err(error);
                }
            }
        }
    }

    /// Reads the report once: makes sure that it adds up, looks for the objects that it says are gone, and sorts its failed
    /// rows, after those that earlier attempts have left.
    async fn sort(
        &self,
        run: &RunKey,
        input: &Input,
        report: (&ReportSource, &ReportManifest),
        carried: &Carried,
        sorter: &mut Sorter,
    ) -> Result<Sorting, StageError> {
        sorter.carry(&self.ledger, carried).await?;
        let bucket = look::Source {
            s3: &self.aws.s3,
            bucket: &input.run.source,
            owner: &input.run.source_account,
            with_versions: with_versions(&input.job),
        };
        let mut looks = Looks::new(&self.ledger, bucket, looks_list(run, input.job.attempt));
        match sort_rows(report, input, &mut looks, sorter).await {
            Ok(Sorting::Done(tally)) => match looks.finish().await? {
                Ended::Written => Ok(Sorting::Done(tally)),
                Ended::Overtaken => Ok(Sorting::Overtaken),
            },
            Ok(sorting) => {
                looks.abort().await;
                Ok(sorting)
            }
            Err(error) => {
                looks.abort().await;
                Err(error)
            }
        }
    }

    async fn account_for(
        &self,
        context: &Context,
        run: &RunKey,
        source: &ReportSource,
        input: &Input,
        (carried, tally, sorted): (&Carried, Tally, Sorted),
    ) -> Result<Progress<Report>, StageError> {
        let (attempt, objects) = (input.job.attempt, input.given());
        let lane = Lane { retries: carried.retries, allowed: input.run.retries };
        let kind = if with_versions(&input.job) { JobManifestKind::CsvVersions } else { JobManifestKind::Csv };
        let again = |pointer: Option<ObjectPointer>, rows, keys| {
            pointer.map(|pointer| JobManifest { kind, pointer, rows, keys: Some(keys) })
        };
        let mut report = Report {
            attempt,
            rows: tally.rows(),
            succeeded: tally.succeeded,
            failed: tally.failed,
            failed_by_class: sorted.counts.by_class.clone(),
            copied_in_all: carried.copied.saturating_add(tally.succeeded),
            vanished_in_all: sorted.vanished,
            vanished_list: sorted.vanished_list,
            outstanding: sorted.counts.outstanding.clone(),
            failure_list: sorted.failure_list,
            retries: carried.retries,
            next: ReportNext::Done,
            wait_seconds: None,
            next_attempt: None,
            retry_manifest: None,
        };
        reconcile_all(&report, sorted.to_retry, objects).map_err(|problem| source.unreconciled(&problem))?;
        match lane.decide(sorted.to_retry, report.outstanding_rows()) {
            Decision::Done => {}
            Decision::RetryLater(wait) => {
                report.next = ReportNext::RetryLater;
                report.wait_seconds = Some(wait.as_secs());
                report.next_attempt = Some(attempt.saturating_add(1));
                report.retry_manifest = again(sorted.retry, sorted.to_retry, sorted.retry_keys);
            }
            Decision::Incomplete => {
                report.next = ReportNext::Retry;
                report.next_attempt = Some(attempt.saturating_add(1));
                report.retry_manifest = again(sorted.held, report.outstanding_rows(), sorted.held_keys);
                return self.incomplete(context, run, input, report, &sorted.counts).await;
            }
        }
        let report = self.ledger.write_once(&record(run, attempt), &report).await?.into_stored(report).value;
        tracing::info!(
            rows = report.rows,
            copied_in_all = report.copied_in_all,
            vanished_in_all = report.vanished_in_all,
            to_retry = sorted.to_retry,
            "the report is accounted for"
        );
        Ok(Progress::Done(report))
    }

    /// Tells of the outstanding rows, records them, and fails.
    async fn incomplete(
        &self,
        context: &Context,
        run: &RunKey,
        input: &Input,
        report: Report,
        counts: &Counts,
    ) -> Result<Progress<Report>, StageError> {
        let (key, objects) = (incomplete_record(run, report.attempt), input.given());
        self.bus.send("Copy Failures", &tell::event(run, &report, counts, objects)).await?;
        let (bucket, owner) = (&input.run.source, &input.run.source_account);
        let known = tell::Known {
            source: bucket,
            objects,
            sized: input.manifest.bytes.is_some(),
            keys: Keys::of(&self.aws.s3, bucket, owner, &counts.first_by_key).await,
        };
        let cause = tell::cause(&report, counts, &known);
        let found = Incomplete { report, cause, redrive_count: context.execution.redrive_count };
        let written = self.ledger.write_once(&key, &found).await?;
        Err(StageError::permanent(COPY_INCOMPLETE, written.into_stored(found).value.cause))
    }
}

impl Stage for ReportParse {
    const NAME: &'static str = "report-parse";
    type Input = Input;
    type Output = Report;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Report>, StageError> {
        let run = RunKey::of(&input.run, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let attempt = input.job.attempt;
        let id = match &input.job.id {
            Some(id) if *id == input.copy.job_id && attempt == input.copy.attempt => id,
            _ => {
                let cause = "$.copy is not about the job in $.job; the state machine must not come here with them";
                return Err(StageError::permanent(StageError::INPUT_INVALID, cause));
            }
        };
        if let Some(report) = self.ledger.read::<Report>(&record(&run, attempt)).await? {
            return Ok(Progress::Done(report.value));
        }
        if let Some(found) = self.ledger.read::<Incomplete>(&incomplete_record(&run, attempt)).await? {
            let found = found.value;
            if context.execution.redrive_count <= found.redrive_count {
                return Err(StageError::permanent(COPY_INCOMPLETE, found.cause));
            }
            let rows = found.report.outstanding_rows();
            tracing::info!(rows, "redriven after rows had been left outstanding: they are copied again");
            return Ok(Progress::Done(found.report));
        }
        self.read(context, &run, &input, id).await
    }
}

/// Waits for a part of the report that is not there, or gives up.
fn wait(context: &Context, input: &Input, source: &ReportSource, what: &str) -> Result<Progress<Report>, StageError> {
    let waited = context.clock.now().duration_since(context.first_received);
    if input.copy.tasks > 0 && waited < REPORT_WITHIN {
        tracing::info!(what, "the completion report is not there yet");
        return Ok(Progress::NotYet { after: REPORT_PAUSE, memo: Value::Null });
    }
    let why = if input.copy.tasks == 0 {
        "the job tried no task at all, and then AWS writes no report; the manifest it was given has been changed or emptied".to_owned()
    } else {
        format!("it was looked for over {} minutes", REPORT_WITHIN.as_mins())
    };
    let cause = format!(
        "the completion report of copy job {} is not at s3://{}/{} ({what} is missing): {why}. What was copied is unknown, so \
         the run is not taken for a success. Check that the role of the copy jobs may write to the report bucket and that \
         nothing removes objects there; then redrive the execution, which looks again.",
        input.copy.job_id,
        input.job.report_bucket,
        source.folder()
    );
    Err(StageError::permanent(REPORT_MISSING, cause))
}

fn with_versions(job: &Job) -> bool {
    job.manifest.kind == JobManifestKind::CsvVersions
}

/// What a look at each object found that the report says is gone.
fn looks_list(run: &RunKey, attempt: u32) -> String {
    format!("{}-heads.jsonl", stem(run, attempt))
}

/// How the sorting of a report has ended.
enum Sorting {
    /// It adds up.
    Done(Tally),
    /// Somebody else has written down meanwhile what became of the objects that are said to be gone.
    Overtaken,
    /// A file of this key is not there (yet).
    Missing(String),
}

/// Reads a report that must add up, and sorts its failed rows.
async fn sort_rows(
    (source, manifest): (&ReportSource, &ReportManifest),
    input: &Input,
    looks: &mut Looks<'_>,
    sorter: &mut Sorter,
) -> Result<Sorting, StageError> {
    let mut reading = source.reading(manifest);
    loop {
        match reading.next().await? {
            Step::Failed(rows) => {
                let rows = looks.settle(rows).await?.map_err(|problem| source.unreconciled(&problem))?;
                for row in &rows {
                    sorter.row(row).await?;
                }
            }
            Step::Missing(key) => return Ok(Sorting::Missing(key)),
            Step::End(tally) => {
                reconcile(&tally, &input.copy, &input.job).map_err(|problem| source.unreconciled(&problem))?;
                return Ok(Sorting::Done(tally));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn rows(rows: u64) -> Value {
        json!({ "kind": "inventory", "bucket": "ledger", "key": "manifest.json", "etag": "e", "rows": rows })
    }

    fn thaw(copy: Option<u64>) -> Value {
        json!({ "job_ids": ["restore"], "rows": 9, "failed": 0, "next_attempt": 2, "copy": copy.map(rows) })
    }

    #[rstest]
    #[case::without_a_plan(Value::Null, Value::Null, 100)]
    #[case::plan(json!({ "batch": rows(40) }), Value::Null, 40)]
    #[case::plan_without_a_job(json!({}), Value::Null, 0)]
    #[case::before_the_thaw(json!({ "batch": rows(40), "restore": { "restore": rows(9), "copy": rows(7), "rows": 9, "bytes": 9 } }), Value::Null, 40)]
    #[case::after_the_thaw(json!({ "batch": rows(40) }), thaw(Some(7)), 47)]
    #[case::all_that_was_thawed_is_large(json!({ "batch": rows(40) }), thaw(None), 40)]
    #[case::only_thawed(json!({}), thaw(Some(7)), 7)]
    fn what_must_add_up_is_what_copy_jobs_were_given(#[case] plan: Value, #[case] thaw: Value, #[case] given: u64) {
        let pointer = json!({ "bucket": "ledger", "key": "summary.json", "etag": "e" });
        let mut plan = plan;
        if let Some(plan) = plan.as_object_mut() {
            plan.insert("summary".to_owned(), pointer);
            plan.insert("decisions".to_owned(), json!({}));
        }
        let input: Input = serde_json::from_value(json!({
            "run": { "source": "lake", "source_account": "111111111111", "inventory": { "bucket": "b", "id": "i" } },
            "manifest": { "backup_date": "2026-03-31", "bucket": "b", "key": "k", "etag": "e", "scan_started": "2026-04-02T01:00:00Z",
                "schema": ["Bucket", "Key"], "files": 1, "objects": 100, "bytes": null, "too_large": null, "archived": null, "plan": plan },
            "job": { "attempt": 1, "id": "job", "manifest": rows(40), "report_bucket": "r", "report_prefix": "p" },
            "copy": { "attempt": 1, "job_id": "job", "status": "Complete", "tasks": 40, "succeeded": 40, "failed": 0, "next": "report" },
            "thaw": thaw,
        }))
        .unwrap();
        assert_eq!(input.given(), given);
    }
}
