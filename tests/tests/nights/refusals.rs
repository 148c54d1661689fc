//! What is refused before anything is copied.

use levee_tests::{Rig, RigBuilder};
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{SNAPSHOT, SOURCE, assert_failed, day, objects, ready};

fn assert_nothing_copied(rig: &Rig) {
    for operation in ["CreateJob", "CopyObject"] {
        assert_eq!(rig.calls_of(operation), 0, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn snapshot_name_over_63_characters_is_refused() {
    let source = format!("lake-{}", "x".repeat(50));
    let mut rig = Rig::ready(&source, objects()).await.unwrap();
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.BucketNameTooLong", &["67", "63", &source]);
    assert_nothing_copied(&rig);
}

#[tokio::test(start_paused = true)]
async fn snapshot_bucket_of_another_account_is_refused() {
    let mut rig = ready().await;
    rig.accounts.warehouse.s3.create_bucket().bucket(SNAPSHOT).send().await.unwrap();
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.BucketOwnedByOther", &[SNAPSHOT]);
    assert_nothing_copied(&rig);
}

#[rstest]
#[case::unknown_setting("/run/retention", json!(7), "retention")]
#[case::impossible_date("/run/backup_date", json!("2026-02-30"), "backup_date")]
#[case::invalid_source_name("/run/source", json!("Lake_Events"), "Lake_Events")]
#[case::account("/run/source_account", json!("12"), "source_account")]
#[case::zone("/run/time_zone", json!("Mars/Olympus"), "Mars/Olympus")]
#[tokio::test(start_paused = true)]
async fn bad_setting_is_refused_by_name(#[case] place: &str, #[case] value: Value, #[case] named: &str) {
    let mut rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap()).build().await.unwrap();
    let mut input = rig.plan.execution_input(day(), 2);
    input["run"][place.rsplit('/').next().unwrap()] = value;
    let execution = rig.start_with("bad-setting", &input).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.InputInvalid", &[named]);
    assert_nothing_copied(&rig);
}
