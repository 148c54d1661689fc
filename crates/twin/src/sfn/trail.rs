//! What a history says of each state: how often it was entered, tried, redriven, and how it stands.

use serde::Serialize;
use serde_json::Value;

use super::execution::{Live, Status};
use super::history::Event;

/// The way that an execution has gone.
pub(crate) struct Trail {
    states: Vec<StateTrail>,
    steps: Vec<(String, String, u64)>,
    /// For each event the place of its state in `states`.
    places: Vec<Option<usize>>,
}

/// One state of it.
#[derive(Debug, Serialize)]
pub(crate) struct StateTrail {
    pub(crate) name: String,
    /// `running`, `done`, `failed`, or `aborted`.
    pub(crate) status: &'static str,
    /// How often it was entered.
    entered: u64,
    /// How often it was tried again by its `Retry`.
    retries: u64,
    /// How often a redrive went on from it.
    redrives: u64,
    /// The error of the last try that failed.
    error: Option<String>,
    cause: Option<String>,
    #[serde(skip)]
    open: u64,
    #[serde(skip)]
    tries: u64,
    #[serde(skip)]
    failed_once: bool,
}

impl Trail {
    pub(super) fn of(live: &Live) -> Self {
        let mut trail = Self { states: Vec::new(), steps: Vec::new(), places: Vec::new() };
        for event in &live.history {
            trail.follow(event);
        }
        let ended = match live.status {
            Status::Running | Status::Succeeded => None,
            Status::Aborted => Some("aborted"),
            Status::Failed | Status::TimedOut => Some("failed"),
        };
        for state in trail.states.iter_mut().filter(|state| state.open > 0) {
            state.status = ended.unwrap_or("running");
        }
        trail
    }

    /// The states that were entered and not left.
    pub(super) fn open(&self) -> impl Iterator<Item = &str> {
        self.states.iter().filter(|state| state.open > 0).map(|state| state.name.as_str())
    }

    /// The state that the event at this place of the history is about.
    pub(super) fn state_of(&self, index: usize) -> Option<&str> {
        let place = (*self.places.get(index)?)?;
        self.states.get(place).map(|state| state.name.as_str())
    }

    pub(super) fn into_parts(self) -> (Vec<StateTrail>, Vec<(String, String, u64)>) {
        (self.states, self.steps)
    }

    fn follow(&mut self, event: &Event) {
        let before = usize::try_from(event.previous).ok().and_then(|id| id.checked_sub(1));
        let before = before.and_then(|index| self.places.get(index).copied().flatten());
        let place = if event.kind.ends_with("StateEntered") {
            self.enter(event, before)
        } else if event.kind.starts_with("Execution") {
            self.turn(event);
            None
        } else {
            // After a redrive the line of events goes on from the redrive, which is of no state.
            before.or_else(|| self.states.iter().rposition(|state| state.open > 0))
        };
        if let Some(state) = place.and_then(|place| self.states.get_mut(place)) {
            state.note(event);
        }
        self.places.push(place);
    }

    fn enter(&mut self, event: &Event, before: Option<usize>) -> Option<usize> {
        let name = event.details.get("name").and_then(Value::as_str)?.to_owned();
        if let Some(from) = before.and_then(|place| self.states.get(place)).map(|state| state.name.clone()) {
            match self.steps.iter_mut().find(|(a, b, _)| *a == from && *b == name) {
                Some((_, _, count)) => *count += 1,
                None => self.steps.push((from, name.clone(), 1)),
            }
        }
        // A state that its Catch left has no event of its exit.
        if let Some(left) = before.and_then(|place| self.states.get_mut(place)) {
            left.open = left.open.saturating_sub(u64::from(left.failed_once && left.open > 0));
        }
        if let Some(place) = self.states.iter().position(|state| state.name == name) {
            return Some(place);
        }
        self.states.push(StateTrail::new(name));
        Some(self.states.len() - 1)
    }

    /// A redrive tries again the states that were open.
    fn turn(&mut self, event: &Event) {
        if event.kind == "ExecutionRedriven" {
            for state in self.states.iter_mut().filter(|state| state.open > 0) {
                state.redrives += 1;
                state.tries = 0;
                state.failed_once = false;
            }
        }
    }
}

impl StateTrail {
    fn new(name: String) -> Self {
        Self {
            name,
            status: "running",
            entered: 0,
            retries: 0,
            redrives: 0,
            error: None,
            cause: None,
            open: 0,
            tries: 0,
            failed_once: false,
        }
    }

    fn note(&mut self, event: &Event) {
        let text = |member: &str| event.details.get(member).and_then(Value::as_str).map(str::to_owned);
        match event.kind.as_str() {
            kind if kind.ends_with("StateEntered") => {
                self.entered += 1;
                self.open += 1;
                self.tries = 0;
                self.failed_once = false;
                self.status = "running";
            }
            kind if kind.ends_with("StateExited") => {
                self.open = self.open.saturating_sub(1);
                self.failed_once = false;
                self.status = "done";
            }
            "TaskScheduled" => {
                self.retries += u64::from(self.tries > 0);
                self.tries += 1;
            }
            "TaskFailed" | "TaskTimedOut" | "TaskSubmitFailed" | "TaskStartFailed" => {
                self.failed_once = true;
                self.error = text("error");
                self.cause = text("cause");
                self.status = "failed";
            }
            _ => {}
        }
    }
}
