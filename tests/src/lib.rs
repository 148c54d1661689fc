//! A rig for whole nights: a warehouse and a backup account on the twin, deployed as in production, with the workers as
//! tasks, on paused time.
//!
//! ```text
//! RigBuilder -> Rig: fill, start, run until ended, look, redrive
//! ```

mod archived;
mod large;
mod memory;
pub mod overhead;
mod small_table;
mod steps;

use std::time::Duration;

use anyhow::{Context, Result, bail};
pub use archived::Archive;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sfn::types::ExecutionStatus;
use jiff::{Timestamp, civil::Date};
use levee::{
    deploy::{Accounts, Deployed, Plan, deploy},
    supervised::Supervisor,
};
use levee_clock::Clock;
use levee_stage::Aws;
use levee_twin::{FaultPlan, Twin, TwinBuilder, service::Principal};
pub use memory::peak_memory_kib;
use serde_json::Value;
pub use small_table::small_table;
pub use steps::{Captured, Hands};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often the execution is looked at, on the twin's clock.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// When to give up, on the twin's clock.
const LONGEST_NIGHT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a night is set up with.
pub struct RigBuilder {
    now: Timestamp,
    plan: Plan,
    twin: Box<dyn FnOnce(TwinBuilder) -> TwinBuilder>,
}

impl RigBuilder {
    /// A night of the bucket `source`; the clock shows `now` at first.
    #[must_use]
    pub fn new(source: &str, now: Timestamp) -> Self {
        Self { now, plan: Plan::for_source(source), twin: Box::new(|builder| builder) }
    }

    /// Other names and settings than those of [`Plan::for_source`].
    #[must_use]
    pub fn plan(mut self, settings: impl FnOnce(Plan) -> Plan) -> Self {
        self.plan = settings(self.plan);
        self
    }

    /// Further settings of the twin: faults, how jobs behave.
    #[must_use]
    pub fn twin(mut self, settings: impl FnOnce(TwinBuilder) -> TwinBuilder + 'static) -> Self {
        self.twin = Box::new(settings);
        self
    }

    /// Deploys everything. Must be called on a paused runtime. Workers start with the first execution: their long polls
    /// through idle days would be most of a test's real time.
    ///
    /// # Errors
    /// The first call that the twin refuses.
    pub async fn build(self) -> Result<Rig> {
        let plan = self.plan;
        let clock = Clock::starting_at(self.now);
        let twin = (self.twin)(Twin::builder().clock(clock.clone()).seed(1).region(&plan.region)).build();
        let accounts = Accounts {
            warehouse: Aws::new(&twin.sdk_config(&plan.warehouse_account, &Principal::Root)),
            backup: Aws::new(&twin.sdk_config(&plan.backup_account, &Principal::Root)),
        };
        let deployed = deploy(&accounts, &plan).await.context("the deployment failed")?;
        let sheltered = twin.connector().sheltered();
        let watching = Aws::new(&twin.sdk_config_on(sheltered, &plan.backup_account, &Principal::Root));
        Ok(Rig { twin, clock, plan, accounts, deployed, watching, workers: None })
    }
}

/// A deployed twin with workers.
pub struct Rig {
    /// The local AWS.
    pub twin: Twin,
    /// Its clock.
    pub clock: Clock,
    /// The names of everything.
    pub plan: Plan,
    /// Clients of both accounts.
    pub accounts: Accounts,
    /// The state machine and the queues.
    pub deployed: Deployed,
    /// Starts, redrives and watches executions; planned faults do not strike it.
    watching: Aws,
    workers: Option<(CancellationToken, JoinHandle<()>)>,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Its status.
    pub status: ExecutionStatus,
    /// The error of one that failed.
    pub error: Option<String>,
    /// The cause of one that failed.
    pub cause: Option<String>,
    /// The output of one that succeeded; else `Null`.
    pub output: Value,
}

