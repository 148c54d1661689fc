//! Amazon EventBridge: event buses, rules with event patterns or schedules, targets that are queues, topics and state
//! machines, in AWS JSON 1.1.
//!
//! Every accepted event is kept and can be read ([`EventBridge::events`]). Events reach queues and topics before PutEvents
//! returns, so that their order is the order of the calls; what fails in passing is tried again by the target's retry
//! policy. Unlike AWS, an event for a bus that is not there is a failed entry. Archives, pipes, other targets and resource
//! policies are refused.

mod deliver;
pub(crate) mod input;
mod pattern;
mod put;
mod rules;
mod scheduled;
mod targets;
mod transform;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use self::pattern::Pattern;
use self::{put::NewEvent, scheduled::ScheduledRule, targets::Target};
use crate::{
    env::{Call, Env},
    needs,
    service::{Caller, JsonService, ServiceError},
    sfn::StatusChange,
    sns::Sns,
    sqs::Sqs,
};

/// How many accepted events are kept; older ones are forgotten.
pub const EVENT_LIMIT: usize = 100_000;

/// The operations that are modelled.
pub(crate) const OPERATIONS: &[&str] = &[
    "CreateEventBus",
    "DeleteEventBus",
    "DeleteRule",
    "DescribeEventBus",
    "DescribeRule",
    "DisableRule",
    "EnableRule",
    "ListEventBuses",
    "ListRuleNamesByTarget",
    "ListRules",
    "ListTargetsByRule",
    "PutEvents",
    "PutRule",
    "PutTargets",
    "RemoveTargets",
    "TestEventPattern",
];

/// The EventBridge of the twin. Its background work ends with it.
pub struct EventBridge {
    env: Env,
    sqs: Arc<Sqs>,
    sns: Arc<Sns>,
    /// Weak, because Step Functions holds this service to put its events on the bus.
    states: OnceLock<Weak<dyn JsonService>>,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    /// For tasks of the background, which must not keep the service alive.
    me: Weak<Self>,
    stop: CancellationToken,
    _ended: DropGuard,
}

/// An event that a bus accepted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AcceptedEvent {
    /// The account of the bus.
    pub account: String,
    /// The name of the bus.
    pub bus: String,
    /// When it was accepted.
    pub time: Timestamp,
    /// The event as targets get it: `source`, `detail-type`, `detail` and so on.
    pub event: Value,
}

#[derive(Default)]
struct State {
    buses: BTreeMap<BusKey, Bus>,
    events: VecDeque<AcceptedEvent>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct BusKey {
    region: String,
    account: String,
    name: String,
}

struct Bus {
    created: Timestamp,
    description: Option<String>,
    rules: BTreeMap<String, Rule>,
}

struct Rule {
    pattern: Option<Pattern>,
    pattern_text: Option<String>,
    schedule: Option<ScheduledRule>,
    enabled: bool,
    description: Option<String>,
    targets: BTreeMap<String, Target>,
}

impl EventBridge {
    /// An EventBridge with the default bus of every account. Must be called inside a tokio runtime.
    #[must_use]
    pub fn new(env: Env, sqs: Arc<Sqs>, sns: Arc<Sns>) -> Arc<Self> {
        let stop = CancellationToken::new();
        let events = Arc::new_cyclic(|me| Self {
            env,
            sqs,
            sns,
            states: OnceLock::new(),
            state: Mutex::default(),
            changes: watch::Sender::new(0),
            me: me.clone(),
            stop: stop.clone(),
            _ended: stop.drop_guard(),
        });
        events.keep_schedules();
        events
    }

    /// Tells where Step Functions is, which comes after the bus that its events go to. Only the first call has an effect.
    pub(crate) fn connect(&self, states: Weak<dyn JsonService>) {
        let _ = self.states.set(states);
    }

