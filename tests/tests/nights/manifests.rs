//! Inventories that are late, missing, damaged, unusable or empty.

use aws_sdk_s3::primitives::ByteStream;
use jiff::Timestamp;
use levee_formats::inventory::Manifest;
use levee_tests::{Rig, RigBuilder};
use levee_twin::{
    FaultPlan,
    faults::{InventoryFault, InventoryFaultKind},
};
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{SOURCE, assert_failed, assert_succeeded, assert_whole, day, objects, ready};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn every_inventory(kind: InventoryFaultKind) -> FaultPlan {
    InventoryFault::new(kind).into()
}

/// A filled rig without any delivery; none comes by itself.
async fn silent() -> Rig {
    let rig = RigBuilder::new(SOURCE, time("2026-04-02T02:00:00Z")).build().await.unwrap();
    rig.fill(objects()).await.unwrap();
    rig.set_faults(every_inventory(InventoryFaultKind::Missing));
    rig
}

#[tokio::test(start_paused = true)]
async fn late_manifest_is_waited_for_and_then_found() {
    let mut rig = silent().await;
    let execution = rig.start(day()).await.unwrap();
    rig.sleep_until(time("2026-04-02T07:00:00Z")).await;
    rig.set_faults(FaultPlan::default());
    rig.deliver(time("2026-04-02T01:00:00Z")).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert!(ended.output["manifest"]["key"].as_str().unwrap().contains("/2026-04-02T01-00Z/"));
    assert_whole(&rig, &objects(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn manifest_that_never_comes_is_overdue_at_its_limit_and_a_redrive_finds_a_later_one() {
    let mut rig = silent().await;
    let mut input = rig.plan.execution_input(day(), 2);
    input["run"]["manifest_limit_hours"] = json!(3);
    let execution = rig.start_with("limited", &input).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.ManifestOverdue", &["levee-manifests", SOURCE, "2026-04-02"]);
    let waited = rig.clock.now().duration_since(time("2026-04-02T02:00:00Z")).as_secs();
    assert!((3 * 3600..4 * 3600).contains(&waited), "failed after {waited} s");
    assert!(rig.snapshot_buckets().await.unwrap().is_empty());
    rig.set_faults(FaultPlan::default());
    rig.deliver(time("2026-04-02T01:00:00Z")).await.unwrap();
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_whole(&rig, &objects(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn first_inventory_scanned_on_or_after_the_second_day_is_taken() {
    let mut rig = silent().await;
    rig.set_faults(FaultPlan::default());
    for scan in ["2026-04-01T23:59:00Z", "2026-04-02T00:00:00Z", "2026-04-02T01:00:00Z"] {
        rig.deliver(time(scan)).await.unwrap();
    }
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert!(ended.output["manifest"]["key"].as_str().unwrap().contains("/2026-04-02T00-00Z/"), "{}", ended.output);
}

#[rstest]
#[case::checksum(InventoryFaultKind::ChecksumWrong, "checksum")]
#[case::data_file_missing(InventoryFaultKind::DataFileMissing, ".csv.gz")]
#[case::data_file_changed(InventoryFaultKind::DataFileCorrupt, ".csv.gz")]
#[case::data_file_cut(InventoryFaultKind::DataFileTruncated, ".csv.gz")]
#[tokio::test(start_paused = true)]
async fn damaged_inventory_is_refused_and_a_redrive_takes_the_mended_or_the_next_one(
    #[case] kind: InventoryFaultKind,
    #[case] named: &str,
    #[values("2026-04-02T01:00:00Z", "2026-04-03T01:00:00Z")] mended: &str,
) {
    let mut rig = silent().await;
    rig.set_faults(every_inventory(kind));
    rig.deliver(time("2026-04-02T01:00:00Z")).await.unwrap();
    let execution = rig.start(day()).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.ManifestCorrupt", &[named]);
    assert!(rig.snapshot_buckets().await.unwrap().is_empty());
    rig.redrive(&execution).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.ManifestCorrupt", &[named]);
    rig.set_faults(FaultPlan::default());
    rig.deliver(time(mended)).await.unwrap();
    rig.redrive(&execution).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let folder = mended.replace(":00:00Z", "-00Z");
    assert!(ended.output["manifest"]["key"].as_str().unwrap().contains(&folder), "{}", ended.output);
    assert_whole(&rig, &objects(), 1).await;
}

/// Changes the delivered manifest and writes the checksum that belongs to it.
async fn rewrite(rig: &Rig, change: impl FnOnce(&mut Value)) {
    let (s3, bucket) = (&rig.accounts.backup.s3, &rig.plan.manifest_bucket);
    let listed = s3.list_objects_v2().bucket(bucket).send().await.unwrap();
    let key =
        listed.contents().iter().filter_map(|object| object.key()).find(|key| key.ends_with("/manifest.json")).unwrap();
    let bytes = rig.object(&rig.accounts.backup, bucket, key).await.unwrap().unwrap();
    let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
    change(&mut manifest);
    let bytes = serde_json::to_vec(&manifest).unwrap();
    let checksum = Manifest::checksum(&bytes);
    s3.put_object().bucket(bucket).key(key).body(ByteStream::from(bytes)).send().await.unwrap();
    let key = key.replace("manifest.json", "manifest.checksum");
    s3.put_object().bucket(bucket).key(key).body(ByteStream::from(checksum.into_bytes())).send().await.unwrap();
}

#[rstest]
#[case::orc("fileFormat", json!("ORC"), "Levee.ManifestUnsupported", "ORC")]
#[case::parquet("fileFormat", json!("Parquet"), "Levee.ManifestUnsupported", "Parquet")]
#[case::unheard_of("fileFormat", json!("Avro"), "Levee.ManifestUnsupported", "Avro")]
#[case::without_keys("fileSchema", json!("Bucket, Size"), "Levee.ManifestUnsupported", "Key")]
#[case::all_versions("fileSchema", json!("Bucket, Key, VersionId"), "Levee.ManifestUnsupported", "Current")]
#[case::of_another_bucket("sourceBucket", json!("lake-payments"), "Levee.ManifestCorrupt", "lake-payments")]
#[tokio::test(start_paused = true)]
async fn unusable_inventory_is_refused_by_name(
    #[case] member: &str,
    #[case] value: Value,
    #[case] error: &str,
    #[case] named: &str,
) {
    let mut rig = ready().await;
    rewrite(&rig, |manifest| manifest[member] = value).await;
    let execution = rig.start(day()).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), error, &[named]);
    assert!(rig.snapshot_buckets().await.unwrap().is_empty());
    assert!(rig.jobs().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn empty_inventory_completes_with_zero_objects_and_makes_no_job() {
    let mut rig = Rig::ready(SOURCE, []).await.unwrap();
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!(ended.output["manifest"]["objects"], 0);
    assert_eq!(ended.output["job"]["id"], Value::Null);
    assert_whole(&rig, &[], 0).await;
}
