//! Runs a stage on its input: parsing, tries in place, and what comes out of it, panics included.

use std::{any::Any, sync::Arc};

use serde_json::Value;
use tokio::task::JoinError;

use super::RetrySettings;
use crate::{Context, ErrorKind, Progress, Stage, StageError};

/// The most that SendTaskSuccess takes, in bytes.
const MAX_OUTPUT: usize = 262_144;

/// What a stage came to, with the output as JSON.
pub(super) type Outcome = Result<Progress<String>, StageError>;

/// Runs the stage until it answers, with transient errors tried again.
pub(super) async fn attempts<S: Stage>(stage: Arc<S>, context: Context, input: Value, retry: RetrySettings) -> Outcome {
    let run = || async {
        let input = parse::<S::Input>(&input)?;
        stage.run(&context, input).await
    };
    let progress = retry.run(S::NAME, run, |error: &StageError| error.kind == ErrorKind::Transient).await?;
    match progress {
        Progress::Done(output) => render(&output).map(Progress::Done),
        Progress::NotYet { after, memo } => Ok(Progress::NotYet { after, memo }),
    }
}

/// The failure of a stage that did not come to an answer.
pub(super) fn crash(stage: &str, error: JoinError) -> StageError {
    let reason = match error.try_into_panic() {
        Ok(payload) => panic_text(payload.as_ref()),
        Err(error) => error.to_string(),
    };
    StageError::transient(
        StageError::STAGE_PANICKED,
        format!(
            "the stage {stage} broke off with a panic: {reason}. This is a fault of the worker, not of the run: report it with the worker's log; a redrive is safe."
        ),
    )
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

fn parse<T: serde::de::DeserializeOwned>(input: &Value) -> Result<T, StageError> {
    serde_path_to_error::deserialize(input).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "$".to_owned() } else { format!("$.{path}") };
        let cause = format!(
            "the task's input does not fit at `{path}`: {}. Correct the input of the execution, or the state machine, and start a new execution: a redrive repeats the same input.",
            error.inner()
        );
        StageError::permanent(StageError::INPUT_INVALID, cause)
    })
}

fn render<T: serde::Serialize>(output: &T) -> Result<String, StageError> {
    let json = serde_json::to_string(output).map_err(|error| {
        StageError::permanent(
            StageError::OUTPUT_INVALID,
            format!("the stage's output is no JSON: {error}. This is a fault of the worker: report it."),
        )
    })?;
    if json.len() > MAX_OUTPUT {
        let cause = format!(
            "the stage's output has {} bytes, Step Functions takes at most {MAX_OUTPUT}. This is a fault of the worker, which must keep large things in the ledger: report it.",
            json.len()
        );
        return Err(StageError::permanent(StageError::OUTPUT_INVALID, cause));
    }
    Ok(json)
}
