//! The restore jobs of one manifest: made once per attempt, watched, and accounted for.
//!
//! What decides the next step is in the ledger: `05-thaw-<part>-attempt-<n>.json` has the job, `…-asked.json` what it asked for,
//! `…-failed.json` why it failed. So the stage comes to the same however often it is done.

use jiff::{SignedDuration, Timestamp};
use levee_jobs::{
    JobRequest, Jobs, Work,
    watch::{Tally, Verdict, judge},
};
use levee_ledger::{
    Ledger, RunKey, names,
    state::{JobManifest, JobManifestKind, RestoreTier, Run},
};
use levee_stage::{Context, StageError};
use serde::{Deserialize, Serialize};

use crate::{
    RESTORE_JOB_FAILED, Settings,
    report::{self, Source, Unasked},
};

/// How long a new job may be unknown to DescribeJob.
const APPEARS_WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// How long the report of a job is waited for. Without it the job's own count has to do: HEADs decide in any case.
const REPORT_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// The content type by which the ledger knows a manifest for Batch Operations, which must not be under KMS.
const CSV: &str = "text/csv";

/// The objects of one manifest.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    /// `classes` or `tiers`.
    pub(crate) name: &'static str,
    pub(crate) manifest: &'a JobManifest,
    /// Days that the restored copies stay; none in a tier.
    pub(crate) days: Option<u16>,
    pub(crate) tier: RestoreTier,
}

/// What the jobs are made with.
pub(crate) struct Restorer<'a> {
    pub(crate) jobs: &'a Jobs,
    pub(crate) s3: &'a aws_sdk_s3::Client,
    pub(crate) ledger: &'a Ledger,
    pub(crate) settings: &'a Settings,
    pub(crate) account: &'a str,
    pub(crate) key: &'a RunKey,
    pub(crate) run: &'a Run,
    pub(crate) date: jiff::civil::Date,
    pub(crate) context: &'a Context,
}

/// A job that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    attempt: u32,
    job_id: String,
    manifest: JobManifest,
    report_prefix: String,
}

/// A job that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Failure {
    attempt: u32,
    job_id: String,
    cause: String,
    /// The execution's redrive count when the failure was found: a higher one asks for the job again.
    redrive_count: u32,
}

/// A job that tried every row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) attempt: u32,
    pub(crate) job_id: String,
    /// Rows of the job.
    pub(crate) rows: u64,
    /// Rows whose restore it could not ask for.
    pub(crate) unasked: u64,
    /// Those of them that failed in passing.
    passing: u64,
    /// The codes of the unasked ones and the first keys, for people.
    why: String,
    /// The unasked ones, where there are any and the report has named them.
    again: Option<JobManifest>,
    redrive_count: u32,
}

/// What has become of a part.
pub(crate) enum Settled {
    /// A job is under way, as this status.
    Running(String),
    /// Everything was asked for, as far as it could be.
    Asked(Asked),
}

