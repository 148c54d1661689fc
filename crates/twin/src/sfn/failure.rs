//! How a state fails: the error name and cause that `Retry`, `Catch` and the execution's end see.

use serde_json::{Value, json};

/// The error name of everything that no `Retry` or `Catch` may handle.
pub(super) const RUNTIME: &str = "States.Runtime";
/// The error name of task and execution timeouts; AWS reports missed heartbeats by this name too.
pub(super) const TIMEOUT: &str = "States.Timeout";
/// The error name of data above 256 KiB.
pub(super) const DATA_LIMIT: &str = "States.DataLimitExceeded";

/// A failure of a state, or of the execution as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The error name; `SendTaskFailure` and `Fail` may leave it out.
    pub(super) error: Option<String>,
    /// The cause, for people.
    pub(super) cause: Option<String>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// May be retried and caught.
    Ordinary,
    /// A missed heartbeat: named `States.Timeout`, and matched by `States.HeartbeatTimeout` too.
    Heartbeat,
    /// Ends the execution whatever the definition says.
    Fatal,
    /// The execution was ended by somebody else; nothing more is written.
    Gone,
}

impl Failure {
    pub(super) fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::reported(Some(error.into()), Some(cause.into()))
    }

    /// A failure as a worker or a `Fail` state reports it.
    pub(super) fn reported(error: Option<String>, cause: Option<String>) -> Self {
        Self { error, cause, kind: Kind::Ordinary }
    }

    pub(super) fn timeout() -> Self {
        Self::reported(Some(TIMEOUT.into()), None)
    }

    pub(super) fn heartbeat() -> Self {
        Self { kind: Kind::Heartbeat, ..Self::timeout() }
    }

    /// `States.Runtime`: ends the execution.
    pub(super) fn runtime(cause: impl Into<String>) -> Self {
        Self { kind: Kind::Fatal, ..Self::new(RUNTIME, cause) }
    }

    /// The execution is no longer this run's to write to.
    pub(super) fn gone() -> Self {
        Self { error: None, cause: None, kind: Kind::Gone }
    }

    pub(super) fn is_fatal(&self) -> bool {
        matches!(self.kind, Kind::Fatal | Kind::Gone)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.kind == Kind::Gone
    }

    pub(super) fn is_timeout(&self) -> bool {
        self.error.as_deref() == Some(TIMEOUT)
    }

    /// Puts the sentence that AWS begins with before the cause, as the state that fails is known only further out.
    pub(super) fn within(mut self, state: &str, entered: u64) -> Self {
        if self.kind != Kind::Gone {
            let cause = self.cause.take().unwrap_or_default();
            self.cause = Some(format!(
                "An error occurred while executing the state '{state}' (entered at the event id #{entered}). {cause}"
            ));
        }
        self
    }

    /// Whether a name in `ErrorEquals` stands for this failure.
    pub(super) fn matches(&self, name: &str) -> bool {
        let error = self.error.as_deref();
        match name {
            _ if self.is_fatal() => false,
            "States.ALL" => error != Some(DATA_LIMIT),
            "States.TaskFailed" => !self.is_timeout() && error != Some(DATA_LIMIT),
            "States.HeartbeatTimeout" if self.kind == Kind::Heartbeat => true,
            _ => error == Some(name),
        }
    }

    /// The error output that a catcher's state gets.
    pub(super) fn output(&self) -> Value {
        json!({ "Error": self.error, "Cause": self.cause })
    }
}
