//! EventBridge Scheduler. Source: "Actions, resources, and condition keys for Amazon EventBridge Scheduler" of the Service
//! Authorization Reference (`list_amazoneventbridgescheduler`); the role of a target is passed to the service.

use serde_json::Value;

use super::{Need, has_some, pass_role, text};

/// What a call on `resource`, the ARN of a schedule or a group, needs; nothing is known of operations that the twin does not
/// model.
pub(crate) fn needs(operation: &str, resource: &str, body: &Value) -> Vec<Need> {
    let on = |action| vec![Need::new(action, resource)];
    match operation {
        "CreateSchedule" | "UpdateSchedule" => {
            let create = operation == "CreateSchedule";
            let mut needs = on(if create { "scheduler:CreateSchedule" } else { "scheduler:UpdateSchedule" });
            needs.extend(pass_role(body.get("Target").and_then(|target| text(target, "RoleArn"))));
            needs
        }
        "GetSchedule" => on("scheduler:GetSchedule"),
        "DeleteSchedule" => on("scheduler:DeleteSchedule"),
        "ListSchedules" => vec![Need::any("scheduler:ListSchedules")],
        "CreateScheduleGroup" => {
            let mut needs = on("scheduler:CreateScheduleGroup");
            needs.extend(has_some(body, "Tags").then(|| Need::new("scheduler:TagResource", resource)));
            needs
        }
        "GetScheduleGroup" => on("scheduler:GetScheduleGroup"),
        "DeleteScheduleGroup" => on("scheduler:DeleteScheduleGroup"),
        "ListScheduleGroups" => vec![Need::any("scheduler:ListScheduleGroups")],
        "TagResource" => on("scheduler:TagResource"),
        "UntagResource" => on("scheduler:UntagResource"),
        "ListTagsForResource" => on("scheduler:ListTagsForResource"),
        _ => Vec::new(),
    }
}
