//! Topics.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Sns, Topic, attributes, invalid, policy::DeliveryPolicy, subscription::Subscription, text};
use crate::service::{Caller, ServiceError};

/// The attributes that are kept and returned, without an effect.
const KEPT: [&str; 4] = ["DisplayName", "KmsMasterKeyId", "Policy", "TracingConfig"];

impl Sns {
    pub(super) fn create_topic(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let name = text(body, "Name")?;
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if name.ends_with(".fifo") {
            return Err(ServiceError::not_modelled(format_args!("FIFO topics (topic {name})")));
        }
        if name.is_empty() || name.len() > 256 || !plain {
            return Err(invalid("Invalid parameter: Topic Name"));
        }
        let mut given = BTreeMap::new();
        for (name, value) in attributes(body)? {
            given.insert(checked(name, value)?.to_owned(), value.to_owned());
        }
        let arn = format!("arn:aws:sns:{}:{}:{name}", caller.region, caller.account);
        let mut topics = self.topics();
        let fresh =
            || Topic { owner: caller.account.clone(), attributes: given.clone(), subscriptions: BTreeMap::new() };
        let topic = topics.entry(arn.clone()).or_insert_with(fresh);
        if given.iter().any(|(name, value)| topic.attributes.get(name) != Some(value)) {
            return Err(invalid(
                "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
            ));
        }
        Ok(json!({"TopicArn": arn}))
    }

    pub(super) fn delete_topic(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let arn = text(body, "TopicArn")?;
        let mut topics = self.topics();
        // Deleting what is not there is no error.
        if topics.get(arn).is_some_and(|topic| topic.owner == caller.account) {
            topics.remove(arn);
        }
        Ok(Value::Null)
    }

    pub(super) fn list_topics(&self, caller: &Caller) -> Value {
        let topics = self.topics();
        let own = topics.iter().filter(|(_, topic)| topic.owner == caller.account);
        json!({"Topics": own.map(|(arn, _)| json!({"TopicArn": arn})).collect::<Vec<_>>()})
    }

    pub(super) fn topic_attributes(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let arn = text(body, "TopicArn")?;
        self.on_topic(caller, arn, |topic| {
            let mut all = topic.attributes.clone();
            let mut put = |name: &str, value: String| all.insert(name.to_owned(), value);
            put("TopicArn", arn.to_owned());
            put("Owner", topic.owner.clone());
            let count = |is: fn(&Subscription) -> bool| topic.subscriptions.values().filter(|it| is(it)).count();
            put("SubscriptionsConfirmed", count(Subscription::is_confirmed).to_string());
            put("SubscriptionsPending", count(Subscription::is_pending).to_string());
            put("SubscriptionsDeleted", count(Subscription::has_left).to_string());
            Ok(json!({"Attributes": all}))
        })
    }

    pub(super) fn set_topic_attributes(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let value = text(body, "AttributeValue")?;
        let name = checked(text(body, "AttributeName")?, value)?;
        self.on_topic(caller, text(body, "TopicArn")?, |topic| {
            topic.attributes.insert(name.to_owned(), value.to_owned());
            Ok(Value::Null)
        })
    }
}

impl Topic {
    /// The delivery policy of HTTP subscriptions that have none of their own.
    pub(super) fn policy(&self) -> DeliveryPolicy {
        let given = self.attributes.get("DeliveryPolicy").filter(|text| !text.is_empty());
        given.and_then(|text| DeliveryPolicy::of_topic(text).ok()).unwrap_or_default()
    }
}

fn checked<'a>(name: &'a str, value: &str) -> Result<&'a str, ServiceError> {
    if name == "DeliveryPolicy" && !value.is_empty() {
        DeliveryPolicy::of_topic(value)?;
    }
    if KEPT.contains(&name) || name == "DeliveryPolicy" {
        return Ok(name);
    }
    Err(ServiceError::not_modelled(format_args!("the attribute {name} of topics")))
}
