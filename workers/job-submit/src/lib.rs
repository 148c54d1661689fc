//! The stage that makes the copy job of an attempt: one job, however often it is asked for.
//!
//! Three things keep it one: the ledger's record of the attempt, the job's description, which ListJobs answers for 90 days,
//! and the deterministic request token, for calls that overlap.

mod choice;
mod request;

pub use choice::{Attempt, choose};
pub use request::JobRequest;

use aws_sdk_s3control::operation::{create_job::CreateJobError, list_jobs::ListJobsOutput};
use aws_sdk_s3control::{config::http::HttpResponse, error::SdkError};
use levee_ledger::{
    Ledger, RunKey, names,
    state::{Bucket, Copy, Job, Manifest, Report, Run},
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

/// The part of the state that the stage reads. The last three are there when the machine comes back to it.
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
            storage_class: run.snapshot.storage_class.clone().unwrap_or_else(|| DEFAULT_STORAGE_CLASS.to_owned()),
            manifest: attempt.manifest.clone(),
            report_bucket: self.settings.report_bucket.clone(),
            report_prefix: names::report_prefix(&run.source, date, etag, attempt.number),
        }
    }

    /// The id of the request's job, made now or earlier.
    async fn job_id(&self, request: &JobRequest) -> Result<String, StageError> {
        if let Some(id) = self.find(&request.description).await? {
            tracing::info!(job = %id, "found the job that an earlier try had made");
            return Ok(id);
        }
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
        if known_token && let Some(id) = self.find(&request.description).await? {
            return Ok(id);
        }
        let transient = is_transient(&error);
        let refused = aws_error(&format!("CreateJob for {}", request.description), error);
        Err(if transient { refused } else { rejected(request, &refused, known_token) })
    }

    /// Looks for the job by its description, newest first, as far back as AWS remembers.
    async fn find(&self, description: &str) -> Result<Option<String>, StageError> {
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
            if let Some(id) = described(&page, description) {
                return Ok(Some(id));
            }
            match page.next_token() {
                Some(next) => token = Some(next.to_owned()),
                None => return Ok(None),
            }
        }
    }
}

fn described(page: &ListJobsOutput, description: &str) -> Option<String> {
    let job = page.jobs().iter().find(|job| job.description() == Some(description))?;
    job.job_id().map(str::to_owned)
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
        let attempt = choose(&input.manifest, input.job.as_ref(), input.copy.as_ref(), input.report.as_ref())?;
        let record = run.record(&format!("03-job-submit-attempt-{}.json", attempt.number));
        if let Some(job) = self.ledger.read::<Job>(&record).await? {
            return Ok(Progress::Done(job.value));
        }
        let request = self.request(&input, &attempt);
        let id = if attempt.manifest.rows == 0 { None } else { Some(self.job_id(&request).await?) };
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
