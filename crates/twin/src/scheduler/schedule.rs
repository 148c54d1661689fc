//! A schedule: what CreateSchedule and UpdateSchedule take, checked, and what GetSchedule gives.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::{
    expression::{Expression, Plan},
    groups::GroupKey,
    target::Target,
};
use crate::{events::input, service::ServiceError};

/// How far in the past a start date may be. AWS answers "The StartDate you specify cannot be earlier than 5 minutes ago.";
/// the guide is silent.
const START_GRACE: SignedDuration = SignedDuration::from_secs(300);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ScheduleKey {
    pub(super) group: GroupKey,
    pub(super) name: String,
}

/// A schedule that was accepted.
#[derive(Clone)]
pub(super) struct Schedule {
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    /// Another one after every change.
    pub(super) version: u64,
    pub(super) target: Target,
    pub(super) enabled: bool,
    /// The flexible window; zero without one.
    pub(super) window_seconds: u64,
    pub(super) delete_when_done: bool,
    /// When the target is to be invoked next.
    pub(super) due: Option<Timestamp>,
    /// Invocations that have begun and not ended.
    pub(super) running: u64,
    plan: Plan,
    given: Value,
}

impl ScheduleKey {
    pub(super) fn arn(&self) -> String {
        let GroupKey { account, region, name } = &self.group;
        format!("arn:aws:scheduler:{region}:{account}:schedule/{name}/{}", self.name)
    }
}

impl Schedule {
    /// A member of the request that made it; empty where it had none.
    pub(super) fn given(&self, member: &str) -> &str {
        self.given.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// Reads a request's body. `before` is the schedule that it changes.
    ///
    /// # Errors
    /// `ValidationException`; `NotImplemented` for what the twin does not model, named.
    pub(super) fn read(
        body: &Value,
        key: &ScheduleKey,
        now: Timestamp,
        version: u64,
        before: Option<&Self>,
    ) -> Result<Self, ServiceError> {
        input::refuse(body, &["KmsKeyArn"], "schedules")?;
        if input::optional_text(body, "Description")?.is_some_and(|text| text.chars().count() > 512) {
            return Err(input::invalid("Description must have at most 512 characters"));
        }
        let text = input::text(body, "ScheduleExpression")?;
        let wrong = |reason: String| input::invalid(format!("Invalid Schedule Expression {text}: {reason}."));
        let plan = Plan {
            expression: Expression::parse(text).map_err(wrong)?,
            zone: zone(input::optional_text(body, "ScheduleExpressionTimezone")?.unwrap_or("UTC"))?,
            made: now,
            start: date(body, "StartDate")?,
            end: date(body, "EndDate")?,
        };
        check_dates(&plan, now)?;
        let enabled = one_of(body, "State", ["ENABLED", "DISABLED"])?;
        let target = Target::parse(body.get("Target").unwrap_or(&Value::Null), &key.group)?;
        let due = plan.first().filter(|_| enabled);
        let unchanged =
            before.is_some_and(|before| before.given.get("ScheduleExpression") == body.get("ScheduleExpression"));
        // The documentation does not say what AWS does with a time that has passed; nothing would ever happen, so say so.
        if plan.first().is_none() && matches!(plan.expression, Expression::At(_)) && !unchanged {
            return Err(wrong("the time has passed".to_owned()));
        }
        Ok(Self {
            created: before.map_or(now, |before| before.created),
            modified: now,
            version,
            target,
            enabled,
            window_seconds: window(body)?,
            delete_when_done: !one_of(body, "ActionAfterCompletion", ["NONE", "DELETE"])?,
            due,
            running: 0,
            plan,
            given: body.clone(),
        })
    }

    /// The time after the one that is due, not before `now`: after a pause of the machine only the latest counts.
    pub(super) fn next(&self, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
        self.plan.next(due.max(now))
    }

    /// The members of GetSchedule.
    pub(super) fn to_json(&self, key: &ScheduleKey) -> Value {
        let given = |member: &str| self.given.get(member).filter(|value| !value.is_null()).cloned();
        let zone = given("ScheduleExpressionTimezone").unwrap_or(json!("UTC"));
        let members = [
            ("ActionAfterCompletion", Some(json!(if self.delete_when_done { "DELETE" } else { "NONE" }))),
            ("Arn", Some(json!(key.arn()))),
            ("CreationDate", Some(epoch(self.created))),
            ("Description", given("Description")),
            ("EndDate", self.plan.end.map(epoch)),
            ("FlexibleTimeWindow", given("FlexibleTimeWindow")),
            ("GroupName", Some(json!(key.group.name))),
            ("LastModificationDate", Some(epoch(self.modified))),
            ("Name", Some(json!(key.name))),
            ("ScheduleExpression", given("ScheduleExpression")),
            ("ScheduleExpressionTimezone", Some(zone)),
            ("StartDate", self.plan.start.map(epoch)),
            ("State", Some(json!(self.state()))),
            ("Target", Some(self.target.to_json())),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
    }

    /// The members of a ScheduleSummary.
    pub(super) fn summary(&self, key: &ScheduleKey) -> Value {
        json!({
            "Arn": key.arn(), "Name": key.name, "GroupName": key.group.name, "State": self.state(),
            "CreationDate": epoch(self.created), "LastModificationDate": epoch(self.modified),
            "Target": {"Arn": self.target.arn()},
        })
    }

    pub(super) fn state(&self) -> &'static str {
        if self.enabled { "ENABLED" } else { "DISABLED" }
    }
}

/// A name of a schedule or a group.
///
/// # Errors
/// `ValidationException`.
pub(super) fn plain_name<'a>(member: &str, name: &'a str) -> Result<&'a str, ServiceError> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if name.is_empty() || name.len() > 64 || !plain {
        return Err(input::invalid(format!("{member} {name:?} must have 1 to 64 letters, digits, '-', '_', '.'")));
    }
    Ok(name)
}

