//! The stage that watches the copy job until it ends.
//!
//! A job that failed fails the task and is recorded with the execution's redrive count. A redrive then finds a count above
//! the recorded one, which means that somebody asks for the work again: the stage answers `resubmit`.

use std::time::Duration;

use aws_sdk_s3control::types::{JobDescriptor, JobStatus};
use jiff::SignedDuration;
use levee_jobs::{
    Jobs,
    watch::{Seen, Tally, Verdict, judge, wait_after},
};
use levee_ledger::{
    Ledger, RunKey,
    state::{Copy, CopyNext, Job, Manifest, Run},
};
use levee_stage::{Aws, CommonSettings, Context, NoSettings, Progress, Stage, StageError};
use serde::{Deserialize, Serialize};

/// The error of a job that ended without trying every task.
pub const COPY_JOB_FAILED: &str = "Levee.CopyJobFailed";
/// The error of a job that stood still for too long.
pub const COPY_JOB_STALLED: &str = "Levee.CopyJobStalled";

/// How long a new job may be unknown to DescribeJob.
const APPEARS_WITHIN: SignedDuration = SignedDuration::from_mins(15);
const APPEARS_PAUSE: Duration = Duration::from_secs(30);

/// The part of the state that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// What was asked for.
    pub run: Run,
    /// The pinned inventory.
    pub manifest: Manifest,
    /// The job to watch.
    pub job: Job,
}

/// The ledger's record of a job that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Failure {
    attempt: u32,
    job_id: String,
    status: String,
    #[serde(flatten)]
    tally: Tally,
    cause: String,
    /// The execution's redrive count when the failure was found: a higher one asks for the job again.
    redrive_count: u32,
}

/// The stage.
pub struct JobPoll {
    jobs: Jobs,
    ledger: Ledger,
}

impl JobPoll {
    /// The stage on these clients.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, _own: &NoSettings) -> Self {
        Self {
            jobs: Jobs::new(&aws.s3control, &common.account),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
        }
    }

    async fn complete(&self, run: &RunKey, job: &Job, id: &str, tally: Tally) -> Result<Progress<Copy>, StageError> {
        let copy = outcome(job.attempt, id, "Complete", tally, None);
        let copy = self.ledger.write_once(&run.record(&record(job.attempt)), &copy).await?.into_stored(copy).value;
        tracing::info!(
            job = id,
            tasks = tally.tasks,
            succeeded = tally.succeeded,
            failed = tally.failed,
            "the copy job is complete"
        );
        Ok(Progress::Done(copy))
    }

    /// Records the failure, then fails: whoever comes next finds the record.
    async fn fail(&self, run: &RunKey, failure: Failure) -> Result<Progress<Copy>, StageError> {
        let written = self.ledger.write_once(&run.record(&failed_record(failure.attempt)), &failure).await?;
        let failure = written.into_stored(failure).value;
        Err(StageError::permanent(COPY_JOB_FAILED, failure.cause))
    }

    async fn watch(
        &self,
        context: &Context,
        run: &RunKey,
        input: &Input,
        id: &str,
    ) -> Result<Progress<Copy>, StageError> {
        let attempt = input.job.attempt;
        let failure = |status: &str, tally: Option<Tally>, why: &str| Failure {
            attempt,
            job_id: id.to_owned(),
            status: status.to_owned(),
            tally: tally.unwrap_or_default(),
            cause: failed_cause(id, attempt, status, tally, why),
            redrive_count: context.execution.redrive_count,
        };
        let now = context.clock.now();
        let Some(job) = self.jobs.describe(id).await? else {
            if now.duration_since(context.first_received) < APPEARS_WITHIN {
                return Ok(Progress::NotYet { after: APPEARS_PAUSE, memo: context.memo.clone() });
            }
            let why = "AWS does not know the job: it was made in another account or Region, or it ended more than 90 days ago";
            return self.fail(run, failure("NotFound", None, why)).await;
        };
        match judge(&job) {
            Verdict::Complete(tally) => self.complete(run, &input.job, id, tally).await,
            Verdict::Ended { status, reasons } => self.fail(run, failure(&status, Tally::of(&job), &reasons)).await,
            Verdict::Running => go_on(context, &input.run, id, &job),
        }
    }
}