impl Restorer<'_> {
    /// Makes the part's next job, or looks how the last one stands.
    ///
    /// # Errors
    /// The job failed, or could not ask for anything ([`RESTORE_JOB_FAILED`]); AWS would not make it; AWS errors.
    pub(crate) async fn settle(&self, part: &Part<'_>) -> Result<Settled, StageError> {
        let (mut attempt, mut manifest) = (1_u32, part.manifest.clone());
        loop {
            if let Some(asked) = self.ledger.read::<Asked>(&self.record(part, attempt, "-asked")).await? {
                let asked = asked.value;
                match asked.again.clone().filter(|_| self.asks_again(&asked)) {
                    Some(again) => manifest = again,
                    // Without a report nobody knows: the HEADs tell.
                    None if asked.again.is_some() && asked.unasked == asked.rows => return Err(nothing_asked(&asked)),
                    None => return Ok(Settled::Asked(asked)),
                }
            } else if let Some(failure) = self.ledger.read::<Failure>(&self.record(part, attempt, "-failed")).await? {
                if self.context.execution.redrive_count <= failure.value.redrive_count {
                    return Err(StageError::permanent(RESTORE_JOB_FAILED, failure.value.cause));
                }
            } else if let Some(made) = self.make(part, attempt, &manifest).await? {
                return match self.look(part, &made).await? {
                    // What comes next is decided by the record alone.
                    Settled::Asked(_) => continue,
                    running => Ok(running),
                };
            }
            attempt = attempt.saturating_add(1);
        }
    }

    /// Rows that failed in passing are asked for again as often as those of a copy; all of them after a redrive.
    fn asks_again(&self, asked: &Asked) -> bool {
        let by_itself = asked.passing > 0 && asked.attempt <= u32::from(self.run.retries);
        by_itself || self.context.execution.redrive_count > asked.redrive_count
    }

    /// The job of the attempt, made now or earlier. None when it is one that failed for an earlier execution.
    async fn make(&self, part: &Part<'_>, attempt: u32, manifest: &JobManifest) -> Result<Option<Made>, StageError> {
        let record = self.record(part, attempt, "");
        if let Some(made) = self.ledger.read::<Made>(&record).await? {
            return Ok(Some(made.value));
        }
        let (subject, etag) = (self.run.subject(), &manifest.pointer.etag);
        let request = JobRequest {
            account: self.account.to_owned(),
            token: names::restore_token(&subject, self.date, etag, attempt),
            description: names::restore_description(self.run, self.date, etag, attempt),
            role_arn: self.settings.role_for(self.run)?.to_owned(),
            priority: self.run.priority,
            work: Work::Restore { days: part.days, tier: part.tier },
            manifest: manifest.clone(),
            report_bucket: self.settings.report_bucket.clone(),
            report_prefix: names::restore_report_prefix(&subject, self.date, etag, attempt),
        };
        let Some(job_id) = self.jobs.made(&request, self.context.execution.start_time).await? else { return Ok(None) };
        tracing::info!(job = %job_id, attempt, part = part.name, objects = manifest.rows, "the restore job is submitted");
        let made = Made { attempt, job_id, manifest: manifest.clone(), report_prefix: request.report_prefix };
        Ok(Some(self.ledger.write_once(&record, &made).await?.into_stored(made).value))
    }

    async fn look(&self, part: &Part<'_>, made: &Made) -> Result<Settled, StageError> {
        let now = self.context.clock.now();
        let Some(job) = self.jobs.describe(&made.job_id).await? else {
            if now.duration_since(self.context.first_received) < APPEARS_WITHIN {
                return Ok(Settled::Running("unknown to AWS so far".to_owned()));
            }
            let why = "AWS does not know the job: it was made in another account or Region, or it ended more than 90 days ago";
            return Err(self.fail(part, made, "NotFound", why).await?);
        };
        match judge(&job) {
            Verdict::Running => {
                Ok(Settled::Running(job.status().map_or("unknown", |status| status.as_str()).to_owned()))
            }
            Verdict::Ended { status, reasons } => Err(self.fail(part, made, &status, &reasons).await?),
            Verdict::Complete(tally) => {
                let ended = job.termination_date().and_then(|time| Timestamp::from_second(time.secs()).ok());
                let waits = ended.is_some_and(|ended| now.duration_since(ended) < REPORT_WITHIN);
                self.account_for(part, made, tally, waits).await
            }
        }
    }

    /// Counts what was asked for, by the report; once that has been waited for in vain, by the job's own count.
    async fn account_for(
        &self,
        part: &Part<'_>,
        made: &Made,
        tally: Tally,
        waits: bool,
    ) -> Result<Settled, StageError> {
        let source = Source {
            s3: self.s3,
            owner: self.account,
            bucket: &self.settings.report_bucket,
            folder: format!("{}/job-{}", made.report_prefix, made.job_id),
            codec: report::codec(&made.manifest),
        };
        let mut list = self.ledger.artefact(self.key.record(&format!("{}-again.csv", stem(part, made.attempt))), CSV);
        let read = match source.read(&mut list).await {
            Ok(read) => read,
            Err(error) => {
                give_up(list).await;
                return Err(error);
            }
        };
        let mut again = None;
        let unasked = match read {
            None => {
                give_up(list).await;
                if waits {
                    return Ok(Settled::Running("complete, without its report so far".to_owned()));
                }
                tracing::warn!(job = %made.job_id, "the restore job has no report: its own count is taken");
                Unasked { rows: tally.failed, ..Unasked::default() }
            }
            Some(unasked) if unasked.rows == 0 => {
                give_up(list).await;
                unasked
            }
            Some(unasked) => {
                let pointer = list.finish().await?.pointer;
                again = Some(JobManifest { kind: JobManifestKind::Csv, pointer, rows: unasked.rows, keys: None });
                unasked
            }
        };
        let asked = Asked {
            attempt: made.attempt,
            job_id: made.job_id.clone(),
            rows: tally.tasks,
            unasked: unasked.rows,
            passing: unasked.passing,
            why: format!("{}; first {:?}", unasked.codes(), unasked.first),
            again,
            redrive_count: self.context.execution.redrive_count,
        };
        let record = self.record(part, made.attempt, "-asked");
        let asked = self.ledger.write_once(&record, &asked).await?.into_stored(asked).value;
        tracing::info!(job = %made.job_id, rows = asked.rows, unasked = asked.unasked, "the restore job is complete");
        Ok(Settled::Asked(asked))
    }

    /// Records that the job failed; the error to fail with.
    async fn fail(&self, part: &Part<'_>, made: &Made, status: &str, why: &str) -> Result<StageError, StageError> {
        let cause = format!(
            "restore job {} (attempt {}) of {} objects ended as {status}: {why}. Correct the cause (the role of the copy jobs, \
             which needs s3:RestoreObject, the source's bucket policy, the list s3://{}/{}), then redrive the execution: the \
             job is made again.",
            made.job_id, made.attempt, made.manifest.rows, made.manifest.pointer.bucket, made.manifest.pointer.key
        );
        let redrive_count = self.context.execution.redrive_count;
        let failure = Failure { attempt: made.attempt, job_id: made.job_id.clone(), cause, redrive_count };
        let written = self.ledger.write_once(&self.record(part, made.attempt, "-failed"), &failure).await?;
        Ok(StageError::permanent(RESTORE_JOB_FAILED, written.into_stored(failure).value.cause))
    }

    fn record(&self, part: &Part<'_>, attempt: u32, what: &str) -> String {
        self.key.record(&format!("{}{what}.json", stem(part, attempt)))
    }
}

fn stem(part: &Part<'_>, attempt: u32) -> String {
    format!("05-thaw-{}-attempt-{attempt}", part.name)
}

fn nothing_asked(asked: &Asked) -> StageError {
    let cause = format!(
        "restore job {} (attempt {}) is complete, and could ask for the restore of none of its {} objects: {}. Correct the \
         cause (the role of the copy jobs and the source's bucket policy must allow s3:RestoreObject), then redrive the \
         execution: the objects are asked for again.",
        asked.job_id, asked.attempt, asked.rows, asked.why
    );
    StageError::permanent(RESTORE_JOB_FAILED, cause)
}

/// Removes what was sent of an artefact; what cannot be removed is left to the bucket's lifecycle rule.
async fn give_up(list: levee_ledger::ArtefactWriter) {
    if let Err(error) = list.abort().await {
        tracing::warn!(%error, "an unfinished upload is left to the bucket's lifecycle rule");
    }
}
