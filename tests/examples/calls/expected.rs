//! What the deployment must say in Levee's own words.

use anyhow::{Context, Result};
use levee::deploy::{Plan, definition};
use levee_ledger::state::Run;
use serde_json::{Value, json};

use crate::night::SOURCES;

/// What stands for the moment of a tick.
const TICK: &str = "<aws.scheduler.scheduled-time>";
const A_TICK: &str = "2026-04-02T03:00:00Z";

/// The definition of the state machine, and what the schedules start.
pub(crate) fn lines() -> Result<impl Iterator<Item = Value>> {
    let plan = Plan::for_source("any");
    let queues = format!("https://sqs.{}.amazonaws.com/{}/{}", plan.region, plan.backup_account, plan.queue_prefix);
    let mut lines = vec![json!({ "kind": "definition", "text": definition(&queues) })];
    for source in SOURCES {
        lines.push(run(&Plan::for_source(source).scheduled_input("UTC", 2))?);
    }
    Ok(lines.into_iter())
}

/// The `run` of an execution's input as the stages read it.
pub(crate) fn run(input: &Value) -> Result<Value> {
    let text = input.to_string().replace(TICK, A_TICK);
    let input: Value = serde_json::from_str(&text)?;
    let run: Run = serde_json::from_value(input.get("run").cloned().context("the input has no `run`")?)
        .context("the stages cannot read `run`")?;
    Ok(json!({ "kind": "run", "run": run }))
}
