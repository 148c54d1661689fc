//! The stage that reads the completion report down to the last row and accounts for every object.
//!
//! A `Complete` job only says that every object was tried. What succeeded is what the report says, and only when the
//! report, the job's own count and the manifest agree. Failed rows fail the task, once; a redrive then has them copied again.

mod classify;
mod failures;
mod read;
mod tally;

use std::{collections::BTreeMap, time::Duration};

use failures::Failures;
use jiff::SignedDuration;
use levee_formats::report::Manifest as ReportManifest;
use levee_ledger::{
    Ledger, RunKey,
    state::{Copy, Job, JobManifest, JobManifestKind, Manifest, Report, ReportNext, Run},
};
use levee_stage::{Aws, CommonSettings, Context, EventBus, NoSettings, Progress, Stage, StageError};
use read::ReportSource;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tally::{Tally, reconcile, reconcile_all};

/// The error of a report that did not arrive in time.
pub const REPORT_MISSING: &str = "Levee.ReportMissing";
/// The error of a report that cannot be trusted.
pub const DOES_NOT_RECONCILE: &str = "Levee.ReportDoesNotReconcile";
/// The error of a report with failed rows.
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
}

/// The ledger's record of a report with failed rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Incomplete {
    report: Report,
    cause: String,
    /// The execution's redrive count when the failures were found: a higher one asks for the rows again.
    redrive_count: u32,
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
            s3: &self.aws.s3,
            owner: &self.account,
            source: &input.run.source,
            job: &input.job,
            job_id: id,
        };
        let Some(manifest) = source.manifest().await? else { return wait(context, input, &source, "manifest.json") };
        let mut failures = Failures::new(&self.ledger, &stem(run, input.job.attempt), with_versions(&input.job));
        match self.rows(&source, &manifest, input, &mut failures).await {
            Ok(Ok(tally)) => self.account_for(context, run, &source, input, &tally, failures).await,
            Ok(Err(missing)) => {
                failures.abort().await;
                wait(context, input, &source, &missing)
            }
            Err(error) => {
                failures.abort().await;
                Err(error)
            }
        }
    }

    /// The reconciled tally of all files, or the key of one that is not there.
    async fn rows(
        &self,
        source: &ReportSource<'_>,
        manifest: &ReportManifest,
        input: &Input,
        failures: &mut Failures,
    ) -> Result<Result<Tally, String>, StageError> {
        let mut tally = Tally::default();
        for file in &manifest.results {
            if !source.file(file, &mut tally, failures).await? {
                return Ok(Err(file.key.clone()));
            }
        }
        reconcile(&tally, &input.copy, &input.job).map_err(|problem| source.unreconciled(&problem))?;
        Ok(Ok(tally))
    }

    async fn account_for(
        &self,
        context: &Context,
        run: &RunKey,
        source: &ReportSource<'_>,
        input: &Input,
        tally: &Tally,
        failures: Failures,
    ) -> Result<Progress<Report>, StageError> {
        let attempt = input.job.attempt;
        let copied_in_all = self.copied_before(run, attempt).await?.saturating_add(tally.succeeded);
        let mut report = Report {
            attempt,
            rows: tally.rows(),
            succeeded: tally.succeeded,
            failed: tally.failed,
            failed_by_class: tally.by_class.clone(),
            failure_list: None,
            copied_in_all,
            next: ReportNext::Done,
            next_attempt: None,
            retry_manifest: None,
        };
        if tally.failed == 0 {
            if let Err(problem) = reconcile_all(copied_in_all, input.manifest.objects) {
                failures.abort().await;
                return Err(source.unreconciled(&problem));
            }
            let report = self.ledger.write_once(&record(run, attempt), &report).await?.into_stored(report).value;
            tracing::info!(rows = report.rows, copied_in_all, "every row of the report succeeded");
            return Ok(Progress::Done(report));
        }
        let written = failures.finish().await?;
        let kind = if with_versions(&input.job) { JobManifestKind::CsvVersions } else { JobManifestKind::Csv };
        report.failure_list = Some(written.list);
        report.next = ReportNext::Retry;
        report.next_attempt = Some(attempt.saturating_add(1));
        report.retry_manifest = Some(JobManifest { kind, pointer: written.retry, rows: tally.failed });
        self.bus.send("Copy Failures", &event(run, &report, tally)).await?;
        let cause = incomplete_cause(&report, tally);
        let found = Incomplete { report, cause, redrive_count: context.execution.redrive_count };
        let written = self.ledger.write_once(&incomplete_record(run, attempt), &found).await?;
        Err(StageError::permanent(COPY_INCOMPLETE, written.into_stored(found).value.cause))
    }

    /// Objects that earlier attempts of the run have copied and that later ones did not try again.
    async fn copied_before(&self, run: &RunKey, attempt: u32) -> Result<u64, StageError> {
        let mut copied = 0_u64;
        for earlier in 1..attempt {
            let found = self.ledger.read::<Incomplete>(&incomplete_record(run, earlier)).await?;
            copied = copied.saturating_add(found.map_or(0, |found| found.value.report.succeeded));
        }
        Ok(copied)
    }
}

impl Stage for ReportParse {
    const NAME: &'static str = "report-parse";
    type Input = Input;
    type Output = Report;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Report>, StageError> {
        let run = RunKey::new(&input.run.source, input.manifest.backup_date, &context.execution);
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
            tracing::info!(failed = found.report.failed, "redriven after rows had failed: they are copied again");
            return Ok(Progress::Done(found.report));
        }
        self.read(context, &run, &input, id).await
    }
}

/// Waits for a part of the report that is not there, or gives up.
fn wait(
    context: &Context,
    input: &Input,
    source: &ReportSource<'_>,
    what: &str,
) -> Result<Progress<Report>, StageError> {
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

fn stem(run: &RunKey, attempt: u32) -> String {
    run.record(&format!("05-report-parse-attempt-{attempt}"))
}

fn record(run: &RunKey, attempt: u32) -> String {
    format!("{}.json", stem(run, attempt))
}

fn incomplete_record(run: &RunKey, attempt: u32) -> String {
    format!("{}-incomplete.json", stem(run, attempt))
}

fn event(run: &RunKey, report: &Report, tally: &Tally) -> Value {
    let by_class: BTreeMap<_, _> =
        tally.by_class.iter().map(|(class, count)| (tally::class_name(*class), count)).collect();
    json!({
        "source": run.source,
        "backup_date": run.backup_date,
        "execution": run.execution_arn,
        "attempt": report.attempt,
        "rows": report.rows,
        "succeeded": report.succeeded,
        "failed": report.failed,
        "failed_by_class": by_class,
        "first": tally.first_failed,
        "failure_list": report.failure_list,
        "ledger": run.prefix(),
    })
}

fn incomplete_cause(report: &Report, tally: &Tally) -> String {
    let list =
        report.failure_list.as_ref().map_or_else(String::new, |list| format!("s3://{}/{}", list.bucket, list.key));
    format!(
        "{} of {} objects were not copied in attempt {}: {}. The first: {}. All are in {list}. For `denied` and `key` correct \
         the source's bucket policy and key policy for the role of the copy jobs, restore `archived` objects, `throttled` ones \
         only need another try; `vanished` ones are gone from the source. Then redrive the execution: exactly these rows are \
         copied again as attempt {}.",
        report.failed,
        report.rows,
        report.attempt,
        tally.classes(),
        tally.first_failed.join(", "),
        report.attempt.saturating_add(1)
    )
}
