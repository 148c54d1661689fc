//! Planned faults of messages. Standard queues promise "at least once" and an order that is "best effort"; these faults
//! use what that leaves open. No message is ever lost.
//!
//! Source: Amazon SQS developer guide, "standard queues": a server that cannot be reached when a message is deleted keeps
//! its copy, and the same message is received again later.

use serde::{Deserialize, Serialize};

use crate::{
    env::Env,
    faults::{Tally, When, fits},
};

/// Messages that do not come once, at once and in order. Only messages that are sent are struck, not those that SQS moves
/// between a queue and its dead-letter queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageFault {
    /// What happens to them.
    pub kind: MessageFaultKind,
    /// Which queues, by name: `*` stands for any run of characters, `?` for one; every queue without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Which of the messages into these queues.
    #[serde(default)]
    pub when: When,
    /// The most messages that the rule strikes; no limit without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MessageFaultKind {
    /// The same message, with the same id, can be received a second time, whether or not it was deleted the first time.
    Duplicated {
        /// How long after the first copy the second one can be received.
        seconds: u32,
    },
    /// It can be received only so much later.
    Delayed {
        /// The delay, on top of the message's own.
        seconds: u32,
    },
    /// It is held back until others have come, and goes behind them.
    Reordered {
        /// How many messages go before it.
        behind: u32,
        /// How long it is held back at most.
        seconds: u32,
    },
}

impl MessageFault {
    /// A rule that strikes every message into every queue.
    #[must_use]
    pub fn new(kind: MessageFaultKind) -> Self {
        Self { kind, queue: None, when: When::Always, limit: None }
    }
}

/// What becomes of one message. Times are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) delay: i64,
    /// The delay of each further copy, on top of that of the first.
    pub(crate) copies: Vec<i64>,
    /// Behind how many, and for how long at most.
    pub(crate) held: Option<(u32, i64)>,
}

/// The rules in force.
#[derive(Default)]
pub(crate) struct Faults {
    rules: Vec<(MessageFault, Tally)>,
}

impl Faults {
    pub(crate) fn new(rules: Vec<MessageFault>) -> Self {
        Self { rules: rules.into_iter().map(|rule| (rule, Tally::default())).collect() }
    }

    /// Counts a message into the queue of that name and decides what becomes of it.
    pub(crate) fn fate(&mut self, queue: &str, env: &Env) -> Fate {
        let mut fate = Fate::default();
        for (place, (rule, tally)) in self.rules.iter_mut().enumerate() {
            let about = fits(rule.queue.as_deref(), queue);
            if !about || !tally.meet(rule.when, rule.limit, &env.ids, &format!("message {place}")) {
                continue;
            }
            tally.strike();
            env.gate.struck("messages", place);
            match rule.kind {
                MessageFaultKind::Duplicated { seconds } => fate.copies.push(i64::from(seconds)),
                MessageFaultKind::Delayed { seconds } => fate.delay += i64::from(seconds),
                MessageFaultKind::Reordered { behind, seconds } => fate.held = Some((behind, i64::from(seconds))),
            }
        }
        fate
    }
}
