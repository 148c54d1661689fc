//! EventBridge. Source: "Actions, resources, and condition keys for Amazon EventBridge" of the Service Authorization
//! Reference (`list_amazoneventbridge`). It names no dependent actions; a role that is handed over asks for `iam:PassRole` as
//! everywhere, and tags for `events:TagResource`.

use serde_json::Value;

use super::{Need, has_some, pass_role, text};
use crate::service::Caller;

/// What a call needs; nothing is known of operations that the twin does not model.
pub(crate) fn needs(operation: &str, caller: &Caller, body: &Value) -> Vec<Need> {
    let on_bus = |action, member: &str| vec![Need::new(action, bus(caller, text(body, member)))];
    let on_rule = |action, member: &str| vec![Need::new(action, rule(caller, body, member))];
    match operation {
        "PutEvents" => {
            let entries = body.get("Entries").and_then(Value::as_array).into_iter().flatten();
            let mut needs: Vec<Need> = Vec::new();
            for entry in entries {
                let need = Need::new("events:PutEvents", bus(caller, text(entry, "EventBusName")));
                if !needs.contains(&need) {
                    needs.push(need);
                }
            }
            needs
        }
        "CreateEventBus" => tagged(on_bus("events:CreateEventBus", "Name"), body),
        "DeleteEventBus" => on_bus("events:DeleteEventBus", "Name"),
        "DescribeEventBus" => on_bus("events:DescribeEventBus", "Name"),
        "PutRule" => {
            let mut needs = tagged(on_rule("events:PutRule", "Name"), body);
            needs.extend(pass_role(text(body, "RoleArn")));
            needs
        }
        "DeleteRule" => on_rule("events:DeleteRule", "Name"),
        "DescribeRule" => on_rule("events:DescribeRule", "Name"),
        "EnableRule" => on_rule("events:EnableRule", "Name"),
        "DisableRule" => on_rule("events:DisableRule", "Name"),
        "PutTargets" => {
            let mut needs = on_rule("events:PutTargets", "Rule");
            let targets = body.get("Targets").and_then(Value::as_array).into_iter().flatten();
            for need in targets.filter_map(|target| pass_role(text(target, "RoleArn"))) {
                if !needs.contains(&need) {
                    needs.push(need);
                }
            }
            needs
        }
        "RemoveTargets" => on_rule("events:RemoveTargets", "Rule"),
        "ListTargetsByRule" => on_rule("events:ListTargetsByRule", "Rule"),
        "ListEventBuses" => vec![Need::any("events:ListEventBuses")],
        "ListRules" => vec![Need::any("events:ListRules")],
        "ListRuleNamesByTarget" => vec![Need::any("events:ListRuleNamesByTarget")],
        "TestEventPattern" => vec![Need::any("events:TestEventPattern")],
        _ => Vec::new(),
    }
}

fn tagged(mut needs: Vec<Need>, body: &Value) -> Vec<Need> {
    let resource = needs.first().filter(|_| has_some(body, "Tags")).map(|need| need.resource.clone());
    needs.extend(resource.map(|resource| Need::new("events:TagResource", resource)));
    needs
}

/// The ARN of the bus that a name or an ARN means; the default one without either.
fn bus(caller: &Caller, name: Option<&str>) -> String {
    match name {
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        name => {
            let name = name.unwrap_or("default");
            format!("arn:aws:events:{}:{}:event-bus/{name}", caller.region, caller.account)
        }
    }
}

/// The ARN of a rule: those of the default bus do not name it.
fn rule(caller: &Caller, body: &Value, member: &str) -> String {
    let name = text(body, member).unwrap_or("*");
    let bus = bus(caller, text(body, "EventBusName"));
    match bus.split_once(":event-bus/") {
        Some((front, "default")) => format!("{front}:rule/{name}"),
        Some((front, bus)) => format!("{front}:rule/{bus}/{name}"),
        None => "*".to_owned(),
    }
}
