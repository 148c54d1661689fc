//! `levee start`: starts a run by hand, with the settings that the schedule of its source has.
//!
//! For the first night, for a date that was missed, and for one whose run can no longer be redriven: a new execution takes
//! the date over from one that ended without success.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use jiff::{Timestamp, civil::Date};
use levee_clock::Clock;
use levee_ledger::{dates, state::Run};
use levee_stage::{Aws, aws::error_code};
use serde::Deserialize;

use crate::doctor::{
    Clients, Deployment, Source,
    schedules::{ExecutionInput, SCHEDULED_TIME},
};

/// Executions that a day may have by hand. More are a sign that something else is wrong.
const MOST_OF_A_DAY: u32 = 50;

/// The settings of `levee start`.
#[derive(Clone, Debug, clap::Args)]
pub struct StartSettings {
    /// The description of the deployment: terraform output -json deployment > deployment.json
    #[arg(value_name = "DEPLOYMENT.json")]
    pub deployment: PathBuf,

    /// The bucket to back up
    #[arg(value_name = "SOURCE")]
    pub source: String,

    /// The day to back up. Without it: today less the settle days, in the time zone of the schedule
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub backup_date: Option<Date>,
}

/// An execution that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The execution.
    pub execution_arn: String,
    /// The day that it backs up.
    pub backup_date: Date,
}

/// What a schedule starts: the parameters of its call of StartExecution.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scheduled {
    state_machine_arn: String,
    input: String,
}

/// Runs the command.
///
/// # Errors
/// There is no such deployment or source, or the run cannot be started.
pub async fn run(settings: &StartSettings) -> Result<ExitCode> {
    let deployment = Deployment::read(&settings.deployment)?;
    let backup = Clients::from_env(&deployment.region).await;
    let source = deployment.source(&settings.source)?;
    let started = start(&backup, &deployment, source, settings.backup_date, Clock::system().now()).await?;
    tell(&deployment, source, &started);
    Ok(ExitCode::SUCCESS)
}

/// Starts a run of `source`: of `backup_date`, or of the day that a tick of the schedule would stand for at `now`.
///
/// Two calls at the same time may start two executions: one of them claims the date, and the other one fails with
/// `Levee.RunAlreadyClaimed`.
///
/// # Errors
/// The schedule cannot be read or does not start runs of this version; the execution is refused.
pub async fn start(
    backup: &Clients,
    deployment: &Deployment,
    source: &Source,
    backup_date: Option<Date>,
    now: Timestamp,
) -> Result<Started> {
    let scheduled = scheduled(backup, deployment, source).await?;
    let mut run = run_at(&scheduled.input, now).with_context(|| {
        format!("the schedule {} does not start runs that this levee knows; levee doctor says more", source.schedule)
    })?;
    let backup_date = match backup_date {
        Some(date) => date,
        None => dates::backup_date(&run)?,
    };
    run.backup_date = Some(backup_date);
    run.scheduled_time = None;
    run.validate()?;
    let input = serde_json::to_string(&ExecutionInput { run })?;
    let name = format!("{}-{backup_date}", source.short_name());
    let execution_arn = first_free(&backup.aws, &scheduled.state_machine_arn, &name, &input).await?;
    Ok(Started { execution_arn, backup_date })
}

async fn scheduled(backup: &Clients, deployment: &Deployment, source: &Source) -> Result<Scheduled> {
    let (group, name) = (&deployment.schedule_group, &source.schedule);
    let schedule = backup.scheduler.get_schedule().group_name(group).name(name).send().await.with_context(|| {
        format!("cannot read the schedule {name} of the group {group}, which has the settings of {}", source.name)
    })?;
    let input = schedule.target().and_then(|target| target.input()).unwrap_or_default();
    serde_json::from_str(input).with_context(|| format!("the schedule {name} does not start executions"))
}

/// The run that a tick at `now` would start.
fn run_at(input: &str, now: Timestamp) -> Result<Run> {
    let (keyword, _) = SCHEDULED_TIME;
    let input: ExecutionInput = serde_json::from_str(&input.replace(keyword, &now.to_string()))?;
    Ok(input.run)
}

/// Starts the execution under the first of the names that is free: an execution keeps its name for 90 days.
async fn first_free(aws: &Aws, state_machine_arn: &str, name: &str, input: &str) -> Result<String> {
    for number in 1..=MOST_OF_A_DAY {
        if let Some(started) = start_as(aws, state_machine_arn, &numbered(name, number), input).await? {
            return Ok(started);
        }
    }
    bail!("{name} was started {MOST_OF_A_DAY} times already: see what became of those executions first")
}

/// The name of the execution of that number: the first one has none.
pub(crate) fn numbered(name: &str, number: u32) -> String {
    if number == 1 { name.to_owned() } else { format!("{name}-{number}") }
}

/// Starts the execution under a name; none when the name is taken. One with the same input that still runs is the same one.
pub(crate) async fn start_as(aws: &Aws, state_machine_arn: &str, name: &str, input: &str) -> Result<Option<String>> {
    let call = aws.sfn.start_execution().state_machine_arn(state_machine_arn).name(name).input(input);
    match call.send().await {
        Ok(started) => Ok(Some(started.execution_arn().to_owned())),
        Err(error) if error_code(&error) == Some("ExecutionAlreadyExists") => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot start the execution {name} of {state_machine_arn}")),
    }
}

#[expect(clippy::print_stdout, reason = "what a person asked for")]
fn tell(deployment: &Deployment, source: &Source, started: &Started) {
    let (arn, region) = (&started.execution_arn, &deployment.region);
    println!("{arn}");
    println!("backs up {} for {}. Look at it in the console:", source.name, started.backup_date);
    println!("https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{arn}");
}
