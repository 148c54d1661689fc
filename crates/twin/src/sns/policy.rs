//! Delivery policies: how often, and after which waits, a delivery is tried again.
//!
//! Source: "Message delivery retries" of the SNS Developer Guide. Its jitter is left out, so that a night stays the same.

use std::time::Duration;

use serde_json::{Value, json};

use crate::service::ServiceError;

/// The most seconds that all waits of a policy for HTTP may take together.
const TOTAL_LIMIT: u64 = 3600;

/// The four phases of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeliveryPolicy {
    min_seconds: u64,
    max_seconds: u64,
    without_delay: u64,
    at_min_delay: u64,
    backing_off: u64,
    at_max_delay: u64,
    backoff: Backoff,
    content_type: Option<String>,
}

/// How waits grow from the least to the most. The guide draws the four as curves, without a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backoff {
    Linear,
    Arithmetic,
    Geometric,
    Exponential,
}

impl Default for DeliveryPolicy {
    /// That of HTTP endpoints: three retries, 20 seconds apart.
    fn default() -> Self {
        Self {
            min_seconds: 20,
            max_seconds: 20,
            without_delay: 0,
            at_min_delay: 0,
            backing_off: 3,
            at_max_delay: 0,
            backoff: Backoff::Linear,
            content_type: None,
        }
    }
}

impl DeliveryPolicy {
    /// That of queues: 100,015 retries over 23 days.
    pub(super) fn of_queues() -> Self {
        Self {
            min_seconds: 1,
            max_seconds: 20,
            without_delay: 3,
            at_min_delay: 2,
            backing_off: 10,
            at_max_delay: 100_000,
            backoff: Backoff::Exponential,
            content_type: None,
        }
    }

    /// Reads the attribute `DeliveryPolicy` of a subscription.
    ///
    /// # Errors
    /// `InvalidParameter` with what is wrong; `NotImplemented` for throttling.
    pub(super) fn of_subscription(text: &str) -> Result<Self, ServiceError> {
        let document = document(text)?;
        known(&document, &["healthyRetryPolicy", "requestPolicy", "sicklyRetryPolicy", "throttlePolicy"])?;
        Self::read(&document, "healthyRetryPolicy", "requestPolicy")
    }

    /// Reads the attribute `DeliveryPolicy` of a topic, which is that of subscriptions without one.
    ///
    /// # Errors
    /// As [`DeliveryPolicy::of_subscription`].
    pub(super) fn of_topic(text: &str) -> Result<Self, ServiceError> {
        let document = document(text)?;
        known(&document, &["http"])?;
        let http = document.get("http").unwrap_or(&Value::Null);
        if http.get("disableSubscriptionOverrides") == Some(&Value::Bool(true)) {
            return Err(ServiceError::not_modelled("disableSubscriptionOverrides of delivery policies"));
        }
        Self::read(http, "defaultHealthyRetryPolicy", "defaultRequestPolicy")
    }

    /// The wait before the retry with this number, from 0; `None` when no more are made.
    pub(super) fn wait(&self, retry: u64) -> Option<Duration> {
        let after_none = retry.checked_sub(self.without_delay);
        let after_min = after_none.and_then(|retry| retry.checked_sub(self.at_min_delay));
        let after_backoff = after_min.and_then(|retry| retry.checked_sub(self.backing_off));
        match (after_none, after_min, after_backoff) {
            (None, ..) => Some(Duration::ZERO),
            (_, None, _) => Some(Duration::from_secs(self.min_seconds)),
            (_, Some(step), None) => {
                Some(self.backoff.wait(step, self.backing_off, self.min_seconds, self.max_seconds))
            }
            (.., Some(retry)) => (retry < self.at_max_delay).then(|| Duration::from_secs(self.max_seconds)),
        }
    }

    /// The type that posts are declared as.
    pub(super) fn content_type(&self) -> &str {
        self.content_type.as_deref().unwrap_or("text/plain; charset=UTF-8")
    }

    /// The retry policy as `EffectiveDeliveryPolicy` has it.
    pub(super) fn to_json(&self) -> Value {
        json!({"healthyRetryPolicy": {
            "minDelayTarget": self.min_seconds,
            "maxDelayTarget": self.max_seconds,
            "numRetries": self.without_delay + self.at_min_delay + self.backing_off + self.at_max_delay,
            "numNoDelayRetries": self.without_delay,
            "numMinDelayRetries": self.at_min_delay,
            "numMaxDelayRetries": self.at_max_delay,
            "backoffFunction": self.backoff.name(),
        }, "requestPolicy": {"headerContentType": self.content_type()}})
    }

    fn read(document: &Value, retry: &str, request: &str) -> Result<Self, ServiceError> {
        for absent in ["throttlePolicy", "defaultThrottlePolicy", "sicklyRetryPolicy"] {
            if document.get(absent).is_some_and(|value| !value.is_null()) {
                return Err(ServiceError::not_modelled(format_args!("{absent} of delivery policies")));
            }
        }
        let policy = document.get(retry).unwrap_or(&Value::Null);
        let number = |member: &str, least: u64, most: u64, default: u64| match policy.get(member) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => value
                .as_u64()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| wrong(format!("{member} must be between {least} and {most}"))),
        };
        let max_seconds = number("maxDelayTarget", 1, 3600, 20)?;
        let total = number("numRetries", 0, 100, 3)?;
        let (none, min, max) = (
            number("numNoDelayRetries", 0, total, 0)?,
            number("numMinDelayRetries", 0, total, 0)?,
            number("numMaxDelayRetries", 0, total, 0)?,
        );
        let rest = total.checked_sub(none + min + max);
        let read = Self {
            min_seconds: number("minDelayTarget", 1, max_seconds, 20.min(max_seconds))?,
            max_seconds,
            without_delay: none,
            at_min_delay: min,
            backing_off: rest.ok_or_else(|| wrong("the phases have more retries than numRetries".to_owned()))?,
            at_max_delay: max,
            backoff: Backoff::parse(policy.get("backoffFunction").and_then(Value::as_str).unwrap_or("linear"))?,
            content_type: document
                .get(request)
                .and_then(|request| request.get("headerContentType"))
                .and_then(Value::as_str)
                .map(str::to_owned),
        };
        let waits: Duration = (0..total).filter_map(|retry| read.wait(retry)).sum();
        if waits > Duration::from_secs(TOTAL_LIMIT) {
            return Err(wrong(format!("all waits together take {} s; the limit is {TOTAL_LIMIT}", waits.as_secs())));
        }
        Ok(read)
    }
}

