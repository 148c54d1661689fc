//! From an event to those who want to know: buses, rules, state machines, topics, endpoints.

use aws_sdk_eventbridge::types::{DeadLetterConfig, InputTransformer, PutEventsRequestEntry, RetryPolicy, Target};
use levee_twin::{Fact, FaultAnswer, FaultPlan};
use serde_json::{Value, json};

use super::super::common::twin;
use super::{Hook, World};

const ROLE: &str = "arn:aws:iam::222222222222:role/notify";

async fn rule(world: &World, bus: &str, name: &str, pattern: &Value, target: Target) {
    world.events.put_rule().name(name).event_bus_name(bus).event_pattern(pattern.to_string()).send().await.unwrap();
    let put = world.events.put_targets().rule(name).event_bus_name(bus).targets(target).send().await.unwrap();
    assert_eq!(put.failed_entry_count(), 0);
}

async fn put(world: &World, kind: &str, detail: &Value) {
    let entry = PutEventsRequestEntry::builder().source("levee").detail_type(kind).event_bus_name("levee");
    let put = world.events.put_events().entries(entry.detail(detail.to_string()).build()).send().await.unwrap();
    assert_eq!(put.failed_entry_count(), 0);
}

async fn machine(world: &World, name: &str, state: &Value) -> String {
    let definition = json!({"StartAt": "Only", "States": {"Only": state}}).to_string();
    let call = world.sfn.create_state_machine().name(name).definition(definition).role_arn(ROLE);
    call.send().await.unwrap().state_machine_arn
}

