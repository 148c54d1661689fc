//! Rows that fail and are copied again: by the state machine, after a redrive, in a new execution, and by a worker that dies.

use std::{collections::BTreeMap, time::Duration};

use levee_stage::Aws;
use levee_tests::{Ended, Rig};
use levee_twin::{
    FaultPlan,
    faults::{CallFault, FaultAnswer, ObjectFault, ObjectFaultKind, RowClass, RowFault, When},
    service::Principal,
};
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{
    SNAPSHOT, SOURCE, assert_failed, assert_succeeded, assert_whole, copy_failures, day, fault, objects, others, ready,
    stage_named, worker_of,
};

/// The records of an attempt, without those of its rows.
const RECORDS: [&str; 3] = ["03-job-submit-attempt-", "04-job-poll-attempt-", "05-report-parse-attempt-"];

fn rows(keys: &str, class: RowClass, when: When) -> FaultPlan {
    RowFault { when, ..RowFault::new(keys, class) }.into()
}

fn vanishing(keys: &str) -> FaultPlan {
    ObjectFault::new(keys, ObjectFaultKind::Vanishes).into()
}

/// The lines of an artefact of the only execution.
async fn lines(rig: &Rig, name: &str) -> Vec<String> {
    let ledger = rig.ledger().await.unwrap();
    let bytes = ledger.iter().find(|(key, _)| key.ends_with(name)).map(|(_, bytes)| bytes.clone());
    let text = String::from_utf8(bytes.unwrap_or_default()).unwrap();
    text.lines().map(str::to_owned).collect()
}

async fn assert_attempts_on_record(rig: &Rig, attempts: u32) {
    let keys = rig.ledger_keys().await.unwrap();
    for attempt in 1..=attempts {
        for record in RECORDS {
            let names = [format!("{record}{attempt}.json"), format!("{record}{attempt}-incomplete.json")];
            let there = keys.iter().any(|key| names.iter().any(|name| key.ends_with(name)));
            assert!(there, "{names:?} are not in {keys:?}");
        }
    }
}

/// How often each key was copied with success.
fn copies(rig: &Rig) -> BTreeMap<String, usize> {
    let mut copies = BTreeMap::new();
    for call in rig.twin.calls() {
        if call.operation == "CopyObject" && call.is_ok() {
            *copies.entry(call.resource.to_string()).or_insert(0) += 1;
        }
    }
    copies
}

async fn start(rig: &mut Rig, retries: u8) -> String {
    let mut input = rig.plan.execution_input(day(), 2);
    input["run"]["retries"] = json!(retries);
    rig.start_with("night", &input).await.unwrap()
}

/// Statements of the source's policy that `keep` keeps, and `more`.
async fn set_policy(rig: &Rig, keep: impl Fn(&str) -> bool, more: Option<Value>) {
    let mut policy = levee::deploy::source_bucket_policy(&rig.plan);
    let statements = policy["Statement"].as_array_mut().unwrap();
    statements.retain(|statement| keep(statement["Sid"].as_str().unwrap()));
    statements.extend(more);
    let s3 = &rig.accounts.warehouse.s3;
    s3.put_bucket_policy().bucket(SOURCE).policy(policy.to_string()).send().await.unwrap();
}

fn denied(rig: &Rig, keys: &str) -> Value {
    json!({ "Sid": "Mistake", "Effect": "Deny", "Principal": { "AWS": rig.plan.copy_role_arn },
        "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{SOURCE}/{keys}") })
}

#[rstest]
#[case::throttled(RowClass::Throttled)]
#[case::internal(RowClass::Internal)]
#[case::failed_with_200(RowClass::ErrorWith200)]
#[case::said_to_be_gone_but_there(RowClass::Vanished)]
#[tokio::test(start_paused = true)]
async fn rows_that_failed_in_passing_are_copied_again_after_a_wait_and_only_these(#[case] class: RowClass) {
    let mut rig = ready().await;
    rig.set_faults(rows("*/part-0*", class, When::First(1)));
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let report = &ended.output["report"];
    assert_eq!((&report["attempt"], &report["rows"], &report["retries"]), (&json!(2), &json!(10), &json!(1)));
    assert_eq!((&report["copied_in_all"], &report["vanished_in_all"]), (&json!(12), &json!(0)));
    let rig = &rig;
    assert_eq!(lines(rig, "attempt-1-retry.csv").await.len(), 10);
    assert_eq!(copy_failures(rig), Vec::<Value>::new(), "nothing was outstanding");
    assert_attempts_on_record(rig, 2).await;
    let times: Vec<_> =
        rig.twin.calls().iter().filter(|call| call.operation == "CreateJob").map(|call| call.time).collect();
    assert!(times[1].duration_since(times[0]).as_mins() >= 5, "{times:?}");
    assert_whole(rig, &objects(), 2).await;
}

