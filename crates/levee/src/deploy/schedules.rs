//! The schedules: one for each source, which starts an execution a day.

use anyhow::{Context, Result};
use aws_sdk_scheduler::{
    Client,
    primitives::DateTime,
    types::{DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, Target},
};
use jiff::Timestamp;
use levee_stage::Aws;
use serde_json::json;

use super::{Deployed, Plan, queues};

/// The universal target that starts executions.
pub const START_EXECUTION: &str = "arn:aws:scheduler:::aws-sdk:sfn:startExecution";
/// What could not be started: a tick that was delivered twice (`ExecutionAlreadyExists`, harmless), and what failed for
/// longer than the retry policy allows.
const DEAD_LETTERS: &str = "levee-schedules-dlq";
/// How long a start is tried: a night that begins in the morning is better than none.
const TRIED_FOR_SECONDS: i32 = 12 * 3600;
const TRIED_TIMES: i32 = 185;

/// When a source is backed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timetable {
    /// As Scheduler takes it, for example `cron(0 20 * * ? *)`.
    pub expression: String,
    /// The IANA zone of the expression and of the backup dates.
    pub time_zone: String,
    /// Days that Inventory is given to become consistent: a tick backs up the day so many days before.
    pub settle_days: u8,
    /// The first and the last moment of the schedule; without them it is for ever.
    pub between: Option<(Timestamp, Timestamp)>,
}

/// Makes the schedule of a source. Its executions are named after the source and the tick, so that a tick that is delivered
/// twice starts one execution.
///
/// # Errors
/// The first call that AWS refuses, with what was being set up.
pub async fn schedule(
    scheduler: &Client,
    backup: &Aws,
    plan: &Plan,
    deployed: &Deployed,
    timetable: &Timetable,
) -> Result<()> {
    let dead_letters = queues::queue(backup, DEAD_LETTERS, None).await?;
    let dead_letters = queues::arn(backup, &dead_letters).await?;
    let start = json!({
        "StateMachineArn": deployed.state_machine_arn,
        "Name": format!("{}-<aws.scheduler.execution-id>", plan.short_source()),
        "Input": plan.scheduled_input(&timetable.time_zone, timetable.settle_days).to_string(),
    });
    let retries = RetryPolicy::builder()
        .maximum_event_age_in_seconds(TRIED_FOR_SECONDS)
        .maximum_retry_attempts(TRIED_TIMES)
        .build();
    let target = Target::builder()
        .arn(START_EXECUTION)
        .role_arn(format!("arn:aws:iam::{}:role/levee-scheduler", plan.backup_account))
        .input(start.to_string())
        .retry_policy(retries)
        .dead_letter_config(DeadLetterConfig::builder().arn(dead_letters).build())
        .build()?;
    let on_time = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build()?;
    let name = format!("levee-{}", plan.short_source());
    let mut call = scheduler
        .create_schedule()
        .name(&name)
        .schedule_expression(&timetable.expression)
        .schedule_expression_timezone(&timetable.time_zone)
        .flexible_time_window(on_time)
        .target(target);
    if let Some((first, last)) = timetable.between {
        call = call.start_date(seconds(first)).end_date(seconds(last));
    }
    call.send().await.with_context(|| format!("cannot create the schedule {name}"))?;
    Ok(())
}

fn seconds(time: Timestamp) -> DateTime {
    DateTime::from_secs(time.as_second())
}