    /// The accepted events, oldest first; at most the last [`EVENT_LIMIT`].
    #[must_use]
    pub fn events(&self) -> Vec<AcceptedEvent> {
        self.state().events.iter().cloned().collect()
    }

    /// How many accepted events are kept, and the last `limit` of them, oldest first.
    pub(crate) fn latest(&self, limit: usize) -> (usize, Vec<AcceptedEvent>) {
        let state = self.state();
        let skipped = state.events.len().saturating_sub(limit);
        (state.events.len(), state.events.iter().skip(skipped).cloned().collect())
    }

    /// Puts the event of an execution's status on the default bus of its account, as AWS does by itself.
    pub(crate) fn status_changed(&self, change: StatusChange) {
        let key = BusKey { region: change.region, account: change.account, name: "default".to_owned() };
        let event = NewEvent {
            source: StatusChange::SOURCE.to_owned(),
            detail_type: StatusChange::DETAIL_TYPE.to_owned(),
            detail: change.detail,
            resources: vec![change.execution_arn],
            time: change.time,
        };
        self.accept(&key, event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, caller: &Caller, operation: &str, body: &Value) -> Result<Value, ServiceError> {
        match operation {
            "PutEvents" => self.put_events(caller, body),
            "CreateEventBus" => self.create_bus(caller, body),
            "DeleteEventBus" => self.delete_bus(caller, body),
            "DescribeEventBus" => self.describe_bus(caller, body),
            "ListEventBuses" => self.list_buses(caller, body),
            "PutRule" => self.put_rule(caller, body),
            "DeleteRule" => self.delete_rule(caller, body),
            "DescribeRule" => self.describe_rule(caller, body),
            "EnableRule" => self.switch_rule(caller, body, true),
            "DisableRule" => self.switch_rule(caller, body, false),
            "ListRules" => self.list_rules(caller, body),
            "PutTargets" => self.put_targets(caller, body),
            "RemoveTargets" => self.remove_targets(caller, body),
            "ListTargetsByRule" => self.list_targets(caller, body),
            "ListRuleNamesByTarget" => self.rules_of_target(caller, body),
            "TestEventPattern" => {
                let pattern = Pattern::parse(input::text(body, "EventPattern")?)?;
                let event = serde_json::from_str(input::text(body, "Event")?)
                    .map_err(|error| input::invalid(format!("Event is not JSON: {error}")))?;
                Ok(json!({"Result": pattern.matches(&event)}))
            }
            _ => Err(ServiceError::not_modelled(format_args!("the EventBridge operation {operation}"))),
        }
    }

    fn create_bus(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let name = input::text(body, "Name")?;
        input::refuse(body, &["EventSourceName", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig"], "event buses")?;
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if name.is_empty() || name.len() > 256 || !plain {
            return Err(input::invalid(format!(
                "{name} is not a name of an event bus: letters, digits, '.', '-', '_'"
            )));
        }
        let key = BusKey::of(caller, name);
        let mut state = self.state();
        if name == "default" || state.buses.contains_key(&key) {
            let reason = format!("Event bus {name} already exists.");
            return Err(ServiceError::client("ResourceAlreadyExistsException", reason));
        }
        let description = input::optional_text(body, "Description")?.map(str::to_owned);
        let arn = key.arn();
        state.buses.insert(key, Bus { created: self.env.clock.now(), description, rules: BTreeMap::new() });
        Ok(json!({"EventBusArn": arn}))
    }

    fn delete_bus(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let key = BusKey::named(caller, input::text(body, "Name")?)?;
        if key.name == "default" {
            return Err(input::invalid("Cannot delete event bus default."));
        }
        let mut state = self.state();
        if state.buses.get(&key).is_some_and(|bus| !bus.rules.is_empty()) {
            return Err(input::invalid(format!("Event bus {} has rules: delete them first.", key.name)));
        }
        // Deleting what is not there is no error.
        state.buses.remove(&key);
        Ok(json!({}))
    }

    fn describe_bus(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let key = BusKey::named(caller, input::optional_text(body, "Name")?.unwrap_or("default"))?;
        let mut state = self.state();
        let bus = state.bus(&key, self.env.clock.now())?;
        Ok(bus.to_json(&key))
    }

    fn list_buses(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let prefix = input::optional_text(body, "NamePrefix")?.unwrap_or_default();
        let own = BusKey::of(caller, "default");
        let mut state = self.state();
        state.bus(&own, self.env.clock.now())?;
        let buses = state.buses.iter().filter(|(key, _)| (&key.account, &key.region) == (&own.account, &own.region));
        let buses = buses.filter(|(key, _)| key.name.starts_with(prefix)).map(|(key, bus)| bus.to_json(key));
        Ok(json!({"EventBuses": buses.collect::<Vec<_>>()}))
    }
}

impl State {
    fn record(&mut self, key: &BusKey, event: &Value, now: Timestamp) {
        if self.events.len() >= EVENT_LIMIT {
            self.events.pop_front();
        }
        let (account, bus) = (key.account.clone(), key.name.clone());
        self.events.push_back(AcceptedEvent { account, bus, time: now, event: event.clone() });
    }

    /// The bus; the default bus of an account is there from the start.
    fn bus(&mut self, key: &BusKey, now: Timestamp) -> Result<&mut Bus, ServiceError> {
        if key.name == "default" {
            let fresh = || Bus { created: now, description: None, rules: BTreeMap::new() };
            return Ok(self.buses.entry(key.clone()).or_insert_with(fresh));
        }
        let absent = || input::absent(format!("Event bus {} does not exist.", key.name));
        self.buses.get_mut(key).ok_or_else(absent)
    }
}

impl Bus {
    fn to_json(&self, key: &BusKey) -> Value {
        let mut bus = json!({"Name": key.name, "Arn": key.arn(), "CreationTime": self.created.as_second()});
        if let (Some(text), Some(members)) = (&self.description, bus.as_object_mut()) {
            members.insert("Description".to_owned(), json!(text));
        }
        bus
    }
}

impl BusKey {
    fn of(caller: &Caller, name: &str) -> Self {
        Self { region: caller.region.clone(), account: caller.account.clone(), name: name.to_owned() }
    }

    /// The bus that a name or an ARN means; buses of other accounts are refused.
    fn named(caller: &Caller, name: &str) -> Result<Self, ServiceError> {
        let Some(rest) = name.strip_prefix("arn:aws:events:") else { return Ok(Self::of(caller, name)) };
        let wrong = || input::invalid(format!("{name} is not the ARN of an event bus"));
        let (region, rest) = rest.split_once(':').ok_or_else(wrong)?;
        let (account, rest) = rest.split_once(':').ok_or_else(wrong)?;
        let bus = rest.strip_prefix("event-bus/").ok_or_else(wrong)?;
        if account != caller.account {
            return Err(ServiceError::not_modelled(format_args!(
                "policies of event buses: {name} is another account's"
            )));
        }
        Ok(Self { region: region.to_owned(), account: account.to_owned(), name: bus.to_owned() })
    }

    fn arn(&self) -> String {
        format!("arn:aws:events:{}:{}:event-bus/{}", self.region, self.account, self.name)
    }

    fn rule_arn(&self, rule: &str) -> String {
        let bus = if self.name == "default" { String::new() } else { format!("{}/", self.name) };
        format!("arn:aws:events:{}:{}:rule/{bus}{rule}", self.region, self.account)
    }
}

#[async_trait]
impl JsonService for EventBridge {
    async fn call(&self, caller: &Caller, operation: &str, body: Value) -> Result<Value, ServiceError> {
        let resource = input::resource(&body);
        let needs = needs::events(operation, caller, &body);
        let call = Call { service: "events", operation, caller, resource, needs: &needs, facts: &[] };
        self.env.pass(&call, async { self.answer(caller, operation, &body) }).await
    }
}
