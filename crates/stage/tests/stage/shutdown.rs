//! Stopping without losing anything.

use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use levee_stage::{Progress, Worker, WorkerError, WorkerSettings, host};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Probe, World};

fn sleeper(seconds: u64) -> Probe {
    Probe::new(move |_, context| async move {
        context.clock.sleep(Duration::from_secs(seconds)).await;
        Ok(Progress::Done(json!(1)))
    })
}

#[tokio::test(start_paused = true)]
async fn running_stage_may_finish_within_the_grace_period() {
    let world = World::new().await;
    let stage = sleeper(60);
    let (shutdown, worker) = world.work(&stage);
    let execution = world.start().await;
    world.clock.sleep(Duration::from_secs(45)).await;
    shutdown.cancel();
    assert_eq!(worker.await.unwrap(), Ok(()));
    assert_eq!(world.end_of(&execution).await.status, ExecutionStatus::Succeeded);
    assert_eq!(world.backlog().await, (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn stage_that_does_not_finish_in_time_is_released_for_another_worker() {
    let world = World::new().await;
    let slow = sleeper(600);
    let (shutdown, worker) = world.work(&slow);
    let execution = world.start().await;
    world.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(world.backlog().await, (0, 1, 0));
    shutdown.cancel();
    assert_eq!(worker.await.unwrap(), Ok(()));
    assert_eq!((slow.calls(), slow.finished()), (1, 0));
    assert_eq!(world.backlog().await, (1, 0, 0));
    let next = sleeper(1);
    let _worker = world.work(&next);
    assert_eq!(world.end_of(&execution).await.status, ExecutionStatus::Succeeded);
    assert_eq!(next.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn idle_worker_stops_at_once() {
    let world = World::new().await;
    let (shutdown, worker) = world.work(&sleeper(1));
    world.clock.sleep(Duration::from_secs(30)).await;
    let before = world.clock.now();
    shutdown.cancel();
    assert_eq!(worker.await.unwrap(), Ok(()));
    assert!(world.clock.now().duration_since(before).as_secs() <= 1);
}

#[tokio::test(start_paused = true)]
async fn concurrency_bounds_the_tasks_at_a_time() {
    let world = World::new().await;
    let stage = sleeper(100);
    let _worker = world.work_with(&stage, WorkerSettings { concurrency: 2, ..World::settings() });
    for _ in 0..5 {
        world.start().await;
    }
    world.clock.sleep(Duration::from_secs(90)).await;
    assert_eq!(stage.calls(), 2);
    world.clock.sleep(Duration::from_secs(300)).await;
    assert_eq!(stage.finished(), 5);
}

#[tokio::test(start_paused = true)]
async fn missing_queue_ends_the_host_with_a_clear_error() {
    let world = World::new().await;
    let worker = |queue: &str| {
        let settings = WorkerSettings { queue: queue.to_owned(), ..World::settings() };
        Box::new(Worker::new(sleeper(1), &world.aws, settings, world.clock.clone())) as Box<_>
    };
    let ended = host(vec![worker("levee-probe"), worker("levee-none")], CancellationToken::new()).await;
    let Err(WorkerError::Queue { queue, reason, .. }) = ended else { panic!("{ended:?}") };
    assert_eq!(queue, "levee-none");
    assert!(reason.contains("GetQueueUrl of levee-none"), "{reason}");
}
