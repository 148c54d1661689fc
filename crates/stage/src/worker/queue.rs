//! What the runtime asks of SQS.

use std::time::Duration;

use aws_sdk_sqs::{
    Client,
    types::{MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName},
};
use jiff::Timestamp;
use levee_clock::Clock;

use super::RetrySettings;
use crate::{ErrorKind, Message, StageError, aws_error};

/// The longest long poll that SQS allows.
pub(super) const LONG_POLL: Duration = Duration::from_secs(20);
/// The most messages of one poll.
pub(super) const MAX_BATCH: usize = 10;
/// Why a message is in the dead-letter queue: a message attribute.
const REASON_ATTRIBUTE: &str = "LeveeReason";
/// The longest reason in the attribute, in characters.
const MAX_REASON: usize = 1024;

/// One queue.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    sqs: Client,
    url: String,
    visibility: Duration,
    retry: RetrySettings,
    clock: Clock,
}

/// One message as it was received.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) receipt: String,
    pub(super) body: String,
    /// When the queue first gave the message to anybody.
    pub(super) first_received: Timestamp,
    /// When it gave it to us this time: SQS hides a message for 12 hours from here at most.
    pub(super) received: Timestamp,
}

impl Queue {
    /// Finds the queue by name or URL.
    pub(super) async fn find(
        sqs: &Client,
        queue: &str,
        visibility: Duration,
        retry: RetrySettings,
        clock: Clock,
    ) -> Result<Self, StageError> {
        let url = if queue.contains("://") {
            queue.to_owned()
        } else {
            let look_up = || async { url_of(sqs, queue, None).await };
            retry.endless().run("GetQueueUrl", look_up, is_transient).await?
        };
        Ok(Self { sqs: sqs.clone(), url, visibility, retry, clock })
    }

