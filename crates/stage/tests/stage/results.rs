//! How a stage's answer becomes the end of its task.

use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use levee_stage::{Progress, StageError, WorkerSettings};
use levee_twin::gate::{FaultAnswer, FaultPlan, When};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Probe, World};

fn done() -> Result<Progress<Value>, StageError> {
    Ok(Progress::Done(json!({"answer": 42})))
}

#[tokio::test(start_paused = true)]
async fn success_puts_the_output_into_the_state_and_empties_the_queue() {
    let world = World::new().await;
    let stage = Probe::new(async |_, _| done());
    let _worker = world.work(&stage);
    let end = world.end_of(&world.start().await).await;
    assert_eq!(end.status, ExecutionStatus::Succeeded);
    assert_eq!(end.output["probe"]["answer"], 42);
    assert_eq!(end.output["run"]["source"], "lake-events");
    world.clock.sleep(Duration::from_secs(30)).await;
    assert_eq!(world.backlog().await, (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn transient_errors_are_tried_again_in_place() {
    let world = World::new().await;
    let stage =
        Probe::new(
            async |call, _| {
                if call < 4 { Err(StageError::transient("Levee.AwsUnavailable", "SlowDown")) } else { done() }
            },
        );
    let _worker = world.work(&stage);
    let end = world.end_of(&world.start().await).await;
    assert_eq!((end.status, stage.calls()), (ExecutionStatus::Succeeded, 4));
    assert_eq!(world.count("SendTaskFailure"), 0);
}

#[tokio::test(start_paused = true)]
async fn transient_error_that_stays_fails_the_task_with_its_name() {
    let world = World::new().await;
    let stage = Probe::new(async |_, _| Err(StageError::transient("Levee.AwsUnavailable", "SlowDown")));
    let _worker = world.work(&stage);
    let end = world.end_of(&world.start().await).await;
    assert_eq!((end.status, end.error.as_str()), (ExecutionStatus::Failed, "Levee.AwsUnavailable"));
    assert_eq!(stage.calls(), 7);
}

#[tokio::test(start_paused = true)]
async fn permanent_error_fails_the_task_at_once() {
    let world = World::new().await;
    let stage = Probe::new(async |_, _| Err(StageError::permanent("Levee.JobRejected", "the role is missing")));
    let _worker = world.work(&stage);
    let end = world.end_of(&world.start().await).await;
    assert_eq!((end.error.as_str(), end.cause.as_str()), ("Levee.JobRejected", "the role is missing"));
    assert_eq!(stage.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn panic_fails_only_its_own_task() {
    let world = World::new().await;
    let stage = Probe::new(async |call, _| if call == 1 { panic!("index 7") } else { done() });
    let _worker = world.work(&stage);
    let first = world.end_of(&world.start().await).await;
    assert_eq!(first.error, "Levee.StagePanicked");
    assert!(first.cause.contains("index 7"), "{}", first.cause);
    let second = world.end_of(&world.start().await).await;
    assert_eq!(second.status, ExecutionStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn input_that_does_not_fit_names_the_path() {
    let world = World::new().await;
    let stage = Probe::new(async |_, _| done());
    let _worker = world.work(&stage);
    let end = world.end_of(&world.start_with(json!({"run": {"source": 7}})).await).await;
    assert_eq!((end.error.as_str(), stage.calls()), ("Levee.InputInvalid", 0));
    assert!(end.cause.contains("`$.run.source`"), "{}", end.cause);
}

#[tokio::test(start_paused = true)]
async fn output_above_the_limit_fails_by_name() {
    let world = World::new().await;
    let stage = Probe::new(async |_, _| Ok(Progress::Done(json!("x".repeat(262_143)))));
    let _worker = world.work(&stage);
    let end = world.end_of(&world.start().await).await;
    assert_eq!((end.error.as_str(), stage.calls()), ("Levee.OutputInvalid", 1));
}

#[tokio::test(start_paused = true)]
async fn cause_is_cut_to_what_step_functions_takes() {
    let world = World::new().await;
    let stage = Probe::new(async |_, _| Err(StageError::permanent("Levee.JobRejected", "ü".repeat(40_000))));
    let _worker = world.work(&stage);
    let end = world.end_of(&world.start().await).await;
    assert_eq!((end.error.as_str(), end.cause.chars().count()), ("Levee.JobRejected", 32_768));
}

#[rstest]
#[case::receive("sqs", "ReceiveMessage")]
#[case::delete("sqs", "DeleteMessage")]
#[case::success("states", "SendTaskSuccess")]
#[case::heartbeat("states", "SendTaskHeartbeat")]
#[tokio::test(start_paused = true)]
async fn throttled_calls_of_the_runtime_are_made_again(#[case] service: &str, #[case] operation: &str) {
    let world = World::new().await;
    let mut plan = FaultPlan::default().call_when(service, operation, When::Always, FaultAnswer::throttling());
    plan.calls[0].limit = Some(8);
    world.twin.set_faults(plan);
    let stage = Probe::new(async |_, _| done());
    let _worker = world.work(&stage);
    let end = world.end_of(&world.start().await).await;
    assert_eq!(end.status, ExecutionStatus::Succeeded);
    world.clock.sleep(Duration::from_secs(1200)).await;
    assert_eq!(world.backlog().await, (0, 0, 0));
    assert_eq!(stage.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn long_work_keeps_the_task_alive_and_the_message_hidden() {
    let world = World::new().await;
    let stage = Probe::new(async |_, context| {
        context.clock.sleep(Duration::from_secs(5 * 3600)).await;
        done()
    });
    // One task at a time: the worker does not poll while it works.
    let _worker = world.work_with(&stage, WorkerSettings { concurrency: 1, ..World::settings() });
    let execution = world.start().await;
    for _ in 0..20 {
        world.clock.sleep(Duration::from_secs(880)).await;
        assert_eq!(world.backlog().await, (0, 1, 0));
    }
    let end = world.end_of(&execution).await;
    assert_eq!((end.status, stage.calls()), (ExecutionStatus::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn work_beyond_the_longest_hiding_goes_on_in_a_successor() {
    let world = World::new().await;
    let stage = Probe::new(async |call, context| {
        let hours = if call == 1 { 13 } else { 1 };
        context.clock.sleep(Duration::from_secs(hours * 3600)).await;
        done()
    });
    // One task at a time: the worker does not poll while it works.
    let _worker = world.work_with(&stage, WorkerSettings { concurrency: 1, ..World::settings() });
    let end = world.end_of(&world.start().await).await;
    assert_eq!((end.status, stage.calls(), stage.finished()), (ExecutionStatus::Succeeded, 2, 1));
    assert!(world.dead_letters().await.is_empty());
}
