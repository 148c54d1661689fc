//! The queues of the stages and the dead-letter queues.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::join_all;
use levee_stage::aws::error_code;
use serde_json::Value;

use super::{
    Examination, Finding,
    finding::{Check, Fault, problem, refused},
};
use crate::hosts::StageName;

/// Fewer receipts would set messages aside that a worker lost by being replaced.
const FEWEST_RECEIVES: u64 = 2;
/// A worker that is asked for its messages must have the time to ask for more of it.
const SHORTEST_VISIBILITY_SECONDS: u64 = 30;
/// A message outlives a weekend without workers.
const SHORTEST_RETENTION_SECONDS: u64 = 3 * 24 * 3600;
/// The state machine sends the whole state, which Step Functions limits to this.
const SMALLEST_MESSAGE_BYTES: u64 = 256 * 1024;
const APPLY: &str = "run terraform apply for the backup module";

/// Dead-letter queues of no stage, and what a message in them means.
const OTHERS: [(&str, &str); 3] = [
    (
        "schedules-dlq",
        "a start was refused: ExecutionAlreadyExists is a tick that came twice and harmless, anything else is a night that was not started; start it by hand",
    ),
    ("events-dlq", "an event did not reach the topic: see to the topic's policy (topic/policy)"),
    ("notifications-dlq", "a subscriber was not told: see to its endpoint, then tell it what it missed"),
];

type Attributes = HashMap<QueueAttributeName, String>;

impl Examination<'_> {
    /// The queues of the stages.
    pub(super) async fn queues(&self) -> Vec<Finding> {
        join_all(StageName::ALL.map(|stage| self.queue(stage.name()))).await.concat()
    }

    async fn queue(&self, stage: &str) -> Vec<Finding> {
        let name = format!("{}{stage}", self.deployment.queue_prefix);
        match self.attributes(&name).await {
            Err(fault) => vec![Finding::new("queue/exists", name, Err(fault))],
            Ok(attributes) => vec![
                Finding::new("queue/exists", &name, Ok("the queue is there".to_owned())),
                Finding::new("queue/redrive", &name, self.redrive(&attributes, stage)),
                Finding::new("queue/settings", &name, settings(&attributes)),
            ],
        }
    }

    /// The dead-letter queues: there, and empty.
    pub(super) async fn dead_letter_queues(&self) -> Vec<Finding> {
        let of_stages = StageName::ALL.map(StageName::name).map(|stage| {
            let hint = format!(
                "a worker of {stage} failed on it again and again: read the worker's log, mend the cause, then send the messages back (aws sqs start-message-move-task) while their executions still wait for them, else purge the queue"
            );
            (format!("{stage}-dlq"), hint)
        });
        let others = OTHERS.map(|(name, hint)| (name.to_owned(), hint.to_owned()));
        let all = of_stages.into_iter().chain(others);
        join_all(all.map(|(name, hint)| self.dead_letter_queue(name, hint))).await.concat()
    }

    async fn dead_letter_queue(&self, name: String, hint: String) -> Vec<Finding> {
        let name = format!("{}{name}", self.deployment.queue_prefix);
        match self.attributes(&name).await {
            Err(fault) => vec![Finding::new("dead-letter-queue/exists", name, Err(fault))],
            Ok(attributes) => vec![
                Finding::new("dead-letter-queue/exists", &name, Ok("the queue is there".to_owned())),
                Finding::new("dead-letter-queue/empty", &name, empty(&attributes, &hint)),
            ],
        }
    }

    /// The URL of a queue of the deployment.
    pub(super) async fn queue_url(&self, name: &str) -> Result<String, Fault> {
        let absent = || problem("there is no such queue", APPLY);
        match self.backup.aws.sqs.get_queue_url().queue_name(name).send().await {
            Ok(found) => found.queue_url.ok_or_else(absent),
            Err(error) if is_absent(error_code(&error)) => Err(absent()),
            Err(error) => Err(refused("sqs:GetQueueUrl", &self.arn_of(name), &error)),
        }
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, Fault> {
        let url = self.queue_url(name).await?;
        let ask = self.backup.aws.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        match ask.send().await {
            Ok(found) => Ok(found.attributes.unwrap_or_default()),
            Err(error) => Err(refused("sqs:GetQueueAttributes", &self.arn_of(name), &error)),
        }
    }

    fn arn_of(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{name}", self.deployment.region, self.deployment.account)
    }

    fn redrive(&self, attributes: &Attributes, stage: &str) -> Check {
        let policy = attributes.get(&QueueAttributeName::RedrivePolicy);
        let policy: Value = policy.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let wanted = self.deployment.queue_arn(&format!("{stage}-dlq"));
        let Some(target) = policy.get("deadLetterTargetArn").and_then(Value::as_str) else {
            return Err(problem(
                "it has no dead-letter queue: a message that no worker can take comes for ever",
                APPLY,
            ));
        };
        if target != wanted {
            return Err(problem(format!("its dead letters go to {target}, not to {wanted}"), APPLY));
        }
        // Consoles and SDKs write the count as a number or as a text.
        let count = policy.get("maxReceiveCount");
        let count =
            count.and_then(|count| count.as_u64().or_else(|| count.as_str().and_then(|text| text.parse().ok())));
        match count {
            Some(count) if count >= FEWEST_RECEIVES => Ok(format!("after {count} receipts to {target}")),
            other => {
                let said = other.map_or_else(|| "not set".to_owned(), |count| count.to_string());
                let detail = format!("maxReceiveCount is {said}: a worker that is replaced would lose its message");
                Err(problem(detail, format!("{APPLY}; {FEWEST_RECEIVES} or more are needed")))
            }
        }
    }
}

fn is_absent(code: Option<&str>) -> bool {
    matches!(code, Some("QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue"))
}

fn number(attributes: &Attributes, name: &QueueAttributeName) -> Result<u64, Fault> {
    attributes.get(name).and_then(|text| text.parse().ok()).ok_or_else(|| {
        super::finding::unknown(format!("SQS answered no number as {}", name.as_str()), "run the doctor again")
    })
}

fn settings(attributes: &Attributes) -> Check {
    let least = [
        (QueueAttributeName::VisibilityTimeout, SHORTEST_VISIBILITY_SECONDS),
        (QueueAttributeName::MessageRetentionPeriod, SHORTEST_RETENTION_SECONDS),
        (QueueAttributeName::MaximumMessageSize, SMALLEST_MESSAGE_BYTES),
    ];
    let mut wrong = Vec::new();
    for (name, least) in least {
        let found = number(attributes, &name)?;
        if found < least {
            wrong.push(format!("{} is {found}, {least} or more are needed", name.as_str()));
        }
    }
    if wrong.is_empty() {
        return Ok("visibility, retention and message size are as they must be".to_owned());
    }
    Err(problem(wrong.join("; "), APPLY))
}

fn empty(attributes: &Attributes, hint: &str) -> Check {
    use QueueAttributeName::{
        ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed, ApproximateNumberOfMessagesNotVisible,
    };
    let mut messages = 0_u64;
    for name in [ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed, ApproximateNumberOfMessagesNotVisible]
    {
        messages = messages.saturating_add(number(attributes, &name)?);
    }
    if messages == 0 {
        return Ok("it is empty".to_owned());
    }
    Err(problem(format!("it holds {messages} message(s)"), hint))
}
