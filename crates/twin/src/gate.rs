//! The gate that every call passes: it keeps a record of the call and answers some calls with a planned fault.

mod call;
mod faults;
mod filter;
mod name;
mod record;
pub(crate) mod standing;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use levee_clock::Clock;
use tokio::sync::watch;

pub use self::{
    call::{CallCount, Outcome, RecordedCall},
    faults::{CallFault, FaultAnswer},
    filter::{CallFilter, OutcomeFilter},
    name::Name,
};
use self::{
    faults::Strike,
    record::{Place, Record},
};
pub use crate::faults::{FaultPlan, When};
use crate::{
    env::{Call, Gate, Ids},
    faults::Tally,
    needs::Need,
    service::ServiceError,
};

/// How many calls the record keeps unless told otherwise; older ones are forgotten, and still counted.
pub const RECORD_LIMIT: usize = 200_000;

/// A call that the gate has let through and whose outcome it waits for.
#[must_use = "the record waits for the call's outcome"]
pub struct Admission(Option<Place>);

/// The twin's gate.
pub struct CallGate {
    clock: Clock,
    ids: Ids,
    state: Mutex<State>,
    count: watch::Sender<u64>,
}

struct State {
    record: Record,
    plan: FaultPlan,
    /// One for each rule of the plan about calls.
    tallies: Vec<Tally>,
    /// How often the rules of the plan have struck, by their list and their place in it.
    struck: BTreeMap<(&'static str, usize), u64>,
}

impl Admission {
    /// The admission of a gate without a record.
    pub(crate) const UNRECORDED: Self = Self(None);
}

impl CallGate {
    pub(crate) fn new(clock: Clock, ids: Ids, record_limit: usize) -> Self {
        let state = State {
            record: Record::new(record_limit),
            plan: FaultPlan::default(),
            tallies: Vec::new(),
            struck: BTreeMap::new(),
        };
        Self { clock, ids, state: Mutex::new(state), count: watch::Sender::new(0) }
    }

    /// The recorded calls, oldest first; at most as many as the record keeps.
    #[must_use]
    pub fn calls(&self) -> Vec<RecordedCall> {
        self.state().record.after(0).collect()
    }

    /// The recorded calls that the filter takes, oldest first.
    #[must_use]
    pub fn calls_where(&self, filter: &CallFilter) -> Vec<RecordedCall> {
        let state = self.state();
        let found = state.record.after(filter.after).filter(|call| filter.takes(call));
        found.take(filter.limit.unwrap_or(usize::MAX)).collect()
    }

    /// The last `limit` recorded calls that were answered with an error, latest first.
    pub(crate) fn failures(&self, limit: usize) -> Vec<RecordedCall> {
        self.state().record.failures().take(limit).collect()
    }

    /// How many calls there have been of each kind with each outcome since the twin was built, also of those that the
    /// record has forgotten; ordered by service, operation, account, principal and outcome.
    #[must_use]
    pub fn call_counts(&self) -> Vec<CallCount> {
        self.state().record.counts()
    }

    /// How many calls have been made since the twin was built.
    #[must_use]
    pub fn count(&self) -> u64 {
        *self.count.borrow()
    }

    /// Waits until `count` calls have been made since the twin was built.
    pub async fn reached(&self, count: u64) {
        let mut watcher = self.count.subscribe();
        // The sender lives as long as `self`.
        let _ = watcher.wait_for(|made| *made >= count).await;
    }

    /// The plan in force.
    #[must_use]
    pub fn faults(&self) -> FaultPlan {
        self.state().plan.clone()
    }

    /// Puts another plan in force. Counts start again.
    pub(crate) fn set_faults(&self, plan: FaultPlan) {
        let mut state = self.state();
        state.tallies = vec![Tally::default(); plan.calls.len()];
        state.struck.clear();
        state.plan = plan;
    }

    /// How often each rule of the plan in force has struck, by its place in the plan (`calls[0]`); rules that have not are
    /// absent.
    #[must_use]
    pub fn struck(&self) -> BTreeMap<String, u64> {
        self.state().struck.iter().map(|((list, rule), times)| (format!("{list}[{rule}]"), *times)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for CallGate {
    fn admit(&self, call: &Call<'_>) -> Result<Admission, ServiceError> {
        let mut state = self.state();
        let State { record, plan, tallies, struck } = &mut *state;
        let strike = faults::strike(&plan.calls, call, tallies, &self.ids);
        if let Some((rule, _)) = strike {
            *struck.entry(("calls", rule)).or_insert(0) += 1;
        }
        let fault = match strike.map(|(_, strike)| strike) {
            None => None,
            Some(Strike::Answer(error)) => Some(error),
            Some(Strike::DeathAfter) => {
                standing::die();
                None
            }
            Some(Strike::Death) => {
                standing::die();
                // Nobody reads it: it only keeps the call from its effect.
                Some(ServiceError::client("Death", "the caller died, as the plan of faults says"))
            }
        };
        let place = record.add(call, self.clock.now());
        if let Some(error) = &fault {
            record.end(place, outcome(&error.code, error.status, true));
        }
        drop(state);
        self.count.send_modify(|count| *count += 1);
        fault.map_or(Ok(Admission(Some(place))), Err)
    }

    fn need(&self, admission: &Admission, need: Need) {
        if let Some(place) = admission.0 {
            self.state().record.need(place, need);
        }
    }

    fn conclude(&self, admission: Admission, error: Option<(&str, u16)>) {
        if let Some(place) = admission.0 {
            let outcome = error.map_or(Outcome::Ok, |(code, status)| outcome(code, status, false));
            self.state().record.end(place, outcome);
        }
    }

    fn refused(&self, call: &Call<'_>, code: &str, status: u16) {
        let mut state = self.state();
        let place = state.record.add(call, self.clock.now());
        state.record.end(place, outcome(code, status, false));
        drop(state);
        self.count.send_modify(|count| *count += 1);
    }

    fn struck(&self, list: &'static str, rule: usize) {
        *self.state().struck.entry((list, rule)).or_insert(0) += 1;
    }
}

fn outcome(code: &str, status: u16, planned: bool) -> Outcome {
    Outcome::Error { code: code.into(), status, planned }
}
