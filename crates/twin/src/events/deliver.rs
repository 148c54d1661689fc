//! The way of an event to one target: attempts, waits between them, the dead letter.

use std::{sync::Weak, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    BusKey, EventBridge,
    targets::{Kind, Target},
};
use crate::{
    facts::Sender,
    retry::{self, Exhausted},
    service::{Caller, Principal, ServiceError},
};

/// EventBridge as a principal.
const PRINCIPAL: &str = "events.amazonaws.com";

/// An event on its way to a target.
pub(super) struct Delivery {
    pub(super) bus: BusKey,
    pub(super) rule: String,
    pub(super) target: Target,
    pub(super) event: Value,
    pub(super) accepted: Timestamp,
}

/// What to do after an attempt that failed.
enum Next {
    Wait(Duration),
    GiveUp(Option<Exhausted>),
}

impl EventBridge {
    /// Delivers: to queues and topics before this returns, if the first attempt succeeds; all else in the background.
    pub(super) fn deliver(&self, delivery: Delivery) {
        if matches!(delivery.target.kind, Kind::StateMachine(_)) {
            return self.in_background(delivery, None);
        }
        if let Err(error) = self.attempt_now(&delivery) {
            match self.after(&delivery, &error, 0) {
                Next::Wait(wait) => self.in_background(delivery, Some(wait)),
                Next::GiveUp(exhausted) => self.bury(&delivery, &error, 0, exhausted),
            }
        }
    }

    /// Goes on trying; the first attempt comes after `wait`, or is still to be made when there is none.
    fn in_background(&self, delivery: Delivery, wait: Option<Duration>) {
        let (me, clock) = (self.me.clone(), self.env.clock.clone());
        let task = async move {
            let (mut retries, mut wait) = (u32::from(wait.is_some()), wait);
            loop {
                if let Some(wait) = wait {
                    clock.sleep(wait).await;
                }
                let Some(events) = me.upgrade() else { return };
                let Err(error) = events.attempt(&delivery).await else { return };
                match events.after(&delivery, &error, retries) {
                    Next::Wait(next) => wait = Some(next),
                    Next::GiveUp(exhausted) => return events.bury(&delivery, &error, retries, exhausted),
                }
                retries += 1;
            }
        };
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(task));
    }

    async fn attempt(&self, delivery: &Delivery) -> Result<(), ServiceError> {
        let Kind::StateMachine(role) = &delivery.target.kind else { return self.attempt_now(delivery) };
        let states = self.states.get().and_then(Weak::upgrade);
        let states = states.ok_or_else(|| ServiceError::not_modelled("Step Functions in this set-up"))?;
        let BusKey { account, region, .. } = delivery.bus.clone();
        let caller = Caller { account, region, principal: Principal::Role(role.clone()) };
        let body = json!({"stateMachineArn": delivery.target.arn, "input": delivery.message()?});
        states.call(&caller, "StartExecution", body).await.map(|_| ())
    }

    fn attempt_now(&self, delivery: &Delivery) -> Result<(), ServiceError> {
        let message = delivery.message()?;
        let (arn, rule) = (&delivery.target.arn, delivery.bus.rule_arn(&delivery.rule));
        let by = |source_arn| Sender { service: PRINCIPAL, source_arn };
        match delivery.target.kind {
            // "You can't use Condition blocks in Amazon SNS topic policies for EventBridge", says the user guide: it does not
            // tell topics which rule it acts for.
            Kind::Topic => self.sns.deliver(arn, &message, by(None)),
            _ => self.sqs.deliver(arn, &json!({"MessageBody": message}), by(Some(&rule))),
        }
    }

    fn after(&self, delivery: &Delivery, error: &ServiceError, retries: u32) -> Next {
        tracing::warn!(rule = delivery.rule, target = delivery.target.arn, %error, retries, "an event could not be delivered");
        if !retry::is_passing(error) {
            return Next::GiveUp(None);
        }
        let age = Duration::try_from(self.env.clock.now().duration_since(delivery.accepted)).unwrap_or_default();
        match delivery.target.retries.wait(retries, age, &self.env.ids) {
            Ok(wait) => Next::Wait(wait),
            Err(exhausted) => Next::GiveUp(Some(exhausted)),
        }
    }

    /// Sends the event to the target's dead-letter queue, with the attributes of the user guide, or drops it.
    fn bury(&self, delivery: &Delivery, error: &ServiceError, retries: u32, exhausted: Option<Exhausted>) {
        let Some(queue) = &delivery.target.dead_letter_arn else { return };
        let rule = delivery.bus.rule_arn(&delivery.rule);
        let attributes = retry::letter_attributes(&[
            ("RULE_ARN", rule.clone()),
            ("TARGET_ARN", delivery.target.arn.clone()),
            ("ERROR_CODE", error.code.clone()),
            ("ERROR_MESSAGE", error.message.clone()),
            ("EXHAUSTED_RETRY_CONDITION", exhausted.map_or(String::new(), |it| it.name().to_owned())),
            ("RETRY_ATTEMPTS", retries.to_string()),
        ]);
        let letter = json!({"MessageBody": delivery.event.to_string(), "MessageAttributes": attributes});
        if let Err(error) = self.sqs.deliver(queue, &letter, Sender { service: PRINCIPAL, source_arn: Some(&rule) }) {
            tracing::warn!(rule = delivery.rule, queue, %error, "a dead letter is lost");
        }
    }
}

impl Delivery {
    fn message(&self) -> Result<String, ServiceError> {
        let arn = self.bus.rule_arn(&self.rule);
        self.target.input.apply(&self.event, &arn, &self.rule, self.accepted)
    }
}
