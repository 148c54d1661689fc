//! PutEvents, and the way of an accepted event to its targets.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{BusKey, EventBridge, deliver::Delivery, input, targets::Target};
use crate::service::{Caller, ServiceError};

/// The most bytes of all entries of one call.
const SIZE_LIMIT: usize = 262_144;

/// An event to be put on a bus.
pub(super) struct NewEvent {
    pub(super) source: String,
    pub(super) detail_type: String,
    pub(super) detail: Value,
    pub(super) resources: Vec<String>,
    pub(super) time: Timestamp,
}

impl EventBridge {
    pub(super) fn put_events(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        input::refuse(body, &["EndpointId"], "PutEvents")?;
        let entries = input::list(body, "Entries")?;
        if entries.len() > 10 {
            return Err(input::invalid("Entries must have at most 10 members"));
        }
        if entries.iter().map(size).sum::<usize>() > SIZE_LIMIT {
            return Err(input::invalid(format!(
                "Total size of the entries in the request is over the limit of {SIZE_LIMIT} bytes."
            )));
        }
        let mut failed = 0;
        let results: Vec<Value> = entries
            .iter()
            .map(|entry| match self.put(caller, entry) {
                Ok(id) => json!({"EventId": id}),
                Err(error) => {
                    failed += 1;
                    json!({"ErrorCode": error.code, "ErrorMessage": error.message})
                }
            })
            .collect();
        Ok(json!({"FailedEntryCount": failed, "Entries": results}))
    }

    fn put(&self, caller: &Caller, entry: &Value) -> Result<String, ServiceError> {
        let required = |member: &str| {
            let missing = || {
                let reason = format!("Parameter {member} is not valid. Reason: {member} is a required argument.");
                ServiceError::client("InvalidArgument", reason)
            };
            input::optional_text(entry, member)?.filter(|text| !text.is_empty()).ok_or_else(missing)
        };
        let (source, detail_type, detail) = (required("Source")?, required("DetailType")?, required("Detail")?);
        if source.starts_with("aws.") {
            let reason = format!("Not authorized for the source {source}.");
            return Err(ServiceError::client("NotAuthorizedForSource", reason));
        }
        let detail: Value = serde_json::from_str(detail)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| ServiceError::client("MalformedDetail", "Detail is malformed."))?;
        let key = BusKey::named(caller, input::optional_text(entry, "EventBusName")?.unwrap_or("default"))?;
        let now = self.env.clock.now();
        let time = match entry.get("Time").filter(|time| !time.is_null()) {
            None => now,
            Some(time) => seconds(time).ok_or_else(|| input::invalid("Time must be a number of seconds since 1970"))?,
        };
        let resources = entry.get("Resources").and_then(Value::as_array).into_iter().flatten();
        let resources = resources.filter_map(Value::as_str).map(str::to_owned).collect();
        self.state().bus(&key, now)?;
        let (source, detail_type) = (source.to_owned(), detail_type.to_owned());
        Ok(self.accept(&key, NewEvent { source, detail_type, detail, resources, time }))
    }

    /// Keeps the event and delivers it to the targets of every rule that matches; returns its id.
    pub(super) fn accept(&self, key: &BusKey, new: NewEvent) -> String {
        let now = self.env.clock.now();
        let id = self.env.ids.uuid();
        let event = json!({
            "version": "0",
            "id": id,
            "detail-type": new.detail_type,
            "source": new.source,
            "account": key.account,
            "time": whole_seconds(new.time).to_string(),
            "region": key.region,
            "resources": new.resources,
            "detail": new.detail,
        });
        let deliveries = self.keep(key, &event, now);
        for (rule, target) in deliveries {
            self.deliver(Delivery { bus: key.clone(), rule, target, event: event.clone(), accepted: now });
        }
        id
    }

    /// Records the event; returns the targets that want it, with the names of their rules.
    fn keep(&self, key: &BusKey, event: &Value, now: Timestamp) -> Vec<(String, Target)> {
        let mut state = self.state();
        state.record(key, event, now);
        let Ok(bus) = state.bus(key, now) else { return Vec::new() };
        let rules = bus.rules.iter().filter(|(_, rule)| rule.enabled && rule.wants(event));
        rules.flat_map(|(name, rule)| rule.targets.values().map(|target| (name.clone(), target.clone()))).collect()
    }
}

/// The size of an entry as the user guide counts it.
fn size(entry: &Value) -> usize {
    let texts = ["Source", "DetailType", "Detail"].iter().filter_map(|member| entry.get(*member)?.as_str());
    let resources = entry.get("Resources").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let time = if entry.get("Time").is_some_and(|time| !time.is_null()) { 14 } else { 0 };
    texts.chain(resources).map(str::len).sum::<usize>() + time
}

fn seconds(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        // Times of day are whole seconds in events.
        #[allow(clippy::cast_possible_truncation)]
        number => Timestamp::from_second(number.as_f64()? as i64).ok(),
    }
}

pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
