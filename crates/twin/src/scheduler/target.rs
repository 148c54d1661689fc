//! Targets: the calls that a schedule makes.

use serde_json::{Map, Value, json};

use super::groups::GroupKey;
use crate::{events::input, retry::RetryPolicy, service::ServiceError};

/// The universal target for Step Functions.
const START_EXECUTION: &str = "arn:aws:scheduler:::aws-sdk:sfn:startExecution";
/// The members of a target that the twin knows.
const KNOWN: [&str; 6] = ["Arn", "DeadLetterConfig", "EventBridgeParameters", "Input", "RetryPolicy", "RoleArn"];
/// The members of the universal target's input: those of StartExecution, in the SDKs' pascal case.
const START_MEMBERS: [&str; 3] = ["Input", "Name", "StateMachineArn"];
/// The most bytes of `Input`.
const INPUT_LIMIT: usize = 262_144;

/// A target that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Target {
    arn: String,
    kind: Kind,
    input: String,
    pub(super) role_arn: String,
    pub(super) retries: RetryPolicy,
    pub(super) dead_letter_arn: Option<String>,
    given: Map<String, Value>,
}

#[derive(Clone, Debug)]
enum Kind {
    StartExecution,
    StateMachine,
    Queue,
    Topic,
    Bus { source: String, detail_type: String },
}

/// The values of the context attributes, `<aws.scheduler.…>`.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a> {
    pub(super) schedule_arn: &'a str,
    pub(super) scheduled_time: &'a str,
    pub(super) execution_id: &'a str,
    pub(super) attempt: u32,
}

/// A call to be made.
#[derive(Debug)]
pub(super) struct TargetCall {
    /// The signing name.
    pub(super) service: &'static str,
    pub(super) operation: &'static str,
    pub(super) body: Value,
}

impl Target {
    /// # Errors
    /// `ValidationException`; `NotImplemented` for targets and members that the twin does not have, named.
    pub(super) fn parse(target: &Value, group: &GroupKey) -> Result<Self, ServiceError> {
        let given = target.as_object().ok_or_else(|| input::invalid("Target is required"))?;
        let unknown = given.iter().find(|(name, value)| !value.is_null() && !KNOWN.contains(&name.as_str()));
        if let Some((name, _)) = unknown {
            return Err(ServiceError::not_modelled(format_args!("{name} of targets of schedules")));
        }
        let arn = input::text(target, "Arn")?;
        let kind = Kind::of(arn, target, group)?;
        let role_arn = input::text(target, "RoleArn")?;
        if !role_arn.starts_with(&format!("arn:aws:iam::{}:role/", group.account)) {
            let reason = format!("RoleArn {role_arn} is not the ARN of a role of the account {}", group.account);
            return Err(input::invalid(reason));
        }
        // AWS then sends a default notification, of which no document shows the content.
        let text = input::optional_text(target, "Input")?
            .ok_or_else(|| ServiceError::not_modelled("targets of schedules without Input"))?;
        kind.check_input(text)?;
        Ok(Self {
            arn: arn.to_owned(),
            kind,
            input: text.to_owned(),
            role_arn: role_arn.to_owned(),
            retries: RetryPolicy::parse(target)?,
            dead_letter_arn: dead_letter_queue(target, &group.region)?,
            given: given.clone(),
        })
    }

    pub(super) fn arn(&self) -> &str {
        &self.arn
    }

    /// The target as it was given, with the retry policy that holds.
    pub(super) fn to_json(&self) -> Value {
        let mut members = self.given.clone();
        members.retain(|_, value| !value.is_null());
        members.insert("RetryPolicy".to_owned(), self.retries.to_json());
        Value::Object(members)
    }

    /// The call with the context attributes put in.
    pub(super) fn call(&self, attributes: &Attributes<'_>) -> TargetCall {
        let text = attributes.fill(&self.input);
        let call = |service, operation, body| TargetCall { service, operation, body };
        match &self.kind {
            Kind::StartExecution => call("states", "StartExecution", start_body(&text)),
            Kind::StateMachine => call("states", "StartExecution", json!({"stateMachineArn": self.arn, "input": text})),
            Kind::Queue => call("sqs", "SendMessage", json!({"QueueUrl": queue_url(&self.arn), "MessageBody": text})),
            Kind::Topic => call("sns", "Publish", json!({"TopicArn": self.arn, "Message": text})),
            Kind::Bus { source, detail_type } => {
                let (source, detail_type) = (attributes.fill(source), attributes.fill(detail_type));
                let entry =
                    json!({"EventBusName": self.arn, "Source": source, "DetailType": detail_type, "Detail": text});
                call("events", "PutEvents", json!({"Entries": [entry]}))
            }
        }
    }

