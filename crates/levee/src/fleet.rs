//! Workers that run only while there is work, as a service that scales to zero with its queues.
//!
//! On a paused clock an idle worker is the most expensive thing of a month: every empty long poll of 20 simulated seconds
//! takes real time. A fleet watches the twin's queues from within the process instead, and starts a stage's worker when a
//! message can be received.

use std::{sync::Arc, time::Duration};

use levee_clock::Clock;
use levee_twin::Twin;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    deploy::{Plan, queue_arn},
    hosts::{Hosted, StageName},
};

/// How long a worker that could not go on rests before it is started again, on the twin's clock.
const REST: Duration = Duration::from_secs(30);

/// The workers of all stages on one twin. Dropped, they are killed.
pub struct Fleet {
    _stages: JoinSet<()>,
}

impl Fleet {
    /// Watches the queues that `plan` names, and hosts the workers of `hosted` on the twin's clock.
    #[must_use]
    pub fn start(twin: &Twin, plan: &Plan, hosted: Hosted) -> Self {
        let hosted = Arc::new(hosted);
        let mut stages = JoinSet::new();
        for stage in StageName::ALL {
            let queue = queue_arn(plan, stage.name());
            let (twin, hosted) = (twin.clone(), Arc::clone(&hosted));
            stages.spawn(async move { host_when_needed(&twin, &queue, stage, &hosted).await });
        }
        Self { _stages: stages }
    }
}

/// Ends when the queue is gone.
async fn host_when_needed(twin: &Twin, queue: &str, stage: StageName, hosted: &Hosted) {
    while twin.queues().until_ready(queue).await.is_ok() {
        let shutdown = CancellationToken::new();
        let worker = levee_stage::host(hosted.workers(&[stage]), shutdown.clone());
        tokio::pin!(worker);
        let ended = tokio::select! {
            biased;
            ended = &mut worker => ended,
            _ = twin.queues().until_idle(queue) => {
                shutdown.cancel();
                worker.await
            }
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "a worker could not go on and is started again");
            rest(twin.clock()).await;
        }
    }
}

async fn rest(clock: &Clock) {
    clock.sleep(REST).await;
}
