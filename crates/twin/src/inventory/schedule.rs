//! When scans begin.

use jiff::{Timestamp, ToSpan, civil::Weekday, tz::TimeZone};

/// How often a report is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frequency {
    Daily,
    /// On Sundays, UTC.
    Weekly,
}

/// The first scan after `now`: at the given hour of a day, UTC.
pub(crate) fn next_scan(now: Timestamp, frequency: Frequency, hour: i8) -> Timestamp {
    let mut date = now.to_zoned_datetime(TimeZone::UTC).date();
    // Eight days hold the hour of every weekday once after `now`.
    for _ in 0..9 {
        let at = date.at(hour.clamp(0, 23), 0, 0, 0).to_zoned_datetime(TimeZone::UTC).map(|zoned| zoned.timestamp());
        let fits = frequency == Frequency::Daily || date.weekday() == Weekday::Sunday;
        match at {
            Ok(at) if fits && at > now => return at,
            _ => date = date.saturating_add(1.day()),
        }
    }
    Timestamp::MAX
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[rstest::rstest]
    #[case::before_the_hour("2026-04-01T00:59:59Z", Frequency::Daily, "2026-04-01T01:00:00Z")]
    #[case::at_the_hour("2026-04-01T01:00:00Z", Frequency::Daily, "2026-04-02T01:00:00Z")]
    #[case::month_end("2026-02-28T12:00:00Z", Frequency::Daily, "2026-03-01T01:00:00Z")]
    #[case::leap_day("2028-02-28T12:00:00Z", Frequency::Daily, "2028-02-29T01:00:00Z")]
    #[case::midweek("2026-04-01T12:00:00Z", Frequency::Weekly, "2026-04-05T01:00:00Z")]
    #[case::sunday_morning("2026-04-05T00:30:00Z", Frequency::Weekly, "2026-04-05T01:00:00Z")]
    #[case::sunday_at_the_hour("2026-04-05T01:00:00Z", Frequency::Weekly, "2026-04-12T01:00:00Z")]
    fn the_next_scan_is_the_next_hour_that_fits(
        #[case] now: Timestamp,
        #[case] frequency: Frequency,
        #[case] expected: Timestamp,
    ) {
        assert_eq!(next_scan(now, frequency, 1), expected);
    }
}
