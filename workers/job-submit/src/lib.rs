//! The stage that makes the copy job of an attempt: one job, however often it is asked for.
//!
//! Three things keep it one: the ledger's record of the attempt, the job's description, which ListJobs answers for 90 days,
//! and the deterministic request token, for calls that overlap.
//!
//! None of them knows the execution, so that a new execution of the same source and day, which takes over from one that ended
//! without success, finds that one's job and goes on with it. A job that had failed by then is made again as the next attempt:
//! the new execution asks for the work once more, as a redrive of the old one would have done.

mod choice;
mod request;

pub use choice::{Attempt, choose};
pub use request::JobRequest;

use aws_sdk_s3control::operation::create_job::CreateJobError;
use aws_sdk_s3control::{
    config::http::HttpResponse,
    error::SdkError,
    types::{JobListDescriptor, JobStatus},
};
use jiff::Timestamp;
use levee_ledger::{
    Ledger, RunKey, names,
    state::{Bucket, Copy, Job, Manifest, Report, Run, SnapshotCheck, Thaw},
};
use levee_stage::{Aws, CommonSettings, Context, Progress, Stage, StageError, aws::is_transient, aws_error};
use serde::Deserialize;

/// The error of a job that AWS would not make.
pub const JOB_REJECTED: &str = "Levee.JobRejected";
const DEFAULT_STORAGE_CLASS: &str = "STANDARD";

/// The worker's own settings.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "job-submit")]
pub struct Settings {
    /// The role that Batch Operations copies with, in the backup account.
    #[arg(long, env = "LEVEE_COPY_ROLE_ARN", value_name = "ARN")]
    pub copy_role_arn: String,

    /// The bucket that completion reports go to, in the backup account.
    #[arg(long, env = "LEVEE_REPORT_BUCKET", value_name = "BUCKET")]
    pub report_bucket: String,
}

/// The part of the state that the stage reads. The last four are there when the machine comes back to it.
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
    aws: Aws,
    ledger: Ledger,
    account: String,
    settings: Settings,
}

impl JobSubmit {
    /// The stage on these clients. Jobs are made in the Region of the S3 Control client, which must be the snapshots'.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, own: &Settings) -> Self {
        Self {
            aws: aws.clone(),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
            account: common.account.clone(),
            settings: own.clone(),
        }
    }

    fn request(&self, input: &Input, attempt: &Attempt) -> JobRequest {
        let (run, date) = (&input.run, input.manifest.backup_date);
        let etag = &attempt.manifest.pointer.etag;
        JobRequest {
            account: self.account.clone(),
            token: names::job_token(&run.source, date, etag, attempt.number),
            description: names::job_description(&run.source, date, etag, attempt.number),
            role_arn: self.settings.copy_role_arn.clone(),
            priority: run.priority,
            target: input.bucket.name.clone(),
            target_prefix: None,
            storage_class: run.snapshot.storage_class.clone().unwrap_or_else(|| DEFAULT_STORAGE_CLASS.to_owned()),
            manifest: attempt.manifest.clone(),
            report_bucket: self.settings.report_bucket.clone(),
            report_prefix: names::report_prefix(&run.source, date, etag, attempt.number),
        }
    }

    /// The id of the request's job, made now or earlier. None when it is one that failed before this execution began.
    async fn job_id(&self, request: &JobRequest, began: Timestamp) -> Result<Option<String>, StageError> {
        match self.find(&request.description).await? {
            Some(job) if is_past(&job, began) => {
                tracing::info!(job = job.job_id(), "the job of an earlier execution had failed: it is made again");
                Ok(None)
            }
            Some(job) => {
                tracing::info!(job = job.job_id(), "found the job that an earlier try had made");
                id_of(&job, request).map(Some)
            }
            None => self.create(request).await.map(Some),
        }
    }

    async fn create(&self, request: &JobRequest) -> Result<String, StageError> {
        let call = request.fill(self.aws.s3control.create_job()).map_err(|error| {
            StageError::permanent(
                StageError::INPUT_INVALID,
                format!("the request of the copy job is incomplete: {error}"),
            )
        })?;
        match call.send().await {
            Ok(made) => made.job_id().map(str::to_owned).ok_or_else(|| {
                StageError::transient(
                    StageError::AWS_UNAVAILABLE,
                    "CreateJob answered without a job id; it is tried again",
                )
            }),
            Err(error) => self.after_refusal(request, error).await,
        }
    }

    async fn after_refusal(
        &self,
        request: &JobRequest,
        error: SdkError<CreateJobError, HttpResponse>,
    ) -> Result<String, StageError> {
        let known_token = error.as_service_error().is_some_and(CreateJobError::is_idempotency_exception);
        if known_token && let Some(job) = self.find(&request.description).await? {
            return id_of(&job, request);
        }
        let transient = is_transient(&error);
        let refused = aws_error(&format!("CreateJob for {}", request.description), error);
        Err(if transient { refused } else { rejected(request, &refused, known_token) })
    }

    /// Looks for the job by its description, newest first, as far back as AWS remembers.
    async fn find(&self, description: &str) -> Result<Option<JobListDescriptor>, StageError> {
        let mut token = None;
        loop {
            let page = self
                .aws
                .s3control
                .list_jobs()
                .account_id(&self.account)
                .max_results(1000)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| aws_error(&format!("ListJobs in account {}", self.account), error))?;
            if let Some(job) = described(page.jobs(), description) {
                return Ok(Some(job.clone()));
            }
            match page.next_token() {
                Some(next) => token = Some(next.to_owned()),
                None => return Ok(None),
            }
        }
    }
}

