//! Step Functions. Source: "Actions, resources, and condition keys for AWS Step Functions" of the Service Authorization
//! Reference (`list_awsstepfunctions`), dependent actions included. Task tokens name no resource there. It does not say what
//! the tags of a new state machine need, so `states:TagResource` is asked for.

use serde_json::Value;

use super::{Need, has_some, pass_role, text};
use crate::{service::Caller, sfn::machine_arn};

/// What a call needs; nothing is known of operations that the twin does not model.
pub(crate) fn needs(operation: &str, caller: &Caller, body: &Value) -> Vec<Need> {
    let on = |action, member: &str| vec![Need::new(action, text(body, member).unwrap_or("*"))];
    match operation {
        "CreateStateMachine" => {
            let machine = text(body, "name").map_or_else(|| "*".to_owned(), |name| machine_arn(caller, name));
            defining("states:CreateStateMachine", &machine, body)
        }
        "UpdateStateMachine" => {
            defining("states:UpdateStateMachine", text(body, "stateMachineArn").unwrap_or("*"), body)
        }
        "DescribeStateMachine" => on("states:DescribeStateMachine", "stateMachineArn"),
        "DeleteStateMachine" => on("states:DeleteStateMachine", "stateMachineArn"),
        "ListExecutions" => on("states:ListExecutions", "stateMachineArn"),
        "StartExecution" => on("states:StartExecution", "stateMachineArn"),
        "DescribeStateMachineForExecution" => on("states:DescribeStateMachineForExecution", "executionArn"),
        "StopExecution" => on("states:StopExecution", "executionArn"),
        "DescribeExecution" => on("states:DescribeExecution", "executionArn"),
        "GetExecutionHistory" => on("states:GetExecutionHistory", "executionArn"),
        "RedriveExecution" => on("states:RedriveExecution", "executionArn"),
        "TagResource" => on("states:TagResource", "resourceArn"),
        "UntagResource" => on("states:UntagResource", "resourceArn"),
        "ListTagsForResource" => on("states:ListTagsForResource", "resourceArn"),
        "ListStateMachines" => vec![Need::any("states:ListStateMachines")],
        "ValidateStateMachineDefinition" => vec![Need::any("states:ValidateStateMachineDefinition")],
        "SendTaskSuccess" => vec![Need::any("states:SendTaskSuccess")],
        "SendTaskFailure" => vec![Need::any("states:SendTaskFailure")],
        "SendTaskHeartbeat" => vec![Need::any("states:SendTaskHeartbeat")],
        _ => Vec::new(),
    }
}

fn defining(action: &'static str, machine: &str, body: &Value) -> Vec<Need> {
    let mut needs = vec![Need::new(action, machine)];
    needs.extend(pass_role(text(body, "roleArn")));
    let publish = body.get("publish") == Some(&Value::Bool(true));
    needs.extend(publish.then(|| Need::new("states:PublishStateMachineVersion", machine)));
    needs.extend(has_some(body, "tags").then(|| Need::new("states:TagResource", machine)));
    needs
}
