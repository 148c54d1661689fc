//! Makes jobs, each once.
//!
//! Two things keep a job one: its description, which ListJobs answers for 90 days, and the deterministic request token, for
//! calls that overlap.

use aws_sdk_s3control::{
    Client,
    config::http::HttpResponse,
    error::SdkError,
    operation::create_job::CreateJobError,
    types::{JobDescriptor, JobListDescriptor, JobStatus},
};
use jiff::Timestamp;
use levee_stage::{
    StageError,
    aws::{error_code, http_status, is_transient},
    aws_error,
};

use crate::JobRequest;

/// The error of a job that AWS would not make.
pub const JOB_REJECTED: &str = "Levee.JobRejected";

/// The jobs of an account, in the Region of its client.
#[derive(Clone, Debug)]
pub struct Jobs {
    s3control: Client,
    account: String,
}

impl Jobs {
    /// The jobs that this client reaches.
    #[must_use]
    pub fn new(s3control: &Client, account: &str) -> Self {
        Self { s3control: s3control.clone(), account: account.to_owned() }
    }

    /// The job; nothing when AWS does not know it.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn describe(&self, id: &str) -> Result<Option<JobDescriptor>, StageError> {
        let answer = self.s3control.describe_job().account_id(&self.account).job_id(id).send().await;
        match answer {
            Ok(found) => Ok(found.job().cloned()),
            Err(error) if unknown_job(error_code(&error), http_status(&error)) => Ok(None),
            Err(error) => Err(aws_error(&format!("DescribeJob {id}"), error)),
        }
    }

    /// The id of the request's job, made now or earlier. None when it is one that failed before this execution, which `began`
    /// then, asked for it: then the next attempt is to be made.
    ///
    /// # Errors
    /// AWS would not make the job ([`JOB_REJECTED`]); other AWS errors.
    pub async fn made(&self, request: &JobRequest, began: Timestamp) -> Result<Option<String>, StageError> {
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
        let call = request.fill(self.s3control.create_job()).map_err(|error| {
            StageError::permanent(
                StageError::INPUT_INVALID,
                format!("the request of the {} is incomplete: {error}", request.work.job()),
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
        "AWS would not make the {}. {} {check}; then redrive the execution.",
        request.work.job(),
        refused.cause
    );
    StageError::permanent(JOB_REJECTED, cause)
}

fn unknown_job(code: Option<&str>, status: Option<u16>) -> bool {
    matches!(code, Some("NoSuchJob" | "NotFoundException")) || status == Some(404)
}
