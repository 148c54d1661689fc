//! SNS. Source: "Actions, resources, and condition keys for Amazon SNS" of the Service Authorization Reference
//! (`list_amazonsns`). Calls on a subscription name no resource there.

use serde_json::Value;

use super::{Need, has_some, text};
use crate::service::Caller;

/// What a call needs; nothing is known of operations that the twin does not model.
pub(crate) fn needs(operation: &str, caller: &Caller, body: &Value) -> Vec<Need> {
    let on = |action, member: &str| vec![Need::new(action, text(body, member).unwrap_or("*"))];
    match operation {
        "CreateTopic" => {
            let name = text(body, "Name").unwrap_or("*");
            let topic = format!("arn:aws:sns:{}:{}:{name}", caller.region, caller.account);
            let mut needs = vec![Need::new("sns:CreateTopic", topic.as_str())];
            needs.extend(has_some(body, "Tags").then(|| Need::new("sns:TagResource", topic)));
            needs
        }
        "DeleteTopic" => on("sns:DeleteTopic", "TopicArn"),
        "GetTopicAttributes" => on("sns:GetTopicAttributes", "TopicArn"),
        "SetTopicAttributes" => on("sns:SetTopicAttributes", "TopicArn"),
        "Subscribe" => on("sns:Subscribe", "TopicArn"),
        "ListSubscriptionsByTopic" => on("sns:ListSubscriptionsByTopic", "TopicArn"),
        "Publish" if body.get("TopicArn").is_none() => on("sns:Publish", "TargetArn"),
        "Publish" => on("sns:Publish", "TopicArn"),
        "ListTopics" => vec![Need::any("sns:ListTopics")],
        "ListSubscriptions" => vec![Need::any("sns:ListSubscriptions")],
        "ConfirmSubscription" => on("sns:ConfirmSubscription", "TopicArn"),
        "Unsubscribe" => vec![Need::any("sns:Unsubscribe")],
        "GetSubscriptionAttributes" => vec![Need::any("sns:GetSubscriptionAttributes")],
        "SetSubscriptionAttributes" => vec![Need::any("sns:SetSubscriptionAttributes")],
        _ => Vec::new(),
    }
}
