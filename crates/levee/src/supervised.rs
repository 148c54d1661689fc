//! The workers as a supervisor runs them on a server: when their process dies, another one is started.
//!
//! On the twin a process dies where the plan of faults says so. Nothing of it is finished or released then; what it leaves
//! behind is for the next one.

use std::{sync::Arc, time::Duration};

use levee_clock::Clock;
use levee_stage::{Aws, HostedWorker, WorkerError, host};
use levee_twin::{Connector, Twin, service::Principal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    deploy::Plan,
    hosts::{Hosted, StageName},
};

/// How long a supervisor takes to start the next process.
const RESTART_AFTER: Duration = Duration::from_secs(5);
/// After how many processes in a row that ended by themselves the supervisor gives up: something is wrong that no new
/// process mends.
const FAILURES_IN_A_ROW: u32 = 5;

/// Makes the workers of one process.
type Workers = dyn Fn(&Process) -> Vec<Box<dyn HostedWorker>> + Send + Sync;

/// One life of a process on a twin. All its clients die together.
pub struct Process {
    twin: Twin,
    connector: Connector,
    account: String,
}

impl Process {
    /// Clients that call as `principal` of the process's account.
    #[must_use]
    pub fn aws(&self, principal: &Principal) -> Aws {
        Aws::new(&self.twin.sdk_config_on(self.connector.clone(), &self.account, principal))
    }
}

/// One process of workers on a twin, which is started again as often as it ends. Cheap to clone.
#[derive(Clone)]
pub struct Supervisor {
    twin: Twin,
    account: String,
    workers: Arc<Workers>,
    restart_after: Duration,
    lives: watch::Sender<Lives>,
}

/// What a supervisor has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lives {
    /// Processes that the plan of faults has killed.
    pub deaths: u64,
    /// Processes that ended because a worker could not go on.
    pub failures: u64,
}

impl Supervisor {
    /// Hosts what `workers` makes, in processes of `account` that can die.
    pub fn new(
        twin: &Twin,
        account: impl Into<String>,
        workers: impl Fn(&Process) -> Vec<Box<dyn HostedWorker>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            twin: twin.clone(),
            account: account.into(),
            workers: Arc::new(workers),
            restart_after: RESTART_AFTER,
            lives: watch::Sender::default(),
        }
    }

    /// Hosts the workers of what [`deploy`](crate::deploy::deploy) has set up, each as its own role.
    #[must_use]
    pub fn of_deployment(twin: &Twin, plan: &Plan) -> Self {
        let (clock, plan) = (twin.clock().clone(), plan.clone());
        Self::new(twin, plan.backup_account.clone(), move |process| {
            let worker = |stage: StageName| {
                let aws = process.aws(&Principal::Role(plan.worker_role_arn(stage.name())));
                Hosted::in_process(&aws, &plan, clock.clone()).workers(&[stage])
            };
            StageName::ALL.into_iter().flat_map(worker).collect()
        })
    }

    /// How long after its end a process is started again, on the twin's clock; 5 seconds by default.
    #[must_use]
    pub fn restart_after(self, wait: Duration) -> Self {
        Self { restart_after: wait, ..self }
    }

    /// What the supervisor and its clones have seen so far.
    #[must_use]
    pub fn lives(&self) -> watch::Receiver<Lives> {
        self.lives.subscribe()
    }

    /// Runs until `shutdown` is cancelled, which the process that runs then is told.
    ///
    /// # Errors
    /// The last worker's error, when several processes in a row ended because a worker could not go on.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<Lives, WorkerError> {
        let clock: &Clock = self.twin.clock();
        let mut failures_in_a_row = 0;
        loop {
            let (connector, died) = self.twin.connector().mortal();
            let process = Process { twin: self.twin.clone(), connector, account: self.account.clone() };
            // Dropped with the branch that is not taken: a killed process gets no chance to clean up.
            let ended = tokio::select! {
                biased;
                () = died.cancelled() => None,
                ended = host((self.workers)(&process), shutdown.clone()) => Some(ended),
            };
            match ended {
                None => {
                    self.lives.send_modify(|lives| lives.deaths += 1);
                    failures_in_a_row = 0;
                    tracing::warn!("the workers' process died; another one is started");
                }
                Some(Ok(())) => return Ok(*self.lives.borrow()),
                Some(Err(error)) => {
                    self.lives.send_modify(|lives| lives.failures += 1);
                    failures_in_a_row += 1;
                    if shutdown.is_cancelled() || failures_in_a_row >= FAILURES_IN_A_ROW {
                        return Err(error);
                    }
                    tracing::warn!(%error, "the workers' process ended; another one is started");
                }
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(*self.lives.borrow()),
                () = clock.sleep(self.restart_after) => {}
            }
        }
    }
}
