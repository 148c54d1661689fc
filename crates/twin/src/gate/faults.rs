//! Planned faults of calls: which ones are struck, and what becomes of them.

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::standing;
use crate::{
    env::{Call, Ids},
    faults::{Tally, When},
    service::ServiceError,
};

/// One rule: the calls it is about, which of these it strikes, and the answer they get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallFault {
    /// The signing name of the service; every service without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The operation; every operation without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// A part of the resource's ARN, URL or name; every resource without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The caller's account; every account without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Which of the matching calls are struck. SDK retries are calls of their own.
    #[serde(default)]
    pub when: When,
    /// The most calls that the rule strikes; no limit without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What becomes of the struck calls.
    pub answer: FaultAnswer,
}

/// What becomes of a call that is struck.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultAnswer {
    /// It has no effect and is answered with this error, in the service's own form.
    Error {
        /// The error code, for example `SlowDown`.
        code: String,
        /// The HTTP status, 400 to 599.
        #[serde(deserialize_with = "error_status")]
        status: u16,
        /// The message for people; a text that says the fault was planned without one.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
    },
    /// It has no effect and is answered as the service answers when it throttles.
    Throttled,
    /// It has no effect and is answered as the service answers when it fails inside.
    Internal,
    /// It has no effect and is answered as the service answers what a policy denies.
    Denied,
    /// The caller dies over it and the call never reaches the service. Only callers that can die are struck
    /// ([`crate::connector::Connector::mortal`], and every client over TCP): for others the rule is skipped.
    Death,
    /// The call has its effect, and the caller dies before the answer reaches it. Strikes as `Death` does.
    DeathAfter,
}

/// What the gate does with a struck call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Strike {
    Answer(ServiceError),
    Death,
    DeathAfter,
}

impl CallFault {
    /// A rule that strikes every call of every service.
    #[must_use]
    pub fn new(answer: FaultAnswer) -> Self {
        let when = When::Always;
        Self { service: None, operation: None, resource: None, account: None, when, limit: None, answer }
    }

    /// The same rule for one operation of one service only.
    #[must_use]
    pub fn of(self, service: &str, operation: &str) -> Self {
        Self { service: Some(service.to_owned()), operation: Some(operation.to_owned()), ..self }
    }

    /// The same rule, striking these of the calls.
    #[must_use]
    pub fn when(self, when: When) -> Self {
        Self { when, ..self }
    }

    /// The same rule, striking at most so many calls.
    #[must_use]
    pub fn limit(self, limit: u64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    fn matches(&self, call: &Call<'_>) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let deadly = matches!(self.answer, FaultAnswer::Death | FaultAnswer::DeathAfter);
        is(&self.service, call.service)
            && is(&self.operation, call.operation)
            && is(&self.account, &call.caller.account)
            && self.resource.as_deref().is_none_or(|part| call.resource.contains(part))
            && (!deadly || standing::is_mortal())
    }
}

impl FaultAnswer {
    /// An answer of `code` with the HTTP `status`.
    pub fn new(code: impl Into<String>, status: u16) -> Self {
        Self::Error { code: code.into(), status, message: String::new() }
    }

    /// S3's throttling, 503.
    #[must_use]
    pub fn slow_down() -> Self {
        Self::new("SlowDown", 503)
    }

    /// A failure within the service, 500.
    #[must_use]
    pub fn internal_error() -> Self {
        Self::new("InternalError", 500)
    }

    /// The throttling of the JSON services, 400.
    #[must_use]
    pub fn throttling() -> Self {
        Self::new("ThrottlingException", 400)
    }

    /// A refusal by policy, 403.
    #[must_use]
    pub fn access_denied() -> Self {
        Self::new("AccessDenied", 403)
    }

