//! The stage that restores the archived objects of the plan and waits until they can be copied.
//!
//! It comes after everything else has been copied, and asks Batch Operations for the restores, because that keeps the rate that
//! S3 takes and leaves a report. A restore job ends when everything has been asked for; whether an object can be read, hours
//! later, HEADs decide. A row that was found restored is not asked again.

mod look;
mod report;
mod restore;
mod rows;

use std::time::Duration;

use jiff::SignedDuration;
use levee_jobs::{Jobs, watch::wait_after};
use levee_ledger::{
    Ledger, RunKey,
    state::{ArchivedPolicy, Job, Manifest, PlannedRestore, Restoring, Run, Thaw},
};
use levee_stage::{Aws, CommonSettings, Context, Progress, Stage, StageError};
use look::{Passed, Source};
use restore::{Asked, Part, Restorer, Settled};
use rows::{Place, Rows};
use serde::Deserialize;
use serde_json::Value;

pub use levee_jobs::JobSettings as Settings;

/// The error of a restore job that failed, or could ask for nothing.
pub const RESTORE_JOB_FAILED: &str = "Levee.RestoreJobFailed";
/// The error of objects that were not restored in time.
pub const THAW_OVERDUE: &str = "Levee.ThawOverdue";

/// Between two looks. A look costs 16 HEADs while nothing is restored yet.
const LOOK_AGAIN: Duration = Duration::from_secs(15 * 60);

/// The part of the state that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// What was asked for.
    pub run: Run,
    /// The pinned inventory, with the plan that names what is to be restored.
    pub manifest: Manifest,
    /// The last attempt's job, which is there even when nothing was copied.
    pub job: Job,
}

/// The stage.
pub struct ThawObjects {
    aws: Aws,
    jobs: Jobs,
    ledger: Ledger,
    account: String,
    settings: Settings,
}

impl ThawObjects {
    /// The stage on these clients. Jobs are made in the Region of the S3 Control client.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, own: &Settings) -> Self {
        Self {
            aws: aws.clone(),
            jobs: Jobs::new(&aws.s3control, &common.account),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
            account: common.account.clone(),
            settings: own.clone(),
        }
    }

    /// Looks at the objects of all parts, from where the last look stopped. Some that are being restored still; none when
    /// every object needs no further look.
    async fn look(&self, input: &Input, parts: &[Part<'_>], passed: &mut Passed) -> Result<Vec<String>, StageError> {
        let (bucket, owner) = (input.run.source.as_str(), input.run.source_account.as_str());
        let source = Source { s3: &self.aws.s3, bucket, owner };
        let place = Place { s3: &self.aws.s3, owner: &self.account, source: bucket };
        let mut before = 0_u64;
        for part in parts {
            let end = before.saturating_add(part.manifest.rows);
            if passed.rows < end {
                let mut rows = Rows::of(place, part.manifest).await?;
                let waiting = source.look(&mut rows, before, passed).await?;
                if !waiting.is_empty() {
                    return Ok(waiting);
                }
                if passed.rows != end {
                    return Err(miscounted(part, passed.rows.saturating_sub(before)));
                }
            }
            before = end;
        }
        Ok(Vec::new())
    }

    /// What the next copy is told.
    async fn finish(
        &self,
        run: &RunKey,
        input: &Input,
        (restore, asked): (&PlannedRestore, Vec<Asked>),
        passed: Passed,
    ) -> Result<Progress<Thaw>, StageError> {
        if passed.rows > 0 && passed.denied == passed.rows {
            return Err(blind(&input.run, passed.rows));
        }
        let thaw = Thaw {
            job_ids: asked.into_iter().map(|asked| asked.job_id).collect(),
            rows: passed.rows,
            failed: passed.archived.saturating_add(passed.gone).saturating_add(passed.denied),
            next_attempt: input.job.attempt.saturating_add(1),
            copy: restore.copy.clone(),
        };
        let thaw = self.ledger.write_once(&run.record(RECORD), &thaw).await?.into_stored(thaw).value;
        tracing::info!(
            rows = thaw.rows,
            archived = passed.archived,
            gone = passed.gone,
            denied = passed.denied,
            "the archived objects can be copied"
        );
        Ok(Progress::Done(thaw))
    }
}

/// The record of the stage's answer.
const RECORD: &str = "05-thaw.json";

