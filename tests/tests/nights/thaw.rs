//! Archived objects: restored after everything else was copied, waited for, and readable when the next copy begins.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_s3::Client;
use levee::hosts::StageName;
use levee_stage::Aws;
use levee_tests::{
    Archive::{self, Deep, Glacier, Tier},
    Hands, Rig,
};
use levee_twin::{
    FaultPlan,
    faults::{FaultAnswer, JobFault, JobFaultKind, ReportFault, ReportFaultKind, RowClass, RowFault, When},
    service::Principal,
};
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{SOURCE, assert_failed, assert_succeeded, day, fault, others, ready};

const COLD: [(&str, Archive); 4] = [
    ("cold/ä b.parquet", Glacier),
    ("cold/2.parquet", Glacier),
    ("cold/3.parquet", Glacier),
    ("cold/tier.parquet", Tier),
];

async fn rig(objects: &[(&str, Archive)]) -> Rig {
    let rig = ready().await;
    rig.archive(objects).await.unwrap();
    rig
}

/// The input of a night with what the policy says besides.
fn input(rig: &Rig, how: &Value) -> Value {
    let mut input = rig.plan.execution_input(day(), 2);
    // The faster tier: idle hours are most of a test's real time.
    let mut restore = json!({ "tier": "STANDARD" });
    restore.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
    input["run"]["archived"] = json!({ "restore": restore });
    input
}

/// Starts a night that has come as far as Thaw, whose worker is then the only one: idle hours are most of a test's real time.
async fn start(rig: &Rig, how: Value) -> (String, Hands) {
    let others = rig.hands(&others("thaw"), &rig.accounts.backup);
    let execution = start_alone(rig, &how).await;
    rig.capture("thaw").await.unwrap();
    drop(others);
    (execution, rig.hands(&[StageName::Thaw], &own(rig)))
}

/// What the worker of thaw calls with: its own role, which the source's policy knows.
fn own(rig: &Rig) -> Aws {
    let role = Principal::Role(rig.plan.worker_role_arn("thaw"));
    Aws::new(&rig.twin.sdk_config(&rig.plan.backup_account, &role))
}

/// Has some of the objects restored before the night, so that it is over within minutes.
async fn restored(objects: &[(&str, Archive)], before: impl Fn(&str) -> bool) -> Rig {
    let rig = rig(objects).await;
    for (key, archive) in objects.iter().filter(|(key, _)| before(key)) {
        let days = (*archive != Tier).then_some(9);
        let request = aws_sdk_s3::types::RestoreRequest::builder().set_days(days).build();
        let ask = rig.accounts.warehouse.s3.restore_object().bucket(SOURCE).key(*key);
        ask.restore_request(request).send().await.unwrap();
    }
    rig.clock.sleep(Duration::from_secs(5 * 3600)).await;
    rig
}

/// Starts a night without workers.
async fn start_alone(rig: &Rig, how: &Value) -> String {
    let start = rig.accounts.backup.sfn.start_execution().state_machine_arn(&rig.deployed.state_machine_arn);
    let started = start.name("night").input(input(rig, how).to_string()).send().await.unwrap();
    started.execution_arn().to_owned()
}

/// Whether the role of the copy jobs can copy every one of the objects.
async fn all_can_be_copied(rig: &Rig, objects: &[(&str, Archive)]) -> bool {
    let role = Principal::Role(rig.plan.copy_role_arn.clone());
    let s3 = Client::new(&rig.twin.sdk_config(&rig.plan.backup_account, &role));
    for (key, _) in objects {
        let source = format!("{SOURCE}/{}", key.replace('ä', "%C3%A4").replace(' ', "%20"));
        if s3.copy_object().bucket(super::support::SNAPSHOT).key(*key).copy_source(source).send().await.is_err() {
            return false;
        }
    }
    true
}

fn restore_jobs(rig: &Rig) -> usize {
    // The first one copies.
    rig.calls_of("CreateJob") - 1
}

