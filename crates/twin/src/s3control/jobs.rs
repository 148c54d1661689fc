//! The jobs of all accounts and Regions.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    faults::{Fate, JobRules},
    job::{Failure, Job, Progress},
    spec::JobSpec,
    status::JobStatus,
    xml::Element,
};
use crate::{
    env::Ids,
    service::{Caller, ServiceError},
};

/// How long a job is kept after its end.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// The jobs, and a way to wait for a change of any of them.
pub(crate) struct Jobs {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    jobs: BTreeMap<String, Job>,
    created: u64,
    rules: JobRules,
    /// How many jobs had been made when the plan of faults was set.
    rules_since: u64,
    /// The bucket that each job copies into, by the job's number; empty for one that copies nothing.
    targets: Vec<String>,
}

/// What CreateJob found.
pub(crate) enum Created {
    /// A new job of that id.
    New(String),
    /// The same request was made before and gave that id.
    Again(String),
}

impl Jobs {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), changes: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Adds a job unless its token was used before. It stays `hidden` for a while.
    ///
    /// # Errors
    /// `IdempotencyException` when the token belongs to another request.
    pub(crate) fn create(
        &self,
        caller: &Caller,
        spec: JobSpec,
        request: Element,
        id: String,
        (now, hidden): (Timestamp, Duration),
    ) -> Result<Created, ServiceError> {
        let mut state = self.lock();
        state.forget(now);
        let same_token = |job: &&Job| job.of(caller) && job.spec.token == spec.token;
        if let Some(job) = state.jobs.values().find(same_token) {
            if job.request == request {
                return Ok(Created::Again(job.id.clone()));
            }
            let message = format!("The token {:?} was used for another request, which made job {}", spec.token, job.id);
            return Err(ServiceError::client("IdempotencyException", message));
        }
        let number = state.created;
        state.created += 1;
        state.targets.push(spec.work.target_bucket().to_owned());
        let job = Job {
            id: id.clone(),
            account: caller.account.clone(),
            region: caller.region.clone(),
            number,
            priority: spec.priority,
            tags: spec.tags.clone(),
            spec,
            request,
            status: JobStatus::New,
            status_reason: None,
            created: now,
            ended: None,
            suspended: None,
            progress: None,
            failures: Vec::new(),
            active: jiff::SignedDuration::ZERO,
            active_since: None,
            visible_from: now.saturating_add(hidden).unwrap_or(now),
        };
        state.jobs.insert(id.clone(), job);
        drop(state);
        self.changed();
        Ok(Created::New(id))
    }

    /// Works on a job that the caller can see.
    ///
    /// # Errors
    /// `NoSuchJob`, or the error of `work`.
    pub(crate) fn with<T>(
        &self,
        caller: &Caller,
        id: &str,
        now: Timestamp,
        work: impl FnOnce(&mut Job) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let mut state = self.lock();
        state.forget(now);
        let found =
            state.jobs.get_mut(id).filter(|job| job.of(caller) && job.visible_from <= now).ok_or_else(no_such_job)?;
        let result = work(found);
        drop(state);
        self.changed();
        result
    }

    /// The jobs that the caller can see, newest first.
    pub(crate) fn list(&self, caller: &Caller, now: Timestamp) -> Vec<Job> {
        let mut state = self.lock();
        state.forget(now);
        let visible = |job: &&Job| job.of(caller) && job.visible_from <= now;
        let mut jobs: Vec<Job> = state.jobs.values().filter(visible).cloned().collect();
        jobs.sort_by_key(|job| std::cmp::Reverse(job.number));
        jobs
    }

    /// The jobs of all accounts, the latest first.
    pub(crate) fn all(&self) -> Vec<Job> {
        let mut jobs: Vec<Job> = self.lock().jobs.values().cloned().collect();
        jobs.sort_by_key(|job| std::cmp::Reverse(job.number));
        jobs
    }

    /// The job as it is, for the one that runs it.
    pub(crate) fn get(&self, id: &str) -> Option<Job> {
        self.lock().jobs.get(id).cloned()
    }

    /// Changes the job, for the one that runs it; `false` when the job is gone.
    pub(crate) fn update(&self, id: &str, work: impl FnOnce(&mut Job)) -> bool {
        let mut state = self.lock();
        let found = state.jobs.get_mut(id).map(work).is_some();
        drop(state);
        self.changed();
        found
    }

    /// Waits until `ready` holds for the job, or the job is gone.
    pub(crate) async fn wait(&self, ready: impl Fn(&Self) -> bool) {
        let mut changes = self.changes.subscribe();
        while !ready(self) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether the job is among the `places` running jobs of its account and Region that go first: by priority, then by
    /// age. Without a number of places every job is.
    pub(crate) fn has_turn(&self, id: &str, places: Option<usize>) -> bool {
        let Some(places) = places else { return true };
        let state = self.lock();
        let Some(own) = state.jobs.get(id) else { return true };
        let wants = |status| {
            use JobStatus::{Active, Completing, Paused, Pausing, Ready};
            matches!(status, Ready | Active | Pausing | Paused | Completing)
        };
        let before = |job: &&Job| {
            job.id != own.id
                && (&job.account, &job.region) == (&own.account, &own.region)
                && wants(job.status)
                && (job.priority, own.number) > (own.priority, job.number)
        };
        state.jobs.values().filter(before).count() < places
    }

    /// The rules of the plan of faults that strike the job of that number. A job that was made before the plan was set
    /// counts as the first one after it.
    pub(crate) fn fate(&self, number: u64, ids: &Ids) -> Fate {
        let state = self.lock();
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let (from, to) = (place(state.rules_since.min(number)), place(number).saturating_add(1));
        state.rules.fate(state.targets.get(from..to).unwrap_or_default(), ids)
    }

    pub(crate) fn set_rules(&self, rules: JobRules) {
        let mut state = self.lock();
        state.rules = rules;
        state.rules_since = state.created;
        drop(state);
        self.changed();
    }

    /// Records a reason why the job failed, and that it is failing.
    pub(crate) fn fail(&self, id: &str, failure: Failure, now: Timestamp) {
        self.update(id, |job| {
            if job.become_status(JobStatus::Failing, now) {
                job.failures.push(failure);
            }
        });
    }

    /// Counts tasks that have run.
    pub(crate) fn count(&self, id: &str, succeeded: u64, failed: u64) {
        self.update(id, |job| {
            let progress = job.progress.get_or_insert_with(Progress::default);
            progress.succeeded += succeeded;
            progress.failed += failed;
        });
    }
}

impl State {
    fn forget(&mut self, now: Timestamp) {
        let kept = |job: &mut Job| match job.ended {
            Some(ended) => Duration::try_from(now.duration_since(ended)).is_ok_and(|age| age < KEPT),
            None => true,
        };
        self.jobs.retain(|_, job| kept(job));
    }
}

impl Job {
    fn of(&self, caller: &Caller) -> bool {
        self.account == caller.account && self.region == caller.region
    }
}

/// The answer for a job that is not there (or no longer, or not of this account and Region).
pub(crate) fn no_such_job() -> ServiceError {
    ServiceError { code: "NoSuchJob".into(), message: "The specified job does not exist".into(), status: 404 }
}
