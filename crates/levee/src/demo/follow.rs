//! Follows an execution through its history.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use levee_clock::Clock;
use levee_stage::Aws;
use serde_json::Value;

use super::{
    StageTime,
    outcome::ExecutionOutcome,
    progress::{Progress, Step, readable},
};
use crate::hosts::StageName;

/// How often the execution is looked at, on the night's clock.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// When to give up, on the night's clock: longer than all limits that the stages keep themselves.
const LONGEST_NIGHT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What the history of an ended execution shows.
pub(super) struct Followed {
    pub execution: ExecutionOutcome,
    pub stages: Vec<StageTime>,
    /// The state, as the last stage that was left has written it; `Null` before.
    pub state: Value,
    pub simulated_seconds: f64,
}

/// Watches until the execution has ended.
pub(super) async fn follow(
    aws: &Aws,
    arn: &str,
    account: &str,
    clock: &Clock,
    progress: &Progress,
) -> Result<Followed> {
    let mut board = Board::new(progress);
    let began = clock.now();
    loop {
        clock.sleep(LOOK_EVERY).await;
        let seen =
            aws.sfn.describe_execution().execution_arn(arn).send().await.context("cannot look at the execution")?;
        let ended = *seen.status() != ExecutionStatus::Running;
        let end =
            seen.stop_date().map_or(clock.now().as_second() as f64, aws_sdk_sfn::primitives::DateTime::as_secs_f64);
        let (stages, state) = timeline(&history(aws, arn).await?, end);
        board.show(&stages, ended);
        if ended {
            return Ok(Followed {
                execution: ExecutionOutcome {
                    arn: arn.to_owned(),
                    status: seen.status().as_str().to_owned(),
                    error: seen.error().map(str::to_owned),
                    cause: seen.cause().map(str::to_owned),
                },
                stages,
                state,
                simulated_seconds: end - seen.start_date().as_secs_f64(),
            });
        }
        board.copying(aws, account, &state).await;
        if clock.now().duration_since(began).unsigned_abs() > LONGEST_NIGHT {
            bail!("the execution {arn} still runs after 30 simulated days; its history says where it stands");
        }
    }
}

async fn history(aws: &Aws, arn: &str) -> Result<Vec<HistoryEvent>> {
    let mut pages = aws.sfn.get_execution_history().execution_arn(arn).into_paginator().items().send();
    let mut events = Vec::new();
    while let Some(event) = pages.next().await {
        events.push(event.context("cannot read the execution's history")?);
    }
    Ok(events)
}

/// The time in every stage, and the state that the last one left.
fn timeline(events: &[HistoryEvent], now: f64) -> (Vec<StageTime>, Value) {
    let mut stages: Vec<_> = StageName::EVERY_NIGHT
        .iter()
        .map(|stage| StageTime { name: stage.name().to_owned(), entered: 0, done: false, simulated_seconds: 0.0 })
        .collect();
    let mut state = Value::Null;
    let mut inside: Option<f64> = None;
    for event in events {
        let at = event.timestamp().as_secs_f64();
        if let Some(entered) = event.state_entered_event_details()
            && let Some(stage) = stages.iter_mut().find(|stage| state_name(&stage.name) == entered.name())
        {
            stage.entered += 1;
            stage.done = false;
            inside = Some(at);
        }
        if let Some(exited) = event.state_exited_event_details() {
            if let Some(output) = exited.output().and_then(|text| serde_json::from_str(text).ok()) {
                state = output;
            }
            if let Some(stage) = stages.iter_mut().find(|stage| state_name(&stage.name) == exited.name()) {
                stage.done = true;
                stage.simulated_seconds += at - inside.take().unwrap_or(at);
            }
        }
    }
    if let (Some(since), Some(stage)) = (inside, stages.iter_mut().find(|stage| stage.entered > 0 && !stage.done)) {
        stage.simulated_seconds += now - since;
    }
    (stages, state)
}

