//! Messages that come twice, and messages that are none.

use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use levee_stage::Progress;
use rstest::rstest;
use serde_json::json;

use crate::support::{Probe, World};

#[tokio::test(start_paused = true)]
async fn second_copy_of_a_finished_task_is_dropped_without_work() {
    let world = World::new().await;
    let execution = world.start().await;
    world.clock.sleep(Duration::from_secs(5)).await;
    let (body, _) = world.take().await.unwrap();
    let stage = Probe::new(async |_, _| Ok(Progress::Done(json!(1))));
    let _worker = world.work(&stage);
    assert_eq!(world.end_of(&execution).await.status, ExecutionStatus::Succeeded);
    world.send(&body).await;
    world.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!((world.backlog().await, stage.calls()), ((0, 0, 0), 1));
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_copies_at_once_end_the_task_once() {
    let world = World::new().await;
    let execution = world.start().await;
    world.clock.sleep(Duration::from_secs(5)).await;
    let (body, _) = world.take().await.unwrap();
    world.send(&body).await;
    let stage = Probe::new(async |_, context| {
        context.clock.sleep(Duration::from_secs(10)).await;
        Ok(Progress::Done(json!(1)))
    });
    let _worker = world.work(&stage);
    assert_eq!(world.end_of(&execution).await.status, ExecutionStatus::Succeeded);
    world.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!((world.backlog().await, stage.calls()), ((0, 0, 0), 2));
}

#[tokio::test(start_paused = true)]
async fn poison_stays_in_a_queue_without_a_dead_letter_queue_and_the_worker_lives_on() {
    let world = World::new().await;
    world.without_dead_letters().await;
    let stage = Probe::new(async |_, _| Ok(Progress::Done(json!(1))));
    let _worker = world.work(&stage);
    world.send("hello").await;
    world.clock.sleep(Duration::from_secs(3600)).await;
    let (visible, hidden, delayed) = world.backlog().await;
    assert_eq!((visible + hidden + delayed, stage.calls()), (1, 0), "it is neither lost nor worked on");
    assert!(world.dead_letters().await.is_empty());
    assert_eq!(world.end_of(&world.start().await).await.status, ExecutionStatus::Succeeded);
}

#[rstest]
#[case::no_json("hello", "not a task message")]
#[case::no_message(r#"{"version":1}"#, "task_token")]
#[case::another_version(r#"{"version":2,"task_token":"t"}"#, "version 2")]
#[tokio::test(start_paused = true)]
async fn poison_goes_to_the_dead_letter_queue_with_the_reason(#[case] body: &str, #[case] reason: &str) {
    let world = World::new().await;
    let stage = Probe::new(async |_, _| Ok(Progress::Done(json!(1))));
    let _worker = world.work(&stage);
    world.send(body).await;
    world.clock.sleep(Duration::from_secs(60)).await;
    let letters = world.dead_letters().await;
    assert!(matches!(letters.as_slice(), [(dead, why)] if dead == body && why.contains(reason)), "{letters:?}");
    assert_eq!((world.backlog().await, stage.calls()), ((0, 0, 0), 0));
    let end = world.end_of(&world.start().await).await;
    assert_eq!(end.status, ExecutionStatus::Succeeded, "the worker lives on");
}
