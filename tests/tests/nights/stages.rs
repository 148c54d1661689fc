//! Each stage: transient and permanent errors, redrive, duplicates, death between any two calls, dead tokens.

use std::time::Duration;

use levee_stage::Aws;
use levee_tests::Rig;
use levee_twin::{FaultPlan, gate::FaultAnswer, service::Principal};
use rstest::rstest;

use super::support::{assert_failed, assert_succeeded, assert_whole, day, fault, objects, others, ready, stage_named};

/// More than the SDK tries by itself, so that the runtime's own retries are needed.
const STRIKES: u64 = 5;

#[rstest]
#[case::manifest_ready("s3", "GetObject", Some("levee-manifests"), FaultAnswer::slow_down())]
#[case::bucket_provision("s3", "CreateBucket", None, FaultAnswer::internal_error())]
#[case::job_submit("s3control", "CreateJob", None, FaultAnswer::new("TooManyRequestsException", 400))]
#[case::job_poll("s3control", "DescribeJob", None, FaultAnswer::internal_error())]
#[case::report_parse("s3", "GetObject", Some("levee-reports"), FaultAnswer::slow_down())]
#[case::snapshot_check("s3", "ListObjectsV2", Some("lake-events-31-mar-2026"), FaultAnswer::internal_error())]
#[case::table_verify("s3", "PutObject", Some("08-table-verify"), FaultAnswer::slow_down())]
#[case::run_close("s3", "PutObject", Some("receipts/"), FaultAnswer::internal_error())]
#[tokio::test(start_paused = true)]
async fn transient_errors_are_retried_and_the_night_succeeds(
    #[case] service: &str,
    #[case] operation: &str,
    #[case] resource: Option<&str>,
    #[case] answer: FaultAnswer,
) {
    let mut rig = ready().await;
    rig.set_faults(fault(service, operation, resource, Some(STRIKES), answer));
    let execution = rig.start(day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    let struck = rig.twin.calls().iter().filter(|call| call.planned_fault().is_some()).count();
    assert_eq!(struck as u64, STRIKES);
    assert_whole(&rig, &objects(), 1).await;
}

#[rstest]
#[case::manifest_ready("manifest-ready", "s3", "GetObject", Some("levee-manifests"), "Levee.AwsRefused")]
#[case::bucket_provision("bucket-provision", "s3", "CreateBucket", None, "Levee.AwsRefused")]
#[case::job_submit("job-submit", "s3control", "CreateJob", None, "Levee.JobRejected")]
#[case::job_poll("job-poll", "s3control", "DescribeJob", None, "Levee.AwsRefused")]
#[case::report_parse("report-parse", "s3", "GetObject", Some("levee-reports"), "Levee.AwsRefused")]
#[case::snapshot_check("snapshot-check", "s3", "ListObjectsV2", Some("lake-events-31-mar-2026"), "Levee.AwsRefused")]
#[case::table_verify("table-verify", "s3", "PutObject", Some("08-table-verify"), "Levee.AwsRefused")]
#[case::run_close("run-close", "states", "GetExecutionHistory", None, "Levee.AwsRefused")]
#[tokio::test(start_paused = true)]
async fn permanent_error_names_the_cause_and_a_redrive_after_the_mend_repeats_only_that_stage(
    #[case] stage: &str,
    #[case] service: &str,
    #[case] operation: &str,
    #[case] resource: Option<&str>,
    #[case] error: &str,
) {
    let mut rig = ready().await;
    rig.set_faults(fault(service, operation, resource, None, FaultAnswer::access_denied()));
    let execution = rig.start(day()).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), error, &["AccessDenied"]);
    let before = rig.ledger().await.unwrap();
    rig.set_faults(FaultPlan::default());
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    let after = rig.ledger().await.unwrap();
    for (key, bytes) in before {
        assert_eq!(after.get(&key), Some(&bytes), "{key} was written again");
    }
    for (name, times) in rig.scheduled(&execution).await.unwrap() {
        assert_eq!(times, if name == stage { 2 } else { 1 }, "{name}");
    }
    assert_whole(&rig, &objects(), 1).await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn same_message_twice_has_the_effect_of_one(
    #[values(
        "manifest-ready",
        "bucket-provision",
        "job-submit",
        "job-poll",
        "report-parse",
        "snapshot-check",
        "table-verify",
        "run-close"
    )]
    stage: &str,
) {
    let rig = ready().await;
    let _others = rig.hands(&others(stage), &rig.accounts.backup);
    let execution = rig.start_alone(day()).await.unwrap();
    let message = rig.capture(stage).await.unwrap();
    rig.duplicate(&message).await.unwrap();
    let _hands = rig.hands(&[stage_named(stage)], &rig.accounts.backup);
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    rig.clock.sleep(Duration::from_secs(3600)).await;
    assert_eq!(rig.messages_in(stage).await.unwrap(), 0, "the duplicate is still there");
    assert_whole(&rig, &objects(), 1).await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn crash_of_a_stage_is_tried_again_by_the_state_machine(
    #[values(
        "manifest-ready",
        "bucket-provision",
        "job-submit",
        "job-poll",
        "report-parse",
        "snapshot-check",
        "table-verify",
        "run-close"
    )]
    stage: &str,
) {
    let rig = ready().await;
    let _others = rig.hands(&others(stage), &rig.accounts.backup);
    let execution = rig.start_alone(day()).await.unwrap();
    let message = rig.capture(stage).await.unwrap();
    // What a worker reports whose stage panicked.
    let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
    let failure = rig.accounts.backup.sfn.send_task_failure().task_token(body["task_token"].as_str().unwrap());
    failure.error(levee_stage::StageError::STAGE_PANICKED).cause("index out of bounds").send().await.unwrap();
    let _hands = rig.hands(&[stage_named(stage)], &rig.accounts.backup);
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_eq!(rig.scheduled(&execution).await.unwrap()[stage], 2);
    assert_whole(&rig, &objects(), 1).await;
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn worker_with_a_dead_token_drops_the_message_and_writes_nothing(
    #[values(
        "manifest-ready",
        "bucket-provision",
        "job-submit",
        "job-poll",
        "report-parse",
        "snapshot-check",
        "table-verify",
        "run-close"
    )]
    stage: &str,
) {
    let rig = ready().await;
    let _others = rig.hands(&others(stage), &rig.accounts.backup);
    let execution = rig.start_alone(day()).await.unwrap();
    rig.capture(stage).await.unwrap();
    rig.accounts.backup.sfn.stop_execution().execution_arn(&execution).send().await.unwrap();
    let before = rig.own_calls().len();
    let _hands = rig.hands(&[stage_named(stage)], &rig.accounts.backup);
    rig.clock.sleep(Duration::from_secs(2 * 3600)).await;
    let later: Vec<_> = rig.own_calls().split_off(before).into_iter().map(|call| call.operation).collect();
    assert!(later.iter().any(|call| call == "DeleteMessage"), "{later:?}");
    let harmless = ["ReceiveMessage", "DeleteMessage", "SendTaskHeartbeat", "GetQueueUrl", "GetQueueAttributes"];
    for call in later {
        assert!(harmless.contains(&call.as_str()), "{call} was called for a dead task");
    }
    assert_eq!(rig.messages_in(stage).await.unwrap(), 0);
    assert_eq!(rig.messages_in(&format!("{stage}-dlq")).await.unwrap(), 0);
}

