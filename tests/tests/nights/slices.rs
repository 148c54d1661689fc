//! Inventories with so many data files that they are read in slices.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_s3::primitives::ByteStream;
use levee::hosts::StageName;
use levee_formats::inventory::{Column, Record};
use levee_ledger::state::Plan;
use levee_stage::Aws;
use levee_tests::{Ended, Rig, RigBuilder};
use levee_twin::{
    FaultPlan,
    faults::{FaultAnswer, MessageFault, MessageFaultKind},
    inventory::InventoryOptions,
    service::Principal,
};
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    planned::{by_hand, input, lines, plan_of, play, record, whoever_dies_leaves_one_plan, written_once},
    support::{SOURCE, assert_failed, assert_succeeded, assert_whole, fault, objects, others, stage_named, worker_of},
};

const SCHEMA: &str = "Bucket, Key, Size, ETag, StorageClass, EncryptionStatus";
const CUSTOMER: [(Column, &str); 1] = [(Column::EncryptionStatus, "SSE-C")];
const SCAN: &str = "2026-04-02T01:00:00Z";

/// A row of an inventory.
struct Row {
    key: String,
    size: u64,
    class: &'static str,
    /// Whether it is under a key of the customer's own.
    customer: bool,
}

impl Row {
    fn new(key: String, size: u64, class: &'static str) -> Self {
        Self { key, size, class, customer: false }
    }

    fn record(&self) -> Record<'_> {
        record(&self.key, self.size, self.class, if self.customer { &CUSTOMER } else { &[] })
    }
}

/// The settings with slices of at most so many files.
fn sliced(mut settings: Value, files: u32) -> Value {
    settings["slice_files"] = json!(files);
    settings
}

/// Keys for `files` data files: a batch object in each, and in some of them a large one, one under SSE-C, an archived one. The
/// one in the middle has none at all.
fn mixed(files: usize) -> Vec<Vec<Row>> {
    let file = |index: usize| {
        let mut rows = vec![Row::new(format!("a/{index:03}"), 1, "STANDARD")];
        rows.extend(index.is_multiple_of(3).then(|| Row::new(format!("large/{index:03}"), 5_000_000_001, "STANDARD")));
        let secret = || Row { customer: true, ..Row::new(format!("secret/{index:03}"), 2, "STANDARD") };
        rows.extend((index % 2 == 1).then(secret));
        rows.extend((index % 4 == 2).then(|| Row::new(format!("cold/{index:03}"), 3, "GLACIER")));
        if index == files / 2 { Vec::new() } else { rows }
    };
    (0..files).map(file).collect()
}

/// So many long lines that the lists of the plan are written in parts of several MiB.
fn long(files: usize) -> Vec<Vec<Row>> {
    let row = |index: usize, row: usize| Row::new(format!("cold/{index}/{row:05}/{}", "k".repeat(900)), 3, "GLACIER");
    (0..files).map(|index| (0..4_000).map(|number| row(index, number)).collect()).collect()
}

async fn rig_of(files: &[Vec<Row>]) -> Rig {
    let files: Vec<Vec<Record<'_>>> = files.iter().map(|rows| rows.iter().map(Row::record).collect()).collect();
    let rig = by_hand(SCHEMA, &files).await;
    rig.fill((0..60).map(|index| (format!("a/{index:03}"), b"x".to_vec()))).await.unwrap();
    rig
}

/// What the run has left: its record of the inventory, and the objects of its plan but for what the slices have for themselves.
async fn left(rig: &Rig, name: &str) -> (Value, BTreeMap<String, Vec<u8>>) {
    let mut ledger = rig.ledger().await.unwrap();
    let record = ledger.iter().find(|(key, _)| key.ends_with(&format!("/{name}/01-manifest-ready.json"))).unwrap();
    let record = without_versions(serde_json::from_slice(record.1).unwrap());
    ledger.retain(|key, _| key.contains("/plan-") && !key.contains("/slices/"));
    (record, ledger)
}

fn without_versions(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(name, _)| name != "version_id");
            kept.map(|(name, value)| (name, without_versions(value))).collect()
        }
        other => other,
    }
}

/// How many messages manifest-ready was sent.
async fn messages(rig: &Rig) -> usize {
    let machine = &rig.deployed.state_machine_arn;
    let listed = rig.accounts.backup.sfn.list_executions().state_machine_arn(machine).send().await.unwrap();
    let mut all = 0;
    for execution in listed.executions() {
        all += rig.scheduled(execution.execution_arn()).await.unwrap()["manifest-ready"];
    }
    all
}

