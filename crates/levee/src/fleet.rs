//! Workers that run only while there is work, as a service that scales to zero with its queues.
//!
//! On a paused clock an idle worker is the most expensive thing of a month: every empty long poll of 20 simulated seconds
//! takes real time. A fleet watches the twin's queues from within the process instead, and starts a stage's worker when a
//! message can be received.

use std::sync::Arc;

use levee_stage::Aws;
use levee_twin::{Twin, service::Principal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    deploy::{Plan, queue_arn},
    hosts::{Hosted, StageName},
    supervised::Supervisor,
};

/// Makes the workers' common settings for clients.
type Hosting = Arc<dyn Fn(&Aws) -> Hosted + Send + Sync>;

/// The workers of all stages on one twin, each stage a process of its own that can die and that calls as its own role.
/// Dropped, they are killed.
pub struct Fleet {
    _stages: JoinSet<()>,
}

impl Fleet {
    /// Watches the queues that `plan` names, and hosts the workers of what `hosting` makes.
    #[must_use]
    pub fn start(twin: &Twin, plan: &Plan, hosting: impl Fn(&Aws) -> Hosted + Send + Sync + 'static) -> Self {
        let hosting: Hosting = Arc::new(hosting);
        let mut stages = JoinSet::new();
        for stage in StageName::ALL {
            let (twin, queue, hosting) = (twin.clone(), queue_arn(plan, stage.name()), Arc::clone(&hosting));
            let role = Principal::Role(plan.worker_role_arn(stage.name()));
            let process = Supervisor::new(&twin, &plan.backup_account, move |process| {
                hosting(&process.aws(&role)).workers(&[stage])
            });
            stages.spawn(async move { host_when_needed(&twin, &queue, &process).await });
        }
        Self { _stages: stages }
    }
}

/// Ends when the queue is gone.
async fn host_when_needed(twin: &Twin, queue: &str, process: &Supervisor) {
    while twin.queues().until_ready(queue).await.is_ok() {
        let shutdown = CancellationToken::new();
        let running = process.run(shutdown.clone());
        tokio::pin!(running);
        let ended = tokio::select! {
            biased;
            ended = &mut running => ended,
            _ = twin.queues().until_idle(queue) => {
                shutdown.cancel();
                running.await
            }
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "a worker gave up and is started again");
        }
    }
}
