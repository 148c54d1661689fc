//! Follows a restore to its end.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use levee_clock::Clock;
use levee_page::text::count;
use levee_stage::Aws;
use serde_json::Value;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Events that are looked at for the state that it is in.
const LAST_EVENTS: i32 = 30;

/// How a restore ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// `SUCCEEDED`, or how else it ended.
    pub status: String,
    /// The receipt's headline, and where it is; without success the error and its cause.
    pub lines: Vec<String>,
}

impl Followed {
    /// Whether every table is whole at its version.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status == ExecutionStatus::Succeeded.as_str()
    }

    /// The end in an operator's words.
    #[must_use]
    pub fn told(&self) -> String {
        if self.succeeded() {
            return self.lines.join("\n");
        }
        format!(
            "{}: {}\nRedrive the execution once that is mended, or apply the plan again: either goes on where this one stopped.",
            self.status,
            self.lines.join("\n")
        )
    }
}

/// Looks at an execution until it has ended, and says what is new.
///
/// # Errors
/// Step Functions cannot be asked.
pub async fn follow(aws: &Aws, arn: &str, clock: &Clock, mut say: impl FnMut(&str)) -> Result<Followed> {
    let mut said = String::new();
    loop {
        let seen = aws.sfn.describe_execution().execution_arn(arn).send().await;
        let seen = seen.with_context(|| format!("cannot look at {arn}"))?;
        if !matches!(seen.status(), ExecutionStatus::Running | ExecutionStatus::PendingRedrive) {
            let lines = match seen.status() {
                ExecutionStatus::Succeeded => receipt(seen.output().unwrap_or_default()),
                _ => [seen.error(), seen.cause()].into_iter().flatten().map(str::to_owned).collect(),
            };
            return Ok(Followed { status: seen.status().as_str().to_owned(), lines });
        }
        if let Some(line) = state(aws, arn).await
            && line != said
        {
            say(&line);
            said = line;
        }
        clock.sleep(LOOK_EVERY).await;
    }
}

fn receipt(output: &str) -> Vec<String> {
    let state: Value = serde_json::from_str(output).unwrap_or_default();
    let text = |at: &str| state.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let place =
        text("/receipt/bucket").zip(text("/receipt/key")).map(|(bucket, key)| format!("receipt s3://{bucket}/{key}"));
    text("/receipt/headline").into_iter().chain(place).collect()
}

/// The state that the execution is in, and how far its copy job is. What cannot be seen is not said.
async fn state(aws: &Aws, arn: &str) -> Option<String> {
    let call = aws.sfn.get_execution_history().execution_arn(arn).reverse_order(true).max_results(LAST_EVENTS);
    let events = call.send().await.ok()?;
    let state = events.events().iter().find_map(HistoryEvent::state_entered_event_details)?.name().to_owned();
    if state != "JobPoll" {
        return Some(state);
    }
    let left = events.events().iter().filter_map(HistoryEvent::state_exited_event_details);
    let job = left.filter(|left| left.name() == "JobSubmit").find_map(|left| {
        let output: Value = serde_json::from_str(left.output()?).ok()?;
        Some(output.pointer("/job/id")?.as_str()?.to_owned())
    });
    let account = arn.split(':').nth(4)?;
    let job = aws.s3control.describe_job().account_id(account).job_id(job?).send().await.ok()?;
    let summary = job.job()?.progress_summary()?;
    let done = summary.number_of_tasks_succeeded()?.saturating_add(summary.number_of_tasks_failed()?);
    let number = |number: i64| count(number.unsigned_abs());
    Some(format!("{state}: {} of {} objects", number(done), number(summary.total_number_of_tasks()?)))
}
