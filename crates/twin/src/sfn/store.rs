//! The state machines and executions that there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::definition::Machine;
use super::execution::{Execution, MachineAtStart, Status};
use crate::service::ServiceError;

/// State machines and executions by ARN.
#[derive(Default)]
pub(super) struct Store {
    pub(super) machines: BTreeMap<String, StateMachine>,
    executions: HashMap<String, Arc<Execution>>,
    /// In the order of their starts.
    order: Vec<Arc<Execution>>,
}

/// A state machine.
#[derive(Clone)]
pub(super) struct StateMachine {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) role_arn: String,
    pub(super) definition: Arc<Machine>,
    pub(super) text: String,
    pub(super) logging: Value,
    pub(super) tracing: Value,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) revision: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    /// Deleted, but executions still run.
    pub(super) deleting: bool,
}

impl StateMachine {
    pub(super) fn at_start(&self) -> MachineAtStart {
        MachineAtStart {
            arn: self.arn.clone(),
            name: self.name.clone(),
            role_arn: self.role_arn.clone(),
            definition: Arc::clone(&self.definition),
            text: self.text.clone(),
            updated: self.updated,
        }
    }
}

impl Store {
    /// # Errors
    /// `StateMachineDoesNotExist`.
    pub(super) fn machine(&mut self, arn: &str) -> Result<&mut StateMachine, ServiceError> {
        self.machines.get_mut(arn).ok_or_else(|| {
            ServiceError::client("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
        })
    }

    /// # Errors
    /// `ExecutionDoesNotExist`.
    pub(super) fn execution(&self, arn: &str) -> Result<Arc<Execution>, ServiceError> {
        self.executions
            .get(arn)
            .cloned()
            .ok_or_else(|| ServiceError::client("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'")))
    }

    pub(super) fn known(&self, arn: &str) -> Option<Arc<Execution>> {
        self.executions.get(arn).cloned()
    }

    pub(super) fn add(&mut self, execution: Arc<Execution>) {
        self.executions.insert(execution.arn.clone(), Arc::clone(&execution));
        self.order.push(execution);
    }

    /// The executions of a state machine, latest start first.
    pub(super) fn executions_of(&self, machine: &str) -> Vec<Arc<Execution>> {
        self.order.iter().rev().filter(|execution| execution.machine.arn == machine).cloned().collect()
    }

    /// All executions, the latest start first.
    pub(super) fn latest(&self) -> Vec<Arc<Execution>> {
        self.order.iter().rev().cloned().collect()
    }

    /// Whether executions of the state machine can still be redriven.
    pub(super) fn is_there(&self, machine: &str) -> bool {
        self.machines.get(machine).is_some_and(|machine| !machine.deleting)
    }

    /// Removes a deleted state machine whose last execution has ended.
    pub(super) fn sweep(&mut self, machine: &str) {
        let busy = || self.executions_of(machine).iter().any(|execution| execution.live().status == Status::Running);
        if self.machines.get(machine).is_some_and(|machine| machine.deleting) && !busy() {
            self.machines.remove(machine);
        }
    }
}