impl Stage for ThawObjects {
    const NAME: &'static str = "thaw";
    type Input = Input;
    type Output = Thaw;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Thaw>, StageError> {
        let run = RunKey::of(&input.run, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let (restore, how) = planned(&input)?;
        if let Some(thaw) = self.ledger.read::<Thaw>(&run.record(RECORD)).await? {
            return Ok(Progress::Done(thaw.value));
        }
        let restorer = Restorer {
            jobs: &self.jobs,
            s3: &self.aws.s3,
            ledger: &self.ledger,
            settings: &self.settings,
            account: &self.account,
            key: &run,
            run: &input.run,
            date: input.manifest.backup_date,
            context,
        };
        let parts = parts(restore, how);
        let mut passed: Passed = serde_json::from_value(context.memo.clone()).unwrap_or_default();
        let (mut asked, mut running, mut failed) = (Vec::new(), Vec::new(), None);
        for part in &parts {
            match restorer.settle(part).await {
                Ok(Settled::Asked(done)) => asked.push(done),
                Ok(Settled::Running(status)) => running.push(status),
                // Told once the other job has ended too, so that one redrive is about both.
                Err(error) if error.name == RESTORE_JOB_FAILED => failed = failed.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        if !running.is_empty() {
            tracing::info!(status = running.join(", "), "a restore job goes on");
            let what = format!("a restore job is {}", running.join(", "));
            return wait(context, how, passed, wait_after(context.waits), &what);
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let waiting = self.look(&input, &parts, &mut passed).await?;
        if waiting.is_empty() {
            return self.finish(&run, &input, (restore, asked), passed).await;
        }
        let rows = restore.amount.rows;
        tracing::info!(passed = passed.rows, rows, first = ?waiting, "objects are being restored");
        let left = rows.saturating_sub(passed.rows);
        let what =
            format!("up to {left} of {rows} objects of {} are not restored yet, first {waiting:?}", input.run.source);
        wait(context, how, passed, LOOK_AGAIN, &what)
    }
}

fn planned(input: &Input) -> Result<(&PlannedRestore, Restoring), StageError> {
    let restore = input.manifest.plan.as_ref().and_then(|plan| plan.restore.as_ref());
    match (restore, input.run.archived) {
        (Some(restore), ArchivedPolicy::Restore(how)) => Ok((restore, how)),
        _ => {
            let cause = "$.manifest.plan has nothing to restore, or $.run.archived does not ask for it; the state machine must \
                         not come here with them";
            Err(StageError::permanent(StageError::INPUT_INVALID, cause))
        }
    }
}

/// Two kinds of archive, two jobs: days are required for the one and refused for the other.
fn parts(restore: &PlannedRestore, how: Restoring) -> Vec<Part<'_>> {
    let part = |name, days| move |manifest| Part { name, manifest, days, tier: how.tier };
    let classes = restore.restore.as_ref().map(part("classes", Some(how.days)));
    classes.into_iter().chain(restore.tiered.as_ref().map(part("tiers", None))).collect()
}

/// Waits, or gives up at the limit. Waiting counts from the first message of the task, so that a redrive waits anew.
fn wait(
    context: &Context,
    how: Restoring,
    passed: Passed,
    after: Duration,
    what: &str,
) -> Result<Progress<Thaw>, StageError> {
    let waited = context.clock.now().duration_since(context.first_received);
    if waited >= SignedDuration::from_hours(i64::from(how.limit_hours)) {
        let cause = format!(
            "after {} hours, {what}. A restore takes up to 12 hours from GLACIER and 48 from DEEP_ARCHIVE with the tier BULK, 5 \
             and 12 with STANDARD, and longer for very many objects. Look at the objects and at the restore jobs in the S3 \
             console, and redrive the execution within {} days of the restore: it waits anew, and copies everything then.",
            how.limit_hours, how.days
        );
        return Err(StageError::permanent(THAW_OVERDUE, cause));
    }
    let memo = serde_json::to_value(passed).unwrap_or(Value::Null);
    Ok(Progress::NotYet { after, memo })
}

fn miscounted(part: &Part<'_>, found: u64) -> StageError {
    let (bucket, key) = (&part.manifest.pointer.bucket, &part.manifest.pointer.key);
    let cause = format!(
        "the list of objects to restore s3://{bucket}/{key} has {found} rows, the plan says {}. Look at who changes the ledger; \
         then start a new execution for the date.",
        part.manifest.rows
    );
    StageError::permanent(StageError::INPUT_INVALID, cause)
}

fn blind(run: &Run, rows: u64) -> StageError {
    let cause = format!(
        "HeadObject of all {rows} archived objects of s3://{} was refused, so that nobody knows which are restored. Let the role \
         of the worker levee-thaw read the objects in the bucket policy of {}; then redrive the execution.",
        run.source, run.source
    );
    StageError::permanent(StageError::AWS_REFUSED, cause)
}
