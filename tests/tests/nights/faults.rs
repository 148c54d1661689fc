//! Every kind of planned fault that has no night of its own elsewhere, and what Levee answers. `docs/faults.md` lists them.

use levee_tests::{Rig, RigBuilder};
use levee_twin::{
    CallFault, FaultAnswer, FaultPlan, When,
    faults::{
        InventoryFault, InventoryFaultKind, JobFault, JobFaultKind, MessageFault, MessageFaultKind, ObjectFault,
        ObjectFaultKind, RowClass, RowFault,
    },
};
use rstest::rstest;
use serde_json::json;

use super::support::{SNAPSHOT, SOURCE, assert_failed, assert_succeeded, assert_whole, day, objects, ready};

const SCAN: &str = "2026-04-02T01:00:00Z";

/// A night on another seed than the usual one.
async fn seeded(seed: u64) -> Rig {
    let builder = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap());
    let rig = builder.twin(move |twin| twin.seed(seed)).build().await.unwrap();
    rig.fill(objects()).await.unwrap();
    rig.deliver(SCAN.parse().unwrap()).await.unwrap();
    rig
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn messages_that_come_twice_late_or_out_of_order_make_one_job_and_one_bucket(
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
    #[values(
        MessageFaultKind::Duplicated { seconds: 0 },
        MessageFaultKind::Duplicated { seconds: 120 },
        MessageFaultKind::Delayed { seconds: 600 },
        MessageFaultKind::Reordered { behind: 2, seconds: 300 }
    )]
    kind: MessageFaultKind,
) {
    let mut rig = ready().await;
    let rule = MessageFault { queue: Some(format!("levee-{stage}")), limit: Some(3), ..MessageFault::new(kind) };
    rig.set_faults(rule.into());
    let execution = rig.start(day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    rig.clock.sleep(std::time::Duration::from_secs(3600)).await;
    assert!(rig.twin.struck()["messages[0]"] > 0);
    assert_eq!(rig.messages_in(stage).await.unwrap(), 0, "a message is left");
    assert_whole(&rig, &objects(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn inventory_that_is_overwritten_after_it_was_pinned_changes_nothing() {
    let mut rig = ready().await;
    rig.set_faults(InventoryFault::new(InventoryFaultKind::Overwritten { seconds: 15 }).into());
    rig.deliver(SCAN.parse().unwrap()).await.unwrap();
    rig.fill([("events/later.parquet".to_owned(), b"later".to_vec())]).await.unwrap();
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let pinned = &ended.output["manifest"];
    assert_eq!(pinned["objects"], objects().len());
    let (s3, key) = (&rig.accounts.backup.s3, pinned["key"].as_str().unwrap());
    let newest = s3.head_object().bucket(&rig.plan.manifest_bucket).key(key).send().await.unwrap();
    assert_ne!(newest.version_id(), pinned["version_id"].as_str(), "the manifest was not overwritten");
    assert_whole(&rig, &objects(), 1).await;
    assert_eq!(rig.object(&rig.accounts.backup, SNAPSHOT, "events/later.parquet").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn late_delivery_by_the_schedule_is_waited_for() {
    let mut rig = RigBuilder::new(SOURCE, "2026-04-01T12:00:00Z".parse().unwrap()).build().await.unwrap();
    rig.fill(objects()).await.unwrap();
    rig.set_faults(InventoryFault::new(InventoryFaultKind::Late { seconds: 4 * 3600 }).into());
    rig.sleep_until("2026-04-02T20:30:00Z".parse().unwrap()).await;
    let execution = rig.start(day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    let arrived = rig.clock.now().duration_since("2026-04-03T01:00:00Z".parse().unwrap());
    assert!(arrived.is_positive(), "the night did not wait");
    assert_whole(&rig, &objects(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn inventory_whose_checksum_never_comes_is_overdue() {
    let mut rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap()).build().await.unwrap();
    rig.fill(objects()).await.unwrap();
    rig.set_faults(InventoryFault::new(InventoryFaultKind::ChecksumMissing).into());
    rig.deliver(SCAN.parse().unwrap()).await.unwrap();
    let mut input = rig.plan.execution_input(day(), 2);
    input["run"]["manifest_limit_hours"] = json!(3);
    let execution = rig.start_with("limited", &input).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.ManifestOverdue", &["manifest.checksum"]);
}

#[tokio::test(start_paused = true)]
async fn objects_that_the_inventory_does_not_list_yet_are_not_in_the_snapshot() {
    let mut rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap()).build().await.unwrap();
    rig.fill(objects()).await.unwrap();
    rig.sleep_until("2026-04-02T12:00:00Z".parse().unwrap()).await;
    rig.fill([("events/recent.parquet".to_owned(), b"recent".to_vec())]).await.unwrap();
    rig.set_faults(InventoryFault::new(InventoryFaultKind::RecentMissing { seconds: 6 * 3600 }).into());
    rig.deliver("2026-04-02T13:00:00Z".parse().unwrap()).await.unwrap();
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!(ended.output["manifest"]["objects"], objects().len());
    assert_whole(&rig, &objects(), 1).await;
    assert_eq!(rig.object(&rig.accounts.backup, SNAPSHOT, "events/recent.parquet").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn object_that_the_inventory_still_lists_after_its_end_is_explained() {
    let mut rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap()).build().await.unwrap();
    rig.fill(objects()).await.unwrap();
    let kind = InventoryFaultKind::DeletedListed { keys: vec!["events/gone.parquet".to_owned()] };
    rig.set_faults(InventoryFault::new(kind).into());
    rig.deliver(SCAN.parse().unwrap()).await.unwrap();
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let report = &ended.output["report"];
    assert_eq!((&report["copied_in_all"], &report["vanished_in_all"]), (&12.into(), &1.into()));
    let list = report["vanished_list"]["key"].as_str().unwrap();
    let list = rig.object(&rig.accounts.backup, &rig.plan.ledger_bucket, list).await.unwrap().unwrap();
    assert!(String::from_utf8(list).unwrap().contains("events/gone.parquet"));
    assert_whole(&rig, &objects(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn objects_that_vanished_after_the_inventory_are_explained_and_the_night_succeeds() {
    let mut rig = ready().await;
    rig.set_faults(ObjectFault { limit: Some(2), ..ObjectFault::new("*part-1*", ObjectFaultKind::Vanishes) }.into());
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let report = &ended.output["report"];
    assert_eq!((&report["copied_in_all"], &report["vanished_in_all"]), (&10.into(), &2.into()));
    assert_whole(&rig, &objects()[..10], 1).await;
}

#[tokio::test(start_paused = true)]
async fn object_that_changed_after_the_inventory_is_copied_with_its_newer_bytes() {
    let mut rig = ready().await;
    rig.set_faults(ObjectFault::new("*part-07*", ObjectFaultKind::Changes).into());
    let execution = rig.start(day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    let (changed, before) = objects().swap_remove(7);
    let source = rig.object(&rig.accounts.warehouse, SOURCE, &changed).await.unwrap().unwrap();
    let copy = rig.object(&rig.accounts.backup, SNAPSHOT, &changed).await.unwrap().unwrap();
    assert_ne!(source, before);
    assert_eq!(copy, source);
}

#[tokio::test(start_paused = true)]
async fn rows_that_fail_by_a_rate_are_copied_by_a_retry_and_only_these() {
    let mut rig = ready().await;
    let rule = RowFault { rate: Some(0.4), when: When::First(1), ..RowFault::new("*", RowClass::Throttled) };
    rig.set_faults(rule.into());
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let failed = rig.twin.struck()["rows[0]"];
    assert!((1..12).contains(&failed), "{failed} of 12 at a rate of 0.4");
    assert_eq!(ended.output["report"]["rows"], failed);
    assert_whole(&rig, &objects(), 2).await;
}

#[rstest]
#[case::paused(JobFaultKind::Paused { seconds: 5 * 3600 })]
#[case::slow(JobFaultKind::Slow { seconds_per_task: 3600 })]
#[tokio::test(start_paused = true)]
async fn job_that_takes_hours_is_waited_for(#[case] kind: JobFaultKind) {
    let mut rig = ready().await;
    let began = rig.clock.now();
    rig.set_faults(JobFault { after_tasks: 3, ..JobFault::new(kind) }.into());
    let execution = rig.start(day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert!(rig.clock.now().duration_since(began).as_hours() >= 5);
    assert_whole(&rig, &objects(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn job_that_is_paused_beyond_the_limit_has_stalled_and_is_watched_again_on_redrive() {
    let mut rig = ready().await;
    let kind = JobFaultKind::Paused { seconds: 9 * 3600 };
    rig.set_faults(JobFault { after_tasks: 3, ..JobFault::new(kind) }.into());
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.CopyJobStalled", &["Paused", "6 hours", "3 of 12", "priority"]);
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_whole(&rig, &objects(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn suspended_job_has_stalled_and_goes_on_when_it_is_confirmed() {
    let mut rig = ready().await;
    rig.set_faults(JobFault::new(JobFaultKind::Suspended).into());
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.CopyJobStalled", &["Suspended", "confirmed"]);
    let id = rig.jobs().await.unwrap().remove(0);
    rig.settle_job(&id, "Ready").await.unwrap();
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_whole(&rig, &objects(), 1).await;
}

#[rstest]
#[case::throttled(FaultAnswer::Throttled)]
#[case::internal(FaultAnswer::Internal)]
#[tokio::test(start_paused = true)]
async fn passing_trouble_of_every_service_in_its_own_form_is_got_over(
    #[case] answer: FaultAnswer,
    #[values("s3", "s3control", "sqs", "states")] service: &str,
) {
    let mut rig = ready().await;
    let rule = CallFault { service: Some(service.to_owned()), ..CallFault::new(answer) };
    rig.set_faults(rule.when(When::Rate(0.3)).limit(30).into());
    let execution = rig.start(day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert!(rig.twin.struck()["calls[0]"] > 0);
    rig.set_faults(FaultPlan::default());
    assert_whole(&rig, &objects(), 1).await;
}

#[rstest]
#[case::refused(FaultAnswer::Denied, "AccessDenied")]
#[case::of_ones_own(FaultAnswer::new("TwinSaysNo", 418), "TwinSaysNo")]
#[tokio::test(start_paused = true)]
async fn lasting_refusal_fails_the_night_with_its_code(#[case] answer: FaultAnswer, #[case] code: &str) {
    let mut rig = ready().await;
    rig.set_faults(CallFault::new(answer).of("s3control", "DescribeJob").into());
    let execution = rig.start(day()).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.AwsRefused", &[code, "redrive"]);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn workers_that_die_over_any_call_are_started_again_and_the_night_succeeds(
    #[values(FaultAnswer::Death, FaultAnswer::DeathAfter)] answer: FaultAnswer,
    #[values(1, 2, 3, 4)] seed: u64,
) {
    let mut rig = seeded(seed).await;
    rig.set_faults(CallFault::new(answer).when(When::Rate(0.08)).limit(8).into());
    let execution = rig.start(day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert!(rig.twin.struck().get("calls[0]").is_some_and(|deaths| *deaths > 0), "nobody died");
    assert_whole(&rig, &objects(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn workers_that_cannot_go_on_are_started_again_and_the_night_succeeds() {
    let mut rig = ready().await;
    rig.set_faults(CallFault::new(FaultAnswer::Denied).of("sqs", "GetQueueUrl").limit(2).into());
    let execution = rig.start(day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_eq!(rig.twin.struck()["calls[0]"], 2);
    assert_whole(&rig, &objects(), 1).await;
}

/// A plan with every kind there is.
const EVERY_KIND: &str = include_str!("every_kind.toml");

#[tokio::test(start_paused = true)]
async fn plan_with_every_kind_is_read_from_toml_written_again_and_every_rule_of_it_strikes() {
    let plan = FaultPlan::from_toml(EVERY_KIND).unwrap();
    assert_eq!(FaultPlan::from_toml(&plan.to_toml().unwrap()).unwrap(), plan);
    let mut rig = ready().await;
    rig.set_faults(plan.clone());
    // Reports of earlier days get the faults of inventories; the night takes the one that is there already.
    for day in 1..=plan.inventories.len() {
        // A delivery of its own kind may be refused or wanting: that is what is played.
        let _ = rig.deliver(format!("2026-03-{day:02}T01:00:00Z").parse().unwrap()).await;
    }
    let mut input = rig.plan.execution_input(day(), 2);
    input["run"]["stall_limit_hours"] = json!(1);
    let execution = rig.start_with("every-kind", &input).await.unwrap();
    let mut errors = Vec::new();
    for _ in 0..12 {
        let ended = rig.until_ended(&execution).await.unwrap();
        errors.push(ended.error.clone().unwrap_or_else(|| "none".to_owned()));
        if rig.twin.struck().len() == plan.rules().len() {
            break;
        }
        rig.settle_jobs().await.unwrap();
        rig.redrive(&execution).await.unwrap();
    }
    let (struck, rules) = (rig.twin.struck(), plan.rules());
    let idle: Vec<_> = rules.iter().filter(|rule| !struck.contains_key(*rule)).collect();
    assert!(idle.is_empty(), "{idle:?} struck nothing; the night went {errors:?}");
    assert!(errors.last().unwrap().starts_with("Levee.Report"), "{errors:?}");
    assert!(!errors.iter().any(|error| error == "none"), "a night with a report like that succeeded: {errors:?}");
}
