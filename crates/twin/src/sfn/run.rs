//! A run of an execution: from its start, or from a redrive, to its end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Shared;
use super::execution::{Execution, Status};
use super::failure::Failure;
use super::history::{EVENT_LIMIT, iso, put};
use super::interpret;

/// A run. Everything that it writes goes through here, and nothing does once the run is over.
pub(super) struct Run {
    pub(super) shared: Arc<Shared>,
    pub(super) execution: Arc<Execution>,
    /// 0 for the start, then the count of redrives.
    pub(super) number: u64,
    /// The event that lines of events go on from after a redrive.
    pub(super) resumed_at: u64,
}

impl Run {
    /// Starts the task that interprets the execution. It ends with the execution, with `StopExecution` or with the twin.
    pub(super) fn spawn(self) {
        let cancel = self.execution.live().cancel.clone();
        let stop = self.shared.stop.clone();
        let limit = self.execution.machine.definition.timeout.map(Duration::from_secs);
        tokio::spawn(async move {
            let timeout = async {
                match limit {
                    Some(limit) => self.shared.env.clock.sleep(limit).await,
                    None => std::future::pending().await,
                }
            };
            let root = Arc::clone(&self.execution.root);
            let block = &self.execution.machine.definition.block;
            let work = interpret::block(&self, block, &root, self.execution.input.clone(), None);
            let outcome = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = cancel.cancelled() => return,
                outcome = work => outcome,
                () = timeout => return self.end(Status::TimedOut, Err(Failure::timeout())),
            };
            let status = if outcome.is_ok() { Status::Succeeded } else { Status::Failed };
            self.end(status, outcome);
        });
    }

    /// Adds an event; its id.
    ///
    /// # Errors
    /// The history is full, or the run is over.
    pub(super) fn emit(&self, previous: u64, kind: &str, details: Value) -> Result<u64, Failure> {
        let now = self.shared.env.clock.now();
        let mut live = self.execution.live();
        if live.status != Status::Running || live.redrives != self.number {
            return Err(Failure::gone());
        }
        if live.history.len() >= EVENT_LIMIT - 1 {
            let cause = format!("The execution reached the maximum number of history events ({EVENT_LIMIT}).");
            return Err(Failure::runtime(cause));
        }
        Ok(live.push(now, kind, previous, details))
    }

    fn end(&self, status: Status, outcome: Result<Value, Failure>) {
        if matches!(&outcome, Err(failure) if failure.is_gone()) {
            return;
        }
        let now = self.shared.env.clock.now();
        let last = self.execution.root.last();
        {
            let mut live = self.execution.live();
            if live.status != Status::Running || live.redrives != self.number {
                return;
            }
            live.end(now, status, last, outcome);
        }
        self.shared.ended(&self.execution);
    }

    /// The part of the context object that is the same for all states.
    pub(super) fn context(&self) -> Value {
        let execution = &self.execution;
        let live = execution.live();
        let mut started = json!({
            "Id": execution.arn,
            "Input": execution.input,
            "Name": execution.name,
            "RoleArn": execution.machine.role_arn,
            "StartTime": iso(execution.started),
            "RedriveCount": live.redrives,
        });
        if let Some(redriven) = live.redriven {
            put(&mut started, "RedriveTime", json!(iso(redriven)));
        }
        let machine = json!({ "Id": execution.machine.arn, "Name": execution.machine.name });
        json!({ "Execution": started, "StateMachine": machine })
    }
}
