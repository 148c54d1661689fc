//! State machines.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Answer, Request, invalid, tags};
use crate::service::ServiceError;
use crate::sfn::definition::Machine;
use crate::sfn::history::{epoch, put};
use crate::sfn::store::StateMachine;
use crate::sfn::{arn, parse};

pub(super) fn create(request: &Request<'_>) -> Answer {
    let name = request.text("name")?;
    let text = request.text("definition")?;
    let role_arn = role(request.text("roleArn")?)?;
    arn::check_name(name)?;
    only_standard(request)?;
    let definition = definition(text)?;
    let logging = setting(request, "loggingConfiguration", json!({ "includeExecutionData": false, "level": "OFF" }));
    let tracing = setting(request, "tracingConfiguration", json!({ "enabled": false }));
    let tags = tags::read(request.body.get("tags"))?;
    let arn = arn::machine(request.caller, name);
    let now = request.shared.env.clock.now();
    let mut store = request.shared.store();
    if let Some(known) = store.machines.get(&arn) {
        if known.deleting {
            let message = format!("State Machine is being deleted: '{arn}'");
            return Err(ServiceError::client("StateMachineDeleting", message));
        }
        if known.text != text || known.logging != logging || known.tracing != tracing {
            let message = format!("State Machine Already Exists: '{arn}'");
            return Err(ServiceError::client("StateMachineAlreadyExists", message));
        }
        return Ok(json!({ "stateMachineArn": arn, "creationDate": epoch(known.created) }));
    }
    let machine = StateMachine {
        arn: arn.clone(),
        name: name.to_owned(),
        role_arn,
        definition,
        text: text.to_owned(),
        logging,
        tracing,
        created: now,
        updated: now,
        revision: None,
        tags,
        deleting: false,
    };
    store.machines.insert(arn.clone(), machine);
    Ok(json!({ "stateMachineArn": arn, "creationDate": epoch(now) }))
}

pub(super) fn update(request: &Request<'_>) -> Answer {
    let arn = machine_arn(request)?;
    only_standard(request)?;
    let text = request.maybe_text("definition")?;
    let changed = text.map(definition).transpose()?;
    let role_arn = request.maybe_text("roleArn")?.map(role).transpose()?;
    let names = ["loggingConfiguration", "tracingConfiguration"];
    if text.is_none() && role_arn.is_none() && names.iter().all(|name| request.body.get(*name).is_none()) {
        let message = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified";
        return Err(ServiceError::client("MissingRequiredParameter", message));
    }
    let now = request.shared.env.clock.now();
    let revision = request.shared.env.ids.uuid();
    let mut store = request.shared.store();
    let machine = store.machine(arn)?;
    if machine.deleting {
        return Err(ServiceError::client("StateMachineDeleting", format!("State Machine is being deleted: '{arn}'")));
    }
    if let (Some(text), Some(changed)) = (text, changed) {
        machine.text = text.to_owned();
        machine.definition = changed;
    }
    if let Some(role_arn) = role_arn {
        machine.role_arn = role_arn;
    }
    machine.logging = setting(request, "loggingConfiguration", machine.logging.clone());
    machine.tracing = setting(request, "tracingConfiguration", machine.tracing.clone());
    machine.updated = now;
    machine.revision = Some(revision.clone());
    Ok(json!({ "updateDate": epoch(now), "revisionId": revision }))
}

pub(super) fn describe(request: &Request<'_>) -> Answer {
    let arn = machine_arn(request)?;
    let mut store = request.shared.store();
    let machine = store.machine(arn)?;
    let mut answer = json!({
        "stateMachineArn": machine.arn,
        "name": machine.name,
        "status": if machine.deleting { "DELETING" } else { "ACTIVE" },
        "definition": machine.text,
        "roleArn": machine.role_arn,
        "type": "STANDARD",
        "creationDate": epoch(machine.created),
        "loggingConfiguration": machine.logging,
        "tracingConfiguration": machine.tracing,
    });
    if let Some(revision) = &machine.revision {
        put(&mut answer, "revisionId", json!(revision));
    }
    Ok(answer)
}

