//! Nights on which one copy job for all objects will not do: selections, archived objects, objects under keys of the
//! customer's own, and large ones.

use std::collections::BTreeSet;

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{ServerSideEncryption, StorageClass},
};
use jiff::Timestamp;
use levee_formats::inventory::{Column, DataFile, DataReader, DataWriter, FileFormat, Manifest, Record, Schema};
use levee_ledger::state::{JobManifest, ObjectPointer, Plan};
use levee_stage::Aws;
use levee_tests::{Ended, Rig, RigBuilder};
use levee_twin::{
    FaultPlan,
    faults::{FaultAnswer, InventoryFault, InventoryFaultKind, RowClass, RowFault, When},
    service::Principal,
};
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{
    SNAPSHOT, SOURCE, assert_failed, assert_succeeded, day, fault, others, ready, stage_named, worker_of,
};

const ORDERS: [&str; 4] = [
    "sales/orders/_delta_log/0.json",
    "sales/orders/date=2026-03-31/a b+c.parquet",
    "sales/orders/ä%20",
    "sales/orders/x",
];
const OTHERS: [&str; 4] = ["sales/orders_old/x", "sales/refunds/x", "Sales/orders/x", "sales/orders/_tmp/x"];

fn select_orders() -> Value {
    json!({ "include": [{ "prefix": "sales/orders/" }], "exclude": [{ "glob": "**/_tmp/**" }] })
}

async fn sales() -> Rig {
    let keys = ORDERS.iter().chain(&OTHERS);
    Rig::ready(SOURCE, keys.map(|key| ((*key).to_owned(), key.as_bytes().to_vec()))).await.unwrap()
}

pub(crate) fn input(rig: &Rig, settings: Value) -> Value {
    let mut input = rig.plan.execution_input(day(), 2);
    let run = input["run"].as_object_mut().unwrap();
    run.extend(settings.as_object().unwrap().clone());
    input
}

/// Plays a run with further settings to its end.
pub(crate) async fn play(rig: &mut Rig, name: &str, settings: Value) -> Ended {
    let input = input(rig, settings);
    let execution = rig.start_with(name, &input).await.unwrap();
    rig.until_ended(&execution).await.unwrap()
}

async fn read(rig: &Rig, pointer: &ObjectPointer) -> Vec<u8> {
    rig.object(&rig.accounts.backup, &pointer.bucket, &pointer.key).await.unwrap().unwrap()
}

pub(crate) fn plan_of(ended: &Ended) -> Plan {
    serde_json::from_value(ended.output["manifest"]["plan"].clone()).unwrap()
}

/// The keys that a job was given, of a manifest that is whole.
async fn keys_in(rig: &Rig, manifest: &JobManifest) -> Vec<String> {
    let bytes = read(rig, &manifest.pointer).await;
    let parsed = Manifest::parse(&bytes).unwrap();
    let mut keys = Vec::new();
    for file in &parsed.files {
        let data = rig.object(&rig.accounts.backup, &parsed.destination_bucket, &file.key).await.unwrap().unwrap();
        let mut reader = DataReader::new(&file.key, &parsed.schema, SOURCE).unwrap();
        reader.push(&data, &mut |row| keys.push(row.unwrap().key.into_owned())).unwrap();
        let totals = reader.finish(&mut |row| keys.push(row.unwrap().key.into_owned())).unwrap();
        assert_eq!((totals.compressed_bytes, &totals.md5), (file.size, &file.md5));
    }
    let checksum = format!("{}.checksum", manifest.pointer.key.trim_end_matches(".json"));
    let checksum = rig.object(&rig.accounts.backup, &manifest.pointer.bucket, &checksum).await.unwrap().unwrap();
    Manifest::verify_checksum(&bytes, &checksum).unwrap();
    assert_eq!(keys.len() as u64, manifest.rows);
    keys
}

