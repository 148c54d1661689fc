//! Several workers in one process.

use futures::future::BoxFuture;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Stage, Worker, WorkerError};

/// A [`Worker`] of any stage, for hosts that run a mixed set of them.
pub trait HostedWorker: Send {
    /// The stage's name.
    fn stage(&self) -> &'static str;

    /// Runs until `shutdown` is cancelled; see [`Worker::run`].
    fn run(self: Box<Self>, shutdown: CancellationToken) -> BoxFuture<'static, Result<(), WorkerError>>;
}

impl<S: Stage> HostedWorker for Worker<S> {
    fn stage(&self) -> &'static str {
        S::NAME
    }

    fn run(self: Box<Self>, shutdown: CancellationToken) -> BoxFuture<'static, Result<(), WorkerError>> {
        Box::pin(Worker::run(*self, shutdown))
    }
}

/// Runs all workers until `shutdown` is cancelled. When one of them cannot go on, the others are shut down too, because a
/// night with a silent stage is worse than a process that its supervisor starts again.
///
/// # Errors
/// The first worker's error.
pub async fn host(workers: Vec<Box<dyn HostedWorker>>, shutdown: CancellationToken) -> Result<(), WorkerError> {
    let shutdown = shutdown.child_token();
    let mut running = JoinSet::new();
    for worker in workers {
        let stage = worker.stage();
        let shutdown = shutdown.clone();
        running.spawn(async move { (stage, worker.run(shutdown).await) });
    }
    let mut outcome = Ok(());
    while let Some(ended) = running.join_next().await {
        let result = match ended {
            Ok((_, result)) => result,
            Err(error) => Err(WorkerError::Crashed { reason: error.to_string() }),
        };
        if let Err(error) = result {
            shutdown.cancel();
            if outcome.is_ok() {
                outcome = Err(error);
            }
        }
    }
    outcome
}