/// A time as answers have it: seconds since 1970.
pub(super) fn epoch(time: Timestamp) -> Value {
    // Milliseconds of our times are exact in a double.
    #[allow(clippy::cast_precision_loss)]
    let seconds = time.as_millisecond() as f64 / 1000.0;
    json!(seconds)
}

fn zone(name: &str) -> Result<TimeZone, ServiceError> {
    TimeZone::get(name).map_err(|_| {
        input::invalid(format!("ScheduleExpressionTimezone {name} is not a name of the IANA time zone database"))
    })
}

fn date(body: &Value, member: &str) -> Result<Option<Timestamp>, ServiceError> {
    let wrong = || input::invalid(format!("{member} must be a number of seconds since 1970"));
    let Some(value) = body.get(member).filter(|value| !value.is_null()) else { return Ok(None) };
    // Whole seconds are enough for schedules.
    #[allow(clippy::cast_possible_truncation)]
    let seconds = value.as_f64().ok_or_else(wrong)? as i64;
    Timestamp::from_second(seconds).map(Some).map_err(|_| wrong())
}

fn check_dates(plan: &Plan, now: Timestamp) -> Result<(), ServiceError> {
    // One-time schedules ignore both.
    if matches!(plan.expression, Expression::At(_)) {
        return Ok(());
    }
    if plan.start.is_some_and(|start| now.duration_since(start) > START_GRACE) {
        return Err(input::invalid("The StartDate you specify cannot be earlier than 5 minutes ago."));
    }
    match (plan.start, plan.end) {
        (Some(start), Some(end)) if end <= start => Err(input::invalid("EndDate must be after StartDate.")),
        (_, Some(end)) if end <= now => Err(input::invalid("EndDate must be in the future.")),
        _ => Ok(()),
    }
}

/// Whether `member` has the first of two values, which is also the default.
fn one_of(body: &Value, member: &str, [first, second]: [&str; 2]) -> Result<bool, ServiceError> {
    match input::optional_text(body, member)? {
        None => Ok(true),
        Some(text) if text == first => Ok(true),
        Some(text) if text == second => Ok(false),
        Some(text) => Err(input::invalid(format!("{member} must be {first} or {second}, not {text}"))),
    }
}

/// The length of the flexible window in seconds.
fn window(body: &Value) -> Result<u64, ServiceError> {
    let window = body.get("FlexibleTimeWindow").filter(|value| value.is_object());
    let window = window.ok_or_else(|| input::invalid("FlexibleTimeWindow is required"))?;
    let minutes = window.get("MaximumWindowInMinutes").filter(|value| !value.is_null());
    match (input::text(window, "Mode")?, minutes) {
        ("OFF", None) => Ok(0),
        ("OFF", Some(_)) => Err(input::invalid("MaximumWindowInMinutes needs the Mode FLEXIBLE")),
        ("FLEXIBLE", minutes) => {
            let minutes = minutes.and_then(Value::as_u64).filter(|minutes| (1..=1440).contains(minutes));
            let wrong = || input::invalid("MaximumWindowInMinutes must be between 1 and 1440");
            Ok(minutes.ok_or_else(wrong)? * 60)
        }
        (mode, _) => Err(input::invalid(format!("Mode must be OFF or FLEXIBLE, not {mode}"))),
    }
}