    fn strike(&self, service: &str) -> Strike {
        let (code, status, message) = match self {
            Self::Error { code, status, message } => (code.as_str(), *status, message.as_str()),
            Self::Throttled => throttled(service),
            Self::Internal => internal(service),
            Self::Denied => denied(service),
            Self::Death => return Strike::Death,
            Self::DeathAfter => return Strike::DeathAfter,
        };
        let message = if message.is_empty() { "a planned fault of the twin" } else { message };
        Strike::Answer(ServiceError { code: code.to_owned(), message: message.to_owned(), status })
    }
}

/// Finds the rule that strikes the call, by its place in the plan, and counts the call for every rule that is about it.
pub(super) fn strike(
    rules: &[CallFault],
    call: &Call<'_>,
    tallies: &mut [Tally],
    ids: &Ids,
) -> Option<(usize, Strike)> {
    if standing::is_sheltered() {
        return None;
    }
    let mut struck = None;
    for (place, (rule, tally)) in rules.iter().zip(tallies).enumerate() {
        if rule.matches(call) && tally.meet(rule.when, rule.limit, ids, &format!("call {place}")) && struck.is_none() {
            tally.strike();
            struck = Some((place, rule.answer.strike(call.service)));
        }
    }
    struck
}

type Parts = (&'static str, u16, &'static str);

// The codes are those of the services' API references and models: S3 "Error responses"; S3 Control's model; "Common
// Errors" of SQS, Step Functions, EventBridge and STS; EventBridge's and SNS's own errors. Where a model names no status,
// 400 for the caller's errors and 500 for the service's, as Smithy has it.

fn throttled(service: &str) -> Parts {
    match service {
        "s3" => ("SlowDown", 503, "Please reduce your request rate."),
        "s3control" => ("TooManyRequestsException", 400, "Too many requests"),
        "sns" => ("Throttled", 429, "Rate exceeded"),
        "sts" => ("Throttling", 400, "Rate exceeded"),
        _ => ("ThrottlingException", 400, "Rate exceeded"),
    }
}

fn internal(service: &str) -> Parts {
    let text = "We encountered an internal error. Please try again.";
    match service {
        "s3" | "sns" => ("InternalError", 500, text),
        "s3control" => ("InternalServiceException", 500, text),
        "events" => ("InternalException", 500, text),
        "scheduler" => ("InternalServerException", 500, text),
        _ => ("InternalFailure", 500, text),
    }
}

fn denied(service: &str) -> Parts {
    match service {
        "s3" | "s3control" | "sts" => ("AccessDenied", 403, "Access Denied"),
        "sns" => ("AuthorizationError", 403, "The caller is not authorized to perform the operation"),
        _ => ("AccessDeniedException", 400, "The caller is not authorized to perform the operation"),
    }
}

fn error_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let status = u16::deserialize(deserializer)?;
    if (400..=599).contains(&status) {
        Ok(status)
    } else {
        Err(D::Error::custom(format_args!("an error has an HTTP status from 400 to 599, and not {status}")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::service::{Caller, Principal};

    fn rule() -> CallFault {
        CallFault::new(FaultAnswer::Throttled).of("s3", "PutObject")
    }

    fn struck(rules: &[CallFault], calls: u64) -> Vec<usize> {
        let caller = Caller { account: "111111111111".into(), region: "us-east-1".into(), principal: Principal::Root };
        let call = Call {
            service: "s3",
            operation: "PutObject",
            caller: &caller,
            resource: "bucket/key",
            needs: &[],
            facts: &[],
        };
        let (mut tallies, ids) = (vec![Tally::default(); rules.len()], Ids::new(7));
        (0..calls).filter_map(|_| strike(rules, &call, &mut tallies, &ids)).map(|(rule, _)| rule).collect()
    }

    #[rstest::rstest]
    #[case::this_operation(rule(), 2)]
    #[case::another_operation(CallFault { operation: Some("GetObject".into()), ..rule() }, 0)]
    #[case::another_service(CallFault { service: Some("sqs".into()), ..rule() }, 0)]
    #[case::another_account(CallFault { account: Some("222222222222".into()), ..rule() }, 0)]
    #[case::this_resource(CallFault { resource: Some("key".into()), ..rule() }, 2)]
    #[case::another_resource(CallFault { resource: Some("lock".into()), ..rule() }, 0)]
    #[case::nobody_who_can_die(CallFault { answer: FaultAnswer::Death, ..rule() }, 0)]
    fn rules_strike_the_calls_that_they_name(#[case] rule: CallFault, #[case] expected: usize) {
        assert_eq!(struck(&[rule], 2).len(), expected);
    }

    #[test]
    fn the_first_rule_that_strikes_decides_and_only_it_spends_its_limit() {
        let rules = [rule().limit(1), rule().when(When::Every(2)).limit(2), rule().limit(2)];
        assert_eq!(struck(&rules, 8), [0, 1, 2, 1, 2]);
    }

    #[tokio::test]
    async fn deaths_strike_those_who_can_die_and_nothing_strikes_the_sheltered() {
        let deadly = [CallFault::new(FaultAnswer::DeathAfter)];
        assert_eq!(standing::mortal(async { struck(&deadly, 1).len() }).await, Some(1));
        assert_eq!(standing::sheltered(async { struck(&[rule()], 1).len() }).await, 0);
    }
}