#[tokio::test(start_paused = true)]
async fn few_percent_of_throttled_and_broken_rows_converge_by_retries_alone_and_nothing_is_copied_twice() {
    let many: Vec<_> = (0..400).map(|n| (format!("events/part-{n:05}.parquet"), format!("{n}").into_bytes())).collect();
    let mut rig = Rig::ready(SOURCE, many.clone()).await.unwrap();
    let at = |rate, class| RowFault { rate: Some(rate), ..RowFault::new("*", class) };
    rig.set_faults(FaultPlan::from(at(0.03, RowClass::Throttled)).and(at(0.01, RowClass::Internal).into()));
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let struck = rig.twin.struck();
    assert!(struck["rows[0]"] > 0 && struck["rows[1]"] > 0, "{struck:?}");
    let attempts = u32::try_from(ended.output["report"]["attempt"].as_u64().unwrap()).unwrap();
    assert!(attempts > 1);
    assert_eq!(ended.output["report"]["copied_in_all"], 400);
    let copies = copies(&rig);
    assert_eq!((copies.len(), copies.values().max()), (400, Some(&1)));
    assert_attempts_on_record(&rig, attempts).await;
    assert_whole(&rig, &many, usize::try_from(attempts).unwrap()).await;
}

#[rstest]
#[case::none(0, 0)]
#[case::one(1, 5)]
#[case::three(3, 65)]
#[case::four(4, 110)]
#[tokio::test(start_paused = true)]
async fn rows_that_are_throttled_for_ever_stop_the_run_after_its_retries_and_a_redrive_has_them_afresh(
    #[case] retries: u8,
    #[case] minutes: i64,
) {
    let mut rig = ready().await;
    let began = rig.clock.now();
    rig.set_faults(rows("*part-03*", RowClass::Throttled, When::Always));
    let execution = start(&mut rig, retries).await;
    let ended = rig.until_ended(&execution).await.unwrap();
    let attempts = u32::from(retries) + 1;
    let told = format!("in {attempts} attempts");
    assert_failed(&ended, "Levee.CopyIncomplete", &["1 of 12", "1 throttled", &told, "part-03", "another try"]);
    assert!(rig.clock.now().duration_since(began).as_mins() >= minutes);
    assert_eq!(copy_failures(&rig).len(), 1);
    rig.redrive(&execution).await.unwrap();
    let told = format!("in {} attempts", 2 * attempts);
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.CopyIncomplete", &["1 of 12", &told]);
    rig.set_faults(FaultPlan::default());
    rig.redrive(&execution).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!((&ended.output["report"]["rows"], &ended.output["report"]["copied_in_all"]), (&json!(1), &json!(12)));
    assert_attempts_on_record(&rig, 2 * attempts + 1).await;
    assert_whole(&rig, &objects(), usize::try_from(2 * attempts + 1).unwrap()).await;
    assert_eq!(copies(&rig).values().max(), Some(&1), "an object was copied twice");
}

#[tokio::test(start_paused = true)]
async fn denied_rows_stop_the_run_once_the_throttled_ones_are_copied_and_a_redrive_copies_exactly_them() {
    let mut rig = ready().await;
    let mistake = denied(&rig, "events/date=2026-03-31/part-0*");
    set_policy(&rig, |_| true, Some(mistake)).await;
    rig.set_faults(rows("*part-1*", RowClass::Throttled, When::First(2)));
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    let told = ["10 of 12", "10 denied", "in 3 attempts", "part-00", "bucket policy of lake-events", "as attempt 4"];
    let cause = assert_failed(&ended, "Levee.CopyIncomplete", &told);
    assert!(!cause.contains("throttled"), "{cause}");
    let events = copy_failures(&rig);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        (&events[0]["failed"], &events[0]["succeeded"], &events[0]["rows"]),
        (&10.into(), &2.into(), &12.into())
    );
    assert_eq!(events[0]["failed_by_class"], json!({ "denied": 10 }));
    let held = lines(&rig, "attempt-3-held.csv").await;
    for attempt in 1..=3 {
        assert_eq!(lines(&rig, &format!("attempt-{attempt}-held.csv")).await, held);
        assert_eq!(lines(&rig, &format!("attempt-{attempt}-failures.jsonl")).await.len(), 10);
    }
    set_policy(&rig, |_| true, None).await;
    rig.redrive(&execution).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let (job, report) = (&ended.output["job"], &ended.output["report"]);
    assert_eq!((&report["rows"], &report["retries"], &report["copied_in_all"]), (&json!(10), &json!(0), &json!(12)));
    assert!(job["manifest"]["key"].as_str().unwrap().ends_with("attempt-3-held.csv"), "{job}");
    assert_eq!(report["outstanding"], Value::Null);
    assert_attempts_on_record(&rig, 4).await;
    assert_whole(&rig, &objects(), 4).await;
    assert_eq!(copies(&rig).values().max(), Some(&1), "an object was copied twice");
}

