//! Topics.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Sns, Topic, attributes, invalid, text};
use crate::service::{Caller, ServiceError};

/// The attributes that are kept and returned, without an effect.
const KEPT: [&str; 5] = ["DeliveryPolicy", "DisplayName", "KmsMasterKeyId", "Policy", "TracingConfig"];

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
            given.insert(checked(name)?.to_owned(), value.to_owned());
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
            put("SubscriptionsConfirmed", topic.subscriptions.len().to_string());
            put("SubscriptionsPending", "0".to_owned());
            put("SubscriptionsDeleted", "0".to_owned());
            Ok(json!({"Attributes": all}))
        })
    }

    pub(super) fn set_topic_attributes(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let name = checked(text(body, "AttributeName")?)?;
        let value = text(body, "AttributeValue")?;
        self.on_topic(caller, text(body, "TopicArn")?, |topic| {
            topic.attributes.insert(name.to_owned(), value.to_owned());
            Ok(Value::Null)
        })
    }
}

fn checked(name: &str) -> Result<&str, ServiceError> {
    if KEPT.contains(&name) {
        return Ok(name);
    }
    Err(ServiceError::not_modelled(format_args!("the attribute {name} of topics")))
}