fn described<'a>(jobs: &'a [JobListDescriptor], description: &str) -> Option<&'a JobListDescriptor> {
    jobs.iter().find(|job| job.description() == Some(description))
}

fn id_of(job: &JobListDescriptor, request: &JobRequest) -> Result<String, StageError> {
    job.job_id().map(str::to_owned).ok_or_else(|| {
        let cause = format!("ListJobs answered a job without an id: {}; it is tried again", request.description);
        StageError::transient(StageError::AWS_UNAVAILABLE, cause)
    })
}

/// Whether the job was made for an execution before the one that `began`, and has failed or is about to.
///
/// A job of this execution is never past: only a redrive may ask for it again, and the stage JobPoll decides that.
fn is_past(job: &JobListDescriptor, began: Timestamp) -> bool {
    use JobStatus::{Cancelled, Cancelling, Failed, Failing};
    let failed = matches!(job.status(), Some(Failed | Failing | Cancelled | Cancelling));
    let before = job.creation_time().is_some_and(|made| made.secs() < began.as_second());
    failed && before
}

fn rejected(request: &JobRequest, refused: &StageError, known_token: bool) -> StageError {
    let check = if known_token {
        "AWS remembers the token with another request, but lists no job with this description: look in the S3 console for a \
         job of this run under another description"
            .to_owned()
    } else {
        format!(
            "Check that the worker may call s3:CreateJob and iam:PassRole on {}, that this role trusts \
             batchoperations.s3.amazonaws.com, and that s3://{}/{} and the report bucket {} are in this account and Region",
            request.role_arn, request.manifest.pointer.bucket, request.manifest.pointer.key, request.report_bucket
        )
    };
    let cause = format!(
        "AWS would not make the copy job into bucket {}. {} {check}; then redrive the execution.",
        request.target, refused.cause
    );
    StageError::permanent(JOB_REJECTED, cause)
}

impl Stage for JobSubmit {
    const NAME: &'static str = "job-submit";
    type Input = Input;
    type Output = Job;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Job>, StageError> {
        let run = RunKey::new(&input.run.source, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let (job, copy, report) = (input.job.as_ref(), input.copy.as_ref(), input.report.as_ref());
        let mut attempt = choose(&input.manifest, job, copy, report, input.thaw.as_ref(), input.snapshot.as_ref())?;
        let (request, record, id) = loop {
            let record = run.record(&format!("03-job-submit-attempt-{}.json", attempt.number));
            if let Some(job) = self.ledger.read::<Job>(&record).await? {
                return Ok(Progress::Done(job.value));
            }
            let request = self.request(&input, &attempt);
            if attempt.manifest.rows == 0 {
                break (request, record, None);
            }
            match self.job_id(&request, context.execution.start_time).await? {
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
