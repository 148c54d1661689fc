//! The body of a task's message.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Execution, State};

/// The version of the message body that this runtime speaks.
pub(crate) const VERSION: u64 = 1;

/// What the state machine sends for each task:
/// `{"version":1,"task_token":…,"execution":{…},"state":{…},"input":{…}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Always 1.
    pub version: u64,
    /// The token that answers the task.
    pub task_token: String,
    /// `$$.Execution` of the context object.
    pub execution: Execution,
    /// `$$.State` of the context object.
    pub state: State,
    /// The state's input: the run's state so far.
    pub input: Value,
    /// Only in successors that the runtime sends itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
}

/// What a successor remembers of the messages before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// When the first message of the token was received that its stage was given.
    pub first_received: Timestamp,
    /// How often the stage has answered `NotYet`.
    pub count: u32,
    /// When the stage is due to run again; until then the message is only passed on.
    pub due: Timestamp,
    /// The memo of the last `NotYet`.
    #[serde(default)]
    pub memo: Value,
    /// Whether the stage was given the task before; not when the message only waited for a place at a worker.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub begun: bool,
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

/// Why a body is not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not JSON, or not of the message's shape.
    #[error("the body is not a task message: {0}")]
    Unparsable(String),
    /// Of a version that this runtime does not know.
    #[error("the body is of version {0}, this worker knows version 1 only: run a worker of the release that sent it")]
    UnknownVersion(String),
}

impl Message {
    /// Reads a body.
    ///
    /// # Errors
    /// See [`MessageError`].
    pub fn parse(body: &str) -> Result<Self, MessageError> {
        let value: Value = serde_json::from_str(body).map_err(|error| MessageError::Unparsable(error.to_string()))?;
        match value.get("version") {
            Some(version) if version.as_u64() == Some(VERSION) => {}
            Some(version) => return Err(MessageError::UnknownVersion(version.to_string())),
            None => return Err(MessageError::Unparsable("there is no `version`".to_owned())),
        }
        let message: Self = serde_path_to_error::deserialize(value)
            .map_err(|error| MessageError::Unparsable(format!("at `{}`: {}", error.path(), error.inner())))?;
        if message.task_token.is_empty() {
            return Err(MessageError::Unparsable("`task_token` is empty".to_owned()));
        }
        Ok(message)
    }
}
