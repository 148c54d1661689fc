//! Checks the input of an execution before anything is done.

use levee_stage::StageError;

use crate::state::Run;

impl Run {
    /// Checks every field.
    ///
    /// # Errors
    /// `Levee.InputInvalid` with all problems at once.
    pub fn validate(&self) -> Result<(), StageError> {
        todo!()
    }
}
