//! The executions at a glance, and one of them in full.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{
    StepFunctions,
    execution::{Execution, Live},
    history::Event,
    trail::{StateTrail, Trail},
};

/// An execution as it is now.
#[derive(Debug, Serialize)]
pub(crate) struct RunView {
    arn: String,
    name: String,
    state_machine: String,
    account: String,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    status: &'static str,
    started: Timestamp,
    stopped: Option<Timestamp>,
    redrives: u64,
    error: Option<String>,
    cause: Option<String>,
    /// The states that it is in, or that it ended in without success.
    at: Vec<String>,
}

/// An execution with its way so far.
#[derive(Debug)]
pub(crate) struct RunDetail {
    pub(crate) run: RunView,
    /// The definition as it was when the execution started.
    pub(crate) definition: Value,
    pub(crate) states: Vec<StateTrail>,
    /// From which state to which it went, with how often.
    pub(crate) steps: Vec<(String, String, u64)>,
    pub(crate) events: usize,
    /// The last events.
    pub(crate) history: Vec<EventView>,
}

/// An event of a history.
#[derive(Debug, Serialize)]
pub(crate) struct EventView {
    id: usize,
    time: Timestamp,
    kind: String,
    state: Option<String>,
    error: Option<String>,
}

/// How many executions there are, and how many have succeeded, failed in any way, or still run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct RunCounts {
    total: usize,
    running: usize,
    succeeded: usize,
    failed: usize,
}

impl RunCounts {
    /// How many executions there are.
    pub(crate) fn total(&self) -> usize {
        self.total
    }
}

impl StepFunctions {
    /// The executions of all accounts, the latest start first, at most `limit`, and the counts of all.
    pub(crate) fn overview(&self, limit: usize) -> (RunCounts, Vec<RunView>) {
        let executions = self.shared.store().latest();
        let mut counts = RunCounts { total: executions.len(), ..RunCounts::default() };
        for execution in &executions {
            match execution.live().status.name() {
                "RUNNING" => counts.running += 1,
                "SUCCEEDED" => counts.succeeded += 1,
                _ => counts.failed += 1,
            }
        }
        let newest = executions.iter().take(limit).map(|execution| {
            let live = execution.live();
            view(execution, &live, &Trail::of(&live))
        });
        (counts, newest.collect())
    }

    /// One execution with its last `events` events; `None` when there is none of that ARN.
    pub(crate) fn detail(&self, arn: &str, events: usize) -> Option<RunDetail> {
        let execution = self.shared.store().known(arn)?;
        let live = execution.live();
        let trail = Trail::of(&live);
        let run = view(&execution, &live, &trail);
        let skipped = live.history.len().saturating_sub(events);
        let event = |(index, event): (usize, &Event)| EventView {
            id: index + 1,
            time: event.at,
            kind: event.kind.clone(),
            state: trail.state_of(index).map(str::to_owned),
            error: event.details.get("error").and_then(Value::as_str).map(str::to_owned),
        };
        let history = live.history.iter().enumerate().skip(skipped).map(event).collect();
        let definition = serde_json::from_str(&execution.machine.text).unwrap_or_default();
        let (states, steps) = trail.into_parts();
        Some(RunDetail { run, definition, states, steps, events: live.history.len(), history })
    }
}

fn view(execution: &Execution, live: &Live, trail: &Trail) -> RunView {
    RunView {
        arn: execution.arn.clone(),
        name: execution.name.clone(),
        state_machine: execution.machine.name.clone(),
        account: execution.account.clone(),
        status: live.status.name(),
        started: execution.started,
        stopped: live.stopped,
        redrives: live.redrives,
        error: live.error.clone(),
        cause: live.cause.clone(),
        at: trail.open().map(str::to_owned).collect(),
    }
}
