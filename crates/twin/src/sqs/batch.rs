//! What the batch operations have in common.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::input;
use crate::service::ServiceError;

/// The most entries of a batch.
const ENTRY_LIMIT: usize = 10;

/// One entry of a batch.
pub(crate) struct Entry<'a> {
    pub(crate) id: &'a str,
    pub(crate) body: &'a Value,
}

/// The entries of a batch: 1 to 10, with ids of their own.
pub(crate) fn entries(body: &Value) -> Result<Vec<Entry<'_>>, ServiceError> {
    let given = input::list(body, "Entries")?;
    if given.is_empty() {
        let reason = "There should be at least one entry in the request.";
        return Err(ServiceError::client("EmptyBatchRequest", reason));
    }
    if given.len() > ENTRY_LIMIT {
        let reason = format!("Maximum number of entries per request are 10. You have sent {}.", given.len());
        return Err(ServiceError::client("TooManyEntriesInBatchRequest", reason));
    }
    let mut seen = BTreeSet::new();
    given
        .iter()
        .map(|entry| {
            let id = input::text(entry, "Id")?;
            let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            if id.is_empty() || id.len() > 80 || !plain {
                let reason = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
                return Err(ServiceError::client("InvalidBatchEntryId", reason));
            }
            if !seen.insert(id) {
                return Err(ServiceError::client("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
            }
            Ok(Entry { id, body: entry })
        })
        .collect()
}

/// `Successful` and `Failed`, in the order of the entries.
pub(crate) fn answer<'a>(results: impl Iterator<Item = (&'a str, Result<Map<String, Value>, ServiceError>)>) -> Value {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, result) in results {
        match result {
            Ok(mut members) => {
                members.insert("Id".to_owned(), json!(id));
                successful.push(Value::Object(members));
            }
            Err(error) => {
                let sender = error.status < 500;
                failed.push(json!({"Id": id, "SenderFault": sender, "Code": error.code, "Message": error.message}));
            }
        }
    }
    json!({"Successful": successful, "Failed": failed})
}
