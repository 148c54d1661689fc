//! Rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{BusKey, EventBridge, Pattern, Rule, input, scheduled::ScheduledRule};
use crate::service::{Caller, ServiceError};

impl EventBridge {
    pub(super) fn put_rule(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let name = input::text(body, "Name")?;
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if name.is_empty() || name.len() > 64 || !plain {
            return Err(input::invalid(format!(
                "{name} is not a name of a rule: 1 to 64 letters, digits, '.', '-', '_'"
            )));
        }
        let pattern_text = input::optional_text(body, "EventPattern")?.map(str::to_owned);
        let pattern = pattern_text.as_deref().map(Pattern::parse).transpose()?;
        let schedule = input::optional_text(body, "ScheduleExpression")?.filter(|text| !text.is_empty());
        let schedule = schedule.map(|text| ScheduledRule::parse(text, self.env.clock.now())).transpose()?;
        if pattern.is_none() && schedule.is_none() {
            return Err(input::invalid("Parameter(s) EventPattern or ScheduleExpression must be specified."));
        }
        let enabled = match input::optional_text(body, "State")? {
            None | Some("ENABLED") => true,
            Some("DISABLED") => false,
            Some(other) => return Err(ServiceError::not_modelled(format_args!("the state {other} of rules"))),
        };
        let description = input::optional_text(body, "Description")?.map(str::to_owned);
        let answer = self.on_bus(caller, body, |key, rules| {
            if schedule.is_some() && key.name != "default" {
                return Err(input::invalid("ScheduleExpression is supported only on the default event bus."));
            }
            let targets = rules.remove(name).map(|rule| rule.targets).unwrap_or_default();
            rules.insert(name.to_owned(), Rule { pattern, pattern_text, schedule, enabled, description, targets });
            Ok(json!({"RuleArn": key.rule_arn(name)}))
        });
        self.changed();
        answer
    }

    pub(super) fn delete_rule(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let name = input::text(body, "Name")?;
        self.on_bus(caller, body, |_, rules| {
            if rules.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
                return Err(input::invalid("Rule can't be deleted since it has targets."));
            }
            // Deleting what is not there is no error.
            rules.remove(name);
            Ok(json!({}))
        })
    }

    pub(super) fn describe_rule(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        self.on_rule(caller, body, "Name", |key, name, rule| Ok(Value::Object(rule.to_json(key, name))))
    }

    pub(super) fn switch_rule(&self, caller: &Caller, body: &Value, on: bool) -> Result<Value, ServiceError> {
        let now = self.env.clock.now();
        let answer = self.on_rule(caller, body, "Name", |_, _, rule| {
            if let Some(schedule) = rule.schedule.as_mut().filter(|_| on && !rule.enabled) {
                schedule.begin(now);
            }
            rule.enabled = on;
            Ok(json!({}))
        });
        self.changed();
        answer
    }

    pub(super) fn list_rules(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let prefix = input::optional_text(body, "NamePrefix")?.unwrap_or_default();
        self.on_bus(caller, body, |key, rules| {
            let listed = rules.iter().filter(|(name, _)| name.starts_with(prefix));
            Ok(json!({"Rules": listed.map(|(name, rule)| rule.to_json(key, name)).collect::<Vec<_>>()}))
        })
    }

    pub(super) fn rules_of_target(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let arn = input::text(body, "TargetArn")?;
        self.on_bus(caller, body, |_, rules| {
            let of_target = rules.iter().filter(|(_, rule)| rule.targets.values().any(|target| target.arn == arn));
            Ok(json!({"RuleNames": of_target.map(|(name, _)| name).collect::<Vec<_>>()}))
        })
    }

    /// Does something with the rules of the bus that the call names, the default bus without one.
    pub(super) fn on_bus<T>(
        &self,
        caller: &Caller,
        body: &Value,
        act: impl FnOnce(&BusKey, &mut BTreeMap<String, Rule>) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let key = BusKey::named(caller, input::optional_text(body, "EventBusName")?.unwrap_or("default"))?;
        let mut state = self.state();
        act(&key, &mut state.bus(&key, self.env.clock.now())?.rules)
    }

    /// Does something with the rule that `member` names.
    pub(super) fn on_rule<T>(
        &self,
        caller: &Caller,
        body: &Value,
        member: &str,
        act: impl FnOnce(&BusKey, &str, &mut Rule) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let name = input::text(body, member)?;
        self.on_bus(caller, body, |key, rules| {
            let absent = || input::absent(format!("Rule {name} does not exist on EventBus {}.", key.name));
            act(key, name, rules.get_mut(name).ok_or_else(absent)?)
        })
    }
}

impl Rule {
    /// Whether an event is one that the rule's pattern asks for.
    pub(super) fn wants(&self, event: &Value) -> bool {
        self.pattern.as_ref().is_some_and(|pattern| pattern.matches(event))
    }

    fn to_json(&self, key: &BusKey, name: &str) -> Map<String, Value> {
        let mut members = Map::new();
        let mut put = |member: &str, value: Value| members.insert(member.to_owned(), value);
        put("Name", json!(name));
        put("Arn", json!(key.rule_arn(name)));
        if let Some(text) = &self.pattern_text {
            put("EventPattern", json!(text));
        }
        if let Some(schedule) = &self.schedule {
            put("ScheduleExpression", json!(schedule.text));
        }
        put("State", json!(if self.enabled { "ENABLED" } else { "DISABLED" }));
        put("EventBusName", json!(key.name));
        if let Some(text) = &self.description {
            put("Description", json!(text));
        }
        members
    }
}
