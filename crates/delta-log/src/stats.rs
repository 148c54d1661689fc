//! The number of records in the statistics of a file.

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Stats {
    #[serde(rename = "numRecords")]
    num_records: Option<u64>,
}

/// `numRecords` of a JSON text of statistics (PROTOCOL.md, "Per-file Statistics"); none when it is not there, or the text is no
/// statistics. Writers begin with it, so that mostly nothing else is looked at.
pub(crate) fn num_records(stats: &[u8]) -> Option<u64> {
    if let Some(number) = leading_records(stats) {
        return Some(number);
    }
    serde_json::from_slice::<Stats>(stats).ok()?.num_records
}

/// As [`num_records`], where it is what the text begins with.
pub(crate) fn leading_records(stats: &[u8]) -> Option<u64> {
    leading(stats, b"{\"numRecords\":")
}

/// As [`num_records`], of the text inside of a JSON string as it stands in a commit, escapes and all.
pub(crate) fn num_records_escaped(stats: &RawValue) -> Option<u64> {
    if let Some(number) = leading(stats.get().as_bytes(), b"\"{\\\"numRecords\\\":") {
        return Some(number);
    }
    let text: Option<String> = serde_json::from_str(stats.get()).ok()?;
    num_records(text?.as_bytes())
}

fn leading(text: &[u8], head: &[u8]) -> Option<u64> {
    let rest = text.strip_prefix(head)?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    // A fraction or an exponent is none of a count; let the parser decide.
    let (digits, rest) = rest.split_at_checked(digits)?;
    if !matches!(rest.first(), Some(b',' | b'}')) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::first(r#"{"numRecords":123,"minValues":{"numRecords":5}}"#, Some(123))]
    #[case::only(r#"{"numRecords":0}"#, Some(0))]
    #[case::spaced(r#"{ "numRecords" : 7 }"#, Some(7))]
    #[case::last(r#"{"minValues":{"numRecords":5},"numRecords":9}"#, Some(9))]
    #[case::inner_alone(r#"{"minValues":{"numRecords":5}}"#, None)]
    #[case::null(r#"{"numRecords":null}"#, None)]
    #[case::fraction(r#"{"numRecords":1.5}"#, None)]
    #[case::negative(r#"{"numRecords":-1}"#, None)]
    #[case::cut(r#"{"numRecords":12"#, None)]
    #[case::no_json("x", None)]
    fn records_are_read_from_statistics(#[case] stats: &str, #[case] expected: Option<u64>) {
        assert_eq!(num_records(stats.as_bytes()), expected);
        let escaped = RawValue::from_string(serde_json::to_string(stats).unwrap()).unwrap();
        assert_eq!(num_records_escaped(&escaped), expected);
    }
}
