//! Invocations: from the time that is due to the target's answer, with retries and the dead letter.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Shared,
    faults::ScheduleFaultKind,
    schedule::ScheduleKey,
    target::{Attributes, Target, TargetCall, queue_url},
};
use crate::{
    retry::{self, Exhausted},
    service::{Caller, Principal, ServiceError},
    sqs,
};

/// One time of a schedule whose target is to be invoked.
#[derive(Clone)]
struct Invocation {
    key: ScheduleKey,
    version: u64,
    target: Target,
    /// The time that the schedule asked for, without window and faults.
    scheduled: Timestamp,
    /// The id of the first attempt.
    execution_id: String,
}

/// Why an invocation was given up.
struct Failure {
    call: TargetCall,
    error: ServiceError,
    retries: u32,
    execution_id: String,
    exhausted: Option<Exhausted>,
}

impl Shared {
    /// Starts the invocations that are due; returns when the next one is.
    pub(super) fn start_due(self: &Arc<Self>, now: Timestamp) -> Option<Timestamp> {
        let mut state = self.state();
        let state = &mut *state;
        for (key, schedule) in &mut state.schedules {
            let Some(scheduled) = schedule.due.filter(|due| *due <= now) else { continue };
            schedule.due = schedule.next(scheduled, now);
            schedule.running += 1;
            let invocation = Invocation {
                key: key.clone(),
                version: schedule.version,
                target: schedule.target.clone(),
                scheduled,
                execution_id: self.env.ids.hex(16),
            };
            let window = Duration::from_secs(match schedule.window_seconds {
                0 => 0,
                seconds => self.env.ids.below(seconds),
            });
            let faults = state.faults.strike(&key.name, &self.env);
            self.start(invocation, window, faults);
        }
        state.schedules.values().filter_map(|schedule| schedule.due).min()
    }

