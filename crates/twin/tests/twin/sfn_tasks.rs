//! Tasks that wait for tokens: retries, timeouts, heartbeats, and what becomes of old tokens.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use crate::twin::sfn_common::{World, machine, task};

fn one(more: Value) -> Value {
    let mut state = task(more);
    state["End"] = json!(true);
    machine("Work", json!({ "Work": state }))
}

/// Seconds between the failures of a task that fails at once, each time it is tried.
async fn waits(retry: Value) -> Vec<u64> {
    let world = World::new();
    let arn = world.start(&one(json!({ "Retry": [retry] })), &json!({})).await;
    let mut waits = Vec::new();
    let mut last = None;
    loop {
        tokio::select! {
            token = world.token() => {
                let now = world.clock.now();
                waits.extend(last.map(|last| now.duration_since(last).as_secs().unsigned_abs()));
                last = Some(now);
                world.fail(&token, "Busy").await;
            }
            described = world.end(&arn) => {
                assert_eq!(described["status"], "FAILED");
                assert_eq!(described["error"], "Busy");
                return waits;
            }
        }
    }
}

#[rstest]
#[case::defaults(json!({}), &[1, 2, 4])]
#[case::interval(json!({ "IntervalSeconds": 5, "MaxAttempts": 2 }), &[5, 10])]
#[case::rate(json!({ "IntervalSeconds": 10, "BackoffRate": 1.5, "MaxAttempts": 3 }), &[10, 15, 22])]
#[case::constant(json!({ "IntervalSeconds": 7, "BackoffRate": 1, "MaxAttempts": 3 }), &[7, 7, 7])]
#[case::cap(json!({ "IntervalSeconds": 30, "MaxDelaySeconds": 100, "MaxAttempts": 5 }), &[30, 60, 100, 100, 100])]
#[case::none(json!({ "MaxAttempts": 0 }), &[])]
#[tokio::test(start_paused = true)]
async fn retries_wait_as_the_retrier_says(#[case] retry: Value, #[case] expected: &[u64]) {
    let mut retry = retry;
    retry["ErrorEquals"] = json!(["Busy"]);
    assert_eq!(waits(retry).await, expected);
}

#[tokio::test(start_paused = true)]
async fn full_jitter_waits_no_longer_than_the_delay_and_is_the_same_for_the_same_seed() {
    let retry = json!({ "ErrorEquals": ["Busy"], "IntervalSeconds": 100, "BackoffRate": 1, "MaxAttempts": 20, "JitterStrategy": "FULL" });
    let first = waits(retry.clone()).await;
    assert_eq!(first.len(), 20);
    assert!(first.iter().all(|wait| *wait <= 100), "{first:?}");
    assert!(first.iter().any(|wait| *wait != first[0]), "{first:?}");
    assert_eq!(waits(retry).await, first);
}

