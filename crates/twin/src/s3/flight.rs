//! One request on its way through the service, for the record of calls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    env::{Call, Gate},
    facts::Fact,
    gate::Admission,
    needs::Need,
    service::{Caller, ServiceError},
};

/// Carries what a call needs to the gate, and the gate's admission to the answer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Flight(Arc<Inner>);

struct Inner {
    gate: Arc<dyn Gate>,
    state: Mutex<State>,
}

enum State {
    /// Not admitted yet; what is known of its needs.
    Waiting(Vec<Need>),
    Admitted(Admission),
    /// The gate knows how it ended, because it was refused there or has been concluded.
    Ended,
}

impl Flight {
    pub(crate) fn new(gate: Arc<dyn Gate>) -> Self {
        Self(Arc::new(Inner { gate, state: Mutex::new(State::Waiting(Vec::new())) }))
    }

    /// Notes that the call needs an action on a resource.
    pub(crate) fn need(&self, action: &'static str, resource: &str) {
        let need = Need::new(action, resource);
        match &mut *self.state() {
            State::Waiting(needs) => needs.push(need),
            State::Admitted(admission) => self.0.gate.need(admission, need),
            State::Ended => {}
        }
    }

    /// Passes the gate with all that is known of the call.
    ///
    /// # Errors
    /// A planned fault.
    pub(crate) fn admit(
        &self,
        caller: &Caller,
        operation: &str,
        resource: &str,
        facts: &[Fact],
    ) -> Result<(), ServiceError> {
        let mut state = self.state();
        let needs = match &mut *state {
            State::Waiting(needs) => std::mem::take(needs),
            _ => Vec::new(),
        };
        let admitted = self.0.gate.admit(&Call { service: "s3", operation, caller, resource, needs: &needs, facts });
        let (next, result) = match admitted {
            Ok(admission) => (State::Admitted(admission), Ok(())),
            Err(error) => (State::Ended, Err(error)),
        };
        *state = next;
        result
    }

    /// Notes what the caller gets.
    pub(crate) fn conclude(&self, error: Option<(&str, u16)>) {
        let mut state = self.state();
        if let State::Admitted(admission) = std::mem::replace(&mut *state, State::Ended) {
            self.0.gate.conclude(admission, error);
        }
    }

    /// Notes a request that was answered before an operation began.
    pub(crate) fn refused(&self, caller: &Caller, path: &str, code: &str, status: u16) {
        let mut state = self.state();
        if let State::Waiting(_) = std::mem::replace(&mut *state, State::Ended) {
            let call = Call { service: "s3", operation: "", caller, resource: path, needs: &[], facts: &[] };
            self.0.gate.refused(&call, code, status);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
