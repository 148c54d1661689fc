//! Confirmations: the tokens with which HTTP endpoints say that they want a subscription, or want it back.

use jiff::SignedDuration;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    Sns,
    deliver::Letter,
    invalid, not_found, optional_text,
    subscription::{Endpoint, State, Subscription},
    text,
};
use crate::service::{Caller, ServiceError};

/// How long tokens are good: two days, says the developer guide.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(48);

impl Sns {
    /// Takes a token; anybody who has it may. The subscription of a confirmed token is the answer once more.
    pub(super) fn confirm(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let (topic_arn, token) = (text(body, "TopicArn")?, text(body, "Token")?);
        let owner_unsubscribes = match optional_text(body, "AuthenticateOnUnsubscribe")? {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(invalid(format!("Invalid parameter: AuthenticateOnUnsubscribe: {other}"))),
        };
        let now = self.env.clock.now();
        let mut topics = self.topics();
        let topic = topics.get_mut(topic_arn).ok_or_else(|| not_found("Topic does not exist"))?;
        if owner_unsubscribes && topic.owner != caller.account {
            return Err(invalid(
                "Invalid parameter: AuthenticateOnUnsubscribe: only the owner of the topic can ask for it",
            ));
        }
        let named = topic.subscriptions.iter_mut().find(|(_, subscription)| match &subscription.state {
            State::Pending { token: known, since } | State::Left { token: known, since } => {
                known == token && now.duration_since(*since) <= TOKEN_LIFE
            }
            State::Confirmed { token: known } => known.as_deref() == Some(token),
        });
        let (arn, subscription) = named.ok_or_else(|| invalid("Invalid parameter: Token"))?;
        subscription.state = State::Confirmed { token: Some(token.to_owned()) };
        subscription.owner_unsubscribes |= owner_unsubscribes;
        Ok(json!({"SubscriptionArn": arn}))
    }

    /// Tells an endpoint how to confirm its subscription, or how to restore it when it has left; others need not.
    pub(super) fn ask(&self, topic_arn: &str, subscription_arn: &str, subscription: &Subscription) {
        let (kind, token, message) = match &subscription.state {
            State::Pending { token, .. } => (
                "SubscriptionConfirmation",
                token,
                format!(
                    "You have chosen to subscribe to the topic {topic_arn}.\nTo confirm the subscription, visit the \
                     SubscribeURL included in this message."
                ),
            ),
            State::Left { token, .. } => (
                "UnsubscribeConfirmation",
                token,
                format!(
                    "You have chosen to deactivate subscription {subscription_arn}.\nTo cancel this operation and restore \
                     the subscription, visit the SubscribeURL included in this message."
                ),
            ),
            State::Confirmed { .. } => return,
        };
        if !matches!(subscription.endpoint, Endpoint::Http(_)) {
            return;
        }
        let id = self.env.ids.uuid();
        let query = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let topic = query(topic_arn);
        let body = json!({
            "Type": kind,
            "MessageId": id,
            "Token": token,
            "TopicArn": topic_arn,
            "Message": message,
            "SubscribeURL": format!("{}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}", subscription.base_url),
            "Timestamp": super::stamp(self.env.clock.now()),
        });
        self.deliver_letter(Letter {
            kind,
            id,
            topic_arn: topic_arn.to_owned(),
            subscription_arn: subscription_arn.to_owned(),
            body: body.to_string(),
            attributes: Value::Null,
            raw: false,
            endpoint: subscription.endpoint.clone(),
            policy: subscription.policy.clone().unwrap_or_default(),
            // A confirmation that does not arrive is asked for again by another Subscribe.
            dead_letter_arn: None,
        });
    }

    pub(super) fn fresh_token(&self) -> String {
        self.env.ids.hex(64)
    }
}