impl Rig {
    /// Starts all workers, unless they run, each as its own role, in one process that a supervisor starts again when the plan
    /// of faults kills it.
    pub fn start_workers(&mut self) {
        if self.workers.is_some() {
            return;
        }
        let shutdown = CancellationToken::new();
        let (supervisor, stop) = (Supervisor::of_deployment(&self.twin, &self.plan), shutdown.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = supervisor.run(stop).await {
                eprintln!("a worker cannot go on: {error}");
            }
        });
        self.workers = Some((shutdown, task));
    }

    /// Stops all workers as a supervisor does when a new version is rolled out: they give back what they work on.
    ///
    /// # Errors
    /// Their task panicked.
    pub async fn stop_workers(&mut self) -> Result<()> {
        if let Some((shutdown, task)) = self.workers.take() {
            shutdown.cancel();
            task.await.context("the workers did not end by themselves")?;
        }
        Ok(())
    }

    /// Kills all workers, as a crash would: nothing is finished or released.
    pub fn kill_workers(&mut self) {
        if let Some((_, task)) = self.workers.take() {
            task.abort();
        }
    }

    /// Puts objects into the source bucket.
    ///
    /// # Errors
    /// The first call that the twin refuses.
    pub async fn fill(&self, objects: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<()> {
        for (key, body) in objects {
            let put = self.accounts.warehouse.s3.put_object().bucket(&self.plan.source).key(&key);
            put.body(ByteStream::from(body)).send().await.with_context(|| format!("cannot put {key:?}"))?;
        }
        Ok(())
    }

    /// Waits until the clock shows `when`.
    pub async fn sleep_until(&self, when: Timestamp) {
        self.clock.sleep_until(when).await;
    }

    /// Starts the execution for a backup date, and the workers unless they run; answers its ARN.
    ///
    /// # Errors
    /// The call is refused.
    pub async fn start(&mut self, backup_date: Date) -> Result<String> {
        let input = self.plan.execution_input(backup_date, 2);
        self.start_with(&self.plan.execution_name(backup_date), &input).await
    }

    /// Like [`start`](Self::start), with a name and an input of the test's own.
    ///
    /// # Errors
    /// The call is refused.
    pub async fn start_with(&mut self, name: &str, input: &Value) -> Result<String> {
        self.start_workers();
        let start = self.watching.sfn.start_execution().state_machine_arn(&self.deployed.state_machine_arn);
        let started = start.name(name).input(input.to_string()).send().await.context("cannot start the execution")?;
        Ok(started.execution_arn().to_owned())
    }

    /// Redrives an execution that has ended without success.
    ///
    /// # Errors
    /// The call is refused.
    pub async fn redrive(&self, arn: &str) -> Result<()> {
        self.watching.sfn.redrive_execution().execution_arn(arn).send().await.context("cannot redrive")?;
        Ok(())
    }

    /// Lets time pass until the execution has ended.
    ///
    /// # Errors
    /// It still runs after 30 days of the clock, or cannot be looked at.
    pub async fn until_ended(&self, arn: &str) -> Result<Ended> {
        let began = self.clock.now();
        loop {
            self.clock.sleep(LOOK_EVERY).await;
            let seen = self.watching.sfn.describe_execution().execution_arn(arn).send().await?;
            if *seen.status() != ExecutionStatus::Running {
                let output = seen.output().map(serde_json::from_str).transpose()?.unwrap_or(Value::Null);
                let (error, cause) = (seen.error().map(str::to_owned), seen.cause().map(str::to_owned));
                return Ok(Ended { status: seen.status().clone(), error, cause, output });
            }
            if self.clock.now().duration_since(began).unsigned_abs() > LONGEST_NIGHT {
                bail!("the execution {arn} still runs after 30 days");
            }
        }
    }

    /// The keys of the ledger, in order.
    ///
    /// # Errors
    /// The listing is refused.
    pub async fn ledger_keys(&self) -> Result<Vec<String>> {
        let ledger = levee_ledger::Ledger::new(self.accounts.backup.s3.clone(), &self.plan.ledger_bucket);
        Ok(ledger.list("").await?)
    }

    /// The bytes of an object; nothing when there is none.
    ///
    /// # Errors
    /// The call is refused for another reason.
    pub async fn object(&self, aws: &Aws, bucket: &str, key: &str) -> Result<Option<Vec<u8>>> {
        match aws.s3.get_object().bucket(bucket).key(key).send().await {
            Ok(found) => Ok(Some(found.body.collect().await?.to_vec())),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {key:?} of {bucket}")),
        }
    }

    /// How often an operation was called, by its name (`CreateJob`).
    #[must_use]
    pub fn calls_of(&self, operation: &str) -> usize {
        self.twin.calls().iter().filter(|call| call.operation == operation).count()
    }

    /// Puts other faults in force from the next call on.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.twin.set_faults(plan);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.kill_workers();
    }
}
