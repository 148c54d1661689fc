//! Reading the members of a call's body, and the errors of EventBridge, its Scheduler and KMS.

use serde_json::Value;

use crate::service::ServiceError;

/// A text that must be there.
pub(crate) fn text<'a>(body: &'a Value, member: &str) -> Result<&'a str, ServiceError> {
    optional_text(body, member)?.ok_or_else(|| invalid(format!("{member} is required")))
}

/// A text that may be absent or null.
pub(crate) fn optional_text<'a>(body: &'a Value, member: &str) -> Result<Option<&'a str>, ServiceError> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("{member} must be a string"))),
    }
}

/// A list that must be there.
pub(crate) fn list<'a>(body: &'a Value, member: &str) -> Result<&'a [Value], ServiceError> {
    match body.get(member) {
        Some(Value::Array(items)) if !items.is_empty() => Ok(items),
        _ => Err(invalid(format!("{member} must be a list with at least one entry"))),
    }
}

/// Refuses members that the twin does not model.
pub(crate) fn refuse(body: &Value, members: &[&str], of: &str) -> Result<(), ServiceError> {
    match members.iter().find(|member| body.get(**member).is_some_and(|value| !value.is_null())) {
        Some(member) => Err(ServiceError::not_modelled(format_args!("{member} of {of}"))),
        None => Ok(()),
    }
}

/// What the gate's record names.
pub(super) fn resource(body: &Value) -> &str {
    let first = body.get("Entries").and_then(Value::as_array).and_then(|entries| entries.first());
    let names = ["Rule", "Name", "EventBusName"].iter().find_map(|member| body.get(*member));
    names.or_else(|| first.and_then(|entry| entry.get("EventBusName"))).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn invalid(reason: impl Into<String>) -> ServiceError {
    ServiceError::client("ValidationException", reason)
}

pub(super) fn absent(reason: impl Into<String>) -> ServiceError {
    ServiceError::client("ResourceNotFoundException", reason)
}
