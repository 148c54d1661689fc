//! The last look at the snapshot bucket: what is there against what was planned.

use levee_stage::Aws;
use levee_tests::{Ended, Rig, RigBuilder};
use levee_twin::{
    faults::{RowClass, RowFault, When},
    service::Principal,
};
use serde_json::{Value, json};

use super::support::{
    SNAPSHOT, SOURCE, assert_failed, assert_succeeded, assert_whole, copy_failures, day, objects, others, ready,
    stage_named, worker_of,
};

const BREAK_GLASS: &str = "arn:aws:iam::222222222222:role/break-glass";

/// A night that has come as far as the last look, which nobody takes yet.
async fn before_the_look(rig: &Rig) -> String {
    let execution = rig.start_alone(day()).await.unwrap();
    rig.capture("snapshot-check").await.unwrap();
    execution
}

/// A rig that is ready, with somebody who may delete in its snapshot buckets.
async fn with_break_glass() -> Rig {
    let rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap());
    let rig = rig.plan(|plan| levee::deploy::Plan { break_glass_arns: vec![BREAK_GLASS.to_owned()], ..plan });
    let rig = rig.build().await.unwrap();
    rig.fill(objects()).await.unwrap();
    rig.deliver("2026-04-02T01:00:00Z".parse().unwrap()).await.unwrap();
    rig
}

fn break_glass(rig: &Rig) -> aws_sdk_s3::Client {
    Aws::new(&rig.twin.sdk_config(&rig.plan.backup_account, &Principal::Role(BREAK_GLASS.to_owned()))).s3
}

async fn look(rig: &Rig, execution: &str) -> Ended {
    let _hands = rig.hands(&[stage_named("snapshot-check")], &rig.accounts.backup);
    rig.until_ended(execution).await.unwrap()
}

async fn put(aws: &Aws, bucket: &str, key: &str, body: &str) {
    aws.s3.put_object().bucket(bucket).key(key).body(body.as_bytes().to_vec().into()).send().await.unwrap();
}