async fn thaw_records(rig: &Rig) -> Vec<String> {
    let keys = rig.ledger_keys().await.unwrap();
    keys.iter()
        .filter_map(|key| key.rsplit('/').next())
        .filter(|name| name.starts_with("05-thaw"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn archived_objects_of_every_kind_are_restored_after_the_copy_and_can_be_copied_then() {
    let rig = rig(&COLD).await;
    let began = rig.clock.now();
    let (execution, _hands) = start(&rig, json!({})).await;
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let thaw = &ended.output["thaw"];
    assert_eq!((&thaw["rows"], &thaw["failed"], &thaw["next_attempt"]), (&json!(4), &json!(0), &json!(2)));
    assert_eq!(thaw["job_ids"].as_array().unwrap().len(), 2, "days are for classes alone, so there are two jobs");
    assert_eq!(thaw["copy"]["rows"], 4);
    assert!(all_can_be_copied(&rig, &COLD).await);
    let hours = rig.clock.now().duration_since(began).as_hours();
    assert!((5..7).contains(&hours), "STANDARD takes up to 5 hours from GLACIER, this took {hours}");
    let expected = [
        "05-thaw-classes-attempt-1-asked.json",
        "05-thaw-classes-attempt-1.json",
        "05-thaw-tiers-attempt-1-asked.json",
        "05-thaw-tiers-attempt-1.json",
        "05-thaw.json",
    ];
    assert_eq!(thaw_records(&rig).await, expected);
    // Every object was copied before the first restore was asked for.
    let calls = rig.twin.calls();
    let last_copy = calls.iter().rposition(|call| call.operation == "CopyObject" && call.resource.contains("events/"));
    assert!(last_copy < calls.iter().position(|call| call.operation == "RestoreObject"));
}

#[rstest]
#[case::tier(json!({}), &[("cold/1", Tier)], 5)]
#[case::deep_behind_others(json!({}), &[("cold/1", Glacier), ("cold/2", Deep)], 12)]
#[tokio::test(start_paused = true)]
async fn objects_are_waited_for_as_long_as_their_restore_takes_and_rows_that_are_ready_are_not_asked_again(
    #[case] how: Value,
    #[case] objects: &[(&str, Archive)],
    #[case] hours: i64,
) {
    let rig = rig(objects).await;
    let began = rig.clock.now();
    let (execution, _hands) = start(&rig, how).await;
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    let took = rig.clock.now().duration_since(began).as_hours();
    assert!((hours..=hours + 1).contains(&took), "{took}");
    let mut answered = BTreeMap::new();
    for call in rig.twin.calls().iter().filter(|call| call.operation == "HeadObject" && call.resource.contains("cold/"))
    {
        *answered.entry(call.resource.to_string()).or_insert(0) += 1;
    }
    assert_eq!(answered.len(), objects.len());
    // What was restored after 5 hours was not looked at for the 7 hours after that.
    let first = answered.iter().find(|(key, _)| key.ends_with("cold/1")).unwrap().1;
    assert!(*first <= 5 * 4 + 4, "{answered:?}");
}

#[tokio::test(start_paused = true)]
async fn objects_that_are_being_restored_already_are_no_failures() {
    let rig = rig(&COLD).await;
    use aws_sdk_s3::types::{GlacierJobParameters, RestoreRequest, Tier as RetrievalTier};
    let tier = GlacierJobParameters::builder().tier(RetrievalTier::Standard).build().unwrap();
    let request = RestoreRequest::builder().days(30).glacier_job_parameters(tier).build();
    let ask = rig.accounts.warehouse.s3.restore_object().bucket(SOURCE).key("cold/2.parquet").restore_request(request);
    ask.send().await.unwrap();
    let (execution, _hands) = start(&rig, json!({})).await;
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!((restore_jobs(&rig), &ended.output["thaw"]["failed"]), (2, &json!(0)));
    assert!(all_can_be_copied(&rig, &COLD).await);
}

#[tokio::test(start_paused = true)]
async fn objects_that_are_not_restored_in_time_are_named_and_a_redrive_waits_anew() {
    let rig = rig(&COLD).await;
    let (execution, _hands) = start(&rig, json!({ "limit_hours": 3 })).await;
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.ThawOverdue", &["3 hours", "cold/2.parquet", "up to 4 of 4", "redrive"]);
    let asked = restore_jobs(&rig);
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_eq!(restore_jobs(&rig), asked, "nothing was asked for twice");
    assert!(all_can_be_copied(&rig, &COLD).await);
}

#[tokio::test(start_paused = true)]
async fn restore_job_that_failed_is_made_again_on_redrive() {
    let rig = restored(&COLD[..2], |_| true).await;
    let kind = JobFaultKind::Fails { code: "Odd".to_owned(), reason: "it was an odd day".to_owned() };
    rig.set_faults(JobFault { when: When::Nth(2), ..JobFault::new(kind) }.into());
    let (execution, _hands) = start(&rig, json!({})).await;
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.RestoreJobFailed", &["it was an odd day", "s3:RestoreObject", "redrive"]);
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_eq!(restore_jobs(&rig), 2);
    assert!(all_can_be_copied(&rig, &COLD[..2]).await);
}

/// The source's policy without the statement of that name.
async fn without(rig: &Rig, sid: &str) {
    let mut policy = levee::deploy::source_bucket_policy(&rig.plan);
    policy["Statement"].as_array_mut().unwrap().retain(|statement| statement["Sid"] != sid);
    let s3 = &rig.accounts.warehouse.s3;
    s3.put_bucket_policy().bucket(SOURCE).policy(policy.to_string()).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn role_that_may_not_restore_is_named_and_a_redrive_after_the_mend_asks_again() {
    let rig = restored(&COLD, |_| true).await;
    without(&rig, "BatchRestores").await;
    let (execution, _hands) = start(&rig, json!({})).await;
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.RestoreJobFailed", &["AccessDenied", "cold/", "s3:RestoreObject"]);
    without(&rig, "").await;
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert!(all_can_be_copied(&rig, &COLD).await);
}

#[tokio::test(start_paused = true)]
async fn worker_that_may_look_at_nothing_is_refused_and_a_redrive_after_the_mend_goes_on() {
    let rig = restored(&COLD, |_| true).await;
    without(&rig, "ThawLooks").await;
    let (execution, _hands) = start(&rig, json!({})).await;
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.AwsRefused", &["HeadObject of all 4", "levee-thaw"]);
    without(&rig, "").await;
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert!(all_can_be_copied(&rig, &COLD).await);
}

#[tokio::test(start_paused = true)]
async fn rows_that_failed_in_passing_are_asked_for_again_and_only_these() {
    let rig = restored(&COLD, |_| true).await;
    let rows = RowFault { when: When::First(3), ..RowFault::new("cold/2*", RowClass::Throttled) };
    rig.set_faults(rows.into());
    let (execution, _hands) = start(&rig, json!({})).await;
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!(ended.output["thaw"]["failed"], 0);
    let ledger = rig.ledger().await.unwrap();
    let list = ledger.iter().find(|(key, _)| key.ends_with("05-thaw-classes-attempt-1-again.csv")).unwrap();
    assert_eq!(String::from_utf8(list.1.clone()).unwrap().trim(), "lake-events,cold/2.parquet");
    assert!(all_can_be_copied(&rig, &COLD).await);
}

/// An object that is gone, and one whose restore is denied for good: both are left to the copy.
#[tokio::test(start_paused = true)]
async fn objects_that_cannot_be_restored_are_passed_over_and_counted() {
    let rig = restored(&COLD, |key| !key.contains("3")).await;
    rig.accounts.warehouse.s3.delete_object().bucket(SOURCE).key("cold/2.parquet").send().await.unwrap();
    rig.set_faults(RowFault::new("cold/3*", RowClass::Denied).into());
    let (execution, _hands) = start(&rig, json!({})).await;
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!((&ended.output["thaw"]["rows"], &ended.output["thaw"]["failed"]), (&json!(4), &json!(2)));
    assert!(all_can_be_copied(&rig, &[COLD[0], COLD[3]]).await);
}

#[rstest]
#[case::late(ReportFaultKind::Late { seconds: 1200 })]
#[case::missing(ReportFaultKind::Missing)]
#[tokio::test(start_paused = true)]
async fn report_that_is_late_or_missing_does_not_matter_because_heads_decide(#[case] kind: ReportFaultKind) {
    let rig = restored(&COLD, |_| true).await;
    // Jobs that restore are the second and third.
    let second = ReportFault { when: When::Nth(2), ..ReportFault::new(kind.clone()) };
    let third = ReportFault { when: When::Nth(3), ..ReportFault::new(kind) };
    rig.set_faults(FaultPlan::from(second).and(third.into()));
    let (execution, _hands) = start(&rig, json!({})).await;
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert!(all_can_be_copied(&rig, &COLD).await);
}

#[rstest]
#[case::describe("s3control", "DescribeJob", None, FaultAnswer::internal_error())]
#[case::make("s3control", "CreateJob", None, FaultAnswer::slow_down())]
#[case::look("s3", "HeadObject", Some("cold/"), FaultAnswer::slow_down())]
#[tokio::test(start_paused = true)]
async fn transient_errors_of_thaw_are_retried(
    #[case] service: &str,
    #[case] operation: &str,
    #[case] resource: Option<&str>,
    #[case] answer: FaultAnswer,
) {
    let rig = restored(&COLD, |_| true).await;
    rig.set_faults(fault(service, operation, resource, Some(5), answer));
    let (execution, _hands) = start(&rig, json!({})).await;
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert!(all_can_be_copied(&rig, &COLD).await);
}

#[tokio::test(start_paused = true)]
async fn same_message_to_thaw_twice_has_the_effect_of_one() {
    let rig = restored(&COLD[1..3], |_| true).await;
    let _others = rig.hands(&others("thaw"), &rig.accounts.backup);
    let execution = start_alone(&rig, &json!({})).await;
    let message = rig.capture("thaw").await.unwrap();
    rig.duplicate(&message).await.unwrap();
    let _hands = rig.hands(&[StageName::Thaw], &own(&rig));
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    rig.clock.sleep(Duration::from_secs(3600)).await;
    assert_eq!(rig.messages_in("thaw").await.unwrap(), 0);
    assert_eq!(rig.jobs().await.unwrap().len(), 2, "one job copies and one restores");
}

/// Plays a night in which the first worker of thaw dies after `calls` calls. Answers whether it died before its task was
/// answered and its message deleted.
async fn dies_after(calls: u64) -> bool {
    let rig = restored(&COLD[1..2], |_| true).await;
    let (connector, died) = rig.twin.connector().dying_after(calls);
    let role = Principal::Role(rig.plan.worker_role_arn("thaw"));
    let doomed = Aws::new(&rig.twin.sdk_config_on(connector, &rig.plan.backup_account, &role));
    let _others = rig.hands(&others("thaw"), &rig.accounts.backup);
    let execution = start_alone(&rig, &json!({})).await;
    rig.capture("thaw").await.unwrap();
    let first = rig.hands(&[StageName::Thaw], &doomed);
    let until_ended = rig.until_ended(&execution);
    tokio::pin!(until_ended);
    let early = tokio::select! {
        () = died.cancelled() => None,
        ended = &mut until_ended => Some(ended.unwrap()),
    };
    drop(first);
    let in_time = early.is_none();
    let _second = rig.hands(&[StageName::Thaw], &own(&rig));
    let ended = match early {
        Some(ended) => ended,
        None => until_ended.await.unwrap(),
    };
    assert_succeeded(&ended);
    assert_eq!(rig.jobs().await.unwrap().len(), 2, "one job copies and one restores");
    assert_eq!(rig.messages_in("thaw-dlq").await.unwrap(), 0);
    assert!(all_can_be_copied(&rig, &COLD[1..2]).await);
    in_time
}

#[tokio::test(start_paused = true)]
async fn thaw_killed_between_any_two_calls_comes_to_the_same() {
    let mut calls = 0;
    while dies_after(calls).await {
        calls += 1;
        assert!(calls < 200, "the stage never finishes");
    }
    assert!(calls > 20, "only {calls} calls were tried");
}