#[tokio::test(start_paused = true)]
async fn each_retrier_counts_its_own_attempts_and_the_context_counts_all() {
    let world = World::new();
    let retry = json!([
        { "ErrorEquals": ["A"], "MaxAttempts": 1, "IntervalSeconds": 1 },
        { "ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "IntervalSeconds": 1 },
    ]);
    let arn = world.start(&one(json!({ "Retry": retry })), &json!({})).await;
    for (count, error) in ["A", "B", "A"].into_iter().enumerate() {
        let message = world.outside.receive().await;
        assert_eq!(message["retries"], json!(count));
        world.fail(message["token"].as_str().unwrap(), error).await;
    }
    let end = world.end(&arn).await;
    assert_eq!((&end["status"], &end["error"]), (&json!("FAILED"), &json!("A")));
}

#[tokio::test(start_paused = true)]
async fn every_attempt_has_a_new_token_and_the_old_one_is_dead() {
    let world = World::new();
    let retry = json!([{ "ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1 }]);
    let arn = world.start(&one(json!({ "TimeoutSeconds": 60, "Retry": retry })), &json!({})).await;
    let first = world.token().await;
    let second = world.token().await;
    assert_ne!(first, second);
    for operation in ["SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"] {
        assert_eq!(world.code(operation, json!({ "taskToken": first, "output": "{}" })).await, "TaskTimedOut");
    }
    world.succeed(&second, json!({ "ok": 1 })).await;
    assert_eq!(world.code("SendTaskSuccess", json!({ "taskToken": second, "output": "{}" })).await, "TaskTimedOut");
    let end = world.end(&arn).await;
    assert_eq!(end["output"], "{\"ok\":1}");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_a_task_alive_but_not_beyond_its_timeout() {
    let world = World::new();
    let definition = one(json!({ "TimeoutSeconds": 1000, "HeartbeatSeconds": 100 }));
    let arn = world.start(&definition, &json!({})).await;
    let started = world.clock.now();
    let token = world.token().await;
    let mut beats = 0;
    while world.call("SendTaskHeartbeat", json!({ "taskToken": token })).await.is_ok() {
        beats += 1;
        world.clock.sleep(Duration::from_secs(90)).await;
    }
    assert_eq!(beats, 12);
    let end = world.end(&arn).await;
    assert_eq!((&end["status"], &end["error"]), (&json!("FAILED"), &json!("States.Timeout")));
    let history = world.history(&arn).await;
    let seconds = history.last().unwrap()["timestamp"].as_f64().unwrap() - started.as_second() as f64;
    assert!((seconds - 1000.0).abs() < 1.0, "{seconds}");
}

#[rstest]
#[case::by_its_reported_name("States.Timeout")]
#[case::by_the_name_of_the_specification("States.HeartbeatTimeout")]
#[case::by_the_wildcard("States.ALL")]
#[tokio::test(start_paused = true)]
async fn a_missed_heartbeat_is_caught(#[case] name: &str) {
    let world = World::new();
    let mut state = task(json!({ "HeartbeatSeconds": 30, "Next": "Never" }));
    state["Catch"] = json!([{ "ErrorEquals": [name], "ResultPath": "$.error", "Next": "Caught" }]);
    let states = json!({ "Work": state, "Caught": { "Type": "Succeed" }, "Never": { "Type": "Fail" } });
    let end = world.run(&machine("Work", states), &json!({ "a": 1 })).await;
    assert_eq!(end["status"], "SUCCEEDED");
    let output: Value = serde_json::from_str(end["output"].as_str().unwrap()).unwrap();
    assert_eq!((&output["a"], &output["error"]["Error"]), (&json!(1), &json!("States.Timeout")));
}

#[rstest]
#[case::a_failure("Busy", true)]
#[case::not_a_timeout("States.Timeout", false)]
#[tokio::test(start_paused = true)]
async fn task_failed_stands_for_every_failure_but_timeouts(#[case] error: &str, #[case] caught: bool) {
    let world = World::new();
    let catch = json!([{ "ErrorEquals": ["States.TaskFailed"], "Next": "Caught" }]);
    let state = task(json!({ "Catch": catch, "End": true }));
    let arn =
        world.start(&machine("Work", json!({ "Work": state, "Caught": { "Type": "Succeed" } })), &json!({})).await;
    let token = world.token().await;
    world.fail(&token, error).await;
    assert_eq!(world.end(&arn).await["status"] == "SUCCEEDED", caught);
}

#[tokio::test(start_paused = true)]
async fn a_token_dies_with_its_execution() {
    let world = World::new();
    let arn = world.start(&one(json!({})), &json!({})).await;
    let token = world.token().await;
    world.ok("StopExecution", json!({ "executionArn": arn, "error": "Stopped", "cause": "by hand" })).await;
    world.clock.sleep(Duration::from_secs(1)).await;
    assert_eq!(world.code("SendTaskSuccess", json!({ "taskToken": token, "output": "{}" })).await, "TaskTimedOut");
    let end = world.end(&arn).await;
    assert_eq!((&end["status"], &end["error"]), (&json!("ABORTED"), &json!("Stopped")));
    assert_eq!(world.kinds(&arn).await.last().unwrap(), "ExecutionAborted");
}

#[tokio::test(start_paused = true)]
async fn tokens_are_refused_that_are_unknown_or_anothers_and_so_is_output_that_is_not_json() {
    let world = World::new();
    world.start(&one(json!({})), &json!({})).await;
    let token = world.token().await;
    assert_eq!(world.code("SendTaskSuccess", json!({ "taskToken": "x", "output": "{}" })).await, "InvalidToken");
    assert_eq!(world.code("SendTaskSuccess", json!({ "taskToken": token, "output": "{" })).await, "InvalidOutput");
    let large = json!("x".repeat(262_143)).to_string();
    assert_eq!(
        world.code("SendTaskSuccess", json!({ "taskToken": token, "output": large })).await,
        "ValidationException"
    );
    let mut other = World::new();
    other.sfn = world.sfn.clone();
    other.caller.account = "111111111111".into();
    assert_eq!(other.code("SendTaskHeartbeat", json!({ "taskToken": token })).await, "InvalidToken");
    world.succeed(&token, json!(1)).await;
}

#[tokio::test(start_paused = true)]
async fn the_machines_timeout_ends_the_execution() {
    let world = World::new();
    let mut definition = one(json!({}));
    definition["TimeoutSeconds"] = json!(3600);
    let arn = world.start(&definition, &json!({})).await;
    let end = world.end(&arn).await;
    assert_eq!(end["status"], "TIMED_OUT");
    assert_eq!(world.kinds(&arn).await.last().unwrap(), "ExecutionTimedOut");
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_queue_are_named_and_can_be_retried() {
    let world = World::new();
    let error = levee_twin::service::ServiceError::client("QueueDoesNotExist", "The specified queue does not exist.");
    world.outside.refusals.lock().unwrap().push_back(error);
    let retry = json!([{ "ErrorEquals": ["SQS.QueueDoesNotExistException"], "IntervalSeconds": 1 }]);
    let arn = world.start(&one(json!({ "Retry": retry })), &json!({})).await;
    let token = world.token().await;
    world.succeed(&token, json!({})).await;
    assert_eq!(world.end(&arn).await["status"], "SUCCEEDED");
    let kinds = world.kinds(&arn).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "TaskFailed").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_history_holds_no_more_than_25000_events() {
    let world = World::new();
    let states = json!({ "A": { "Type": "Pass", "Next": "B" }, "B": { "Type": "Pass", "Next": "A" } });
    let arn = world.start(&machine("A", states), &json!({})).await;
    let end = world.end(&arn).await;
    assert_eq!((&end["status"], &end["error"]), (&json!("FAILED"), &json!("States.Runtime")));
    assert_eq!(world.history(&arn).await.len(), 25_000);
}

#[tokio::test(start_paused = true)]
async fn data_above_256_kib_fails_the_state() {
    let world = World::new();
    let grow = "States.Array($, $, $)";
    let states = json!({ "A": { "Type": "Pass", "Parameters": { "all.$": grow }, "End": true } });
    let end = world.run(&machine("A", states), &json!("x".repeat(100_000))).await;
    assert_eq!(end["error"], "States.DataLimitExceeded");
}

#[tokio::test(start_paused = true)]
async fn status_changes_are_told_to_who_listens() {
    let world = World::new();
    let arn = world.start(&one(json!({})), &json!({})).await;
    let token = world.token().await;
    world.fail(&token, "Broken").await;
    world.end(&arn).await;
    let changes = world.outside.changes.lock().unwrap();
    let statuses: Vec<&str> = changes.iter().map(|change| change.status.as_str()).collect();
    assert_eq!(statuses, ["RUNNING", "FAILED"]);
    let detail = &changes[1].detail;
    assert_eq!((&detail["error"], &detail["redriveStatus"]), (&json!("Broken"), &json!("REDRIVABLE")));
}

#[tokio::test(start_paused = true)]
async fn executions_end_with_the_service() {
    let world = World::new();
    world.start(&one(json!({ "HeartbeatSeconds": 5 })), &json!({})).await;
    let outside = std::sync::Arc::downgrade(&world.outside);
    world.token().await;
    drop(world);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(outside.upgrade().is_none());
}
