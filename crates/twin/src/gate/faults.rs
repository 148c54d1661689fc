//! Planned faults: which calls are answered with which error.

use serde::{Deserialize, Serialize};

use crate::{
    env::{Call, Ids},
    inventory::faults::InventoryFaults,
    s3control::faults::JobFaults,
    service::ServiceError,
};

/// The faults that a twin plays. The default plan has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// Calls that are answered with an error instead of being carried out. The first rule that strikes decides.
    pub calls: Vec<CallFault>,
    /// What goes wrong with batch jobs, their rows and their reports.
    #[serde(skip_serializing_if = "is_default")]
    pub jobs: JobFaults,
    /// What goes wrong with inventories.
    #[serde(skip_serializing_if = "is_default")]
    pub inventories: InventoryFaults,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

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
    /// Which of the matching calls are struck.
    #[serde(default)]
    pub when: When,
    /// The most calls that the rule strikes; no limit without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What the struck calls are answered with.
    pub answer: FaultAnswer,
}

/// Which of the calls that a rule matches are struck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// All of them.
    #[default]
    Always,
    /// Only the one with this number, counted from 1.
    Nth(u64),
    /// Those whose number is a multiple of this.
    Every(u64),
    /// Each with this probability (0 to 1), drawn from the twin's seed.
    Rate(f64),
}

/// An error that a struck call is answered with, in the service's own form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultAnswer {
    /// The error code, for example `SlowDown`.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// The message for people; a text that says the fault was planned without one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl FaultAnswer {
    /// An answer of `code` with the HTTP `status`.
    pub fn new(code: impl Into<String>, status: u16) -> Self {
        Self { code: code.into(), status, message: String::new() }
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

    /// The throttling of the other services, 400.
    #[must_use]
    pub fn throttling() -> Self {
        Self::new("ThrottlingException", 400)
    }

    /// A refusal by policy, 403.
    #[must_use]
    pub fn access_denied() -> Self {
        Self::new("AccessDenied", 403)
    }
}

impl FaultPlan {
    /// Adds a rule for one operation of one service that strikes every call.
    #[must_use]
    pub fn call(self, service: &str, operation: &str, answer: FaultAnswer) -> Self {
        self.call_when(service, operation, When::Always, answer)
    }

    /// Adds a rule for one operation of one service.
    #[must_use]
    pub fn call_when(mut self, service: &str, operation: &str, when: When, answer: FaultAnswer) -> Self {
        self.calls.push(CallFault {
            service: Some(service.to_owned()),
            operation: Some(operation.to_owned()),
            resource: None,
            account: None,
            when,
            limit: None,
            answer,
        });
        self
    }

    /// The error for `call`, if a rule strikes it; counts the call for every rule that matches.
    pub(super) fn answer(&self, call: &Call<'_>, seen: &mut [(u64, u64)], ids: &Ids) -> Option<ServiceError> {
        let mut struck = None;
        for (rule, (matched, answered)) in self.calls.iter().zip(seen) {
            if !rule.matches(call) {
                continue;
            }
            *matched += 1;
            let spent = rule.limit.is_some_and(|limit| *answered >= limit);
            if struck.is_none() && !spent && rule.when.strikes(*matched, ids) {
                *answered += 1;
                struck = Some(rule.answer.error());
            }
        }
        struck
    }
}

impl CallFault {
    fn matches(&self, call: &Call<'_>) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.service, call.service)
            && is(&self.operation, call.operation)
            && is(&self.account, &call.caller.account)
            && self.resource.as_deref().is_none_or(|part| call.resource.contains(part))
    }
}

impl When {
    fn strikes(self, number: u64, ids: &Ids) -> bool {
        match self {
            Self::Always => true,
            Self::Nth(wanted) => number == wanted,
            Self::Every(step) => step > 0 && number.is_multiple_of(step),
            // A draw of 53 bits is exact in a double.
            #[allow(clippy::cast_precision_loss)]
            Self::Rate(rate) => (ids.below(1 << 53) as f64) < rate * (1_u64 << 53) as f64,
        }
    }
}

impl FaultAnswer {
    fn error(&self) -> ServiceError {
        let message = if self.message.is_empty() { "a planned fault of the twin" } else { &self.message };
        ServiceError { code: self.code.clone(), message: message.to_owned(), status: self.status }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::service::{Caller, Principal};

    fn struck(plan: &FaultPlan, calls: u64) -> Vec<u64> {
        let caller = Caller { account: "111111111111".into(), region: "us-east-1".into(), principal: Principal::Root };
        let call = Call { service: "s3", operation: "PutObject", caller: &caller, resource: "bucket/key", needs: &[] };
        let (mut seen, ids) = (vec![(0, 0); plan.calls.len()], Ids::new(7));
        (1..=calls).filter(|_| plan.answer(&call, &mut seen, &ids).is_some()).collect()
    }

    fn plan(when: When) -> FaultPlan {
        FaultPlan::default().call_when("s3", "PutObject", when, FaultAnswer::slow_down())
    }

    #[test]
    fn rules_strike_the_calls_that_they_name() {
        assert_eq!(struck(&plan(When::Always), 3), [1, 2, 3]);
        assert_eq!(struck(&plan(When::Nth(2)), 5), [2]);
        assert_eq!(struck(&plan(When::Every(2)), 5), [2, 4]);
        assert_eq!(struck(&plan(When::Rate(0.0)), 50), Vec::<u64>::new());
        assert_eq!(struck(&plan(When::Rate(1.0)), 3), [1, 2, 3]);
        let some = struck(&plan(When::Rate(0.5)), 200).len();
        assert!((60..140).contains(&some), "{some}");
    }

    #[test]
    fn limits_and_filters_hold() {
        let mut limited = plan(When::Always);
        limited.calls[0].limit = Some(2);
        assert_eq!(struck(&limited, 5), [1, 2]);
        let mut other = plan(When::Always);
        other.calls[0].account = Some("222222222222".into());
        assert!(struck(&other, 3).is_empty());
        let mut named = plan(When::Always);
        named.calls[0].resource = Some("key".into());
        assert_eq!(struck(&named, 1), [1]);
    }

    #[test]
    fn plans_are_written_as_json_and_unknown_fields_are_refused() {
        let text = r#"{"calls":[{"service":"s3","when":{"nth":3},"answer":{"code":"SlowDown","status":503}}]}"#;
        let plan: FaultPlan = serde_json::from_str(text).unwrap();
        assert_eq!(plan.calls[0].when, When::Nth(3));
        assert_eq!(serde_json::to_string(&plan).unwrap(), text);
        assert!(serde_json::from_str::<FaultPlan>(r#"{"call":[]}"#).is_err());
    }
}
