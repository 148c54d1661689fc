//! SendMessage and SendMessageBatch.

use serde_json::{Value, json};

use super::{
    MessageEvent, Request, Sqs,
    batch::{self, Entry},
    message::{Content, Message, SIZE_LIMIT},
    queue::Queue,
    wire,
};
use crate::service::ServiceError;

impl Sqs {
    pub(super) fn send(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        self.on_queue(request, |queue, _| {
            let content = Content::parse(request.body)?;
            check_size(&content, queue)?;
            Ok(Value::Object(self.put(queue, content, request)))
        })
    }

    pub(super) fn send_batch(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        self.on_queue(request, |queue, _| {
            let entries = batch::entries(request.body)?;
            let contents: Vec<_> = entries.iter().map(|Entry { body, .. }| Content::parse(body)).collect();
            let total: u64 = contents.iter().flatten().map(Content::size).sum();
            if total > SIZE_LIMIT {
                let reason =
                    format!("Batch requests cannot be longer than {SIZE_LIMIT} bytes. You have sent {total} bytes.");
                return Err(ServiceError::client("BatchRequestTooLong", reason));
            }
            let results = entries.iter().zip(contents).map(|(entry, content)| {
                let sent = content.and_then(|content| {
                    check_size(&content, queue)?;
                    Ok(self.put(queue, content, request))
                });
                (entry.id, sent)
            });
            Ok(batch::answer(results))
        })
    }

    fn put(&self, queue: &mut Queue, content: Content, request: &Request<'_>) -> serde_json::Map<String, Value> {
        let id = self.env.ids.uuid();
        let receipt = content.receipt(&id);
        let delay = content.delay.unwrap_or_else(|| queue.settings.delay());
        self.take_in(queue, Message::new(id, content, request.sender(), self.env.clock.now()), delay);
        receipt
    }

    pub(super) fn delete(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        self.on_queue(request, |queue, _| self.remove(queue, super::input::text(request.body, "ReceiptHandle")?))?;
        Ok(json!({}))
    }

    pub(super) fn delete_batch(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        self.on_queue(request, |queue, _| {
            let entries = batch::entries(request.body)?;
            let results = entries.iter().map(|entry| {
                let handle = super::input::text(entry.body, "ReceiptHandle");
                (entry.id, handle.and_then(|handle| self.remove(queue, handle)).map(|()| serde_json::Map::new()))
            });
            Ok(batch::answer(results))
        })
    }

    fn remove(&self, queue: &mut Queue, handle: &str) -> Result<(), ServiceError> {
        if let Some(id) = queue.delete(handle)? {
            self.tell(&queue.arn, &id, MessageEvent::Deleted);
        }
        Ok(())
    }
}

/// Refuses what is larger than the queue takes.
pub(super) fn check_size(content: &Content, queue: &Queue) -> Result<(), ServiceError> {
    let limit = queue.settings.max_size();
    if content.size() <= limit {
        return Ok(());
    }
    Err(wire::invalid_value(format!(
        "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
    )))
}
