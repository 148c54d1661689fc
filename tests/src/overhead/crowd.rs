//! Many sources of one deployment, backed up at the same moment.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_sfn::types::ExecutionStatus;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, civil::date};
use levee::{
    deploy::{Accounts, Deployed, Plan, deploy_all},
    hosts::{Hosted, StageName},
};
use levee_clock::Clock;
use levee_stage::Aws;
use levee_twin::{Twin, service::Principal};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Life, MessageLog, Wire};
use crate::small_table;

/// The tables of each source; each has a commit and a data file.
const TABLES: u64 = 3;
/// How long after the start the inventories come: all runs wait for them then, and look every 5 minutes.
const DELIVERED_AFTER: Duration = Duration::from_secs(120);
/// How often the crowd is looked at, on the twin's clock.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// When to give up, on the twin's clock.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How many calls the crowd itself makes at a time.
const AT_ONCE: usize = 16;

/// Runs to be played. Needs a paused current-thread runtime.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// How many runs there are, each of a source of its own.
    pub runs: usize,
    /// How long a call of a worker takes on the twin's clock, on average.
    pub call: Duration,
    /// Tasks that each worker does at a time; what it does by default without one.
    pub places: Option<u16>,
}

/// What was seen of a crowd.
pub struct Played {
    /// Every message of every stage.
    pub lives: Vec<Life>,
    /// Messages in the dead-letter queues.
    pub dead: u64,
    /// A run each.
    pub runs: Vec<Milestones>,
    /// What the machine took from the first start to the last end.
    pub took: Duration,
    /// Calls of AWS between the two, of everybody.
    pub calls: u64,
}

/// When a run got where, by the twin's clock.
#[derive(Clone, Debug)]
pub struct Milestones {
    /// The name of the execution.
    pub run: String,
    /// When the inventory was delivered.
    pub delivered: Timestamp,
    /// When the copy job was created.
    pub job_created: Timestamp,
    /// When it ended.
    pub job_done: Timestamp,
}

impl Crowd {
    /// Deploys the sources, lets every run wait for its inventory, delivers all of them, and follows the runs to their ends.
    ///
    /// # Errors
    /// The twin refuses a call, or a run does not succeed.
    pub async fn play(self) -> Result<Played> {
        let stage = Stage::set(self).await?;
        let _workers = stage.workers();
        let (began, calls) = (std::time::Instant::now(), stage.twin.gate().count());
        stage.start().await?;
        stage.clock.sleep(DELIVERED_AFTER).await;
        let delivered = stage.deliver().await?;
        stage.until_ended().await?;
        let (took, calls) = (began.elapsed(), stage.twin.gate().count() - calls);
        let runs = stage.milestones(delivered).await?;
        let dead = stage.log.dead().values().sum();
        Ok(Played { lives: stage.log.lives(), dead, runs, took, calls })
    }
}

/// The deployment.
struct Stage {
    crowd: Crowd,
    twin: Twin,
    clock: Clock,
    plans: Vec<Plan>,
    plan: Plan,
    accounts: Accounts,
    deployed: Deployed,
    log: MessageLog,
}

impl Stage {
    async fn set(crowd: Crowd) -> Result<Self> {
        let clock = Clock::starting_at("2026-04-02T02:00:00Z".parse()?);
        let plans: Vec<Plan> = (0..crowd.runs).map(|number| Plan::for_source(&source_name(number))).collect();
        let plan = plans.first().cloned().context("there are no runs to be played")?;
        let log = MessageLog::new(clock.clone());
        // The calls are counted; a record of them all would be most of the memory.
        let twin = Twin::builder().clock(clock.clone()).seed(1).region(&plan.region).record_limit(0);
        let twin = twin.message_watcher(Arc::new(log.clone())).build();
        let clients = |account| Aws::new(&twin.sdk_config(account, &Principal::Root));
        let accounts = Accounts { warehouse: clients(&plan.warehouse_account), backup: clients(&plan.backup_account) };
        let deployed = deploy_all(&accounts, &plans).await.context("the deployment failed")?;
        let stage = Self { crowd, twin, clock, plans, plan, accounts, deployed, log };
        for plan in &stage.plans {
            stage.fill(plan).await?;
        }
        Ok(stage)
    }

    async fn fill(&self, plan: &Plan) -> Result<()> {
        for (key, body) in (0..TABLES).flat_map(small_table) {
            let put = self.accounts.warehouse.s3.put_object().bucket(&plan.source).key(&key);
            put.body(ByteStream::from(body)).send().await.with_context(|| format!("cannot put {key:?}"))?;
        }
        Ok(())
    }

