//! One job and its description.

use jiff::{SignedDuration, Timestamp};

use super::{spec::JobSpec, status::JobStatus, xml::Element};

/// Why a job as a whole failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) reason: String,
}

/// How far a job has come. Unknown until the manifest has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) total: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
}

/// A job as the service keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// The jobs of the twin are numbered from 0 in the order of their creation.
    pub(crate) number: u64,
    pub(crate) spec: JobSpec,
    /// The request that made it, for the comparison of a repeated one.
    pub(crate) request: Element,
    pub(crate) priority: i32,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) status: JobStatus,
    pub(crate) status_reason: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) suspended: Option<(Timestamp, &'static str)>,
    pub(crate) progress: Option<Progress>,
    pub(crate) failures: Vec<Failure>,
    /// Time in `Active` before the present stretch, and when that began.
    pub(crate) active: SignedDuration,
    pub(crate) active_since: Option<Timestamp>,
    /// Until then the job answers `NoSuchJob`, as a job of AWS may just after its creation.
    pub(crate) visible_from: Timestamp,
}

impl Job {
    /// Changes the status if that is a legal change; keeps the times that go with it.
    pub(crate) fn become_status(&mut self, next: JobStatus, now: Timestamp) -> bool {
        if !self.status.may_become(next) {
            return false;
        }
        if let Some(since) = self.active_since.take() {
            self.active = self.active.saturating_add(now.duration_since(since));
        }
        if next == JobStatus::Active {
            self.active_since = Some(now);
        }
        if next.is_terminal() {
            self.ended = Some(now);
        }
        self.status = next;
        true
    }

    fn arn(&self) -> String {
        format!("arn:aws:s3:{}:{}:job/{}", self.region, self.account, self.id)
    }

    fn progress_element(&self, now: Timestamp) -> Option<Element> {
        let progress = self.progress?;
        let running = self.active_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        let seconds = self.active.saturating_add(running).as_secs();
        Some(
            Element::new("ProgressSummary")
                .with(Element::leaf("TotalNumberOfTasks", progress.total))
                .with(Element::leaf("NumberOfTasksSucceeded", progress.succeeded))
                .with(Element::leaf("NumberOfTasksFailed", progress.failed))
                .with(Element::new("Timers").with(Element::leaf("ElapsedTimeInActiveSeconds", seconds))),
        )
    }

    /// The `Job` of DescribeJob.
    pub(crate) fn descriptor(&self, now: Timestamp) -> Element {
        let mut element = Element::new("Job")
            .with(Element::leaf("JobId", &self.id))
            .with(Element::leaf("ConfirmationRequired", self.spec.confirmation_required))
            .with_some(self.spec.description.as_ref().map(|text| Element::leaf("Description", text)))
            .with(Element::leaf("JobArn", self.arn()))
            .with(Element::leaf("Status", self.status.name()));
        element.children.extend(self.spec.echo.iter().cloned());
        let mut failures = Element::new("FailureReasons");
        failures.children.extend(self.failures.iter().map(|failure| {
            Element::new("member")
                .with(Element::leaf("FailureCode", &failure.code))
                .with(Element::leaf("FailureReason", &failure.reason))
        }));
        element
            .with(Element::leaf("Priority", self.priority))
            .with_some(self.progress_element(now))
            .with_some(self.status_reason.as_ref().map(|text| Element::leaf("StatusUpdateReason", text)))
            .with(failures)
            .with(Element::leaf("CreationTime", time(self.created)))
            .with_some(self.ended.map(|when| Element::leaf("TerminationDate", time(when))))
            .with(Element::leaf("RoleArn", &self.spec.role_arn))
            .with_some(self.suspended.map(|(when, _)| Element::leaf("SuspendedDate", time(when))))
            .with_some(self.suspended.map(|(_, cause)| Element::leaf("SuspendedCause", cause)))
    }

    /// The `member` of ListJobs.
    pub(crate) fn summary(&self, now: Timestamp) -> Element {
        Element::new("member")
            .with(Element::leaf("JobId", &self.id))
            .with_some(self.spec.description.as_ref().map(|text| Element::leaf("Description", text)))
            .with(Element::leaf("Operation", self.spec.work.name()))
            .with(Element::leaf("Priority", self.priority))
            .with(Element::leaf("Status", self.status.name()))
            .with(Element::leaf("CreationTime", time(self.created)))
            .with_some(self.ended.map(|when| Element::leaf("TerminationDate", time(when))))
            .with_some(self.progress_element(now))
    }
}

/// A time as S3 Control writes it: UTC with milliseconds.
fn time(when: Timestamp) -> String {
    when.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
