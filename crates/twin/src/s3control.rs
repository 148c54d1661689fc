//! S3 Batch Operations: jobs that copy every object of a manifest, or ask for its restore, and write a report.
//!
//! Requests are REST-XML under `/v20180820/jobs`. A job runs as a background task on the twin's clock through all the
//! statuses that AWS has; everything it reads and writes goes through S3 API calls with the job's role as the caller, so
//! that bucket policies hold and any S3 can stand behind. What AWS accepts and the twin does not act upon is refused by
//! name. Not recorded anywhere, and therefore ours: the failure codes of a manifest that cannot be read (S3's own code is
//! used) and of a report that cannot be written, how long a token is remembered (as long as its job), and that the whole
//! request takes part in the comparison of tokens.

mod copy;
pub mod faults;
mod job;
mod jobs;
mod manifest;
mod objects;
mod overview;
mod report;
mod runner;
mod spec;
mod status;
mod validate;
mod wire;
mod xml;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use self::copy::{failed_call, with_reasons};
pub use self::status::JobStatus;
use self::{
    faults::JobRules,
    jobs::{Created, Jobs},
    runner::Runner,
    wire::Operation,
    xml::Element,
};
pub(crate) use self::{overview::JobView, wire::OPERATIONS};
use crate::{
    env::{Call, Env},
    needs::{self, Need},
    service::{Caller, HttpService, ServiceError},
};

/// Hands out S3 clients that call as somebody: the way in which jobs and inventories reach objects.
pub trait S3Clients: Send + Sync {
    /// A client whose calls are made by `caller`.
    fn client(&self, caller: &Caller) -> aws_sdk_s3::Client;

    /// The account that owns a bucket, where that is known: the one that a planned fault of objects acts for.
    fn owner(&self, _bucket: &str) -> Option<String> {
        None
    }
}

/// How jobs behave. Times are of the twin's clock.
#[derive(Clone, Debug)]
pub struct ControlOptions {
    /// How long a new job answers `NoSuchJob`.
    pub hidden: Duration,
    /// How long a job stays `New`.
    pub new: Duration,
    /// How long a job is `Preparing`, besides the reading of its manifest.
    pub preparing: Duration,
    /// How long a job is `Ready` before it runs.
    pub ready: Duration,
    /// How many tasks one job runs in a second of the clock; 0 is as many as come.
    pub tasks_per_second: u32,
    /// How many tasks of one job run at the same time.
    pub concurrency: usize,
    /// How long a job is `Completing`, `Cancelling`, `Failing` or `Pausing`, besides the writing of its report.
    pub closing: Duration,
    /// From how many tasks on a job fails when more than half of those that ran have failed.
    pub threshold_tasks: u64,
    /// How long a job waits for its confirmation before it fails.
    pub confirmation_limit: Duration,
    /// How many jobs of an account and Region run at a time; others wait or pause by priority. No limit when absent.
    pub running_jobs: Option<usize>,
    /// How many rows a result file of a report holds at most.
    pub rows_per_result_file: usize,
}

impl Default for ControlOptions {
    fn default() -> Self {
        Self {
            hidden: Duration::ZERO,
            new: Duration::from_secs(2),
            preparing: Duration::from_secs(20),
            ready: Duration::from_secs(5),
            tasks_per_second: 100,
            concurrency: 32,
            closing: Duration::from_secs(10),
            threshold_tasks: 1_000,
            confirmation_limit: Duration::from_secs(30 * 24 * 3600),
            running_jobs: None,
            rows_per_result_file: 1_000_000,
        }
    }
}

/// The service. Its jobs end with it.
pub struct S3Control {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

/// What the service and its jobs share.
struct Shared {
    env: Env,
    clients: Arc<dyn S3Clients>,
    options: ControlOptions,
    jobs: Jobs,
    stop: CancellationToken,
}

impl S3Control {
    /// A service without jobs.
    #[must_use]
    pub fn new(env: Env, clients: Arc<dyn S3Clients>, options: ControlOptions) -> Self {
        let stop = CancellationToken::new();
        let jobs = Jobs::new();
        let shared = Arc::new(Shared { env, clients, options, jobs, stop: stop.clone() });
        Self { shared, _stop: stop.drop_guard() }
    }

    /// Sets the plan of faults, also for jobs that are running; jobs are numbered from here.
    pub(crate) fn set_faults(&self, rules: JobRules) {
        self.shared.jobs.set_rules(rules);
    }

    fn answer(&self, caller: &Caller, request: &http::Request<Bytes>) -> Result<Element, ServiceError> {
        let gate = &self.shared.env.gate;
        let (operation, job) = wire::operation(request).inspect_err(|error| {
            let call = Call {
                service: "s3control",
                operation: "",
                caller,
                resource: request.uri().path(),
                needs: &[],
                facts: &[],
            };
            gate.refused(&call, &error.code, error.status);
        })?;
        let needs = needed(caller, &operation, &job, request.body());
        let call = Call {
            service: "s3control",
            operation: operation.name(),
            caller,
            resource: &job,
            needs: &needs,
            facts: &[],
        };
        let admission = gate.admit(&call)?;
        let result = self.carry_out(caller, operation, &job, request);
        gate.conclude(admission, result.as_ref().err().map(ServiceError::noted));
        result
    }

