//! Tags of state machines.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, Request, invalid};
use crate::service::ServiceError;
use crate::sfn::arn;
use crate::sfn::store::{StateMachine, Store};

/// The most tags of a state machine.
const TAG_LIMIT: usize = 50;

pub(super) fn tag(request: &Request<'_>) -> Answer {
    let tags = read(request.body.get("tags"))?;
    let mut store = request.shared.store();
    let machine = named(request, &mut store)?;
    machine.tags.extend(tags);
    if machine.tags.len() > TAG_LIMIT {
        return Err(ServiceError::client("TooManyTags", format!("Too Many Tags: '{}'", machine.arn)));
    }
    Ok(json!({}))
}

pub(super) fn untag(request: &Request<'_>) -> Answer {
    let keys =
        request.body.get("tagKeys").and_then(Value::as_array).ok_or_else(|| invalid("tagKeys must be a list"))?;
    let mut store = request.shared.store();
    let machine = named(request, &mut store)?;
    machine.tags.retain(|key, _| !keys.iter().any(|gone| gone == key));
    Ok(json!({}))
}

pub(super) fn list(request: &Request<'_>) -> Answer {
    let mut store = request.shared.store();
    let machine = named(request, &mut store)?;
    let tags: Vec<Value> = machine.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    Ok(json!({ "tags": tags }))
}

/// Reads a list of tags; no list is an empty one.
pub(super) fn read(tags: Option<&Value>) -> Result<BTreeMap<String, String>, ServiceError> {
    let one = |tag: &Value| {
        let member = |name: &str| tag.get(name).and_then(Value::as_str).map(str::to_owned);
        let key = member("key").filter(|key| !key.is_empty() && key.chars().count() <= 128);
        Some((key?, member("value").unwrap_or_default()))
    };
    match tags {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Array(tags)) => tags
            .iter()
            .map(|tag| one(tag).ok_or_else(|| invalid(format!("a tag has a key of 1 to 128 characters, not {tag}"))))
            .collect(),
        Some(other) => Err(invalid(format!("tags must be a list, not {other}"))),
    }
}

fn named<'a>(request: &Request<'_>, store: &'a mut Store) -> Result<&'a mut StateMachine, ServiceError> {
    let arn = request.text("resourceArn")?;
    arn::check(request.caller, arn, "stateMachine")?;
    store.machine(arn).map_err(|_| ServiceError::client("ResourceNotFound", format!("Resource not found: '{arn}'")))
}
