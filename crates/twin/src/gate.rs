//! The gate that every call passes: it keeps a record of the call and answers some calls with a planned fault.

mod faults;

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use levee_clock::Clock;
use serde::Serialize;
use tokio::sync::watch;

pub use self::faults::{CallFault, FaultAnswer, FaultPlan, When};
use crate::{
    env::{Call, Gate, Ids},
    service::{Principal, ServiceError},
};

/// How many calls the record keeps; older ones are forgotten, [`CallGate::count`] still counts them.
pub const RECORD_LIMIT: usize = 200_000;

/// One call as it was recorded, before it had any effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordedCall {
    /// When the call came, by the twin's clock.
    pub time: Timestamp,
    /// The service's signing name: `s3`, `sqs`, `states`, `events`, `scheduler`, `sns`, `s3control`.
    pub service: String,
    /// The operation, for example `PutObject`.
    pub operation: String,
    /// The caller's account.
    pub account: String,
    /// The caller's principal: `root`, a role's ARN, or a service's name.
    pub principal: String,
    /// The ARN, URL or name of what is acted on; empty where the call names nothing.
    pub resource: String,
    /// The code of the planned fault that the call was answered with. Errors of the services themselves are not here.
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
    /// For each rule of the plan, how many calls it has matched and how many of these it has answered.
    seen: Vec<(u64, u64)>,
}

impl CallGate {
    pub(crate) fn new(clock: Clock, ids: Ids, plan: FaultPlan) -> Self {
        let gate = Self { clock, ids, state: Mutex::default(), count: watch::Sender::new(0) };
        gate.set_faults(plan);
        gate
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

    /// Puts another plan in force. Counts of calls and of answers start again.
    pub fn set_faults(&self, plan: FaultPlan) {
        let mut state = self.state();
        state.seen = vec![(0, 0); plan.calls.len()];
        state.plan = plan;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for CallGate {
    fn admit(&self, call: &Call<'_>) -> Result<(), ServiceError> {
        let mut state = self.state();
        let State { calls, plan, seen } = &mut *state;
        let fault = plan.answer(call, seen, &self.ids);
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
}

fn principal(principal: &Principal) -> String {
    match principal {
        Principal::Root => "root".to_owned(),
        Principal::Role(name) | Principal::Service(name) => name.clone(),
    }
}
