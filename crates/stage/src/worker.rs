//! Hosts one stage on its queue.

use std::{sync::Arc, time::Duration};

use levee_clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::{Aws, Stage};

/// How a worker treats its queue and its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerSettings {
    /// The queue, by name or by URL (`http://…`, `https://…`).
    pub queue: String,
    /// Tasks at a time; at least 1.
    pub concurrency: usize,
    /// HeartbeatSeconds of the state machine's tasks. Heartbeats are sent at a third of it.
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
}

/// Exponential backoff with full jitter: each delay is drawn between nothing and a bound that doubles.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySettings {
    /// Tries after the first.
    pub times: usize,
    /// The first bound.
    pub min_delay: Duration,
    /// No bound grows above this.
    pub max_delay: Duration,
    /// No further try begins when the delays would add up to more.
    pub total_delay: Duration,
    /// Makes the jitter repeatable.
    pub seed: Option<u64>,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            times: 6,
            min_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(30),
            total_delay: Duration::from_secs(120),
            seed: None,
        }
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
        let _ = (&self.stage, &self.aws, &self.settings, &self.clock, shutdown);
        todo!()
    }
}