    fn start(self: &Arc<Self>, invocation: Invocation, window: Duration, faults: Vec<ScheduleFaultKind>) {
        let shared = Arc::clone(self);
        let task = async move {
            let mut wait = window;
            let mut again = Vec::new();
            for fault in &faults {
                match fault {
                    ScheduleFaultKind::Late { seconds } => wait = wait.saturating_add(Duration::from_secs(*seconds)),
                    ScheduleFaultKind::Duplicate { after_seconds } => again.push(Duration::from_secs(*after_seconds)),
                    ScheduleFaultKind::Missed => {}
                }
            }
            if faults.contains(&ScheduleFaultKind::Missed) {
                tracing::warn!(schedule = %invocation.key.name, scheduled = %invocation.scheduled, "invocation missed, as planned");
            } else {
                shared.env.clock.sleep(wait).await;
                let copies = again.into_iter().map(|after| shared.invoke_after(&invocation, after));
                let first = shared.invoke_after(&invocation, Duration::ZERO);
                futures::future::join(first, futures::future::join_all(copies)).await;
            }
            shared.ended(&invocation);
        };
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(task));
    }

    async fn invoke_after(&self, invocation: &Invocation, after: Duration) {
        if !after.is_zero() {
            self.env.clock.sleep(after).await;
        }
        let schedule = invocation.key.arn();
        match self.invoke(invocation).await {
            Ok(execution_id) => {
                tracing::info!(schedule, execution_id, scheduled = %invocation.scheduled, "target invoked")
            }
            Err(failure) => {
                let (error, retries) = (&failure.error, failure.retries);
                tracing::warn!(schedule, %error, retries, "target not invoked");
                self.bury(invocation, &failure).await;
            }
        }
    }

    /// Calls the target until it takes the call or there is no point in trying on; returns the id that was taken.
    async fn invoke(&self, invocation: &Invocation) -> Result<String, Failure> {
        let Invocation { key, target, scheduled, .. } = invocation;
        let (arn, time) = (key.arn(), whole_seconds(*scheduled));
        let mut execution_id = invocation.execution_id.clone();
        let mut retries = 0;
        loop {
            let attributes = Attributes {
                schedule_arn: &arn,
                scheduled_time: &time,
                execution_id: &execution_id,
                attempt: retries + 1,
            };
            let call = target.call(&attributes);
            let Err(error) = self.call(&invocation.caller(), &call).await else { return Ok(execution_id) };
            let failed = |exhausted| Failure { call, error: error.clone(), retries, execution_id, exhausted };
            if !retry::is_passing(&error) {
                return Err(failed(None));
            }
            let age = Duration::try_from(self.env.clock.now().duration_since(*scheduled)).unwrap_or_default();
            match target.retries.wait(retries, age, &self.env.ids) {
                Ok(wait) => self.env.clock.sleep(wait).await,
                Err(exhausted) => return Err(failed(Some(exhausted))),
            }
            retries += 1;
            // "The unique ID that EventBridge Scheduler assigns for each attempted invocation of a target."
            execution_id = self.env.ids.hex(16);
        }
    }

    async fn call(&self, caller: &Caller, call: &TargetCall) -> Result<(), ServiceError> {
        let service = match call.service {
            "states" => &self.services.states,
            "sqs" => &self.services.sqs,
            "sns" => &self.services.sns,
            _ => &self.services.events,
        };
        let answer = service.call(caller, call.operation, call.body.clone()).await?;
        // PutEvents succeeds although an entry fails.
        let failed = answer.get("Entries").and_then(Value::as_array).into_iter().flatten();
        let failed = failed.filter_map(|entry| Some((entry.get("ErrorCode")?.as_str()?, entry.get("ErrorMessage"))));
        match failed.into_iter().next() {
            Some((code, message)) => {
                Err(ServiceError::client(code, message.and_then(Value::as_str).unwrap_or_default()))
            }
            None => Ok(()),
        }
    }

    /// Sends the dead letter, as the guide shows it, if the target has a queue for it.
    async fn bury(&self, invocation: &Invocation, failure: &Failure) {
        let Some(queue) = &invocation.target.dead_letter_arn else { return };
        let code = match failure.call.service {
            "sqs" => sqs::query_error(&failure.error).split(';').next().unwrap_or_default().to_owned(),
            _ => failure.error.code.clone(),
        };
        let attributes = retry::letter_attributes(&[
            ("ERROR_CODE", code),
            ("ERROR_MESSAGE", failure.error.message.clone()),
            ("EXECUTION_ID", failure.execution_id.clone()),
            ("EXHAUSTED_RETRY_CONDITION", failure.exhausted.map_or(String::new(), |it| it.name().to_owned())),
            ("IS_PAYLOAD_TRUNCATED", "false".to_owned()),
            ("RETRY_ATTEMPTS", failure.retries.to_string()),
            ("SCHEDULED_TIME", whole_seconds(invocation.scheduled)),
            ("SCHEDULE_ARN", invocation.key.arn()),
            ("TARGET_ARN", invocation.target.call_arn().to_owned()),
        ]);
        let body = in_pascal_case(&failure.call.body).to_string();
        let letter = json!({"QueueUrl": queue_url(queue), "MessageBody": body, "MessageAttributes": attributes});
        if let Err(error) = self.services.sqs.call(&invocation.caller(), "SendMessage", letter).await {
            tracing::warn!(schedule = %invocation.key.arn(), queue, %error, "a dead letter is lost");
        }
    }

    /// Takes note of an end; deletes a schedule that is to go when it has done its last.
    fn ended(&self, invocation: &Invocation) {
        let mut state = self.state();
        let Some(schedule) = state.schedules.get_mut(&invocation.key) else { return };
        if schedule.version != invocation.version {
            return;
        }
        schedule.running = schedule.running.saturating_sub(1);
        if schedule.delete_when_done && schedule.due.is_none() && schedule.running == 0 {
            state.schedules.remove(&invocation.key);
        }
    }
}

impl Invocation {
    /// Calls are made as the role of the target, dead letters too.
    fn caller(&self) -> Caller {
        Caller {
            account: self.key.group.account.clone(),
            region: self.key.group.region.clone(),
            principal: Principal::Role(self.target.role_arn.clone()),
        }
    }
}

/// Members with large first letters, as universal targets and dead letters have them.
fn in_pascal_case(body: &Value) -> Value {
    let members = body.as_object().into_iter().flatten().map(|(name, value)| {
        let mut letters = name.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        (first.into_iter().chain(letters).collect(), value.clone())
    });
    Value::Object(members.collect())
}

fn whole_seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}
