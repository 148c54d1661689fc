//! Executions.

use std::sync::Arc;

use serde_json::{Value, json};

use super::machines::machine_arn;
use super::{Answer, Request, too_long};
use crate::service::ServiceError;
use crate::sfn::arn;
use crate::sfn::execution::{Execution, Status, summary};
use crate::sfn::failure::Failure;
use crate::sfn::history::{epoch, put};
use crate::sfn::interpret::DATA_BYTES;
use crate::sfn::run::Run;

pub(super) fn start(request: &Request<'_>) -> Answer {
    let machine_arn = machine_arn(request)?;
    let name = match request.maybe_text("name")? {
        Some(name) => name.to_owned(),
        None => request.shared.env.ids.uuid(),
    };
    arn::check_name(&name)?;
    let text = request.maybe_text("input")?.unwrap_or("{}");
    if text.len() > DATA_BYTES {
        return Err(too_long("input", DATA_BYTES));
    }
    let input: Value = serde_json::from_str(text).map_err(|error| {
        let message = format!("Invalid State Machine Execution Input: '{error}'");
        ServiceError::client("InvalidExecutionInput", message)
    })?;
    let now = request.shared.env.clock.now();
    let arn = arn::execution(machine_arn, &name);
    let execution = {
        let mut store = request.shared.store();
        let machine = store.machine(machine_arn)?;
        if machine.deleting {
            let message = format!("State Machine Does Not Exist: '{machine_arn}'");
            return Err(ServiceError::client("StateMachineDoesNotExist", message));
        }
        let machine = machine.at_start();
        if let Some(known) = store.known(&arn) {
            return again(&known, text);
        }
        let (account, region) = (request.caller.account.clone(), request.caller.region.clone());
        let execution = Execution::start(arn, name, account, region, machine, text.to_owned(), input, now);
        let execution = Arc::new(execution);
        store.add(Arc::clone(&execution));
        execution
    };
    request.shared.status_changed(&execution);
    let answer = json!({ "executionArn": execution.arn, "startDate": epoch(now) });
    Run { shared: Arc::clone(request.shared), execution, number: 0, resumed_at: 0 }.spawn();
    Ok(answer)
}

/// The same name again: the same execution while it runs with the same input, else an error.
fn again(known: &Execution, text: &str) -> Answer {
    if known.live().status == Status::Running && known.input_text == text {
        return Ok(json!({ "executionArn": known.arn, "startDate": epoch(known.started) }));
    }
    let message = format!("Execution Already Exists: '{}'", known.arn);
    Err(ServiceError::client("ExecutionAlreadyExists", message))
}

pub(super) fn stop(request: &Request<'_>) -> Answer {
    let execution = named(request)?;
    let error = request.limited("error", 256)?;
    let cause = request.limited("cause", 32_768)?;
    let now = request.shared.env.clock.now();
    let last = execution.root.last();
    let stopped = {
        let mut live = execution.live();
        let running = live.status == Status::Running;
        if running {
            live.end(now, Status::Aborted, last, Err(Failure::reported(error, cause)));
        }
        (live.stopped.unwrap_or(now), running)
    };
    if stopped.1 {
        request.shared.ended(&execution);
    }
    Ok(json!({ "stopDate": epoch(stopped.0) }))
}

pub(super) fn describe(request: &Request<'_>) -> Answer {
    let execution = named(request)?;
    let machine_exists = request.shared.store().is_there(&execution.machine.arn);
    let now = request.shared.env.clock.now();
    let live = execution.live();
    let mut answer = summary(&execution, &live);
    put(&mut answer, "input", json!(execution.input_text));
    put(&mut answer, "inputDetails", json!({ "included": true }));
    if let Some(output) = &live.output {
        put(&mut answer, "output", json!(output.to_string()));
        put(&mut answer, "outputDetails", json!({ "included": true }));
    }
    for (name, value) in [("error", &live.error), ("cause", &live.cause)] {
        if let Some(value) = value {
            put(&mut answer, name, json!(value));
        }
    }
    match execution.not_redrivable(&live, machine_exists, now) {
        Some(reason) => {
            put(&mut answer, "redriveStatus", json!("NOT_REDRIVABLE"));
            put(&mut answer, "redriveStatusReason", json!(reason));
        }
        None => put(&mut answer, "redriveStatus", json!("REDRIVABLE")),
    }
    Ok(answer)
}

pub(super) fn list(request: &Request<'_>) -> Answer {
    if request.body.get("mapRunArn").is_some_and(|arn| !arn.is_null()) {
        return Err(ServiceError::not_modelled("Map Runs"));
    }
    let machine = machine_arn(request)?;
    let status = request.maybe_text("statusFilter")?;
    let redriven = request.maybe_text("redriveFilter")?;
    let executions = {
        let mut store = request.shared.store();
        store.machine(machine)?;
        store.executions_of(machine)
    };
    let items = executions.iter().filter_map(|execution| {
        let live = execution.live();
        let wanted = status.is_none_or(|status| status == live.status.name())
            && redriven.is_none_or(|filter| (filter == "REDRIVEN") == (live.redrives > 0));
        wanted.then(|| summary(execution, &live))
    });
    request.page("executions", items.collect())
}

pub(super) fn history(request: &Request<'_>) -> Answer {
    let execution = named(request)?;
    let with_data = request.body.get("includeExecutionData") != Some(&Value::Bool(false));
    let live = execution.live();
    let mut events: Vec<Value> =
        live.history.iter().enumerate().map(|(index, event)| event.to_json(index + 1, with_data)).collect();
    if request.flag("reverseOrder") {
        events.reverse();
    }
    request.page("events", events)
}

/// The execution that the call names.
pub(super) fn named(request: &Request<'_>) -> Result<Arc<Execution>, ServiceError> {
    let arn = request.text("executionArn")?;
    arn::check(request.caller, arn, "execution")?;
    request.shared.store().execution(arn)
}
