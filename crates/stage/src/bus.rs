//! Events of runs on the EventBridge bus.

use aws_sdk_eventbridge::{Client, types::PutEventsRequestEntry};
use serde_json::Value;

use crate::{StageError, aws_error};

/// The source of every event of Levee.
const SOURCE: &str = "levee";

/// The bus that subscribers listen to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EventBus {
    events: Client,
    name: String,
}

impl EventBus {
    /// The bus `name`.
    pub fn new(events: Client, name: impl Into<String>) -> Self {
        Self { events, name: name.into() }
    }

    /// Sends one event, for example `Run Started`. A stage that is done twice may send an event twice.
    ///
    /// # Errors
    /// AWS errors. An entry that EventBridge did not take, which PutEvents answers with success, is transient.
    pub async fn send(&self, detail_type: &str, detail: &Value) -> Result<(), StageError> {
        let entry = PutEventsRequestEntry::builder()
            .source(SOURCE)
            .detail_type(detail_type)
            .detail(detail.to_string())
            .event_bus_name(&self.name)
            .build();
        let what = format!("PutEvents of `{detail_type}` to bus {}", self.name);
        let answer = self.events.put_events().entries(entry).send().await.map_err(|error| aws_error(&what, error))?;
        if answer.failed_entry_count() == 0 {
            return Ok(());
        }
        let refusal = answer.entries().first();
        let code = refusal.and_then(|entry| entry.error_code()).unwrap_or("no error code");
        let message = refusal.and_then(|entry| entry.error_message()).unwrap_or("no message");
        Err(StageError::transient(StageError::AWS_UNAVAILABLE, format!("{what} failed: {code}: {message}")))
    }
}
