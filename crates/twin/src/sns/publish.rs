//! Publish, and the documents that subscribers get.

use serde_json::{Map, Value, json};

use super::{
    Sns, Topic,
    deliver::Letter,
    not_found, optional_text,
    subscription::{Endpoint, Subscription},
    text,
};
use crate::{
    env::Call,
    facts::Sender,
    needs::Need,
    service::{Caller, ServiceError},
    sns::policy::DeliveryPolicy,
};

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

/// Who gets a message, and how often it is tried.
struct Recipient {
    arn: String,
    subscription: Subscription,
    policy: DeliveryPolicy,
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
        let recipients = self.on_topic(caller, topic_arn, |topic| Ok(publication.recipients(topic)))?;
        self.send_to(&publication, recipients);
        Ok(json!({"MessageId": publication.id}))
    }

    /// Publishes a message of one of the twin's own services.
    ///
    /// # Errors
    /// `NotFound` when the topic is not there, or a planned fault.
    pub(crate) fn deliver(&self, topic_arn: &str, message: &str, sender: Sender<'_>) -> Result<(), ServiceError> {
        let mut parts = topic_arn.split(':').skip(3);
        let (region, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (caller, facts) = (sender.caller(account, region), sender.facts());
        let needs = [Need::new("sns:Publish", topic_arn)];
        let call = Call {
            service: "sns",
            operation: "Publish",
            caller: &caller,
            resource: topic_arn,
            needs: &needs,
            facts: &facts,
        };
        self.env.pass_now(&call, || {
            let id = self.env.ids.uuid();
            let publication = Publication { id, topic_arn, message, subject: None, attributes: &Value::Null };
            let recipients = {
                let topics = self.topics();
                publication.recipients(topics.get(topic_arn).ok_or_else(|| not_found("Topic does not exist"))?)
            };
            self.send_to(&publication, recipients);
            Ok(())
        })
    }

    fn send_to(&self, publication: &Publication<'_>, recipients: Vec<Recipient>) {
        let time = super::stamp(self.env.clock.now());
        for recipient in recipients {
            self.deliver_letter(publication.letter(recipient, &time));
        }
    }
}

impl Publication<'_> {
    /// The confirmed subscriptions whose filter lets the message through.
    fn recipients(&self, topic: &Topic) -> Vec<Recipient> {
        let values = self.values();
        let wanting = topic.subscriptions.iter().filter(|(_, it)| it.is_confirmed() && it.wants(self.message, &values));
        let recipient = |(arn, subscription): (&String, &Subscription)| {
            let policy = match subscription.endpoint {
                Endpoint::Queue(_) => DeliveryPolicy::of_queues(),
                Endpoint::Http(_) => subscription.policy.clone().unwrap_or_else(|| topic.policy()),
            };
            Recipient { arn: arn.clone(), subscription: subscription.clone(), policy }
        };
        wanting.map(recipient).collect()
    }

    fn letter(&self, recipient: Recipient, time: &str) -> Letter {
        let Recipient { arn, subscription, policy } = recipient;
        // Raw delivery over HTTP carries no attributes.
        let (body, attributes) = match (subscription.raw, &subscription.endpoint) {
            (true, Endpoint::Queue(_)) => (self.message.to_owned(), self.attributes.clone()),
            (true, Endpoint::Http(_)) => (self.message.to_owned(), Value::Null),
            (false, _) => (self.envelope(&arn, &subscription.base_url, time).to_string(), Value::Null),
        };
        Letter {
            kind: "Notification",
            id: self.id.clone(),
            topic_arn: self.topic_arn.to_owned(),
            subscription_arn: arn,
            body,
            attributes,
            raw: subscription.raw,
            endpoint: subscription.endpoint,
            policy,
            dead_letter_arn: subscription.dead_letter_arn,
        }
    }

    /// The document that subscribers get without raw delivery. It carries no signature: the twin has no certificate.
    fn envelope(&self, subscription_arn: &str, base_url: &str, time: &str) -> Value {
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
        put("UnsubscribeURL", json!(format!("{base_url}/?Action=Unsubscribe&SubscriptionArn={subscription_arn}")));
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
