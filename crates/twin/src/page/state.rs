//! The state of the twin as JSON: all of it at a glance, and one execution in full.

use std::sync::Arc;

use jiff::Timestamp;
use levee_clock::Clock;
use serde::Serialize;

use super::graph::Graph;
use crate::{
    events::{AcceptedEvent, EventBridge},
    gate::{CallCount, CallGate, Outcome, RecordedCall},
    s3::{BucketView, S3Service},
    s3control::{JobView, S3Control},
    scheduler::{ScheduleView, Scheduler},
    sfn::{EventView, RunCounts, RunDetail, RunView, StateTrail, StepFunctions},
    sqs::{QueueView, Sqs},
};

/// The most entries of a list; each list says how many there are.
const LIST_LIMIT: usize = 200;
/// The most events and failed calls.
const LOG_LIMIT: usize = 50;
/// The most events of the history of an execution.
const HISTORY_LIMIT: usize = 200;

/// Where the state is read. Reading is no call and passes no gate.
pub(crate) struct Sources {
    pub(crate) clock: Clock,
    pub(crate) gate: Arc<CallGate>,
    /// None where the buckets are in an S3 elsewhere.
    pub(crate) s3: Option<S3Service>,
    pub(crate) sqs: Arc<Sqs>,
    pub(crate) states: Arc<StepFunctions>,
    pub(crate) control: Arc<S3Control>,
    pub(crate) events: Arc<EventBridge>,
    pub(crate) scheduler: Arc<Scheduler>,
}

/// The answer of `/_twin/state`.
#[derive(Serialize)]
pub(super) struct State {
    /// The twin's clock.
    time: Timestamp,
    runs: RunCounts,
    executions: List<RunView>,
    jobs: List<JobView>,
    queues: List<QueueView>,
    buckets: List<BucketView>,
    schedules: List<ScheduleView>,
    events: List<AcceptedEvent>,
    calls: Calls,
}

/// A list that may be cut: `total` is how many there are.
#[derive(Serialize)]
struct List<T> {
    total: usize,
    items: Vec<T>,
}

#[derive(Serialize)]
struct Calls {
    made: u64,
    /// How many were answered with an error, planned ones included.
    failed: u64,
    /// The latest of these.
    failures: Vec<RecordedCall>,
}

/// The answer of `/_twin/execution`.
#[derive(Serialize)]
pub(super) struct Execution {
    #[serde(flatten)]
    run: RunView,
    graph: Graph,
    states: Vec<StateTrail>,
    /// The transitions that were made, with how often.
    steps: Vec<(String, String, u64)>,
    history: List<EventView>,
}

impl Sources {
    pub(super) fn state(&self) -> State {
        let (runs, executions) = self.states.overview(LIST_LIMIT);
        State {
            time: self.clock.now(),
            executions: List { total: runs.total(), items: executions },
            runs,
            jobs: List::cut(self.control.overview()),
            queues: List::cut(self.sqs.overview()),
            buckets: List::cut(self.s3.as_ref().map(S3Service::overview).unwrap_or_default()),
            schedules: List::cut(self.scheduler.overview()),
            events: self.log(),
            calls: self.calls(),
        }
    }

    pub(super) fn execution(&self, arn: &str) -> Option<Execution> {
        let RunDetail { run, definition, states, steps, events, history } = self.states.detail(arn, HISTORY_LIMIT)?;
        let history = List { total: events, items: history };
        Some(Execution { run, graph: Graph::of(&definition), states, steps, history })
    }

    fn log(&self) -> List<AcceptedEvent> {
        let (total, mut items) = self.events.latest(LOG_LIMIT);
        items.reverse();
        List { total, items }
    }

    fn calls(&self) -> Calls {
        let counts = self.gate.call_counts();
        let failed = |count: &&CallCount| matches!(count.outcome, Some(Outcome::Error { .. }));
        Calls {
            made: self.gate.count(),
            failed: counts.iter().filter(failed).map(|count| count.count).sum(),
            failures: self.gate.failures(LOG_LIMIT),
        }
    }
}

impl<T> List<T> {
    fn cut(mut items: Vec<T>) -> Self {
        let total = items.len();
        items.truncate(LIST_LIMIT);
        Self { total, items }
    }
}
