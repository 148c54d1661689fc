//! The bus, the rules, the topic and its subscriptions.

use levee::doctor::Verdict;
use rstest::rstest;
use serde_json::json;

use super::assert_found;
use crate::doctor::support::{Ward, with};

#[rstest]
#[case("levee", "levee-run-started")]
#[case("levee", "levee-copy-failures")]
#[case("levee", "levee-run-completed")]
#[case("levee", "levee-run-degraded")]
#[case("default", "levee-run-failed")]
#[tokio::test(start_paused = true)]
async fn rule_that_tells_nobody_is_found(#[case] bus: &str, #[case] rule: &str) {
    let ward = Ward::new().await;
    let events = &ward.backup.aws.events;
    events.disable_rule().event_bus_name(bus).name(rule).send().await.unwrap();
    assert_found(&ward, "rule/enabled", &format!("aws events enable-rule --name {rule} --event-bus-name {bus}")).await;
    events.enable_rule().event_bus_name(bus).name(rule).send().await.unwrap();
    events.remove_targets().event_bus_name(bus).rule(rule).ids("topic").send().await.unwrap();
    assert_found(&ward, "rule/target", "backup module").await;
    events.delete_rule().event_bus_name(bus).name(rule).send().await.unwrap();
    assert_found(&ward, "rule/enabled", "terraform apply").await;
}

#[tokio::test(start_paused = true)]
async fn bus_that_is_not_there_is_found_with_the_rules_that_should_be_on_it() {
    let mut ward = Ward::new().await;
    ward.deployment.event_bus = "other".to_owned();
    let outcome = ward.examined().await;
    let problems = with(&outcome, Verdict::Problem);
    let ids: Vec<&str> = problems.iter().map(|finding| finding.check.as_str()).collect();
    assert_eq!(ids, ["bus/exists", "rule/enabled", "rule/enabled", "rule/enabled", "rule/enabled", "rule/enabled"]);
}

#[rstest]
#[case::nobody(json!([]))]
#[case::rules_alone(json!([allow("events.amazonaws.com", json!({}))]))]
#[case::alarms_alone(json!([allow("cloudwatch.amazonaws.com", json!({}))]))]
#[case::the_policy_that_topics_have_by_default(json!([{
    "Sid": "__default_statement_ID", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["SNS:Publish", "SNS:Subscribe"],
    "Resource": "*", "Condition": {"StringEquals": {"AWS:SourceOwner": "222222222222"}},
}]))]
#[case::a_condition_that_event_bridge_never_meets(json!([
    allow("cloudwatch.amazonaws.com", json!({})),
    allow("events.amazonaws.com", json!({"ArnLike": {"aws:SourceArn": "arn:aws:events:us-east-1:222222222222:rule/*"}})),
]))]
#[tokio::test(start_paused = true)]
async fn topic_that_does_not_let_rules_and_alarms_in_is_found(#[case] statements: serde_json::Value) {
    let ward = Ward::new().await;
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let set = ward.backup.sns.set_topic_attributes().topic_arn(&ward.deployment.topic_arn);
    set.attribute_name("Policy").attribute_value(policy).send().await.unwrap();
    assert_found(&ward, "topic/policy", "backup module").await;
}

fn allow(service: &str, condition: serde_json::Value) -> serde_json::Value {
    json!({
        "Effect": "Allow", "Principal": {"Service": service}, "Action": "sns:Publish", "Resource": "*", "Condition": condition,
    })
}

#[tokio::test(start_paused = true)]
async fn subscriber_that_has_not_confirmed_is_found_by_name() {
    let ward = Ward::new().await;
    let subscribe = ward.backup.sns.subscribe().topic_arn(&ward.deployment.topic_arn).protocol("http");
    subscribe.endpoint("http://127.0.0.1:9/hook").send().await.unwrap();
    assert_found(&ward, "topic/subscriptions", "open the link").await;
    let outcome = ward.examined().await;
    let detail = &with(&outcome, Verdict::Problem)[0].detail;
    assert_eq!(detail, "not confirmed: http http://127.0.0.1:9/hook");
}

#[tokio::test(start_paused = true)]
async fn topic_without_subscribers_and_topic_that_is_gone_are_found() {
    let ward = Ward::new().await;
    let (sns, topic) = (&ward.backup.sns, &ward.deployment.topic_arn);
    let found = sns.list_subscriptions_by_topic().topic_arn(topic).send().await.unwrap();
    let subscription = found.subscriptions()[0].subscription_arn().unwrap().to_owned();
    sns.unsubscribe().subscription_arn(subscription).send().await.unwrap();
    assert_found(&ward, "topic/subscriptions", "variable subscriptions").await;
    sns.delete_topic().topic_arn(topic).send().await.unwrap();
    assert_found(&ward, "topic/exists", "terraform apply").await;
}
