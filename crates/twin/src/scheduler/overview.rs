//! The schedules at a glance, for the twin's page.

use jiff::Timestamp;
use serde::Serialize;

use super::{Schedule, ScheduleKey, Scheduler};

/// One schedule.
#[derive(Serialize)]
pub(crate) struct ScheduleView {
    name: String,
    account: String,
    /// As it was given, for example `cron(0 20 * * ? *)`.
    expression: String,
    time_zone: String,
    /// `ENABLED` or `DISABLED`.
    state: &'static str,
    /// When the target is invoked next.
    next: Option<Timestamp>,
}

impl Scheduler {
    /// All schedules, by account, Region, group and name.
    pub(crate) fn overview(&self) -> Vec<ScheduleView> {
        let state = self.shared.state();
        let view = |(key, schedule): (&ScheduleKey, &Schedule)| ScheduleView {
            name: key.name.clone(),
            account: key.group.account.clone(),
            expression: schedule.given("ScheduleExpression").to_owned(),
            time_zone: Some(schedule.given("ScheduleExpressionTimezone"))
                .filter(|zone| !zone.is_empty())
                .unwrap_or("UTC")
                .to_owned(),
            state: if schedule.enabled { "ENABLED" } else { "DISABLED" },
            next: schedule.due,
        };
        state.schedules.iter().map(view).collect()
    }
}