#[rstest]
// Two passes: pin, five slices, join; five slices, join.
#[case::counted_first(mixed(9), json!({}), 2, 13)]
#[case::planned_at_once(mixed(9), json!({ "archived": "skip" }), 2, 7)]
#[case::a_file_each(mixed(9), json!({ "archived": "skip", "selection": { "exclude": [{ "prefix": "a/00" }] } }), 1, 11)]
#[case::lists_in_parts(long(3), json!({ "archived": "skip" }), 2, 4)]
#[tokio::test(start_paused = true)]
async fn sliced_night_has_the_plan_of_the_unsliced_one_byte_for_byte(
    #[case] files: Vec<Vec<Row>>,
    #[case] settings: Value,
    #[case] most_files: u32,
    #[case] sent: usize,
) {
    let mut whole = rig_of(&files).await;
    let expected = play(&mut whole, "night", settings.clone()).await;
    let mut rig = rig_of(&files).await;
    let ended = play(&mut rig, "night", sliced(settings, most_files)).await;
    assert_eq!((&ended.status, &ended.error, &ended.cause), (&expected.status, &expected.error, &expected.cause));
    let ((record, plan), (expected, expected_plan)) = (left(&rig, "night").await, left(&whole, "night").await);
    assert_eq!(record, expected);
    assert_eq!(plan.keys().collect::<Vec<_>>(), expected_plan.keys().collect::<Vec<_>>());
    for (key, bytes) in &plan {
        assert!(*bytes == expected_plan[key], "{key} differs");
    }
    assert!(plan.keys().any(|key| key.ends_with("/skipped.jsonl")), "{:?}", plan.keys());
    assert_eq!((messages(&whole).await, messages(&rig).await), (1, sent));
}

#[tokio::test(start_paused = true)]
async fn lists_of_a_sliced_plan_are_in_the_order_of_the_inventory() {
    let mut rig = rig_of(&mixed(12)).await;
    let ended = play(&mut rig, "night", sliced(json!({ "archived": "skip" }), 2)).await;
    assert_succeeded(&ended);
    let plan = plan_of(&ended);
    let keys = async |pointer| -> Vec<String> {
        lines(&rig, pointer).await.iter().map(|line| line["key"].as_str().unwrap().to_owned()).collect()
    };
    let (large, skipped) = (plan.large.unwrap(), plan.skipped.unwrap());
    assert_eq!(keys(&large.pointer).await, ["large/000", "large/003", "large/009"]);
    assert_eq!(
        keys(&skipped.pointer).await,
        ["secret/001", "cold/002", "secret/003", "secret/005", "secret/007", "secret/009", "cold/010", "secret/011"]
    );
}

/// A dozen objects in an inventory of four data files.
async fn plain() -> Rig {
    let inventories = InventoryOptions { rows_per_file: 3, ..InventoryOptions::default() };
    let rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap());
    let rig = rig.twin(move |twin| twin.inventories(inventories)).build().await.unwrap();
    rig.fill(objects()).await.unwrap();
    rig.deliver(SCAN.parse().unwrap()).await.unwrap();
    rig
}

#[tokio::test(start_paused = true)]
async fn sliced_night_that_needs_no_plan_has_none_and_is_a_good_one() {
    let mut rig = plain().await;
    let ended = play(&mut rig, "night", sliced(json!({}), 1)).await;
    assert_succeeded(&ended);
    assert_eq!((&ended.output["manifest"]["files"], &ended.output["manifest"]["objects"]), (&json!(4), &json!(12)));
    assert_eq!(ended.output["manifest"]["plan"], Value::Null);
    assert_eq!(messages(&rig).await, 6);
    let keys = rig.ledger_keys().await.unwrap();
    assert!(keys.iter().all(|key| !key.contains("/plan-")), "{keys:?}");
    let slices = keys.iter().filter(|key| key.contains("/01-manifest-ready-slice-")).count();
    assert_eq!(slices, 4, "{keys:?}");
    assert_whole(&rig, &objects(), 1).await;
    let receipt = rig.ledger().await.unwrap().remove(&format!("receipts/{SOURCE}/00000001.json")).unwrap();
    let receipt: Value = serde_json::from_slice(&receipt).unwrap();
    let stages: Vec<_> = receipt["stages"].as_array().unwrap().iter().map(|stage| &stage["state"]).collect();
    assert_eq!(stages[..4], ["ManifestReady", "SlicesRead", "SlicesJoin", "BucketProvision"]);
}

