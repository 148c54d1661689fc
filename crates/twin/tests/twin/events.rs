//! EventBridge through the SDK, with queues and topics as targets.

use aws_sdk_eventbridge::{
    Client,
    error::ProvideErrorMetadata,
    types::{InputTransformer, PutEventsRequestEntry, Target},
};
use aws_sdk_sqs::types::QueueAttributeName;
use levee_twin::{Twin, service::Principal};
use serde_json::{Value, json};

use super::common::{BACKUP, twin};

fn clients(twin: &Twin) -> (Client, aws_sdk_sqs::Client) {
    let config = twin.sdk_config(BACKUP, &Principal::Root);
    (Client::new(&config), aws_sdk_sqs::Client::new(&config))
}

/// A queue's URL and ARN.
async fn queue(sqs: &aws_sdk_sqs::Client, name: &str) -> (String, String) {
    let url = sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
    let answer = sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn).send().await;
    let arn = answer.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
    (url, arn)
}

async fn next(sqs: &aws_sdk_sqs::Client, url: &str) -> Option<Value> {
    let messages = sqs.receive_message().queue_url(url).send().await.unwrap().messages?;
    Some(serde_json::from_str(messages[0].body().unwrap()).unwrap())
}

fn event(kind: &str, detail: &Value) -> PutEventsRequestEntry {
    let entry = PutEventsRequestEntry::builder().source("levee").detail_type(kind).detail(detail.to_string());
    entry.event_bus_name("levee").resources("arn:aws:states:::execution:x").build()
}

async fn rule(events: &Client, name: &str, pattern: &Value, target: Target) {
    events.put_rule().name(name).event_bus_name("levee").event_pattern(pattern.to_string()).send().await.unwrap();
    let put = events.put_targets().rule(name).event_bus_name("levee").targets(target).send().await.unwrap();
    assert_eq!(put.failed_entry_count, 0);
}

#[tokio::test(start_paused = true)]
async fn event_reaches_the_queues_of_the_rules_that_match() {
    let twin = twin();
    let (events, sqs) = clients(&twin);
    events.create_event_bus().name("levee").send().await.unwrap();
    let (failed, failed_arn) = queue(&sqs, "failed").await;
    let (all, all_arn) = queue(&sqs, "all").await;
    let target = Target::builder().id("1").arn(&failed_arn).build().unwrap();
    rule(
        &events,
        "failed",
        &json!({"detail-type": ["Run Failed"], "detail": {"rows": [{"numeric": [">", 0]}]}}),
        target,
    )
    .await;
    let template =
        InputTransformer::builder().input_paths_map("rows", "$.detail.rows").input_template("{\"n\": <rows>}");
    let target = Target::builder().id("1").arn(&all_arn).input_transformer(template.build().unwrap()).build().unwrap();
    rule(&events, "all", &json!({"source": [{"prefix": "lev"}]}), target).await;
    let put = events
        .put_events()
        .entries(event("Run Failed", &json!({"rows": 3})))
        .entries(event("Run Completed", &json!({"rows": 0})));
    let put = put.send().await.unwrap();
    assert_eq!(put.failed_entry_count, 0);
    let got = next(&sqs, &failed).await.unwrap();
    assert_eq!(got["detail"], json!({"rows": 3}));
    assert_eq!(got["detail-type"], "Run Failed");
    assert_eq!((&got["account"], &got["region"]), (&json!(BACKUP), &json!("us-east-1")));
    assert_eq!(got["time"], "2026-04-02T00:00:00Z");
    assert_eq!(got["id"], *put.entries()[0].event_id().unwrap());
    assert!(next(&sqs, &failed).await.is_none());
    assert_eq!(next(&sqs, &all).await, Some(json!({"n": 3})));
    assert_eq!(next(&sqs, &all).await, Some(json!({"n": 0})));
    let kept: Vec<_> = twin.events().into_iter().map(|event| (event.bus, event.event["detail-type"].clone())).collect();
    assert_eq!(kept, [("levee".to_owned(), json!("Run Failed")), ("levee".to_owned(), json!("Run Completed"))]);
}

