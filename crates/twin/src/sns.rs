//! Amazon SNS: standard topics with subscriptions of SQS queues.
//!
//! Members are those of the API reference; the router turns the query protocol into them. Filter policies are event
//! patterns ([`crate::events`]), on attributes or on the body. Other protocols of subscriptions (email, HTTP, Lambda) are
//! refused, and so are FIFO topics. Messages are in the queues before Publish returns.

mod publish;
mod subscriptions;
mod topics;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use serde_json::Value;

use self::subscriptions::Subscription;
use crate::{
    env::{Call, Env},
    needs,
    service::{Caller, JsonService, ServiceError},
    sqs::Sqs,
};

/// The SNS of the twin.
pub struct Sns {
    env: Env,
    sqs: Arc<Sqs>,
    topics: Mutex<BTreeMap<String, Topic>>,
}

/// A topic, kept under its ARN.
struct Topic {
    owner: String,
    attributes: BTreeMap<String, String>,
    /// By ARN.
    subscriptions: BTreeMap<String, Subscription>,
}

impl Sns {
    /// An SNS without topics.
    #[must_use]
    pub fn new(env: Env, sqs: Arc<Sqs>) -> Self {
        Self { env, sqs, topics: Mutex::default() }
    }

    fn answer(&self, caller: &Caller, operation: &str, body: &Value) -> Result<Value, ServiceError> {
        match operation {
            "CreateTopic" => self.create_topic(caller, body),
            "DeleteTopic" => self.delete_topic(caller, body),
            "ListTopics" => Ok(self.list_topics(caller)),
            "GetTopicAttributes" => self.topic_attributes(caller, body),
            "SetTopicAttributes" => self.set_topic_attributes(caller, body),
            "Subscribe" => self.subscribe(caller, body),
            "Unsubscribe" => self.unsubscribe(caller, body),
            "ListSubscriptions" => Ok(self.list_subscriptions(caller)),
            "ListSubscriptionsByTopic" => self.subscriptions_of_topic(caller, body),
            "GetSubscriptionAttributes" => self.subscription_attributes(caller, body),
            "SetSubscriptionAttributes" => self.set_subscription_attributes(caller, body),
            "Publish" => self.publish(caller, body),
            _ => Err(ServiceError::not_modelled(format_args!("the SNS operation {operation}"))),
        }
    }

    fn topics(&self) -> MutexGuard<'_, BTreeMap<String, Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the topic that `TopicArn` names.
    fn on_topic<T>(
        &self,
        caller: &Caller,
        arn: &str,
        act: impl FnOnce(&mut Topic) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let mut topics = self.topics();
        let topic = topics.get_mut(arn).ok_or_else(|| not_found("Topic does not exist"))?;
        if topic.owner != caller.account {
            let reason = format!("account {} may not use {arn}: the twin models no topic policies", caller.account);
            return Err(ServiceError { status: 403, ..ServiceError::client("AuthorizationError", reason) });
        }
        act(topic)
    }
}

#[async_trait]
impl JsonService for Sns {
    async fn call(&self, caller: &Caller, operation: &str, body: Value) -> Result<Value, ServiceError> {
        let named = ["TopicArn", "TargetArn", "SubscriptionArn", "Name"].iter().find_map(|name| body.get(*name));
        let resource = named.and_then(Value::as_str).unwrap_or_default();
        let needs = needs::sns(operation, caller, &body);
        let call = Call { service: "sns", operation, caller, resource, needs: &needs };
        self.env.pass(&call, async { self.answer(caller, operation, &body) }).await
    }
}

/// A text that must be there.
fn text<'a>(body: &'a Value, member: &str) -> Result<&'a str, ServiceError> {
    optional_text(body, member)?.ok_or_else(|| invalid(format!("Invalid parameter: {member} is required")))
}

/// A text that may be absent or null.
fn optional_text<'a>(body: &'a Value, member: &str) -> Result<Option<&'a str>, ServiceError> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("Invalid parameter: {member} must be a string"))),
    }
}

/// The map `Attributes`; empty when absent.
fn attributes(body: &Value) -> Result<Vec<(&str, &str)>, ServiceError> {
    let given = body.get("Attributes").and_then(Value::as_object).into_iter().flatten();
    given
        .map(|(name, value)| {
            let wrong = || invalid(format!("Invalid parameter: Attributes: {name} must be a string"));
            Ok((name.as_str(), value.as_str().ok_or_else(wrong)?))
        })
        .collect()
}

fn invalid(reason: impl Into<String>) -> ServiceError {
    ServiceError::client("InvalidParameter", reason)
}

fn not_found(reason: &str) -> ServiceError {
    ServiceError { status: 404, ..ServiceError::client("NotFound", reason) }
}
