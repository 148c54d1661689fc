//! Hosts one stage on its queue.

mod attempt;
mod intake;
mod queue;
mod retry;
mod rounds;
mod task;
mod token;

use std::{sync::Arc, time::Duration};

use levee_clock::Clock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::{
    intake::{Backlog, Intake},
    queue::Queue,
    task::Tasks,
};
use crate::{Aws, Stage, StageError};

pub use retry::RetrySettings;

/// How long stages that were broken off may take to give their messages back.
const SETTLE_TIME: Duration = Duration::from_secs(10);
/// The longest that SQS hides a message.
const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 3600);

/// How a worker treats its queue and its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerSettings {
    /// The queue, by name or by URL (`http://…`, `https://…`).
    pub queue: String,
    /// Tasks at a time; 0 counts as 1.
    pub concurrency: usize,
    /// HeartbeatSeconds of the state machine's tasks. Heartbeats are sent at a third of it, and messages stay hidden for
    /// as long as it from each of them.
    pub heartbeat_limit: Duration,
    /// How long running stages may go on after the shutdown began.
    pub shutdown_grace: Duration,
    /// How transient errors are tried again in place.
    pub retry: RetrySettings,
}

impl WorkerSettings {
    /// The defaults, for a queue by name or by URL: 4 tasks at a time, heartbeat limit 900 s, grace 20 s.
    pub fn for_queue(queue: impl Into<String>) -> Self {
        Self {
            queue: queue.into(),
            concurrency: 4,
            heartbeat_limit: Duration::from_secs(900),
            shutdown_grace: Duration::from_secs(20),
            retry: RetrySettings::default(),
        }
    }

    fn heartbeat_interval(&self) -> Duration {
        (self.heartbeat_limit / 3).max(Duration::from_secs(1))
    }

    fn visibility(&self) -> Duration {
        self.heartbeat_limit.clamp(Duration::from_secs(30), MAX_VISIBILITY)
    }
}

/// Why a worker cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// The queue cannot be used.
    #[error("the worker {stage} cannot use the queue {queue}: {reason}")]
    Queue {
        /// The stage's name.
        stage: &'static str,
        /// The queue as the settings name it.
        queue: String,
        /// What AWS says, and what to do.
        reason: String,
    },
    /// The runtime itself failed.
    #[error("a worker ended without an answer: {reason}")]
    Crashed {
        /// What is known.
        reason: String,
    },
}

/// Hosts one stage on its queue.
pub struct Worker<S> {
    stage: Arc<S>,
    aws: Aws,
    settings: WorkerSettings,
    clock: Clock,
}

impl<S: Stage> Worker<S> {
    /// A worker that works once [`run`](Self::run) is called.
    #[must_use]
    pub fn new(stage: S, aws: &Aws, settings: WorkerSettings, clock: Clock) -> Self {
        Self { stage: Arc::new(stage), aws: aws.clone(), settings, clock }
    }

    /// Works on the queue until `shutdown` is cancelled: then it stops receiving, gives running stages the grace period,
    /// and releases the messages of those that are not done.
    ///
    /// # Errors
    /// The queue does not exist or may not be used. Passing trouble of AWS is waited out.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), WorkerError> {
        let queue = self.find_queue();
        let queue = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            found = queue => found.map_err(|error| self.queue_error(&error))?,
        };
        tracing::info!(stage = S::NAME, queue = %self.settings.queue, concurrency = self.settings.concurrency, "working");
        let tasks = Arc::new(Tasks {
            stage: Arc::clone(&self.stage),
            sfn: self.aws.sfn.clone(),
            queue,
            settings: self.settings.clone(),
            clock: self.clock.clone(),
        });
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        let (backlog, over) = (Backlog::default(), shutdown.child_token());
        running.spawn(rounds(Arc::clone(&tasks), Arc::clone(&backlog), over.clone()));
        let received = Intake::new(tasks, backlog).run(&mut running, &shutdown, &stop).await;
        over.cancel();
        self.drain(running, &stop).await;
        tracing::info!(stage = S::NAME, "stopped");
        received.map_err(|error| self.queue_error(&error))
    }

    async fn find_queue(&self) -> Result<Queue, StageError> {
        let (visibility, retry) = (self.settings.visibility(), self.settings.retry.clone());
        Queue::find(&self.aws.sqs, &self.settings.queue, visibility, retry, self.clock.clone()).await
    }

    /// Lets running tasks end within the grace period, then has them give their messages back.
    async fn drain(&self, mut running: JoinSet<()>, stop: &CancellationToken) {
        let all_ended = async |running: &mut JoinSet<()>| while running.join_next().await.is_some() {};
        if tokio::time::timeout(self.settings.shutdown_grace, all_ended(&mut running)).await.is_ok() {
            return;
        }
        tracing::warn!(
            stage = S::NAME,
            tasks = running.len(),
            "the grace period is over: running stages are broken off"
        );
        stop.cancel();
        if tokio::time::timeout(SETTLE_TIME, all_ended(&mut running)).await.is_err() {
            tracing::error!(
                stage = S::NAME,
                tasks = running.len(),
                "messages could not be released: the queue gives them out again when they become visible"
            );
        }
    }

    fn queue_error(&self, error: &StageError) -> WorkerError {
        WorkerError::Queue { stage: S::NAME, queue: self.settings.queue.clone(), reason: error.cause.clone() }
    }
}

async fn rounds<S: Stage>(tasks: Arc<Tasks<S>>, backlog: Backlog, over: CancellationToken) {
    tasks.keep_rounds(backlog, over).await;
}
