//! Checks of an execution's input.

use rstest::rstest;
use serde_json::{Value, json};

use crate::dates::run;

#[test]
fn good_input_passes() {
    let snapshot = json!({"object_lock": {"mode": "COMPLIANCE", "days": 35}, "storage_class": "STANDARD_IA",
        "kms_key_arn": "arn:aws:kms:us-east-1:222222222222:key/1234", "tags": {"team": "lake"}});
    assert_eq!(run(json!({"backup_date": "2026-03-31", "snapshot": snapshot})).validate(), Ok(()));
}

#[rstest]
#[case::left_alone(json!("fail"))]
#[case::skipped(json!("skip"))]
#[case::restored(json!({"restore": {}}))]
#[case::restored_as_said(json!({"restore": {"tier": "STANDARD", "days": 365, "limit_hours": 336}}))]
fn policies_for_archived_objects_pass(#[case] archived: Value) {
    assert_eq!(run(json!({"backup_date": "2026-03-31", "archived": archived})).validate(), Ok(()));
}

#[rstest]
fn every_storage_class_of_a_copy_job_passes(
    #[values("STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")]
    class: &str,
) {
    assert_eq!(run(json!({"backup_date": "2026-03-31", "snapshot": {"storage_class": class}})).validate(), Ok(()));
}

#[rstest]
#[case("source", json!("Lake_Events"), "`run.source`")]
#[case("source_account", json!("1111"), "12 digits")]
#[case("inventory", json!({"bucket": "backup-manifests", "id": ""}), "`run.inventory.id`")]
#[case("inventory", json!({"bucket": "backup-manifests", "id": "daily", "prefix": "inv/"}), "`run.inventory.prefix`")]
#[case("time_zone", json!("Mars/Olympus"), "there is no time zone")]
#[case("settle_days", json!(31), "`run.settle_days`")]
#[case("manifest_limit_hours", json!(0), "`run.manifest_limit_hours`")]
#[case("stall_limit_hours", json!(1000), "`run.stall_limit_hours`")]
#[case("retries", json!(11), "`run.retries`")]
#[case("priority", json!(-1), "`run.priority`")]
#[case("slice_files", json!(0), "`run.slice_files`")]
#[case("snapshot", json!({"object_lock": {"mode": "GOVERNANCE", "days": 0}}), "object_lock.days")]
#[case("snapshot", json!({"kms_key_arn": "alias/aws/s3"}), "kms_key_arn")]
#[case("snapshot", json!({"storage_class": "COLD"}), "storage_class")]
#[case("selection", json!({"include": [{"glob": "a[b"}]}), "`run.selection.include[0]`")]
#[case("selection", json!({"exclude": [{"prefix": ""}]}), "`run.selection.exclude[0]`")]
#[case("selection", json!({"storage_classes": ["COLD"]}), "`run.selection.storage_classes`")]
#[case("archived", json!({"restore": {"days": 0}}), "`run.archived.restore.days`")]
#[case("archived", json!({"restore": {"days": 366}}), "`run.archived.restore.days`")]
#[case("archived", json!({"restore": {"limit_hours": 337}}), "`run.archived.restore.limit_hours`")]
#[case("snapshot", json!({"tags": {"aws:x": "y"}}), "tags")]
fn bad_field_is_named(#[case] field: &str, #[case] value: Value, #[case] part: &str) {
    let error = run(json!({"backup_date": "2026-03-31", field: value})).validate().unwrap_err();
    assert_eq!(error.name, "Levee.InputInvalid");
    assert!(error.cause.contains("1 problem") && error.cause.contains(part), "{}", error.cause);
}

#[test]
fn all_problems_are_reported_at_once() {
    let error = run(json!({"source": "X", "source_account": "1", "priority": -1})).validate().unwrap_err();
    for part in ["4 problem", "`run.source`", "`run.source_account`", "`run.priority`", "neither `backup_date`"] {
        assert!(error.cause.contains(part), "{part} is not in {}", error.cause);
    }
}
