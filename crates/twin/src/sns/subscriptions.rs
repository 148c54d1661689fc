//! The calls on subscriptions.

use serde_json::{Value, json};

use super::{
    Sns, Topic, attributes, invalid, not_found, optional_text,
    subscription::{Endpoint, State, Subscription},
    text,
};
use crate::service::{Caller, ServiceError};

impl Sns {
    pub(super) fn subscribe(&self, base_url: &str, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let (topic_arn, protocol) = (text(body, "TopicArn")?, text(body, "Protocol")?);
        let endpoint = Endpoint::parse(protocol, text(body, "Endpoint")?)?;
        let state = match endpoint {
            Endpoint::Queue(_) => State::Confirmed { token: None },
            Endpoint::Http(_) => State::Pending { token: self.fresh_token(), since: self.env.clock.now() },
        };
        let mut subscription = Subscription::new(endpoint, state, base_url);
        for (name, value) in attributes(body)? {
            subscription.set(topic_arn, name, value)?;
        }
        let id = self.env.ids.uuid();
        let (arn, kept) = self.on_topic(caller, topic_arn, |topic| {
            // The same endpoint once more is the same subscription; one that has not confirmed is asked again.
            let same = |known: &Subscription| known.endpoint == subscription.endpoint && !known.has_left();
            if let Some((arn, known)) = topic.subscriptions.iter().find(|(_, known)| same(known)) {
                return Ok((arn.clone(), known.clone()));
            }
            let arn = format!("{topic_arn}:{id}");
            topic.subscriptions.insert(arn.clone(), subscription.clone());
            Ok((arn, subscription))
        })?;
        self.ask(topic_arn, &arn, &kept);
        let named = kept.is_confirmed() || optional_text(body, "ReturnSubscriptionArn")? == Some("true");
        Ok(json!({"SubscriptionArn": if named { arn.as_str() } else { "pending confirmation" }}))
    }

    /// Ends a subscription. Whoever has the ARN of an HTTP subscription may, unless it was confirmed with
    /// `AuthenticateOnUnsubscribe`: its messages carry the URL for it.
    pub(super) fn unsubscribe(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let arn = text(body, "SubscriptionArn")?;
        let topic_arn = topic_of(arn)?;
        let (token, since) = (self.fresh_token(), self.env.clock.now());
        let mut topics = self.topics();
        let topic = topics.get_mut(topic_arn).ok_or_else(|| not_found("Topic does not exist"))?;
        let Some(subscription) = topic.subscriptions.get_mut(arn) else { return Ok(Value::Null) };
        let open = matches!(subscription.endpoint, Endpoint::Http(_)) && !subscription.owner_unsubscribes;
        if !open && topic.owner != caller.account {
            return Err(super::not_yours(caller, arn));
        }
        if !matches!(subscription.endpoint, Endpoint::Http(_)) || subscription.is_pending() {
            topic.subscriptions.remove(arn);
            return Ok(Value::Null);
        }
        if subscription.is_confirmed() {
            subscription.state = State::Left { token, since };
            let left = subscription.clone();
            drop(topics);
            self.ask(topic_arn, arn, &left);
        }
        Ok(Value::Null)
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
        self.on_subscription(caller, body, |arn, topic_policy, subscription| {
            let mut all = subscription.attributes();
            let mut put = |name: &str, value: &str| all.insert(name.to_owned(), Value::from(value));
            put("SubscriptionArn", arn);
            put("TopicArn", topic_of(arn)?);
            put("Owner", &caller.account);
            put("Protocol", subscription.endpoint.protocol());
            put("Endpoint", subscription.endpoint.text());
            if matches!(subscription.endpoint, Endpoint::Http(_)) {
                let policy = subscription.policy.as_ref().unwrap_or(topic_policy);
                put("EffectiveDeliveryPolicy", &policy.to_json().to_string());
            }
            Ok(json!({"Attributes": all}))
        })
    }

    pub(super) fn set_subscription_attributes(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let name = text(body, "AttributeName")?;
        let value = optional_text(body, "AttributeValue")?.unwrap_or_default();
        self.on_subscription(caller, body, |arn, _, subscription| {
            subscription.set(topic_of(arn)?, name, value)?;
            Ok(Value::Null)
        })
    }

    fn on_subscription<T>(
        &self,
        caller: &Caller,
        body: &Value,
        act: impl FnOnce(&str, &super::policy::DeliveryPolicy, &mut Subscription) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let arn = text(body, "SubscriptionArn")?;
        self.on_topic(caller, topic_of(arn)?, |topic| {
            let policy = topic.policy();
            let subscription = topic.subscriptions.get_mut(arn).filter(|subscription| !subscription.has_left());
            act(arn, &policy, subscription.ok_or_else(|| not_found("Subscription does not exist"))?)
        })
    }
}

fn listed(topic_arn: &str, topic: &Topic) -> Vec<Value> {
    let there = topic.subscriptions.iter().filter(|(_, subscription)| !subscription.has_left());
    let one = |(arn, subscription): (&String, &Subscription)| {
        let arn = if subscription.is_pending() { "PendingConfirmation" } else { arn.as_str() };
        json!({
            "SubscriptionArn": arn, "Owner": topic.owner, "Protocol": subscription.endpoint.protocol(),
            "Endpoint": subscription.endpoint.text(), "TopicArn": topic_arn,
        })
    };
    there.map(one).collect()
}

/// The ARN of a subscription's topic.
fn topic_of(subscription_arn: &str) -> Result<&str, ServiceError> {
    let wrong = || invalid("Invalid parameter: SubscriptionArn");
    subscription_arn.rsplit_once(':').map(|(topic, _)| topic).ok_or_else(wrong)
}
