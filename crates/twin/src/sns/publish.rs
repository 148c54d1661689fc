//! Publish, and the delivery to queues.

use serde_json::{Map, Value, json};

use super::{Sns, not_found, optional_text, subscriptions::Subscription, text};
use crate::service::{Caller, ServiceError};

/// The most bytes of a message: 256 KiB.
const SIZE_LIMIT: usize = 262_144;

/// A message on its way to the subscriptions of a topic.
struct Publication<'a> {
    id: String,
    topic_arn: &'a str,
    message: &'a str,
    subject: Option<&'a str>,
    attributes: &'a Value,
}

impl Sns {
    pub(super) fn publish(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        for member in ["PhoneNumber", "MessageStructure", "MessageDeduplicationId", "MessageGroupId"] {
            if body.get(member).is_some_and(|value| !value.is_null()) {
                return Err(ServiceError::not_modelled(format_args!("{member} of Publish")));
            }
        }
        let topic_arn = match optional_text(body, "TopicArn")? {
            Some(arn) => arn,
            None => text(body, "TargetArn")?,
        };
        let message = text(body, "Message")?;
        if message.is_empty() || message.len() > SIZE_LIMIT {
            return Err(super::invalid(format!("Invalid parameter: Message must have 1 to {SIZE_LIMIT} bytes")));
        }
        let attributes = body.get("MessageAttributes").unwrap_or(&Value::Null);
        let subject = optional_text(body, "Subject")?;
        let publication = Publication { id: self.env.ids.uuid(), topic_arn, message, subject, attributes };
        let subscriptions = self.on_topic(caller, topic_arn, |topic| {
            Ok(topic.subscriptions.iter().map(|(arn, it)| (arn.clone(), it.clone())).collect::<Vec<_>>())
        })?;
        self.send(&publication, &subscriptions);
        Ok(json!({"MessageId": publication.id}))
    }

    /// Publishes a message of one of the twin's own services.
    ///
    /// # Errors
    /// `NotFound` when the topic is not there.
    pub(crate) fn deliver(&self, topic_arn: &str, message: &str) -> Result<(), ServiceError> {
        let subscriptions: Vec<_> = {
            let topics = self.topics();
            let topic = topics.get(topic_arn).ok_or_else(|| not_found("Topic does not exist"))?;
            topic.subscriptions.iter().map(|(arn, it)| (arn.clone(), it.clone())).collect()
        };
        let id = self.env.ids.uuid();
        let publication = Publication { id, topic_arn, message, subject: None, attributes: &Value::Null };
        self.send(&publication, &subscriptions);
        Ok(())
    }

    fn send(&self, publication: &Publication<'_>, subscriptions: &[(String, Subscription)]) {
        let values = publication.values();
        for (arn, subscription) in subscriptions {
            if !subscription.wants(publication.message, &values) {
                continue;
            }
            let entry = if subscription.raw {
                json!({"MessageBody": publication.message, "MessageAttributes": publication.attributes})
            } else {
                let envelope = publication.envelope(arn, &self.env.clock.now().to_string());
                json!({"MessageBody": envelope.to_string()})
            };
            // AWS retries and then drops the message; a queue that is not there does not come back here.
            if let Err(error) = self.sqs.deliver(&subscription.queue_arn, &entry, "sns.amazonaws.com") {
                tracing::warn!(subscription = arn, %error, "a message could not be delivered and is dropped");
            }
        }
    }
}

impl Publication<'_> {
    /// The document that a queue gets without raw delivery. It carries no signature: the twin has no certificate.
    fn envelope(&self, subscription_arn: &str, time: &str) -> Value {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        put("Type", json!("Notification"));
        put("MessageId", json!(self.id));
        put("TopicArn", json!(self.topic_arn));
        if let Some(subject) = self.subject {
            put("Subject", json!(subject));
        }
        put("Message", json!(self.message));
        put("Timestamp", json!(time));
        put("UnsubscribeURL", json!(format!("?Action=Unsubscribe&SubscriptionArn={subscription_arn}")));
        if let Some(attributes) = self.attributes.as_object().filter(|attributes| !attributes.is_empty()) {
            let short = attributes.iter().map(|(name, value)| {
                let text = value.get("StringValue").or_else(|| value.get("BinaryValue"));
                (name.clone(), json!({"Type": value.get("DataType"), "Value": text}))
            });
            put("MessageAttributes", Value::Object(short.collect()));
        }
        Value::Object(members)
    }

    /// The attributes as filter policies see them: texts, numbers, and the values of `String.Array`.
    fn values(&self) -> Value {
        let attributes = self.attributes.as_object().into_iter().flatten();
        let values = attributes.filter_map(|(name, value)| {
            let text = value.get("StringValue")?.as_str()?;
            let value = match value.get("DataType")?.as_str()? {
                "String.Array" => serde_json::from_str(text).ok()?,
                kind if kind.starts_with("Number") => json!(text.parse::<f64>().ok()?),
                _ => json!(text),
            };
            Some((name.clone(), value))
        });
        Value::Object(values.collect())
    }
}
