//! State machine definitions, as far as the twin models them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::choice::Rule;
use super::path::Path;
use super::retry::Recovery;
use super::template::{Expression, Template};

/// A definition that passed every check.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) block: Block,
    /// `TimeoutSeconds` of the whole execution.
    pub(super) timeout: Option<u64>,
}

/// States with a beginning: the machine itself, a branch, an iteration.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) start_at: String,
    pub(super) states: BTreeMap<String, State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) data: Data,
    /// Where to go; `None` ends the block.
    pub(super) next: Option<String>,
    pub(super) recovery: Recovery,
}

/// What a state does with its input and result.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) input: Pick,
    pub(super) parameters: Option<Template>,
    pub(super) selector: Option<Template>,
    pub(super) result: Pick,
    pub(super) output: Pick,
}

/// A path, or `null`.
#[derive(Debug)]
pub(super) enum Pick {
    Nothing,
    Path(Path),
}

#[derive(Debug)]
pub(super) enum Kind {
    Pass { result: Option<Value> },
    Task(Task),
    Choice { rules: Vec<(Rule, String)>, default: Option<String> },
    Wait(Until),
    Succeed,
    Fail { error: Option<Text>, cause: Option<Text> },
    Parallel { branches: Vec<Block> },
    Map(Map),
}

#[derive(Debug)]
pub(super) struct Task {
    pub(super) target: Target,
    /// `.waitForTaskToken`
    pub(super) wait: bool,
    pub(super) timeout: Option<Number>,
    pub(super) heartbeat: Option<Number>,
}

/// The service integrations that the twin has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    SqsSendMessage,
    SnsPublish,
    EventsPutEvents,
}

#[derive(Debug)]
pub(super) struct Map {
    pub(super) items: Option<Path>,
    pub(super) selector: Option<Template>,
    pub(super) block: Block,
    pub(super) concurrency: Option<Number>,
}

/// A number of the definition or of the input.
#[derive(Debug)]
pub(super) enum Number {
    Fixed(u64),
    Path(Path),
}

/// The error or cause of a `Fail` state.
#[derive(Debug)]
pub(super) enum Text {
    Fixed(String),
    /// With the field's name.
    From(Expression, &'static str),
}

#[derive(Debug)]
pub(super) enum Until {
    Seconds(Number),
    Timestamp(Timestamp),
    TimestampPath(Path),
}

impl Kind {
    /// The state's type as it begins the names of its events.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "Pass",
            Self::Task(_) => "Task",
            Self::Choice { .. } => "Choice",
            Self::Wait(_) => "Wait",
            Self::Succeed => "Succeed",
            Self::Fail { .. } => "Fail",
            Self::Parallel { .. } => "Parallel",
            Self::Map(_) => "Map",
        }
    }
}

impl Target {
    /// The service and the action as they stand in the resource and in events.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::SqsSendMessage => ("sqs", "sendMessage"),
            Self::SnsPublish => ("sns", "publish"),
            Self::EventsPutEvents => ("events", "putEvents"),
        }
    }
}