#[tokio::test(start_paused = true)]
async fn inventory_with_no_more_files_than_a_slice_is_read_by_one_message() {
    let mut rig = plain().await;
    let ended = play(&mut rig, "night", sliced(json!({}), 4)).await;
    assert_succeeded(&ended);
    assert_eq!(messages(&rig).await, 1);
    assert!(rig.ledger_keys().await.unwrap().iter().all(|key| !key.contains("slice")));
}

#[tokio::test(start_paused = true)]
async fn selection_that_takes_nothing_of_any_slice_fails_the_run() {
    let mut rig = plain().await;
    let settings = sliced(json!({ "selection": { "include": [{ "prefix": "nowhere/" }] } }), 1);
    let ended = play(&mut rig, "night", settings).await;
    assert_failed(&ended, "Levee.NothingSelected", &["none of the 12 objects"]);
    assert!(rig.ledger_keys().await.unwrap().iter().all(|key| !key.contains("/plan-")));
}

/// Starts a night with these settings and no worker; answers its ARN.
async fn start_alone(rig: &Rig, settings: Value) -> String {
    let start = rig.accounts.backup.sfn.start_execution().state_machine_arn(&rig.deployed.state_machine_arn);
    start.name("night").input(input(rig, settings).to_string()).send().await.unwrap().execution_arn
}

async fn has_record(rig: &Rig, name: &str) -> bool {
    rig.ledger_keys().await.unwrap().iter().any(|key| key.ends_with(name))
}

#[tokio::test(start_paused = true)]
async fn inventory_that_is_overwritten_after_it_was_pinned_changes_nothing_for_its_slices() {
    let mut rig = plain().await;
    rig.set_faults(fault("s3", "GetObject", Some(".csv.gz"), None, FaultAnswer::Internal));
    let execution = start_alone(&rig, sliced(json!({}), 1)).await;
    rig.start_workers();
    while !has_record(&rig, "/01-manifest-ready-slices.json").await {
        rig.clock.sleep(Duration::from_secs(1)).await;
    }
    rig.fill([("events/later.parquet".to_owned(), b"later".to_vec())]).await.unwrap();
    rig.deliver(SCAN.parse().unwrap()).await.unwrap();
    assert!(!has_record(&rig, "-count.json").await, "a slice is read already");
    rig.set_faults(FaultPlan::default());
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!(ended.output["manifest"]["objects"], 12);
    assert_whole(&rig, &objects(), 1).await;
}

#[rstest]
#[case::twice(MessageFaultKind::Duplicated { seconds: 0 })]
#[case::twice_and_late(MessageFaultKind::Duplicated { seconds: 120 })]
#[case::out_of_order(MessageFaultKind::Reordered { behind: 2, seconds: 300 })]
#[tokio::test(start_paused = true)]
async fn slices_whose_messages_come_twice_or_out_of_order_come_to_the_same(#[case] kind: MessageFaultKind) {
    let mut rig = plain().await;
    let rule = MessageFault { queue: Some("levee-manifest-ready".to_owned()), ..MessageFault::new(kind) };
    rig.set_faults(rule.into());
    let ended =
        play(&mut rig, "night", sliced(json!({ "selection": { "exclude": [{ "glob": "**/part-07*" }] } }), 1)).await;
    assert_succeeded(&ended);
    assert!(rig.twin.struck()["messages[0]"] > 3, "{:?}", rig.twin.struck());
    rig.set_faults(FaultPlan::default());
    rig.clock.sleep(Duration::from_secs(3600)).await;
    assert_eq!(rig.messages_in("manifest-ready").await.unwrap(), 0);
    assert_eq!(plan_of(&ended).batch.unwrap().rows, 11);
    written_once(&rig);
}

const DAMAGED: usize = 43;

/// Damages the data file of a slice that is not among the first that are read; answers its key and what it was.
async fn damage(rig: &Rig) -> (String, Vec<u8>) {
    let key = format!("inventory/{SOURCE}/daily/data/{DAMAGED}.csv.gz");
    let whole = rig.object(&rig.accounts.backup, &rig.plan.manifest_bucket, &key).await.unwrap().unwrap();
    put(rig, &key, b"damaged".to_vec()).await;
    (key, whole)
}