    /// Waits for up to `most` messages, up to `wait`: at most [`LONG_POLL`].
    pub(super) async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<Delivery>, StageError> {
        let call = self.sqs.receive_message().queue_url(&self.url).wait_time_seconds(seconds(wait));
        let answer = call
            .max_number_of_messages(i32::try_from(most.clamp(1, MAX_BATCH)).unwrap_or(1))
            .visibility_timeout(seconds(self.visibility))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateFirstReceiveTimestamp)
            .send()
            .await
            .map_err(|error| self.error("ReceiveMessage", error))?;
        let received = self.clock.now();
        Ok(answer.messages.unwrap_or_default().into_iter().map(|message| delivery(message, received)).collect())
    }

    /// Hides a message for `time` from now.
    pub(super) async fn hide(&self, delivery: &Delivery, time: Duration) -> Result<(), StageError> {
        let call = self.sqs.change_message_visibility().queue_url(&self.url).receipt_handle(&delivery.receipt);
        let sent = call.visibility_timeout(seconds(time)).send().await;
        sent.map(drop).map_err(|error| self.error("ChangeMessageVisibility", error))
    }

    /// Deletes a message.
    pub(super) async fn delete(&self, delivery: &Delivery) -> Result<(), StageError> {
        let delete = || async {
            let call = self.sqs.delete_message().queue_url(&self.url).receipt_handle(&delivery.receipt);
            call.send().await.map(drop).map_err(|error| self.error("DeleteMessage", error))
        };
        self.retry.run("DeleteMessage", delete, is_transient).await
    }

    /// Sends a successor of a message.
    pub(super) async fn send(&self, message: &Message, delay: Duration) -> Result<(), StageError> {
        let body = serde_json::to_string(message).map_err(|error| {
            StageError::permanent("Levee.MessageInvalid", format!("the successor of a message is no JSON: {error}"))
        })?;
        let send = || async {
            let call = self.sqs.send_message().queue_url(&self.url).message_body(&body).delay_seconds(seconds(delay));
            call.send().await.map(drop).map_err(|error| self.error("SendMessage", error))
        };
        self.retry.run("SendMessage", send, is_transient).await
    }

    /// Moves a message to the queue's dead-letter queue, with the reason as an attribute. Without a dead-letter queue, or
    /// when it cannot be reached, the message stays: the queue's own redrive policy takes it after its receives.
    pub(super) async fn dead_letter(&self, delivery: &Delivery, reason: &str) {
        let message_id = delivery.id.as_str();
        match self.copy_to_dead_letters(delivery, reason).await {
            Ok(true) => match self.delete(delivery).await {
                Ok(()) => tracing::error!(message_id, reason, "moved a message to the dead-letter queue"),
                Err(error) => {
                    tracing::error!(message_id, reason, %error, "copied a message to the dead-letter queue but could not delete it")
                }
            },
            Ok(false) => tracing::error!(
                message_id,
                reason,
                "left a message that cannot be worked on: the queue has no dead-letter queue"
            ),
            Err(error) => {
                tracing::error!(message_id, reason, %error, "left a message that cannot be worked on: the dead-letter queue cannot be reached")
            }
        }
    }

    async fn copy_to_dead_letters(&self, delivery: &Delivery, reason: &str) -> Result<bool, StageError> {
        let copy = || async {
            let Some(url) = self.dead_letter_url().await? else { return Ok(false) };
            let printable: String = reason.chars().filter(|c| !c.is_control()).take(MAX_REASON).collect();
            let attribute = MessageAttributeValue::builder().data_type("String").string_value(printable).build();
            let attribute = attribute.map_err(|error| {
                StageError::permanent("Levee.MessageInvalid", format!("the reason is no message attribute: {error}"))
            })?;
            let call = self.sqs.send_message().queue_url(&url).message_body(&delivery.body);
            let sent = call.message_attributes(REASON_ATTRIBUTE, attribute).send().await;
            sent.map(|_| true).map_err(|error| aws_error(&format!("SendMessage to {url}"), error))
        };
        self.retry.run("SendMessage to the dead-letter queue", copy, is_transient).await
    }

    /// The dead-letter queue that the queue's RedrivePolicy names.
    async fn dead_letter_url(&self) -> Result<Option<String>, StageError> {
        let call = self.sqs.get_queue_attributes().queue_url(&self.url);
        let answer = call.attribute_names(QueueAttributeName::RedrivePolicy).send().await;
        let attributes = answer.map_err(|error| self.error("GetQueueAttributes", error))?.attributes;
        let policy = attributes.and_then(|mut attributes| attributes.remove(&QueueAttributeName::RedrivePolicy));
        let Some(policy) = policy else { return Ok(None) };
        let arn = serde_json::from_str::<serde_json::Value>(&policy)
            .ok()
            .and_then(|policy| policy.get("deadLetterTargetArn")?.as_str().map(str::to_owned));
        // arn:aws:sqs:<region>:<account>:<name>
        let mut parts = arn.as_deref().unwrap_or_default().split(':').skip(4);
        let (Some(account), Some(name)) = (parts.next(), parts.next()) else {
            let cause = format!("the RedrivePolicy of {} names no dead-letter queue: {policy}", self.url);
            return Err(StageError::permanent("Levee.QueueInvalid", cause));
        };
        url_of(&self.sqs, name, Some(account)).await.map(Some)
    }

    fn error<E>(
        &self,
        operation: &str,
        error: aws_sdk_sqs::error::SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
    ) -> StageError
    where
        E: aws_sdk_sqs::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        aws_error(&format!("{operation} on {}", self.url), error)
    }
}

async fn url_of(sqs: &Client, name: &str, account: Option<&str>) -> Result<String, StageError> {
    let call = sqs.get_queue_url().queue_name(name).set_queue_owner_aws_account_id(account.map(str::to_owned));
    let answer = call.send().await.map_err(|error| aws_error(&format!("GetQueueUrl of {name}"), error))?;
    answer.queue_url.ok_or_else(|| {
        StageError::permanent(StageError::AWS_REFUSED, format!("GetQueueUrl of {name} answered without a URL"))
    })
}

fn delivery(message: aws_sdk_sqs::types::Message, received: Timestamp) -> Delivery {
    let first = message
        .attributes
        .as_ref()
        .and_then(|attributes| attributes.get(&MessageSystemAttributeName::ApproximateFirstReceiveTimestamp))
        .and_then(|millis| millis.parse::<i64>().ok())
        .and_then(|millis| Timestamp::from_millisecond(millis).ok());
    Delivery {
        id: message.message_id.unwrap_or_default(),
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        first_received: first.unwrap_or(received),
        received,
    }
}

fn is_transient(error: &StageError) -> bool {
    error.kind == ErrorKind::Transient
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> i32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}