/// Plays a night in which the stage's first worker dies after `calls` calls. Answers whether it died before its task was
/// answered and its message deleted.
async fn dies_after(stage: &str, calls: u64) -> bool {
    let rig: Rig = ready().await;
    let (connector, died) = rig.twin.connector().dying_after(calls);
    let doomed = Aws::new(&rig.twin.sdk_config_on(connector, &rig.plan.backup_account, &Principal::Root));
    let _others = rig.hands(&others(stage), &rig.accounts.backup);
    let execution = rig.start_alone(day()).await.unwrap();
    rig.capture(stage).await.unwrap();
    let before = rig.own_calls().len();
    let first = rig.hands(&[stage_named(stage)], &doomed);
    let until_ended = rig.until_ended(&execution);
    tokio::pin!(until_ended);
    let early = tokio::select! {
        () = died.cancelled() => None,
        ended = &mut until_ended => Some(ended.unwrap()),
    };
    drop(first);
    let made = |operation: &str, resource: &str| {
        let calls = rig.own_calls().split_off(before);
        calls.iter().any(|call| call.operation == operation && call.resource.contains(resource))
    };
    let finished = made("SendTaskSuccess", "") && made("DeleteMessage", stage);
    let in_time = early.is_none() && !finished;
    let _second = rig.hands(&[stage_named(stage)], &rig.accounts.backup);
    let ended = match early {
        Some(ended) => ended,
        None => until_ended.await.unwrap(),
    };
    assert_succeeded(&ended);
    assert_whole(&rig, &objects(), 1).await;
    in_time
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn worker_killed_between_any_two_calls_leaves_a_night_that_another_finishes(
    #[values(
        "manifest-ready",
        "bucket-provision",
        "job-submit",
        "job-poll",
        "report-parse",
        "snapshot-check",
        "table-verify",
        "run-close"
    )]
    stage: &str,
) {
    let mut calls = 0;
    while dies_after(stage, calls).await {
        calls += 1;
        assert!(calls < 200, "the stage never finishes");
    }
    assert!(calls > 4, "only {calls} calls were tried");
    println!("{stage}: killed after each of 0 to {calls} calls");
}
