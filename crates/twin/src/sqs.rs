//! Amazon SQS: standard queues, in AWS JSON 1.0.
//!
//! Time is the twin's: delays, visibility timeouts, retention and long polls follow the clock, and nothing polls it.
//! Where AWS promises little, the twin is strict so that mistakes show: messages come in the order in which they became
//! ready, and only the receipt handle of the last receive acts on a message (an older one deletes nothing, without an
//! error). FIFO queues, fair queues and queue policies are not modelled: calls from another account are refused. Deliveries
//! of the twin's own services (EventBridge, SNS) need no policy.

mod batch;
pub mod faults;
mod input;
mod manage;
mod message;
mod moves;
mod overview;
mod queue;
mod receive;
mod send;
mod settings;
mod watch;
mod watcher;
mod wire;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

pub use self::watcher::{MessageEvent, MessageWatcher};
use self::{
    faults::{Faults, MessageFault},
    message::{Content, Message},
    moves::MoveTask,
    queue::{Queue, QueueKey},
};
pub(crate) use self::{overview::QueueView, wire::query_error};
use crate::{
    env::{Call, Env},
    facts::Sender,
    needs::{self, Need},
    service::{Caller, JsonService, Principal, ServiceError},
};

/// The operations that are modelled.
pub(crate) const OPERATIONS: &[&str] = &[
    "CancelMessageMoveTask",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "CreateQueue",
    "DeleteMessage",
    "DeleteMessageBatch",
    "DeleteQueue",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "ListQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
    "SendMessageBatch",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];

/// The SQS of the twin.
pub struct Sqs {
    env: Env,
    queues: Mutex<Queues>,
    faults: Mutex<Faults>,
    watcher: Option<Arc<dyn MessageWatcher>>,
}

/// Everything that SQS keeps.
#[derive(Default)]
struct Queues {
    live: BTreeMap<QueueKey, Queue>,
    /// When queues were deleted: their names are free again 60 seconds later.
    deleted: BTreeMap<QueueKey, Timestamp>,
    moves: Vec<MoveTask>,
}

/// One call on its way through the service.
struct Request<'a> {
    endpoint: &'a str,
    caller: &'a Caller,
    body: &'a Value,
}

impl Sqs {
    /// An SQS without queues.
    #[must_use]
    pub fn new(env: Env) -> Self {
        Self { env, queues: Mutex::default(), faults: Mutex::default(), watcher: None }
    }

    /// The same with somebody who is told what becomes of messages.
    #[must_use]
    pub fn watched_by(self, watcher: Option<Arc<dyn MessageWatcher>>) -> Self {
        Self { watcher, ..self }
    }

    /// Sets the plan of faults for messages that are sent from now on.
    pub(crate) fn set_faults(&self, rules: Vec<MessageFault>) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = Faults::new(rules);
    }

    /// Answers one call of a client that uses `endpoint` (`http://127.0.0.1:4566`): the URLs of queues begin with it.
    ///
    /// # Errors
    /// As the API reference says; `NotImplemented` for what the twin does not model.
    pub async fn call_at(
        &self,
        endpoint: &str,
        caller: &Caller,
        operation: &str,
        body: Value,
    ) -> Result<Value, ServiceError> {
        let request = Request { endpoint, caller, body: &body };
        let resource = request.resource();
        let needs = needs::sqs(operation, &resource, &body);
        let call = Call { service: "sqs", operation, caller, resource: &resource, needs: &needs, facts: &[] };
        self.env.pass(&call, self.answer(&request, operation)).await
    }

    async fn answer(&self, request: &Request<'_>, operation: &str) -> Result<Value, ServiceError> {
        match operation {
            "CreateQueue" => self.create(request),
            "DeleteQueue" => self.delete_queue(request),
            "GetQueueAttributes" => self.attributes(request),
            "GetQueueUrl" => self.url(request),
            "ListDeadLetterSourceQueues" => self.dead_letter_sources(request),
            "ListQueueTags" => self.tags(request),
            "ListQueues" => self.list(request),
            "PurgeQueue" => self.purge(request),
            "SetQueueAttributes" => self.set_attributes(request),
            "TagQueue" => self.tag(request),
            "UntagQueue" => self.untag(request),
            "SendMessage" => self.send(request),
            "SendMessageBatch" => self.send_batch(request),
            "ReceiveMessage" => self.receive(request).await,
            "DeleteMessage" => self.delete(request),
            "DeleteMessageBatch" => self.delete_batch(request),
            "ChangeMessageVisibility" => self.change_visibility(request),
            "ChangeMessageVisibilityBatch" => self.change_visibility_batch(request),
            "StartMessageMoveTask" => self.start_move(request),
            "ListMessageMoveTasks" => self.list_moves(request),
            "CancelMessageMoveTask" => self.cancel_move(request),
            _ => Err(ServiceError::not_modelled(format_args!("the SQS operation {operation}"))),
        }
    }

    /// Puts a message of one of the twin's own services into the queue `arn`. `entry` has `MessageBody` and, as in SendMessage,
    /// `MessageAttributes`.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, or a message that the queue does not take.
    pub(crate) fn deliver(&self, arn: &str, entry: &Value, sender: Sender<'_>) -> Result<(), ServiceError> {
        let key = QueueKey::from_arn(arn).ok_or_else(wire::no_queue)?;
        let (caller, facts) = (sender.caller(&key.account, &key.region), sender.facts());
        let needs = [Need::new("sqs:SendMessage", arn)];
        let call = Call {
            service: "sqs",
            operation: "SendMessage",
            caller: &caller,
            resource: arn,
            needs: &needs,
            facts: &facts,
        };
        self.env.pass_now(&call, || {
            let now = self.env.clock.now();
            let mut queues = self.queues();
            let queue = queues.live.get_mut(&key).ok_or_else(wire::no_queue)?;
            let content = Content::parse(entry)?;
            send::check_size(&content, queue)?;
            let delay = queue.settings.delay();
            self.take_in(queue, Message::new(self.env.ids.uuid(), content, sender.service.to_owned(), now), delay);
            Ok(())
        })
    }

    /// Puts a message that was sent into its queue, as the plan of faults has it.
    fn take_in(&self, queue: &mut Queue, message: Message, delay: i64) {
        let name = queue.arn.rsplit(':').next().unwrap_or_default();
        let fate = self.faults.lock().unwrap_or_else(PoisonError::into_inner).fate(name, &self.env);
        let now = self.env.clock.now();
        let ready = queue::after(now, delay);
        self.tell(&queue.arn, &message.id, MessageEvent::Sent { body: &message.content.body, ready });
        queue.put_with(message, delay, &fate, now);
    }

    fn tell(&self, queue: &str, message: &str, event: MessageEvent<'_>) {
        if let Some(watcher) = &self.watcher {
            watcher.happened(queue, message, event);
        }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the queue that the call names.
    fn on_queue<T>(
        &self,
        request: &Request<'_>,
        act: impl FnOnce(&mut Queue, Timestamp) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let key = request.queue()?;
        let mut queues = self.queues();
        act(queues.find(&key, request.caller)?, self.env.clock.now())
    }
}