impl Stage for JobPoll {
    const NAME: &'static str = "job-poll";
    type Input = Input;
    type Output = Copy;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Copy>, StageError> {
        let run = RunKey::of(&input.run, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let Some(id) = input.job.id.clone() else {
            let cause =
                "$.job has no id, so there is no job to watch; the state machine must not come here without one";
            return Err(StageError::permanent(StageError::INPUT_INVALID, cause));
        };
        let attempt = input.job.attempt;
        if let Some(copy) = self.ledger.read::<Copy>(&run.record(&record(attempt))).await? {
            return Ok(Progress::Done(copy.value));
        }
        if let Some(failure) = self.ledger.read::<Failure>(&run.record(&failed_record(attempt))).await? {
            return after_failure(context, failure.value);
        }
        self.watch(context, &run, &input, &id).await
    }
}

/// A failure that is on record: the same error for the same try, and the job again for a redrive.
fn after_failure(context: &Context, failure: Failure) -> Result<Progress<Copy>, StageError> {
    if context.execution.redrive_count <= failure.redrive_count {
        return Err(StageError::permanent(COPY_JOB_FAILED, failure.cause));
    }
    let next = failure.attempt.saturating_add(1);
    tracing::info!(job = %failure.job_id, next_attempt = next, "redriven after the job had failed: it is made again");
    Ok(Progress::Done(outcome(failure.attempt, &failure.job_id, &failure.status, failure.tally, Some(next))))
}

fn go_on(context: &Context, run: &Run, id: &str, job: &JobDescriptor) -> Result<Progress<Copy>, StageError> {
    let now = context.clock.now();
    let earlier = serde_json::from_value(context.memo.clone()).ok();
    let seen = Seen::now(job, now, earlier);
    if seen.stalled(now, SignedDuration::from_hours(i64::from(run.stall_limit_hours))) {
        return Err(StageError::permanent(COPY_JOB_STALLED, stalled_cause(id, &seen, run.stall_limit_hours)));
    }
    let tally = seen.tally.unwrap_or_default();
    let (tasks, succeeded, failed) = (tally.tasks, tally.succeeded, tally.failed);
    if matches!(job.status(), Some(JobStatus::Suspended)) {
        let why = job.suspended_cause().unwrap_or("no cause given");
        tracing::warn!(
            job = id,
            why,
            "the copy job is suspended and waits for somebody to confirm it in the S3 console"
        );
    } else {
        tracing::info!(job = id, status = %seen.status, tasks, succeeded, failed, "the copy job goes on");
    }
    let memo = serde_json::to_value(&seen).map_err(|error| {
        StageError::permanent(StageError::INPUT_INVALID, format!("the progress of job {id} cannot be kept: {error}"))
    })?;
    Ok(Progress::NotYet { after: wait_after(context.waits), memo })
}

fn outcome(attempt: u32, id: &str, status: &str, tally: Tally, resubmit: Option<u32>) -> Copy {
    Copy {
        attempt,
        job_id: id.to_owned(),
        status: status.to_owned(),
        tasks: tally.tasks,
        succeeded: tally.succeeded,
        failed: tally.failed,
        next: if resubmit.is_some() { CopyNext::Resubmit } else { CopyNext::Report },
        next_attempt: resubmit,
    }
}

fn failed_cause(id: &str, attempt: u32, status: &str, tally: Option<Tally>, why: &str) -> String {
    let progress = tally.map_or_else(String::new, |tally| {
        format!(
            " after {} of {} tasks, {} of them failed",
            tally.succeeded.saturating_add(tally.failed),
            tally.tasks,
            tally.failed
        )
    });
    format!(
        "copy job {id} (attempt {attempt}) ended as {status}{progress}: {why}. Correct the cause (the role of the copy jobs, \
         the source's bucket and key policies, the manifest), then redrive the execution: the job is made again as attempt {}.",
        attempt.saturating_add(1)
    )
}

fn stalled_cause(id: &str, seen: &Seen, hours: u16) -> String {
    let advice = match seen.status.as_str() {
        "Suspended" => "It waits to be confirmed: run it from the S3 console",
        "Paused" | "Pausing" | "Ready" => {
            "Jobs of a higher priority go first: raise this job's priority or let them end"
        }
        "Complete" => "It is complete but gives no count of its tasks: ask AWS support",
        _ => "Look at the job in the S3 console; cancel it if it does not recover",
    };
    let tally = seen.tally.unwrap_or_default();
    format!(
        "copy job {id} has stood still as {} for {hours} hours, since {}, at {} of {} tasks. {advice}. Then redrive the \
         execution: a job that goes on is watched again, a cancelled one is made again by one more redrive.",
        seen.status,
        seen.since,
        tally.succeeded.saturating_add(tally.failed),
        tally.tasks
    )
}

fn record(attempt: u32) -> String {
    format!("04-job-poll-attempt-{attempt}.json")
}

fn failed_record(attempt: u32) -> String {
    format!("04-job-poll-attempt-{attempt}-failed.json")
}