pub(crate) async fn lines(rig: &Rig, pointer: &ObjectPointer) -> Vec<Value> {
    let text = String::from_utf8(read(rig, pointer).await).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn copies(rig: &Rig) -> BTreeSet<String> {
    let mut pages = rig.accounts.backup.s3.list_objects_v2().bucket(SNAPSHOT).into_paginator().send();
    let mut keys = BTreeSet::new();
    while let Some(page) = pages.next().await {
        keys.extend(page.unwrap().contents.unwrap_or_default().into_iter().map(|object| object.key.unwrap()));
    }
    keys
}

fn set<'a>(keys: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    keys.into_iter().map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn selection_of_a_table_copies_exactly_it() {
    let mut rig = sales().await;
    let ended = play(&mut rig, "selected", json!({ "selection": select_orders() })).await;
    assert_succeeded(&ended);
    let plan = plan_of(&ended);
    let batch = plan.batch.clone().unwrap();
    assert_eq!(ended.output["job"]["manifest"], serde_json::to_value(&batch).unwrap());
    assert_eq!(BTreeSet::from_iter(keys_in(&rig, &batch).await), set(ORDERS));
    assert_eq!(copies(&rig).await, set(ORDERS));
    let bytes: usize = ORDERS.iter().map(|key| key.len()).sum();
    assert_eq!(
        ended.output["manifest"]["plan"]["decisions"],
        json!({ "batch": { "rows": 4, "bytes": bytes }, "excluded": { "rows": 4, "bytes": OTHERS.iter().map(|key| key.len()).sum::<usize>() } })
    );
    assert_eq!(
        (&ended.output["manifest"]["objects"], &ended.output["report"]["copied_in_all"]),
        (&json!(8), &json!(4))
    );
    let summary: Value = serde_json::from_slice(&read(&rig, &plan.summary).await).unwrap();
    assert_eq!(summary["settings"]["selection"], select_orders());
    for file in summary["files"].as_array().unwrap() {
        let key = file["key"].as_str().unwrap();
        let bytes = rig.object(&rig.accounts.backup, &batch.pointer.bucket, key).await.unwrap().unwrap();
        let expected = (file["size"].as_u64().unwrap(), file["md5"].as_str().unwrap());
        assert_eq!((bytes.len() as u64, Manifest::checksum(&bytes).as_str()), expected, "{key}");
    }
    assert_eq!(summary["files"].as_array().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn selection_that_takes_everything_leaves_the_inventory_to_the_job() {
    let mut rig = sales().await;
    let ended = play(&mut rig, "all", json!({ "selection": { "include": [{ "glob": "**" }] } })).await;
    assert_succeeded(&ended);
    assert_eq!(ended.output["manifest"]["plan"], Value::Null);
    assert_eq!(ended.output["job"]["manifest"]["key"], ended.output["manifest"]["key"]);
    assert_eq!(copies(&rig).await, set(ORDERS.into_iter().chain(OTHERS)));
}

#[tokio::test(start_paused = true)]
async fn selection_that_takes_nothing_fails_before_a_bucket_is_made() {
    let mut rig = sales().await;
    let ended = play(&mut rig, "none", json!({ "selection": { "include": [{ "prefix": "sales/order/" }] } })).await;
    assert_failed(&ended, "Levee.NothingSelected", &["none of the 8 objects", "selection", "new execution"]);
    assert!(rig.snapshot_buckets().await.unwrap().is_empty());
    assert_eq!(rig.calls_of("CreateJob"), 0);
    assert!(rig.ledger_keys().await.unwrap().iter().all(|key| !key.contains("/plan-")));
    let ended = play(&mut rig, "corrected", json!({ "selection": select_orders() })).await;
    assert_succeeded(&ended);
    assert_eq!(copies(&rig).await, set(ORDERS));
}

#[tokio::test(start_paused = true)]
async fn selection_that_cannot_be_read_is_refused_at_once() {
    let mut rig = sales().await;
    let bad = json!({ "selection": { "include": [{ "glob": "a[b" }], "storage_classes": ["COLD"] } });
    assert_failed(&play(&mut rig, "bad", bad).await, "Levee.InputInvalid", &["2 problem", "include[0]", "COLD"]);
}

async fn put_archived(rig: &Rig, key: &str) {
    let put = rig.accounts.warehouse.s3.put_object().bucket(SOURCE).key(key);
    put.storage_class(StorageClass::Glacier).body(ByteStream::from_static(b"cold")).send().await.unwrap();
}

/// Objects of which two are archived.
async fn with_archived() -> Rig {
    let rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap()).build().await.unwrap();
    rig.fill(ORDERS.map(|key| (key.to_owned(), key.as_bytes().to_vec()))).await.unwrap();
    for key in ["cold/a", "cold/ä b"] {
        put_archived(&rig, key).await;
    }
    rig.deliver("2026-04-02T01:00:00Z".parse().unwrap()).await.unwrap();
    rig
}

#[tokio::test(start_paused = true)]
async fn archived_objects_are_skipped_and_named() {
    let mut rig = with_archived().await;
    let ended = play(&mut rig, "skip", json!({ "archived": "skip" })).await;
    assert_succeeded(&ended);
    assert_eq!(copies(&rig).await, set(ORDERS));
    let skipped = plan_of(&ended).skipped.unwrap();
    assert_eq!((skipped.amount.rows, skipped.amount.bytes), (2, 8));
    let row = |key: &str| json!({ "key": key, "size": 4, "reason": "skipped_archived", "storage_class": "GLACIER" });
    let mut lines = lines(&rig, &skipped.pointer).await;
    lines.sort_by_key(|line| line["key"].to_string());
    assert_eq!(lines, [row("cold/a"), row("cold/ä b")]);
}

#[tokio::test(start_paused = true)]
async fn archived_objects_that_nothing_is_said_about_stop_the_run_after_the_others_are_copied() {
    let mut rig = with_archived().await;
    let ended = play(&mut rig, "fail", json!({})).await;
    assert_failed(
        &ended,
        "Levee.CopyIncomplete",
        &["2 of 6", "2 archived", "cold/a", "`archived` of the source may be `restore`"],
    );
    assert_eq!(copies(&rig).await, set(ORDERS));
}

#[tokio::test(start_paused = true)]
async fn selection_by_storage_class_takes_the_class() {
    let mut rig = with_archived().await;
    let ended = play(&mut rig, "class", json!({ "selection": { "storage_classes": ["STANDARD"] } })).await;
    assert_succeeded(&ended);
    assert_eq!(copies(&rig).await, set(ORDERS));
}

/// A rig with an inventory that the test has written: one data file for each list of rows.
pub(crate) async fn by_hand(schema: &str, files: &[Vec<Record<'_>>]) -> Rig {
    let rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap()).build().await.unwrap();
    rig.set_faults(InventoryFault::new(InventoryFaultKind::Missing).into());
    let schema = Schema::parse(schema).unwrap();
    let mut data_files = Vec::new();
    let put = |key: String, bytes: Vec<u8>| {
        let put = rig.accounts.backup.s3.put_object().bucket(&rig.plan.manifest_bucket).key(key);
        put.body(ByteStream::from(bytes)).send()
    };
    for (index, rows) in files.iter().enumerate() {
        let mut writer = DataWriter::inventory(Vec::new(), &schema).unwrap();
        for row in rows {
            writer.row(row).unwrap();
        }
        let written = writer.finish().unwrap();
        let key = format!("inventory/{SOURCE}/daily/data/{index}.csv.gz");
        data_files.push(DataFile { key: key.clone(), size: written.size, md5: written.md5.clone() });
        put(key, written.writer).await.unwrap();
    }
    let manifest = Manifest {
        source_bucket: SOURCE.to_owned(),
        destination_bucket: rig.plan.manifest_bucket.clone(),
        version: "2016-11-30".to_owned(),
        created: "2026-04-02T01:00:00Z".parse().unwrap(),
        format: FileFormat::Csv,
        schema,
        files: data_files,
    };
    let (folder, bytes) = (format!("inventory/{SOURCE}/daily/2026-04-02T01-00Z/"), manifest.to_json());
    put(format!("{folder}manifest.checksum"), Manifest::checksum(&bytes).into_bytes()).await.unwrap();
    put(format!("{folder}manifest.json"), bytes).await.unwrap();
    rig
}

pub(crate) fn record<'a>(key: &'a str, size: u64, class: &'a str, further: &'a [(Column, &'a str)]) -> Record<'a> {
    Record {
        bucket: SOURCE,
        key: key.as_bytes(),
        size: Some(size),
        last_modified: Timestamp::UNIX_EPOCH,
        etag: Some("0123456789abcdef0123456789abcdef"),
        storage_class: Some(class),
        further,
        ..Record::default()
    }
}

#[tokio::test(start_paused = true)]
async fn large_objects_and_those_under_keys_of_the_customer_are_kept_from_the_job_and_named() {
    let customer = [(Column::EncryptionStatus, "SSE-C")];
    let files = [
        vec![record("a", 1, "STANDARD", &[]), record("large/a", 5_000_000_001, "STANDARD", &[])],
        vec![],
        vec![record("secret/a b", 2, "STANDARD_IA", &customer), record("limit", 5_000_000_000, "STANDARD", &[])],
        vec![
            record("secret/b", 60_000_000_000, "STANDARD", &customer),
            record("large/b", 60_000_000_000, "GLACIER", &[]),
        ],
    ];
    let mut rig = by_hand("Bucket, Key, Size, ETag, StorageClass, EncryptionStatus", &files).await;
    rig.fill([("a".to_owned(), b"a".to_vec()), ("limit".to_owned(), b"l".to_vec())]).await.unwrap();
    let ended = play(&mut rig, "mixed", json!({})).await;
    assert_succeeded(&ended);
    let plan = plan_of(&ended);
    assert_eq!(keys_in(&rig, &plan.batch.unwrap()).await, ["a", "limit"]);
    let (large, skipped) = (plan.large.unwrap(), plan.skipped.unwrap());
    let etag = "0123456789abcdef0123456789abcdef";
    assert_eq!(
        lines(&rig, &large.pointer).await,
        [
            json!({ "key": "large/a", "size": 5_000_000_001_u64, "etag": etag }),
            json!({ "key": "large/b", "size": 60_000_000_000_u64, "etag": etag })
        ]
    );
    assert_eq!((large.amount.rows, large.amount.bytes), (2, 65_000_000_001));
    assert_eq!(
        lines(&rig, &skipped.pointer).await,
        [
            json!({ "key": "secret/a b", "size": 2, "reason": "unsupported", "storage_class": "STANDARD_IA" }),
            json!({ "key": "secret/b", "size": 60_000_000_000_u64, "reason": "unsupported", "storage_class": "STANDARD" }),
        ]
    );
    assert_eq!((&ended.output["manifest"]["objects"], &ended.output["manifest"]["too_large"]), (&json!(6), &json!(3)));
    let started = rig.twin.events().into_iter().map(|event| event.event);
    let started: Vec<_> = started.filter(|event| event["detail-type"] == "Run Started").collect();
    assert_eq!(started[0]["detail"]["decisions"]["large"]["rows"], 2);
}

#[tokio::test(start_paused = true)]
async fn night_with_nothing_for_a_copy_job_makes_none() {
    let mut rig = by_hand("Bucket, Key, Size", &[vec![record("large", 5_000_000_001, "STANDARD", &[])]]).await;
    let ended = play(&mut rig, "large", json!({})).await;
    assert_succeeded(&ended);
    assert_eq!((&ended.output["job"]["id"], &ended.output["job"]["manifest"]["rows"]), (&Value::Null, &json!(0)));
    assert_eq!(plan_of(&ended).batch, None);
}

#[rstest]
#[case::class_for_a_selection("Bucket, Key", json!({ "selection": { "storage_classes": ["STANDARD"] } }), "add StorageClass")]
#[case::class_for_the_policy("Bucket, Key", json!({ "archived": "skip" }), "add StorageClass")]
#[case::tier_for_the_policy("Bucket, Key, StorageClass", json!({ "archived": "skip" }), "add IntelligentTieringAccessTier")]
#[tokio::test(start_paused = true)]
async fn column_that_the_settings_need_is_named(#[case] schema: &str, #[case] settings: Value, #[case] told: &str) {
    let mut rig = by_hand(schema, &[vec![record("a", 1, "INTELLIGENT_TIERING", &[])]]).await;
    assert_failed(&play(&mut rig, "blind", settings).await, "Levee.ManifestUnsupported", &[told]);
    assert!(rig.snapshot_buckets().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_plan_that_failed_in_passing_are_copied_again_and_no_others() {
    let mut rig = sales().await;
    let throttled = RowFault { when: When::First(1), ..RowFault::new("*a b+c*", RowClass::Throttled) };
    rig.set_faults(FaultPlan::from(throttled));
    let ended = play(&mut rig, "retried", json!({ "selection": select_orders() })).await;
    assert_succeeded(&ended);
    let report = &ended.output["report"];
    assert_eq!((&report["attempt"], &report["rows"], &report["copied_in_all"]), (&json!(2), &json!(1), &json!(4)));
    assert_eq!(copies(&rig).await, set(ORDERS));
}

#[tokio::test(start_paused = true)]
async fn new_execution_with_the_same_selection_goes_on_with_the_jobs_of_the_first() {
    let mut rig = sales().await;
    rig.set_faults(fault("s3", "GetObject", Some("levee-reports"), None, FaultAnswer::access_denied()));
    let settings = json!({ "selection": select_orders() });
    assert_failed(&play(&mut rig, "first", settings.clone()).await, "Levee.AwsRefused", &["AccessDenied"]);
    rig.set_faults(FaultPlan::default());
    let ended = play(&mut rig, "second", settings).await;
    assert_succeeded(&ended);
    assert_eq!(ended.output["job"]["attempt"], 1);
    assert_eq!(rig.jobs().await.unwrap().len(), 1);
    assert_eq!(copies(&rig).await, set(ORDERS));
}

/// Plays a night whose first manifest-ready dies after `calls` calls; answers whether it died before its task was answered,
/// and the plan.
async fn dies_after(calls: u64) -> (bool, Plan) {
    let rig = sales().await;
    let (connector, died) = rig.twin.connector().dying_after(calls);
    let doomed = Aws::new(&rig.twin.sdk_config_on(connector, &rig.plan.backup_account, &Principal::Root));
    let verify = stage_named("table-verify");
    let others: Vec<_> = others("manifest-ready").into_iter().filter(|stage| *stage != verify).collect();
    let _others = rig.hands(&others, &rig.accounts.backup);
    let _verify = rig.hands(&[verify], &worker_of(&rig, "table-verify"));
    let input = input(&rig, json!({ "selection": select_orders(), "archived": "skip" }));
    let start = rig.accounts.backup.sfn.start_execution().state_machine_arn(&rig.deployed.state_machine_arn);
    let execution = start.name("killed").input(input.to_string()).send().await.unwrap().execution_arn;
    rig.capture("manifest-ready").await.unwrap();
    let first = rig.hands(&[stage_named("manifest-ready")], &doomed);
    let until_ended = rig.until_ended(&execution);
    tokio::pin!(until_ended);
    let early = tokio::select! {
        () = died.cancelled() => None,
        ended = &mut until_ended => Some(ended.unwrap()),
    };
    drop(first);
    let _second = rig.hands(&[stage_named("manifest-ready")], &rig.accounts.backup);
    let (in_time, ended) = match early {
        Some(ended) => (false, ended),
        None => (true, until_ended.await.unwrap()),
    };
    assert_succeeded(&ended);
    assert_eq!(copies(&rig).await, set(ORDERS));
    assert_eq!(rig.jobs().await.unwrap().len(), 1);
    written_once(&rig);
    (in_time, plan_of(&ended))
}

#[tokio::test(start_paused = true)]
async fn manifest_ready_killed_between_any_two_calls_leaves_a_plan_that_another_one_finishes() {
    whoever_dies_leaves_one_plan(dies_after, "the stage never finishes", 8).await;
}

/// Asserts that no object of a plan, and no record of the stage, was written twice.
pub(crate) fn written_once(rig: &Rig) {
    let written = rig.twin.calls().into_iter().filter(|call| {
        call.is_ok()
            && (call.resource.contains("/plan-") || call.resource.contains("/01-manifest-ready"))
            && ["PutObject", "CompleteMultipartUpload"].contains(&call.operation.as_str())
    });
    let mut keys: Vec<_> = written.map(|call| call.resource.to_string()).collect();
    keys.sort();
    let all = keys.len();
    keys.dedup();
    assert!(all > 0 && keys.len() == all, "something was written twice: {keys:?}");
}

/// Has workers die after more and more calls, until one is done before; asserts that there is one plan, whoever writes it, and
/// that more than `least` calls were tried.
pub(crate) async fn whoever_dies_leaves_one_plan(
    dies_after: impl AsyncFn(u64) -> (bool, Plan),
    endless: &str,
    least: u64,
) {
    let (mut calls, mut plans) = (0, Vec::new());
    loop {
        let (in_time, plan) = dies_after(calls).await;
        plans.push((plan.summary.key.clone(), plan.summary.etag.clone(), plan.batch.unwrap().pointer.etag));
        if !in_time {
            break;
        }
        calls += 1;
        assert!(calls < 200, "{endless}");
    }
    assert!(calls > least, "only {calls} calls were tried");
    plans.dedup();
    assert_eq!(plans.len(), 1, "the plan depends on who writes it: {plans:?}");
}

#[tokio::test(start_paused = true)]
async fn plan_that_somebody_has_changed_is_refused() {
    let mut rig = sales().await;
    rig.set_faults(fault("events", "PutEvents", None, None, FaultAnswer::access_denied()));
    let input = input(&rig, json!({ "selection": select_orders() }));
    let execution = rig.start_with("changed", &input).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.AwsRefused", &["PutEvents"]);
    let keys = rig.ledger_keys().await.unwrap();
    let data = keys.iter().find(|key| key.contains("/plan-") && key.ends_with(".csv.gz")).unwrap();
    let put = rig.accounts.backup.s3.put_object().bucket(&rig.plan.ledger_bucket).key(data);
    put.body(ByteStream::from_static(b"other rows")).send().await.unwrap();
    rig.set_faults(FaultPlan::default());
    rig.redrive(&execution).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.LedgerCorrupt", &[data, "never overwritten"]);
}

#[tokio::test(start_paused = true)]
async fn keys_that_failed_are_named_with_what_can_be_done() {
    let mut rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap()).build().await.unwrap();
    rig.fill(ORDERS.map(|key| (key.to_owned(), key.as_bytes().to_vec()))).await.unwrap();
    let key = |name: &str| format!("arn:aws:kms:us-east-1:111111111111:key/{name}");
    for (object, name) in [("under/a", "one"), ("under/b", "one"), ("under/c", "two")] {
        let put = rig.accounts.warehouse.s3.put_object().bucket(SOURCE).key(object).body(ByteStream::from_static(b"x"));
        put.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key(name)).send().await.unwrap();
    }
    rig.deliver("2026-04-02T01:00:00Z".parse().unwrap()).await.unwrap();
    rig.set_faults(RowFault::new("under/*", RowClass::Kms).into());
    let ended = play(&mut rig, "keys", json!({})).await;
    let (one, two) = (format!("2 under {}", key("one")), format!("1 under {}", key("two")));
    assert_failed(&ended, "Levee.CopyIncomplete", &["3 key", &one, &two, "aws/s3", "S3UpdateObjectEncryption"]);
}

#[tokio::test(start_paused = true)]
async fn night_without_settings_writes_no_plan() {
    let mut rig = ready().await;
    let ended = play(&mut rig, "plain", json!({})).await;
    assert_succeeded(&ended);
    assert_eq!(ended.output["manifest"]["plan"], Value::Null);
    assert!(rig.ledger_keys().await.unwrap().iter().all(|key| !key.contains("/plan-")));
}
