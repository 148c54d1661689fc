//! What schedules invoke, when, how often, and what becomes of failures.

use aws_sdk_scheduler::{
    primitives::DateTime,
    types::{EventBridgeParameters, FlexibleTimeWindow, FlexibleTimeWindowMode},
};
use levee_twin::{
    FaultAnswer, FaultPlan, When,
    faults::{ScheduleFault, ScheduleFaultKind},
};
use rstest::rstest;
use serde_json::{Value, json};

use super::super::common::{builder, twin};
use super::{ROLE, World, attribute, dead_letters, retries, target};

const START_EXECUTION: &str = "arn:aws:scheduler:::aws-sdk:sfn:startExecution";

/// The input of a nightly start, as design and guide have it.
fn nightly(machine: &str) -> String {
    let input = json!({"scheduled": "<aws.scheduler.scheduled-time>", "schedule": "<aws.scheduler.schedule-arn>",
        "attempt": "<aws.scheduler.attempt-number>"});
    let name = "lake-<aws.scheduler.execution-id>";
    json!({"StateMachineArn": machine, "Name": name, "Input": input.to_string()}).to_string()
}

fn fault(kind: ScheduleFaultKind) -> FaultPlan {
    ScheduleFault::new(kind).into()
}

#[tokio::test(start_paused = true)]
async fn nightly_schedule_starts_an_execution_a_night_as_its_role() {
    let world = World::new(twin());
    let machine = world.machine("backup").await;
    let nightly = target(START_EXECUTION, &nightly(&machine)).build().unwrap();
    let call = world.create("lake", "cron(30 2 * * ? *)", nightly).schedule_expression_timezone("Europe/Berlin");
    let arn = call.send().await.unwrap().schedule_arn;
    world.until("2026-04-04T12:00:00Z").await;
    let executions = world.executions(&machine).await;
    let scheduled: Vec<_> = executions.iter().map(|(_, input)| input["scheduled"].as_str().unwrap()).collect();
    assert_eq!(scheduled, ["2026-04-02T00:30:00Z", "2026-04-03T00:30:00Z", "2026-04-04T00:30:00Z"]);
    let (name, input) = &executions[0];
    assert!(name.starts_with("lake-") && name.len() == 21, "{name}");
    assert_eq!((&input["schedule"], &input["attempt"]), (&json!(arn), &json!("1")));
    let calls = world.twin.calls();
    let started: Vec<_> = calls.iter().filter(|call| call.operation == "StartExecution").collect();
    assert_eq!(started.len(), 3);
    assert!(started.iter().all(|call| call.principal == ROLE && call.resource == machine), "{started:?}");
    assert_eq!(started[0].time.to_string(), "2026-04-02T00:30:00Z");
}

#[tokio::test(start_paused = true)]
async fn same_tick_delivered_twice_starts_one_execution() {
    let world = World::new(builder().faults(fault(ScheduleFaultKind::Duplicate { after_seconds: 90 })).build());
    let machine = world.machine("backup").await;
    let (dead, dead_arn) = world.queue("dead").await;
    let nightly = target(START_EXECUTION, &nightly(&machine)).dead_letter_config(dead_letters(&dead_arn));
    let arn = world.create("lake", "at(2026-04-02T01:00:00)", nightly.build().unwrap()).send().await.unwrap();
    world.until("2026-04-02T03:00:00Z").await;
    let executions = world.executions(&machine).await;
    assert_eq!(executions.len(), 1);
    // The second delivery has the same id, so its name is taken; that error is permanent and goes to the queue at once.
    let letter = world.take(&dead, 0).await.unwrap();
    assert_eq!(attribute(&letter, "ERROR_CODE"), Some("ExecutionAlreadyExists"));
    assert_eq!(attribute(&letter, "RETRY_ATTEMPTS"), Some("0"));
    assert_eq!(attribute(&letter, "EXHAUSTED_RETRY_CONDITION"), None);
    assert_eq!(attribute(&letter, "SCHEDULE_ARN"), Some(arn.schedule_arn()));
    assert_eq!(attribute(&letter, "TARGET_ARN"), Some(START_EXECUTION));
    assert_eq!(attribute(&letter, "SCHEDULED_TIME"), Some("2026-04-02T01:00:00Z"));
    let body: Value = serde_json::from_str(letter.body().unwrap()).unwrap();
    assert_eq!(body["Name"], format!("lake-{}", attribute(&letter, "EXECUTION_ID").unwrap()));
    assert_eq!(body["Name"], executions[0].0);
    let times: Vec<_> =
        world.twin.calls().iter().filter(|call| call.operation == "StartExecution").map(|c| c.time).collect();
    assert_eq!(times[1].duration_since(times[0]).as_secs(), 90);
}

