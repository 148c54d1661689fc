//! Reading the members of a call's body.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::wire;
use crate::service::ServiceError;

/// A text that must be there.
pub(crate) fn text<'a>(body: &'a Value, member: &str) -> Result<&'a str, ServiceError> {
    optional_text(body, member)?.ok_or_else(|| wire::missing(member))
}

/// A text that may be absent or null.
pub(crate) fn optional_text<'a>(body: &'a Value, member: &str) -> Result<Option<&'a str>, ServiceError> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wire::wrong_type(member, "a string")),
    }
}

/// A whole number within `range`; absent and null are `None`.
pub(crate) fn number(body: &Value, member: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, ServiceError> {
    let number = match body.get(member) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value.as_i64().ok_or_else(|| wire::wrong_type(member, "a whole number"))?,
    };
    if range.contains(&number) {
        return Ok(Some(number));
    }
    let (least, most) = (range.start(), range.end());
    let reason = format!(
        "Value {number} for parameter {member} is invalid. Reason: Must be between {least} and {most}, if provided."
    );
    Err(wire::invalid_value(reason))
}

/// A map; absent and null are `None`.
pub(crate) fn object<'a>(body: &'a Value, member: &str) -> Result<Option<&'a Map<String, Value>>, ServiceError> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(_) => Err(wire::wrong_type(member, "a map")),
    }
}

/// A map of texts; empty when absent.
pub(crate) fn text_map(body: &Value, member: &str) -> Result<Vec<(String, String)>, ServiceError> {
    let Some(map) = object(body, member)? else { return Ok(Vec::new()) };
    map.iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            _ => Err(wire::wrong_type(name, "a string")),
        })
        .collect()
}

/// A list of texts; empty when absent.
pub(crate) fn texts(body: &Value, member: &str) -> Result<Vec<String>, ServiceError> {
    list(body, member)?
        .iter()
        .map(|value| value.as_str().map(str::to_owned).ok_or_else(|| wire::wrong_type(member, "a list of strings")))
        .collect()
}

/// A list; empty when absent.
pub(crate) fn list<'a>(body: &'a Value, member: &str) -> Result<&'a [Value], ServiceError> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(wire::wrong_type(member, "a list")),
    }
}
