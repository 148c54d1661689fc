//! Who owns a source's backup of a day.
//!
//! Claims are `runs/<source>/<yyyy-mm-dd>/claim-0001.json` and so on; the highest number owns. Races are decided by
//! `If-None-Match`.

use aws_sdk_sfn::types::ExecutionStatus;
use jiff::Timestamp;
use levee_stage::{StageError, aws::error_code, aws_error};
use serde::{Deserialize, Serialize};

use crate::{Ledger, RunKey, Written};

/// One claim record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The owner's execution ARN.
    pub execution_arn: String,
    /// The owner's execution name.
    pub execution_name: String,
    /// When it was claimed.
    pub claimed_at: Timestamp,
}

/// What is known of an owner's execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerState {
    /// Still running (or about to be redriven).
    Running,
    /// Ended with success, or after its receipt was written: the backup exists.
    Succeeded,
    /// Ended without success, or no longer known to Step Functions.
    Ended,
}

/// A claim that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The number of the claim.
    pub number: u32,
    /// Whether it was taken over from an execution that ended without success.
    pub taken_over: bool,
}

impl Ledger {
    /// Claims the run's work as [`claim`](Self::claim) does, and asks Step Functions for the state of another owner.
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub async fn claim_asking(
        &self,
        sfn: &aws_sdk_sfn::Client,
        run: &RunKey,
        now: Timestamp,
    ) -> Result<Claimed, StageError> {
        let sfn = sfn.clone();
        let owner_state = move |execution: String| {
            let sfn = sfn.clone();
            async move { execution_state(&sfn, &execution).await }
        };
        self.claim(run, now, owner_state).await
    }

    /// Claims (source, backup date) for the run's execution; claiming again what one owns changes nothing.
    ///
    /// `owner_state` is asked, with the owner's execution ARN, only when another execution owns it: in production
    /// [`execution_state`]. One that ended without success, but has written its receipt, has finished the backup.
    ///
    /// # Errors
    /// `Levee.RunAlreadyClaimed` while the owner runs; `Levee.RunAlreadyDone` when it succeeded; AWS errors.
    pub async fn claim(
        &self,
        run: &RunKey,
        now: Timestamp,
        owner_state: impl AsyncFn(String) -> Result<OwnerState, StageError>,
    ) -> Result<Claimed, StageError> {
        let mine = Claim {
            execution_arn: run.execution_arn.clone(),
            execution_name: run.execution_name.clone(),
            claimed_at: now,
        };
        loop {
            let owner = self.owner(run).await?;
            let number = match &owner {
                Some((number, owner)) if owner.execution_arn == run.execution_arn => {
                    return Ok(Claimed { number: *number, taken_over: *number > 1 });
                }
                Some((number, owner)) => {
                    let state = self.state_of(run, owner, &owner_state).await?;
                    may_take_over(run, owner, state)?;
                    number.saturating_add(1)
                }
                None => 1,
            };
            if let Written::Created(_) = self.write_once(&claim_key(run, number), &mine).await? {
                tracing::info!(number, "claimed");
                return Ok(Claimed { number, taken_over: owner.is_some() });
            }
            // Somebody else was faster: look at who owns it now.
        }
    }

    /// Makes sure that the run's execution still owns its claim; every stage after the first does this before it writes.
    ///
    /// # Errors
    /// `Levee.RunSuperseded` when another execution has taken over; `Levee.RunNotClaimed` without any claim; AWS errors.
    pub async fn check_claim(&self, run: &RunKey) -> Result<(), StageError> {
        match self.owner(run).await? {
            Some((_, owner)) if owner.execution_arn == run.execution_arn => Ok(()),
            Some((_, owner)) => {
                let cause = format!(
                    "{run} was taken over by the execution {}. This execution must not go on: follow that one, and redrive that one if it fails.",
                    owner.execution_name
                );
                Err(StageError::permanent("Levee.RunSuperseded", cause))
            }
            None => {
                let cause = format!(
                    "{run} was never claimed in {}. The first stage makes the claim: start the execution anew.",
                    self.place(&run.day_prefix())
                );
                Err(StageError::permanent("Levee.RunNotClaimed", cause))
            }
        }
    }

