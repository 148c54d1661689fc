//! Whether a principal may use a key: its state, its grants and its policy, as far as S3 asks.
//!
//! A key that nobody made here may be used by its own account: its state and its policy are not known. Of identity policies
//! nothing is known either, so that principals whose account the policy lets in may use the key, as it is with buckets. A
//! statement that has a condition, or that excepts principals or actions, is not read: it lets nobody in, and one that denies
//! keeps everybody out.

use serde_json::Value;

use super::{Kms, key::Key};
use crate::service::{Caller, Principal};

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Disabled,
    PendingDeletion,
    Denied,
}

impl Kms {
    /// Whether `caller` may do `operation` (`Decrypt`) with the key `arn`.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn may(&self, caller: &Caller, arn: &str, operation: &str) -> Result<(), Refusal> {
        let keys = self.keys();
        let Some(key) = keys.get(arn) else {
            let own = arn.split(':').nth(4) == Some(caller.account.as_str());
            return if own { Ok(()) } else { Err(Refusal::Denied) };
        };
        key.usable()?;
        let who = caller.principal_arn();
        let verdict = policy(key, caller, &who, operation);
        if verdict == Some(false) {
            return Err(Refusal::Denied);
        }
        let granted = key.grants.iter().any(|grant| grant.allows(&who, operation));
        if granted || verdict == Some(true) { Ok(()) } else { Err(Refusal::Denied) }
    }
}

/// What the key's policy says; a denial wins.
fn policy(key: &Key, caller: &Caller, who: &str, operation: &str) -> Option<bool> {
    let policy: Value = serde_json::from_str(key.policy()).unwrap_or_default();
    let mut verdict = None;
    for statement in each(policy.get("Statement")) {
        let deny = statement.get("Effect").and_then(Value::as_str) == Some("Deny");
        let unread = ["Condition", "NotPrincipal", "NotAction"].iter().any(|member| statement.get(member).is_some());
        let about = each(statement.get("Action")).filter_map(Value::as_str).any(|action| covers(action, operation));
        let named = statement.get("Principal").is_some_and(|principal| includes(principal, caller, who));
        match (deny, unread, about && named) {
            (true, true, _) | (true, false, true) => return Some(false),
            (false, false, true) => verdict = Some(true),
            _ => {}
        }
    }
    verdict
}

/// The members of a list, or the one that stands in its place.
fn each(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let (list, one) = match value {
        Some(Value::Array(list)) => (list.as_slice(), None),
        one => (&[][..], one),
    };
    list.iter().chain(one)
}

fn covers(action: &str, operation: &str) -> bool {
    let action = action.to_ascii_lowercase();
    crate::s3::pattern::matches(&action, &format!("kms:{operation}").to_ascii_lowercase())
}

fn includes(principal: &Value, caller: &Caller, who: &str) -> bool {
    let service = match &caller.principal {
        Principal::Service(name) => Some(name.as_str()),
        Principal::Root | Principal::Role(_) => None,
    };
    let is = |kind: &str, test: &dyn Fn(&str) -> bool| {
        each(principal.get(kind)).filter_map(Value::as_str).any(|name| name == "*" || test(name))
    };
    let account = [caller.account.clone(), format!("arn:aws:iam::{}:root", caller.account)];
    principal.as_str() == Some("*")
        || service.is_some_and(|service| is("Service", &|name| name == service))
        || (service.is_none() && is("AWS", &|name| name == who || account.iter().any(|account| account == name)))
}
