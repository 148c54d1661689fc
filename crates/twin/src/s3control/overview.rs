//! The jobs at a glance.

use jiff::Timestamp;
use serde::Serialize;

use super::{S3Control, job::Job};

/// A job as it is now.
#[derive(Debug, Serialize)]
pub(crate) struct JobView {
    id: String,
    account: String,
    description: Option<String>,
    status: &'static str,
    /// Whether nothing follows its status.
    ended: bool,
    operation: &'static str,
    /// Empty for a job that copies nothing.
    target_bucket: String,
    created: Timestamp,
    terminated: Option<Timestamp>,
    /// Unknown until the manifest has been read.
    total: Option<u64>,
    succeeded: u64,
    failed: u64,
    suspended_cause: Option<&'static str>,
    failures: Vec<FailureView>,
}

#[derive(Debug, Serialize)]
struct FailureView {
    code: String,
    reason: String,
}

impl S3Control {
    /// All jobs of all accounts, the latest first.
    pub(crate) fn overview(&self) -> Vec<JobView> {
        self.shared.jobs.all().iter().map(view).collect()
    }
}

fn view(job: &Job) -> JobView {
    let failure =
        |failure: &super::job::Failure| FailureView { code: failure.code.clone(), reason: failure.reason.clone() };
    JobView {
        id: job.id.clone(),
        account: job.account.clone(),
        description: job.spec.description.clone(),
        status: job.status.name(),
        ended: job.status.is_terminal(),
        operation: job.spec.work.name(),
        target_bucket: job.spec.work.target_bucket().to_owned(),
        created: job.created,
        terminated: job.ended,
        total: job.progress.map(|progress| progress.total),
        succeeded: job.progress.map_or(0, |progress| progress.succeeded),
        failed: job.progress.map_or(0, |progress| progress.failed),
        suspended_cause: job.suspended.map(|(_, cause)| cause),
        failures: job.failures.iter().map(failure).collect(),
    }
}
