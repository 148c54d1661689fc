//! Changes of the status of executions, for those who listen.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::execution::{Execution, Live};
use super::history::put;

/// The largest input or output that a status event carries, in bytes.
const DATA_LIMIT: usize = 248 * 1024;

/// A change of the status of an execution, as EventBridge gets it from `aws.states`.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusChange {
    /// The execution's account.
    pub account: String,
    /// The execution's Region.
    pub region: String,
    /// The ARN of the execution; the event's only resource.
    pub execution_arn: String,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: String,
    /// When the status changed.
    pub time: Timestamp,
    /// The `detail` of the event.
    pub detail: Value,
}

impl StatusChange {
    /// The `source` of the event.
    pub const SOURCE: &'static str = "aws.states";
    /// The `detail-type` of the event.
    pub const DETAIL_TYPE: &'static str = "Step Functions Execution Status Change";

    pub(super) fn of(execution: &Execution, live: &Live) -> Self {
        let time = live.stopped.or(live.redriven).unwrap_or(execution.started);
        let output = live.output.as_ref().map(Value::to_string);
        let reason = execution.not_redrivable(live, true, time);
        let mut detail = json!({
            "executionArn": execution.arn,
            "stateMachineArn": execution.machine.arn,
            "name": execution.name,
            "status": live.status.name(),
            "startDate": execution.started.as_millisecond(),
            "stopDate": live.stopped.map(Timestamp::as_millisecond),
            "input": carried(Some(&execution.input_text)),
            "output": carried(output.as_ref()),
            "inputDetails": { "included": execution.input_text.len() <= DATA_LIMIT },
            "outputDetails": output.as_ref().map(|output| json!({ "included": output.len() <= DATA_LIMIT })),
            "stateMachineVersionArn": null,
            "stateMachineAliasArn": null,
            "redriveCount": live.redrives,
            "redriveDate": live.redriven.map(Timestamp::as_millisecond),
            "redriveStatus": if reason.is_some() { "NOT_REDRIVABLE" } else { "REDRIVABLE" },
            "redriveStatusReason": reason,
        });
        put(&mut detail, "error", json!(live.error));
        put(&mut detail, "cause", json!(live.cause));
        Self {
            account: execution.account.clone(),
            region: execution.region.clone(),
            execution_arn: execution.arn.clone(),
            status: live.status.name().to_owned(),
            time,
            detail,
        }
    }
}

fn carried(text: Option<&String>) -> Option<&String> {
    text.filter(|text| text.len() <= DATA_LIMIT)
}
