//! Receipts: what a run leaves when it is closed, and the chain of a source.

use aws_sdk_s3::types::StorageClass;
use jiff::civil::date;
use levee_ledger::{chain::digest, receipt::Receipt};
use levee_tests::{Ended, Rig, RigBuilder};
use levee_twin::{
    FaultPlan,
    faults::{RowClass, RowFault, When},
    gate::FaultAnswer,
};
use serde_json::{Value, json};

use super::support::{SOURCE, assert_failed, assert_succeeded, day, fault, objects, others, ready, stage_named};

/// The receipts in the chain of the source, by number; what is among the records of their runs must be the same bytes.
async fn receipts(rig: &Rig) -> Vec<(Receipt, Vec<u8>)> {
    let ledger = rig.ledger().await.unwrap();
    let chain = ledger.iter().filter(|(key, _)| key.starts_with("receipts/") && !key.ends_with(".sig.json"));
    let mut found = Vec::new();
    for (index, (key, bytes)) in chain.enumerate() {
        assert_eq!(*key, format!("receipts/{SOURCE}/{:08}.json", index + 1));
        let receipt: Receipt = serde_json::from_slice(bytes).unwrap();
        let run = &receipt.run;
        let own = format!("runs/{SOURCE}/{}/{}/receipt.json", run.backup_date, run.execution_name);
        assert_eq!(ledger.get(&own), Some(bytes), "{own}");
        found.push((receipt, bytes.clone()));
    }
    found
}

/// The only receipt.
async fn receipt(rig: &Rig) -> Receipt {
    let mut receipts = receipts(rig).await;
    assert_eq!(receipts.len(), 1);
    receipts.remove(0).0
}

/// The details of the events that told of closed runs.
fn completed(rig: &Rig) -> Vec<Value> {
    let events = rig.twin.events().into_iter().map(|event| event.event);
    events.filter(|event| event["detail-type"] == "Run Completed").map(|event| event["detail"].clone()).collect()
}

async fn night(rig: &mut Rig) -> Ended {
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    ended
}

#[tokio::test(start_paused = true)]
async fn plain_night_leaves_a_receipt_that_says_what_was_copied_and_when() {
    let mut rig = ready().await;
    let ended = night(&mut rig).await;
    let (mut receipt, bytes) = receipts(&rig).await.remove(0);
    assert_eq!(receipt.headline, "lake-events 31 Mar 2026: 12 objects");
    let closed = &ended.output["receipt"];
    assert_eq!((&closed["headline"], &closed["sequence"]), (&json!(receipt.headline), &json!(1)));
    assert_eq!((&closed["sha256"], &closed["outcome"]), (&json!(digest(&bytes)), &json!("complete")));
    let events = completed(&rig);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].as_object().unwrap().keys().next().unwrap(), "headline");
    assert_eq!((&events[0]["headline"], &events[0]["reasons"]), (&json!(receipt.headline), &json!([])));
    assert_eq!(&events[0]["receipt"], closed);
    assert_eq!(receipt.levee_version, env!("CARGO_PKG_VERSION"));
    receipt.levee_version = "this one".to_owned();
    insta::assert_json_snapshot!("receipt_of_a_plain_night", receipt);
}

#[tokio::test(start_paused = true)]
async fn receipt_has_the_jobs_the_failed_rows_and_the_stages_of_every_attempt() {
    let mut rig = ready().await;
    rig.set_faults(RowFault { when: When::First(2), ..RowFault::new("*part-07*", RowClass::Throttled) }.into());
    night(&mut rig).await;
    let receipt = receipt(&rig).await;
    let jobs: Vec<_> = receipt.jobs.iter().map(|job| (job.attempt, job.tasks, job.succeeded, job.failed)).collect();
    assert_eq!(jobs, [(1, 12, 11, 1), (2, 1, 0, 1), (3, 1, 1, 0)]);
    assert!(receipt.jobs.iter().all(|job| job.report.is_some() && job.status == "Complete"), "{:?}", receipt.jobs);
    assert_eq!(json!(receipt.objects.failed_rows), json!({ "throttled": 2 }));
    let turns = receipt.stages.iter().filter(|stage| stage.state == "ReportParse").count();
    assert_eq!((turns, receipt.headline.as_str()), (3, "lake-events 31 Mar 2026: 12 objects"));
    assert!(receipt.stages.windows(2).all(|pair| pair[0].left.unwrap() <= pair[1].entered), "{:?}", receipt.stages);
}

