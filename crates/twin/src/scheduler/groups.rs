//! Schedule groups, and their tags: schedules themselves have none.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Shared, absent, conflict, schedule::plain_name, wire::Asked};
use crate::{
    events::input,
    service::{Caller, ServiceError},
};

/// The most tags of a group.
const TAG_LIMIT: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupKey {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) name: String,
}

/// A group; the default one is only kept once it has tags.
pub(super) struct Group {
    created: Timestamp,
    tags: BTreeMap<String, String>,
}

impl Shared {
    pub(super) fn create_group(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        let key = GroupKey::of(caller, plain_name("Name", &asked.name)?);
        let tags = read_tags(&asked.body)?;
        let mut state = self.state();
        if key.is_default() || state.groups.contains_key(&key) {
            return Err(conflict(format!("Schedule group {} already exists.", key.name)));
        }
        let arn = key.arn();
        state.groups.insert(key, Group { created: self.env.clock.now(), tags });
        Ok(json!({"ScheduleGroupArn": arn}))
    }

    pub(super) fn get_group(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        let key = GroupKey::of(caller, &asked.name);
        self.on_group(&key, |group| key.to_json(group))
    }

    /// Deletes a group with its schedules. AWS takes a while for it; here it is done when the call returns.
    pub(super) fn delete_group(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        let key = GroupKey::of(caller, &asked.name);
        if key.is_default() {
            return Err(input::invalid("The default schedule group cannot be deleted."));
        }
        let mut state = self.state();
        state.groups.remove(&key).ok_or_else(|| key.absent())?;
        state.schedules.retain(|schedule, _| schedule.group != key);
        drop(state);
        self.changed();
        Ok(json!({}))
    }

    pub(super) fn list_groups(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        let default = GroupKey::of(caller, "default");
        let prefix = asked.query("NamePrefix").unwrap_or_default();
        let state = self.state();
        let others = state.groups.keys().filter(|key| !key.is_default() && key.is_of(caller)).cloned();
        let mut keys: Vec<_> = others.chain([default]).filter(|key| key.name.starts_with(prefix)).collect();
        drop(state);
        keys.sort();
        let groups = keys.iter().map(|key| self.on_group(key, |group| key.to_json(group)));
        asked.page("ScheduleGroups", groups.collect::<Result<_, _>>()?)
    }

    pub(super) fn tag(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        let tags = read_tags(&asked.body)?;
        self.on_group(&GroupKey::from_arn(caller, &asked.name)?, |group| {
            let mut all = group.tags.clone();
            all.extend(tags);
            if all.len() > TAG_LIMIT {
                return Err(input::invalid(format!("A schedule group has at most {TAG_LIMIT} tags.")));
            }
            group.tags = all;
            Ok(json!({}))
        })?
    }

    pub(super) fn untag(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        self.on_group(&GroupKey::from_arn(caller, &asked.name)?, |group| {
            group.tags.retain(|name, _| !asked.queries("TagKeys").any(|key| key == name));
            json!({})
        })
    }

    pub(super) fn tags(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        self.on_group(&GroupKey::from_arn(caller, &asked.name)?, |group| {
            let tags = group.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
            json!({"Tags": tags.collect::<Vec<_>>()})
        })
    }

    /// Does something with a group; the default group of an account is there from the start.
    pub(super) fn on_group<T>(&self, key: &GroupKey, act: impl FnOnce(&mut Group) -> T) -> Result<T, ServiceError> {
        let mut state = self.state();
        if key.is_default() {
            let fresh = || Group { created: self.started, tags: BTreeMap::new() };
            return Ok(act(state.groups.entry(key.clone()).or_insert_with(fresh)));
        }
        Ok(act(state.groups.get_mut(key).ok_or_else(|| key.absent())?))
    }
}

impl GroupKey {
    pub(super) fn of(caller: &Caller, name: &str) -> Self {
        Self { account: caller.account.clone(), region: caller.region.clone(), name: name.to_owned() }
    }

    pub(super) fn is_of(&self, caller: &Caller) -> bool {
        (&self.account, &self.region) == (&caller.account, &caller.region)
    }

    fn from_arn(caller: &Caller, arn: &str) -> Result<Self, ServiceError> {
        let prefix = format!("arn:aws:scheduler:{}:{}:schedule-group/", caller.region, caller.account);
        let wrong = || input::invalid(format!("{arn} is not the ARN of a schedule group of this account"));
        arn.strip_prefix(&prefix).map(|name| Self::of(caller, name)).ok_or_else(wrong)
    }

    fn is_default(&self) -> bool {
        self.name == "default"
    }

    fn arn(&self) -> String {
        format!("arn:aws:scheduler:{}:{}:schedule-group/{}", self.region, self.account, self.name)
    }

    fn absent(&self) -> ServiceError {
        absent(format!("Schedule group {} does not exist.", self.name))
    }

    fn to_json(&self, group: &mut Group) -> Value {
        let created = super::schedule::epoch(group.created);
        json!({
            "Arn": self.arn(), "Name": self.name, "State": "ACTIVE",
            "CreationDate": created, "LastModificationDate": created,
        })
    }
}

fn read_tags(body: &Value) -> Result<BTreeMap<String, String>, ServiceError> {
    let given = body.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let tags: BTreeMap<_, _> = given
        .map(|tag| Ok((input::text(tag, "Key")?.to_owned(), input::text(tag, "Value")?.to_owned())))
        .collect::<Result<_, ServiceError>>()?;
    if tags.len() > TAG_LIMIT {
        return Err(input::invalid(format!("A schedule group has at most {TAG_LIMIT} tags.")));
    }
    Ok(tags)
}
