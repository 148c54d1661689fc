//! The stage that makes the copy job of an attempt: one job, however often it is asked for.
//!
//! Three things keep it one: the ledger's record of the attempt, the job's description, which ListJobs answers for 90 days,
//! and the deterministic request token, for calls that overlap.
//!
//! None of them knows the execution, so that a new execution of the same source and day, which takes over from one that ended
//! without success, finds that one's job and goes on with it. A job that had failed by then is made again as the next attempt:
//! the new execution asks for the work once more, as a redrive of the old one would have done.

mod choice;

pub use choice::{Attempt, choose};
pub use levee_jobs::{JOB_REJECTED, JobSettings as Settings};

use levee_jobs::{JobRequest, Jobs, Work};
use levee_ledger::{
    Ledger, RunKey, names,
    state::{Bucket, Copy, Job, Manifest, Report, Run, SnapshotCheck, Thaw},
};
use levee_stage::{Aws, CommonSettings, Context, Progress, Stage, StageError};
use serde::Deserialize;

const DEFAULT_STORAGE_CLASS: &str = "STANDARD";

/// The part of the state that the stage reads. The last five are there when the machine comes back to it.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// What was asked for.
    pub run: Run,
    /// The pinned inventory.
    pub manifest: Manifest,
    /// The snapshot bucket.
    pub bucket: Bucket,
    /// The last attempt's job.
    #[serde(default)]
    pub job: Option<Job>,
    /// How that ended.
    #[serde(default)]
    pub copy: Option<Copy>,
    /// What its report said.
    #[serde(default)]
    pub report: Option<Report>,
    /// The archived objects that can be read now.
    #[serde(default)]
    pub thaw: Option<Thaw>,
    /// The copies that were missing in the snapshot bucket.
    #[serde(default)]
    pub snapshot: Option<SnapshotCheck>,
}

/// The stage.
pub struct JobSubmit {
    jobs: Jobs,
    ledger: Ledger,
    account: String,
    settings: Settings,
}

impl JobSubmit {
    /// The stage on these clients. Jobs are made in the Region of the S3 Control client, which must be the snapshots'.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, own: &Settings) -> Self {
        Self {
            jobs: Jobs::new(&aws.s3control, &common.account),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
            account: common.account.clone(),
            settings: own.clone(),
        }
    }

    fn request(&self, input: &Input, attempt: &Attempt) -> Result<JobRequest, StageError> {
        let (run, date) = (&input.run, input.manifest.backup_date);
        let (subject, etag) = (run.subject(), &attempt.manifest.pointer.etag);
        Ok(JobRequest {
            account: self.account.clone(),
            token: names::job_token(&subject, date, etag, attempt.number),
            description: names::job_description(run, date, etag, attempt.number),
            role_arn: self.settings.role_for(run)?.to_owned(),
            priority: run.priority,
            work: Work::Copy {
                target: input.bucket.name.clone(),
                target_prefix: Some(run.target_prefix()).filter(|prefix| !prefix.is_empty()).map(str::to_owned),
                storage_class: run.snapshot.storage_class.clone().unwrap_or_else(|| DEFAULT_STORAGE_CLASS.to_owned()),
            },
            manifest: attempt.manifest.clone(),
            report_bucket: self.settings.report_bucket.clone(),
            report_prefix: names::report_prefix(&subject, date, etag, attempt.number),
        })
    }
}

impl Stage for JobSubmit {
    const NAME: &'static str = "job-submit";
    type Input = Input;
    type Output = Job;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Job>, StageError> {
        let run = RunKey::of(&input.run, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let (job, copy, report) = (input.job.as_ref(), input.copy.as_ref(), input.report.as_ref());
        let mut attempt = choose(&input.manifest, job, copy, report, input.thaw.as_ref(), input.snapshot.as_ref())?;
        let (request, record, id) = loop {
            let record = run.record(&format!("03-job-submit-attempt-{}.json", attempt.number));
            if let Some(job) = self.ledger.read::<Job>(&record).await? {
                return Ok(Progress::Done(job.value));
            }
            let request = self.request(&input, &attempt)?;
            if attempt.manifest.rows == 0 {
                break (request, record, None);
            }
            match self.jobs.made(&request, context.execution.start_time).await? {
                Some(id) => break (request, record, Some(id)),
                None => attempt.number = attempt.number.saturating_add(1),
            }
        };
        tracing::info!(
            attempt = attempt.number,
            job = id.as_deref(),
            objects = attempt.manifest.rows,
            "the copy job is submitted"
        );
        let job = Job {
            attempt: attempt.number,
            id,
            manifest: attempt.manifest,
            report_bucket: request.report_bucket,
            report_prefix: request.report_prefix,
        };
        let job = self.ledger.write_once(&record, &job).await?.into_stored(job).value;
        Ok(Progress::Done(job))
    }
}