async fn put(rig: &Rig, key: &str, bytes: Vec<u8>) {
    let put = rig.accounts.backup.s3.put_object().bucket(&rig.plan.manifest_bucket).key(key);
    put.body(ByteStream::from(bytes)).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn damaged_slice_fails_the_run_by_name_and_a_redrive_after_mending_reads_what_was_not_read() {
    let files = mixed(DAMAGED + 1);
    let mut rig = rig_of(&files).await;
    let (key, whole) = damage(&rig).await;
    let settings = json!({ "archived": "skip" });
    let input = input(&rig, sliced(settings.clone(), 1));
    let execution = rig.start_with("night", &input).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    let named = [key.as_str(), "slice 44 (data files 43 to 43 of 44)", "a redrive reads those of this delivery"];
    assert_failed(&ended, "Levee.ManifestCorrupt", &named);
    assert!(rig.snapshot_buckets().await.unwrap().is_empty());
    rig.redrive(&execution).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.ManifestCorrupt", &[&key]);
    put(&rig, &key, whole).await;
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    // The pin, 44 slices, the join, and what was done again: less than all slices once more.
    let sent = messages(&rig).await;
    assert!((48..46 + 40).contains(&sent), "{sent} messages");
    written_once(&rig);
    let mut unsliced = rig_of(&files).await;
    assert_succeeded(&play(&mut unsliced, "night", settings).await);
    assert_eq!(left(&rig, "night").await, left(&unsliced, "night").await);
}

#[tokio::test(start_paused = true)]
async fn execution_that_takes_a_sliced_date_over_comes_to_the_same_plan_in_other_slices() {
    let files = mixed(9);
    let mut rig = rig_of(&files).await;
    rig.set_faults(fault("events", "PutEvents", None, None, FaultAnswer::access_denied()));
    let settings = json!({ "archived": "skip" });
    let failed = play(&mut rig, "first", sliced(settings.clone(), 1)).await;
    assert_failed(&failed, "Levee.AwsRefused", &["PutEvents"]);
    rig.set_faults(FaultPlan::default());
    assert_succeeded(&play(&mut rig, "second", sliced(settings.clone(), 4)).await);
    written_once(&rig);
    let mut unsliced = rig_of(&files).await;
    assert_succeeded(&play(&mut unsliced, "second", settings).await);
    assert_eq!(left(&rig, "second").await, left(&unsliced, "second").await);
}

/// Plays a sliced night whose first worker of manifest-ready dies after `calls` calls; answers whether it died before
/// the slices were joined, and the plan.
async fn dies_after(calls: u64) -> (bool, Plan) {
    let rig = plain().await;
    let (connector, died) = rig.twin.connector().dying_after(calls);
    let doomed = Aws::new(&rig.twin.sdk_config_on(connector, &rig.plan.backup_account, &Principal::Root));
    let reading = stage_named("manifest-ready");
    let verify = stage_named("table-verify");
    let others: Vec<StageName> = others("manifest-ready").into_iter().filter(|stage| *stage != verify).collect();
    let _others = rig.hands(&others, &rig.accounts.backup);
    let _verify = rig.hands(&[verify], &worker_of(&rig, "table-verify"));
    let settings = sliced(json!({ "selection": { "exclude": [{ "glob": "**/part-07*" }] } }), 2);
    let execution = start_alone(&rig, settings).await;
    let first = rig.hands(&[reading], &doomed);
    let until_ended = rig.until_ended(&execution);
    tokio::pin!(until_ended);
    let early: Option<Ended> = tokio::select! {
        () = died.cancelled() => None,
        ended = &mut until_ended => Some(ended.unwrap()),
    };
    drop(first);
    let in_time = !has_record(&rig, "/01-manifest-ready.json").await;
    let _second = rig.hands(&[reading], &rig.accounts.backup);
    let ended = match early {
        Some(ended) => ended,
        None => until_ended.await.unwrap(),
    };
    assert_succeeded(&ended);
    assert_eq!(rig.jobs().await.unwrap().len(), 1);
    written_once(&rig);
    (in_time, plan_of(&ended))
}

#[tokio::test(start_paused = true)]
async fn worker_of_slices_killed_between_any_two_calls_leaves_what_another_one_finishes() {
    whoever_dies_leaves_one_plan(dies_after, "the slices are never joined", 30).await;
}
