//! Schedule expressions, and the times that they stand for.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::cron::Cron;

/// An expression that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    /// `cron(0 2 * * ? *)`
    Cron(Cron),
    /// `rate(5 minutes)`
    Rate(SignedDuration),
    /// `at(2026-04-02T01:00:00)`, as clocks in the zone show it.
    At(DateTime),
}

/// An expression with all that its times depend on.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) expression: Expression,
    pub(crate) zone: TimeZone,
    /// When the plan was made; nothing is due before.
    pub(crate) made: Timestamp,
    /// No recurring time before this one.
    pub(crate) start: Option<Timestamp>,
    /// No recurring time after this one.
    pub(crate) end: Option<Timestamp>,
}

impl Expression {
    /// Reads `cron(…)`, `rate(…)` or `at(…)`.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let inner = |kind: &str| text.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(fields) = inner("cron") {
            return Cron::parse(fields).map(Self::Cron);
        }
        if let Some(rate) = inner("rate") {
            return parse_rate(rate).map(Self::Rate);
        }
        if let Some(time) = inner("at") {
            let plain = time.len() == "yyyy-mm-ddThh:mm:ss".len() && time.contains('T');
            let time = time.parse().ok().filter(|_| plain);
            return time.map(Self::At).ok_or_else(|| "at() takes a time as yyyy-mm-ddThh:mm:ss".to_owned());
        }
        Err("an expression is cron(fields), rate(value unit) or at(yyyy-mm-ddThh:mm:ss)".to_owned())
    }
}

/// `5 minutes`. The Scheduler's guide lists the plurals only and the API reference says nothing against `1 minute`, which
/// the rules of EventBridge ask for: both are taken for both.
fn parse_rate(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("rate({text}): a positive number and minutes, hours or days, for example rate(5 minutes)");
    let (value, unit) = text.split_once(' ').ok_or_else(wrong)?;
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let value: i64 = value.parse().ok().filter(|value| digits && *value > 0).ok_or_else(wrong)?;
    let seconds = match unit {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3600,
        "day" | "days" => 86_400,
        _ => return Err(wrong()),
    };
    value.checked_mul(seconds).map(SignedDuration::from_secs).ok_or_else(wrong)
}

impl Plan {
    /// The first time of the plan. A rate without a start begins at once, as the guide says.
    pub(crate) fn first(&self) -> Option<Timestamp> {
        match (&self.expression, self.start) {
            // The start itself is a time of the plan where the expression says so.
            (Expression::Cron(_), Some(start)) if start > self.made => self.next(before(start)),
            (Expression::Cron(_), _) => self.next(self.made),
            _ => self.next(before(self.made)),
        }
    }

    /// The first time after `after`.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let next = match &self.expression {
            Expression::Cron(cron) => cron.next(after, &self.zone)?,
            Expression::Rate(period) => {
                let base = self.start.unwrap_or(self.made);
                let passed = after.duration_since(base).as_nanos().div_euclid(period.as_nanos()) + 1;
                let periods = i32::try_from(passed.max(0)).ok()?;
                base.checked_add(period.checked_mul(periods)?).ok()?
            }
            // Once, whatever start and end say. A time that the clocks skip is moved on by the change, one that they
            // repeat is the first of the two; the guide speaks of cron only.
            Expression::At(shown) => {
                let at = self.zone.to_ambiguous_timestamp(*shown).compatible().ok()?;
                return (at > after).then_some(at);
            }
        };
        self.end.is_none_or(|end| next <= end).then_some(next)
    }
}

fn before(time: Timestamp) -> Timestamp {
    time.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use rstest::rstest;

    use super::*;

    fn plan(expression: &str, start: Option<&str>, end: Option<&str>) -> Plan {
        let time = |text: &str| text.parse().unwrap();
        Plan {
            expression: Expression::parse(expression).unwrap(),
            zone: TimeZone::get("America/New_York").unwrap(),
            made: time("2026-04-02T05:00:00Z"),
            start: start.map(time),
            end: end.map(time),
        }
    }

    fn times(plan: &Plan) -> Vec<String> {
        std::iter::successors(plan.first(), |last| plan.next(*last)).take(3).map(|at| at.to_string()).collect()
    }

    #[rstest]
    #[case::rate_begins_at_once("rate(12 hours)", None, None, &["2026-04-02T05:00:00Z", "2026-04-02T17:00:00Z", "2026-04-03T05:00:00Z"])]
    #[case::rate_from_a_start("rate(1 day)", Some("2026-04-02T06:30:00Z"), None, &["2026-04-02T06:30:00Z", "2026-04-03T06:30:00Z", "2026-04-04T06:30:00Z"])]
    #[case::rate_from_a_past_start("rate(5 minutes)", Some("2026-04-02T04:58:00Z"), Some("2026-04-02T05:10:00Z"), &["2026-04-02T05:03:00Z", "2026-04-02T05:08:00Z"])]
    #[case::cron_not_before_it_is_made("cron(0 1 * * ? *)", None, None, &["2026-04-03T05:00:00Z", "2026-04-04T05:00:00Z", "2026-04-05T05:00:00Z"])]
    #[case::cron_on_its_start_and_end("cron(0 1 * * ? *)", Some("2026-04-03T05:00:00Z"), Some("2026-04-04T05:00:00Z"), &["2026-04-03T05:00:00Z", "2026-04-04T05:00:00Z"])]
    #[case::once("at(2026-04-02T01:30:00)", None, None, &["2026-04-02T05:30:00Z"])]
    #[case::once_now("at(2026-04-02T01:00:00)", None, Some("2026-01-01T00:00:00Z"), &["2026-04-02T05:00:00Z"])]
    #[case::once_in_the_past("at(2026-04-02T00:59:59)", None, None, &[])]
    fn plan_has_the_times_of_its_expression(
        #[case] expression: &str,
        #[case] start: Option<&str>,
        #[case] end: Option<&str>,
        #[case] expected: &[&str],
    ) {
        assert_eq!(times(&plan(expression, start, end)), expected);
    }

    #[rstest]
    #[case("cron(0 2 * * *)")]
    #[case("rate(0 minutes)")]
    #[case("rate(+5 minutes)")]
    #[case("rate(5 seconds)")]
    #[case("rate(5)")]
    #[case("at(2026-04-02)")]
    #[case("at(2026-04-02T01:00:00Z)")]
    #[case("at(2026-02-30T01:00:00)")]
    #[case("every day")]
    #[case("rate(5 minutes")]
    fn bad_expressions_are_refused(#[case] text: &str) {
        assert!(Expression::parse(text).is_err());
    }
}
