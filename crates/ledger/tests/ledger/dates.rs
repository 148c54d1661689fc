//! Backup dates and the moment from which an inventory may stand for them.

use jiff::civil::{Date, date};
use levee_ledger::{dates, state::Run};
use rstest::rstest;
use serde_json::json;

#[rstest]
#[case::month_end(date(2026, 3, 31), 2, "UTC", "2026-04-02T00:00:00Z")]
#[case::leap_year(date(2028, 2, 28), 2, "UTC", "2028-03-01T00:00:00Z")]
#[case::common_year(date(2026, 2, 28), 2, "UTC", "2026-03-02T00:00:00Z")]
#[case::year_end(date(2026, 12, 31), 2, "UTC", "2027-01-02T00:00:00Z")]
#[case::no_settling(date(2026, 3, 31), 0, "UTC", "2026-03-31T00:00:00Z")]
#[case::west(date(2026, 3, 31), 2, "America/New_York", "2026-04-02T04:00:00Z")]
#[case::east(date(2026, 3, 31), 2, "Asia/Tokyo", "2026-04-01T15:00:00Z")]
#[case::after_the_clocks_change(date(2026, 3, 28), 2, "Europe/Berlin", "2026-03-29T22:00:00Z")]
// In Beirut the clocks of 30 March 2025 went from 00:00 to 01:00: the day began at 22:00 UTC of the day before.
#[case::no_midnight(date(2025, 3, 28), 2, "Asia/Beirut", "2025-03-29T22:00:00Z")]
fn inventories_count_from_the_first_moment_of_the_settled_day(
    #[case] day: Date,
    #[case] settle_days: u8,
    #[case] zone: &str,
    #[case] threshold: &str,
) {
    assert_eq!(dates::threshold(day, settle_days, zone).unwrap().to_string(), threshold);
}

#[rstest]
#[case::explicit(json!({"backup_date": "2026-03-31", "scheduled_time": "2026-05-01T00:00:00Z"}), date(2026, 3, 31))]
#[case::scheduled(json!({"scheduled_time": "2026-04-02T03:00:00Z"}), date(2026, 3, 31))]
#[case::scheduled_over_leap_day(json!({"scheduled_time": "2028-03-01T00:00:00Z"}), date(2028, 2, 28))]
#[case::day_of_the_zone(json!({"scheduled_time": "2026-04-02T03:00:00Z", "time_zone": "America/New_York"}), date(2026, 3, 30))]
#[case::settle_days(json!({"scheduled_time": "2026-04-02T03:00:00Z", "settle_days": 3}), date(2026, 3, 30))]
fn backup_date_is_explicit_or_the_scheduled_day_less_the_settle_days(
    #[case] given: serde_json::Value,
    #[case] expected: Date,
) {
    assert_eq!(dates::backup_date(&run(given)).unwrap(), expected);
}

#[test]
fn run_without_any_date_is_refused() {
    let error = dates::backup_date(&run(json!({}))).unwrap_err();
    assert_eq!(error.name, "Levee.InputInvalid");
    assert!(error.cause.contains("backup_date") && error.cause.contains("scheduled_time"), "{}", error.cause);
}

pub(crate) fn run(fields: serde_json::Value) -> Run {
    let mut run = json!({"source": "lake-events", "source_account": "111111111111",
        "inventory": {"bucket": "backup-manifests", "prefix": "inv", "id": "daily"}});
    for (name, value) in fields.as_object().unwrap() {
        run[name] = value.clone();
    }
    serde_json::from_value(run).unwrap()
}
