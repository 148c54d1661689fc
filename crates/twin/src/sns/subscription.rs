//! One subscription: where messages go, which ones, how, and whether it was confirmed.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{http::HttpEndpoint, invalid, policy::DeliveryPolicy};
use crate::{events::Pattern, service::ServiceError};

/// A subscription of a topic.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) endpoint: Endpoint,
    pub(super) state: State,
    /// What URLs for the subscriber begin with: the endpoint at which it reaches SNS.
    pub(super) base_url: String,
    /// The message as it was published, without SNS's envelope.
    pub(super) raw: bool,
    /// Only the topic's owner may unsubscribe.
    pub(super) owner_unsubscribes: bool,
    pub(super) dead_letter_arn: Option<String>,
    pub(super) policy: Option<DeliveryPolicy>,
    filter: Option<Filter>,
    filter_on_body: bool,
    /// Attributes that are documents, as they were given.
    given: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// By ARN.
    Queue(String),
    Http(HttpEndpoint),
}

/// How far a subscription has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for its confirmation since then.
    Pending { token: String, since: Timestamp },
    /// Gets messages. The token that confirmed it still names it.
    Confirmed { token: Option<String> },
    /// Was ended; the token restores it.
    Left { token: String, since: Timestamp },
}

#[derive(Clone, Debug)]
struct Filter {
    pattern: Pattern,
    text: String,
}

impl Endpoint {
    /// # Errors
    /// `InvalidParameter`; `NotImplemented` for other protocols, named.
    pub(super) fn parse(protocol: &str, endpoint: &str) -> Result<Self, ServiceError> {
        match protocol {
            "sqs" if endpoint.starts_with("arn:aws:sqs:") => Ok(Self::Queue(endpoint.to_owned())),
            "sqs" => Err(invalid("Invalid parameter: Endpoint Reason: the ARN of an SQS queue is expected")),
            "http" | "https" if !endpoint.starts_with(&format!("{protocol}://")) => {
                Err(invalid("Invalid parameter: Endpoint Reason: the endpoint must match the specified protocol"))
            }
            "http" | "https" => HttpEndpoint::parse(endpoint).map(Self::Http),
            _ => Err(ServiceError::not_modelled(format_args!("subscriptions with the protocol {protocol}"))),
        }
    }

    pub(super) fn protocol(&self) -> &'static str {
        match self {
            Self::Queue(_) => "sqs",
            Self::Http(_) => "http",
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Queue(arn) => arn,
            Self::Http(endpoint) => &endpoint.url,
        }
    }
}

impl Subscription {
    pub(super) fn new(endpoint: Endpoint, state: State, base_url: &str) -> Self {
        Self {
            endpoint,
            state,
            base_url: base_url.to_owned(),
            raw: false,
            owner_unsubscribes: false,
            dead_letter_arn: None,
            policy: None,
            filter: None,
            filter_on_body: false,
            given: Map::new(),
        }
    }

    pub(super) fn is_confirmed(&self) -> bool {
        matches!(self.state, State::Confirmed { .. })
    }

    pub(super) fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending { .. })
    }

    pub(super) fn has_left(&self) -> bool {
        matches!(self.state, State::Left { .. })
    }

    /// Sets one attribute.
    ///
    /// # Errors
    /// `InvalidParameter`; `NotImplemented` for attributes that the twin does not have.
    pub(super) fn set(&mut self, topic_arn: &str, name: &str, value: &str) -> Result<(), ServiceError> {
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
            ("RedrivePolicy", "" | "{}") => self.dead_letter_arn = None,
            ("RedrivePolicy", text) => self.dead_letter_arn = Some(dead_letter_queue(topic_arn, text)?),
            ("DeliveryPolicy", "" | "{}") => self.policy = None,
            ("DeliveryPolicy", _) if matches!(self.endpoint, Endpoint::Queue(_)) => {
                return Err(invalid("Invalid parameter: DeliveryPolicy Reason: only HTTP/S subscriptions have one"));
            }
            ("DeliveryPolicy", text) => self.policy = Some(DeliveryPolicy::of_subscription(text)?),
            ("RawMessageDelivery" | "FilterPolicyScope", _) => {
                return Err(invalid(format!("Invalid parameter: {name} Reason: {value} is not a value of it")));
            }
            _ => return Err(ServiceError::not_modelled(format_args!("the attribute {name} of subscriptions"))),
        }
        if matches!(name, "RedrivePolicy" | "DeliveryPolicy") {
            self.given.insert(name.to_owned(), json!(value));
        }
        Ok(())
    }

    /// The attributes that were set, and those that follow from them.
    pub(super) fn attributes(&self) -> Map<String, Value> {
        let mut all = self.given.clone();
        all.retain(|_, text| !matches!(text.as_str(), Some("" | "{}")));
        let mut put = |name: &str, value: &str| all.insert(name.to_owned(), Value::from(value));
        put("RawMessageDelivery", &self.raw.to_string());
        put("PendingConfirmation", &self.is_pending().to_string());
        put(
            "ConfirmationWasAuthenticated",
            &(self.owner_unsubscribes || self.endpoint.protocol() == "sqs").to_string(),
        );
        if let Some(filter) = &self.filter {
            put("FilterPolicy", &filter.text);
            put("FilterPolicyScope", if self.filter_on_body { "MessageBody" } else { "MessageAttributes" });
        }
        all
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

/// The queue of a redrive policy, which must be of the account and Region of the topic.
fn dead_letter_queue(topic_arn: &str, text: &str) -> Result<String, ServiceError> {
    let policy: Value =
        serde_json::from_str(text).map_err(|_| invalid("Invalid parameter: RedrivePolicy: failed to parse JSON"))?;
    let arn = policy.get("deadLetterTargetArn").and_then(Value::as_str).unwrap_or_default();
    let mut home = topic_arn.split(':').skip(3);
    let (region, account) = (home.next().unwrap_or_default(), home.next().unwrap_or_default());
    if !arn.starts_with(&format!("arn:aws:sqs:{region}:{account}:")) {
        return Err(invalid(format!(
            "Invalid parameter: RedrivePolicy: deadLetterTargetArn must be the ARN of an SQS queue of {account} in {region}"
        )));
    }
    Ok(arn.to_owned())
}
