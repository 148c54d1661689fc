//! Names that are functions of the run.

use jiff::civil::{Date, date};
use levee_ledger::{
    names::{check_bucket, job_description, job_token, report_prefix, restore_description, snapshot_bucket},
    state::Run,
};
use levee_stage::StageError;
use rstest::rstest;
use serde_json::json;

#[rstest]
#[case("lake-events", date(2026, 3, 31), "lake-events-31-mar-2026")]
#[case("lake.src", date(2028, 2, 29), "lake.src-29-feb-2028")]
#[case("abc", date(2026, 12, 1), "abc-01-dec-2026")]
fn snapshot_bucket_ends_with_the_english_date(#[case] source: &str, #[case] day: Date, #[case] name: &str) {
    assert_eq!(snapshot_bucket(source, day).unwrap(), name);
}

#[test]
fn source_of_51_characters_fits_and_one_of_54_is_three_too_long() {
    let day = date(2026, 3, 31);
    assert_eq!(snapshot_bucket(&"a".repeat(51), day).unwrap().len(), 63);
    let error = StageError::from(snapshot_bucket(&"a".repeat(54), day).unwrap_err());
    assert_eq!(error.name, "Levee.BucketNameTooLong");
    assert!(error.cause.contains("66 characters, 3 more"), "{}", error.cause);
    assert!(error.cause.contains("at most 51"), "{}", error.cause);
}

#[rstest]
#[case("ab", "at least 3")]
#[case("Lake", "only a-z")]
#[case("lake_events", "only a-z")]
#[case("-lake", "begin and end")]
#[case("lake-", "begin and end")]
#[case("la..ke", "two dots")]
#[case("192.168.5.4", "IPv4")]
#[case("xn--lake", "begin with xn--")]
#[case("sthree-lake", "begin with sthree-")]
#[case("amzn-s3-demo-lake", "begin with amzn-s3-demo-")]
#[case("lake-s3alias", "end with -s3alias")]
#[case("lake--ol-s3", "end with --ol-s3")]
#[case("lake.mrap", "end with .mrap")]
#[case("lake--x-s3", "end with --x-s3")]
#[case("lake--table-s3", "end with --table-s3")]
#[case("lake-an", "end with -an")]
fn names_against_a_rule_are_refused_with_the_rule(#[case] name: &str, #[case] rule: &str) {
    let error = check_bucket(name).unwrap_err().to_string();
    assert!(error.contains(rule), "{error}");
}

#[rstest]
#[case("lake-111111111111-us-east-1-an")]
#[case("1.2.3")]
#[case("abc")]
fn allowed_names_pass(#[case] name: &str) {
    assert_eq!(check_bucket(name), Ok(()));
}

#[test]
fn job_names_depend_on_every_part_and_on_nothing_else() {
    let day = date(2026, 3, 31);
    let token = job_token("lake", day, "etag", 1);
    assert_eq!(token, job_token("lake", day, "etag", 1));
    assert!(token.len() == 64 && token.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{token}");
    for other in [
        job_token("lakes", day, "etag", 1),
        job_token("lake", date(2026, 4, 1), "etag", 1),
        job_token("lake", day, "etag2", 1),
        job_token("lake", day, "etag", 2),
    ] {
        assert_ne!(token, other);
    }
    let prefix = report_prefix("lake", day, "etag", 1);
    assert!(prefix.starts_with("lake/2026-03-31/attempt-1-") && !prefix.ends_with('/'), "{prefix}");
}

#[test]
fn descriptions_of_the_longest_names_fit_and_end_with_the_token() {
    let (day, source) = (date(2026, 3, 31), "a".repeat(63));
    let mut run: Run = serde_json::from_value(json!({
        "source": source, "source_account": "111111111111", "inventory": { "bucket": "b", "id": "i" },
    }))
    .unwrap();
    let described = |run: &Run| {
        let description = job_description(run, day, "etag", u32::MAX);
        assert!(description.len() <= 256, "{description}");
        assert!(description.ends_with(&job_token(&run.subject(), day, "etag", u32::MAX)), "{description}");
        assert!(restore_description(run, day, "etag", u32::MAX).len() <= 256);
        description
    };
    let backup = described(&run);
    assert!(backup.starts_with(&format!("Levee backup of {source} for 2026-03-31, attempt ")), "{backup}");
    run.restore = Some(
        serde_json::from_value(json!({
            "id": "0123456789ab-2026-03-31", "of": source, "plan": { "bucket": "ledger", "key": "plan.json", "etag": "e" },
            "target": { "name": "lake", "account": "111111111111", "region": "us-east-1" },
        }))
        .unwrap(),
    );
    let restore = described(&run);
    assert!(restore.starts_with(&format!("Levee restore 0123456789ab-2026-03-31 of {source}")), "{restore}");
    assert_ne!(job_token(&source, day, "etag", 1), job_token(&run.subject(), day, "etag", 1));
}
