//! Drills: tables restored into the scratch bucket, opened there, and taken away again; and what a drill must not do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::date;
use levee::deploy::Plan;
use levee_ledger::{
    Ledger,
    drill::{Drill, expected},
};
use levee_stage::Aws;
use levee_tests::{Ended, Rig, RigBuilder};
use levee_twin::{FaultPlan, faults::FaultAnswer};
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{SNAPSHOT, SOURCE, assert_failed, assert_succeeded, day, fault, others, stage_named, worker_of};

const SCRATCH: &str = "levee-scratch";
/// Four tables of the sample, the small ones, by path.
const TABLES: [&str; 4] = ["curated/airlines", "curated/aéroports", "curated/planes", "gold/on time: shares"];

fn lake(tables: &[&str]) -> Vec<(String, Vec<u8>)> {
    let lake = levee::lake::sample().unwrap().into_iter();
    let wanted = |key: &str| tables.iter().any(|table| key.starts_with(&format!("{table}/")));
    lake.filter(|file| wanted(&file.key)).map(|file| (file.key, file.bytes.to_vec())).collect()
}

/// A deployment with drills, and a night of these objects behind it.
async fn backed_up(objects: Vec<(String, Vec<u8>)>) -> Rig {
    let rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap()).plan(Plan::with_drills);
    let mut rig = rig.build().await.unwrap();
    rig.fill(objects).await.unwrap();
    rig.deliver("2026-04-02T01:00:00Z".parse().unwrap()).await.unwrap();
    let execution = rig.start(day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    rig.kill_workers();
    rig
}

async fn start(rig: &Rig, name: &str, input: &Value) -> String {
    let machine = rig.deployed.state_machine_arn.replace("levee-backup", "levee-drill");
    let start = rig.accounts.backup.sfn.start_execution().state_machine_arn(machine).name(name);
    start.input(input.to_string()).send().await.unwrap().execution_arn().to_owned()
}

async fn drill(rig: &mut Rig, name: &str, tables: u8) -> Ended {
    let execution = start(rig, name, &rig.plan.drill_input(tables)).await;
    rig.start_workers();
    let ended = rig.until_ended(&execution).await.unwrap();
    rig.kill_workers();
    ended
}

/// The drills that have a record, newest first.
async fn drills(rig: &Rig) -> Vec<Drill> {
    let ledger = Ledger::new(rig.accounts.backup.s3.clone(), &rig.plan.ledger_bucket);
    ledger.drills(SOURCE, 100).await.unwrap()
}

fn paths(drill: &Drill) -> Vec<&str> {
    drill.tables.iter().map(|table| table.path.as_str()).collect()
}

/// The objects of a bucket with their entity tags.
async fn objects(aws: &Aws, bucket: &str) -> BTreeMap<String, String> {
    let mut objects = BTreeMap::new();
    let mut pages = aws.s3.list_objects_v2().bucket(bucket).into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page.unwrap().contents() {
            objects.insert(object.key().unwrap().to_owned(), object.e_tag().unwrap().to_owned());
        }
    }
    objects
}

async fn scratch(rig: &Rig) -> Vec<String> {
    objects(&rig.accounts.backup, SCRATCH).await.into_keys().collect()
}

/// Every call that takes something away was drill-close's, of objects of the scratch bucket.
fn assert_deletes_in_scratch_alone(rig: &Rig) {
    for count in rig.deletes() {
        assert_eq!(count.operation, "DeleteObjects", "{count:?}");
        assert!(count.principal.contains("levee-worker-drill-close"), "{count:?}");
    }
    let calls =
        rig.twin.calls().into_iter().filter(|call| call.operation.starts_with("Delete") && call.service == "s3");
    for call in calls {
        assert!(call.needs.iter().all(|need| need.resource.starts_with("arn:aws:s3:::levee-scratch")), "{call:?}");
    }
}

