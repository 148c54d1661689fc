//! Which stages the run has passed, and when, as Step Functions has it.
//!
//! The records in the ledger tell when a stage has ended, but not when it was entered; the history tells both, and of every
//! turn of a loop.

use std::time::Duration;

use aws_sdk_sfn::{
    Client,
    types::{HistoryEvent, HistoryEventType},
};
use jiff::Timestamp;
use levee_ledger::receipt::StageFacts;
use levee_stage::{Context, Progress, StageError, aws_error};
use serde_json::Value;

/// Events that one request answers, at most (`GetExecutionHistory` of the Step Functions API Reference).
const PAGE: i32 = 1000;
/// A history ends after 25,000 events ("Quotas related to state machine executions" of the developer guide): 25 pages. More
/// requests than twice that would be a token that leads in a circle.
const PAGES: usize = 50;
/// The history is eventually consistent: this often it is looked at again until it has the state that this stage is, and
/// then what it has is taken.
const LOOKS: u32 = 6;
const PAUSE: Duration = Duration::from_secs(10);

/// The stage is done again when the history may be there.
pub(crate) fn wait<T>() -> Progress<T> {
    tracing::info!("the history of the execution does not have this state yet");
    Progress::NotYet { after: PAUSE, memo: Value::Null }
}

/// The stages in the order in which they ended, this one last; none when the history does not have this one yet.
pub(crate) async fn stages(sfn: &Client, context: &Context) -> Result<Option<Vec<StageFacts>>, StageError> {
    let events = events(sfn, &context.execution.id).await?;
    let this = &context.state;
    let there = events.iter().any(|event| event.name == this.name && event.entered);
    if !there && context.waits < LOOKS {
        return Ok(None);
    }
    let mut stages = passed(&events, this.entered_time, &this.name);
    stages.push(StageFacts { state: this.name.clone(), entered: this.entered_time, left: None });
    Ok(Some(stages))
}

/// A Task state, or a Map state with Task states in it, that was entered or left.
#[derive(Clone, Debug)]
struct Step {
    name: String,
    at: Timestamp,
    entered: bool,
    map: bool,
}

async fn events(sfn: &Client, execution_arn: &str) -> Result<Vec<Step>, StageError> {
    let what = format!("GetExecutionHistory of {execution_arn}");
    let mut steps = Vec::new();
    let mut token = None;
    for _ in 0..PAGES {
        let page = sfn.get_execution_history().execution_arn(execution_arn).max_results(PAGE);
        let page = page.include_execution_data(false).set_next_token(token).send().await;
        let page = page.map_err(|error| aws_error(&what, error))?;
        steps.extend(page.events().iter().filter_map(step));
        token = page.next_token;
        if token.is_none() {
            return Ok(outermost(steps));
        }
    }
    let cause = format!("{what} goes on for more than {PAGES} pages, which no history has; it is tried again");
    Err(StageError::transient(StageError::AWS_UNAVAILABLE, cause))
}

fn step(event: &HistoryEvent) -> Option<Step> {
    let (entered, map) = match event.r#type() {
        HistoryEventType::TaskStateEntered => (true, false),
        HistoryEventType::TaskStateExited => (false, false),
        HistoryEventType::MapStateEntered => (true, true),
        HistoryEventType::MapStateExited => (false, true),
        _ => return None,
    };
    let name =
        if entered { event.state_entered_event_details()?.name() } else { event.state_exited_event_details()?.name() };
    let at = Timestamp::new(event.timestamp().secs(), i32::try_from(event.timestamp().subsec_nanos()).ok()?).ok()?;
    Some(Step { name: name.to_owned(), at, entered, map })
}

/// The steps without those in a Map state, of which there are hundreds side by side: the Map state stands for them.
fn outermost(steps: Vec<Step>) -> Vec<Step> {
    let mut within = false;
    let outer = |step: &Step| {
        let inner = within && !step.map;
        within = if step.map { step.entered } else { within };
        !inner
    };
    steps.into_iter().filter(outer).collect()
}

/// Pairs what was entered with what was left. One state is entered at a time, so that one that was not seen to be left was
/// left, at the latest, when the next one was entered.
fn passed(steps: &[Step], closing: Timestamp, this: &str) -> Vec<StageFacts> {
    let mut stages: Vec<StageFacts> = Vec::new();
    for step in steps.iter().filter(|step| step.name != this) {
        let open = stages.last_mut().filter(|stage| stage.left.is_none());
        match (step.entered, open) {
            (false, Some(stage)) if stage.state == step.name => stage.left = Some(step.at),
            (false, _) => {}
            (true, open) => {
                if let Some(stage) = open {
                    stage.left = Some(step.at);
                }
                stages.push(StageFacts { state: step.name.clone(), entered: step.at, left: None });
            }
        }
    }
    if let Some(stage) = stages.last_mut().filter(|stage| stage.left.is_none()) {
        stage.left = Some(closing);
    }
    stages
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[rstest]
    #[case::in_order("+JobSubmit 1, -JobSubmit 2, +JobPoll 2, -JobPoll 9", "JobSubmit 1-2, JobPoll 2-9")]
    #[case::loop_of_two_turns(
        "+JobPoll 1, -JobPoll 2, +JobSubmit 3, -JobSubmit 4, +JobPoll 5, -JobPoll 6",
        "JobPoll 1-2, JobSubmit 3-4, JobPoll 5-6"
    )]
    #[case::end_of_the_last_not_seen("+JobSubmit 1, -JobSubmit 2, +JobPoll 2", "JobSubmit 1-2, JobPoll 2-99")]
    #[case::end_in_the_midst_not_seen("+JobSubmit 1, +JobPoll 5, -JobPoll 6", "JobSubmit 1-5, JobPoll 5-6")]
    #[case::this_one_is_not_among_them("+JobPoll 1, -JobPoll 2, +RunClose 3", "JobPoll 1-2")]
    #[case::map_stands_for_what_is_in_it(
        "+Map 1, +Slice 2, +Slice 2, -Slice 3, -Slice 4, -Map 5, +JobPoll 5, -JobPoll 6",
        "Map 1-5, JobPoll 5-6"
    )]
    fn states_that_were_entered_are_paired_with_their_ends(#[case] events: &str, #[case] stages: &str) {
        let steps: Vec<_> = events
            .split(", ")
            .map(|event| {
                let (name, second) = event.split_once(' ').unwrap();
                let (entered, name) = (name.starts_with('+'), name.trim_start_matches(['+', '-']).to_owned());
                Step { map: name == "Map", name, at: at(second.parse().unwrap()), entered }
            })
            .collect();
        let told: Vec<_> = passed(&outermost(steps), at(99), "RunClose")
            .into_iter()
            .map(|stage| format!("{} {}-{}", stage.state, stage.entered.as_second(), stage.left.unwrap().as_second()))
            .collect();
        assert_eq!(told.join(", "), stages);
    }
}