pub(super) fn describe_for_execution(request: &Request<'_>) -> Answer {
    let arn = request.text("executionArn")?;
    arn::check(request.caller, arn, "execution")?;
    let execution = request.shared.store().execution(arn)?;
    let machine = &execution.machine;
    Ok(json!({
        "stateMachineArn": machine.arn,
        "name": machine.name,
        "definition": machine.text,
        "roleArn": machine.role_arn,
        "updateDate": epoch(machine.updated),
        "loggingConfiguration": { "includeExecutionData": false, "level": "OFF" },
        "tracingConfiguration": { "enabled": false },
    }))
}

pub(super) fn list(request: &Request<'_>) -> Answer {
    let prefix = arn::machine(request.caller, "");
    let store = request.shared.store();
    let own = store.machines.values().filter(|machine| machine.arn.starts_with(&prefix));
    let items = own.map(|machine| {
        json!({
            "stateMachineArn": machine.arn,
            "name": machine.name,
            "type": "STANDARD",
            "creationDate": epoch(machine.created),
        })
    });
    request.page("stateMachines", items.collect())
}

pub(super) fn delete(request: &Request<'_>) -> Answer {
    let arn = machine_arn(request)?;
    let mut store = request.shared.store();
    // Deleting what is not there succeeds, as on AWS.
    if let Ok(machine) = store.machine(arn) {
        machine.deleting = true;
    }
    store.sweep(arn);
    Ok(json!({}))
}

pub(super) fn validate(request: &Request<'_>) -> Answer {
    only_standard(request)?;
    let limit = match request.body.get("maxResults").and_then(Value::as_u64).unwrap_or(0) {
        0 => 100,
        limit @ 1..=100 => usize::try_from(limit).unwrap_or(100),
        _ => return Err(invalid("maxResults must be at most 100")),
    };
    let found = parse::machine(request.text("definition")?).err().unwrap_or_default();
    let diagnostics: Vec<Value> = found.iter().take(limit).map(parse::Diagnostic::to_json).collect();
    Ok(json!({
        "result": if found.is_empty() { "OK" } else { "FAIL" },
        "diagnostics": diagnostics,
        "truncated": found.len() > limit,
    }))
}

/// The state machine that the call names.
pub(super) fn machine_arn<'a>(request: &'a Request<'_>) -> Result<&'a str, ServiceError> {
    let arn = request.text("stateMachineArn")?;
    arn::check(request.caller, arn, "stateMachine")?;
    Ok(arn)
}

fn definition(text: &str) -> Result<Arc<Machine>, ServiceError> {
    parse::machine(text).map(Arc::new).map_err(|found| {
        let found: Vec<String> = found.iter().map(parse::Diagnostic::to_text).collect();
        let message = format!("Invalid State Machine Definition: '{}'", found.join(", "));
        ServiceError::client("InvalidDefinition", message)
    })
}

fn role(arn: &str) -> Result<String, ServiceError> {
    if arn.starts_with("arn:aws:iam::") {
        return Ok(arn.to_owned());
    }
    Err(ServiceError::client("InvalidArn", format!("Invalid Role Arn: '{arn}'")))
}

fn setting(request: &Request<'_>, name: &str, otherwise: Value) -> Value {
    request.body.get(name).filter(|value| !value.is_null()).cloned().unwrap_or(otherwise)
}

fn only_standard(request: &Request<'_>) -> Result<(), ServiceError> {
    match request.maybe_text("type")? {
        None | Some("STANDARD") => {}
        Some(other) => return Err(ServiceError::not_modelled(format_args!("state machines of type {other}"))),
    }
    if request.flag("publish") {
        return Err(ServiceError::not_modelled("versions of state machines"));
    }
    Ok(())
}
