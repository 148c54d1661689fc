//! ReceiveMessage with long polling, and ChangeMessageVisibility.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    MessageEvent, Queues, Request, Sqs, batch, input,
    message::{Message, md5_hex},
    queue::{QueueKey, after},
};
use crate::service::{Caller, ServiceError};

/// What a receiver asks for.
struct Wish {
    limit: usize,
    visibility: Option<i64>,
    system_attributes: Vec<String>,
    attributes: Vec<String>,
}

/// What one look at the queue gave.
enum Look {
    Messages(Vec<Message>),
    /// Nothing yet, and the time when a hidden message becomes ready.
    Nothing(Option<Timestamp>),
}

impl Sqs {
    pub(super) async fn receive(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        let key = request.queue()?;
        let wish = Wish::parse(request.body)?;
        let wait = input::number(request.body, "WaitTimeSeconds", 0..=20)?;
        let (bell, wait) = {
            let mut queues = self.queues();
            let queue = queues.find(&key, request.caller)?;
            (Arc::clone(&queue.bell), wait.unwrap_or_else(|| queue.settings.wait()))
        };
        let deadline = after(self.env.clock.now(), wait);
        loop {
            // Listens before it looks, so that what comes in between rings too.
            let mut rung = std::pin::pin!(bell.notified());
            rung.as_mut().enable();
            let wake = match self.look(&key, request.caller, &wish)? {
                Look::Messages(messages) => return Ok(answer(&messages, &wish)),
                Look::Nothing(_) if self.env.clock.now() >= deadline => return Ok(json!({})),
                Look::Nothing(wake) => wake,
            };
            let until = wake.map_or(deadline, |wake| wake.min(deadline));
            tokio::select! {
                biased;
                () = &mut rung => {}
                () = self.env.clock.sleep_until(until) => {}
            }
        }
    }

    fn look(&self, key: &QueueKey, caller: &Caller, wish: &Wish) -> Result<Look, ServiceError> {
        let now = self.env.clock.now();
        let mut queues = self.queues();
        let (messages, given_up) = queues.take(key, caller, wish, now, &self.env.ids)?;
        let queue = queues.find(key, caller)?;
        for id in &given_up {
            self.tell(&queue.arn, id, MessageEvent::GivenUp);
        }
        if messages.is_empty() {
            return Ok(Look::Nothing(queue.next_wake()));
        }
        for message in &messages {
            self.tell(&queue.arn, &message.id, MessageEvent::Received { times: message.receive_count });
        }
        Ok(Look::Messages(messages))
    }

    pub(super) fn change_visibility(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        self.on_queue(request, |queue, now| {
            let (handle, seconds) = visibility(request.body)?;
            queue.change_visibility(handle, seconds, now)
        })?;
        Ok(json!({}))
    }

    pub(super) fn change_visibility_batch(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        self.on_queue(request, |queue, now| {
            let entries = batch::entries(request.body)?;
            let results = entries.iter().map(|entry| {
                let changed = visibility(entry.body)
                    .and_then(|(handle, seconds)| queue.change_visibility(handle, seconds, now))
                    .map(|()| Map::new());
                (entry.id, changed)
            });
            Ok(batch::answer(results))
        })
    }
}

impl Queues {
    /// Receives messages; those received too often go to the dead-letter queue, if it is there: their ids come second.
    fn take(
        &mut self,
        key: &QueueKey,
        caller: &Caller,
        wish: &Wish,
        now: Timestamp,
        ids: &crate::env::Ids,
    ) -> Result<(Vec<Message>, Vec<String>), ServiceError> {
        let redrive = self.find(key, caller)?.settings.redrive.clone();
        let target = redrive.as_ref().and_then(|redrive| QueueKey::from_arn(&redrive.target_arn));
        let target = target.filter(|target| self.live.contains_key(target));
        let max_receives = target.as_ref().and_then(|_| redrive.map(|redrive| redrive.max_receives));
        let queue = self.find(key, caller)?;
        let visibility = wish.visibility.unwrap_or_else(|| queue.settings.visibility());
        let taken = queue.take(wish.limit, visibility, max_receives, now, ids)?;
        let source = queue.arn.clone();
        let given_up = taken.dead.iter().map(|message| message.id.clone()).collect();
        if let Some(target) = target.and_then(|target| self.live.get_mut(&target)) {
            for mut message in taken.dead {
                message.handle = None;
                message.dead_letter_source = Some(source.clone());
                target.put(message, 0, now);
            }
        }
        Ok((taken.received, given_up))
    }
}

impl Wish {
    fn parse(body: &Value) -> Result<Self, ServiceError> {
        let limit = input::number(body, "MaxNumberOfMessages", 1..=10)?.unwrap_or(1);
        let mut system_attributes = input::texts(body, "MessageSystemAttributeNames")?;
        // The older name of the same list.
        system_attributes.extend(input::texts(body, "AttributeNames")?);
        Ok(Self {
            limit: usize::try_from(limit).unwrap_or(1),
            visibility: input::number(body, "VisibilityTimeout", 0..=43_200)?,
            system_attributes,
            attributes: input::texts(body, "MessageAttributeNames")?,
        })
    }
}

fn visibility(body: &Value) -> Result<(&str, i64), ServiceError> {
    let handle = input::text(body, "ReceiptHandle")?;
    let seconds = input::number(body, "VisibilityTimeout", 0..=43_200)?;
    Ok((handle, seconds.ok_or_else(|| super::wire::missing("VisibilityTimeout"))?))
}

fn answer(messages: &[Message], wish: &Wish) -> Value {
    json!({"Messages": messages.iter().map(|message| one(message, wish)).collect::<Vec<_>>()})
}

fn one(message: &Message, wish: &Wish) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("MessageId", json!(message.id));
    put("ReceiptHandle", json!(message.handle));
    put("MD5OfBody", json!(md5_hex(message.content.body.as_bytes())));
    put("Body", json!(message.content.body));
    let system = system_attributes(message, &wish.system_attributes);
    if !system.is_empty() {
        put("Attributes", Value::Object(system));
    }
    let attributes = message.content.attributes.select(&wish.attributes);
    if let (Some(value), Some(sum)) = (attributes.to_json(), attributes.md5()) {
        put("MessageAttributes", value);
        put("MD5OfMessageAttributes", json!(sum));
    }
    Value::Object(members)
}

fn system_attributes(message: &Message, wanted: &[String]) -> Map<String, Value> {
    let millis = |time: Timestamp| time.as_millisecond().to_string();
    let all = [
        ("SenderId", Some(message.sender.clone())),
        ("SentTimestamp", Some(millis(message.sent))),
        ("ApproximateReceiveCount", Some(message.receive_count.to_string())),
        ("ApproximateFirstReceiveTimestamp", message.first_received.map(millis)),
        ("AWSTraceHeader", message.content.system_attributes.text("AWSTraceHeader").map(str::to_owned)),
        ("DeadLetterQueueSourceArn", message.dead_letter_source.clone()),
    ];
    let asked = |name: &str| wanted.iter().any(|want| want == "All" || want == name);
    all.into_iter()
        .filter(|(name, _)| asked(name))
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))))
        .collect()
}
