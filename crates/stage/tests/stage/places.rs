//! Messages that are more than the places of a worker, or than one poll brings.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_sfn::types::ExecutionStatus;
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use jiff::Timestamp;
use levee_stage::{Aws, Progress, Worker, WorkerSettings};
use levee_twin::{Connector, service::Principal};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{ACCOUNT, Probe, World};

/// A way to the twin on which every call takes 100 ms.
#[derive(Clone, Debug)]
struct Slow(Connector);

impl HttpClient for Slow {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Slow {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.0.clone();
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            connector.call(request).await
        })
    }
}

/// When a stage began, and when the first message of its task was received, each time.
type Seen = Arc<Mutex<Vec<(Timestamp, Timestamp)>>>;

/// A stage that takes so long, and what it has seen.
fn recorder(takes: Duration) -> (Probe, Seen) {
    let seen = Seen::default();
    let record = Arc::clone(&seen);
    let stage = Probe::new(move |_, context| {
        record.lock().unwrap().push((context.clock.now(), context.first_received));
        async move {
            context.clock.sleep(takes).await;
            Ok(Progress::Done(json!(1)))
        }
    });
    (stage, seen)
}

#[tokio::test(start_paused = true)]
async fn burst_is_taken_by_several_polls_at_once_when_there_are_places_for_it() {
    let world = World::new().await;
    for _ in 0..200 {
        world.start().await;
    }
    let (stage, seen) = recorder(Duration::from_secs(10));
    let config = world.twin.sdk_config(ACCOUNT, &Principal::Root).into_builder();
    let aws = Aws::new(&config.http_client(Slow(world.twin.connector())).build());
    let settings = WorkerSettings { concurrency: 200, ..World::settings() };
    let worker = Worker::new(stage.clone(), &aws, settings, world.clock.clone());
    let (began, shutdown) = (world.clock.now(), CancellationToken::new());
    let _worker = tokio::spawn(worker.run(shutdown));
    world.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(stage.finished(), 200);
    let last = seen.lock().unwrap().iter().map(|(when, _)| *when).max().unwrap();
    let took = last.duration_since(began).as_secs_f64();
    // The name of the queue is asked for and a heartbeat sent, too. 20 polls one after the other take 2 s.
    assert!(took < 1.0, "the last of 200 messages was taken after {took} s");
}

#[tokio::test(start_paused = true)]
async fn idle_worker_with_many_places_has_one_poll() {
    let world = World::new().await;
    let (stage, _) = recorder(Duration::from_secs(1));
    let _worker = world.work_with(&stage, WorkerSettings { concurrency: 200, ..World::settings() });
    for _ in 0..50 {
        world.start().await;
    }
    world.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(stage.finished(), 50);
    let before = world.count("ReceiveMessage");
    world.clock.sleep(Duration::from_secs(600)).await;
    let polls = world.count("ReceiveMessage") - before;
    assert!((29..=31).contains(&polls), "{polls} polls of 20 s in 600 s");
}

#[tokio::test(start_paused = true)]
async fn tasks_that_wait_for_a_place_longer_than_their_heartbeat_limit_stay_alive() {
    let world = World::new().await;
    let (stage, seen) = recorder(Duration::from_secs(700));
    let _worker = world.work_with(&stage, WorkerSettings { concurrency: 1, ..World::settings() });
    let mut executions = Vec::new();
    for _ in 0..25 {
        executions.push(world.start().await);
    }
    for execution in &executions {
        let end = world.end_of(execution).await;
        assert_eq!(end.status, ExecutionStatus::Succeeded, "{}: {}", end.error, end.cause);
    }
    world.clock.sleep(Duration::from_secs(900)).await;
    assert_eq!((stage.calls(), stage.finished(), world.backlog().await), (25, 25, (0, 0, 0)));
    assert!(world.dead_letters().await.is_empty());
    let seen = seen.lock().unwrap();
    let waited = seen.iter().map(|(when, first_received)| when.duration_since(*first_received).as_secs());
    assert!(
        waited.max().unwrap() < 5,
        "limits on waiting count from the round in which the message was kept: {seen:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn message_that_waits_for_a_place_is_there_for_another_worker() {
    let world = World::new().await;
    let (busy, _) = recorder(Duration::from_secs(3600));
    let _busy = world.work_with(&busy, WorkerSettings { concurrency: 1, ..World::settings() });
    for _ in 0..3 {
        world.start().await;
    }
    world.clock.sleep(Duration::from_secs(1900)).await;
    assert_eq!((busy.calls(), world.backlog().await), (1, (2, 1, 0)));
    let (free, _) = recorder(Duration::from_secs(1));
    let _free = world.work(&free);
    world.clock.sleep(Duration::from_secs(20)).await;
    assert_eq!(free.finished(), 2);
}

#[tokio::test(start_paused = true)]
async fn message_that_waits_is_dropped_when_nobody_waits_for_its_task() {
    let world = World::new().await;
    let (stage, _) = recorder(Duration::from_secs(3600));
    let _worker = world.work_with(&stage, WorkerSettings { concurrency: 1, ..World::settings() });
    world.start().await;
    world.clock.sleep(Duration::from_secs(5)).await;
    let stopped = world.start().await;
    world.clock.sleep(Duration::from_secs(5)).await;
    world.aws.sfn.stop_execution().execution_arn(&stopped).send().await.unwrap();
    assert_eq!(world.backlog().await, (1, 1, 0));
    world.clock.sleep(Duration::from_secs(700)).await;
    assert_eq!((stage.calls(), world.backlog().await), (1, (0, 1, 0)));
}
