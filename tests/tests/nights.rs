//! Whole nights on the twin.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod nights {
    mod chains;
    mod coverage;
    mod crowds;
    mod drills;
    mod faults;
    mod jobs;
    mod large;
    mod large_tables;
    mod manifests;
    mod many_threads;
    mod months;
    mod planned;
    mod plans;
    mod receipts;
    mod refusals;
    mod restore_plans;
    mod restores;
    mod retries;
    mod schedules;
    mod shares;
    mod slices;
    mod snapshots;
    mod stages;
    mod support;
    mod tables;
    mod takeover;
    mod thaw;
}

use aws_sdk_sfn::types::ExecutionStatus;
use jiff::{Timestamp, civil::date};
use levee_tests::RigBuilder;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Keys that need encoding in one codec or the other, and some hundred plain ones.
fn warehouse() -> Vec<(String, Vec<u8>)> {
    let odd =
        ["a b", "a+b", "date=2026-03-31/x", "100%", "pct%20literal", "größe/日本", "q\"uote,comma", "line\nend", "~*'"];
    let longest = "k".repeat(1024);
    let odd = odd.into_iter().chain([longest.as_str()]);
    let plain = (0..400).map(|n| format!("events/date=2026-03-{:02}/part-{n:05}.parquet", n % 31 + 1));
    let keys = odd.map(str::to_owned).chain(plain).collect::<Vec<_>>();
    keys.into_iter().enumerate().map(|(n, key)| (key.clone(), format!("{n} {key}").into_bytes())).collect()
}

#[tokio::test(start_paused = true)]
async fn deletes_are_counted_whoever_sends_them_and_whatever_comes_of_them() {
    let rig = RigBuilder::new("lake-events", time("2026-03-31T12:00:00Z")).build().await.unwrap();
    assert_eq!(rig.deletes(), []);
    rig.fill([("a".to_owned(), b"x".to_vec())]).await.unwrap();
    rig.accounts.warehouse.s3.delete_object().bucket("lake-events").key("a").send().await.unwrap();
    rig.accounts.backup.s3.delete_bucket().bucket("lake-events").send().await.unwrap_err();
    let deletes = rig.deletes();
    let found: Vec<_> = deletes.iter().map(|count| (count.operation.as_str(), count.account.as_str())).collect();
    let (warehouse, backup) = (rig.plan.warehouse_account.as_str(), rig.plan.backup_account.as_str());
    assert_eq!(found, [("DeleteBucket", backup), ("DeleteObject", warehouse)]);
}

#[tokio::test(start_paused = true)]
async fn night_copies_every_object_and_accounts_for_every_row() {
    let mut rig = RigBuilder::new("lake-events", time("2026-03-31T12:00:00Z")).build().await.unwrap();
    let objects = warehouse();
    rig.fill(objects.clone()).await.unwrap();
    // An hour before the inventory of 2 April, scanned at 01:00, is delivered.
    rig.sleep_until(time("2026-04-02T20:00:00Z")).await;
    let execution = rig.start(date(2026, 3, 31)).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{:?}: {:?}", ended.error, ended.cause);
    assert_eq!(ended.output["manifest"]["objects"], objects.len());
    assert!(ended.output["manifest"]["key"].as_str().unwrap().contains("/2026-04-02T"));
    assert_eq!(ended.output["bucket"]["name"], "lake-events-31-mar-2026");
    assert_eq!(ended.output["report"]["succeeded"], objects.len());
    assert_eq!(ended.output["report"]["failed"], 0);
    assert_eq!(ended.output["snapshot"]["objects"], objects.len());
    assert_eq!(ended.output["snapshot"]["sizes_compared"], true);
    assert_eq!(rig.calls_of("CreateJob"), 1);
    assert_eq!(rig.deletes(), [], "a night deletes nothing");
    for (key, body) in objects {
        let copy = rig.object(&rig.accounts.backup, "lake-events-31-mar-2026", &key).await.unwrap();
        assert_eq!(copy.as_deref(), Some(body.as_slice()), "{key:?}");
    }
    let records = rig.ledger_keys().await.unwrap();
    let names: Vec<_> = records.iter().map(|key| key.rsplit('/').next().unwrap()).collect();
    for name in [
        "claim-0001.json",
        "01-manifest-ready.json",
        "02-bucket-provision.json",
        "03-job-submit-attempt-1.json",
        "04-job-poll-attempt-1.json",
        "05-report-parse-attempt-1.json",
        "07-snapshot-check-attempt-1.json",
        "08-table-verify.json",
        "receipt.json",
        "00000001.json",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
}
