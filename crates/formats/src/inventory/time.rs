//! Reads the times of an inventory, most of which are of the same days.

use jiff::Timestamp;

/// Times of the form that S3 Inventory writes, `2026-03-31T04:05:06.000Z`, by what the calendar has said of their day before.
/// All others are left to [`jiff`].
pub(crate) struct Times {
    /// The day and the second with which it begins, by the number of the day in its month.
    days: [Option<([u8; 10], i64)>; 32],
}

impl Times {
    pub(crate) fn new() -> Self {
        Self { days: [None; 32] }
    }

    /// The time; none where the field is not a time in UTC.
    pub(crate) fn read(&mut self, field: &[u8]) -> Option<Timestamp> {
        self.usual(field).or_else(|| str::from_utf8(field).ok()?.parse().ok())
    }

    fn usual(&mut self, field: &[u8]) -> Option<Timestamp> {
        let [day @ .., b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'.', f1, f2, f3, b'Z'] = field else { return None };
        let midnight = self.midnight(day.try_into().ok()?)?;
        let digits = [h1, h2, m1, m2, s1, s2, f1, f2, f3].map(|byte| byte.wrapping_sub(b'0'));
        let [h1, h2, m1, m2, s1, s2, f1, f2, f3] = digits.map(i64::from);
        let (hour, minute, second) = (h1 * 10 + h2, m1 * 10 + m2, s1 * 10 + s2);
        let millisecond = f1 * 100 + f2 * 10 + f3;
        if digits.iter().any(|digit| *digit > 9) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = midnight + hour * 3600 + minute * 60 + second;
        Timestamp::from_millisecond(seconds.checked_mul(1000)?.checked_add(millisecond)?).ok()
    }

    fn midnight(&mut self, day: [u8; 10]) -> Option<i64> {
        let [.., d1, d2] = day;
        let known = self.days.get_mut(usize::try_from(two(d1, d2)?).ok()?)?;
        if let Some((_, midnight)) = known.filter(|(known, _)| *known == day) {
            return Some(midnight);
        }
        let [_, _, _, _, b'-', _, _, b'-', _, _] = day else { return None };
        let midnight: Timestamp = format!("{}T00:00:00Z", str::from_utf8(&day).ok()?).parse().ok()?;
        *known = Some((day, midnight.as_second()));
        Some(midnight.as_second())
    }
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::usual("2026-03-31T04:05:06.789Z")]
    #[case::leap_day("2024-02-29T23:59:59.999Z")]
    #[case::no_leap_day("2026-02-29T00:00:00.000Z")]
    #[case::day_31_of_april("2026-04-31T00:00:00.000Z")]
    #[case::day_0("2026-04-00T00:00:00.000Z")]
    #[case::hour_24("2026-04-01T24:00:00.000Z")]
    #[case::leap_second("2016-12-31T23:59:60.000Z")]
    #[case::without_fraction("2026-03-31T04:05:06Z")]
    #[case::small_letters("2026-03-31t04:05:06.789z")]
    #[case::offset("2026-03-31T04:05:06.789+01:00")]
    #[case::basic_format("20260331xxT04:05:06.789Z")]
    #[case::before_1970("1960-03-31T04:05:06.789Z")]
    #[case::far("9999-12-31T23:59:59.999Z")]
    #[case::not_a_digit("2026-03-31T0x:05:06.789Z")]
    #[case::empty("")]
    fn time_is_what_the_calendar_library_reads(#[case] field: &str) {
        let mut times = Times::new();
        for _ in 0..2 {
            assert_eq!(times.read(field.as_bytes()), field.parse().ok());
        }
    }

    proptest! {
        #[test]
        fn any_times_in_a_row_are_what_the_calendar_library_reads(
            fields in prop::collection::vec("(20[0-3][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{3}Z|[0-9T:.Z-]{0,26})", 1..20)
        ) {
            let mut times = Times::new();
            for field in fields {
                prop_assert_eq!(times.read(field.as_bytes()), field.parse().ok());
            }
        }
    }
}
