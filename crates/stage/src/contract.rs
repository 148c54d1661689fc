//! The contract between a stage and the runtime that hosts it.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use levee_clock::Clock;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// One stage of a run: the work behind one Task state and one queue.
///
/// Doing a stage twice must have the effect of doing it once: queues deliver at least once and operators redrive.
pub trait Stage: Send + Sync + 'static {
    /// The stage's name as in its queue `levee-<name>`, for example `job-submit`.
    const NAME: &'static str;
    /// The part of the state that the stage reads. Unknown fields of the state are ignored.
    type Input: DeserializeOwned + Send;
    /// The one object that the stage adds to the state.
    type Output: Serialize + Send;

    /// Does the work, or says when to look again.
    ///
    /// # Errors
    /// A transient error is tried again in place and then left to the state machine's `Retry`; a permanent one fails the
    /// task at once.
    fn run(
        &self,
        context: &Context,
        input: Self::Input,
    ) -> impl Future<Output = Result<Progress<Self::Output>, StageError>> + Send;
}

/// What a stage answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress<T> {
    /// The stage is done; the value goes into the state.
    Done(T),
    /// The work waits for something outside. The runtime keeps the task alive and runs the stage again after the time.
    NotYet {
        /// How long to wait; the runtime may come back earlier, in steps that keep the task's heartbeat.
        after: Duration,
        /// Handed back as [`Context::memo`] when the stage runs again; small (well below 1 KiB).
        memo: Value,
    },
}

/// Who asks for the work, and what the runtime knows of the task.
#[derive(Clone, Debug)]
pub struct Context {
    /// The execution that the task belongs to.
    pub execution: Execution,
    /// The state that the task belongs to.
    pub state: State,
    /// When the first message of this task token was received that the stage was given. Limits on waiting count from here,
    /// because a redrive schedules the task anew without entering the state again, and a message may have waited for a place.
    pub first_received: Timestamp,
    /// How often this task has answered [`Progress::NotYet`].
    pub waits: u32,
    /// The memo of the last [`Progress::NotYet`]; `Null` at first.
    pub memo: Value,
    /// The time.
    pub clock: Clock,
}

/// The `Execution` part of the Step Functions context object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Execution {
    /// The execution's ARN.
    pub id: String,
    /// The execution's name.
    pub name: String,
    /// When it started.
    pub start_time: Timestamp,
    /// How often it was redriven.
    #[serde(default)]
    pub redrive_count: u32,
}

/// The `State` part of the Step Functions context object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct State {
    /// The state's name, for example `JobSubmit`.
    pub name: String,
    /// When it was entered.
    pub entered_time: Timestamp,
    /// How often its `Retry` has tried again.
    #[serde(default)]
    pub retry_count: u32,
}

/// Whether trying again, unchanged, may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Throttling, time-outs, 5xx: the runtime tries again.
    Transient,
    /// Needs somebody to change something first.
    Permanent,
}

/// Why a stage could not do its work. It becomes the error and cause of SendTaskFailure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageError {
    /// The name that the state machine can match, with the prefix: `Levee.ManifestOverdue`.
    pub name: &'static str,
    /// Whether trying again may help.
    pub kind: ErrorKind,
    /// What happened, to what, and what to do next; for the operator.
    pub cause: String,
}

impl StageError {
    /// The name of an AWS service that stayed unreachable or kept throttling; the state machine retries it.
    pub const AWS_UNAVAILABLE: &'static str = "Levee.AwsUnavailable";
    /// The name of an AWS call that was refused for a reason that trying again does not change.
    pub const AWS_REFUSED: &'static str = "Levee.AwsRefused";
    /// The name of an input that a stage cannot work with.
    pub const INPUT_INVALID: &'static str = "Levee.InputInvalid";
    /// The name of an output that Step Functions does not take: a fault of the worker.
    pub const OUTPUT_INVALID: &'static str = "Levee.OutputInvalid";
    /// The name of a stage that broke off with a panic: a fault of the worker; the state machine may try again.
    pub const STAGE_PANICKED: &'static str = "Levee.StagePanicked";

    /// An error that needs somebody to change something.
    pub fn permanent(name: &'static str, cause: impl Into<String>) -> Self {
        Self { name, kind: ErrorKind::Permanent, cause: cause.into() }
    }

    /// An error that may pass.
    pub fn transient(name: &'static str, cause: impl Into<String>) -> Self {
        Self { name, kind: ErrorKind::Transient, cause: cause.into() }
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.cause)
    }
}

impl std::error::Error for StageError {}