    /// A process for each stage, as a deployment has by default.
    fn workers(&self) -> JoinSet<()> {
        let mut processes = JoinSet::new();
        for stage in StageName::ALL {
            let role = Principal::Role(self.plan.worker_role_arn(stage.name()));
            let config = self.twin.sdk_config(&self.plan.backup_account, &role).into_builder();
            let wire = Wire::new(self.twin.connector(), self.log.clone(), self.crowd.call);
            let aws = Aws::new(&config.http_client(wire).build());
            let hosted = Hosted::in_process(&aws, &self.plan, self.clock.clone());
            let hosted = match self.crowd.places {
                Some(places) => hosted.with_concurrency(places),
                None => hosted,
            };
            let workers = hosted.workers(&[stage]);
            processes.spawn(async move {
                if let Err(error) = levee_stage::host(workers, CancellationToken::new()).await {
                    eprintln!("a worker cannot go on: {error}");
                }
            });
        }
        processes
    }

    async fn start(&self) -> Result<()> {
        let day = date(2026, 3, 31);
        for plan in &self.plans {
            let start = self.accounts.backup.sfn.start_execution().state_machine_arn(&self.deployed.state_machine_arn);
            let input = plan.execution_input(day, 2).to_string();
            start.name(plan.execution_name(day)).input(input).send().await.context("cannot start an execution")?;
        }
        Ok(())
    }

    /// When the inventories were delivered.
    async fn deliver(&self) -> Result<Timestamp> {
        let (scan, inventory) = ("2026-04-02T01:00:00Z".parse()?, self.twin.inventory());
        for plan in &self.plans {
            inventory.deliver_now(&plan.source, &plan.inventory_id, scan).await?;
        }
        Ok(self.clock.now())
    }

    async fn until_ended(&self) -> Result<()> {
        let began = self.clock.now();
        while !self.executions(ExecutionStatus::Running, Some(1)).await?.is_empty() {
            ensure!(self.clock.now().duration_since(began).unsigned_abs() < LONGEST, "runs do not end within a day");
            self.clock.sleep(LOOK_EVERY).await;
        }
        let succeeded = self.executions(ExecutionStatus::Succeeded, None).await?.len();
        ensure!(succeeded == self.crowd.runs, "{succeeded} of {} runs succeeded", self.crowd.runs);
        Ok(())
    }

    /// The ARNs and names of the executions with a status.
    async fn executions(&self, status: ExecutionStatus, most: Option<usize>) -> Result<BTreeMap<String, String>> {
        let list = self.accounts.backup.sfn.list_executions().state_machine_arn(&self.deployed.state_machine_arn);
        let mut items = list.status_filter(status).into_paginator().items().send();
        let mut found = BTreeMap::new();
        while found.len() < most.unwrap_or(usize::MAX)
            && let Some(item) = items.next().await
        {
            let item = item?;
            found.insert(item.execution_arn, item.name);
        }
        Ok(found)
    }

    async fn milestones(&self, delivered: Timestamp) -> Result<Vec<Milestones>> {
        let ended = self.executions(ExecutionStatus::Succeeded, None).await?;
        let looks = stream::iter(ended).map(|(arn, run)| self.milestone(arn, run, delivered)).buffered(AT_ONCE);
        looks.try_collect().await
    }

    async fn milestone(&self, arn: String, run: String, delivered: Timestamp) -> Result<Milestones> {
        let backup = &self.accounts.backup;
        let seen = backup.sfn.describe_execution().execution_arn(arn).send().await?;
        let output: Value = serde_json::from_str(seen.output().unwrap_or_default())?;
        let whole = output.pointer("/tables/verdicts/whole").and_then(Value::as_u64);
        ensure!(whole == Some(TABLES), "{run}: {whole:?} of {TABLES} tables are whole");
        let id = output.pointer("/job/id").and_then(Value::as_str).context("a run had no job")?;
        let job = backup.s3control.describe_job().account_id(&self.plan.backup_account).job_id(id).send().await?;
        let job = job.job.context("a job is gone")?;
        let (job_created, job_done) = (time(job.creation_time)?, time(job.termination_date)?);
        Ok(Milestones { run, delivered, job_created, job_done })
    }
}

/// A name of three letters. The policy of the manifest bucket names every source and has at most 20 KB, which 1,000 longer names
/// would not fit into.
fn source_name(number: usize) -> String {
    let letter = |place: usize| char::from(b'a' + u8::try_from(number / place % 26).unwrap_or_default());
    [676, 26, 1].map(letter).iter().collect()
}

fn time(time: Option<DateTime>) -> Result<Timestamp> {
    let time = time.context("a job has no time")?;
    Ok(Timestamp::from_millisecond(time.to_millis()?)?)
}