fn events(rig: &Rig) -> Vec<Value> {
    let events = rig.twin.events().into_iter().map(|event| event.event);
    events.filter(|event| event["detail-type"] == "Drill Completed").map(|event| event["detail"].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn drill_restores_opens_and_compares_tables_and_leaves_nothing_but_its_record() {
    let mut rig = backed_up(lake(&TABLES)).await;
    assert_eq!(rig.deletes(), [], "a night deletes nothing");
    let source = objects(&rig.accounts.warehouse, SOURCE).await;
    let snapshot = objects(&rig.accounts.backup, SNAPSHOT).await;
    let ended = drill(&mut rig, "first", 3).await;
    assert_succeeded(&ended);
    let found = drills(&rig).await;
    let [drill] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(paths(drill), &TABLES[..3]);
    assert_eq!((drill.execution_name.as_str(), drill.backup_date), ("first", date(2026, 3, 31)));
    let ledger = rig.ledger().await.unwrap();
    let list = ledger.iter().rfind(|(key, _)| key.starts_with("runs/") && key.ends_with("-tables.jsonl")).unwrap().1;
    let lines = String::from_utf8(list.clone()).unwrap();
    for table in &drill.tables {
        let mut lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let line = lines.rfind(|line| line["path"] == table.path.as_str()).unwrap();
        let facts = &line["newest_whole"];
        assert_eq!(line["newest_whole_version"], table.version);
        assert_eq!((&facts["files"], &facts["bytes"]), (&json!(table.files), &json!(table.bytes)));
        assert_eq!(facts["rows"], table.rows, "the footers tell what the log tells");
        assert!(table.rows > 0 && table.files > 0, "{table:?}");
    }
    assert!(drill.objects > 0 && drill.emptied >= drill.objects, "the _last_checkpoints come beside: {drill:?}");
    assert!(drill.started < drill.restored && drill.restored <= drill.closed, "{drill:?}");
    assert_eq!(scratch(&rig).await, Vec::<String>::new());
    assert_eq!(objects(&rig.accounts.warehouse, SOURCE).await, source);
    assert_eq!(objects(&rig.accounts.backup, SNAPSHOT).await, snapshot);
    assert_deletes_in_scratch_alone(&rig);
    assert_eq!(rig.deletes().len(), 1, "it did delete: {:?}", rig.deletes());
    let told = events(&rig);
    let [event] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(event.as_object().unwrap().keys().next().unwrap(), "headline", "what a person reads first stands first");
    let headline = event["headline"].as_str().unwrap();
    assert!(
        headline.starts_with("drill of lake-events from 31 Mar 2026: 3 tables open as their backup says"),
        "{headline}"
    );
    assert_eq!(ended.output["drilled"]["headline"], headline);
    assert_eq!((&event["seconds"], &event["bytes"]), (&json!(drill.seconds()), &json!(drill.bytes)));
    let rate = event["objects_per_second"].as_f64().unwrap();
    assert!((rate * drill.seconds() as f64 - drill.objects as f64).abs() < 0.001, "{event}");
}

#[tokio::test(start_paused = true)]
async fn tables_that_were_not_drilled_for_longest_come_next() {
    let mut rig = backed_up(lake(&TABLES)).await;
    let mut drilled = Vec::new();
    for name in ["first", "second", "third"] {
        assert_succeeded(&drill(&mut rig, name, 2).await);
        drilled.push(paths(&drills(&rig).await[0]).join(" "));
    }
    let pairs: Vec<_> = TABLES.chunks(2).map(|pair| pair.join(" ")).collect();
    assert_eq!(drilled, [pairs[0].clone(), pairs[1].clone(), pairs[0].clone()]);
}

#[tokio::test(start_paused = true)]
async fn copy_that_is_torn_in_scratch_fails_the_drill_by_name_and_the_next_drill_empties_what_is_left() {
    let mut rig = backed_up(lake(&TABLES[..2])).await;
    let execution = start(&rig, "torn", &rig.plan.drill_input(2)).await;
    let hands = rig.hands(&others("drill-close"), &rig.accounts.backup);
    rig.capture("drill-close").await.unwrap();
    let left = scratch(&rig).await;
    let data = left.iter().find(|key| key.ends_with(".parquet") && !key.contains("_delta_log")).unwrap();
    rig.accounts.backup.s3.delete_object().bucket(SCRATCH).key(data).send().await.unwrap();
    let own = rig.hands(&[stage_named("drill-close")], &worker_of(&rig, "drill-close"));
    let ended = rig.until_ended(&execution).await.unwrap();
    drop((hands, own));
    let table = TABLES.into_iter().find(|table| data.contains(table)).unwrap();
    assert_failed(&ended, "Levee.DrillFailed", &[table, "1 of the 2 tables", "is not there", "s3://levee-scratch"]);
    assert_eq!(drills(&rig).await, [], "a drill that failed has no record");
    assert_eq!(scratch(&rig).await.len(), left.len() - 1, "what was restored is left to be looked at");
    assert_succeeded(&drill(&mut rig, "soon", 1).await);
    assert_eq!(scratch(&rig).await.len(), left.len() - 1, "for a day");
    let later = rig.clock.now().checked_add(jiff::Span::new().hours(25)).unwrap();
    rig.sleep_until(later).await;
    assert_succeeded(&drill(&mut rig, "later", 1).await);
    assert_eq!(scratch(&rig).await, Vec::<String>::new());
    let found = drills(&rig).await;
    assert!(found[0].emptied > left.len() as u64 - 1, "{:?}", found[0]);
}

#[tokio::test(start_paused = true)]
async fn data_file_whose_footer_does_not_parse_fails_the_drill() {
    let rig = backed_up(lake(&TABLES[..1])).await;
    let execution = start(&rig, "broken", &rig.plan.drill_input(1)).await;
    let hands = rig.hands(&others("drill-close"), &rig.accounts.backup);
    rig.capture("drill-close").await.unwrap();
    let keys = scratch(&rig).await;
    let data = keys.iter().filter(|key| key.ends_with(".parquet") && !key.contains("_delta_log"));
    for key in data {
        // As many bytes as before, so that no listing tells.
        let bytes = rig.object(&rig.accounts.backup, SCRATCH, key).await.unwrap().unwrap();
        let broken = vec![b'x'; bytes.len()];
        rig.accounts.backup.s3.put_object().bucket(SCRATCH).key(key).body(broken.into()).send().await.unwrap();
    }
    let own = rig.hands(&[stage_named("drill-close")], &worker_of(&rig, "drill-close"));
    let ended = rig.until_ended(&execution).await.unwrap();
    drop((hands, own));
    assert_failed(&ended, "Levee.DrillFailed", &["cannot be opened: it is no Parquet file, or is cut"]);
}

#[rstest]
#[case::before_it_deletes("PutObject", "09-drill-close-opened", FaultAnswer::DeathAfter)]
#[case::when_it_has_deleted("DeleteObjects", "levee-scratch", FaultAnswer::DeathAfter)]
#[case::with_its_record_and_not_its_event("PutObject", "drills/", FaultAnswer::DeathAfter)]
#[tokio::test(start_paused = true)]
async fn drill_close_that_is_killed_goes_on_where_it_was(
    #[case] operation: &str,
    #[case] resource: &str,
    #[case] answer: FaultAnswer,
) {
    let mut rig = backed_up(lake(&TABLES[..2])).await;
    rig.set_faults(fault("s3", operation, Some(resource), Some(1), answer));
    assert_succeeded(&drill(&mut rig, "killed", 2).await);
    assert!(!rig.twin.struck().is_empty(), "it was not killed");
    let found = drills(&rig).await;
    let [drill] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(paths(drill), &TABLES[..2]);
    assert!(drill.emptied >= drill.objects, "{drill:?}");
    assert_eq!(scratch(&rig).await, Vec::<String>::new());
    assert_deletes_in_scratch_alone(&rig);
}

#[tokio::test(start_paused = true)]
async fn drill_that_may_not_delete_is_redriven_once_it_may() {
    let mut rig = backed_up(lake(&TABLES[..1])).await;
    rig.set_faults(fault("s3", "DeleteObjects", None, None, FaultAnswer::Denied));
    let execution = start(&rig, "denied", &rig.plan.drill_input(1)).await;
    rig.start_workers();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.AwsRefused", &["DeleteObjects", "levee-scratch"]);
    rig.set_faults(FaultPlan::default());
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_eq!(scratch(&rig).await, Vec::<String>::new());
    assert_eq!(drills(&rig).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn drill_plan_that_is_killed_plans_the_same_again() {
    let mut rig = backed_up(lake(&TABLES[..2])).await;
    rig.set_faults(fault("s3", "PutObject", Some("drill-plans/"), Some(1), FaultAnswer::Death));
    assert_succeeded(&drill(&mut rig, "killed", 1).await);
    assert!(!rig.twin.struck().is_empty(), "it was not killed");
    let keys = rig.ledger_keys().await.unwrap();
    let plans: Vec<_> = keys.iter().filter(|key| key.ends_with("/plan.json")).collect();
    assert_eq!(plans.len(), 1, "{plans:?}");
    assert!(keys.contains(&format!("drill-plans/{SOURCE}/killed.json")), "{keys:?}");
}

#[rstest]
#[case::no_backup("lake-other", 3, SCRATCH, "Levee.NothingToDrill", "no backup of lake-other has a receipt")]
#[case::no_whole_table(SOURCE, 3, SCRATCH, "Levee.NothingToDrill", "of its 0 tables none is whole")]
#[case::no_tables(SOURCE, 0, SCRATCH, "Levee.InputInvalid", "`drill.tables` is 0")]
#[case::too_many_tables(SOURCE, 101, SCRATCH, "Levee.InputInvalid", "it must be 1 to 100")]
#[case::into_the_source(SOURCE, 3, SOURCE, "Levee.InputInvalid", "which is no scratch bucket")]
#[case::into_the_ledger(SOURCE, 3, "levee-ledger", "Levee.InputInvalid", "which is no scratch bucket")]
#[case::into_the_snapshot(SOURCE, 3, SNAPSHOT, "Levee.InputInvalid", "which is a snapshot")]
#[tokio::test(start_paused = true)]
async fn drill_of_nothing_or_into_what_is_no_scratch_bucket_is_refused(
    #[case] source: &str,
    #[case] tables: u8,
    #[case] bucket: &str,
    #[case] error: &str,
    #[case] told: &str,
) {
    let mut rig = backed_up(super::support::objects()).await;
    let mut input = rig.plan.drill_input(tables);
    input["drill"]["source"] = json!(source);
    input["drill"]["scratch"]["name"] = json!(bucket);
    let execution = start(&rig, "refused", &input).await;
    rig.start_workers();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), error, &[told]);
    assert_eq!(rig.deletes(), []);
}

#[tokio::test(start_paused = true)]
async fn drill_is_refused_while_drills_are_not_enabled() {
    let mut rig = backed_up(lake(&TABLES[..1])).await;
    rig.plan.drill_role_arn = None;
    let ended = drill(&mut rig, "disabled", 1).await;
    assert_failed(&ended, "Levee.RestoreNotEnabled", &["drills are not enabled", "LEVEE_DRILL_ROLE_ARN"]);
}

#[tokio::test(start_paused = true)]
async fn ten_drills_come_to_ten_tables_and_tell_what_each_took() {
    let mut objects: Vec<_> = levee::lake::sample().unwrap().into_iter().map(|f| (f.key, f.bytes.to_vec())).collect();
    objects.extend(lake(&TABLES).into_iter().map(|(key, bytes)| (format!("copies/{key}"), bytes)));
    let mut rig = backed_up(objects).await;
    for number in 0..10 {
        assert_succeeded(&drill(&mut rig, &format!("drill-{number}"), 1).await);
    }
    let mut found = drills(&rig).await;
    found.reverse();
    let tables: BTreeSet<_> = found.iter().flat_map(paths).collect();
    assert_eq!((found.len(), tables.len()), (10, 10), "{tables:?}");
    for drill in &found {
        eprintln!(
            "{:<30} {:>4} objects {:>9} bytes {:>6} rows {:>5} s {:.2} objects/s",
            drill.tables[0].path,
            drill.objects,
            drill.bytes,
            drill.tables[0].rows,
            drill.seconds(),
            drill.objects_per_second().unwrap()
        );
        assert!(drill.seconds() > 0 && drill.emptied >= drill.objects, "{drill:?}");
    }
    // What a plan would have said of each drill but the first, by those before it.
    let within = found.iter().enumerate().skip(1).filter(|(number, drill)| {
        let spread = expected(&found[..*number], drill.objects, drill.bytes).unwrap();
        (spread.least_seconds..=spread.most_seconds).contains(&drill.seconds())
    });
    assert_eq!(within.count(), 9);
    assert_eq!(scratch(&rig).await, Vec::<String>::new());
    assert_deletes_in_scratch_alone(&rig);
}
