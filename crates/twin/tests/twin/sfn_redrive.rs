//! Redrives: what goes on, what is done again, and what is not.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use crate::twin::sfn_common::{World, machine, task};

fn two() -> Value {
    let first = task(json!({ "Next": "Second", "ResultPath": "$.first" }));
    let second = task(json!({ "End": true, "ResultPath": "$.second" }));
    machine("First", json!({ "First": first, "Second": second }))
}

/// The next message; who is asked must be `state`.
async fn message(world: &World, state: &str) -> (String, Value) {
    let message = world.outside.receive().await;
    assert_eq!(message["state"], state);
    (message["token"].as_str().unwrap().to_owned(), message)
}

#[tokio::test(start_paused = true)]
async fn a_redrive_goes_on_with_the_failed_state_and_leaves_the_others() {
    let world = World::new();
    let arn = world.start(&two(), &json!({ "in": 0 })).await;
    let (token, _) = message(&world, "First").await;
    world.succeed(&token, json!(1)).await;
    let (old, before) = message(&world, "Second").await;
    assert_eq!(before["execution"]["RedriveCount"], 0);
    world.fail(&old, "Broken").await;
    let end = world.end(&arn).await;
    assert_eq!((&end["status"], &end["redriveStatus"]), (&json!("FAILED"), &json!("REDRIVABLE")));

    world.redrive(&arn).await;
    let (token, after) = message(&world, "Second").await;
    assert_ne!(token, old);
    assert_eq!(after["execution"]["RedriveCount"], 1);
    assert!(after["execution"]["RedriveTime"].is_string());
    assert_eq!(after["execution"]["StartTime"], before["execution"]["StartTime"]);
    assert_eq!(after["input"], before["input"]);
    world.succeed(&token, json!(2)).await;
    let end = world.end(&arn).await;
    assert_eq!(end["output"], json!({ "in": 0, "first": 1, "second": 2 }).to_string());
    assert_eq!((&end["redriveCount"], end.get("error")), (&json!(1), None));
    let kinds = world.kinds(&arn).await;
    let tail =
        ["ExecutionFailed", "ExecutionRedriven", "TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"];
    let at = kinds.iter().position(|kind| kind == "ExecutionFailed").unwrap();
    assert_eq!(kinds[at..at + tail.len()], tail);
    assert_eq!(world.code("RedriveExecution", json!({ "executionArn": arn })).await, "ExecutionNotRedrivable");
}

#[tokio::test(start_paused = true)]
async fn a_redrive_counts_retries_and_timeouts_from_the_start() {
    let world = World::new();
    let retry = json!([{ "ErrorEquals": ["States.Timeout"], "MaxAttempts": 1, "IntervalSeconds": 1 }]);
    let state = task(json!({ "TimeoutSeconds": 60, "Retry": retry, "End": true }));
    let arn = world.start(&machine("Work", json!({ "Work": state })), &json!({})).await;
    assert_eq!(world.end(&arn).await["status"], "FAILED");
    assert!(world.outside.pop().is_some() && world.outside.pop().is_some() && world.outside.pop().is_none());
    world.redrive(&arn).await;
    let (_, first) = message(&world, "Work").await;
    let (token, second) = message(&world, "Work").await;
    assert_eq!((&first["retries"], &second["retries"]), (&json!(0), &json!(1)));
    world.succeed(&token, json!({})).await;
    assert_eq!(world.end(&arn).await["status"], "SUCCEEDED");
}

