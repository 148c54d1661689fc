//! Amazon SNS: standard topics with subscriptions of SQS queues and of HTTP endpoints on this machine.
//!
//! Members are those of the API reference; the router turns the query protocol into them. Filter policies are event
//! patterns ([`crate::events`]), on attributes or on the body. HTTP endpoints confirm their subscription with a token and get
//! posts as the developer guide has them, without signatures: the twin has no certificate. Deliveries are tried again by the
//! delivery policy and end in the dead-letter queue of the subscription. Other protocols of subscriptions (email, HTTPS,
//! Lambda) are refused, and so are FIFO topics. Messages are in the queues before Publish returns.

mod confirm;
mod deliver;
mod http;
mod policy;
mod publish;
mod subscription;
mod subscriptions;
mod topics;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::subscription::Subscription;
use crate::{
    env::{Call, Env},
    needs,
    service::{Caller, JsonService, ServiceError},
    sqs::Sqs,
};

/// The operations that are modelled.
pub(crate) const OPERATIONS: &[&str] = &[
    "ConfirmSubscription",
    "CreateTopic",
    "DeleteTopic",
    "GetSubscriptionAttributes",
    "GetTopicAttributes",
    "ListSubscriptions",
    "ListSubscriptionsByTopic",
    "ListTopics",
    "Publish",
    "SetSubscriptionAttributes",
    "SetTopicAttributes",
    "Subscribe",
    "Unsubscribe",
];

/// The SNS of the twin. Its background work ends with it.
pub struct Sns {
    env: Env,
    sqs: Arc<Sqs>,
    topics: Mutex<BTreeMap<String, Topic>>,
    /// For tasks of the background, which must not keep the service alive.
    me: Weak<Self>,
    stop: CancellationToken,
    _ended: DropGuard,
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
    pub fn new(env: Env, sqs: Arc<Sqs>) -> Arc<Self> {
        let stop = CancellationToken::new();
        Arc::new_cyclic(|me| Self {
            env,
            sqs,
            topics: Mutex::default(),
            me: me.clone(),
            stop: stop.clone(),
            _ended: stop.drop_guard(),
        })
    }

    /// Answers one call of a client that uses `endpoint` (`http://127.0.0.1:4566`): the URLs in messages begin with it.
    ///
    /// # Errors
    /// As the API reference says; `NotImplemented` for what the twin does not model.
    pub fn call_at(
        &self,
        endpoint: &str,
        caller: &Caller,
        operation: &str,
        body: &Value,
    ) -> Result<Value, ServiceError> {
        let named = ["TopicArn", "TargetArn", "SubscriptionArn", "Name"].iter().find_map(|name| body.get(*name));
        let resource = named.and_then(Value::as_str).unwrap_or_default();
        let needs = needs::sns(operation, caller, body);
        let call = Call { service: "sns", operation, caller, resource, needs: &needs, facts: &[] };
        self.env.pass_now(&call, || self.answer(endpoint, caller, operation, body))
    }

    fn answer(&self, endpoint: &str, caller: &Caller, operation: &str, body: &Value) -> Result<Value, ServiceError> {
        match operation {
            "CreateTopic" => self.create_topic(caller, body),
            "DeleteTopic" => self.delete_topic(caller, body),
            "ListTopics" => Ok(self.list_topics(caller)),
            "GetTopicAttributes" => self.topic_attributes(caller, body),
            "SetTopicAttributes" => self.set_topic_attributes(caller, body),
            "Subscribe" => self.subscribe(endpoint, caller, body),
            "ConfirmSubscription" => self.confirm(caller, body),
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
            return Err(not_yours(caller, arn));
        }
        act(topic)
    }
}

#[async_trait]
impl JsonService for Sns {
    async fn call(&self, caller: &Caller, operation: &str, body: Value) -> Result<Value, ServiceError> {
        let endpoint = format!("https://sns.{}.amazonaws.com", caller.region);
        self.call_at(&endpoint, caller, operation, &body)
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

fn not_yours(caller: &Caller, arn: &str) -> ServiceError {
    let reason = format!("account {} may not use {arn}: the twin models no topic policies", caller.account);
    ServiceError { status: 403, ..ServiceError::client("AuthorizationError", reason) }
}

/// A time as messages have it, with milliseconds.
fn stamp(time: Timestamp) -> String {
    format!("{time:.3}")
}
