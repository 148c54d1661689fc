//! Objects that are too large for a copy job: their attributes, deaths of the worker, sources that change, vanish or are
//! denied, and what is in the snapshot bucket already.

mod attributes;
mod deaths;

use std::time::Duration;

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{
        BucketVersioningStatus, ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, StorageClass,
        VersioningConfiguration,
    },
};
use levee::hosts::StageName;
use levee_stage::Aws;
use levee_tests::{Ended, Rig, RigBuilder};
use levee_twin::{
    FaultPlan,
    faults::{CallFault, FaultAnswer, When},
    service::Principal,
};
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{SNAPSHOT, SOURCE, assert_failed, assert_succeeded, copy_failures, day};

const MIB: usize = 1024 * 1024;
/// The least that the first of several parts can have: hashing is most of what these nights cost.
const PARTS: [usize; 2] = [5 * MIB, 7];

type Checksum = Option<(ChecksumAlgorithm, ChecksumType)>;

async fn rig() -> Rig {
    RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap()).build().await.unwrap()
}

/// Puts an object into the source as one that was uploaded in parts of these sizes.
async fn upload(rig: &Rig, key: &str, checksum: Checksum, sizes: &[usize]) {
    let s3 = &rig.accounts.warehouse.s3;
    let (algorithm, kind) = checksum.unzip();
    let create = s3.create_multipart_upload().bucket(SOURCE).key(key).metadata("owner", key).tagging("team=ingest");
    let create = create.set_checksum_algorithm(algorithm.clone()).set_checksum_type(kind);
    let created = create.send().await.unwrap();
    let upload = created.upload_id().unwrap();
    let mut parts = Vec::new();
    for (number, size) in (1..).zip(sizes) {
        let put = s3.upload_part().bucket(SOURCE).key(key).upload_id(upload).part_number(number);
        let put = put.set_checksum_algorithm(algorithm.clone());
        let put = put.body(ByteStream::from(vec![u8::try_from(number).unwrap(); *size])).send().await.unwrap();
        let part = CompletedPart::builder().part_number(number).e_tag(put.e_tag().unwrap());
        let part = part.set_checksum_sha256(put.checksum_sha256).set_checksum_crc32(put.checksum_crc32);
        parts.push(part.set_checksum_crc64_nvme(put.checksum_crc64_nvme).build());
    }
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = s3.complete_multipart_upload().bucket(SOURCE).key(key).upload_id(upload);
    complete.multipart_upload(parts).send().await.unwrap();
}

async fn put(rig: &Rig, key: &str, body: &str) {
    let put = rig.accounts.warehouse.s3.put_object().bucket(SOURCE).key(key).metadata("owner", key);
    put.body(ByteStream::from(body.as_bytes().to_vec())).send().await.unwrap();
}

/// Calls of an operation that had their effect.
pub(crate) fn done(rig: &Rig, operation: &str) -> usize {
    rig.twin.calls().iter().filter(|call| call.operation == operation && call.is_ok()).count()
}

/// The ids of unfinished uploads in the snapshot bucket.
pub(crate) async fn uploads(rig: &Rig) -> Vec<String> {
    let listed = rig.accounts.backup.s3.list_multipart_uploads().bucket(SNAPSHOT).send().await.unwrap();
    listed.uploads().iter().map(|upload| upload.upload_id().unwrap().to_owned()).collect()
}

/// How many versions the snapshot bucket has of a key.
async fn versions(rig: &Rig, key: &str) -> usize {
    let listed = rig.accounts.backup.s3.list_object_versions().bucket(SNAPSHOT).prefix(key).send().await.unwrap();
    listed.versions().len()
}