#[tokio::test(start_paused = true)]
async fn a_redrive_of_a_fail_state_fails_again() {
    let world = World::new();
    let arn = world.start(&machine("No", json!({ "No": { "Type": "Fail", "Error": "E" } })), &json!({})).await;
    world.end(&arn).await;
    world.redrive(&arn).await;
    let end = world.end(&arn).await;
    assert_eq!((&end["status"], &end["error"], &end["redriveCount"]), (&json!("FAILED"), &json!("E"), &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_and_a_timed_out_execution_are_redriven_and_the_machines_timeout_starts_anew() {
    let world = World::new();
    let mut definition = two();
    definition["TimeoutSeconds"] = json!(100);
    let arn = world.start(&definition, &json!({})).await;
    let (token, _) = message(&world, "First").await;
    world.clock.sleep(Duration::from_secs(50)).await;
    world.succeed(&token, json!({})).await;
    message(&world, "Second").await;
    assert_eq!(world.end(&arn).await["status"], "TIMED_OUT");
    world.redrive(&arn).await;
    let (token, _) = message(&world, "Second").await;
    world.clock.sleep(Duration::from_secs(90)).await;
    world.ok("StopExecution", json!({ "executionArn": arn })).await;
    assert_eq!(world.end(&arn).await["status"], "ABORTED");
    assert_eq!(world.code("SendTaskHeartbeat", json!({ "taskToken": token })).await, "TaskTimedOut");
    world.redrive(&arn).await;
    let (token, last) = message(&world, "Second").await;
    assert_eq!(last["execution"]["RedriveCount"], 2);
    world.succeed(&token, json!({})).await;
    assert_eq!(world.end(&arn).await["status"], "SUCCEEDED");
}

fn fan(kind: &str) -> Value {
    let work = json!({ "StartAt": "Work", "States": { "Work": task(json!({ "Next": "After" })), "After": { "Type": "Pass", "End": true } } });
    let state = match kind {
        "Parallel" => json!({ "Type": "Parallel", "Branches": [work, work, work], "End": true }),
        _ => json!({ "Type": "Map", "ItemsPath": "$.items", "ItemProcessor": work, "End": true }),
    };
    machine("Fan", json!({ "Fan": state }))
}

#[rstest]
#[case::branches("Parallel")]
#[case::iterations("Map")]
#[tokio::test(start_paused = true)]
async fn only_what_failed_or_was_aborted_runs_again(#[case] kind: &str) {
    let world = World::new();
    let arn = world.start(&fan(kind), &json!({ "items": [0, 1, 2] })).await;
    let tokens = [world.token().await, world.token().await, world.token().await];
    world.succeed(&tokens[1], json!("done")).await;
    world.clock.sleep(Duration::from_secs(1)).await;
    world.fail(&tokens[0], "Broken").await;
    let end = world.end(&arn).await;
    assert_eq!((&end["status"], &end["error"]), (&json!("FAILED"), &json!("Broken")));
    let dead = json!({ "taskToken": tokens[2], "output": "{}" });
    assert_eq!(world.code("SendTaskSuccess", dead).await, "TaskTimedOut");

    world.redrive(&arn).await;
    let again = [world.token().await, world.token().await];
    world.clock.sleep(Duration::from_secs(1)).await;
    assert!(world.outside.pop().is_none());
    world.succeed(&again[0], json!("first")).await;
    world.succeed(&again[1], json!("last")).await;
    let end = world.end(&arn).await;
    assert_eq!(end["output"], json!(["first", "done", "last"]).to_string());
    let entered = world.kinds(&arn).await.iter().filter(|kind| *kind == "TaskStateEntered").count();
    assert_eq!(entered, 3);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_within_the_branch_of_an_iteration_goes_on_there() {
    let world = World::new();
    let inner = json!({ "StartAt": "Both", "States": { "Both": { "Type": "Parallel", "End": true, "Branches": [
        { "StartAt": "Work", "States": { "Work": task(json!({ "End": true })) } },
        { "StartAt": "Plain", "States": { "Plain": { "Type": "Pass", "Result": "plain", "End": true } } },
    ] } } });
    let state = json!({ "Type": "Map", "ItemProcessor": inner, "End": true });
    let arn = world.start(&machine("Each", json!({ "Each": state })), &json!(["a"])).await;
    let token = world.token().await;
    world.fail(&token, "Broken").await;
    world.end(&arn).await;
    world.redrive(&arn).await;
    let (token, again) = message(&world, "Work").await;
    assert_eq!(again["input"], "a");
    world.succeed(&token, json!("work")).await;
    assert_eq!(world.end(&arn).await["output"], json!([["work", "plain"]]).to_string());
}

#[tokio::test(start_paused = true)]
async fn a_wait_whose_time_has_passed_is_left_at_once() {
    let world = World::new();
    let wait = json!({ "Type": "Wait", "Timestamp": "2026-04-02T06:00:00Z", "End": true });
    let arn = world.start(&machine("Wait", json!({ "Wait": wait })), &json!({})).await;
    world.clock.sleep(Duration::from_secs(3600)).await;
    world.ok("StopExecution", json!({ "executionArn": arn })).await;
    world.clock.sleep(Duration::from_secs(24 * 3600)).await;
    let before = world.clock.now();
    world.redrive(&arn).await;
    assert_eq!(world.end(&arn).await["status"], "SUCCEEDED");
    assert!(world.clock.now().duration_since(before).as_secs() < 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_token_redrives_once_within_15_minutes() {
    let world = World::new();
    let arn = world.start(&machine("No", json!({ "No": { "Type": "Fail" } })), &json!({})).await;
    world.end(&arn).await;
    let request = json!({ "executionArn": arn, "clientToken": "t" });
    let first = world.ok("RedriveExecution", request.clone()).await;
    world.end(&arn).await;
    world.clock.sleep(Duration::from_secs(600)).await;
    assert_eq!(world.ok("RedriveExecution", request.clone()).await, first);
    assert_eq!(world.end(&arn).await["redriveCount"], 1);
    world.clock.sleep(Duration::from_secs(600)).await;
    assert_ne!(world.ok("RedriveExecution", request).await, first);
    assert_eq!(world.end(&arn).await["redriveCount"], 2);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_redriven_is_refused_with_the_reason() {
    let world = World::new();
    let arn = world.start(&two(), &json!({})).await;
    let refused = world.call("RedriveExecution", json!({ "executionArn": arn })).await.unwrap_err();
    assert_eq!(
        (refused.code.as_str(), refused.message.as_str()),
        ("ExecutionNotRedrivable", "Execution is RUNNING and cannot be redriven")
    );
    world.ok("StopExecution", json!({ "executionArn": arn })).await;
    world.clock.sleep(Duration::from_secs(14 * 24 * 3600 + 1)).await;
    let refused = world.call("RedriveExecution", json!({ "executionArn": arn })).await.unwrap_err();
    assert_eq!(refused.message, "Execution redrivable period exceeded");
    let described = world.ok("DescribeExecution", json!({ "executionArn": arn })).await;
    assert_eq!(described["redriveStatusReason"], "Execution redrivable period exceeded");
}

#[tokio::test(start_paused = true)]
async fn a_redrive_keeps_the_definition_that_the_execution_started_with() {
    let world = World::new();
    let arn = world.start(&two(), &json!({})).await;
    let (token, _) = message(&world, "First").await;
    world.fail(&token, "Broken").await;
    world.end(&arn).await;
    let changed = machine("First", json!({ "First": { "Type": "Pass", "End": true } })).to_string();
    let machine_arn = "arn:aws:states:us-east-1:222222222222:stateMachine:m";
    world.ok("UpdateStateMachine", json!({ "stateMachineArn": machine_arn, "definition": changed })).await;
    world.redrive(&arn).await;
    message(&world, "First").await;
}