impl Queues {
    /// The queue, if it is there and the caller may use it.
    fn find(&mut self, key: &QueueKey, caller: &Caller) -> Result<&mut Queue, ServiceError> {
        let queue = self.live.get_mut(key).ok_or_else(wire::no_queue)?;
        if key.account != caller.account {
            if queue.settings.others.contains_key("Policy") {
                return Err(ServiceError::not_modelled(format_args!(
                    "queue policies: account {} cannot use {}",
                    caller.account, queue.arn
                )));
            }
            let reason = format!("Access to the resource {} is denied.", queue.arn);
            return Err(ServiceError { status: 403, ..ServiceError::client("AccessDenied", reason) });
        }
        Ok(queue)
    }
}

impl Request<'_> {
    /// The queue that `QueueUrl` names by its last two segments; the host does not matter.
    fn queue(&self) -> Result<QueueKey, ServiceError> {
        let url = input::text(self.body, "QueueUrl")?;
        self.queue_of_url(url).ok_or_else(|| {
            ServiceError::client("InvalidAddress", format!("The address {url} is not valid for this endpoint."))
        })
    }

    fn queue_of_url(&self, url: &str) -> Option<QueueKey> {
        let mut parts = url.trim_end_matches('/').rsplit('/');
        let (name, account) = (parts.next()?, parts.next()?);
        let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        (digits && !name.is_empty()).then(|| QueueKey {
            region: self.caller.region.clone(),
            account: account.to_owned(),
            name: name.to_owned(),
        })
    }

    /// The queue of the caller with this name.
    fn own(&self, name: &str) -> QueueKey {
        QueueKey { region: self.caller.region.clone(), account: self.caller.account.clone(), name: name.to_owned() }
    }

    /// The URL of a queue as the client that asks should use it.
    fn url_of(&self, key: &QueueKey) -> String {
        format!("{}/{}/{}", self.endpoint, key.account, key.name)
    }

    /// What the gate's record names.
    fn resource(&self) -> String {
        let text = |member| self.body.get(member).and_then(Value::as_str);
        if let Some(url) = text("QueueUrl") {
            return self.queue_of_url(url).map_or_else(|| url.to_owned(), |key| key.arn());
        }
        match text("QueueName") {
            Some(name) => self.own(name).arn(),
            None => text("SourceArn").unwrap_or_default().to_owned(),
        }
    }

    /// `SenderId`: the account, or the principal's ARN or name.
    fn sender(&self) -> String {
        match &self.caller.principal {
            Principal::Root => self.caller.account.clone(),
            Principal::Role(name) | Principal::Service(name) => name.clone(),
        }
    }
}

#[async_trait]
impl JsonService for Sqs {
    async fn call(&self, caller: &Caller, operation: &str, body: Value) -> Result<Value, ServiceError> {
        let endpoint = format!("https://sqs.{}.amazonaws.com", caller.region);
        self.call_at(&endpoint, caller, operation, body).await
    }
}
