//! The targets of rules: queues, topics and state machines.

use serde_json::{Value, json};

use super::{EventBridge, input, transform::Input};
use crate::{
    retry::RetryPolicy,
    service::{Caller, ServiceError},
};

/// The most targets of one rule.
const TARGET_LIMIT: usize = 5;
/// The members of a target that the twin knows.
const KNOWN: [&str; 8] =
    ["Arn", "DeadLetterConfig", "Id", "Input", "InputPath", "InputTransformer", "RetryPolicy", "RoleArn"];

/// Where events of a rule go.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) arn: String,
    pub(super) kind: Kind,
    pub(super) retries: RetryPolicy,
    pub(super) input: Input,
    pub(super) dead_letter_arn: Option<String>,
    /// As it was put.
    given: Value,
}

/// What a target is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Queue,
    Topic,
    /// A state machine, of which an execution is started as this role.
    StateMachine(String),
}

impl EventBridge {
    pub(super) fn put_targets(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let targets = input::list(body, "Targets")?
            .iter()
            .map(|target| Ok((input::text(target, "Id")?.to_owned(), Target::parse(target)?)))
            .collect::<Result<Vec<_>, ServiceError>>()?;
        self.on_rule(caller, body, "Rule", |_, name, rule| {
            let mut all = rule.targets.clone();
            all.extend(targets);
            if all.len() > TARGET_LIMIT {
                let reason = format!("Rule {name} would have {} targets; the limit is {TARGET_LIMIT}.", all.len());
                return Err(ServiceError::client("LimitExceededException", reason));
            }
            rule.targets = all;
            Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
        })
    }

    pub(super) fn remove_targets(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let ids: Vec<&str> = input::list(body, "Ids")?.iter().filter_map(Value::as_str).collect();
        self.on_rule(caller, body, "Rule", |_, _, rule| {
            rule.targets.retain(|id, _| !ids.contains(&id.as_str()));
            Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
        })
    }

    pub(super) fn list_targets(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        self.on_rule(caller, body, "Rule", |_, _, rule| {
            Ok(json!({"Targets": rule.targets.values().map(|target| &target.given).collect::<Vec<_>>()}))
        })
    }
}

impl Target {
    fn parse(target: &Value) -> Result<Self, ServiceError> {
        let members = target.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        if let Some((name, _)) = members.into_iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
            return Err(ServiceError::not_modelled(format_args!("{name} of targets")));
        }
        let arn = input::text(target, "Arn")?;
        let kind = Kind::of(arn, target)?;
        let dead_letter_config = target.get("DeadLetterConfig").unwrap_or(&Value::Null);
        let dead_letter_arn = input::optional_text(dead_letter_config, "Arn")?;
        if let Some(queue) = dead_letter_arn.filter(|arn| !arn.starts_with("arn:aws:sqs:") || arn.ends_with(".fifo")) {
            return Err(input::invalid(format!("DeadLetterConfig.Arn {queue} is not a standard SQS queue")));
        }
        Ok(Self {
            arn: arn.to_owned(),
            kind,
            retries: RetryPolicy::parse(target)?,
            input: Input::parse(target)?,
            dead_letter_arn: dead_letter_arn.map(str::to_owned),
            given: target.clone(),
        })
    }
}

impl Kind {
    fn of(arn: &str, target: &Value) -> Result<Self, ServiceError> {
        let role = input::optional_text(target, "RoleArn")?;
        let is_machine = arn.starts_with("arn:aws:states:") && arn.contains(":stateMachine:");
        match role {
            _ if arn.ends_with(".fifo") => {}
            _ if arn.starts_with("arn:aws:sqs:") => return Ok(Self::Queue),
            _ if arn.starts_with("arn:aws:sns:") => return Ok(Self::Topic),
            Some(role) if is_machine => return Ok(Self::StateMachine(role.to_owned())),
            None if is_machine => return Err(input::invalid(format!("RoleArn is required for target {arn}."))),
            _ => {}
        }
        Err(ServiceError::not_modelled(format_args!(
            "the target {arn}: only standard queues, standard topics and state machines"
        )))
    }
}
