//! What a policy must allow for a call: IAM actions with the ARNs that they act on.
//!
//! Each table names the pages that it is from. S3 has no table here: its operations say themselves what they need, because
//! bucket policies are evaluated with it. A resource of `*` is one of an action that knows no resources, or one that the
//! call does not tell: whoever checks a policy against it asks for more, never for less.

mod control;
mod events;
mod keys;
mod notify;
mod queues;
mod schedules;
mod states;

use serde::Serialize;
use serde_json::Value;

pub(crate) use self::{
    control::{job_arn, needs as s3control},
    events::needs as events,
    keys::needs as kms,
    notify::needs as sns,
    queues::needs as sqs,
    schedules::needs as scheduler,
    states::needs as states,
};
use crate::gate::Name;

/// One action on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Need {
    /// The IAM name of the action, for example `s3:GetObject`.
    pub action: &'static str,
    /// The ARN of the resource, or `*`.
    pub resource: Name,
}

impl Need {
    /// An action on a resource.
    pub fn new(action: &'static str, resource: impl Into<Name>) -> Self {
        Self { action, resource: resource.into() }
    }

    /// An action that knows no resources.
    pub(crate) fn any(action: &'static str) -> Self {
        Self::new(action, "*")
    }
}

/// Handing a role to a service, where the call names one.
fn pass_role(role: Option<&str>) -> Option<Need> {
    role.map(|arn| Need::new("iam:PassRole", arn))
}

fn text<'a>(body: &'a Value, member: &str) -> Option<&'a str> {
    body.get(member).and_then(Value::as_str)
}

/// Whether a list or map is there and has something in it.
fn has_some(body: &Value, member: &str) -> bool {
    match body.get(member) {
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;
    use crate::service::{Caller, Principal};

    const QUEUE: &str = "arn:aws:sqs:us-east-1:222222222222:q";
    const MACHINE: &str = "arn:aws:states:us-east-1:222222222222:stateMachine:m";
    const EXECUTION: &str = "arn:aws:states:us-east-1:222222222222:execution:m:e";
    const ROLE: &str = "arn:aws:iam::222222222222:role/r";
    const TOPIC: &str = "arn:aws:sns:us-east-1:222222222222:t";
    const BUS: &str = "arn:aws:events:us-east-1:222222222222:event-bus/levee";

    fn caller() -> Caller {
        Caller { account: "222222222222".into(), region: "us-east-1".into(), principal: Principal::Root }
    }

    fn pairs(needs: &[Need]) -> Vec<(&str, &str)> {
        needs.iter().map(|need| (need.action, need.resource.as_str())).collect()
    }

    #[rstest::rstest]
    #[case("SendMessageBatch", json!({}), &[("sqs:SendMessage", QUEUE)])]
    #[case("DeleteMessageBatch", json!({}), &[("sqs:DeleteMessage", QUEUE)])]
    #[case("ChangeMessageVisibilityBatch", json!({}), &[("sqs:ChangeMessageVisibility", QUEUE)])]
    #[case("ListQueues", json!({}), &[("sqs:ListQueues", "*")])]
    #[case("CreateQueue", json!({"tags": {"a": "b"}}), &[("sqs:CreateQueue", QUEUE), ("sqs:TagQueue", QUEUE)])]
    #[case("CreateQueue", json!({"tags": {}}), &[("sqs:CreateQueue", QUEUE)])]
    #[case("NoSuchOperation", json!({}), &[])]
    fn queues_need(#[case] operation: &str, #[case] body: Value, #[case] expected: &[(&str, &str)]) {
        assert_eq!(pairs(&sqs(operation, QUEUE, &body)), expected);
    }

    #[test]
    fn message_moves_need_both_queues() {
        let start = |body: Value| sqs("StartMessageMoveTask", QUEUE, &body);
        let to = "arn:aws:sqs:us-east-1:222222222222:other";
        assert!(pairs(&start(json!({"DestinationArn": to}))).contains(&("sqs:SendMessage", to)));
        assert!(pairs(&start(json!({}))).contains(&("sqs:SendMessage", "*")));
        assert!(pairs(&start(json!({}))).contains(&("sqs:DeleteMessage", QUEUE)));
    }

    #[rstest::rstest]
    #[case("CreateStateMachine", json!({"name": "m", "roleArn": ROLE}), &[("states:CreateStateMachine", MACHINE), ("iam:PassRole", ROLE)])]
    #[case("CreateStateMachine", json!({"name": "m", "roleArn": ROLE, "publish": true, "tags": [{"key": "a", "value": "b"}]}),
        &[("states:CreateStateMachine", MACHINE), ("iam:PassRole", ROLE), ("states:PublishStateMachineVersion", MACHINE), ("states:TagResource", MACHINE)])]
    #[case("UpdateStateMachine", json!({"stateMachineArn": MACHINE}), &[("states:UpdateStateMachine", MACHINE)])]
    #[case("StartExecution", json!({"stateMachineArn": MACHINE}), &[("states:StartExecution", MACHINE)])]
    #[case("RedriveExecution", json!({"executionArn": EXECUTION}), &[("states:RedriveExecution", EXECUTION)])]
    #[case("SendTaskSuccess", json!({"taskToken": "t"}), &[("states:SendTaskSuccess", "*")])]
    #[case("ListStateMachines", json!({}), &[("states:ListStateMachines", "*")])]
    fn state_machines_need(#[case] operation: &str, #[case] body: Value, #[case] expected: &[(&str, &str)]) {
        assert_eq!(pairs(&states(operation, &caller(), &body)), expected);
    }

    #[rstest::rstest]
    #[case("PutEvents", json!({"Entries": [{"EventBusName": "levee"}, {"EventBusName": BUS}, {}]}),
        &[("events:PutEvents", BUS), ("events:PutEvents", "arn:aws:events:us-east-1:222222222222:event-bus/default")])]
    #[case("PutRule", json!({"Name": "r"}), &[("events:PutRule", "arn:aws:events:us-east-1:222222222222:rule/r")])]
    #[case("PutTargets", json!({"Rule": "r", "EventBusName": "levee", "Targets": [{"RoleArn": ROLE}]}),
        &[("events:PutTargets", "arn:aws:events:us-east-1:222222222222:rule/levee/r"), ("iam:PassRole", ROLE)])]
    #[case("DescribeEventBus", json!({"Name": "levee"}), &[("events:DescribeEventBus", BUS)])]
    #[case("ListRules", json!({"EventBusName": "levee"}), &[("events:ListRules", "*")])]
    fn buses_need(#[case] operation: &str, #[case] body: Value, #[case] expected: &[(&str, &str)]) {
        assert_eq!(pairs(&events(operation, &caller(), &body)), expected);
    }

    #[rstest::rstest]
    #[case("Publish", json!({"TopicArn": TOPIC}), &[("sns:Publish", TOPIC)])]
    #[case("Publish", json!({"TargetArn": TOPIC}), &[("sns:Publish", TOPIC)])]
    #[case("CreateTopic", json!({"Name": "t"}), &[("sns:CreateTopic", TOPIC)])]
    #[case("Unsubscribe", json!({"SubscriptionArn": "arn:aws:sns:us-east-1:2:t:1"}), &[("sns:Unsubscribe", "*")])]
    fn topics_need(#[case] operation: &str, #[case] body: Value, #[case] expected: &[(&str, &str)]) {
        assert_eq!(pairs(&sns(operation, &caller(), &body)), expected);
    }
}
