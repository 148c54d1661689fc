//! Subscriptions of queues.

use serde_json::{Map, Value, json};

use super::{Sns, Topic, attributes, invalid, not_found, optional_text, text};
use crate::{
    events::Pattern,
    service::{Caller, ServiceError},
};

/// A queue that gets the messages of a topic.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscription {
    pub(super) queue_arn: String,
    /// The message as it was published, without SNS's envelope.
    pub(super) raw: bool,
    pub(super) filter: Option<Filter>,
    filter_on_body: bool,
}

/// A filter policy.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pattern: Pattern,
    text: String,
}

impl Sns {
    pub(super) fn subscribe(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let (topic_arn, protocol) = (text(body, "TopicArn")?, text(body, "Protocol")?);
        if protocol != "sqs" {
            return Err(ServiceError::not_modelled(format_args!("subscriptions with the protocol {protocol}")));
        }
        let queue_arn = text(body, "Endpoint")?;
        if !queue_arn.starts_with("arn:aws:sqs:") {
            return Err(invalid("Invalid parameter: Endpoint Reason: the ARN of an SQS queue is expected"));
        }
        let mut subscription = Subscription { queue_arn: queue_arn.to_owned(), ..Subscription::default() };
        for (name, value) in attributes(body)? {
            subscription.set(name, value)?;
        }
        let id = self.env.ids.uuid();
        let arn = self.on_topic(caller, topic_arn, |topic| {
            // The same queue once more is the same subscription.
            let known = topic.subscriptions.iter().find(|(_, known)| known.queue_arn == queue_arn);
            if let Some((arn, _)) = known {
                return Ok(arn.clone());
            }
            let arn = format!("{topic_arn}:{id}");
            topic.subscriptions.insert(arn.clone(), subscription);
            Ok(arn)
        })?;
        Ok(json!({"SubscriptionArn": arn}))
    }

    pub(super) fn unsubscribe(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let arn = text(body, "SubscriptionArn")?;
        self.on_topic(caller, topic_of(arn)?, |topic| {
            topic.subscriptions.remove(arn);
            Ok(Value::Null)
        })
    }

    pub(super) fn list_subscriptions(&self, caller: &Caller) -> Value {
        let topics = self.topics();
        let own = topics.iter().filter(|(_, topic)| topic.owner == caller.account);
        json!({"Subscriptions": own.flat_map(|(arn, topic)| listed(arn, topic)).collect::<Vec<_>>()})
    }

    pub(super) fn subscriptions_of_topic(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let arn = text(body, "TopicArn")?;
        self.on_topic(caller, arn, |topic| Ok(json!({"Subscriptions": listed(arn, topic)})))
    }

    pub(super) fn subscription_attributes(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        self.on_subscription(caller, body, |arn, subscription| {
            let mut all = Map::new();
            let mut put = |name: &str, value: String| all.insert(name.to_owned(), Value::from(value));
            put("SubscriptionArn", arn.to_owned());
            put("TopicArn", topic_of(arn)?.to_owned());
            put("Owner", caller.account.clone());
            put("Protocol", "sqs".to_owned());
            put("Endpoint", subscription.queue_arn.clone());
            put("RawMessageDelivery", subscription.raw.to_string());
            put("PendingConfirmation", "false".to_owned());
            put("ConfirmationWasAuthenticated", "true".to_owned());
            if let Some(filter) = &subscription.filter {
                let scope = if subscription.filter_on_body { "MessageBody" } else { "MessageAttributes" };
                put("FilterPolicy", filter.text.clone());
                put("FilterPolicyScope", scope.to_owned());
            }
            Ok(json!({"Attributes": all}))
        })
    }

    pub(super) fn set_subscription_attributes(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let name = text(body, "AttributeName")?;
        let value = optional_text(body, "AttributeValue")?.unwrap_or_default();
        self.on_subscription(caller, body, |_, subscription| {
            subscription.set(name, value)?;
            Ok(Value::Null)
        })
    }

    fn on_subscription<T>(
        &self,
        caller: &Caller,
        body: &Value,
        act: impl FnOnce(&str, &mut Subscription) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let arn = text(body, "SubscriptionArn")?;
        self.on_topic(caller, topic_of(arn)?, |topic| {
            let subscription = topic.subscriptions.get_mut(arn);
            act(arn, subscription.ok_or_else(|| not_found("Subscription does not exist"))?)
        })
    }
}

impl Subscription {
    fn set(&mut self, name: &str, value: &str) -> Result<(), ServiceError> {
        match (name, value) {
            ("RawMessageDelivery", "true" | "false") => self.raw = value == "true",
            ("FilterPolicyScope", "MessageAttributes" | "MessageBody") => self.filter_on_body = value == "MessageBody",
            ("FilterPolicy", "" | "{}") => self.filter = None,
            ("FilterPolicy", text) => {
                let wrong = |error: ServiceError| match error.status {
                    400 => invalid(format!("Invalid parameter: FilterPolicy: {}", error.message)),
                    _ => error,
                };
                let pattern = Pattern::parse(text).map_err(wrong)?;
                self.filter = Some(Filter { pattern, text: text.to_owned() });
            }
            ("RawMessageDelivery" | "FilterPolicyScope", _) => {
                return Err(invalid(format!("Invalid parameter: {name} Reason: {value} is not a value of it")));
            }
            _ => return Err(ServiceError::not_modelled(format_args!("the attribute {name} of subscriptions"))),
        }
        Ok(())
    }

    /// Whether the filter policy lets a message through; `attributes` holds the values by name.
    pub(super) fn wants(&self, message: &str, attributes: &Value) -> bool {
        let Some(filter) = &self.filter else { return true };
        if !self.filter_on_body {
            return filter.pattern.matches(attributes);
        }
        serde_json::from_str(message).is_ok_and(|body: Value| body.is_object() && filter.pattern.matches(&body))
    }
}

fn listed(topic_arn: &str, topic: &Topic) -> Vec<Value> {
    let one = |(arn, subscription): (&String, &Subscription)| {
        let (owner, endpoint) = (&topic.owner, &subscription.queue_arn);
        json!({"SubscriptionArn": arn, "Owner": owner, "Protocol": "sqs", "Endpoint": endpoint, "TopicArn": topic_arn})
    };
    topic.subscriptions.iter().map(one).collect()
}

/// The ARN of a subscription's topic.
fn topic_of(subscription_arn: &str) -> Result<&str, ServiceError> {
    let wrong = || invalid("Invalid parameter: SubscriptionArn");
    subscription_arn.rsplit_once(':').map(|(topic, _)| topic).ok_or_else(wrong)
}
