//! The targets of rules: queues and topics.

use serde_json::{Value, json};

use super::{EventBridge, input, transform::Input};
use crate::service::{Caller, ServiceError};

/// The most targets of one rule.
const TARGET_LIMIT: usize = 5;
/// The members of a target that the twin knows.
const KNOWN: [&str; 8] =
    ["Arn", "DeadLetterConfig", "Id", "Input", "InputPath", "InputTransformer", "RetryPolicy", "RoleArn"];

/// Where events of a rule go.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) arn: String,
    pub(super) input: Input,
    pub(super) dead_letter_arn: Option<String>,
    /// As it was put.
    given: Value,
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
        let queue_or_topic = ["arn:aws:sqs:", "arn:aws:sns:"].iter().any(|prefix| arn.starts_with(prefix));
        if !queue_or_topic || arn.ends_with(".fifo") {
            return Err(ServiceError::not_modelled(format_args!("the target {arn}: only standard queues and topics")));
        }
        let dead_letter_arn = target.get("DeadLetterConfig").and_then(|config| config.get("Arn"));
        Ok(Self {
            arn: arn.to_owned(),
            input: Input::parse(target)?,
            dead_letter_arn: dead_letter_arn.and_then(Value::as_str).map(str::to_owned),
            given: target.clone(),
        })
    }
}
