//! Rules with a schedule: `rate` and `cron` in UTC, on the default bus.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{BusKey, EventBridge, deliver::Delivery, input, put::whole_seconds};
use crate::{
    scheduler::{Expression, Plan},
    service::ServiceError,
    timetable,
};

/// The schedule of a rule.
pub(super) struct ScheduledRule {
    pub(super) text: String,
    expression: Expression,
    plan: Plan,
    due: Option<Timestamp>,
}

impl ScheduledRule {
    /// # Errors
    /// `ValidationException`, as AWS words it, with the reason.
    pub(super) fn parse(text: &str, now: Timestamp) -> Result<Self, ServiceError> {
        let wrong = |reason: &str| {
            input::invalid(format!("Parameter ScheduleExpression is not valid. Reason: {text}: {reason}."))
        };
        let expression = Expression::parse(text).map_err(|reason| wrong(&reason))?;
        match &expression {
            Expression::At(_) => return Err(wrong("a rule takes cron(fields) or rate(value unit)")),
            // "If the value is equal to 1, then the unit must be singular", says the user guide, and plural otherwise.
            Expression::Rate(_) if text.starts_with("rate(1 ") == text.ends_with("s)") => {
                return Err(wrong("the unit is singular after 1 and plural after any other value"));
            }
            _ => {}
        }
        let mut rule = Self { text: text.to_owned(), plan: plan(expression.clone(), now), expression, due: None };
        rule.begin(now);
        Ok(rule)
    }

    /// Begins anew: when the rule is made and when it is enabled again.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.plan = plan(self.expression.clone(), now);
        self.due = self.plan.first();
    }

    /// The time that is due, if it is; the next one takes its place.
    fn take_due(&mut self, now: Timestamp) -> Option<Timestamp> {
        let due = self.due.filter(|due| *due <= now)?;
        self.due = self.plan.next(due.max(now));
        Some(due)
    }
}

impl EventBridge {
    /// Begins to watch the schedules of rules.
    pub(super) fn keep_schedules(self: &Arc<Self>) {
        let me = self.me.clone();
        let due = move |now| me.upgrade().and_then(|events| events.start_due(now));
        let keep = timetable::keep(self.env.clock.clone(), self.changes.subscribe(), due);
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(keep));
    }

    /// Tells the timetable that something else may be due next.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Sends the events of the rules that are due to their targets; returns when the next one is.
    fn start_due(&self, now: Timestamp) -> Option<Timestamp> {
        let mut deliveries = Vec::new();
        let mut state = self.state();
        let (mut next, mut fired) = (None::<Timestamp>, Vec::new());
        for (key, bus) in &mut state.buses {
            for (name, rule) in bus.rules.iter_mut().filter(|(_, rule)| rule.enabled) {
                let Some(schedule) = &mut rule.schedule else { continue };
                if let Some(due) = schedule.take_due(now) {
                    let event = self.scheduled_event(key, name, due);
                    fired.push((key.clone(), event.clone()));
                    deliveries.extend(rule.targets.values().map(|target| Delivery {
                        bus: key.clone(),
                        rule: name.clone(),
                        target: target.clone(),
                        event: event.clone(),
                        accepted: now,
                    }));
                }
                next = [next, schedule.due].into_iter().flatten().min();
            }
        }
        for (key, event) in fired {
            state.record(&key, &event, now);
        }
        drop(state);
        for delivery in deliveries {
            self.deliver(delivery);
        }
        next
    }

    fn scheduled_event(&self, key: &BusKey, rule: &str, due: Timestamp) -> Value {
        json!({
            "version": "0",
            "id": self.env.ids.uuid(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": key.account,
            "time": whole_seconds(due).to_string(),
            "region": key.region,
            "resources": [key.rule_arn(rule)],
            "detail": {},
        })
    }
}

/// The guide does not say when a rate begins after "when you create the rule"; here after its first period.
fn plan(expression: Expression, now: Timestamp) -> Plan {
    let wait = match &expression {
        Expression::Rate(period) => *period,
        _ => SignedDuration::ZERO,
    };
    let start = now.saturating_add(wait).ok().filter(|_| !wait.is_zero());
    Plan { expression, zone: TimeZone::UTC, made: now, start, end: None }
}
