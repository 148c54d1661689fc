//! The life of one job, from `New` to its end.

use std::{sync::Arc, time::Duration};

use aws_sdk_s3::Client;
use futures::{StreamExt, stream};

use super::{
    Shared,
    copy::{self, Outcome, Task},
    faults::{JobFault, JobFaultKind},
    job::{Failure, Progress},
    manifest::{self, Tasks},
    report::{self, Composition},
    spec::JobSpec,
    status::JobStatus,
};
use crate::service::{Caller, Principal};

/// Runs one job.
pub(crate) struct Runner {
    shared: Arc<Shared>,
    id: String,
}

/// Why a job ends before its time.
enum Stop {
    /// It was cancelled, or is gone.
    Cancelled,
    Failed(Failure),
}

impl Stop {
    fn failed(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Failed(Failure { code: code.into(), reason: reason.into() })
    }
}

impl Runner {
    pub(crate) fn new(shared: Arc<Shared>, id: String) -> Self {
        Self { shared, id }
    }

    /// Takes the job to its end. Dropping the future ends it at once, as the end of the twin does.
    pub(crate) async fn run(self) {
        let Some(job) = self.shared.jobs.get(&self.id) else { return };
        let caller = Caller {
            account: job.account.clone(),
            region: job.region.clone(),
            principal: Principal::Role(job.spec.role_arn.clone()),
        };
        let client = self.shared.clients.client(&caller);
        let mut outcomes = Vec::new();
        let mut source_bucket = String::new();
        let worked = self.work(&client, &job.spec, &mut source_bucket, &mut outcomes).await;
        let closed = match worked {
            Ok(()) => self.close(&client, &job.spec, &source_bucket, &outcomes).await,
            Err(stop) => Err(stop),
        };
        if let Err(stop) = closed {
            self.end_early(stop, &client, &job.spec, &source_bucket, &outcomes).await;
        }
        let end = self.shared.jobs.get(&self.id);
        tracing::info!(job = %self.id, status = end.map_or("gone", |job| job.status.name()), "batch job ended");
    }

