//! What the deployment must say in Levee's own words.

use anyhow::{Context, Result};
use levee::deploy::{
    DRILL_STATE_MACHINE_NAME, Plan, RESTORE_STATE_MACHINE_NAME, STATE_MACHINE_NAME, definition, drill_definition,
    restore_definition, source_bucket_policy,
};
use levee_ledger::state::Run;
use serde_json::{Value, json};

use crate::night::{PLAIN, SOURCES};

/// What stands for the moment of a tick.
const TICK: &str = "<aws.scheduler.scheduled-time>";
const A_TICK: &str = "2026-04-02T03:00:00Z";

/// The definitions of the state machines, what lets restores in, and what the schedules start.
pub(crate) fn lines() -> Result<impl Iterator<Item = Value>> {
    let plan = Plan::for_source("any");
    let queues = format!("https://sqs.{}.amazonaws.com/{}/{}", plan.region, plan.backup_account, plan.queue_prefix);
    let machines = [
        (STATE_MACHINE_NAME, definition(&queues)),
        (RESTORE_STATE_MACHINE_NAME, restore_definition(&queues)),
        (DRILL_STATE_MACHINE_NAME, drill_definition(&queues)),
    ];
    let mut lines: Vec<_> =
        machines.into_iter().map(|(name, text)| json!({ "kind": "definition", "name": name, "text": text })).collect();
    lines.push(target(PLAIN));
    for source in SOURCES {
        lines.push(run(&Plan::for_source(source).scheduled_input("UTC", 2))?);
    }
    Ok(lines.into_iter())
}

/// What the policy of a source has for restores.
fn target(source: &str) -> Value {
    let policy = source_bucket_policy(&Plan::for_source(source).with_restores());
    let statements = policy.get("Statement").and_then(Value::as_array).into_iter().flatten();
    let of_restores =
        |statement: &&Value| statement.get("Sid").and_then(Value::as_str).is_some_and(|sid| sid.starts_with("Restore"));
    let statements: Vec<_> = statements.filter(of_restores).collect();
    json!({ "kind": "target", "bucket": source, "statements": statements })
}

/// The `run` of an execution's input as the stages read it.
pub(crate) fn run(input: &Value) -> Result<Value> {
    let text = input.to_string().replace(TICK, A_TICK);
    let input: Value = serde_json::from_str(&text)?;
    let run: Run = serde_json::from_value(input.get("run").cloned().context("the input has no `run`")?)
        .context("the stages cannot read `run`")?;
    Ok(json!({ "kind": "run", "run": run }))
}