#[tokio::test(start_paused = true)]
async fn event_on_the_bus_reaches_the_queue_and_the_endpoint_that_asked_for_it() {
    let world = World::new(twin());
    world.events.create_event_bus().name("levee").send().await.unwrap();
    let (topic, mut hook) = (world.topic("nights").await, Hook::start().await);
    let (url, arn) = world.queue("failures").await;
    let failures = json!({"detail-type": ["Run Failed", "Copy Failures"]});
    let call = world.sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&arn);
    let call = call.attributes("FilterPolicyScope", "MessageBody").attributes("FilterPolicy", failures.to_string());
    call.attributes("RawMessageDelivery", "true").send().await.unwrap();
    let large = json!({"detail": {"objects": [{"numeric": [">=", 1000]}]}});
    let attributes = [("FilterPolicyScope", json!("MessageBody")), ("FilterPolicy", large)];
    world.subscribe(&topic, &mut hook, &attributes).await;
    let to_topic = Target::builder().id("topic").arn(&topic).build().unwrap();
    rule(&world, "levee", "all", &json!({"source": ["levee"]}), to_topic).await;

    put(&world, "Run Completed", &json!({"source": "lake", "objects": 1200})).await;
    put(&world, "Run Failed", &json!({"source": "sea", "objects": 3})).await;
    put(&world, "Copy Failures", &json!({"source": "lake", "objects": 5000})).await;

    let queued = [world.take(&url, 1).await.unwrap(), world.take(&url, 1).await.unwrap()];
    let kinds = queued.map(|body| serde_json::from_str::<Value>(&body).unwrap()["detail-type"].clone());
    assert_eq!(kinds, [json!("Run Failed"), json!("Copy Failures")]);
    assert_eq!(world.take(&url, 1).await, None);
    let mut posted = Vec::new();
    for _ in 0..2 {
        let post = hook.next().await;
        let event: Value = serde_json::from_str(post.json()["Message"].as_str().unwrap()).unwrap();
        posted.push((event["detail-type"].clone(), event["detail"]["objects"].clone()));
    }
    // Endpoints get what was published at one time in any order.
    posted.sort_by_key(|(_, objects)| objects.as_u64());
    assert_eq!(posted, [(json!("Run Completed"), json!(1200)), (json!("Copy Failures"), json!(5000))]);
    assert!(hook.pop().is_none());
    let of_topic = vec![Fact::new("aws:SourceArn", topic.as_str()), Fact::new("aws:SourceAccount", "222222222222")];
    for (operation, service, facts) in
        [("Publish", "events.amazonaws.com", Vec::new()), ("SendMessage", "sns.amazonaws.com", of_topic)]
    {
        let calls: Vec<_> = world.twin.calls().into_iter().filter(|call| call.operation == operation).collect();
        assert!(!calls.is_empty(), "no {operation}");
        for call in calls {
            assert_eq!(call.principal, service);
            assert_eq!(call.facts, facts);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failed_run_is_told_in_a_sentence_when_no_worker_is_alive() {
    let world = World::new(twin());
    let (topic, mut hook) = (world.topic("nights").await, Hook::start().await);
    world.subscribe(&topic, &mut hook, &[]).await;
    let backup = machine(
        &world,
        "backup",
        &json!({"Type": "Fail", "Error": "Levee.ManifestOverdue", "Cause": "no inventory of lake"}),
    )
    .await;
    let hang = machine(&world, "hang", &json!({"Type": "Wait", "Seconds": 3600, "End": true})).await;
    let fine = machine(&world, "fine", &json!({"Type": "Succeed"})).await;
    let template = InputTransformer::builder()
        .input_paths_map("name", "$.detail.name")
        .input_paths_map("status", "$.detail.status")
        .input_paths_map("error", "$.detail.error")
        .input_paths_map("cause", "$.detail.cause")
        .input_template("\"Run <name> ended as <status>: <error> <cause>\"");
    let told = Target::builder().id("topic").arn(&topic).input_transformer(template.build().unwrap()).build().unwrap();
    let pattern = json!({"source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"status": ["FAILED", "TIMED_OUT", "ABORTED"]}});
    rule(&world, "default", "run-failed", &pattern, told).await;

    for (machine, name) in [(&backup, "lake-1"), (&fine, "lake-2"), (&hang, "lake-3")] {
        let started = world.sfn.start_execution().state_machine_arn(machine).name(name).send().await.unwrap();
        if name == "lake-3" {
            world.sfn.stop_execution().execution_arn(started.execution_arn).cause("by hand").send().await.unwrap();
        }
    }
    let mut told =
        [hook.next().await.json(), hook.next().await.json()].map(|post| post["Message"].as_str().unwrap().to_owned());
    told.sort();
    let expected = [
        "\"Run lake-1 ended as FAILED: Levee.ManifestOverdue no inventory of lake\"",
        "\"Run lake-3 ended as ABORTED:  by hand\"",
    ];
    assert_eq!(told, expected);
    assert!(hook.pop().is_none());
}

#[tokio::test(start_paused = true)]
async fn rule_starts_an_execution_as_the_role_of_its_target() {
    let world = World::new(twin());
    world.events.create_event_bus().name("levee").send().await.unwrap();
    let repair = machine(&world, "repair", &json!({"Type": "Succeed"})).await;
    let without_role = Target::builder().id("m").arn(&repair).build().unwrap();
    world
        .events
        .put_rule()
        .name("r")
        .event_bus_name("levee")
        .event_pattern(r#"{"source":["levee"]}"#)
        .send()
        .await
        .unwrap();
    let refused = world.events.put_targets().rule("r").event_bus_name("levee").targets(without_role).send().await;
    assert!(format!("{:?}", refused.unwrap_err()).contains("RoleArn is required"));
    let target = Target::builder().id("m").arn(&repair).role_arn(ROLE).input_path("$.detail").build().unwrap();
    rule(&world, "levee", "r", &json!({"source": ["levee"]}), target).await;
    put(&world, "Tables Torn", &json!({"tables": 2})).await;
    world.twin.clock().sleep(std::time::Duration::from_secs(1)).await;
    let listed = world.sfn.list_executions().state_machine_arn(&repair).send().await.unwrap();
    let seen =
        world.sfn.describe_execution().execution_arn(listed.executions()[0].execution_arn()).send().await.unwrap();
    assert_eq!(seen.input(), Some(r#"{"tables":2}"#));
    let started = world.twin.calls().into_iter().find(|call| call.operation == "StartExecution").unwrap();
    assert_eq!((started.principal.as_str(), started.resource.as_str()), (ROLE, repair.as_str()));
}

#[tokio::test(start_paused = true)]
async fn passing_error_of_a_target_is_tried_again_until_its_policy_ends() {
    let world = World::new(twin());
    world.events.create_event_bus().name("levee").send().await.unwrap();
    let repair = machine(&world, "repair", &json!({"Type": "Succeed"})).await;
    let (dead, dead_arn) = world.queue("dead").await;
    let policy = RetryPolicy::builder().maximum_retry_attempts(2).build();
    let target = Target::builder().id("m").arn(&repair).role_arn(ROLE).retry_policy(policy);
    let target = target.dead_letter_config(DeadLetterConfig::builder().arn(&dead_arn).build()).build().unwrap();
    rule(&world, "levee", "r", &json!({"source": ["levee"]}), target).await;
    let throttled = FaultPlan::default().call("states", "StartExecution", FaultAnswer::throttling());
    let mut passing = throttled.clone();
    passing.calls[0].limit = Some(2);
    world.twin.set_faults(passing);
    put(&world, "Tables Torn", &json!({"n": 1})).await;
    world.twin.clock().sleep(std::time::Duration::from_secs(60)).await;
    let listed = world.sfn.list_executions().state_machine_arn(&repair).send().await.unwrap();
    assert_eq!(listed.executions().len(), 1);
    world.twin.set_faults(throttled);
    put(&world, "Tables Torn", &json!({"n": 2})).await;
    let got = world
        .sqs
        .receive_message()
        .queue_url(&dead)
        .wait_time_seconds(20)
        .message_attribute_names("All")
        .send()
        .await
        .unwrap();
    let letter = &got.messages()[0];
    let attribute = |name: &str| letter.message_attributes().unwrap()[name].string_value().unwrap();
    assert_eq!(attribute("RULE_ARN"), "arn:aws:events:us-east-1:222222222222:rule/levee/r");
    assert_eq!((attribute("TARGET_ARN"), attribute("ERROR_CODE")), (repair.as_str(), "ThrottlingException"));
    assert_eq!((attribute("EXHAUSTED_RETRY_CONDITION"), attribute("RETRY_ATTEMPTS")), ("MaximumRetryAttempts", "2"));
    let event: Value = serde_json::from_str(letter.body().unwrap()).unwrap();
    assert_eq!(event["detail"], json!({"n": 2}));
}

#[tokio::test(start_paused = true)]
async fn scheduled_rule_sends_its_event_at_its_times() {
    let world = World::new(twin());
    let (url, arn) = world.queue("q").await;
    for (name, expression) in [("daily", "cron(30 6 * * ? *)"), ("hourly", "rate(12 hours)")] {
        world.events.put_rule().name(name).schedule_expression(expression).send().await.unwrap();
        let target = Target::builder().id("q").arn(&arn).build().unwrap();
        world.events.put_targets().rule(name).targets(target).send().await.unwrap();
    }
    assert_eq!(
        world.events.describe_rule().name("daily").send().await.unwrap().schedule_expression(),
        Some("cron(30 6 * * ? *)")
    );
    world.twin.clock().sleep_until("2026-04-02T13:00:00Z".parse().unwrap()).await;
    world.events.disable_rule().name("hourly").send().await.unwrap();
    world.twin.clock().sleep_until("2026-04-03T07:00:00Z".parse().unwrap()).await;
    let mut got = Vec::new();
    while let Some(body) = world.take(&url, 0).await {
        let event: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&event["detail-type"], &event["source"], &event["detail"]),
            (&json!("Scheduled Event"), &json!("aws.events"), &json!({}))
        );
        got.push((
            event["resources"][0].as_str().unwrap().rsplit('/').next().unwrap().to_owned(),
            event["time"].as_str().unwrap().to_owned(),
        ));
    }
    let expected =
        [("daily", "2026-04-02T06:30:00Z"), ("hourly", "2026-04-02T12:00:00Z"), ("daily", "2026-04-03T06:30:00Z")];
    assert_eq!(got, expected.map(|(name, time)| (name.to_owned(), time.to_owned())));
}
