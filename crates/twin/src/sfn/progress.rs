//! How far an execution has come, as data: what a redrive goes on from.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

/// The progress of one run of a block of states. Survives the task that interprets it.
#[derive(Debug, Default)]
pub(super) struct Node(Mutex<Progress>);

#[derive(Debug, Default)]
struct Progress {
    /// The number of the run that last worked on the node.
    run: u64,
    /// The id of the latest event in this line of events.
    last: u64,
    at: Option<At>,
    done: Option<Value>,
}

/// Where a block stands.
#[derive(Clone, Debug)]
pub(super) struct At {
    /// The state's name.
    pub(super) state: String,
    pub(super) input: Value,
    /// Time and id of the state's `Entered` event.
    pub(super) entered: Option<(Timestamp, u64)>,
    /// Branches or iterations of the current attempt of a Parallel or Map state.
    pub(super) children: Vec<Arc<Node>>,
}

impl Node {
    /// Puts the block at its start, unless it is further already.
    pub(super) fn begin(&self, start: &str, input: Value) {
        let mut progress = self.lock();
        if progress.at.is_none() && progress.done.is_none() {
            progress.at = Some(At { state: start.to_owned(), input, entered: None, children: Vec::new() });
        }
    }

    /// The first time that a later run meets the node, its line of events goes on from `event`.
    pub(super) fn resume(&self, run: u64, event: u64) -> bool {
        let mut progress = self.lock();
        if progress.run == run {
            return false;
        }
        progress.run = run;
        progress.last = event;
        true
    }

    /// Marks a new node as made by `run`, with `event` as the one before its first.
    pub(super) fn child_of(run: u64, event: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Progress { run, last: event, ..Progress::default() })))
    }

    pub(super) fn at(&self) -> Option<At> {
        self.lock().at.clone()
    }

    pub(super) fn done(&self) -> Option<Value> {
        self.lock().done.clone()
    }

    pub(super) fn has_begun(&self) -> bool {
        self.lock().at.is_some()
    }

    pub(super) fn last(&self) -> u64 {
        self.lock().last
    }

    pub(super) fn set_last(&self, event: u64) {
        self.lock().last = event;
    }

    pub(super) fn enter(&self, entered: Option<(Timestamp, u64)>) {
        if let Some(at) = &mut self.lock().at {
            at.entered = entered;
        }
    }

    pub(super) fn set_children(&self, children: Vec<Arc<Self>>) {
        if let Some(at) = &mut self.lock().at {
            at.children = children;
        }
    }

    /// Goes to the next state, or ends the block with `output`.
    pub(super) fn move_on(&self, next: Option<String>, output: Value) {
        let mut progress = self.lock();
        match next {
            Some(state) => progress.at = Some(At { state, input: output, entered: None, children: Vec::new() }),
            None => {
                progress.at = None;
                progress.done = Some(output);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
