//! Intervals in table properties, such as `interval 7 days`.

/// The seconds of an interval, rounded down; none for one that is not understood. Months and years have no fixed length, and
/// Delta refuses them (`DeltaConfigs.isValidIntervalConfigValue` of delta-io/delta).
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let mut words = text.strip_prefix("interval").unwrap_or(&text).split_whitespace().peekable();
    words.peek()?;
    let mut micros = 0_u64;
    while let Some(number) = words.next() {
        let number: u64 = number.parse().ok()?;
        let unit = words.next()?;
        let unit: u64 = match unit.strip_suffix('s').unwrap_or(unit) {
            "week" => 7 * 86_400_000_000,
            "day" => 86_400_000_000,
            "hour" => 3_600_000_000,
            "minute" => 60_000_000,
            "second" => 1_000_000,
            "millisecond" => 1000,
            "microsecond" => 1,
            _ => return None,
        };
        micros = micros.checked_add(number.checked_mul(unit)?)?;
    }
    Some(micros / 1_000_000)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("interval 7 days", Some(604_800))]
    #[case("interval 1 week", Some(604_800))]
    #[case("INTERVAL 2 Hours 30 minutes", Some(9000))]
    #[case("30 days", Some(2_592_000))]
    #[case("interval 1500 milliseconds", Some(1))]
    #[case::month("interval 1 month", None)]
    #[case::empty("interval", None)]
    #[case::no_unit("interval 7", None)]
    #[case::negative("interval -7 days", None)]
    #[case::too_great("interval 99999999999999 weeks", None)]
    fn intervals_have_seconds(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(seconds(text), expected);
    }
}