/// The rows of a list that the state or an event points to.
async fn rows(rig: &Rig, list: &Value) -> Vec<Value> {
    let key = list["key"].as_str().unwrap_or_else(|| panic!("no list: {list}"));
    let bytes = rig.object(&rig.accounts.backup, &rig.plan.ledger_bucket, key).await.unwrap().unwrap();
    String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Asserts that the objects are in the snapshot bucket with the bytes that the source has, and that no upload is left.
async fn assert_copied(rig: &Rig, keys: &[&str]) {
    for key in keys {
        let copy = rig.object(&rig.accounts.backup, SNAPSHOT, key).await.unwrap();
        let source = rig.object(&rig.accounts.warehouse, SOURCE, key).await.unwrap();
        assert!(source.is_some() && copy == source, "{key:?}");
    }
    assert_eq!(uploads(rig).await, [] as [&str; 0]);
    assert_eq!(rig.deletes().iter().filter(|count| count.account == rig.plan.backup_account).count(), 0);
}

/// Plays a night of these large objects.
async fn night(rig: &mut Rig, keys: &[&str]) -> (String, Ended) {
    let execution = rig.start_large("night", day(), keys).await.unwrap();
    rig.start_workers();
    let ended = rig.until_ended(&execution).await.unwrap();
    (execution, ended)
}

/// Lets time pass until a planned fault has struck.
pub(crate) async fn struck(rig: &Rig) {
    while rig.twin.struck().is_empty() {
        rig.clock.sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) fn on_parts(answer: FaultAnswer) -> CallFault {
    CallFault::new(answer).of("s3", "UploadPartCopy")
}

/// Denies the worker of large-copy what `resource` names.
async fn deny(rig: &Rig, action: &str, resource: &str) {
    let mut policy = levee::deploy::source_bucket_policy(&rig.plan);
    policy["Statement"].as_array_mut().unwrap().push(json!({ "Sid": "Mistake", "Effect": "Deny",
        "Principal": { "AWS": rig.plan.worker_role_arn("large-copy") }, "Action": action,
        "Resource": format!("arn:aws:s3:::{SOURCE}/{resource}") }));
    let s3 = &rig.accounts.warehouse.s3;
    s3.put_bucket_policy().bucket(SOURCE).policy(policy.to_string()).send().await.unwrap();
}

async fn allow(rig: &Rig) {
    let policy = levee::deploy::source_bucket_policy(&rig.plan).to_string();
    rig.accounts.warehouse.s3.put_bucket_policy().bucket(SOURCE).policy(policy).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn throttled_parts_are_copied_in_the_end_and_none_twice() {
    let mut rig = rig().await;
    upload(&rig, "a", None, &PARTS).await;
    rig.set_faults(on_parts(FaultAnswer::slow_down()).limit(20).into());
    let (_, ended) = night(&mut rig, &["a"]).await;
    assert_succeeded(&ended);
    assert_eq!(rig.twin.struck().values().sum::<u64>(), 20);
    assert_eq!(done(&rig, "UploadPartCopy"), 2);
    assert_copied(&rig, &["a"]).await;
}

#[tokio::test(start_paused = true)]
async fn objects_that_are_throttled_for_long_keep_their_parts_and_are_tried_again() {
    let mut rig = rig().await;
    upload(&rig, "a", None, &PARTS).await;
    put(&rig, "b", "small").await;
    rig.set_faults(CallFault::new(FaultAnswer::slow_down()).of("s3", "CompleteMultipartUpload").into());
    let execution = rig.start_large("night", day(), &["a", "b"]).await.unwrap();
    rig.start_workers();
    // Longer than a call is tried, so that the stage itself is done again.
    rig.clock.sleep(Duration::from_secs(1800)).await;
    assert_eq!(uploads(&rig).await.len(), 2, "what is copied is kept");
    rig.set_faults(FaultPlan::default());
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_eq!(done(&rig, "UploadPartCopy"), 3);
    assert_eq!(copy_failures(&rig), Vec::<Value>::new(), "nobody is told of what may pass");
    assert_copied(&rig, &["a", "b"]).await;
}

#[rstest]
#[case::unversioned(false)]
#[case::versioned(true)]
#[tokio::test(start_paused = true)]
async fn source_that_changes_while_it_is_copied_is_copied_whole_and_counted(#[case] versioned: bool) {
    let mut rig = rig().await;
    if versioned {
        let versioned = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let put = rig.accounts.warehouse.s3.put_bucket_versioning().bucket(SOURCE);
        put.versioning_configuration(versioned).send().await.unwrap();
    }
    upload(&rig, "a", None, &PARTS).await;
    let before = rig.object(&rig.accounts.warehouse, SOURCE, "a").await.unwrap().unwrap();
    rig.set_faults(on_parts(FaultAnswer::slow_down()).into());
    let execution = rig.start_large("night", day(), &["a"]).await.unwrap();
    rig.start_workers();
    struck(&rig).await;
    upload(&rig, "a", None, &[5 * MIB + 1, 9]).await;
    rig.set_faults(FaultPlan::default());
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let large = &ended.output["large"];
    let copy = rig.object(&rig.accounts.backup, SNAPSHOT, "a").await.unwrap().unwrap();
    if versioned {
        // The version that was the newest when it was looked at is still there.
        assert_eq!((&large["changed"], copy == before), (&json!(0), true));
        assert_eq!(uploads(&rig).await, [] as [&str; 0]);
    } else {
        assert_eq!((&large["changed"], &large["parts"], &large["bytes"]), (&json!(1), &json!(2), &json!(5 * MIB + 10)));
        assert_copied(&rig, &["a"]).await;
        assert_eq!(rows(&rig, &large["copied_list"]).await[0]["changed"], true);
    }
    assert_eq!(versions(&rig, "a").await, 1);
}

#[rstest]
#[case::before_it_was_looked_at(false)]
#[case::while_it_was_copied(true)]
#[tokio::test(start_paused = true)]
async fn vanished_object_is_explained_and_the_others_are_copied(#[case] copying: bool) {
    let mut rig = rig().await;
    put(&rig, "a", "stays").await;
    upload(&rig, "b", None, &PARTS).await;
    rig.set_faults(on_parts(FaultAnswer::slow_down()).into());
    let execution = rig.start_large("night", day(), &["a", "b"]).await.unwrap();
    if copying {
        rig.start_workers();
        struck(&rig).await;
    }
    rig.accounts.warehouse.s3.delete_object().bucket(SOURCE).key("b").send().await.unwrap();
    rig.set_faults(FaultPlan::default());
    rig.start_workers();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let large = &ended.output["large"];
    assert_eq!((&large["objects"], &large["copied"], &large["vanished"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(rows(&rig, &large["vanished_list"]).await, [json!({ "key": "b", "size": 5 * MIB + 7 })]);
    assert_copied(&rig, &["a"]).await;
    assert_eq!(versions(&rig, "b").await, 0);
}

#[tokio::test(start_paused = true)]
async fn source_bucket_that_is_gone_explains_nothing() {
    let mut rig = rig().await;
    put(&rig, "a", "bytes").await;
    let execution = rig.start_large("night", day(), &["a"]).await.unwrap();
    let s3 = &rig.accounts.warehouse.s3;
    s3.delete_object().bucket(SOURCE).key("a").send().await.unwrap();
    s3.delete_bucket().bucket(SOURCE).send().await.unwrap();
    rig.start_workers();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.LargeCopyIncomplete", &["1 of 1", "1 other", "HeadBucket"]);
}

#[rstest]
#[case::the_object("s3:GetObject", "1 denied", "GetObject")]
#[case::its_tags("s3:GetObjectTagging", "1 denied", "GetObjectTagging")]
#[tokio::test(start_paused = true)]
async fn denied_object_stops_the_run_when_the_others_are_copied_and_a_redrive_copies_exactly_it(
    #[case] action: &str,
    #[case] class: &str,
    #[case] operation: &str,
) {
    let mut rig = rig().await;
    upload(&rig, "a", None, &PARTS).await;
    put(&rig, "b ä", "bytes").await;
    deny(&rig, action, "b*").await;
    let (execution, ended) = night(&mut rig, &["a", "b ä"]).await;
    let told = ["1 of 2", class, operation, "\"b ä\"", "bucket policy of lake-events", "redrive"];
    let cause = assert_failed(&ended, "Levee.LargeCopyIncomplete", &told);
    assert!(!cause.contains("throttled"), "{cause}");
    let events = copy_failures(&rig);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["failed_by_class"], json!({ "denied": 1 }));
    assert_eq!((&events[0]["rows"], &events[0]["succeeded"], &events[0]["failed"]), (&json!(2), &json!(1), &json!(1)));
    let failures = rows(&rig, &events[0]["failure_list"]).await;
    assert_eq!((&failures[0]["key"], &failures[0]["operation"]), (&json!("b ä"), &json!(operation)), "{failures:?}");
    rig.redrive(&execution).await.unwrap();
    let again = rig.until_ended(&execution).await.unwrap();
    assert_failed(&again, "Levee.LargeCopyIncomplete", &told);
    allow(&rig).await;
    rig.redrive(&execution).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!((&ended.output["large"]["copied"], &ended.output["large"]["parts"]), (&json!(2), &json!(3)));
    assert_eq!(done(&rig, "UploadPartCopy"), 3);
    assert_copied(&rig, &["a", "b ä"]).await;
    let counts = rig.scheduled(&execution).await.unwrap();
    assert_eq!((counts["large-copy"], counts["bucket-provision"]), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn object_that_is_denied_in_the_midst_leaves_no_upload_until_it_is_copied_anew() {
    let mut rig = rig().await;
    upload(&rig, "a", None, &PARTS).await;
    rig.set_faults(on_parts(FaultAnswer::access_denied()).into());
    let (execution, ended) = night(&mut rig, &["a"]).await;
    assert_failed(&ended, "Levee.LargeCopyIncomplete", &["1 denied", "UploadPartCopy", "s3:PutObject"]);
    assert_eq!(uploads(&rig).await, [] as [&str; 0]);
    rig.set_faults(FaultPlan::default());
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_copied(&rig, &["a"]).await;
}

#[tokio::test(start_paused = true)]
async fn archived_object_fails_by_name_and_is_copied_once_it_was_restored() {
    let mut rig = rig().await;
    let put_archived = rig.accounts.warehouse.s3.put_object().bucket(SOURCE).key("a");
    put_archived.storage_class(StorageClass::Glacier).send().await.unwrap();
    put(&rig, "b", "bytes").await;
    let (execution, ended) = night(&mut rig, &["a", "b"]).await;
    assert_failed(&ended, "Levee.LargeCopyIncomplete", &["1 of 2", "1 archived", "\"a\"", "restore the objects"]);
    put(&rig, "a", "in another class").await;
    rig.redrive(&execution).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!(ended.output["large"]["changed"], 1);
    assert_copied(&rig, &["a", "b"]).await;
}

#[tokio::test(start_paused = true)]
async fn same_message_twice_has_the_effect_of_one() {
    let rig = rig().await;
    upload(&rig, "a", None, &PARTS).await;
    put(&rig, "b", "bytes").await;
    let execution = rig.start_large("night", day(), &["a", "b"]).await.unwrap();
    let _others = rig.hands(&[StageName::BucketProvision], &rig.accounts.backup);
    let message = rig.capture("large-copy").await.unwrap();
    rig.duplicate(&message).await.unwrap();
    let role = Principal::Role(rig.plan.worker_role_arn("large-copy"));
    let aws = Aws::new(&rig.twin.sdk_config(&rig.plan.backup_account, &role));
    let _hands = rig.hands(&[StageName::LargeCopy], &aws);
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    rig.clock.sleep(Duration::from_secs(3600)).await;
    assert_eq!(rig.messages_in("large-copy").await.unwrap(), 0, "the duplicate is still there");
    assert_copied(&rig, &["a", "b"]).await;
    assert_eq!((versions(&rig, "a").await, versions(&rig, "b").await), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn new_execution_finds_what_the_old_one_has_copied_and_copies_over_nothing() {
    let mut rig = rig().await;
    upload(&rig, "a", None, &PARTS).await;
    put(&rig, "b", "bytes").await;
    deny(&rig, "s3:GetObject", "b").await;
    let (_, ended) = night(&mut rig, &["a", "b"]).await;
    assert_failed(&ended, "Levee.LargeCopyIncomplete", &["1 of 2"]);
    allow(&rig).await;
    // Somebody has put something else where the second object goes.
    rig.accounts
        .backup
        .s3
        .put_object()
        .bucket(SNAPSHOT)
        .key("b")
        .body(b"other"[..].to_vec().into())
        .send()
        .await
        .unwrap();
    let second = rig.start_large("second", day(), &["a", "b"]).await.unwrap();
    let ended = rig.until_ended(&second).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!((&ended.output["large"]["copied"], &ended.output["large"]["parts"]), (&json!(2), &json!(3)));
    assert_eq!(done(&rig, "UploadPartCopy"), 3, "the first object was there already");
    assert_eq!((versions(&rig, "a").await, versions(&rig, "b").await), (1, 2), "what was there is still there");
    assert_copied(&rig, &["a", "b"]).await;
}

#[tokio::test(start_paused = true)]
async fn uploads_of_others_are_left_alone() {
    let mut rig = rig().await;
    put(&rig, "a", "bytes").await;
    put(&rig, "a longer", "bytes").await;
    rig.set_faults(on_parts(FaultAnswer::slow_down()).into());
    let execution = rig.start_large("night", day(), &["a", "a longer"]).await.unwrap();
    rig.start_workers();
    struck(&rig).await;
    let role = Principal::Role("arn:aws:iam::222222222222:role/somebody".to_owned());
    let other = Aws::new(&rig.twin.sdk_config(&rig.plan.backup_account, &role));
    let theirs = other.s3.create_multipart_upload().bucket(SNAPSHOT).key("a").send().await.unwrap();
    rig.set_faults(FaultPlan::default());
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_eq!(uploads(&rig).await, [theirs.upload_id().unwrap()]);
    assert_eq!(
        (versions(&rig, "a").await, done(&rig, "AbortMultipartUpload")),
        (2, 0),
        "`a` and `a longer`, once each"
    );
}
