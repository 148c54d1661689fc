//! The gate that every call passes: it keeps a record of the call and answers some calls with a planned fault.

mod faults;
pub(crate) mod standing;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use levee_clock::Clock;
use serde::Serialize;
use tokio::sync::watch;

use self::faults::Strike;
pub use self::faults::{CallFault, FaultAnswer};
pub use crate::faults::{FaultPlan, When};
use crate::{
    env::{Call, Gate, Ids},
    faults::Tally,
    service::{Principal, ServiceError},
};

/// How many calls the record keeps; older ones are forgotten, [`CallGate::count`] still counts them.
pub const RECORD_LIMIT: usize = 200_000;

/// One call as it was recorded, before it had any effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordedCall {
    /// When the call came, by the twin's clock.
    pub time: Timestamp,
    /// The service's signing name: `s3`, `sqs`, `states`, `events`, `sns`, `s3control`.
    pub service: String,
    /// The operation, for example `PutObject`.
    pub operation: String,
    /// The caller's account.
    pub account: String,
    /// The caller's principal: `root`, a role's ARN, or a service's name.
    pub principal: String,
    /// The ARN, URL or name of what is acted on; empty where the call names nothing.
    pub resource: String,
    /// The code of the planned fault that kept the call from its effect; `Death` when the caller died before it. Errors of
    /// the services themselves are not here.
    pub refused: Option<String>,
}

/// The twin's gate.
pub struct CallGate {
    clock: Clock,
    ids: Ids,
    state: Mutex<State>,
    count: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    calls: VecDeque<RecordedCall>,
    plan: FaultPlan,
    /// One for each rule of the plan about calls.
    tallies: Vec<Tally>,
    /// How often the rules of the plan have struck, by their list and their place in it.
    struck: BTreeMap<(&'static str, usize), u64>,
}

impl CallGate {
    pub(crate) fn new(clock: Clock, ids: Ids) -> Self {
        Self { clock, ids, state: Mutex::default(), count: watch::Sender::new(0) }
    }

    /// The recorded calls, oldest first; at most the last [`RECORD_LIMIT`].
    #[must_use]
    pub fn calls(&self) -> Vec<RecordedCall> {
        self.state().calls.iter().cloned().collect()
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
    fn admit(&self, call: &Call<'_>) -> Result<(), ServiceError> {
        let mut state = self.state();
        let State { calls, plan, tallies, struck } = &mut *state;
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
        if calls.len() >= RECORD_LIMIT {
            calls.pop_front();
        }
        calls.push_back(RecordedCall {
            time: self.clock.now(),
            service: call.service.to_owned(),
            operation: call.operation.to_owned(),
            account: call.caller.account.clone(),
            principal: principal(&call.caller.principal),
            resource: call.resource.to_owned(),
            refused: fault.as_ref().map(|error| error.code.clone()),
        });
        drop(state);
        self.count.send_modify(|count| *count += 1);
        fault.map_or(Ok(()), Err)
    }

    fn struck(&self, list: &'static str, rule: usize) {
        *self.state().struck.entry((list, rule)).or_insert(0) += 1;
    }
}

fn principal(principal: &Principal) -> String {
    match principal {
        Principal::Root => "root".to_owned(),
        Principal::Role(name) | Principal::Service(name) => name.clone(),
    }
}