/// The lines of the findings of the only execution.
async fn findings(rig: &Rig) -> Vec<Value> {
    let ledger = rig.ledger().await.unwrap();
    let lists = ledger.into_iter().filter(|(key, _)| key.ends_with("-findings.jsonl"));
    lists.flat_map(|(_, bytes)| String::from_utf8(bytes).unwrap().lines().map(parse).collect::<Vec<_>>()).collect()
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[tokio::test(start_paused = true)]
async fn copy_that_was_hidden_fails_the_run_by_name_and_a_redrive_looks_again() {
    let rig = with_break_glass().await;
    let _others = rig.hands(&others("snapshot-check"), &rig.accounts.backup);
    let execution = before_the_look(&rig).await;
    let s3 = break_glass(&rig);
    let hidden = &objects()[3].0;
    let marker = s3.delete_object().bucket(SNAPSHOT).key(hidden).send().await.unwrap();
    let ended = look(&rig, &execution).await;
    assert_failed(&ended, "Levee.SnapshotDiffers", &["1 of 12", "part-03", SNAPSHOT, "delete marker", "redrive"]);
    let events = copy_failures(&rig);
    assert_eq!((events.len(), &events[0]["failed_by_class"]), (1, &json!({ "missing": 1 })));
    assert_eq!(findings(&rig).await, [json!({ "key": hidden, "finding": "missing", "planned_bytes": 7 })]);
    s3.delete_object().bucket(SNAPSHOT).key(hidden).set_version_id(marker.version_id).send().await.unwrap();
    rig.redrive(&execution).await.unwrap();
    let ended = look(&rig, &execution).await;
    assert_succeeded(&ended);
    assert_eq!((&ended.output["snapshot"]["objects"], &ended.output["snapshot"]["planned"]), (&json!(12), &json!(12)));
    assert_whole(&rig, &objects(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn copies_that_are_still_missing_after_a_redrive_are_made_again_and_only_they() {
    let mut rig = with_break_glass().await;
    let others = rig.hands(&others("snapshot-check"), &rig.accounts.backup);
    let execution = before_the_look(&rig).await;
    for lost in [3, 7] {
        let gone = break_glass(&rig).delete_object().bucket(SNAPSHOT).key(&objects()[lost].0);
        gone.send().await.unwrap();
    }
    assert_failed(&look(&rig, &execution).await, "Levee.SnapshotDiffers", &["2 of 12", "as attempt 2"]);
    drop(others);
    rig.set_faults(RowFault { when: When::First(1), ..RowFault::new("*part-07*", RowClass::Throttled) }.into());
    rig.start_workers();
    rig.redrive(&execution).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let (report, snapshot) = (&ended.output["report"], &ended.output["snapshot"]);
    assert_eq!((&report["attempt"], &report["rows"], &report["copied_in_all"]), (&json!(3), &json!(1), &json!(12)));
    let told = (&snapshot["attempt"], &snapshot["objects"], &snapshot["missing"]);
    assert_eq!(told, (&json!(3), &json!(12), &json!(0)), "{snapshot}");
    assert_whole(&rig, &objects(), 3).await;
}

#[tokio::test(start_paused = true)]
async fn object_that_was_overwritten_since_the_inventory_is_a_finding_and_no_failure() {
    let mut rig = ready().await;
    let changed = &objects()[5].0;
    put(&rig.accounts.warehouse, SOURCE, changed, "longer than it was").await;
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let snapshot = &ended.output["snapshot"];
    assert_eq!((&snapshot["changed"], &snapshot["unexpected"]), (&json!(1), &json!(0)), "{snapshot}");
    let told = json!({ "key": changed, "finding": "changed", "planned_bytes": 7, "bytes": 18 });
    assert_eq!(findings(&rig).await, [told]);
}

#[tokio::test(start_paused = true)]
async fn object_that_nobody_planned_is_a_finding_and_no_failure() {
    let rig = ready().await;
    let _others = rig.hands(&others("snapshot-check"), &rig.accounts.backup);
    let execution = before_the_look(&rig).await;
    put(&rig.accounts.backup, SNAPSHOT, "stray", "x").await;
    let ended = look(&rig, &execution).await;
    assert_succeeded(&ended);
    assert_eq!(ended.output["snapshot"]["unexpected"], 1);
    assert_eq!(ended.output["snapshot"]["objects"], 13);
    assert_eq!(findings(&rig).await, [json!({ "key": "stray", "finding": "unexpected", "bytes": 1 })]);
}

#[tokio::test(start_paused = true)]
async fn what_has_vanished_is_not_missed() {
    let mut rig = ready().await;
    rig.accounts.warehouse.s3.delete_object().bucket(SOURCE).key(&objects()[0].0).send().await.unwrap();
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let snapshot = &ended.output["snapshot"];
    assert_eq!((&snapshot["planned"], &snapshot["objects"]), (&json!(11), &json!(11)), "{snapshot}");
    assert_eq!(findings(&rig).await, Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn object_that_has_vanished_from_the_source_and_was_copied_before_is_a_finding_and_the_run_adds_up() {
    let rig = ready().await;
    let parse = stage_named("report-parse");
    let others: Vec<_> = others("snapshot-check").into_iter().filter(|stage| *stage != parse).collect();
    let _others = rig.hands(&others, &rig.accounts.backup);
    // It asks the source whether what is said to be gone is gone.
    let _parse = rig.hands(&[parse], &worker_of(&rig, "report-parse"));
    let (gone, kept) = (&objects()[0].0, &objects()[1].0);
    for key in [gone, kept] {
        rig.accounts.warehouse.s3.delete_object().bucket(SOURCE).key(key).send().await.unwrap();
    }
    let execution = before_the_look(&rig).await;
    put(&rig.accounts.backup, SNAPSHOT, gone, "earlier").await;
    put(&rig.accounts.backup, SNAPSHOT, kept, "of another size").await;
    let ended = look(&rig, &execution).await;
    assert_succeeded(&ended);
    let snapshot = &ended.output["snapshot"];
    let counts =
        ["planned", "objects", "unexpected", "missing", "changed"].map(|name| snapshot[name].as_u64().unwrap());
    assert_eq!(counts, [10, 12, 2, 0, 0], "{snapshot}");
    let told = [
        json!({ "key": gone, "finding": "unexpected", "planned_bytes": 7, "bytes": 7 }),
        // Where the sizes differ, the plan's row of the key is none of the differences.
        json!({ "key": kept, "finding": "unexpected", "bytes": 15 }),
    ];
    assert_eq!(findings(&rig).await, told);
    assert_eq!(ended.output["receipt"]["outcome"], "degraded", "{}", ended.output["receipt"]);
}

#[tokio::test(start_paused = true)]
async fn inventory_without_sizes_is_compared_by_its_keys() {
    let rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap()).build().await.unwrap();
    rig.fill(objects()).await.unwrap();
    let s3 = &rig.accounts.warehouse.s3;
    let configured = s3.get_bucket_inventory_configuration().bucket(SOURCE).id(&rig.plan.inventory_id).send().await;
    let mut configured = configured.unwrap().inventory_configuration.unwrap();
    configured.optional_fields = None;
    let put_it = s3.put_bucket_inventory_configuration().bucket(SOURCE).id(&rig.plan.inventory_id);
    put_it.inventory_configuration(configured).send().await.unwrap();
    rig.deliver("2026-04-02T01:00:00Z".parse().unwrap()).await.unwrap();
    let _others = rig.hands(&others("snapshot-check"), &rig.accounts.backup);
    let execution = before_the_look(&rig).await;
    put(&rig.accounts.backup, SNAPSHOT, "stray", "x").await;
    let ended = look(&rig, &execution).await;
    assert_succeeded(&ended);
    let snapshot = &ended.output["snapshot"];
    let told = (&snapshot["sizes_compared"], &snapshot["objects"], &snapshot["unexpected"]);
    assert_eq!(told, (&json!(false), &json!(13), &json!(1)));
}
