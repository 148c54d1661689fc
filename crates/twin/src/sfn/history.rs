//! The event history of an execution.

use jiff::Timestamp;
use serde_json::{Value, json};

/// The most events that a history holds.
pub(super) const EVENT_LIMIT: usize = 25_000;

/// One event; its id is its place in the history, from 1.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) kind: String,
    pub(super) previous: u64,
    /// The members of the details object; null for events that have none.
    pub(super) details: Value,
}

impl Event {
    /// As `GetExecutionHistory` answers it.
    pub(super) fn to_json(&self, id: usize, with_data: bool) -> Value {
        let mut event =
            json!({ "timestamp": epoch(self.at), "type": self.kind, "id": id, "previousEventId": self.previous });
        if let (Some(details), Some(event)) = (self.details.as_object(), event.as_object_mut()) {
            let mut details = details.clone();
            for name in ["input", "output"] {
                if with_data && details.contains_key(name) {
                    details.insert(format!("{name}Details"), json!({ "truncated": false }));
                } else {
                    details.shift_remove(name);
                }
            }
            event.insert(details_name(&self.kind), Value::Object(details));
        }
        event
    }
}

/// The name of the details object of a type of event.
fn details_name(kind: &str) -> String {
    if kind.ends_with("StateEntered") {
        return "stateEnteredEventDetails".into();
    }
    if kind.ends_with("StateExited") {
        return "stateExitedEventDetails".into();
    }
    let mut chars = kind.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).chain("EventDetails".chars()).collect()
}

/// An object without its null members.
pub(super) fn details(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, member| !member.is_null());
    }
    value
}

/// Sets a member of an object; anything else is left as it is.
pub(super) fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// A time as AWS JSON 1.0 has it: seconds since 1970, with milliseconds.
pub(crate) fn epoch(at: Timestamp) -> Value {
    #[allow(clippy::cast_precision_loss)]
    let seconds = at.as_millisecond() as f64 / 1_000.0;
    json!(seconds)
}

/// A time as the context object has it.
pub(super) fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