#[tokio::test(start_paused = true)]
async fn vanished_objects_are_explained_over_all_attempts_and_the_run_succeeds() {
    let mut rig = ready().await;
    rig.set_faults(vanishing("*part-1*").and(rows("*part-0*", RowClass::Throttled, When::First(1))));
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let report = &ended.output["report"];
    assert_eq!((&report["copied_in_all"], &report["vanished_in_all"]), (&json!(10), &json!(2)));
    for attempt in 1..=2 {
        let gone = lines(&rig, &format!("attempt-{attempt}-vanished.jsonl")).await;
        assert_eq!(gone.len(), 2, "{gone:?}");
        assert!(gone.iter().any(|row| row.contains("part-10") && row.contains("\"class\":\"vanished\"")), "{gone:?}");
    }
    assert_eq!(copy_failures(&rig), Vec::<Value>::new());
    assert_whole(&rig, &objects()[..10], 2).await;
    assert_eq!(rig.object(&rig.accounts.backup, SNAPSHOT, &objects()[10].0).await.unwrap(), None);
}

#[rstest]
#[case::may_not_read("ReportParseLooks")]
#[case::may_not_be_told_that_nothing_is_there("ReportParseLists")]
#[tokio::test(start_paused = true)]
async fn vanished_objects_that_may_not_be_looked_for_are_denied_with_the_permissions_that_are_missing(
    #[case] without: &str,
) {
    let mut rig = ready().await;
    set_policy(&rig, |sid| sid != without, None).await;
    rig.set_faults(vanishing("*part-1*"));
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    let told = ["2 of 12", "2 denied", "report-parse", "s3:GetObject on", "s3:ListBucket on", "part-10"];
    assert_failed(&ended, "Levee.CopyIncomplete", &told);
    set_policy(&rig, |_| true, None).await;
    rig.redrive(&execution).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let report = &ended.output["report"];
    assert_eq!((&report["copied_in_all"], &report["vanished_in_all"]), (&json!(10), &json!(2)));
}

/// Clients of the worker of report-parse.
fn worker(rig: &Rig) -> Aws {
    worker_of(rig, "report-parse")
}

#[tokio::test(start_paused = true)]
async fn source_bucket_that_is_gone_explains_nothing() {
    let rig = ready().await;
    let _others = rig.hands(&others("report-parse"), &rig.accounts.backup);
    rig.set_faults(vanishing("*part-1*"));
    let execution = rig.start_alone(day()).await.unwrap();
    rig.capture("report-parse").await.unwrap();
    rig.set_faults(fault("s3", "HeadBucket", None, None, FaultAnswer::new("NotFound", 404)));
    let _hands = rig.hands(&[stage_named("report-parse")], &worker(&rig));
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.AwsRefused", &["HeadBucket", "s3://lake-events"]);
    rig.set_faults(FaultPlan::default());
    rig.redrive(&execution).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!(ended.output["report"]["vanished_in_all"], 2);
}

/// What was found first counts, also for the worker that does the stage again.
#[tokio::test(start_paused = true)]
async fn object_that_comes_back_after_it_was_looked_for_stays_vanished() {
    let mut rig = ready().await;
    let dies = CallFault { resource: Some("-heads.jsonl".to_owned()), ..CallFault::new(FaultAnswer::DeathAfter) };
    rig.set_faults(vanishing("*part-10*").and(dies.of("s3", "PutObject").limit(1).into()));
    let execution = rig.start(day()).await.unwrap();
    while !rig.twin.struck().contains_key("calls[0]") {
        rig.clock.sleep(Duration::from_secs(1)).await;
    }
    rig.fill(objects().into_iter().skip(10).take(1)).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!(ended.output["report"]["vanished_in_all"], 1);
    assert_eq!(lines(&rig, "attempt-1-heads.jsonl").await.len(), 1);
    assert_whole(&rig, &objects()[..10], 1).await;
}

