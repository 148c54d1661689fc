//! Amazon EventBridge Scheduler: schedules and schedule groups, in REST-JSON.
//!
//! Shapes, statuses and errors are those of the service model `scheduler/2021-06-30`, behaviour that of the Scheduler User
//! Guide. A schedule sleeps until its next time on the twin's clock and then calls its target as the role of the target, so
//! that the call is in the record. Targets are the universal `sfn:startExecution` and the templated state machines, queues,
//! topics and buses; any other is refused when the schedule is made. Changes take effect at once (AWS: within a minute), and
//! a schedule without a flexible window is on time to the second (AWS: within the minute).

mod cron;
mod expression;
pub mod faults;
mod groups;
mod invoke;
mod overview;
mod schedule;
mod schedules;
mod target;
mod wire;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use self::{
    expression::{Expression, Plan},
    overview::ScheduleView,
};
use self::{
    faults::{Rules, ScheduleFault},
    groups::{Group, GroupKey},
    schedule::{Schedule, ScheduleKey},
    wire::{Asked, Operation},
};
use crate::{
    env::{Call, Env},
    needs,
    service::{Caller, HttpService, JsonService, ServiceError},
    timetable,
};

/// The services that targets belong to.
pub struct TargetServices {
    /// Step Functions.
    pub states: Arc<dyn JsonService>,
    /// SQS, which takes dead letters too.
    pub sqs: Arc<dyn JsonService>,
    /// SNS.
    pub sns: Arc<dyn JsonService>,
    /// EventBridge.
    pub events: Arc<dyn JsonService>,
}

/// The Scheduler of the twin. Its background work ends with it.
pub struct Scheduler {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

struct Shared {
    env: Env,
    services: TargetServices,
    /// Since when the default groups are there.
    started: Timestamp,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    stop: CancellationToken,
}

struct State {
    schedules: BTreeMap<ScheduleKey, Schedule>,
    groups: BTreeMap<GroupKey, Group>,
    /// What calls with a client token asked for, and got.
    tokens: BTreeMap<(String, String, String), (Asked, Value)>,
    faults: Rules,
    /// Numbers the versions of schedules, so that an old invocation does not act on a new one of the same name.
    versions: u64,
}

/// The operations that are modelled.
pub(crate) fn operation_names() -> Vec<&'static str> {
    wire::OPERATIONS.iter().map(|operation| operation.name()).collect()
}

impl Scheduler {
    /// A Scheduler without schedules and faults. Must be called inside a tokio runtime.
    #[must_use]
    pub fn new(env: Env, services: TargetServices) -> Self {
        let state = State {
            schedules: BTreeMap::new(),
            groups: BTreeMap::new(),
            tokens: BTreeMap::new(),
            faults: Rules::default(),
            versions: 0,
        };
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            started: env.clock.now(),
            env,
            services,
            state: Mutex::new(state),
            changes: watch::Sender::new(0),
            stop: stop.clone(),
        });
        let (clock, changes, keeper) = (shared.env.clock.clone(), shared.changes.subscribe(), Arc::clone(&shared));
        let keep = timetable::keep(clock, changes, move |now| keeper.start_due(now));
        tokio::spawn(stop.clone().run_until_cancelled_owned(keep));
        Self { shared, _stop: stop.drop_guard() }
    }

    /// Puts another plan of faults in force for invocations that are due from now on; counts start again.
    pub fn set_faults(&self, rules: Vec<ScheduleFault>) {
        self.shared.state().faults = Rules::new(rules);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the timetable that something else may be due next.
    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn answer(&self, caller: &Caller, asked: &Asked) -> Result<Value, ServiceError> {
        let key = (caller.account.clone(), caller.region.clone(), asked.token()?.unwrap_or_default().to_owned());
        if let Some((before, answer)) = self.state().tokens.get(&key) {
            if before == asked {
                return Ok(answer.clone());
            }
            let reason = format!("The client token {} was used with other parameters.", key.2);
            return Err(conflict(reason));
        }
        let answer = match asked.operation {
            Operation::CreateSchedule => self.create_schedule(caller, asked),
            Operation::UpdateSchedule => self.update_schedule(caller, asked),
            Operation::GetSchedule => self.get_schedule(caller, asked),
            Operation::DeleteSchedule => self.delete_schedule(caller, asked),
            Operation::ListSchedules => self.list_schedules(caller, asked),
            Operation::CreateScheduleGroup => self.create_group(caller, asked),
            Operation::GetScheduleGroup => self.get_group(caller, asked),
            Operation::DeleteScheduleGroup => self.delete_group(caller, asked),
            Operation::ListScheduleGroups => self.list_groups(caller, asked),
            Operation::TagResource => self.tag(caller, asked),
            Operation::UntagResource => self.untag(caller, asked),
            Operation::ListTagsForResource => self.tags(caller, asked),
        }?;
        if !key.2.is_empty() {
            self.state().tokens.insert(key, (asked.clone(), answer.clone()));
        }
        Ok(answer)
    }
}

#[async_trait]
impl HttpService for Scheduler {
    async fn handle(&self, caller: &Caller, request: Request<Bytes>) -> Response<Bytes> {
        let env = &self.shared.env;
        let read = Asked::read(&request).inspect_err(|error| {
            let call = Call {
                service: "scheduler",
                operation: "",
                caller,
                resource: request.uri().path(),
                needs: &[],
                facts: &[],
            };
            env.gate.refused(&call, &error.code, error.status);
        });
        let answer = read.and_then(|asked| {
            let operation = asked.operation.name();
            let resource = asked.resource(caller);
            let needs = needs::scheduler(operation, &resource, &asked.body);
            let call = Call { service: "scheduler", operation, caller, resource: &resource, needs: &needs, facts: &[] };
            env.pass_now(&call, || self.shared.answer(caller, &asked))
        });
        wire::response(answer)
    }
}

fn conflict(reason: impl Into<String>) -> ServiceError {
    ServiceError { status: 409, ..ServiceError::client("ConflictException", reason) }
}

fn absent(reason: impl Into<String>) -> ServiceError {
    ServiceError { status: 404, ..ServiceError::client("ResourceNotFoundException", reason) }
}
