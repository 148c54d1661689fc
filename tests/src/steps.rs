//! Single steps of a night: some stages' workers without the others, a message held in its queue, what was called.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail};
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::{Timestamp, civil::Date};
use levee::hosts::{Hosted, StageName};
use levee_stage::Aws;
use levee_twin::gate::{CallCount, RecordedCall};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{Rig, RigBuilder};

/// Running workers of some stages; dropped, they are killed.
pub struct Hands(JoinHandle<()>);

impl Drop for Hands {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A message that waits in the queue of a stage.
pub struct Captured {
    /// The queue.
    pub queue_url: String,
    /// The message's body.
    pub body: String,
}

impl Rig {
    /// A deployed rig with objects and a delivered inventory that was scanned at 2026-04-02T01:00Z: ready for the backup of
    /// 31 March.
    ///
    /// # Errors
    /// The first call that the twin refuses.
    pub async fn ready(source: &str, objects: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self> {
        let rig = RigBuilder::new(source, "2026-04-02T02:00:00Z".parse()?).build().await?;
        rig.fill(objects).await?;
        rig.deliver("2026-04-02T01:00:00Z".parse()?).await?;
        Ok(rig)
    }

    /// Has the inventory delivered as scanned at `scan`.
    ///
    /// # Errors
    /// It could not be delivered.
    pub async fn deliver(&self, scan: Timestamp) -> Result<()> {
        self.twin.inventory().deliver_now(&self.plan.source, &self.plan.inventory_id, scan).await?;
        Ok(())
    }

    /// Starts the workers of `stages` on clients of their own.
    #[must_use]
    pub fn hands(&self, stages: &[StageName], aws: &Aws) -> Hands {
        self.hands_with(stages, aws, |hosted| hosted)
    }

    /// As [`Self::hands`], with other settings.
    #[must_use]
    pub fn hands_with(&self, stages: &[StageName], aws: &Aws, settings: impl FnOnce(Hosted) -> Hosted) -> Hands {
        let workers = settings(Hosted::in_process(aws, &self.plan, self.clock.clone())).workers(stages);
        Hands(tokio::spawn(async move {
            if let Err(error) = levee_stage::host(workers, CancellationToken::new()).await {
                eprintln!("a worker cannot go on: {error}");
            }
        }))
    }

    /// Starts the execution for a backup date and no worker; answers its ARN.
    ///
    /// # Errors
    /// The call is refused.
    pub async fn start_alone(&self, backup_date: Date) -> Result<String> {
        let input = self.plan.execution_input(backup_date, 2);
        let start = self.accounts.backup.sfn.start_execution().state_machine_arn(&self.deployed.state_machine_arn);
        let start = start.name(self.plan.execution_name(backup_date)).input(input.to_string());
        Ok(start.send().await.context("cannot start the execution")?.execution_arn().to_owned())
    }

    /// Waits for a message in the queue of `stage`, which must have no worker, and leaves it there.
    ///
    /// # Errors
    /// None comes within a day of the clock, or a call is refused.
    pub async fn capture(&self, stage: &str) -> Result<Captured> {
        let queue_url = format!("{}{stage}", self.deployed.queue_url_prefix);
        let sqs = &self.accounts.backup.sqs;
        for _ in 0..1440 {
            let got = sqs.receive_message().queue_url(&queue_url).visibility_timeout(300).send().await?;
            if let Some(message) = got.messages().first() {
                let body = message.body().unwrap_or_default().to_owned();
                let handle = message.receipt_handle().unwrap_or_default();
                let show = sqs.change_message_visibility().queue_url(&queue_url).receipt_handle(handle);
                show.visibility_timeout(0).send().await?;
                return Ok(Captured { queue_url, body });
            }
            self.clock.sleep(Duration::from_secs(60)).await;
        }
        bail!("no message came into {queue_url} within a day")
    }

    /// Sends a captured message once more.
    ///
    /// # Errors
    /// The call is refused.
    pub async fn duplicate(&self, captured: &Captured) -> Result<()> {
        let send = self.accounts.backup.sqs.send_message().queue_url(&captured.queue_url);
        send.message_body(&captured.body).send().await?;
        Ok(())
    }

    /// How many messages a queue holds, whether visible, delayed or in flight.
    ///
    /// # Errors
    /// The call is refused, or the numbers are not numbers.
    pub async fn messages_in(&self, queue: &str) -> Result<u64> {
        let url = format!("{}{queue}", self.deployed.queue_url_prefix);
        let ask =
            self.accounts.backup.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let answer = ask.send().await?;
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let mut sum = 0;
        for name in counts {
            let text = answer.attributes().and_then(|all| all.get(&name)).context("a count is missing")?;
            sum += text.parse::<u64>()?;
        }
        Ok(sum)
    }

    /// The calls that carried no planned fault and that the workers or the rig made in the backup account.
    #[must_use]
    pub fn own_calls(&self) -> Vec<RecordedCall> {
        let own = |call: &RecordedCall| {
            call.account == self.plan.backup_account
                && call.planned_fault().is_none()
                && !call.principal.contains(":role/")
        };
        self.twin.calls().into_iter().filter(own).collect()
    }

    /// The S3 calls so far that take something away, by operation, caller and outcome; refused ones too. Counted by the twin
    /// since it was built, so that none is missing, however long the rig has run: an empty list says that no delete was ever
    /// sent.
    #[must_use]
    pub fn deletes(&self) -> Vec<CallCount> {
        let takes_away = |count: &CallCount| count.service == "s3" && count.operation.starts_with("Delete");
        self.twin.call_counts().into_iter().filter(takes_away).collect()
    }

    /// The ids of all batch jobs.
    ///
    /// # Errors
    /// The call is refused.
    pub async fn jobs(&self) -> Result<Vec<String>> {
        let list = self.accounts.backup.s3control.list_jobs().account_id(&self.plan.backup_account).send().await?;
        Ok(list.jobs().iter().filter_map(|job| job.job_id().map(str::to_owned)).collect())
    }

    /// Confirms a job (`Ready`) or cancels it (`Cancelled`).
    ///
    /// # Errors
    /// The call is refused: the job's status does not allow it.
    pub async fn settle_job(&self, id: &str, status: &str) -> Result<()> {
        let update =
            self.accounts.backup.s3control.update_job_status().account_id(&self.plan.backup_account).job_id(id);
        update.requested_job_status(status.into()).send().await.with_context(|| format!("job {id}: no {status}"))?;
        Ok(())
    }

    /// What an operator does after a job has stood still: confirms the jobs that wait for it, cancels those that hang.
    ///
    /// # Errors
    /// A call is refused.
    pub async fn settle_jobs(&self) -> Result<()> {
        let list = self.accounts.backup.s3control.list_jobs().account_id(&self.plan.backup_account).send().await?;
        for job in list.jobs() {
            let (id, status) = (job.job_id().unwrap_or_default(), job.status().map_or("", |status| status.as_str()));
            match status {
                "Suspended" => self.settle_job(id, "Ready").await?,
                "Active" => self.settle_job(id, "Cancelled").await?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The snapshot buckets of this rig's source, by name.
    ///
    /// # Errors
    /// The call is refused.
    pub async fn snapshot_buckets(&self) -> Result<Vec<String>> {
        let list = self.accounts.backup.s3.list_buckets().send().await?;
        let names = list.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned));
        Ok(names.filter(|name| name.starts_with(&format!("{}-", self.plan.source))).collect())
    }

    /// Every record of the ledger with its bytes.
    ///
    /// # Errors
    /// A call is refused.
    pub async fn ledger(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut all = BTreeMap::new();
        for key in self.ledger_keys().await? {
            let bytes =
                self.object(&self.accounts.backup, &self.plan.ledger_bucket, &key).await?.context("just listed")?;
            all.insert(key, bytes);
        }
        Ok(all)
    }

    /// How often each state's task was scheduled, from the execution's history.
    ///
    /// # Errors
    /// The call is refused.
    pub async fn scheduled(&self, arn: &str) -> Result<BTreeMap<String, usize>> {
        let mut counts = BTreeMap::new();
        let mut pages = self.accounts.backup.sfn.get_execution_history().execution_arn(arn).into_paginator().send();
        while let Some(page) = pages.next().await {
            for event in page?.events() {
                let Some(task) = event.task_scheduled_event_details() else { continue };
                let parameters: serde_json::Value = serde_json::from_str(task.parameters())?;
                let url = parameters.get("QueueUrl").and_then(serde_json::Value::as_str).unwrap_or_default();
                let stage = url.rsplit("levee-").next().unwrap_or_default().to_owned();
                *counts.entry(stage).or_insert(0) += 1;
            }
        }
        Ok(counts)
    }
}
