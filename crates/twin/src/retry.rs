//! How EventBridge and its Scheduler try a target again: `RetryPolicy`, and the reasons to give up.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{env::Ids, service::ServiceError};

/// The longest wait between two attempts. Neither guide gives numbers, only "exponential backoff and jitter"; this one lets
/// the 185 attempts of the default policy fill its 24 hours.
const LONGEST_WAIT_SECONDS: u64 = 600;

/// The policy of a target: `MaximumRetryAttempts` and `MaximumEventAgeInSeconds`, by default 185 and 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    attempts: u32,
    age_seconds: u64,
}

/// Which limit of a policy was met: the values of `EXHAUSTED_RETRY_CONDITION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    MaximumRetryAttempts,
    MaximumEventAgeInSeconds,
}

impl RetryPolicy {
    /// Reads the member `RetryPolicy` of a target.
    ///
    /// # Errors
    /// `ValidationException` for a value out of the ranges 0 to 185 and 60 to 86400.
    pub(crate) fn parse(target: &Value) -> Result<Self, ServiceError> {
        let policy = target.get("RetryPolicy").unwrap_or(&Value::Null);
        let number = |member: &str, least: u64, most: u64| match policy.get(member) {
            None | Some(Value::Null) => Ok(most),
            Some(value) => value.as_u64().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
                let reason = format!("RetryPolicy.{member} must be between {least} and {most}, not {value}");
                ServiceError::client("ValidationException", reason)
            }),
        };
        let attempts = u32::try_from(number("MaximumRetryAttempts", 0, 185)?).unwrap_or(185);
        Ok(Self { attempts, age_seconds: number("MaximumEventAgeInSeconds", 60, 86_400)? })
    }

    /// The wait before the next attempt, after `retries` of them, for an event that is `age` old.
    pub(crate) fn wait(&self, retries: u32, age: Duration, ids: &Ids) -> Result<Duration, Exhausted> {
        if retries >= self.attempts {
            return Err(Exhausted::MaximumRetryAttempts);
        }
        let whole = 2_u64.saturating_pow(retries).min(LONGEST_WAIT_SECONDS) * 1000;
        let wait = Duration::from_millis(whole / 2 + ids.below(whole / 2 + 1));
        if age.saturating_add(wait) > Duration::from_secs(self.age_seconds) {
            return Err(Exhausted::MaximumEventAgeInSeconds);
        }
        Ok(wait)
    }

    /// The policy with its defaults, as answers show it.
    pub(crate) fn to_json(self) -> Value {
        json!({"MaximumEventAgeInSeconds": self.age_seconds, "MaximumRetryAttempts": self.attempts})
    }
}

impl Exhausted {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MaximumRetryAttempts => "MaximumRetryAttempts",
            Self::MaximumEventAgeInSeconds => "MaximumEventAgeInSeconds",
        }
    }
}

/// Whether an error can pass by itself. The guides tell "retryable" from "permanent" errors and name as permanent missing
/// permissions and targets that are not there; the twin takes for passing what is not the caller's fault, and throttling.
pub(crate) fn is_passing(error: &ServiceError) -> bool {
    let throttled = error.code.contains("Throttl") || error.code.contains("TooManyRequests");
    (error.status >= 500 && error.status != 501) || error.status == 429 || throttled
}

/// The attribute map of a dead letter, all texts.
pub(crate) fn letter_attributes(attributes: &[(&str, String)]) -> Value {
    // SQS takes no empty attribute.
    let given = attributes.iter().filter(|(_, text)| !text.is_empty());
    let entry =
        |(name, text): &(&str, String)| ((*name).to_owned(), json!({"DataType": "String", "StringValue": text}));
    Value::Object(given.map(entry).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use rstest::rstest;

    use super::*;

    #[test]
    fn waits_double_with_jitter_until_a_limit_is_met() {
        let policy = RetryPolicy::parse(&json!({"RetryPolicy": {"MaximumRetryAttempts": 3}})).unwrap();
        let ids = Ids::new(1);
        for (retries, most) in [(0, 1000), (1, 2000), (2, 4000)] {
            let wait = policy.wait(retries, Duration::ZERO, &ids).unwrap().as_millis();
            assert!((most / 2..=most).contains(&wait), "{retries}: {wait}");
        }
        assert_eq!(policy.wait(3, Duration::ZERO, &ids), Err(Exhausted::MaximumRetryAttempts));
        let day = Duration::from_secs(86_400);
        assert_eq!(policy.wait(0, day, &ids), Err(Exhausted::MaximumEventAgeInSeconds));
    }

    #[test]
    fn default_is_a_day_and_185_attempts_which_the_waits_fill() {
        let policy = RetryPolicy::parse(&json!({})).unwrap();
        assert_eq!(policy.to_json(), json!({"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}));
        let (ids, mut age, mut retries) = (Ids::new(1), Duration::ZERO, 0);
        while let Ok(wait) = policy.wait(retries, age, &ids) {
            (age, retries) = (age + wait, retries + 1);
        }
        assert!(age > Duration::from_secs(20 * 3600) && retries > 150, "{age:?} {retries}");
    }

    #[rstest]
    #[case(json!({"MaximumRetryAttempts": 186}))]
    #[case(json!({"MaximumRetryAttempts": -1}))]
    #[case(json!({"MaximumEventAgeInSeconds": 59}))]
    #[case(json!({"MaximumEventAgeInSeconds": 86_401}))]
    fn policy_out_of_range_is_refused(#[case] policy: Value) {
        let error = RetryPolicy::parse(&json!({"RetryPolicy": policy})).unwrap_err();
        assert_eq!(error.code, "ValidationException");
    }

    #[rstest]
    #[case("InternalError", 500, true)]
    #[case("ThrottlingException", 400, true)]
    #[case("TooManyRequestsException", 429, true)]
    #[case("ExecutionAlreadyExists", 400, false)]
    #[case("AccessDenied", 403, false)]
    #[case("NotImplemented", 501, false)]
    fn errors_of_the_service_and_throttling_pass(#[case] code: &str, #[case] status: u16, #[case] passes: bool) {
        let error = ServiceError { code: code.to_owned(), message: String::new(), status };
        assert_eq!(is_passing(&error), passes);
    }
}