/// `job-poll` is `JobPoll` in the state machine.
fn state_name(stage: &str) -> String {
    let mut name = String::new();
    for word in stage.split('-') {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

/// The stages' steps on the terminal.
struct Board {
    steps: Vec<(Step, bool)>,
}

impl Board {
    fn new(progress: &Progress) -> Self {
        Self { steps: StageName::EVERY_NIGHT.iter().map(|stage| (progress.step(stage.name(), None), false)).collect() }
    }

    fn show(&mut self, stages: &[StageTime], ended: bool) {
        for ((step, closed), stage) in self.steps.iter_mut().zip(stages) {
            let time = readable(Duration::try_from_secs_f64(stage.simulated_seconds).unwrap_or_default());
            if *closed {
                continue;
            }
            if stage.done {
                step.end(&format!("done after {time} (simulated)"));
                *closed = true;
            } else if stage.entered > 0 && ended {
                step.fail(&format!("failed after {time} (simulated)"));
                *closed = true;
            } else if stage.entered > 0 {
                step.say(format!("for {time} (simulated)"));
            } else if ended {
                step.fail("not reached");
                *closed = true;
            }
        }
    }

    /// Shows how far the copy job is. Only looks: what it cannot see it does not show.
    async fn copying(&self, aws: &Aws, account: &str, state: &Value) {
        let polling = StageName::EVERY_NIGHT
            .iter()
            .position(|stage| *stage == StageName::JobPoll)
            .and_then(|index| self.steps.get(index));
        let (Some((step, false)), Some(id)) = (polling, state.pointer("/job/id").and_then(Value::as_str)) else {
            return;
        };
        let Ok(seen) = aws.s3control.describe_job().account_id(account).job_id(id).send().await else { return };
        if let Some(summary) = seen.job().and_then(|job| job.progress_summary()) {
            let done = summary.number_of_tasks_succeeded().unwrap_or(0) + summary.number_of_tasks_failed().unwrap_or(0);
            step.set(done.unsigned_abs(), summary.total_number_of_tasks().unwrap_or(0).unsigned_abs());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use aws_sdk_sfn::{
        primitives::DateTime,
        types::{HistoryEventType, StateEnteredEventDetails, StateExitedEventDetails},
    };

    fn event(at: i64) -> aws_sdk_sfn::types::builders::HistoryEventBuilder {
        HistoryEvent::builder().timestamp(DateTime::from_secs(at)).r#type(HistoryEventType::TaskStateEntered).id(at)
    }

    fn entered(at: i64, name: &str) -> HistoryEvent {
        let details = StateEnteredEventDetails::builder().name(name).build().unwrap();
        event(at).state_entered_event_details(details).build().unwrap()
    }

    fn exited(at: i64, name: &str, output: &str) -> HistoryEvent {
        let details = StateExitedEventDetails::builder().name(name).output(output).build().unwrap();
        event(at).state_exited_event_details(details).build().unwrap()
    }

    #[test]
    fn stages_entered_twice_count_both_times_and_the_open_one_counts_until_now() {
        let events = [
            entered(100, "JobSubmit"),
            exited(110, "JobSubmit", r#"{"job":{"id":"a"}}"#),
            entered(110, "JobPoll"),
            exited(210, "JobPoll", r#"{"job":{"id":"a"},"copy":{"next":"resubmit"}}"#),
            entered(210, "JobSubmit"),
            exited(215, "JobSubmit", r#"{"job":{"id":"b"}}"#),
            entered(215, "JobPoll"),
        ];
        let (stages, state) = timeline(&events, 300.0);
        let of = |name: &str| stages.iter().find(|stage| stage.name == name).cloned().unwrap();
        let submit = of("job-submit");
        assert_eq!((submit.entered, submit.done, submit.simulated_seconds), (2, true, 15.0));
        let poll = of("job-poll");
        assert_eq!((poll.entered, poll.done, poll.simulated_seconds), (2, false, 185.0));
        assert_eq!(of("report-parse").entered, 0);
        assert_eq!(state.pointer("/job/id").unwrap(), "b");
    }
}
