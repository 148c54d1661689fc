//! The person on call: redrives what has failed, once a day.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus};
use levee_stage::Aws;

/// Redrives of one execution before the operator leaves it.
const PATIENCE: u32 = 3;

/// Who looks after the executions.
pub(super) struct Operator {
    aws: Aws,
    state_machine_arn: String,
    redriven: BTreeMap<String, u32>,
}

impl Operator {
    pub(super) fn new(aws: Aws, state_machine_arn: String) -> Self {
        Self { aws, state_machine_arn, redriven: BTreeMap::new() }
    }

    /// Redrives every execution that has ended without success, except those that were redriven often enough. A redrive
    /// that is refused is left for the next day.
    pub(super) async fn look_after(&mut self) -> Result<()> {
        for execution in executions(&self.aws, &self.state_machine_arn).await? {
            let failed = [ExecutionStatus::Failed, ExecutionStatus::TimedOut, ExecutionStatus::Aborted];
            let redriven = self.redriven.entry(execution.execution_arn().to_owned()).or_default();
            if !failed.contains(execution.status()) || *redriven >= PATIENCE {
                continue;
            }
            let redrive = self.aws.sfn.redrive_execution().execution_arn(execution.execution_arn());
            if redrive.send().await.is_ok() {
                *redriven += 1;
            }
        }
        Ok(())
    }

    /// Whether an execution is running, or has ended without success and will be redriven.
    pub(super) async fn has_work(&self) -> Result<bool> {
        let open = |execution: &ExecutionListItem| match execution.status() {
            ExecutionStatus::Succeeded => false,
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => true,
            _ => self.redriven.get(execution.execution_arn()).copied().unwrap_or(0) < PATIENCE,
        };
        Ok(executions(&self.aws, &self.state_machine_arn).await?.iter().any(open))
    }
}

/// All executions of the state machine, oldest first.
pub(super) async fn executions(aws: &Aws, state_machine_arn: &str) -> Result<Vec<ExecutionListItem>> {
    let list = aws.sfn.list_executions().state_machine_arn(state_machine_arn).into_paginator().items().send();
    let mut all = list.collect::<Result<Vec<_>, _>>().await.context("cannot list the executions")?;
    all.sort_by_key(|execution| (execution.start_date().as_nanos(), execution.name().to_owned()));
    Ok(all)
}
