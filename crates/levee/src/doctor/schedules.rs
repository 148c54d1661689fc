//! The schedule of a source: that it starts the right run, once, and when it should.

use aws_sdk_scheduler::{
    operation::get_schedule::GetScheduleOutput,
    types::{FlexibleTimeWindowMode, ScheduleState, Target},
};
use levee_ledger::{dates, state::Run};
use levee_stage::aws::error_code;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Examination, Finding, Source,
    finding::{Check, Fault, problem, refused},
};
use crate::deploy::START_EXECUTION;

/// The longest name of an execution.
const MAX_EXECUTION_NAME: usize = 80;
const APPLY: &str = "run terraform apply for the backup module";
/// What Scheduler puts in place of its keywords ("Context attributes" of the EventBridge Scheduler User Guide).
pub(crate) const SCHEDULED_TIME: (&str, &str) = ("<aws.scheduler.scheduled-time>", "2026-04-02T03:00:00Z");
const EXECUTION_ID: (&str, &str) = ("<aws.scheduler.execution-id>", "d32c5kddcf5bb8c3");

/// The input of an execution.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecutionInput {
    pub(crate) run: Run,
}

impl Examination<'_> {
    /// The schedule of a source.
    pub(super) async fn schedule(&self, source: &Source) -> Vec<Finding> {
        let finding = |check: &str, found| Finding::new(format!("schedule/{check}"), &source.schedule, found);
        let (name, group) = (&source.schedule, &self.deployment.schedule_group);
        let schedule = match self.backup.scheduler.get_schedule().name(name).group_name(group).send().await {
            Ok(schedule) => schedule,
            Err(error) if error_code(&error) == Some("ResourceNotFoundException") => {
                let detail =
                    format!("there is no such schedule in the group {group}: no run of {} is started", source.name);
                return vec![finding("exists", Err(problem(detail, APPLY)))];
            }
            Err(error) => {
                let arn = format!(
                    "arn:aws:scheduler:{}:{}:schedule/{group}/{name}",
                    self.deployment.region, self.deployment.account
                );
                return vec![finding("exists", Err(refused("scheduler:GetSchedule", &arn, &error)))];
            }
        };
        let mut findings = vec![
            finding("exists", Ok(format!("it starts runs of {}", source.name))),
            finding("enabled", enabled(source, &schedule)),
            finding("time-zone", time_zone(&schedule)),
            finding("window", window(&schedule)),
        ];
        match schedule.target() {
            None => findings.push(finding("target", Err(problem("it has no target", APPLY)))),
            Some(target) => {
                findings.push(finding("target", self.target(target)));
                findings.push(finding("execution-name", execution_name(target)));
                findings.push(finding("input", self.input(source, target)));
                findings.push(finding("dead-letters", self.dead_letters(target)));
            }
        }
        findings
    }

    fn target(&self, target: &Target) -> Check {
        if target.arn() != START_EXECUTION {
            return Err(problem(format!("its target is {}, not {START_EXECUTION}", target.arn()), APPLY));
        }
        let start = start(target)?;
        let (machine, wanted) = (text(&start, "StateMachineArn"), &self.deployment.state_machine_arn);
        if machine != wanted {
            return Err(problem(format!("it starts {machine}, not {wanted}"), APPLY));
        }
        let (role, wanted) = (target.role_arn(), self.deployment.role_arn("scheduler"));
        if role != wanted {
            return Err(problem(format!("it acts as {role}, not as {wanted}"), APPLY));
        }
        Ok(format!("it starts executions of {machine}"))
    }

    /// The input is one that this version takes, and names this source and the place of its inventories.
    fn input(&self, source: &Source, target: &Target) -> Check {
        let start = start(target)?;
        let run = replaced(text(&start, "Input"));
        let run: ExecutionInput = serde_json::from_str(&run).map_err(|error| {
            let hint =
                "in Terraform, jsonencode writes < and > as \\u003c and \\u003e, which Scheduler does not replace";
            problem(
                format!("the input of its executions is not one of this version: {error}"),
                format!("{APPLY}; {hint}"),
            )
        })?;
        let run = run.run;
        run.validate().map_err(|error| problem(error.cause, APPLY))?;
        if run.backup_date.is_some() || run.scheduled_time.is_none() {
            let detail = "every run would be for the same date: it needs scheduled_time and no backup_date";
            return Err(problem(detail, APPLY));
        }
        let deployment = self.deployment;
        let lock = source.snapshot.object_lock;
        let pairs = [
            ("run.source", run.source, source.name.clone()),
            ("run.source_account", run.source_account, source.account.clone()),
            ("run.inventory.bucket", run.inventory.bucket, deployment.manifest_bucket.clone()),
            ("run.inventory.prefix", run.inventory.prefix, deployment.inventory_prefix.clone()),
            ("run.inventory.id", run.inventory.id, source.inventory_id.clone()),
            ("run.snapshot.kms_key_arn", said(run.snapshot.kms_key_arn), said(source.snapshot.kms_key_arn.clone())),
            (
                "run.snapshot.storage_class",
                said(run.snapshot.storage_class),
                said(source.snapshot.storage_class.clone()),
            ),
            ("run.snapshot.object_lock", format!("{:?}", run.snapshot.object_lock), format!("{lock:?}")),
        ];
        let wrong: Vec<String> = pairs
            .into_iter()
            .filter(|(_, found, wanted)| found != wanted)
            .map(|(member, found, wanted)| format!("{member} is {found}, not {wanted}"))
            .collect();
        if wrong.is_empty() { Ok("it names this source".to_owned()) } else { Err(problem(wrong.join("; "), APPLY)) }
    }

    fn dead_letters(&self, target: &Target) -> Check {
        let wanted = self.deployment.queue_arn("schedules-dlq");
        match target.dead_letter_config().and_then(|config| config.arn()) {
            Some(arn) if arn == wanted => Ok(format!("starts that fail are in {arn}")),
            Some(arn) => Err(problem(format!("starts that fail are in {arn}, not in {wanted}"), APPLY)),
            None => Err(problem("it has no dead-letter queue: a start that fails leaves no trace", APPLY)),
        }
    }
}