    /// The target as dead letters name it: `arn:aws:scheduler:::aws-sdk:service:apiAction`.
    pub(super) fn call_arn(&self) -> &'static str {
        match self.kind {
            Kind::StartExecution | Kind::StateMachine => START_EXECUTION,
            Kind::Queue => "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
            Kind::Topic => "arn:aws:scheduler:::aws-sdk:sns:publish",
            Kind::Bus { .. } => "arn:aws:scheduler:::aws-sdk:eventbridge:putEvents",
        }
    }
}

impl Kind {
    fn of(arn: &str, target: &Value, group: &GroupKey) -> Result<Self, ServiceError> {
        let unknown = || {
            ServiceError::not_modelled(format_args!(
                "the target {arn} of schedules: only {START_EXECUTION}, state machines, standard queues, topics and \
                 event buses of the schedule's Region"
            ))
        };
        let parameters = target.get("EventBridgeParameters").filter(|value| !value.is_null());
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let kind = match parts.as_slice() {
            _ if arn == START_EXECUTION => Self::StartExecution,
            ["arn", "aws", service, region, _, name] if *region == group.region && !arn.ends_with(".fifo") => {
                match *service {
                    "states" if name.starts_with("stateMachine:") => Self::StateMachine,
                    "sqs" => Self::Queue,
                    "sns" => Self::Topic,
                    "events" if name.starts_with("event-bus/") => {
                        let needs = || input::invalid("a target that is an event bus needs EventBridgeParameters");
                        let parameters = parameters.ok_or_else(needs)?;
                        let detail_type = input::text(parameters, "DetailType")?.to_owned();
                        Self::Bus { source: source(parameters)?.to_owned(), detail_type }
                    }
                    _ => return Err(unknown()),
                }
            }
            _ => return Err(unknown()),
        };
        if parameters.is_some() && !matches!(kind, Self::Bus { .. }) {
            return Err(input::invalid(format!("EventBridgeParameters are for event buses, not for {arn}")));
        }
        Ok(kind)
    }

    fn check_input(&self, text: &str) -> Result<(), ServiceError> {
        if text.is_empty() || text.len() > INPUT_LIMIT {
            return Err(input::invalid(format!("Input must have 1 to {INPUT_LIMIT} bytes")));
        }
        if matches!(self, Self::Queue | Self::Topic) {
            return Ok(());
        }
        let value: Value = serde_json::from_str(text)
            .map_err(|error| input::invalid(format!("Input must be well-formed JSON for this target: {error}")))?;
        if matches!(self, Self::StartExecution) {
            return check_start(&value);
        }
        Ok(())
    }
}

impl Attributes<'_> {
    fn fill(&self, text: &str) -> String {
        text.replace("<aws.scheduler.schedule-arn>", self.schedule_arn)
            .replace("<aws.scheduler.scheduled-time>", self.scheduled_time)
            .replace("<aws.scheduler.execution-id>", self.execution_id)
            .replace("<aws.scheduler.attempt-number>", &self.attempt.to_string())
    }
}

