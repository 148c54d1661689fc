//! Answers a task by its token.

use aws_sdk_sfn::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::RetrySettings;
use crate::{ErrorKind, StageError, aws, aws_error};

/// Limits of SendTaskFailure, in characters.
const MAX_ERROR: usize = 256;
const MAX_CAUSE: usize = 32_768;
/// What a cut cause ends with.
const CUT: &str = " … (cut)";
/// The answers that say that nobody waits for this token any more.
const DEAD: [&str; 3] = ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"];

/// What Step Functions says to an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// It was taken.
    Accepted,
    /// The token is dead: the task timed out, was answered already, or never was.
    Dead(String),
}

/// One task's token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    sfn: Client,
    token: String,
    retry: RetrySettings,
}

impl Token {
    pub(super) fn new(sfn: Client, token: String, retry: RetrySettings) -> Self {
        Self { sfn, token, retry }
    }

    /// Keeps the task alive. Tried once (by the runtime; the SDK tries a few times): the next heartbeat comes soon.
    pub(super) async fn heartbeat(&self) -> Result<Reply, StageError> {
        reply("SendTaskHeartbeat", self.sfn.send_task_heartbeat().task_token(&self.token).send().await)
    }

    /// Ends the task with an output.
    pub(super) async fn succeed(&self, output: &str) -> Result<Reply, StageError> {
        let send = || async {
            reply("SendTaskSuccess", self.sfn.send_task_success().task_token(&self.token).output(output).send().await)
        };
        self.retry.run("SendTaskSuccess", send, is_transient).await
    }

    /// Ends the task with an error.
    pub(super) async fn fail(&self, error: &StageError) -> Result<Reply, StageError> {
        let (name, cause) = (cut(error.name, MAX_ERROR, ""), cut(&error.cause, MAX_CAUSE, CUT));
        let send = || async {
            let call = self.sfn.send_task_failure().task_token(&self.token).error(&name).cause(&cause);
            reply("SendTaskFailure", call.send().await)
        };
        self.retry.run("SendTaskFailure", send, is_transient).await
    }
}

fn is_transient(error: &StageError) -> bool {
    error.kind == ErrorKind::Transient
}

fn reply<T, E>(operation: &str, result: Result<T, SdkError<E, HttpResponse>>) -> Result<Reply, StageError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match result {
        Ok(_) => Ok(Reply::Accepted),
        Err(error) => match aws::error_code(&error).filter(|code| DEAD.contains(code)) {
            Some(code) => Ok(Reply::Dead(code.to_owned())),
            None => Err(aws_error(&format!("{operation} for the task's token"), error)),
        },
    }
}

/// At most `limit` characters, ending with `mark` when something was cut.
fn cut(text: &str, limit: usize, mark: &str) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept = limit.saturating_sub(mark.chars().count());
    text.chars().take(kept).chain(mark.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_causes_are_cut_at_characters() {
        let cause = "ä".repeat(MAX_CAUSE + 1);
        let short = cut(&cause, MAX_CAUSE, CUT);
        assert_eq!(short.chars().count(), MAX_CAUSE);
        assert!(short.ends_with("ä … (cut)"));
        assert_eq!(cut(&"ä".repeat(MAX_CAUSE), MAX_CAUSE, CUT), "ä".repeat(MAX_CAUSE));
    }
}
