//! Task states: one attempt, from `TaskScheduled` to its result.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Step, flow};
use crate::sfn::definition::{Number, Task};
use crate::sfn::failure::Failure;
use crate::sfn::history::{details, put};
use crate::sfn::integration;
use crate::sfn::path::Scope;
use crate::sfn::tokens::{Report, Ticket};

/// How long an attempt may take.
struct Limits {
    timeout: Option<u64>,
    heartbeat: Option<u64>,
}

/// When an attempt is given up.
struct Deadlines {
    end: Option<Instant>,
    heartbeat: Option<Duration>,
    beat: Instant,
}

impl Step<'_> {
    /// One attempt of a task; the state's output.
    pub(super) async fn task(&self, task: &Task, retries: u64) -> Result<Value, Failure> {
        let mut ticket = task.wait.then(|| self.open_ticket());
        let context = self.context(Some(retries), ticket.as_ref().map(Ticket::token));
        let limits = self.limits(task, &context)?;
        let parameters = self.fits(self.effective_input(&context)?)?;
        self.scheduled(task, &parameters, &limits)?;
        let start = Instant::now();
        let end = limits.timeout.map(|seconds| start + Duration::from_secs(seconds));
        let heartbeat = limits.heartbeat.map(Duration::from_secs);
        let mut deadlines = Deadlines { end, heartbeat, beat: start };
        let call = integration::call(self.run, task.target, parameters);
        let called = tokio::select! {
            biased;
            called = call => called,
            () = deadlines.pass() => Err(deadlines.failure()),
        };
        let result = match (called, &mut ticket) {
            (Ok(answer), Some(ticket)) => {
                self.report(task, "TaskSubmitted", json!({ "output": answer.to_string() }))?;
                self.answer(ticket, &mut deadlines).await
            }
            (called, _) => called,
        };
        let resource = format!("arn:aws:states:::{}", resource(task));
        let result = result.and_then(|result| flow::within_limit(result, &resource));
        match result {
            Ok(result) => {
                self.report(task, "TaskSucceeded", json!({ "output": result.to_string() }))?;
                self.output(result, &context)
            }
            Err(failure) => {
                let kind = if failure.is_timeout() { "TaskTimedOut" } else { "TaskFailed" };
                self.report(task, kind, json!({ "error": failure.error, "cause": failure.cause }))?;
                Err(failure)
            }
        }
    }

    /// A new token, which workers of the execution's account may use while this run lasts.
    fn open_ticket(&self) -> Ticket {
        let (shared, execution) = (&self.run.shared, &self.run.execution);
        let token = format!("AQC{}", shared.env.ids.alphanumeric(253));
        let over = execution.live().cancel.clone();
        shared.tokens.open(token, &execution.account, over)
    }

    fn limits(&self, task: &Task, context: &Value) -> Result<Limits, Failure> {
        let input = self.picked_input(context)?;
        let scope = Scope { input: &input, context };
        let number = |number: &Option<Number>, field: &str| match number {
            None => Ok(None),
            Some(Number::Fixed(seconds)) => Ok(Some(*seconds)),
            Some(Number::Path(path)) => self.seconds(path, field, scope).map(Some),
        };
        let timeout = number(&task.timeout, "TimeoutSecondsPath")?;
        let heartbeat = number(&task.heartbeat, "HeartbeatSecondsPath")?;
        Ok(Limits { timeout, heartbeat })
    }

    fn scheduled(&self, task: &Task, parameters: &Value, limits: &Limits) -> Result<(), Failure> {
        let scheduled = json!({
            "region": self.run.execution.region,
            "parameters": parameters.to_string(),
            "timeoutInSeconds": limits.timeout,
            "heartbeatInSeconds": limits.heartbeat,
        });
        self.report(task, "TaskScheduled", scheduled)?;
        self.report(task, "TaskStarted", json!({}))
    }

    /// Adds an event about the task.
    fn report(&self, task: &Task, kind: &str, mut members: Value) -> Result<(), Failure> {
        let (service, action) = task.target.names();
        put(&mut members, "resourceType", json!(service));
        put(
            &mut members,
            "resource",
            json!(if task.wait { format!("{action}.waitForTaskToken") } else { action.to_owned() }),
        );
        self.emit(kind, details(members))
    }

    /// Waits for what the worker says.
    async fn answer(&self, ticket: &mut Ticket, deadlines: &mut Deadlines) -> Result<Value, Failure> {
        loop {
            let report = tokio::select! {
                biased;
                report = ticket.next() => report,
                () = deadlines.pass() => match ticket.close() {
                    Some(report @ (Report::Success(_) | Report::Failure { .. })) => report,
                    _ => return Err(deadlines.failure()),
                },
            };
            match report {
                Report::Heartbeat => deadlines.beat = Instant::now(),
                Report::Success(output) => {
                    return serde_json::from_str(&output).map_err(|error| Failure::runtime(error.to_string()));
                }
                Report::Failure { error, cause } => return Err(Failure::reported(error, cause)),
            }
        }
    }
}

fn resource(task: &Task) -> String {
    let (service, action) = task.target.names();
    format!("{service}:{action}{}", if task.wait { ".waitForTaskToken" } else { "" })
}

impl Deadlines {
    fn missed_beat(&self) -> Option<Instant> {
        self.heartbeat.map(|heartbeat| self.beat + heartbeat)
    }

    /// Returns when the first of the deadlines has passed.
    async fn pass(&self) {
        match self.end.into_iter().chain(self.missed_beat()).min() {
            Some(when) => tokio::time::sleep_until(when).await,
            None => std::future::pending().await,
        }
    }

    /// The failure of the deadline that has passed.
    fn failure(&self) -> Failure {
        let ended = self.end.is_some_and(|end| self.missed_beat().is_none_or(|beat| end <= beat));
        if ended { Failure::timeout() } else { Failure::heartbeat() }
    }
}
