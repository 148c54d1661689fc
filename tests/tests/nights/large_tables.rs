//! Tables with a file that is larger than one call copies: what a copy lacks of them is copied in parts.

use aws_sdk_s3::types::ChecksumAlgorithm;
use levee::hosts::StageName;
use levee_tests::Rig;
use levee_twin::{FaultPlan, faults::FaultAnswer};
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    large::{done, on_parts, struck, uploads},
    support::{SNAPSHOT, SOURCE, assert_failed, assert_succeeded, day, fault, others, stage_named, worker_of},
    tables::{Commit, assert_told, assert_whole_at, commit, data, delete, inventory, orders, rig, verdict},
};

/// The newest data file.
const FILE: &str = "large.parquet";
const BYTES: u64 = 6_000_000_000;
/// Of 64 MiB each.
const PARTS: usize = 90;

/// Everything of a table but its newest data file.
fn table() -> Vec<(String, Vec<u8>)> {
    let newest = Commit { adds_of: &[(FILE, BYTES)], at: 2_000, ..Commit::default() };
    orders().into_iter().chain([commit(3, &newest)]).collect()
}

/// Puts the newest data file into the source, of bytes that nobody has to keep.
async fn put_file(rig: &Rig) {
    let put = rig.accounts.warehouse.s3.put_object().bucket(SOURCE).key(data(FILE).0).tagging("table=orders");
    let put = put.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).customize().mutate_request(|request| {
        request.headers_mut().insert("x-levee-twin-sparse-length", BYTES.to_string());
    });
    put.send().await.unwrap();
}

async fn delete_file(rig: &Rig) {
    delete(&rig.accounts.warehouse, SOURCE, &data(FILE).0).await;
}

/// A source whose inventory lacks the file.
async fn without_the_file() -> Rig {
    let rig = rig().await;
    rig.fill(table()).await.unwrap();
    inventory(&rig).await;
    put_file(&rig).await;
    rig
}

/// Bytes of the file's copy; none when there is none.
async fn copied(rig: &Rig) -> Option<u64> {
    let head = rig.accounts.backup.s3.head_object().bucket(SNAPSHOT).key(data(FILE).0).send().await.ok()?;
    head.content_length().and_then(|bytes| u64::try_from(bytes).ok())
}

/// Asserts that the newest look has found the table behind and copied the file, and that nothing of an upload is left.
async fn assert_mended(rig: &Rig) {
    let table = verdict(rig).await;
    assert_whole_at(&table, 3);
    let repair = &table["repair"];
    assert_eq!((&repair["before"], &repair["version_before"]), (&json!("behind"), &json!(2)), "{table}");
    assert_eq!((&repair["objects"], &repair["bytes"]), (&json!(1), &json!(BYTES)), "{table}");
    assert_eq!(copied(rig).await, Some(BYTES));
    assert_eq!(uploads(rig).await, [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_inventory_that_misses_a_large_data_file_is_mended_in_parts() {
    let mut rig = without_the_file().await;
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!(ended.output["large"], Value::Null, "the file came after the inventory");
    assert_eq!(ended.output["tables"]["repaired_bytes"], BYTES);
    assert_mended(&rig).await;
    assert_eq!((done(&rig, "CreateMultipartUpload"), done(&rig, "UploadPartCopy")), (1, PARTS));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_over_a_large_data_file_goes_on_with_its_upload() {
    let mut rig = without_the_file().await;
    rig.set_faults(on_parts(FaultAnswer::DeathAfter).limit(1).into());
    let execution = rig.start(day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_eq!(rig.twin.struck().values().sum::<u64>(), 1, "the worker did not die");
    assert_mended(&rig).await;
    assert_eq!((done(&rig, "CreateMultipartUpload"), done(&rig, "UploadPartCopy")), (1, PARTS));
}

#[rstest]
#[case::before_the_look(false)]
#[case::while_it_is_copied(true)]
#[tokio::test(start_paused = true)]
async fn a_large_data_file_that_goes_from_the_source_is_explained_and_leaves_no_upload(#[case] copying: bool) {
    let rig = without_the_file().await;
    let _others = rig.hands(&others("table-verify"), &rig.accounts.backup);
    let execution = rig.start_alone(day()).await.unwrap();
    rig.capture("table-verify").await.unwrap();
    if !copying {
        delete_file(&rig).await;
    }
    rig.set_faults(on_parts(FaultAnswer::slow_down()).into());
    let _look = rig.hands(&[stage_named("table-verify")], &worker_of(&rig, "table-verify"));
    if copying {
        struck(&rig).await;
        delete_file(&rig).await;
    }
    rig.set_faults(FaultPlan::default());
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    let table = verdict(&rig).await;
    assert_eq!((&table["verdict"], &table["newest_whole_version"]), (&json!("behind"), &json!(2)), "{table}");
    assert_eq!(table["missing"], json!([{ "path": FILE, "why": "absent", "want": BYTES }]));
    assert_eq!(table["repair"], Value::Null);
    assert_told(&table, &["the source is no better"]);
    assert_eq!((done(&rig, "CreateMultipartUpload"), copied(&rig).await), (usize::from(copying), None));
    assert_eq!(uploads(&rig).await, [] as [&str; 0]);
}

/// What large-copy has found out about a file is no answer to what the table lacks.
#[tokio::test(start_paused = true)]
async fn a_large_data_file_that_had_vanished_and_is_there_again_is_copied() {
    let rig = rig().await;
    rig.fill(table()).await.unwrap();
    put_file(&rig).await;
    inventory(&rig).await;
    let held = ["large-copy", "table-verify"].map(stage_named);
    let others: Vec<_> = StageName::ALL.into_iter().filter(|stage| !held.contains(stage)).collect();
    let _others = rig.hands(&others, &rig.accounts.backup);
    let execution = rig.start_alone(day()).await.unwrap();
    rig.capture("large-copy").await.unwrap();
    delete_file(&rig).await;
    let _large = rig.hands(&[stage_named("large-copy")], &worker_of(&rig, "large-copy"));
    rig.capture("table-verify").await.unwrap();
    put_file(&rig).await;
    let _look = rig.hands(&[stage_named("table-verify")], &worker_of(&rig, "table-verify"));
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!((&ended.output["large"]["objects"], &ended.output["large"]["vanished"]), (&json!(1), &json!(1)));
    assert_mended(&rig).await;
}

#[tokio::test(start_paused = true)]
async fn a_large_data_file_that_is_denied_fails_the_night_by_name_and_a_redrive_copies_it() {
    let mut rig = without_the_file().await;
    rig.set_faults(fault("s3", "UploadPartCopy", Some(FILE), None, FaultAnswer::Denied));
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    let told = ["0 of 1 tables whole, 1 behind", FILE, "UploadPartCopy", "role of the table-verify worker", "redrive"];
    assert_failed(&ended, "Levee.TablesTorn", &told);
    assert_eq!((uploads(&rig).await.len(), copied(&rig).await), (0, None));
    rig.set_faults(FaultPlan::default());
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_mended(&rig).await;
}
