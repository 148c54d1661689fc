//! Who owns a source's backup of a day.
//!
//! Claims are `runs/<source>/<yyyy-mm-dd>/claim-0001.json` and so on; the highest number owns. Races are decided by
//! `If-None-Match`.

use jiff::Timestamp;
use levee_stage::StageError;
use serde::{Deserialize, Serialize};

use crate::{Ledger, RunKey};

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
    /// Ended with success: the backup exists.
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
    /// Claims (source, backup date) for the run's execution; claiming again what one owns changes nothing.
    ///
    /// `owner_state` is asked, with the owner's execution ARN, only when another execution owns it: in production
    /// [`execution_state`].
    ///
    /// # Errors
    /// `Levee.RunAlreadyClaimed` while the owner runs; `Levee.RunAlreadyDone` when it succeeded; AWS errors.
    pub async fn claim(
        &self,
        run: &RunKey,
        now: Timestamp,
        owner_state: impl AsyncFn(String) -> Result<OwnerState, StageError>,
    ) -> Result<Claimed, StageError> {
        let _ = (run, now, owner_state);
        todo!()
    }

    /// Makes sure that the run's execution still owns its claim; every stage after the first does this before it writes.
    ///
    /// # Errors
    /// `Levee.RunSuperseded` when another execution has taken over; `Levee.RunNotClaimed` without any claim; AWS errors.
    pub async fn check_claim(&self, run: &RunKey) -> Result<(), StageError> {
        let _ = run;
        todo!()
    }
}

/// The state of an execution as Step Functions tells it (`DescribeExecution`).
///
/// # Errors
/// AWS errors, except that an execution which Step Functions no longer knows has ended.
pub async fn execution_state(sfn: &aws_sdk_sfn::Client, execution_arn: &str) -> Result<OwnerState, StageError> {
    let _ = (sfn, execution_arn);
    todo!()
}
