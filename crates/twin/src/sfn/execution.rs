//! One execution: its identity, its status and its history.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::definition::Machine;
use super::failure::{Failure, TIMEOUT};
use super::history::{EVENT_LIMIT, Event, details, epoch, put};
use super::progress::Node;

/// How long after its end an execution can be redriven.
const REDRIVE_PERIOD: SignedDuration = SignedDuration::from_hours(14 * 24);
/// The longest an execution may be open.
const LONGEST: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The status of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

/// An execution. What changes is in `live`; the rest is as it was at the start.
pub(super) struct Execution {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) machine: MachineAtStart,
    /// The input as it was sent.
    pub(super) input_text: String,
    pub(super) input: Value,
    pub(super) started: Timestamp,
    pub(super) root: Arc<Node>,
    live: Mutex<Live>,
}

/// The state machine as it was when the execution started.
#[derive(Clone)]
pub(super) struct MachineAtStart {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) role_arn: String,
    pub(super) definition: Arc<Machine>,
    pub(super) text: String,
    pub(super) updated: Timestamp,
}

/// What changes in an execution.
pub(super) struct Live {
    pub(super) status: Status,
    /// How often the execution was redriven; the number of the current run.
    pub(super) redrives: u64,
    pub(super) redriven: Option<Timestamp>,
    /// Client tokens of redrives with the times of their answers.
    pub(super) redrive_tokens: HashMap<String, Timestamp>,
    pub(super) stopped: Option<Timestamp>,
    pub(super) output: Option<Value>,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) history: Vec<Event>,
    /// Ends the task of the current run.
    pub(super) cancel: CancellationToken,
}

impl Status {
    /// As the API names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }
}

impl Execution {
    /// A running execution whose history holds `ExecutionStarted`.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn start(
        arn: String,
        name: String,
        account: String,
        region: String,
        machine: MachineAtStart,
        input_text: String,
        input: Value,
        now: Timestamp,
    ) -> Self {
        let started = json!({ "input": input_text, "roleArn": machine.role_arn });
        let live = Live {
            status: Status::Running,
            redrives: 0,
            redriven: None,
            redrive_tokens: HashMap::new(),
            stopped: None,
            output: None,
            error: None,
            cause: None,
            history: vec![Event { at: now, kind: "ExecutionStarted".into(), previous: 0, details: started }],
            cancel: CancellationToken::new(),
        };
        let (root, live) = (Arc::default(), Mutex::new(live));
        Self { arn, name, account, region, machine, input_text, input, started: now, root, live }
    }

    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the execution cannot be redriven; `None` when it can.
    pub(super) fn not_redrivable(&self, live: &Live, machine_exists: bool, now: Timestamp) -> Option<String> {
        let since = |then: Timestamp| now.duration_since(then);
        Some(match live.status {
            Status::Running | Status::Succeeded => {
                format!("Execution is {} and cannot be redriven", live.status.name())
            }
            _ if !machine_exists => "State machine is in DELETING status".into(),
            _ if live.stopped.is_some_and(|stopped| since(stopped) > REDRIVE_PERIOD) => {
                "Execution redrivable period exceeded".into()
            }
            _ if live.history.len() >= EVENT_LIMIT - 1 => "Execution history event limit exceeded".into(),
            _ if since(self.started) > LONGEST => "Execution has exceeded the max execution time".into(),
            _ => return None,
        })
    }
}

impl Live {
    /// Adds an event; its id.
    pub(super) fn push(&mut self, at: Timestamp, kind: &str, previous: u64, details: Value) -> u64 {
        self.history.push(Event { at, kind: kind.to_owned(), previous, details });
        u64::try_from(self.history.len()).unwrap_or(u64::MAX)
    }

    /// Ends the run: status, final event, output or error.
    pub(super) fn end(&mut self, now: Timestamp, status: Status, last: u64, outcome: Result<Value, Failure>) {
        self.status = status;
        self.stopped = Some(now);
        let (kind, details) = match (&outcome, status) {
            (Ok(output), _) => ("ExecutionSucceeded", json!({ "output": output.to_string() })),
            (Err(f), Status::Aborted) => ("ExecutionAborted", details(json!({ "error": f.error, "cause": f.cause }))),
            (Err(f), Status::TimedOut) => ("ExecutionTimedOut", details(json!({ "error": f.error, "cause": f.cause }))),
            (Err(f), _) => ("ExecutionFailed", details(json!({ "error": f.error, "cause": f.cause }))),
        };
        self.push(now, kind, last, details);
        match outcome {
            Ok(output) => self.output = Some(output),
            Err(failure) => (self.error, self.cause) = (failure.error, failure.cause),
        }
        if status == Status::TimedOut && self.error.as_deref() == Some(TIMEOUT) {
            self.error = None;
        }
        self.cancel.cancel();
    }
}

/// What `DescribeExecution` and `ListExecutions` say in the same words.
pub(super) fn summary(execution: &Execution, live: &Live) -> Value {
    let mut value = json!({
        "executionArn": execution.arn,
        "stateMachineArn": execution.machine.arn,
        "name": execution.name,
        "status": live.status.name(),
        "startDate": epoch(execution.started),
        "redriveCount": live.redrives,
    });
    if let Some(stopped) = live.stopped {
        put(&mut value, "stopDate", epoch(stopped));
    }
    if let Some(redriven) = live.redriven {
        put(&mut value, "redriveDate", epoch(redriven));
    }
    value
}