impl Backoff {
    fn parse(name: &str) -> Result<Self, ServiceError> {
        let all = [Self::Linear, Self::Arithmetic, Self::Geometric, Self::Exponential];
        let found = all.into_iter().find(|function| function.name() == name);
        found.ok_or_else(|| {
            wrong(format!("backoffFunction {name} is none of linear, arithmetic, geometric, exponential"))
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Arithmetic => "arithmetic",
            Self::Geometric => "geometric",
            Self::Exponential => "exponential",
        }
    }

    /// The wait of one step out of `steps`, of which the first takes the least and the last the most.
    fn wait(self, step: u64, steps: u64, least: u64, most: u64) -> Duration {
        // Both are far below the numbers that a double cannot hold.
        #[allow(clippy::cast_precision_loss)]
        let (part, least, most) = (step as f64 / steps.saturating_sub(1).max(1) as f64, least as f64, most as f64);
        let seconds = match self {
            Self::Linear => least + (most - least) * part,
            Self::Arithmetic => least + (most - least) * part.powi(2),
            Self::Geometric => least + (most - least) * part.powi(3),
            Self::Exponential => least * (most / least).powf(part),
        };
        Duration::from_secs_f64(seconds)
    }
}

fn document(text: &str) -> Result<Value, ServiceError> {
    let value: Value = serde_json::from_str(text).map_err(|_| wrong("it is not JSON".to_owned()))?;
    if value.is_object() { Ok(value) } else { Err(wrong("it is not an object".to_owned())) }
}

fn known(document: &Value, members: &[&str]) -> Result<(), ServiceError> {
    let unknown = document.as_object().into_iter().flatten().find(|(name, _)| !members.contains(&name.as_str()));
    unknown.map_or(Ok(()), |(name, _)| Err(wrong(format!("{name} is not a member of it"))))
}

fn wrong(reason: String) -> ServiceError {
    super::invalid(format!("Invalid parameter: DeliveryPolicy: {reason}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use rstest::rstest;

    use super::*;

    fn waits(policy: &DeliveryPolicy, count: u64) -> Vec<Option<u64>> {
        (0..count).map(|retry| policy.wait(retry).map(|wait| wait.as_secs())).collect()
    }

    #[test]
    fn defaults_are_those_of_the_guide() {
        assert_eq!(waits(&DeliveryPolicy::default(), 4), [Some(20), Some(20), Some(20), None]);
        let queues = DeliveryPolicy::of_queues();
        assert_eq!(waits(&queues, 6), [Some(0), Some(0), Some(0), Some(1), Some(1), Some(1)]);
        assert_eq!(queues.wait(14), Some(Duration::from_secs(20)));
        assert_eq!((queues.wait(100_014).is_some(), queues.wait(100_015)), (true, None));
    }

    #[test]
    fn sample_of_the_guide_has_its_four_phases() {
        let text = r#"{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":60,"numRetries":50,"numNoDelayRetries":3,
            "numMinDelayRetries":2,"numMaxDelayRetries":35,"backoffFunction":"exponential"},
            "requestPolicy":{"headerContentType":"application/json"}}"#;
        let policy = DeliveryPolicy::of_subscription(text).unwrap();
        assert_eq!(waits(&policy, 6), [Some(0), Some(0), Some(0), Some(1), Some(1), Some(1)]);
        assert_eq!((policy.wait(14), policy.wait(49)), (Some(Duration::from_secs(60)), Some(Duration::from_secs(60))));
        assert_eq!((policy.wait(50), policy.content_type()), (None, "application/json"));
    }

    #[rstest]
    #[case("[]", "InvalidParameter")]
    #[case(r#"{"retries":1}"#, "InvalidParameter")]
    #[case(r#"{"healthyRetryPolicy":{"numRetries":101}}"#, "InvalidParameter")]
    #[case(
        r#"{"healthyRetryPolicy":{"numRetries":2,"numNoDelayRetries":2,"numMinDelayRetries":1}}"#,
        "InvalidParameter"
    )]
    #[case(r#"{"healthyRetryPolicy":{"minDelayTarget":30,"maxDelayTarget":20}}"#, "InvalidParameter")]
    #[case(
        r#"{"healthyRetryPolicy":{"numRetries":100,"maxDelayTarget":60,"numMaxDelayRetries":100}}"#,
        "InvalidParameter"
    )]
    #[case(r#"{"healthyRetryPolicy":{"backoffFunction":"random"}}"#, "InvalidParameter")]
    #[case(r#"{"throttlePolicy":{"maxReceivesPerSecond":1}}"#, "NotImplemented")]
    fn bad_policies_are_refused(#[case] text: &str, #[case] code: &str) {
        assert_eq!(DeliveryPolicy::of_subscription(text).unwrap_err().code, code);
    }
}
