//! What a stage's own tasks come to.

use std::panic;

use tokio::task::JoinError;

use crate::StageError;

/// What a task that the stage has spawned came to. One that panicked panics here too.
///
/// # Errors
/// Its own; it was stopped.
pub fn joined<T>(ended: Result<Result<T, StageError>, JoinError>) -> Result<T, StageError> {
    ended.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(reason) => panic::resume_unwind(reason),
        Err(error) => {
            Err(StageError::transient(StageError::AWS_UNAVAILABLE, format!("the reading was stopped: {error}")))
        }
    })
}
