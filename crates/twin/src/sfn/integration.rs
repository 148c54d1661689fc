//! Calls of other services, in the words of the service integrations.

use serde_json::{Map, Value, json};

use super::definition::Target;
use super::failure::Failure;
use super::run::Run;
use crate::service::{Caller, Principal, ServiceError};

/// Errors that are common to all services: the SDK of the integration has no exception of its own for them and throws the
/// service's general one. Sources: "Common Errors" of the SQS API reference; Retry lists of AWS's own solutions, which name
/// `SQS.AmazonSQSException` for throttling and 5xx answers.
const COMMON_ERRORS: [&str; 4] = ["AccessDenied", "InternalFailure", "ServiceUnavailable", "Throttling"];

/// Calls the action with the task's parameters; its answer with the metadata that AWS adds.
pub(super) async fn call(run: &Run, target: Target, mut parameters: Value) -> Result<Value, Failure> {
    let execution = &run.execution;
    let caller = Caller {
        account: execution.account.clone(),
        region: execution.region.clone(),
        principal: Principal::Role(execution.machine.role_arn.clone()),
    };
    prepare(target, &mut parameters)?;
    let (service, _) = target.names();
    let Some(client) = run.shared.integrations.service(service) else {
        return Err(Failure::runtime(format!("the twin runs without the service '{service}'")));
    };
    let operation = match target {
        Target::SqsSendMessage => "SendMessage",
        Target::SnsPublish => "Publish",
        Target::EventsPutEvents => "PutEvents",
    };
    let request = run.shared.env.ids.uuid();
    let answer = client.call(&caller, operation, parameters).await;
    let answer = answer.map_err(|error| failure(target, &error, &request))?;
    if target == Target::EventsPutEvents && answer.get("FailedEntryCount").and_then(Value::as_u64).unwrap_or(0) > 0 {
        return Err(Failure::new("EventBridge.FailedEntry", answer.to_string()));
    }
    Ok(with_metadata(answer, &request))
}

/// Texts that the language lets be written as JSON become texts.
fn prepare(target: Target, parameters: &mut Value) -> Result<(), Failure> {
    let Some(members) = parameters.as_object_mut() else {
        return Err(Failure::runtime(format!("the parameters must be an object, not {parameters}")));
    };
    match target {
        Target::SqsSendMessage => {
            to_text(members, "MessageBody");
            known_host(members)
        }
        Target::SnsPublish => {
            to_text(members, "Message");
            Ok(())
        }
        Target::EventsPutEvents => {
            let entries = members.get_mut("Entries").and_then(Value::as_array_mut);
            for entry in entries.into_iter().flatten().filter_map(Value::as_object_mut) {
                to_text(entry, "Detail");
            }
            Ok(())
        }
    }
}

fn to_text(members: &mut Map<String, Value>, name: &str) {
    if let Some(value) = members.get_mut(name)
        && !value.is_string()
    {
        *value = Value::String(value.to_string());
    }
}

/// A queue URL without an account and a name is a host that nobody knows.
fn known_host(members: &Map<String, Value>) -> Result<(), Failure> {
    let url = members.get("QueueUrl").and_then(Value::as_str).unwrap_or_default();
    let host = url.split_once("://").map(|(_, rest)| rest).filter(|rest| !rest.contains('/'));
    match host {
        Some(host) => Err(Failure::new(
            "SQS.SdkClientException",
            format!("Unable to execute HTTP request: {host}: Name or service not known"),
        )),
        None => Ok(()),
    }
}

fn failure(target: Target, error: &ServiceError, request: &str) -> Failure {
    let (prefix, service) = match target {
        Target::SqsSendMessage => ("SQS", "AmazonSQS"),
        Target::SnsPublish => ("SNS", "AmazonSNS"),
        Target::EventsPutEvents => ("EventBridge", "AmazonCloudWatchEvents"),
    };
    let code = error.code.rsplit(['#', '.']).next().unwrap_or(&error.code);
    let code = if code == "NonExistentQueue" { "QueueDoesNotExist" } else { code };
    let plain = code.strip_suffix("Exception").unwrap_or(code);
    let shown = if target == Target::SnsPublish { plain } else { &error.code };
    let cause = format!(
        "{} (Service: {service}; Status Code: {}; Error Code: {shown}; Request ID: {request}; Proxy: null)",
        error.message, error.status
    );
    let general = target == Target::SqsSendMessage && COMMON_ERRORS.contains(&plain);
    let name = if general { service } else { plain };
    Failure::new(format!("{prefix}.{name}Exception"), cause)
}

fn with_metadata(answer: Value, request: &str) -> Value {
    let mut answer = match answer {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    answer.retain(|_, value| !value.is_null());
    let metadata = json!({
        "AllHttpHeaders": { "x-amzn-RequestId": [request] },
        "HttpHeaders": { "x-amzn-RequestId": request },
        "HttpStatusCode": 200,
    });
    answer.insert("SdkHttpMetadata".into(), metadata);
    answer.insert("SdkResponseMetadata".into(), json!({ "RequestId": request }));
    Value::Object(answer)
}
