//! Step Functions alone, with stand-ins for the services that its tasks call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use levee_clock::Clock;
use levee_twin::env::{Env, Ids, OpenGate};
use levee_twin::service::{Caller, JsonService, Principal, ServiceError};
use levee_twin::sfn::{Integrations, StatusChange, StepFunctions};
use serde_json::{Value, json};
use tokio::sync::Notify;

pub(crate) const ACCOUNT: &str = "222222222222";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const ROLE: &str = "arn:aws:iam::222222222222:role/states";
pub(crate) const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/222222222222/work";
pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:222222222222:topic";

/// One queue, one topic and one bus: all that tasks can reach.
#[derive(Default)]
pub(crate) struct Outside {
    messages: Mutex<VecDeque<Value>>,
    arrived: Notify,
    /// No topic; or one that delivers to the queue.
    pub(crate) topic_gone: Mutex<bool>,
    pub(crate) topic_to_queue: Mutex<bool>,
    pub(crate) changes: Mutex<Vec<StatusChange>>,
    /// Errors that the queue answers with before it works.
    pub(crate) refusals: Mutex<VecDeque<ServiceError>>,
}

/// What [`StepFunctions`] is given: a handle on the outside.
pub(crate) struct Handle(pub(crate) Arc<Outside>);

struct Queue(Arc<Outside>);
struct Topic(Arc<Outside>);
struct Bus;

impl Integrations for Handle {
    fn service(&self, name: &str) -> Option<Arc<dyn JsonService>> {
        match name {
            "sqs" => Some(Arc::new(Queue(Arc::clone(&self.0)))),
            "sns" => Some(Arc::new(Topic(Arc::clone(&self.0)))),
            "events" => Some(Arc::new(Bus)),
            _ => None,
        }
    }

    fn status_changed(&self, change: StatusChange) {
        self.0.changes.lock().unwrap().push(change);
    }
}

impl Outside {
    fn deliver(&self, body: Value) {
        self.messages.lock().unwrap().push_back(body);
        self.arrived.notify_one();
    }

    /// The next message's body, JSON where it is.
    pub(crate) async fn receive(&self) -> Value {
        loop {
            if let Some(body) = self.messages.lock().unwrap().pop_front() {
                return body;
            }
            self.arrived.notified().await;
        }
    }

    /// A message that is there already.
    pub(crate) fn pop(&self) -> Option<Value> {
        self.messages.lock().unwrap().pop_front()
    }
}