    /// The owner's state: an execution that has written its receipt has finished the backup, however it ended after that.
    async fn state_of(
        &self,
        run: &RunKey,
        owner: &Claim,
        ask: &impl AsyncFn(String) -> Result<OwnerState, StageError>,
    ) -> Result<OwnerState, StageError> {
        let state = ask(owner.execution_arn.clone()).await?;
        let closed = async || self.find(&format!("{}{}/receipt.json", run.day_prefix(), owner.execution_name)).await;
        if state == OwnerState::Ended && closed().await?.is_some() {
            return Ok(OwnerState::Succeeded);
        }
        Ok(state)
    }

    /// The highest claim and its number.
    async fn owner(&self, run: &RunKey) -> Result<Option<(u32, Claim)>, StageError> {
        let prefix = claim_prefix(run);
        let mut highest = None;
        for key in self.list(&prefix).await? {
            let number = key.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".json")?.parse::<u32>().ok());
            let Some(number) = number else {
                let cause = format!("{} is no claim, but its name begins like one: look at it.", self.place(&key));
                return Err(StageError::permanent("Levee.LedgerCorrupt", cause));
            };
            highest = highest.max(Some(number));
        }
        let Some(number) = highest else { return Ok(None) };
        let key = claim_key(run, number);
        match self.read::<Claim>(&key).await? {
            Some(stored) => Ok(Some((number, stored.value))),
            None => {
                let cause = format!("{} is listed but cannot be read.", self.place(&key));
                Err(StageError::transient(StageError::AWS_UNAVAILABLE, cause))
            }
        }
    }
}

fn claim_prefix(run: &RunKey) -> String {
    format!("{}claim-", run.day_prefix())
}

fn claim_key(run: &RunKey, number: u32) -> String {
    format!("{}{number:04}.json", claim_prefix(run))
}

fn may_take_over(run: &RunKey, owner: &Claim, state: OwnerState) -> Result<(), StageError> {
    let name = &owner.execution_name;
    match state {
        OwnerState::Ended => {
            tracing::warn!(owner = name, "taking over from an execution that ended without success");
            Ok(())
        }
        OwnerState::Running => {
            let cause = format!(
                "{run} cannot begin: the execution {name} works on it since {}. Follow that one, or stop it first.",
                owner.claimed_at
            );
            Err(StageError::permanent("Levee.RunAlreadyClaimed", cause))
        }
        OwnerState::Succeeded => {
            let cause = format!("{run} cannot begin: the execution {name} has finished it. There is nothing to do.");
            Err(StageError::permanent("Levee.RunAlreadyDone", cause))
        }
    }
}

/// The state of an execution as Step Functions tells it (`DescribeExecution`).
///
/// # Errors
/// AWS errors, except that an execution which Step Functions no longer knows has ended.
pub async fn execution_state(sfn: &aws_sdk_sfn::Client, execution_arn: &str) -> Result<OwnerState, StageError> {
    match sfn.describe_execution().execution_arn(execution_arn).send().await {
        Ok(output) => match output.status {
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => Ok(OwnerState::Running),
            ExecutionStatus::Succeeded => Ok(OwnerState::Succeeded),
            ExecutionStatus::Failed | ExecutionStatus::Aborted | ExecutionStatus::TimedOut => Ok(OwnerState::Ended),
            other => {
                let cause = format!(
                    "the execution {execution_arn} has the status {other}, which this release does not know: update Levee."
                );
                Err(StageError::permanent("Levee.ExecutionStatusUnknown", cause))
            }
        },
        Err(error) if error_code(&error) == Some("ExecutionDoesNotExist") => Ok(OwnerState::Ended),
        Err(error) => Err(aws_error(&format!("DescribeExecution of {execution_arn}"), error)),
    }
}
