//! Step Functions: an interpreter of the `JSONPath` Amazon States Language for STANDARD workflows.
//!
//! What it does is measured against recordings of the real service. What the twin does not model (JSONata, variables,
//! distributed Map, EXPRESS workflows, `.sync`, activities, other service integrations) is refused when a state machine
//! is created, with the state's name.
//!
//! Each execution is a tokio task that sleeps until a timer or a task token wakes it. How far it has come is kept as
//! data ([`progress`]), so that a redrive starts a new task from there.

mod api;
mod arn;
mod choice;
mod definition;
mod execution;
mod failure;
mod history;
mod integration;
mod interpret;
mod intrinsic;
mod overview;
mod parse;
mod path;
mod progress;
mod retry;
mod run;
mod status;
mod store;
mod template;
mod tokens;
mod trail;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::env::{Call, Env};
use crate::needs;
use crate::service::{Caller, JsonService, ServiceError};
use execution::Execution;
use store::Store;
use tokens::Tokens;

pub(crate) use api::OPERATIONS;
pub(crate) use arn::machine as machine_arn;
pub(crate) use history::epoch;
pub(crate) use overview::{EventView, RunCounts, RunDetail, RunView};
pub use status::StatusChange;
pub(crate) use trail::StateTrail;

/// What Step Functions reaches outside of itself.
///
/// Implementations should not own the [`StepFunctions`] that they are given to, or neither is ever dropped.
pub trait Integrations: Send + Sync {
    /// The service that tasks call: `sqs`, `sns` or `events`. `None` where the twin runs without it.
    fn service(&self, name: &str) -> Option<Arc<dyn JsonService>>;

    /// Called after the status of an execution has changed. AWS sends these changes to the default event bus as
    /// `Step Functions Execution Status Change`. Must not block; does nothing unless implemented.
    fn status_changed(&self, change: StatusChange) {
        let _ = change;
    }
}

/// The service. Cheap to clone; running executions end when the last clone is dropped.
#[derive(Clone)]
pub struct StepFunctions {
    shared: Arc<Shared>,
    _stop: Arc<DropGuard>,
}

/// What calls and executions share.
struct Shared {
    env: Env,
    integrations: Arc<dyn Integrations>,
    tokens: Tokens,
    store: Mutex<Store>,
    /// Ends all executions' tasks with the service.
    stop: CancellationToken,
}

impl StepFunctions {
    /// A service without state machines.
    #[must_use]
    pub fn new(env: Env, integrations: Arc<dyn Integrations>) -> Self {
        let stop = CancellationToken::new();
        let guard = Arc::new(stop.clone().drop_guard());
        let shared = Shared { env, integrations, tokens: Tokens::default(), store: Mutex::new(Store::default()), stop };
        Self { shared: Arc::new(shared), _stop: guard }
    }
}

#[async_trait]
impl JsonService for StepFunctions {
    async fn call(&self, caller: &Caller, operation: &str, body: Value) -> Result<Value, ServiceError> {
        let (resource, needs) = (api::resource(&body), needs::states(operation, caller, &body));
        let call = Call { service: "states", operation, caller, resource: &resource, needs: &needs, facts: &[] };
        let work = async { api::answer(&self.shared, caller, operation, &body) };
        self.shared.env.pass(&call, work).await
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called when an execution has come to its end.
    fn ended(&self, execution: &Execution) {
        self.store().sweep(&execution.machine.arn);
        self.status_changed(execution);
    }

    fn status_changed(&self, execution: &Execution) {
        self.integrations.status_changed(StatusChange::of(execution, &execution.live()));
    }
}