#[tokio::test(start_paused = true)]
async fn skipped_excluded_and_vanished_objects_are_counted_apart_and_listed() {
    let rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap());
    let mut rig = rig.build().await.unwrap();
    rig.fill(objects()).await.unwrap();
    for key in ["cold/a", "cold/b"] {
        let put = rig.accounts.warehouse.s3.put_object().bucket(SOURCE).key(key).storage_class(StorageClass::Glacier);
        put.body(b"ice".to_vec().into()).send().await.unwrap();
    }
    rig.fill([("tmp/x".to_owned(), b"x".to_vec())]).await.unwrap();
    rig.deliver("2026-04-02T01:00:00Z".parse().unwrap()).await.unwrap();
    rig.accounts.warehouse.s3.delete_object().bucket(SOURCE).key(&objects()[0].0).send().await.unwrap();
    let mut input = rig.plan.execution_input(day(), 2);
    input["run"]["archived"] = json!("skip");
    input["run"]["selection"] = json!({ "exclude": [{ "prefix": "tmp/" }] });
    let execution = rig.start_with("planned", &input).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    let receipt = receipt(&rig).await;
    assert_eq!(receipt.headline, "lake-events 31 Mar 2026: 11 objects, 1 vanished, 2 skipped");
    let objects = &receipt.objects;
    let counts = (objects.copied, objects.vanished, objects.skipped, objects.excluded);
    assert_eq!((counts, receipt.inventory.objects), ((11, 1, 2, 1), 15));
    assert_eq!(objects.lists.len(), 2);
    assert_eq!(
        json!(receipt.inventory.decisions.keys().collect::<Vec<_>>()),
        json!(["batch", "skipped_archived", "excluded"])
    );
    assert_eq!(receipt.inventory.plan.len(), 2);
    let events = completed(&rig);
    assert_eq!((&events[0]["outcome"], &events[0]["reasons"]), (&json!("degraded"), &json!(["2 objects skipped"])));
}

#[tokio::test(start_paused = true)]
async fn redrive_after_denied_rows_ends_in_one_receipt_that_tells_of_it() {
    let mut rig = ready().await;
    rig.set_faults(RowFault { when: When::First(1), ..RowFault::new("*part-07*", RowClass::Denied) }.into());
    let execution = rig.start(day()).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.CopyIncomplete", &[]);
    assert_eq!((receipts(&rig).await.len(), completed(&rig).len()), (0, 0), "a run that failed has no receipt");
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    let receipt = receipt(&rig).await;
    assert_eq!((receipt.run.redrives, receipt.jobs.len()), (1, 2));
    assert_eq!(json!(receipt.objects.failed_rows), json!({ "denied": 1 }));
    assert_eq!(receipt.objects.copied, 12);
}

#[tokio::test(start_paused = true)]
async fn run_that_fails_once_its_receipt_is_written_has_finished_and_keeps_that_receipt() {
    let mut rig = ready().await;
    let before_it = rig.hands(&others("run-close"), &rig.accounts.backup);
    let execution = rig.start_alone(day()).await.unwrap();
    rig.capture("run-close").await.unwrap();
    drop(before_it);
    rig.set_faults(fault("events", "PutEvents", None, None, FaultAnswer::access_denied()));
    rig.start_workers();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.AwsRefused", &["PutEvents"]);
    let before = receipts(&rig).await.remove(0).1;
    rig.set_faults(FaultPlan::default());
    let input = rig.plan.execution_input(day(), 2);
    let second = rig.start_with("second", &input).await.unwrap();
    assert_failed(&rig.until_ended(&second).await.unwrap(), "Levee.RunAlreadyDone", &[]);
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_eq!(receipts(&rig).await.remove(0).1, before);
    assert_eq!(completed(&rig).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn runs_that_close_at_the_same_time_are_two_links_of_one_chain() {
    let rig = ready().await;
    let _others = rig.hands(&others("run-close"), &rig.accounts.backup);
    let mut executions = Vec::new();
    for backup_date in [day(), date(2026, 3, 30)] {
        executions.push(rig.start_alone(backup_date).await.unwrap());
    }
    while rig.messages_in("run-close").await.unwrap() < executions.len() as u64 {
        rig.clock.sleep(std::time::Duration::from_secs(30)).await;
    }
    // The first of them has looked for the end of the chain when it has to wait.
    rig.set_faults(fault("s3", "PutObject", Some("receipts/"), Some(1), FaultAnswer::slow_down()));
    let _hands = rig.hands(&[stage_named("run-close")], &rig.accounts.backup);
    for execution in &executions {
        assert_succeeded(&rig.until_ended(execution).await.unwrap());
    }
    let taken = rig.own_calls().into_iter().filter(|call| {
        call.operation == "PutObject"
            && call.resource.contains("receipts/")
            && call.error() == Some("PreconditionFailed")
    });
    assert_eq!(taken.count(), 1, "the runs did not close at the same time");
    let receipts = receipts(&rig).await;
    assert_eq!(receipts.len(), 2);
    assert_eq!(receipts[0].0.previous_sha256, None);
    assert_eq!(receipts[1].0.previous_sha256, Some(digest(&receipts[0].1)));
    assert_ne!(receipts[0].0.run.execution_arn, receipts[1].0.run.execution_arn);
}