    fn carry_out(
        &self,
        caller: &Caller,
        operation: Operation,
        job: &str,
        request: &http::Request<Bytes>,
    ) -> Result<Element, ServiceError> {
        wire::check_account(caller, request)?;
        let now = self.shared.env.clock.now();
        let jobs = &self.shared.jobs;
        match operation {
            Operation::CreateJob => self.create(caller, &Element::parse(request.body()).map_err(malformed)?),
            Operation::DescribeJob => {
                jobs.with(caller, job, now, |job| Ok(Element::new("DescribeJobResult").with(job.descriptor(now))))
            }
            Operation::ListJobs(query) => {
                let (page, next) = query.page(jobs.list(caller, now));
                let mut list = Element::new("Jobs");
                list.children.extend(page.iter().map(|job| job.summary(now)));
                let next = next.map(|token| Element::leaf("NextToken", token));
                Ok(Element::new("ListJobsResult").with_some(next).with(list))
            }
            Operation::UpdateJobPriority(priority) => jobs.with(caller, job, now, |job| {
                if job.status.is_terminal() {
                    return Err(illegal(job.status, "have its priority changed"));
                }
                job.priority = priority;
                Ok(Element::new("UpdateJobPriorityResult")
                    .with(Element::leaf("JobId", &job.id))
                    .with(Element::leaf("Priority", priority)))
            }),
            Operation::UpdateJobStatus(status, reason) => {
                jobs.with(caller, job, now, |job| update_status(job, status, reason, now))
            }
            Operation::GetJobTagging => jobs.with(caller, job, now, |job| {
                let mut list = Element::new("Tags");
                list.children.extend(job.tags.iter().map(|(key, value)| {
                    Element::new("member").with(Element::leaf("Key", key)).with(Element::leaf("Value", value))
                }));
                Ok(Element::new("GetJobTaggingResult").with(list))
            }),
            Operation::PutJobTagging => {
                let body = Element::parse(request.body()).map_err(malformed)?;
                let list = body.child("Tags").ok_or_else(|| malformed("Tags is required".to_owned()))?;
                let tags = validate::tags(list, 50)?;
                jobs.with(caller, job, now, |job| {
                    job.tags = tags;
                    Ok(Element::new("PutJobTaggingResult"))
                })
            }
            Operation::DeleteJobTagging => jobs.with(caller, job, now, |job| {
                job.tags.clear();
                Ok(Element::new("DeleteJobTaggingResult"))
            }),
        }
    }

    fn create(&self, caller: &Caller, request: &Element) -> Result<Element, ServiceError> {
        let spec = validate::create_job(&caller.account, request)?;
        let shared = &self.shared;
        let times = (shared.env.clock.now(), shared.options.hidden);
        let id = match shared.jobs.create(caller, spec, request.clone(), shared.env.ids.uuid(), times)? {
            Created::Again(id) => id,
            Created::New(id) => {
                let runner = Runner::new(Arc::clone(shared), id.clone());
                let stop = shared.stop.clone();
                tokio::spawn(async move { stop.run_until_cancelled_owned(runner.run()).await });
                id
            }
        };
        Ok(Element::new("CreateJobResult").with(Element::leaf("JobId", id)))
    }
}

/// What the call needs; of a job that is to be made, the body tells it as far as it can be read.
fn needed(caller: &Caller, operation: &Operation, job: &str, body: &Bytes) -> Vec<Need> {
    let made = matches!(operation, Operation::CreateJob).then(|| Element::parse(body).ok()).flatten();
    let role = made.as_ref().and_then(|request| request.text_of("RoleArn"));
    let tagged = made.as_ref().and_then(|request| request.child("Tags")).is_some_and(|tags| !tags.children.is_empty());
    needs::s3control(operation.name(), &needs::job_arn(caller, job), role, tagged)
}

fn update_status(
    job: &mut job::Job,
    requested: JobStatus,
    reason: Option<String>,
    now: jiff::Timestamp,
) -> Result<Element, ServiceError> {
    let changed = match requested {
        JobStatus::Ready => job.status == JobStatus::Suspended && job.become_status(JobStatus::Ready, now),
        _ => job.become_status(JobStatus::Cancelling, now),
    };
    if !changed {
        let what = if requested == JobStatus::Ready { "be confirmed" } else { "be cancelled" };
        return Err(illegal(job.status, what));
    }
    job.status_reason.clone_from(&reason);
    Ok(Element::new("UpdateJobStatusResult")
        .with(Element::leaf("JobId", &job.id))
        .with(Element::leaf("Status", job.status.name()))
        .with_some(reason.map(|text| Element::leaf("StatusUpdateReason", text))))
}

fn illegal(status: JobStatus, what: &str) -> ServiceError {
    let message = format!("A job that is {} cannot {what}", status.name());
    ServiceError::client("JobStatusException", message)
}

fn malformed(message: String) -> ServiceError {
    ServiceError::client("MalformedXML", message)
}

#[async_trait]
impl HttpService for S3Control {
    async fn handle(&self, caller: &Caller, request: http::Request<Bytes>) -> http::Response<Bytes> {
        wire::response(&self.answer(caller, &request), &self.shared.env.ids)
    }
}
