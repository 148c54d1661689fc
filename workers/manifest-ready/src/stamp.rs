//! The names of dated inventory folders: `2026-04-02T01-00Z`, the minute in which the scan began, in UTC.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

const LENGTH: usize = "2026-04-02T01-00Z".len();
const SECONDS_OF_A_MINUTE: i64 = 60;

/// The time that a folder's name stands for; nothing for any other name, such as `data` and `hive`.
#[must_use]
pub fn parse(name: &str) -> Option<Timestamp> {
    let shape = name.bytes().enumerate().all(|(place, byte)| match place {
        4 | 7 | 13 => byte == b'-',
        10 => byte == b'T',
        16 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    });
    if name.len() != LENGTH || !shape {
        return None;
    }
    let number = |range: std::ops::Range<usize>| name.get(range)?.parse::<i16>().ok();
    let part = |range| number(range).and_then(|value| i8::try_from(value).ok());
    let civil = DateTime::new(number(0..4)?, part(5..7)?, part(8..10)?, part(11..13)?, part(14..16)?, 0, 0).ok()?;
    civil.to_zoned_datetime(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// The name of the first folder whose scan can have begun at or after `threshold`, which is rounded up to the minute.
#[must_use]
pub fn at_or_after(threshold: Timestamp) -> String {
    let seconds = threshold.as_second() + i64::from(threshold.subsec_nanosecond() > 0);
    let minutes = seconds.div_euclid(SECONDS_OF_A_MINUTE) + i64::from(seconds.rem_euclid(SECONDS_OF_A_MINUTE) > 0);
    let rounded = Timestamp::from_second(minutes * SECONDS_OF_A_MINUTE).unwrap_or(Timestamp::MAX);
    rounded.strftime("%Y-%m-%dT%H-%MZ").to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2026-04-02T01-00Z", Some("2026-04-02T01:00:00Z"))]
    #[case("2028-02-29T23-59Z", Some("2028-02-29T23:59:00Z"))]
    #[case::no_leap_year("2026-02-29T00-00Z", None)]
    #[case::no_such_hour("2026-04-02T24-00Z", None)]
    #[case::seconds("2026-04-02T01-00-00Z", None)]
    #[case::colon("2026-04-02T01:00Z", None)]
    #[case::no_zone("2026-04-02T01-00", None)]
    #[case::sign("+026-04-02T01-00Z", None)]
    #[case::hive_partition("dt=2026-04-02-01-00", None)]
    #[case::data("data", None)]
    #[case::empty("", None)]
    #[case::not_ascii("2026-04-02T01-00é", None)]
    fn only_the_stamp_of_a_scan_is_a_dated_folder(#[case] name: &str, #[case] expected: Option<&str>) {
        assert_eq!(parse(name), expected.map(|time| time.parse().unwrap()));
    }

    #[rstest]
    #[case("2026-04-02T00:00:00Z", "2026-04-02T00-00Z")]
    #[case("2026-04-02T00:00:00.001Z", "2026-04-02T00-01Z")]
    #[case("2026-04-01T23:59:01Z", "2026-04-02T00-00Z")]
    fn threshold_is_rounded_up_to_the_minute(#[case] threshold: &str, #[case] folder: &str) {
        assert_eq!(at_or_after(threshold.parse().unwrap()), folder);
    }
}
