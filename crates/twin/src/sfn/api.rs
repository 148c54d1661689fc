//! The calls.

mod executions;
mod machines;
mod redrive;
mod tags;
mod tasks;

use std::sync::Arc;

use serde_json::{Value, json};

use super::Shared;
use super::history::put;
use crate::service::{Caller, ServiceError};

/// The operations that are modelled.
pub(crate) const OPERATIONS: &[&str] = &[
    "CreateStateMachine",
    "DeleteStateMachine",
    "DescribeExecution",
    "DescribeStateMachine",
    "DescribeStateMachineForExecution",
    "GetExecutionHistory",
    "ListExecutions",
    "ListStateMachines",
    "ListTagsForResource",
    "RedriveExecution",
    "SendTaskFailure",
    "SendTaskHeartbeat",
    "SendTaskSuccess",
    "StartExecution",
    "StopExecution",
    "TagResource",
    "UntagResource",
    "UpdateStateMachine",
    "ValidateStateMachineDefinition",
];

/// A call: who makes it, and with what.
struct Request<'a> {
    shared: &'a Arc<Shared>,
    caller: &'a Caller,
    body: &'a Value,
}

type Answer = Result<Value, ServiceError>;

/// What a call acts on, for the gate.
pub(super) fn resource(body: &Value) -> String {
    let names = ["stateMachineArn", "executionArn", "resourceArn", "name", "taskToken"];
    names.iter().find_map(|name| body.get(*name)?.as_str()).unwrap_or_default().to_owned()
}

/// Answers a call.
pub(super) fn answer(shared: &Arc<Shared>, caller: &Caller, operation: &str, body: &Value) -> Answer {
    let request = Request { shared, caller, body };
    match operation {
        "CreateStateMachine" => machines::create(&request),
        "UpdateStateMachine" => machines::update(&request),
        "DescribeStateMachine" => machines::describe(&request),
        "DescribeStateMachineForExecution" => machines::describe_for_execution(&request),
        "ListStateMachines" => machines::list(&request),
        "DeleteStateMachine" => machines::delete(&request),
        "ValidateStateMachineDefinition" => machines::validate(&request),
        "StartExecution" => executions::start(&request),
        "StopExecution" => executions::stop(&request),
        "DescribeExecution" => executions::describe(&request),
        "ListExecutions" => executions::list(&request),
        "GetExecutionHistory" => executions::history(&request),
        "RedriveExecution" => redrive::redrive(&request),
        "SendTaskSuccess" => tasks::success(&request),
        "SendTaskFailure" => tasks::failure(&request),
        "SendTaskHeartbeat" => tasks::heartbeat(&request),
        "TagResource" => tags::tag(&request),
        "UntagResource" => tags::untag(&request),
        "ListTagsForResource" => tags::list(&request),
        other => Err(ServiceError::not_modelled(format_args!("Step Functions {other}"))),
    }
}

impl Request<'_> {
    /// A member that must be there.
    fn text(&self, name: &str) -> Result<&str, ServiceError> {
        self.maybe_text(name)?.ok_or_else(|| {
            invalid(format!("1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"))
        })
    }

    fn maybe_text(&self, name: &str) -> Result<Option<&str>, ServiceError> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => {
                Err(ServiceError::client("SerializationException", format!("'{name}' must be a string, not {other}")))
            }
        }
    }

    /// A text of at most `limit` characters.
    fn limited(&self, name: &str, limit: usize) -> Result<Option<String>, ServiceError> {
        let text = self.maybe_text(name)?;
        if text.is_some_and(|text| text.chars().count() > limit) {
            return Err(too_long(name, limit));
        }
        Ok(text.map(str::to_owned))
    }

    fn flag(&self, name: &str) -> bool {
        self.body.get(name) == Some(&Value::Bool(true))
    }

    /// One page of `items`, as `maxResults` and `nextToken` ask for it, under the member `name`.
    fn page(&self, name: &str, items: Vec<Value>) -> Answer {
        let size = match self.body.get("maxResults").and_then(Value::as_u64).unwrap_or(0) {
            0 => 100,
            size @ 1..=1000 => usize::try_from(size).unwrap_or(100),
            _ => return Err(invalid("maxResults must be at most 1000")),
        };
        let from = match self.maybe_text("nextToken")? {
            None => 0,
            Some(token) => token
                .strip_prefix("page-")
                .and_then(|from| from.parse().ok())
                .ok_or_else(|| ServiceError::client("InvalidToken", format!("Invalid Token: '{token}'")))?,
        };
        let total = items.len();
        let page: Vec<Value> = items.into_iter().skip(from).take(size).collect();
        let end = from.saturating_add(page.len());
        let mut answer = json!({ name: page });
        if end < total {
            put(&mut answer, "nextToken", json!(format!("page-{end}")));
        }
        Ok(answer)
    }
}

fn invalid(message: impl Into<String>) -> ServiceError {
    ServiceError::client("ValidationException", message)
}

fn too_long(name: &str, limit: usize) -> ServiceError {
    invalid(format!(
        "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must have length less than or equal to {limit}"
    ))
}