/// The queue's URL, of which the host does not matter here.
pub(super) fn queue_url(arn: &str) -> String {
    let mut parts = arn.rsplit(':');
    let (name, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let region = parts.next().unwrap_or_default();
    format!("https://sqs.{region}.amazonaws.com/{account}/{name}")
}

fn dead_letter_queue(target: &Value, region: &str) -> Result<Option<String>, ServiceError> {
    let config = target.get("DeadLetterConfig").unwrap_or(&Value::Null);
    let Some(arn) = input::optional_text(config, "Arn")? else { return Ok(None) };
    if !arn.starts_with(&format!("arn:aws:sqs:{region}:")) || arn.ends_with(".fifo") {
        return Err(input::invalid(format!("DeadLetterConfig.Arn {arn} is not a standard SQS queue of {region}")));
    }
    Ok(Some(arn.to_owned()))
}

fn source(parameters: &Value) -> Result<&str, ServiceError> {
    let source = input::text(parameters, "Source")?;
    if source.is_empty() || source.starts_with("aws.") {
        return Err(input::invalid(format!("EventBridgeParameters.Source {source:?} must not begin with aws.")));
    }
    Ok(source)
}

/// AWS finds out at the first invocation; here the schedule is refused.
fn check_start(input: &Value) -> Result<(), ServiceError> {
    let members = input.as_object().ok_or_else(|| input::invalid("Input must be the JSON object of StartExecution"))?;
    for (name, value) in members {
        if !START_MEMBERS.contains(&name.as_str()) {
            let reason =
                format!("Input has the member {name}; those of StartExecution are {}", START_MEMBERS.join(", "));
            return Err(input::invalid(reason));
        }
        if !value.is_string() {
            return Err(input::invalid(format!("{name} in Input must be a string")));
        }
    }
    input::text(input, "StateMachineArn").map(|_| ())
}

/// The members of the API, which begin with small letters.
fn start_body(text: &str) -> Value {
    let input: Value = serde_json::from_str(text).unwrap_or_default();
    let names = [("StateMachineArn", "stateMachineArn"), ("Name", "name"), ("Input", "input")];
    let members = names.iter().filter_map(|(from, to)| Some(((*to).to_owned(), input.get(*from)?.clone())));
    Value::Object(members.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use rstest::rstest;

    use super::*;

    fn parse(target: Value) -> Result<Target, ServiceError> {
        let mut target = target;
        target["RoleArn"] = json!("arn:aws:iam::222222222222:role/schedules");
        let group = GroupKey { account: "222222222222".into(), region: "us-east-1".into(), name: "default".into() };
        Target::parse(&target, &group)
    }

    #[test]
    fn context_attributes_are_put_into_the_call() {
        let input = r#"{"StateMachineArn":"m","Name":"lake-<aws.scheduler.execution-id>","Input":"{\"at\":\"<aws.scheduler.scheduled-time>\",\"by\":\"<aws.scheduler.schedule-arn>\",\"n\":<aws.scheduler.attempt-number>}"}"#;
        let target = parse(json!({"Arn": START_EXECUTION, "Input": input})).unwrap();
        let time = "2026-04-02T01:00:00Z";
        let call = target.call(&Attributes {
            schedule_arn: "arn",
            scheduled_time: time,
            execution_id: "d32c5adcf5bb8c3a",
            attempt: 2,
        });
        assert_eq!((call.service, call.operation), ("states", "StartExecution"));
        assert_eq!(call.body["name"], "lake-d32c5adcf5bb8c3a");
        assert_eq!(call.body["input"], format!(r#"{{"at":"{time}","by":"arn","n":2}}"#));
    }

    #[rstest]
    #[case(json!({"Arn": "arn:aws:lambda:us-east-1:222222222222:function:f", "Input": "{}"}), "NotImplemented", "arn:aws:lambda")]
    #[case(json!({"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "Input": "{}"}), "NotImplemented", "sqs:sendMessage")]
    #[case(json!({"Arn": "arn:aws:sqs:eu-west-1:222222222222:q", "Input": "x"}), "NotImplemented", "eu-west-1")]
    #[case(json!({"Arn": "arn:aws:sqs:us-east-1:222222222222:q"}), "NotImplemented", "without Input")]
    #[case(json!({"Arn": "arn:aws:sqs:us-east-1:222222222222:q", "Input": "x", "SqsParameters": {}}), "NotImplemented", "SqsParameters")]
    #[case(json!({"Arn": "arn:aws:events:us-east-1:222222222222:event-bus/levee", "Input": "{}"}), "ValidationException", "EventBridgeParameters")]
    #[case(json!({"Arn": "arn:aws:states:us-east-1:222222222222:stateMachine:m", "Input": "no"}), "ValidationException", "JSON")]
    #[case(json!({"Arn": START_EXECUTION, "Input": r#"{"stateMachineArn":"m"}"#}), "ValidationException", "stateMachineArn")]
    #[case(json!({"Arn": START_EXECUTION, "Input": r#"{"Name":"m"}"#}), "ValidationException", "StateMachineArn")]
    #[case(json!({"Arn": "arn:aws:sqs:us-east-1:222222222222:q", "Input": "x", "DeadLetterConfig": {"Arn": "arn:aws:sns:us-east-1:222222222222:t"}}), "ValidationException", "DeadLetterConfig")]
    fn bad_targets_are_refused_by_name(#[case] target: Value, #[case] code: &str, #[case] part: &str) {
        let error = parse(target).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(part), "{error}");
    }
}
