//! Cron expressions in the dialect of EventBridge: six fields, of which day-of-month or day-of-week is `?`.
//!
//! Source: "Cron-based schedules" of the EventBridge Scheduler User Guide and "Cron expressions" of the EventBridge User
//! Guide. What their tables do not list is refused: steps in day-of-week, ranges that run backwards, `LW`, `L-3`, and `W` or
//! `#` in lists. No crate that is kept up speaks this dialect on `jiff`.

mod field;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Weekday},
    tz::{AmbiguousOffset, TimeZone},
};

use self::field::Field;

/// An expression that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cron {
    minutes: Vec<i16>,
    hours: Vec<i16>,
    days: Days,
    months: Vec<i16>,
    years: Vec<i16>,
}

/// Which days of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<i16>),
    /// `L`
    Last,
    /// `15W`: the weekday nearest to the day, within its month.
    NearestWeekday(i16),
    /// 1 is Sunday.
    OfWeek(Vec<i16>),
    /// `6L`: the last such day of the month.
    LastOfWeek(i16),
    /// `6#3`: the third such day of the month.
    NthOfWeek(i16, i16),
}

impl Cron {
    /// Reads the text between the brackets of `cron(…)`.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, of_month, months, of_week, years] = fields.as_slice() else {
            return Err(format!(
                "a cron expression has six fields (minutes hours day-of-month month day-of-week year), not {}",
                fields.len()
            ));
        };
        let days = match (*of_month, *of_week) {
            ("?", "?") => return Err("day-of-month and day-of-week cannot both be ?".to_owned()),
            ("?", of_week) => Days::of_week(of_week)?,
            (of_month, "?") => Days::of_month(of_month)?,
            _ => return Err("one of day-of-month and day-of-week must be ?".to_owned()),
        };
        Ok(Self {
            minutes: Field::Minutes.values(minutes)?,
            hours: Field::Hours.values(hours)?,
            days,
            months: Field::Months.values(months)?,
            years: Field::Years.values(years)?,
        })
    }

    /// The first time after `after` at which clocks in `zone` show what the expression asks for.
    ///
    /// As the Scheduler's guide has it: a time that the change to daylight saving time skips is skipped, and one that the
    /// change back repeats counts only once, the first time.
    pub(crate) fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut shown = zone.to_datetime(after);
        loop {
            shown = self.next_shown(shown)?;
            let at = match zone.to_ambiguous_timestamp(shown).offset() {
                AmbiguousOffset::Gap { .. } => continue,
                AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(shown),
                AmbiguousOffset::Fold { before, .. } => before.to_timestamp(shown),
            };
            match at {
                Ok(at) if at > after => return Some(at),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// The first reading of a clock after `after`.
    fn next_shown(&self, after: DateTime) -> Option<DateTime> {
        let years = self.years.iter().filter(|year| **year >= after.year());
        let months = years.flat_map(|year| self.months.iter().map(move |month| (*year, *month)));
        let ahead = months.filter(|month| *month >= (after.year(), i16::from(after.month())));
        for (year, month) in ahead {
            for date in self.days.of(year, month).into_iter().filter(|date| *date >= after.date()) {
                if let Some(found) = self.times(date).find(|shown| *shown > after) {
                    return Some(found);
                }
            }
        }
        None
    }

    fn times(&self, date: Date) -> impl Iterator<Item = DateTime> {
        let times = self.hours.iter().flat_map(|hour| self.minutes.iter().map(move |minute| (*hour, *minute)));
        times.filter_map(move |(hour, minute)| Some(date.at(hour.try_into().ok()?, minute.try_into().ok()?, 0, 0)))
    }
}

impl Days {
    fn of_month(text: &str) -> Result<Self, String> {
        if text == "L" {
            return Ok(Self::Last);
        }
        match text.strip_suffix('W') {
            Some(day) => Ok(Self::NearestWeekday(Field::DaysOfMonth.value(day)?)),
            None => Field::DaysOfMonth.values(text).map(Self::OfMonth),
        }
    }

    fn of_week(text: &str) -> Result<Self, String> {
        if text == "L" {
            // The last day of the week.
            return Ok(Self::OfWeek(vec![7]));
        }
        if let Some((day, number)) = text.split_once('#') {
            let number = number.parse().ok().filter(|number| (1..=5).contains(number));
            let number = number.ok_or_else(|| format!("{text}: the number after # must be 1 to 5"))?;
            return Ok(Self::NthOfWeek(Field::DaysOfWeek.value(day)?, number));
        }
        match text.strip_suffix('L') {
            Some(day) => Ok(Self::LastOfWeek(Field::DaysOfWeek.value(day)?)),
            None => Field::DaysOfWeek.values(text).map(Self::OfWeek),
        }
    }

    /// The days of one month, in order.
    fn of(&self, year: i16, month: i16) -> Vec<Date> {
        let first = i8::try_from(month).ok().and_then(|month| Date::new(year, month, 1).ok());
        let Some(first) = first else { return Vec::new() };
        let all = || (0..i64::from(first.days_in_month())).filter_map(move |day| first.checked_add(day.days()).ok());
        let on = |day: i16| all().filter(move |date| i16::from(date.weekday().to_sunday_one_offset()) == day);
        match self {
            Self::OfMonth(days) => all().filter(|date| days.contains(&i16::from(date.day()))).collect(),
            Self::Last => vec![first.last_of_month()],
            Self::NearestWeekday(day) => {
                all().find(|date| i16::from(date.day()) == *day).map(nearest_weekday).into_iter().collect()
            }
            Self::OfWeek(days) => {
                all().filter(|date| days.contains(&i16::from(date.weekday().to_sunday_one_offset()))).collect()
            }
            Self::LastOfWeek(day) => on(*day).next_back().into_iter().collect(),
            Self::NthOfWeek(day, number) => {
                on(*day).nth(usize::try_from(number - 1).unwrap_or_default()).into_iter().collect()
            }
        }
    }
}

/// The weekday nearest to a date that does not leave its month.
fn nearest_weekday(date: Date) -> Date {
    let by = match (date.weekday(), date.day()) {
        (Weekday::Saturday, 1) => 2,
        (Weekday::Saturday, _) => -1,
        (Weekday::Sunday, _) if date == date.last_of_month() => -2,
        (Weekday::Sunday, _) => 1,
        _ => 0,
    };
    date.saturating_add(by.days())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn times(expression: &str, after: &str, zone: &str, count: usize) -> Vec<String> {
        let (cron, zone) = (Cron::parse(expression).unwrap(), TimeZone::get(zone).unwrap());
        let first = cron.next(after.parse().unwrap(), &zone);
        std::iter::successors(first, |last| cron.next(*last, &zone)).take(count).map(|at| at.to_string()).collect()
    }

    /// Checked by hand on a calendar: 1 January 2026 is a Thursday, 1 March 2026 a Sunday.
    #[rstest]
    #[case::the_guides_example("15 10 ? * 6L 2025-2026", "2026-01-01T00:00:00Z", ["2026-01-30T10:15:00Z", "2026-02-27T10:15:00Z"])]
    #[case::strictly_after("0 10 * * ? *", "2026-04-02T10:00:00Z", ["2026-04-03T10:00:00Z", "2026-04-04T10:00:00Z"])]
    #[case::steps_from_a_start("1/10 5 ? * * *", "2026-04-02T05:41:00Z", ["2026-04-02T05:51:00Z", "2026-04-03T05:01:00Z"])]
    #[case::steps_of_all("*/30 * * * ? *", "2026-04-02T23:29:59Z", ["2026-04-02T23:30:00Z", "2026-04-03T00:00:00Z"])]
    #[case::names_and_ranges("0 18 ? * MON-FRI *", "2026-04-03T18:00:00Z", ["2026-04-06T18:00:00Z", "2026-04-07T18:00:00Z"])]
    #[case::lists("0 8 1,15 JAN,FEB ? *", "2026-01-02T00:00:00Z", ["2026-01-15T08:00:00Z", "2026-02-01T08:00:00Z"])]
    #[case::numbers_of_days("0 0 ? * 1,7 *", "2026-04-02T00:00:00Z", ["2026-04-04T00:00:00Z", "2026-04-05T00:00:00Z"])]
    #[case::last_of_month("0 0 L * ? *", "2026-02-01T00:00:00Z", ["2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"])]
    #[case::last_of_week("0 0 ? * L *", "2026-04-02T00:00:00Z", ["2026-04-04T00:00:00Z", "2026-04-11T00:00:00Z"])]
    #[case::second_tuesday("0 0 ? * 3#2 *", "2026-04-02T00:00:00Z", ["2026-04-14T00:00:00Z", "2026-05-12T00:00:00Z"])]
    #[case::fifth_friday("0 0 ? * FRI#5 *", "2026-02-01T00:00:00Z", ["2026-05-29T00:00:00Z", "2026-07-31T00:00:00Z"])]
    #[case::weekday_near_a_sunday("0 0 15W * ? *", "2026-02-01T00:00:00Z", ["2026-02-16T00:00:00Z", "2026-03-16T00:00:00Z"])]
    #[case::weekday_stays_in_the_month("0 0 1W * ? *", "2026-02-27T00:00:00Z", ["2026-03-02T00:00:00Z", "2026-04-01T00:00:00Z"])]
    #[case::saturday_the_first("0 0 1W AUG ? *", "2026-01-01T00:00:00Z", ["2026-08-03T00:00:00Z", "2027-08-02T00:00:00Z"])]
    #[case::sunday_the_last("0 0 31W MAY ? *", "2026-01-01T00:00:00Z", ["2026-05-29T00:00:00Z", "2027-05-31T00:00:00Z"])]
    #[case::leap_days("0 0 29 2 ? *", "2026-01-01T00:00:00Z", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"])]
    #[case::days_that_a_month_lacks("0 0 31 * ? *", "2026-04-01T00:00:00Z", ["2026-05-31T00:00:00Z", "2026-07-31T00:00:00Z"])]
    #[case::years("0 0 1 1 ? 2030/5", "2026-04-02T00:00:00Z", ["2030-01-01T00:00:00Z", "2035-01-01T00:00:00Z"])]
    fn next_times_are_those_of_the_calendar(#[case] text: &str, #[case] after: &str, #[case] expected: [&str; 2]) {
        assert_eq!(times(text, after, "UTC", 2), expected);
    }

    /// In New York clocks go from 02:00 to 03:00 on 8 March 2026 and from 02:00 back to 01:00 on 1 November; in Sydney
    /// from 03:00 back to 02:00 on 5 April.
    #[rstest]
    #[case::zone("0 1 * * ? *", "2026-04-02T00:00:00Z", "Asia/Tokyo", &["2026-04-02T16:00:00Z"])]
    #[case::same_reading_all_year("0 5 ? * SUN *", "2026-03-01T12:00:00Z", "America/New_York", &["2026-03-08T09:00:00Z", "2026-03-15T09:00:00Z"])]
    #[case::skipped("30 2 * * ? *", "2026-03-07T00:00:00Z", "America/New_York", &["2026-03-07T07:30:00Z", "2026-03-09T06:30:00Z"])]
    #[case::hourly_over_a_gap("0 * * * ? *", "2026-03-08T05:30:00Z", "America/New_York", &["2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z"])]
    #[case::once_though_repeated("30 1 * * ? *", "2026-10-31T12:00:00Z", "America/New_York", &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"])]
    #[case::asked_between_the_two("30 1 * * ? *", "2026-11-01T05:45:00Z", "America/New_York", &["2026-11-02T06:30:00Z"])]
    #[case::hourly_over_a_fold("0 * * * ? *", "2026-11-01T04:30:00Z", "America/New_York", &["2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"])]
    #[case::southern("30 2 * * ? *", "2026-04-04T00:00:00Z", "Australia/Sydney", &["2026-04-04T15:30:00Z", "2026-04-05T16:30:00Z"])]
    fn next_times_follow_the_zones_clocks(
        #[case] text: &str,
        #[case] after: &str,
        #[case] zone: &str,
        #[case] expected: &[&str],
    ) {
        assert_eq!(times(text, after, zone, expected.len()), expected);
    }

    #[rstest]
    #[case::past_years("0 0 1 1 ? 1999")]
    #[case::no_such_day("0 0 30 2 ? *")]
    fn expression_that_never_comes_has_no_next_time(#[case] text: &str) {
        assert_eq!(times(text, "2026-04-02T00:00:00Z", "UTC", 1), Vec::<String>::new());
    }

    #[rstest]
    #[case("* * * * *", "six fields")]
    #[case("* * * * * *", "must be ?")]
    #[case("* * ? * ? *", "cannot both be ?")]
    #[case("60 * * * ? *", "minutes")]
    #[case("* 24 * * ? *", "hours")]
    #[case("* * 0 * ? *", "day-of-month")]
    #[case("* * * 13 ? *", "month")]
    #[case("* * ? * 8 *", "day-of-week")]
    #[case("* * ? * 0 *", "day-of-week")]
    #[case("* * * * ? 1969", "year")]
    #[case("* * * * ? 2200", "year")]
    #[case("5-1 * * * ? *", "backwards")]
    #[case("*/0 * * * ? *", "step")]
    #[case("* * ? * MON/2 *", "day-of-week")]
    #[case("* * ? * 3#6 *", "1 to 5")]
    #[case("* * ? * 3#1,6#3 *", "1 to 5")]
    #[case("* * 3W,5 * ? *", "day-of-month")]
    #[case("* * LW * ? *", "day-of-month")]
    #[case("? * * * ? *", "minutes")]
    #[case("* * * JANUARY ? *", "month")]
    #[case(", * * * ? *", "minutes")]
    fn bad_expressions_are_refused_with_the_field(#[case] text: &str, #[case] part: &str) {
        let reason = Cron::parse(text).unwrap_err();
        assert!(reason.contains(part), "{reason}");
    }

    proptest! {
        /// The next time, found by stepping through every minute of the clock.
        #[test]
        fn next_time_is_the_first_minute_that_fits(
            minute in 0_i8..60, hours in proptest::collection::btree_set(0_i8..24, 1..4), step in 1_i16..9,
            start in 0_i64..500 * 24 * 60,
        ) {
            let zone = TimeZone::get("Europe/Berlin").unwrap();
            let list = hours.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let cron = Cron::parse(&format!("{minute} {list} 1/{step} * ? *")).unwrap();
            let after = Timestamp::from_second(1_767_225_600 + start * 60).unwrap();
            let mut seen = None;
            let mut at = after;
            while seen.is_none() {
                at += 60.seconds();
                let shown = zone.to_datetime(at);
                // The second pass of a repeated hour does not count.
                let first_pass = zone.to_ambiguous_timestamp(shown).earlier().unwrap() == at;
                let fits = shown.minute() == minute && hours.contains(&shown.hour());
                if fits && first_pass && (i16::from(shown.day()) - 1) % step == 0 {
                    seen = Some(at);
                }
            }
            prop_assert_eq!(cron.next(after, &zone), seen);
        }
    }
}