#[tokio::test(start_paused = true)]
async fn new_execution_walks_through_the_attempts_of_the_first_one_and_makes_no_job_again() {
    let mut rig = ready().await;
    let mistake = denied(&rig, "events/date=2026-03-31/part-00*");
    set_policy(&rig, |_| true, Some(mistake)).await;
    rig.set_faults(rows("*part-1*", RowClass::Throttled, When::First(1)));
    let execution = rig.start(day()).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.CopyIncomplete", &["1 of 12", "in 2 attempts"]);
    let input = rig.plan.execution_input(day(), 2);
    let second = rig.start_with("second", &input).await.unwrap();
    assert_failed(&rig.until_ended(&second).await.unwrap(), "Levee.CopyIncomplete", &["1 of 12", "in 2 attempts"]);
    assert_eq!(rig.jobs().await.unwrap().len(), 2);
    set_policy(&rig, |_| true, None).await;
    rig.redrive(&second).await.unwrap();
    let ended = rig.until_ended(&second).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!((&ended.output["report"]["rows"], &ended.output["report"]["copied_in_all"]), (&json!(1), &json!(12)));
    assert_whole(&rig, &objects(), 3).await;
}

#[tokio::test(start_paused = true)]
async fn job_of_a_retry_that_failed_is_made_again_with_the_rows_of_the_retry() {
    use levee_twin::faults::{JobFault, JobFaultKind};
    let mut rig = ready().await;
    let fails = JobFaultKind::Fails { code: "Internal".to_owned(), reason: "planned".to_owned() };
    let second = JobFault { after_tasks: 1, when: When::Nth(2), ..JobFault::new(fails) };
    rig.set_faults(rows("*part-0*", RowClass::Throttled, When::First(1)).and(second.into()));
    let execution = rig.start(day()).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.CopyJobFailed", &["attempt 2", "planned"]);
    rig.redrive(&execution).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let report = &ended.output["report"];
    assert_eq!((&report["attempt"], &report["rows"], &report["copied_in_all"]), (&json!(3), &json!(10), &json!(12)));
    assert_whole(&rig, &objects(), 3).await;
}

/// A night with rows of every fate, whose first worker of report-parse dies after `calls` calls. Whether it died, and the end.
async fn dies_after(calls: u64) -> (bool, Rig, Ended) {
    let rig = ready().await;
    let mistake = denied(&rig, "events/date=2026-03-31/part-00*");
    set_policy(&rig, |_| true, Some(mistake)).await;
    rig.set_faults(vanishing("*part-1*").and(rows("*part-02*", RowClass::Throttled, When::First(1))));
    let (connector, died) = rig.twin.connector().dying_after(calls);
    let role = Principal::Role(rig.plan.worker_role_arn("report-parse"));
    let doomed = Aws::new(&rig.twin.sdk_config_on(connector, &rig.plan.backup_account, &role));
    let _others = rig.hands(&others("report-parse"), &rig.accounts.backup);
    let execution = rig.start_alone(day()).await.unwrap();
    rig.capture("report-parse").await.unwrap();
    let first = rig.hands(&[stage_named("report-parse")], &doomed);
    let early = tokio::select! {
        () = died.cancelled() => None,
        ended = rig.until_ended(&execution) => Some(ended.unwrap()),
    };
    drop(first);
    let _second = rig.hands(&[stage_named("report-parse")], &worker(&rig));
    let in_time = early.is_none();
    let ended = match early {
        Some(ended) => ended,
        None => rig.until_ended(&execution).await.unwrap(),
    };
    (in_time, rig, ended)
}

#[tokio::test(start_paused = true)]
async fn report_parse_killed_between_any_two_calls_comes_to_the_same() {
    let (mut calls, mut first) = (0, None);
    loop {
        let (died, rig, ended) = dies_after(calls).await;
        let told = ["1 of 12", "1 denied", "in 2 attempts", "part-00"];
        assert_failed(&ended, "Levee.CopyIncomplete", &told);
        let mut left = BTreeMap::new();
        for name in ["retry.csv", "held.csv", "failures.jsonl", "vanished.jsonl", "heads.jsonl"] {
            for attempt in 1..=2 {
                let name = format!("attempt-{attempt}-{name}");
                left.insert(name.clone(), lines(&rig, &name).await);
            }
        }
        assert_eq!((left["attempt-1-retry.csv"].len(), left["attempt-2-vanished.jsonl"].len()), (1, 2));
        assert_eq!(*first.get_or_insert_with(|| left.clone()), left, "after {calls} calls");
        assert_eq!(rig.jobs().await.unwrap().len(), 2);
        if !died {
            break;
        }
        calls += 1;
    }
    assert!(calls > 20, "it died {calls} times only");
}
