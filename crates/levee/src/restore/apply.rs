//! `levee restore apply`: starts what a plan says, and follows it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use aws_sdk_sfn::types::ExecutionStatus;
use levee_clock::Clock;
use levee_ledger::{
    Ledger,
    restore::{RESTORE_PLAN_VERSION, RestorePlan},
};
use levee_restore::run_of;
use levee_stage::Aws;

use super::follow::follow;
use crate::{
    doctor::schedules::ExecutionInput,
    exit,
    start::{numbered, start_as},
};

/// Executions that a restore may have. More are a sign that something else is wrong.
const MOST: u32 = 50;

/// The settings of `levee restore apply`.
#[derive(Clone, Debug, clap::Args)]
pub struct ApplySettings {
    /// The plan, as `levee restore plan --out` has written it
    #[arg(value_name = "PLAN.json")]
    pub plan: PathBuf,

    /// Start it, say how to follow it, and end
    #[arg(long)]
    pub no_wait: bool,
}

/// An execution that carries a part of a plan out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The execution.
    pub execution_arn: String,
    /// Whether it had ended with success before.
    pub done_before: bool,
}

/// Carries a plan out, and follows it unless that is not wanted.
///
/// # Errors
/// The plan cannot be read or is none; AWS refuses to start it.
#[expect(clippy::print_stdout, reason = "what was asked for goes to standard output")]
pub async fn apply(aws: &Aws, settings: &ApplySettings, clock: &Clock) -> Result<ExitCode> {
    let place = settings.plan.display();
    let text = std::fs::read(&settings.plan).with_context(|| format!("the plan {place} cannot be read"))?;
    let plan: RestorePlan =
        serde_json::from_slice(&text).with_context(|| format!("{place} is no plan of a restore"))?;
    let mut code = ExitCode::SUCCESS;
    for applied in start(aws, &plan).await? {
        let arn = &applied.execution_arn;
        if applied.done_before {
            println!("{arn}\nhas carried the plan out before: there is nothing to do");
        } else if settings.no_wait {
            println!("{arn}\nFollow it: aws stepfunctions describe-execution --execution-arn {arn}");
        } else {
            println!("{arn}");
            let followed = follow(aws, arn, clock, |line| println!("{line}")).await?;
            println!("{}", followed.told());
            if !followed.succeeded() {
                code = ExitCode::from(exit::FAILED);
            }
        }
    }
    Ok(code)
}

/// Starts the executions of a plan, one for each snapshot bucket. One that runs already is not started twice, and one that has ended
/// without success is followed by another, which goes on with its work.
///
/// # Errors
/// The plan is of another release; AWS refuses.
pub async fn start(aws: &Aws, plan: &RestorePlan) -> Result<Vec<Applied>> {
    if plan.version != RESTORE_PLAN_VERSION {
        bail!(
            "the plan has the form {}, this levee knows {RESTORE_PLAN_VERSION}: make it with this release",
            plan.version
        );
    }
    let ledger = Ledger::new(aws.s3.clone(), &plan.ledger_bucket);
    let mut started = Vec::new();
    for execution in plan.executions()? {
        let written = ledger.write_once(&plan.key(&execution.id), plan).await?;
        let run = run_of(plan, &execution, written.pointer().clone(), false);
        run.validate()?;
        let input = serde_json::to_string(&ExecutionInput { run })?;
        started.push(first_free(aws, &plan.state_machine_arn, &format!("restore-{}", execution.id), &input).await?);
    }
    Ok(started)
}

/// Starts the execution under the first name that is free, unless one of them runs or has succeeded.
async fn first_free(aws: &Aws, machine: &str, name: &str, input: &str) -> Result<Applied> {
    let executions = machine.replacen(":stateMachine:", ":execution:", 1);
    for number in 1..=MOST {
        let name = numbered(name, number);
        if let Some(execution_arn) = start_as(aws, machine, &name, input).await? {
            return Ok(Applied { execution_arn, done_before: false });
        }
        let execution_arn = format!("{executions}:{name}");
        let known = aws.sfn.describe_execution().execution_arn(&execution_arn).send().await;
        let known = known.with_context(|| format!("cannot look at {execution_arn}, which was started before"))?;
        match known.status() {
            ExecutionStatus::Succeeded => return Ok(Applied { execution_arn, done_before: true }),
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => {
                return Ok(Applied { execution_arn, done_before: false });
            }
            _ => {}
        }
    }
    bail!("{name} was started {MOST} times already: see what became of those executions first")
}
