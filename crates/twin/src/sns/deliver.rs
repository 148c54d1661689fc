//! The way of one message to one subscriber: attempts, waits between them, the dead letter.

use serde_json::{Value, json};

use super::{Sns, policy::DeliveryPolicy, subscription::Endpoint};
use crate::{facts::Sender, retry};

/// SNS as a principal.
const PRINCIPAL: &str = "sns.amazonaws.com";

/// A message for one subscriber.
pub(super) struct Letter {
    /// `Notification`, `SubscriptionConfirmation` or `UnsubscribeConfirmation`.
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) topic_arn: String,
    pub(super) subscription_arn: String,
    pub(super) body: String,
    /// Message attributes for the queue; null where the body has them, or nobody gets them.
    pub(super) attributes: Value,
    pub(super) raw: bool,
    pub(super) endpoint: Endpoint,
    pub(super) policy: DeliveryPolicy,
    pub(super) dead_letter_arn: Option<String>,
}

/// An attempt that failed.
struct Failure {
    reason: String,
    passing: bool,
}

impl Sns {
    /// Delivers: to queues before this returns, if the first attempt succeeds; all else in the background.
    pub(super) fn deliver_letter(&self, letter: Letter) {
        let first = match &letter.endpoint {
            Endpoint::Queue(arn) => Some(self.send(arn, &letter)),
            Endpoint::Http(_) => None,
        };
        match first {
            Some(Ok(())) => {}
            Some(Err(failure)) if !failure.passing => self.bury(&letter, &failure.reason),
            Some(Err(_)) => self.in_background(letter, 1),
            None => self.in_background(letter, 0),
        }
    }

    /// Makes the attempts from this number on; number 0 is the first, which waits for nothing.
    fn in_background(&self, letter: Letter, from: u64) {
        let (me, clock) = (self.me.clone(), self.env.clock.clone());
        let task = async move {
            let mut attempt = from;
            let mut reason = String::from("the first attempt failed");
            loop {
                if let Some(retry) = attempt.checked_sub(1) {
                    match letter.policy.wait(retry) {
                        Some(wait) => clock.sleep(wait).await,
                        None => break,
                    }
                }
                let failed = match &letter.endpoint {
                    Endpoint::Http(endpoint) => {
                        let failed = endpoint.post(&letter.headers(), &letter.body).await;
                        failed.map_err(|failure| Failure { reason: failure.reason, passing: failure.passing })
                    }
                    Endpoint::Queue(arn) => {
                        let Some(sns) = me.upgrade() else { return };
                        sns.send(arn, &letter)
                    }
                };
                let Err(failure) = failed else { return };
                reason = failure.reason;
                if !failure.passing {
                    break;
                }
                attempt += 1;
            }
            if let Some(sns) = me.upgrade() {
                sns.bury(&letter, &reason);
            }
        };
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(task));
    }

    fn send(&self, queue_arn: &str, letter: &Letter) -> Result<(), Failure> {
        let entry = json!({"MessageBody": letter.body, "MessageAttributes": letter.attributes});
        self.sqs
            .deliver(queue_arn, &entry, Sender { service: PRINCIPAL, source_arn: Some(&letter.topic_arn) })
            .map_err(|error| Failure { reason: error.to_string(), passing: retry::is_passing(&error) })
    }

    /// Moves the message to the dead-letter queue of the subscription, or drops it.
    fn bury(&self, letter: &Letter, reason: &str) {
        let subscription = &letter.subscription_arn;
        tracing::warn!(subscription, reason, kind = letter.kind, "a message could not be delivered");
        let Some(queue) = &letter.dead_letter_arn else { return };
        if let Err(failure) = self.send(queue, letter) {
            tracing::warn!(subscription, queue, reason = failure.reason, "a dead letter is lost");
        }
    }
}

impl Letter {
    /// The headers of the developer guide ("HTTP/HTTPS headers").
    fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("x-amz-sns-message-type", self.kind.to_owned()),
            ("x-amz-sns-message-id", self.id.clone()),
            ("x-amz-sns-topic-arn", self.topic_arn.clone()),
            ("content-type", self.policy.content_type().to_owned()),
            ("user-agent", "Amazon Simple Notification Service Agent".to_owned()),
        ];
        // A subscription that waits for its confirmation has no ARN to tell.
        if self.kind != "SubscriptionConfirmation" {
            headers.push(("x-amz-sns-subscription-arn", self.subscription_arn.clone()));
        }
        if self.raw {
            headers.push(("x-amz-sns-rawdelivery", "true".to_owned()));
        }
        headers
    }
}