#[tokio::test(start_paused = true)]
async fn bad_entries_fail_by_themselves() {
    let twin = twin();
    let (events, _) = clients(&twin);
    events.create_event_bus().name("levee").send().await.unwrap();
    let entry = || PutEventsRequestEntry::builder().detail_type("x").detail("{}");
    let call = events.put_events().entries(event("Run Failed", &json!({})));
    let call = call.entries(entry().build()).entries(entry().source("s").detail("[").build());
    let call =
        call.entries(entry().source("aws.s3").build()).entries(entry().source("s").event_bus_name("none").build());
    let answer = call.send().await.unwrap();
    let codes: Vec<_> = answer.entries().iter().map(|entry| entry.error_code()).collect();
    let expected = ["InvalidArgument", "MalformedDetail", "NotAuthorizedForSource", "ResourceNotFoundException"];
    assert_eq!(codes[0], None);
    assert_eq!(codes[1..].iter().flatten().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    assert_eq!(answer.failed_entry_count, 4);
    assert_eq!(twin.events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn event_that_cannot_be_delivered_goes_to_the_dead_letter_queue() {
    let twin = twin();
    let (events, sqs) = clients(&twin);
    events.create_event_bus().name("levee").send().await.unwrap();
    let (dead, dead_arn) = queue(&sqs, "dead").await;
    let config = aws_sdk_eventbridge::types::DeadLetterConfig::builder().arn(dead_arn).build();
    let gone = Target::builder().id("1").arn("arn:aws:sqs:us-east-1:222222222222:gone").dead_letter_config(config);
    rule(&events, "r", &json!({"source": ["levee"]}), gone.build().unwrap()).await;
    events.put_events().entries(event("Run Failed", &json!({}))).send().await.unwrap();
    assert_eq!(next(&sqs, &dead).await.unwrap()["detail-type"], "Run Failed");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_modelled_is_refused_by_name() {
    let twin = twin();
    let (events, _) = clients(&twin);
    events.create_event_bus().name("levee").send().await.unwrap();
    let on_bus = events.put_rule().name("r").event_bus_name("levee").schedule_expression("rate(1 day)");
    assert!(on_bus.send().await.unwrap_err().message().unwrap().contains("only on the default event bus"));
    for bad in ["rate(1 days)", "rate(2 day)", "at(2026-05-01T00:00:00)", "cron(* * * * * *)"] {
        let refused = events.put_rule().name("r").schedule_expression(bad).send().await.unwrap_err();
        assert!(refused.message().unwrap().contains(bad), "{refused:?}");
    }
    events.put_rule().name("r").event_pattern("{\"source\":[\"x\"]}").send().await.unwrap();
    let lambda = Target::builder().id("1").arn("arn:aws:lambda:us-east-1:222222222222:function:f").build().unwrap();
    let error = events.put_targets().rule("r").targets(lambda).send().await.unwrap_err();
    assert!(error.message().unwrap().contains("arn:aws:lambda"), "{error:?}");
    let bad = events.put_rule().name("r").event_pattern("{\"source\":\"x\"}").send().await.unwrap_err();
    assert!(bad.into_service_error().is_invalid_event_pattern_exception());
}

#[tokio::test(start_paused = true)]
async fn rules_are_described_listed_switched_off_and_deleted() {
    let twin = twin();
    let (events, sqs) = clients(&twin);
    events.create_event_bus().name("levee").send().await.unwrap();
    let (url, arn) = queue(&sqs, "q").await;
    rule(&events, "r", &json!({"source": ["levee"]}), Target::builder().id("t").arn(&arn).build().unwrap()).await;
    let rule = events.describe_rule().name("r").event_bus_name("levee").send().await.unwrap();
    assert_eq!(rule.arn(), Some("arn:aws:events:us-east-1:222222222222:rule/levee/r"));
    let names = events.list_rule_names_by_target().target_arn(&arn).event_bus_name("levee").send().await.unwrap();
    assert_eq!(names.rule_names(), ["r"]);
    events.disable_rule().name("r").event_bus_name("levee").send().await.unwrap();
    events.put_events().entries(event("Run Failed", &json!({}))).send().await.unwrap();
    assert!(next(&sqs, &url).await.is_none());
    assert!(events.delete_rule().name("r").event_bus_name("levee").send().await.is_err());
    events.remove_targets().rule("r").event_bus_name("levee").ids("t").send().await.unwrap();
    events.delete_rule().name("r").event_bus_name("levee").send().await.unwrap();
    events.delete_event_bus().name("levee").send().await.unwrap();
    let gone = events.describe_event_bus().name("levee").send().await.unwrap_err();
    assert!(gone.into_service_error().is_resource_not_found_exception());
}
