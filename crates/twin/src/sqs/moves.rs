//! Moving the messages of a dead-letter queue back: StartMessageMoveTask and its companions.
//!
//! A task is done when its call returns: every message that can be received then has been moved as a new message.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Queues, Request, Sqs, input, message::Message, queue::QueueKey, wire};
use crate::service::ServiceError;

/// A finished task.
pub(crate) struct MoveTask {
    source_arn: String,
    destination_arn: Option<String>,
    moved: usize,
    started: Timestamp,
}

impl Sqs {
    pub(super) fn start_move(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        let source_arn = input::text(request.body, "SourceArn")?;
        let destination = input::optional_text(request.body, "DestinationArn")?;
        if input::number(request.body, "MaxNumberOfMessagesPerSecond", 1..=500)?.is_some() {
            return Err(ServiceError::not_modelled("MaxNumberOfMessagesPerSecond: message moves are done at once"));
        }
        let now = self.env.clock.now();
        let mut queues = self.queues();
        let source = queues.check_move(source_arn, destination, request)?;
        let messages = queues.live.get_mut(&source).map(|queue| queue.drain_ready(now)).unwrap_or_default();
        let mut moved = 0;
        for message in messages {
            let to = destination.map(str::to_owned).or_else(|| message.dead_letter_source.clone());
            let target = to.as_deref().and_then(QueueKey::from_arn).filter(|key| queues.live.contains_key(key));
            match target.and_then(|key| queues.live.get_mut(&key)) {
                Some(queue) => {
                    let fresh = Message::new(self.env.ids.uuid(), message.content, message.sender, now);
                    queue.put(fresh, 0, now);
                    moved += 1;
                }
                // A message without a way home stays where it is.
                None => {
                    if let Some(queue) = queues.live.get_mut(&source) {
                        queue.put(message, 0, now);
                    }
                }
            }
        }
        let destination_arn = destination.map(str::to_owned);
        queues.moves.push(MoveTask { source_arn: source_arn.to_owned(), destination_arn, moved, started: now });
        Ok(json!({"TaskHandle": self.env.ids.alphanumeric(64)}))
    }

    pub(super) fn list_moves(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        let source = input::text(request.body, "SourceArn")?;
        let limit = input::number(request.body, "MaxResults", 1..=10)?.unwrap_or(1);
        let queues = self.queues();
        let tasks = queues.moves.iter().rev().filter(|task| task.source_arn == source);
        let results: Vec<Value> = tasks.take(usize::try_from(limit).unwrap_or(1)).map(MoveTask::to_json).collect();
        Ok(json!({"Results": results}))
    }

    pub(super) fn cancel_move(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        input::text(request.body, "TaskHandle")?;
        let reason = "There is no running message move task with this handle.";
        Err(ServiceError { status: 404, ..ServiceError::client("ResourceNotFoundException", reason) })
    }
}

impl Queues {
    /// The key of the source, which must be the dead-letter queue of some queue; the destination must be there.
    fn check_move(
        &mut self,
        source_arn: &str,
        destination: Option<&str>,
        request: &Request<'_>,
    ) -> Result<QueueKey, ServiceError> {
        let absent = || {
            let reason = "The resource that you specified for the SourceArn or DestinationArn parameter doesn't exist.";
            ServiceError { status: 404, ..ServiceError::client("ResourceNotFoundException", reason) }
        };
        let source = QueueKey::from_arn(source_arn).ok_or_else(absent)?;
        self.find(&source, request.caller).map_err(|_| absent())?;
        if let Some(destination) = destination {
            let key = QueueKey::from_arn(destination).ok_or_else(absent)?;
            self.find(&key, request.caller).map_err(|_| absent())?;
        }
        let is_source = |redrive: &super::settings::Redrive| redrive.target_arn == source_arn;
        if !self.live.values().any(|queue| queue.settings.redrive.as_ref().is_some_and(is_source)) {
            return Err(wire::invalid_value("Source queue must be configured as a Dead Letter Queue."));
        }
        Ok(source)
    }
}

impl MoveTask {
    fn to_json(&self) -> Value {
        let mut task = json!({
            "Status": "COMPLETED",
            "SourceArn": self.source_arn,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.moved,
            "StartedTimestamp": self.started.as_millisecond(),
        });
        if let (Some(arn), Some(members)) = (&self.destination_arn, task.as_object_mut()) {
            members.insert("DestinationArn".to_owned(), json!(arn));
        }
        task
    }
}