#[rstest]
#[case::late(ScheduleFaultKind::Late { seconds: 7200 }, Some("2026-04-02T03:00:00Z"))]
#[case::missed(ScheduleFaultKind::Missed, None)]
#[tokio::test(start_paused = true)]
async fn planned_faults_delay_and_drop_invocations(#[case] kind: ScheduleFaultKind, #[case] expected: Option<&str>) {
    let world = World::new(twin());
    world.twin.set_faults(fault(kind));
    let (url, arn) = world.queue("q").await;
    let to_queue = target(&arn, "<aws.scheduler.scheduled-time>").build().unwrap();
    world.create("lake", "at(2026-04-02T01:00:00)", to_queue).send().await.unwrap();
    world.until("2026-04-02T04:00:00Z").await;
    let body = world.take(&url, 0).await.map(|message| message.body.unwrap());
    assert_eq!(body.as_deref(), expected.map(|_| "2026-04-02T01:00:00Z"));
    let sent = world.twin.calls().into_iter().find(|call| call.operation == "SendMessage");
    assert_eq!(sent.map(|call| call.time.to_string()).as_deref(), expected);
}

#[tokio::test(start_paused = true)]
async fn templated_targets_are_queues_topics_buses_and_state_machines() {
    let world = World::new(twin());
    let config = world.twin.sdk_config(super::BACKUP, &levee_twin::service::Principal::Root);
    let (sns, events) = (aws_sdk_sns::Client::new(&config), aws_sdk_eventbridge::Client::new(&config));
    let (url, arn) = world.queue("q").await;
    let machine = world.machine("m").await;
    let topic = sns.create_topic().name("t").send().await.unwrap().topic_arn.unwrap();
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&arn);
    subscribe.attributes("RawMessageDelivery", "true").send().await.unwrap();
    let bus = events.create_event_bus().name("levee").send().await.unwrap().event_bus_arn.unwrap();
    let parameters = EventBridgeParameters::builder().source("levee").detail_type("Night Due").build().unwrap();
    let create =
        |name: &'static str, minute: u8, target| world.create(name, &format!("at(2026-04-02T00:0{minute}:00)"), target);
    create("queue", 1, target(&arn, "to the queue").build().unwrap()).send().await.unwrap();
    create("topic", 2, target(&topic, "to the topic").build().unwrap()).send().await.unwrap();
    let to_bus = target(&bus, r#"{"n":1}"#).event_bridge_parameters(parameters).build().unwrap();
    create("bus", 3, to_bus).send().await.unwrap();
    create("machine", 4, target(&machine, r#"{"n":2}"#).build().unwrap()).send().await.unwrap();
    world.until("2026-04-02T00:05:00Z").await;
    assert_eq!(world.take(&url, 0).await.unwrap().body(), Some("to the queue"));
    assert_eq!(world.take(&url, 0).await.unwrap().body(), Some("to the topic"));
    let event = world.twin.events().into_iter().find(|event| event.bus == "levee").unwrap().event;
    assert_eq!(
        (&event["detail-type"], &event["source"], &event["detail"]),
        (&json!("Night Due"), &json!("levee"), &json!({"n": 1}))
    );
    assert_eq!(world.executions(&machine).await[0].1, json!({"n": 2}));
}

#[tokio::test(start_paused = true)]
async fn throttled_target_is_tried_again_with_growing_waits() {
    let plan = FaultPlan::default().call_when("states", "StartExecution", When::Always, FaultAnswer::throttling());
    let world = World::new(twin());
    let mut plan = plan;
    plan.calls[0].limit = Some(3);
    world.twin.set_faults(plan);
    let machine = world.machine("backup").await;
    let nightly = target(START_EXECUTION, &nightly(&machine)).build().unwrap();
    world.create("lake", "at(2026-04-02T01:00:00)", nightly).send().await.unwrap();
    world.until("2026-04-02T02:00:00Z").await;
    let executions = world.executions(&machine).await;
    assert_eq!((executions.len(), &executions[0].1["attempt"]), (1, &json!("4")));
    assert_eq!(executions[0].1["scheduled"], "2026-04-02T01:00:00Z");
    let calls = world.twin.calls();
    let tried: Vec<_> = calls.iter().filter(|call| call.operation == "StartExecution").map(|call| call.time).collect();
    let waits: Vec<_> = tried.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_millis()).collect();
    assert!(matches!(waits[..], [500..=1001, 1000..=2001, 2000..=4001]), "{waits:?}");
}

#[rstest]
#[case::attempts(2, 3600, "MaximumRetryAttempts", "2")]
#[case::age(185, 60, "MaximumEventAgeInSeconds", "6")]
#[tokio::test(start_paused = true)]
async fn exhausted_retries_end_in_the_dead_letter_queue(
    #[case] attempts: i32,
    #[case] age: i32,
    #[case] condition: &str,
    #[case] most: &str,
) {
    let plan = FaultPlan::default().call("states", "StartExecution", FaultAnswer::internal_error());
    let world = World::new(builder().faults(plan).build());
    let machine = world.machine("backup").await;
    let (dead, dead_arn) = world.queue("dead").await;
    let nightly = target(&machine, r#"{"n":"<aws.scheduler.attempt-number>"}"#).retry_policy(retries(attempts, age));
    let nightly = nightly.dead_letter_config(dead_letters(&dead_arn)).build().unwrap();
    world.create("lake", "at(2026-04-02T01:00:00)", nightly).send().await.unwrap();
    world.until("2026-04-02T02:00:00Z").await;
    let letter = world.take(&dead, 0).await.unwrap();
    assert_eq!(attribute(&letter, "ERROR_CODE"), Some("InternalError"));
    assert_eq!(attribute(&letter, "EXHAUSTED_RETRY_CONDITION"), Some(condition));
    let made: u32 = attribute(&letter, "RETRY_ATTEMPTS").unwrap().parse().unwrap();
    assert!(made > 0 && made <= most.parse().unwrap(), "{made}");
    assert_eq!(attribute(&letter, "TARGET_ARN"), Some(START_EXECUTION));
    let body: Value = serde_json::from_str(letter.body().unwrap()).unwrap();
    assert_eq!(body, json!({"StateMachineArn": machine, "Input": format!(r#"{{"n":"{}"}}"#, made + 1)}));
    let tried = world.twin.calls().iter().filter(|call| call.operation == "StartExecution").count();
    assert_eq!(tried, usize::try_from(made).unwrap() + 1);
}

#[tokio::test(start_paused = true)]
async fn queue_that_is_gone_is_a_permanent_error_of_the_queues_own_name() {
    let world = World::new(twin());
    let (dead, dead_arn) = world.queue("dead").await;
    let gone = target("arn:aws:sqs:us-east-1:222222222222:gone", "hello").dead_letter_config(dead_letters(&dead_arn));
    world.create("lake", "rate(1 minute)", gone.build().unwrap()).send().await.unwrap();
    let letter = world.take(&dead, 20).await.unwrap();
    assert_eq!(attribute(&letter, "ERROR_CODE"), Some("AWS.SimpleQueueService.NonExistentQueue"));
    assert_eq!(attribute(&letter, "TARGET_ARN"), Some("arn:aws:scheduler:::aws-sdk:sqs:sendMessage"));
    let body: Value = serde_json::from_str(letter.body().unwrap()).unwrap();
    let url = "https://sqs.us-east-1.amazonaws.com/222222222222/gone";
    assert_eq!(body, json!({"QueueUrl": url, "MessageBody": "hello"}));
}

/// When each invocation of an hourly schedule with a flexible window of 30 minutes was made.
async fn flexible_times(seed: u64) -> Vec<String> {
    let world = World::new(builder().seed(seed).build());
    let (_, arn) = world.queue("q").await;
    let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Flexible).maximum_window_in_minutes(30);
    let call = world.create("lake", "cron(0 * * * ? *)", target(&arn, "x").build().unwrap());
    call.flexible_time_window(window.build().unwrap()).send().await.unwrap();
    world.until("2026-04-02T05:59:59Z").await;
    world
        .twin
        .calls()
        .into_iter()
        .filter(|call| call.operation == "SendMessage")
        .map(|call| call.time.to_string())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn flexible_window_is_drawn_from_the_seed_and_kept() {
    let times = flexible_times(1).await;
    assert_eq!(times.len(), 5);
    for (hour, time) in (1..).zip(&times) {
        let (from, to) = (format!("2026-04-02T0{hour}:00:00Z"), format!("2026-04-02T0{hour}:30:00Z"));
        assert!(*time >= from && *time < to, "{time}");
    }
    assert_eq!(flexible_times(1).await, times);
    assert_ne!(flexible_times(2).await, times);
}

#[tokio::test(start_paused = true)]
async fn start_end_state_and_changes_decide_what_is_invoked() {
    let world = World::new(twin());
    let (_, arn) = world.queue("q").await;
    let to_queue = || target(&arn, "<aws.scheduler.schedule-arn>").build().unwrap();
    let at = |text: &str| DateTime::from_secs(text.parse::<jiff::Timestamp>().unwrap().as_second());
    let bounded = world.create("bounded", "rate(1 hour)", to_queue()).start_date(at("2026-04-02T01:30:00Z"));
    bounded.end_date(at("2026-04-02T03:30:00Z")).send().await.unwrap();
    let off = world.create("off", "rate(1 hour)", to_queue()).state("DISABLED".into());
    off.send().await.unwrap();
    world.create("changed", "rate(1 hour)", to_queue()).send().await.unwrap();
    world.until("2026-04-02T00:30:00Z").await;
    let change = world.scheduler.update_schedule().name("changed").schedule_expression("cron(45 5 * * ? *)");
    change.flexible_time_window(super::off()).target(to_queue()).send().await.unwrap();
    world.until("2026-04-02T12:00:00Z").await;
    let times = |name: &str| -> Vec<String> {
        let calls = world.twin.calls();
        let sent = calls.iter().filter(|call| call.operation == "SendMessage").map(|call| call.time.to_string());
        // The three are due at different minutes.
        let minute = match name {
            "bounded" => ":30:00",
            "changed" => "T05:45:00",
            _ => "T00:00:00",
        };
        sent.filter(|time| time.contains(minute)).collect()
    };
    assert_eq!(times("bounded"), ["2026-04-02T01:30:00Z", "2026-04-02T02:30:00Z", "2026-04-02T03:30:00Z"]);
    assert_eq!(times("changed"), ["2026-04-02T05:45:00Z"]);
    assert_eq!(times("changed before"), ["2026-04-02T00:00:00Z"]);
    assert_eq!(world.twin.calls().iter().filter(|call| call.operation == "SendMessage").count(), 5);
}

#[tokio::test(start_paused = true)]
async fn schedule_that_is_done_is_deleted_when_it_was_asked_for() {
    let world = World::new(twin());
    let (_, arn) = world.queue("q").await;
    let to_queue = || target(&arn, "x").build().unwrap();
    let once = world.create("once", "at(2026-04-02T01:00:00)", to_queue());
    once.action_after_completion("DELETE".into()).send().await.unwrap();
    world.create("kept", "at(2026-04-02T01:00:00)", to_queue()).send().await.unwrap();
    world.until("2026-04-02T00:59:59Z").await;
    world.scheduler.get_schedule().name("once").send().await.unwrap();
    world.until("2026-04-02T01:00:01Z").await;
    let gone = world.scheduler.get_schedule().name("once").send().await.unwrap_err();
    assert!(gone.into_service_error().is_resource_not_found_exception());
    world.scheduler.get_schedule().name("kept").send().await.unwrap();
}