fn body(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

#[async_trait]
impl JsonService for Queue {
    async fn call(&self, caller: &Caller, operation: &str, request: Value) -> Result<Value, ServiceError> {
        assert_eq!(operation, "SendMessage");
        assert_eq!(caller.principal, Principal::Role(ROLE.into()));
        if let Some(error) = self.0.refusals.lock().unwrap().pop_front() {
            return Err(error);
        }
        self.0.deliver(body(request["MessageBody"].as_str().expect("a text")));
        let mut answer = json!({ "MD5OfMessageBody": "0".repeat(32), "MessageId": "1-2-3" });
        if request.get("MessageAttributes").is_some() {
            answer["MD5OfMessageAttributes"] = json!("0".repeat(32));
        }
        Ok(answer)
    }
}

#[async_trait]
impl JsonService for Topic {
    async fn call(&self, _: &Caller, operation: &str, request: Value) -> Result<Value, ServiceError> {
        assert_eq!(operation, "Publish");
        if *self.0.topic_gone.lock().unwrap() {
            return Err(ServiceError { code: "NotFound".into(), message: "Topic does not exist".into(), status: 404 });
        }
        let message = request["Message"].as_str().expect("a text");
        if *self.0.topic_to_queue.lock().unwrap() {
            self.0.deliver(json!({ "Type": "Notification", "Message": message }));
        }
        Ok(json!({ "MessageId": "1-2-3", "SequenceNumber": null }))
    }
}

#[async_trait]
impl JsonService for Bus {
    async fn call(&self, _: &Caller, operation: &str, request: Value) -> Result<Value, ServiceError> {
        assert_eq!(operation, "PutEvents");
        let entry = |entry: &Value| {
            let failed = |code: &str, message: &str| json!({ "ErrorCode": code, "ErrorMessage": message });
            if entry.get("Source").is_none() {
                return failed(
                    "InvalidArgument",
                    "Parameter Source is not valid. Reason: Source is a required argument.",
                );
            }
            match body(entry["Detail"].as_str().expect("a text")) {
                Value::Object(_) => json!({ "EventId": "1-2-3" }),
                _ => failed("MalformedDetail", "Detail is malformed."),
            }
        };
        let entries: Vec<Value> = request["Entries"].as_array().unwrap().iter().map(entry).collect();
        let failed = entries.iter().filter(|entry| entry.get("ErrorCode").is_some()).count();
        Ok(json!({ "Entries": entries, "FailedEntryCount": failed }))
    }
}

/// Step Functions with its outside, and short ways to call it.
pub(crate) struct World {
    pub(crate) sfn: StepFunctions,
    pub(crate) outside: Arc<Outside>,
    pub(crate) clock: Clock,
    pub(crate) caller: Caller,
}

impl World {
    /// A clock that shows 2 April 2026, 00:00 UTC.
    pub(crate) fn new() -> Self {
        let clock = Clock::starting_at("2026-04-02T00:00:00Z".parse().unwrap());
        let env = Env { clock: clock.clone(), ids: Ids::new(7), gate: Arc::new(OpenGate) };
        let outside = Arc::new(Outside::default());
        let sfn = StepFunctions::new(env, Arc::new(Handle(Arc::clone(&outside))));
        let caller = Caller { account: ACCOUNT.into(), region: REGION.into(), principal: Principal::Root };
        Self { sfn, outside, clock, caller }
    }

    pub(crate) async fn call(&self, operation: &str, body: Value) -> Result<Value, ServiceError> {
        self.sfn.call(&self.caller, operation, body).await
    }

    pub(crate) async fn ok(&self, operation: &str, body: Value) -> Value {
        self.call(operation, body).await.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    pub(crate) async fn code(&self, operation: &str, body: Value) -> String {
        self.call(operation, body).await.expect_err("an error").code
    }

    /// Creates the machine `m` and starts the execution `e`; its ARN.
    pub(crate) async fn start(&self, definition: &Value, input: &Value) -> String {
        let machine = json!({ "name": "m", "definition": definition.to_string(), "roleArn": ROLE });
        let machine = self.ok("CreateStateMachine", machine).await;
        let start = json!({ "stateMachineArn": machine["stateMachineArn"], "name": "e", "input": input.to_string() });
        self.ok("StartExecution", start).await["executionArn"].as_str().unwrap().to_owned()
    }

    /// The description of the execution once it has ended.
    pub(crate) async fn end(&self, arn: &str) -> Value {
        for _ in 0..100_000 {
            let described = self.ok("DescribeExecution", json!({ "executionArn": arn })).await;
            if described["status"] != "RUNNING" {
                return described;
            }
            self.clock.sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the execution does not end");
    }

    /// Runs a machine to its end.
    pub(crate) async fn run(&self, definition: &Value, input: &Value) -> Value {
        let arn = self.start(definition, input).await;
        self.end(&arn).await
    }

    pub(crate) async fn redrive(&self, arn: &str) {
        self.ok("RedriveExecution", json!({ "executionArn": arn })).await;
    }

    /// All events, flat as in the recordings.
    pub(crate) async fn history(&self, arn: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut request = json!({ "executionArn": arn, "maxResults": 1000 });
        loop {
            let page = self.ok("GetExecutionHistory", request.clone()).await;
            events.extend(page["events"].as_array().unwrap().iter().map(flat));
            match page.get("nextToken") {
                Some(token) => request["nextToken"] = token.clone(),
                None => return events,
            }
        }
    }

    /// The types of all events.
    pub(crate) async fn kinds(&self, arn: &str) -> Vec<String> {
        self.history(arn).await.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// The token in the next message.
    pub(crate) async fn token(&self) -> String {
        self.outside.receive().await["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn succeed(&self, token: &str, output: Value) {
        self.ok("SendTaskSuccess", json!({ "taskToken": token, "output": output.to_string() })).await;
    }

    pub(crate) async fn fail(&self, token: &str, error: &str) {
        self.ok("SendTaskFailure", json!({ "taskToken": token, "error": error, "cause": "because" })).await;
    }
}

/// A task that waits for its token, with more fields.
pub(crate) fn task(more: Value) -> Value {
    let mut state = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": { "QueueUrl": QUEUE, "MessageBody": {
            "token.$": "$$.Task.Token", "state.$": "$$.State.Name", "execution.$": "$$.Execution",
            "retries.$": "$$.State.RetryCount", "input.$": "$" } },
    });
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    state
}

/// A machine of the given states.
pub(crate) fn machine(start: &str, states: Value) -> Value {
    json!({ "StartAt": start, "States": states })
}

/// An event as one flat object.
pub(crate) fn flat(event: &Value) -> Value {
    let mut out = serde_json::Map::new();
    for (name, value) in event.as_object().unwrap() {
        match value {
            Value::Object(details) if name.ends_with("EventDetails") => out.extend(details.clone()),
            _ => {}
        }
    }
    for name in ["type", "id", "previousEventId", "timestamp"] {
        out.insert(name.into(), event[name].clone());
    }
    Value::Object(out)
}

/// Placeholders and their values.
pub(crate) type Names = BTreeMap<String, Value>;
