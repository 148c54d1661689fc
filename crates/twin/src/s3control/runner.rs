//! The life of one job, from `New` to its end.

use std::{sync::Arc, time::Duration};

use aws_sdk_s3::Client;
use futures::{StreamExt, stream};

use super::{
    Shared,
    copy::{self, Outcome, Task},
    faults::{Fate, JobFault, JobFaultKind},
    job::{Failure, Job, Progress},
    manifest::{self, Tasks},
    objects,
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
        let worked = self.work(&client, &job, &mut source_bucket, &mut outcomes).await;
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
        job: &Job,
        source_bucket: &mut String,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Stop> {
        let (options, spec) = (&self.shared.options, &job.spec);
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
        objects::spoil(&self.shared, job, &self.fate(), &bucket, &tasks).await.map_err(Stop::Failed)?;
        self.run_tasks(client, spec, &bucket, tasks, outcomes).await
    }

    /// Waits for the confirmation if one is asked for.
    async fn confirm(&self, spec: &JobSpec) -> Result<(), Stop> {
        let planned = self.fate().jobs.into_iter().find(|(_, fault)| fault.kind == JobFaultKind::Suspended);
        let cause = match (spec.confirmation_required, planned) {
            (true, _) => "AwaitingConfirmation",
            (false, Some((place, _))) => {
                self.shared.env.gate.struck("jobs", place);
                "Suspended by the plan of faults"
            }
            (false, None) => return self.become_status(JobStatus::Ready),
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
        self.stand_back(Duration::ZERO).await
    }

    /// Pauses, for a while at least, and goes on when it is the job's turn.
    async fn stand_back(&self, while_paused: Duration) -> Result<(), Stop> {
        self.become_status(JobStatus::Pausing)?;
        self.pause(self.shared.options.closing).await?;
        self.become_status(JobStatus::Paused)?;
        self.pause(while_paused).await?;
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
        let mut played = Vec::new();
        loop {
            self.planned_events(outcomes.len(), &mut played).await?;
            self.give_way().await?;
            let fate = self.fate();
            let batch: Vec<Task> = tasks.by_ref().take(until_next_event(&fate, chunk, outcomes.len())).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let count = u32::try_from(batch.len()).unwrap_or(u32::MAX);
            if let Some(each) = self.time_per_task(&fate, outcomes.len(), &mut played) {
                self.pause(each.saturating_mul(count)).await?;
            }
            let done: Vec<Outcome> = stream::iter(batch)
                .map(|task| self.run_task(client, spec, bucket, task, &fate))
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

    async fn run_task(&self, client: &Client, spec: &JobSpec, bucket: &str, task: Task, fate: &Fate) -> Outcome {
        let env = &self.shared.env;
        let error = match fate.row(&task.key, &env.ids) {
            Some((place, class)) => {
                env.gate.struck("rows", place);
                Some(copy::planned(class, &env.ids))
            }
            None => copy::run(client, bucket, &spec.work, &task).await.err(),
        };
        Outcome { task, error }
    }

    /// Pauses, stalls or fails where the plan of faults says so; each rule once, by its place in the plan.
    async fn planned_events(&self, ran: usize, played: &mut Vec<(usize, JobFault)>) -> Result<(), Stop> {
        for planned in self.fate().jobs {
            if at(planned.1.after_tasks) > ran || !is_event(&planned.1) || played.contains(&planned) {
                continue;
            }
            played.push(planned.clone());
            let (place, fault) = planned;
            self.shared.env.gate.struck("jobs", place);
            match fault.kind {
                JobFaultKind::Fails { code, reason } => return Err(Stop::failed(code, reason)),
                JobFaultKind::Paused { seconds } => self.stand_back(Duration::from_secs(seconds)).await?,
                JobFaultKind::Stalls => {
                    let planned = || self.fate().jobs.iter().any(|(_, fault)| fault.kind == JobFaultKind::Stalls);
                    self.shared.jobs.wait(|_| self.cancelled() || !planned()).await;
                }
                JobFaultKind::Suspended | JobFaultKind::Slow { .. } => {}
            }
        }
        self.check()
    }

    /// How long one task takes, if that is limited.
    fn time_per_task(&self, fate: &Fate, ran: usize, played: &mut Vec<(usize, JobFault)>) -> Option<Duration> {
        let slow = fate.jobs.iter().find_map(|planned| match planned.1.kind {
            JobFaultKind::Slow { seconds_per_task } if at(planned.1.after_tasks) <= ran => {
                Some((planned, seconds_per_task))
            }
            _ => None,
        });
        let Some((planned, seconds)) = slow else {
            return Duration::from_secs(1).checked_div(self.shared.options.tasks_per_second);
        };
        if !played.contains(planned) {
            played.push(planned.clone());
            self.shared.env.gate.struck("jobs", planned.0);
        }
        Some(Duration::from_secs(seconds))
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
        let Some(target) = &spec.report else { return Ok(()) };
        let (env, fate) = (&self.shared.env, self.fate());
        let composition = Composition {
            target,
            job_id: &self.id,
            source_bucket: bucket,
            outcomes,
            rows_per_file: self.shared.options.rows_per_result_file,
            fate: &fate,
            gate: env.gate.as_ref(),
        };
        let Some(report) = composition.report(&env.ids, env.clock.now())? else { return Ok(()) };
        match fate.report_delay() {
            None => report::write(client, target, &report).await,
            Some((place, delay)) => {
                env.gate.struck("reports", place);
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

    /// The rules of the plan of faults that strike this job, as they hold now.
    fn fate(&self) -> Fate {
        let number = self.shared.jobs.get(&self.id).map_or(0, |job| job.number);
        self.shared.jobs.fate(number, &self.shared.env.ids)
    }
}

/// How many tasks to run before the plan of faults wants to be asked again, at most `chunk`.
fn until_next_event(fate: &Fate, chunk: usize, ran: usize) -> usize {
    // A slow job shows its progress task by task.
    let slow = |(_, fault): &(usize, JobFault)| {
        matches!(fault.kind, JobFaultKind::Slow { .. }) && at(fault.after_tasks) <= ran
    };
    let chunk = if fate.jobs.iter().any(slow) { 1 } else { chunk };
    let later = fate.jobs.iter().map(|(_, fault)| at(fault.after_tasks)).filter(|due| *due > ran);
    later.min().map_or(chunk, |due| chunk.min(due - ran))
}

/// Whether the fault happens at one moment between two tasks.
fn is_event(fault: &JobFault) -> bool {
    !matches!(fault.kind, JobFaultKind::Suspended | JobFaultKind::Slow { .. })
}

fn at(tasks: u64) -> usize {
    usize::try_from(tasks).unwrap_or(usize::MAX)
}
