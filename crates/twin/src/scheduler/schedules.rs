//! The calls on schedules.

use serde_json::{Value, json};

use super::{
    Shared, absent, conflict,
    groups::GroupKey,
    schedule::{Schedule, ScheduleKey, plain_name},
    wire::Asked,
};
use crate::{
    events::input,
    service::{Caller, ServiceError},
};

impl Shared {
    pub(super) fn create_schedule(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        let key = key(caller, asked)?;
        plain_name("Name", &key.name)?;
        self.on_group(&key.group, |_| ())?;
        if self.state().schedules.contains_key(&key) {
            return Err(conflict(format!("Schedule {} already exists.", key.name)));
        }
        self.put(&key, asked, None)
    }

    /// Replaces the whole schedule: what the call does not name gets its default, as on AWS.
    pub(super) fn update_schedule(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        let key = key(caller, asked)?;
        let before = self.state().schedules.get(&key).cloned().ok_or_else(|| no_schedule(&key))?;
        self.put(&key, asked, Some(&before))
    }

    pub(super) fn get_schedule(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        let key = key(caller, asked)?;
        self.state().schedules.get(&key).map(|schedule| schedule.to_json(&key)).ok_or_else(|| no_schedule(&key))
    }

    pub(super) fn delete_schedule(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        let key = key(caller, asked)?;
        self.state().schedules.remove(&key).ok_or_else(|| no_schedule(&key))?;
        self.changed();
        Ok(json!({}))
    }

    pub(super) fn list_schedules(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        let group = asked.query("ScheduleGroup");
        if let Some(name) = group {
            self.on_group(&GroupKey::of(caller, name), |_| ())?;
        }
        let (prefix, state) = (asked.query("NamePrefix").unwrap_or_default(), asked.query("State"));
        if state.is_some_and(|state| !["ENABLED", "DISABLED"].contains(&state)) {
            return Err(input::invalid("State must be ENABLED or DISABLED"));
        }
        let kept = self.state();
        let wanted = kept.schedules.iter().filter(|(key, schedule)| {
            key.group.is_of(caller)
                && group.is_none_or(|group| group == key.group.name)
                && key.name.starts_with(prefix)
                && state.is_none_or(|state| state == schedule.state())
        });
        asked.page("Schedules", wanted.map(|(key, schedule)| schedule.summary(key)).collect())
    }

    fn put(&self, key: &ScheduleKey, asked: &Asked, before: Option<&Schedule>) -> Result<Value, ServiceError> {
        let mut state = self.state();
        let version = state.versions + 1;
        let schedule = Schedule::read(&asked.body, key, self.env.clock.now(), version, before)?;
        state.versions = version;
        state.schedules.insert(key.clone(), schedule);
        drop(state);
        self.changed();
        Ok(json!({"ScheduleArn": key.arn()}))
    }
}

fn key(caller: &Caller, asked: &Asked) -> Result<ScheduleKey, ServiceError> {
    Ok(ScheduleKey { group: GroupKey::of(caller, asked.group()?), name: asked.name.clone() })
}

fn no_schedule(key: &ScheduleKey) -> ServiceError {
    absent(format!("Schedule {} does not exist.", key.name))
}