    /// Everything up to the last task.
    async fn work(
        &self,
        client: &Client,
        spec: &JobSpec,
        source_bucket: &mut String,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Stop> {
        let options = &self.shared.options;
        self.pause(options.new).await?;
        self.become_status(JobStatus::Preparing)?;
        self.pause(options.preparing).await?;
        let Tasks { bucket, tasks } = manifest::read(client, &spec.manifest).await.map_err(Stop::Failed)?;
        source_bucket.clone_from(&bucket);
        let total = u64::try_from(tasks.len()).unwrap_or(u64::MAX);
        self.shared.jobs.update(&self.id, |job| job.progress = Some(Progress { total, ..Progress::default() }));
        self.confirm(spec).await?;
        self.pause(options.ready).await?;
        self.take_turn().await?;
        self.run_tasks(client, spec, &bucket, tasks, outcomes).await
    }

    /// Waits for the confirmation if one is asked for.
    async fn confirm(&self, spec: &JobSpec) -> Result<(), Stop> {
        let suspended = |fault: &JobFault| fault.kind == JobFaultKind::Suspended;
        let cause = match spec.confirmation_required {
            true => "AwaitingConfirmation",
            false if self.job_fault(suspended).is_some() => "Suspended by the plan of faults",
            false => return self.become_status(JobStatus::Ready),
        };
        self.become_status(JobStatus::Suspended)?;
        let now = self.shared.env.clock.now();
        self.shared.jobs.update(&self.id, |job| job.suspended = Some((now, cause)));
        let answered = self.shared.jobs.wait(|_| self.status() != Some(JobStatus::Suspended));
        tokio::select! {
            biased;
            () = answered => {}
            () = self.shared.env.clock.sleep(self.shared.options.confirmation_limit) => {
                return Err(Stop::failed("JobNotConfirmed", "The job was not confirmed in time"));
            }
        }
        self.check()
    }

    /// Waits until the job is among those of its account that may run, and makes it `Active`.
    async fn take_turn(&self) -> Result<(), Stop> {
        let places = self.shared.options.running_jobs;
        let jobs = &self.shared.jobs;
        jobs.wait(|jobs| self.cancelled() || jobs.has_turn(&self.id, places)).await;
        self.check()?;
        self.become_status(JobStatus::Active)
    }

    /// Gives way to jobs of higher priority.
    async fn give_way(&self) -> Result<(), Stop> {
        if self.shared.jobs.has_turn(&self.id, self.shared.options.running_jobs) {
            return Ok(());
        }
        self.become_status(JobStatus::Pausing)?;
        self.pause(self.shared.options.closing).await?;
        self.become_status(JobStatus::Paused)?;
        self.take_turn().await
    }

    async fn run_tasks(
        &self,
        client: &Client,
        spec: &JobSpec,
        bucket: &str,
        tasks: Vec<Task>,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Stop> {
        let options = &self.shared.options;
        let chunk = options.concurrency.max(1);
        let mut tasks = tasks.into_iter();
        let mut failed: u64 = 0;
        loop {
            self.planned_end(outcomes.len()).await?;
            self.give_way().await?;
            let batch: Vec<Task> = tasks.by_ref().take(self.until_planned_end(chunk, outcomes.len())).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let count = u32::try_from(batch.len()).unwrap_or(u32::MAX);
            if let Some(each) = Duration::from_secs(1).checked_div(options.tasks_per_second) {
                self.pause(each.saturating_mul(count)).await?;
            }
            let done: Vec<Outcome> = stream::iter(batch)
                .map(|task| self.run_task(client, spec, bucket, task))
                .buffered(chunk)
                .collect()
                .await;
            let bad = u64::try_from(done.iter().filter(|outcome| outcome.error.is_some()).count()).unwrap_or(u64::MAX);
            failed += bad;
            outcomes.extend(done);
            self.shared.jobs.count(&self.id, u64::from(count) - bad, bad);
            let ran = u64::try_from(outcomes.len()).unwrap_or(u64::MAX);
            if ran >= options.threshold_tasks && failed.saturating_mul(2) > ran {
                let reason = format!("The job failed because more than 50% of the {ran} tasks that ran have failed");
                return Err(Stop::failed("FailureThresholdExceeded", reason));
            }
        }
    }

    async fn run_task(&self, client: &Client, spec: &JobSpec, bucket: &str, task: Task) -> Outcome {
        let (plan, ordinal) = self.faults();
        let error = match plan.row(&task.key, ordinal) {
            Some(class) => Some(copy::planned(class, &self.shared.env.ids)),
            None => copy::run(client, bucket, &spec.copy, &task).await.err(),
        };
        Outcome { task, error }
    }

    /// Fails or stalls where the plan of faults says so.
    async fn planned_end(&self, ran: usize) -> Result<(), Stop> {
        let due = |fault: &JobFault| at(fault.after_tasks) <= ran && fault.kind != JobFaultKind::Suspended;
        match self.job_fault(due).map(|fault| fault.kind) {
            Some(JobFaultKind::Fails { code, reason }) => return Err(Stop::failed(code, reason)),
            Some(JobFaultKind::Stalls) => {
                self.shared.jobs.wait(|_| self.cancelled() || self.job_fault(due).is_none()).await;
            }
            Some(JobFaultKind::Suspended) | None => {}
        }
        self.check()
    }

    /// How many tasks to run before the plan of faults wants to be asked again, at most `chunk`.
    fn until_planned_end(&self, chunk: usize, ran: usize) -> usize {
        let later = |fault: &JobFault| at(fault.after_tasks) > ran && fault.kind != JobFaultKind::Suspended;
        self.job_fault(later).map_or(chunk, |fault| chunk.min(at(fault.after_tasks) - ran))
    }

    /// After the last task: the report, then `Complete`.
    async fn close(&self, client: &Client, spec: &JobSpec, bucket: &str, outcomes: &[Outcome]) -> Result<(), Stop> {
        self.become_status(JobStatus::Completing)?;
        self.pause(self.shared.options.closing).await?;
        self.write_report(client, spec, bucket, outcomes).await.map_err(Stop::Failed)?;
        self.become_status(JobStatus::Complete)
    }

    /// Ends a job that failed or was cancelled. The tasks that ran before have their rows in the report.
    async fn end_early(&self, stop: Stop, client: &Client, spec: &JobSpec, bucket: &str, outcomes: &[Outcome]) {
        let clock = &self.shared.env.clock;
        let end = match stop {
            Stop::Cancelled => JobStatus::Cancelled,
            Stop::Failed(failure) => {
                self.shared.jobs.fail(&self.id, failure, clock.now());
                // A job that was cancelled in the meantime stays so.
                if self.cancelled() { JobStatus::Cancelled } else { JobStatus::Failed }
            }
        };
        clock.sleep(self.shared.options.closing).await;
        if let Err(failure) = self.write_report(client, spec, bucket, outcomes).await {
            self.shared.jobs.update(&self.id, |job| {
                if !job.failures.contains(&failure) {
                    job.failures.push(failure);
                }
            });
        }
        self.shared.jobs.update(&self.id, |job| {
            job.become_status(end, clock.now());
        });
    }

    async fn write_report(
        &self,
        client: &Client,
        spec: &JobSpec,
        bucket: &str,
        outcomes: &[Outcome],
    ) -> Result<(), Failure> {
        let (plan, ordinal) = self.faults();
        let Some(target) = &spec.report else { return Ok(()) };
        let env = &self.shared.env;
        let composition = Composition {
            target,
            job_id: &self.id,
            source_bucket: bucket,
            outcomes,
            rows_per_file: self.shared.options.rows_per_result_file,
            plan: &plan,
            ordinal,
        };
        let Some(report) = composition.report(&env.ids, env.clock.now())? else { return Ok(()) };
        match plan.report_delay(ordinal) {
            None => report::write(client, target, &report).await,
            Some(delay) => {
                // The job does not wait for a report that is planned to be late.
                let (client, target, stop) = (client.clone(), target.clone(), self.shared.stop.clone());
                let clock = env.clock.clone();
                tokio::spawn(stop.run_until_cancelled_owned(async move {
                    clock.sleep(delay).await;
                    if let Err(failure) = report::write(&client, &target, &report).await {
                        tracing::warn!(reason = %failure.reason, "a late report could not be written");
                    }
                }));
                Ok(())
            }
        }
    }

    fn status(&self) -> Option<JobStatus> {
        self.shared.jobs.get(&self.id).map(|job| job.status)
    }

    fn cancelled(&self) -> bool {
        matches!(self.status(), None | Some(JobStatus::Cancelling))
    }

    fn check(&self) -> Result<(), Stop> {
        if self.cancelled() { Err(Stop::Cancelled) } else { Ok(()) }
    }

    /// Waits, unless the job is cancelled.
    async fn pause(&self, duration: Duration) -> Result<(), Stop> {
        tokio::select! {
            biased;
            () = self.shared.jobs.wait(|_| self.cancelled()) => {}
            () = self.shared.env.clock.sleep(duration) => {}
        }
        self.check()
    }

    fn become_status(&self, next: JobStatus) -> Result<(), Stop> {
        let now = self.shared.env.clock.now();
        let mut changed = false;
        self.shared.jobs.update(&self.id, |job| changed = job.become_status(next, now));
        if changed { Ok(()) } else { Err(Stop::Cancelled) }
    }

    fn faults(&self) -> (super::faults::JobFaults, u64) {
        let number = self.shared.jobs.get(&self.id).map_or(0, |job| job.number);
        self.shared.jobs.faults(number)
    }

    fn job_fault(&self, wanted: impl Fn(&JobFault) -> bool) -> Option<JobFault> {
        let (plan, ordinal) = self.faults();
        plan.job(ordinal, wanted).cloned()
    }
}

fn at(tasks: u64) -> usize {
    usize::try_from(tasks).unwrap_or(usize::MAX)
}
