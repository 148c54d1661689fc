//! Waits of hours, and tokens that die.

use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use levee_stage::{Progress, WorkerSettings};
use serde_json::{Value, json};

use crate::support::{Probe, World};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn wait_of_hours_runs_the_stage_only_when_due_and_counts_no_failed_receipt() {
    let world = World::new().await;
    let stage = Probe::new(async |call, context| {
        let seen = json!({"call": call, "waits": context.waits, "memo": context.memo,
            "first": context.first_received.to_string(), "now": context.clock.now().to_string()});
        if call < 4 { Ok(Progress::NotYet { after: 2 * HOUR, memo: seen }) } else { Ok(Progress::Done(seen)) }
    });
    let _worker = world.work(&stage);
    let end = world.end_of(&world.start().await).await;
    assert_eq!((end.status, stage.calls()), (ExecutionStatus::Succeeded, 4));
    let last = &end.output["probe"];
    assert_eq!((&last["waits"], &last["memo"]["call"]), (&json!(3), &json!(3)));
    assert_eq!(last["first"], "2026-04-02T00:00:00Z");
    let now: jiff::Timestamp = last["now"].as_str().unwrap().parse().unwrap();
    let late = now.duration_since("2026-04-02T06:00:00Z".parse().unwrap()).as_secs();
    assert!((0..120).contains(&late), "the last run came {late} s after it was due");
    assert!(world.dead_letters().await.is_empty());
    // Each hop is a third of the heartbeat limit, and each message is received once.
    assert!(world.count("SendTaskHeartbeat") >= 6 * 12, "{}", world.count("SendTaskHeartbeat"));
}

#[tokio::test(start_paused = true)]
async fn wait_ends_when_the_execution_is_stopped() {
    let world = World::new().await;
    let stage = Probe::new(async |_, _| Ok(Progress::NotYet { after: 6 * HOUR, memo: Value::Null }));
    let _worker = world.work(&stage);
    let execution = world.start().await;
    world.clock.sleep(HOUR).await;
    world.aws.sfn.stop_execution().execution_arn(&execution).send().await.unwrap();
    world.clock.sleep(HOUR).await;
    assert_eq!((world.backlog().await, stage.calls()), ((0, 0, 0), 1));
}

#[tokio::test(start_paused = true)]
async fn stage_is_broken_off_when_its_token_dies() {
    let world = World::new().await;
    let stage = Probe::new(async |_, context| {
        context.clock.sleep(6 * HOUR).await;
        Ok(Progress::Done(Value::Null))
    });
    // One task at a time: the worker does not poll while it works.
    let _worker = world.work_with(&stage, WorkerSettings { concurrency: 1, ..World::settings() });
    let execution = world.start().await;
    world.clock.sleep(HOUR).await;
    world.aws.sfn.stop_execution().execution_arn(&execution).send().await.unwrap();
    world.clock.sleep(6 * HOUR).await;
    assert_eq!((stage.calls(), stage.finished()), (1, 0));
    assert_eq!((world.count("SendTaskSuccess"), world.count("SendTaskFailure")), (0, 0));
    assert_eq!(world.backlog().await, (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn message_of_a_dead_token_never_reaches_the_stage() {
    let world = World::new().await;
    let execution = world.start().await;
    world.clock.sleep(Duration::from_secs(5)).await;
    world.aws.sfn.stop_execution().execution_arn(&execution).send().await.unwrap();
    let stage = Probe::new(async |_, _| Ok(Progress::Done(Value::Null)));
    let _worker = world.work(&stage);
    world.clock.sleep(HOUR).await;
    assert_eq!((world.backlog().await, stage.calls()), ((0, 0, 0), 0));
}