fn enabled(source: &Source, schedule: &GetScheduleOutput) -> Check {
    let on = schedule.state() == Some(&ScheduleState::Enabled);
    match (source.enabled, on) {
        (true, true) => Ok("it is enabled".to_owned()),
        (false, false) => Ok("it is disabled, as the deployment says: no run is started".to_owned()),
        (true, false) => Err(problem("it is disabled: no run is started", APPLY)),
        (false, true) => Err(problem("it is enabled, and the deployment says that no run is to be started", APPLY)),
    }
}

fn time_zone(schedule: &GetScheduleOutput) -> Check {
    let zone = schedule.schedule_expression_timezone().unwrap_or("UTC");
    dates::zone(zone).map_err(|error| problem(error.cause, format!("correct time_zone of the source; {APPLY}")))?;
    Ok(format!("{} in {zone}", schedule.schedule_expression().unwrap_or_default()))
}

fn window(schedule: &GetScheduleOutput) -> Check {
    match schedule.flexible_time_window().map(|window| window.mode()) {
        Some(FlexibleTimeWindowMode::Off) => Ok("it starts on time".to_owned()),
        other => {
            let said = other.map_or("not set", FlexibleTimeWindowMode::as_str);
            Err(problem(format!("its flexible time window is {said}; OFF is expected"), APPLY))
        }
    }
}

/// A tick that is delivered twice is refused as an execution that exists: the name is made of the source and the tick.
fn execution_name(target: &Target) -> Check {
    let start = start(target)?;
    let given = text(&start, "Name");
    let name = replaced(given);
    if !given.contains(EXECUTION_ID.0) {
        let detail = format!(
            "its executions are named {given:?}, without {}: a tick that comes twice starts two",
            EXECUTION_ID.0
        );
        return Err(problem(detail, APPLY));
    }
    let length = name.chars().count();
    if length > MAX_EXECUTION_NAME {
        let detail = format!("the names of its executions have {length} characters, {MAX_EXECUTION_NAME} are allowed");
        return Err(problem(detail, APPLY));
    }
    Ok(format!("executions are named like {name}"))
}

fn start(target: &Target) -> Result<Value, Fault> {
    serde_json::from_str(target.input().unwrap_or_default())
        .map_err(|error| problem(format!("the input of its target is not JSON: {error}"), APPLY))
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn said(value: Option<String>) -> String {
    value.unwrap_or_else(|| "not set".to_owned())
}

/// The text as Scheduler hands it on.
pub(crate) fn replaced(text: &str) -> String {
    [SCHEDULED_TIME, EXECUTION_ID].iter().fold(text.to_owned(), |text, (keyword, value)| text.replace(keyword, value))
}
