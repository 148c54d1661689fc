//! What the scenarios share.

use aws_sdk_sfn::types::ExecutionStatus;
use jiff::civil::{Date, date};
use levee::hosts::StageName;
use levee_stage::Aws;
use levee_tests::{Ended, Rig};
use levee_twin::{
    FaultPlan,
    gate::{CallFault, FaultAnswer, When},
    service::Principal,
};
use serde_json::Value;

pub(crate) const SOURCE: &str = "lake-events";
pub(crate) const SNAPSHOT: &str = "lake-events-31-mar-2026";

pub(crate) fn day() -> Date {
    date(2026, 3, 31)
}

/// A dozen objects.
pub(crate) fn objects() -> Vec<(String, Vec<u8>)> {
    (0..12)
        .map(|n| (format!("events/date=2026-03-31/part-{n:02} ä.parquet"), format!("bytes {n}").into_bytes()))
        .collect()
}

pub(crate) async fn ready() -> Rig {
    Rig::ready(SOURCE, objects()).await.unwrap()
}

pub(crate) fn stage_named(name: &str) -> StageName {
    StageName::ALL.into_iter().find(|stage| stage.name() == name).unwrap()
}

/// Clients of the worker of a stage.
pub(crate) fn worker_of(rig: &Rig, stage: &str) -> Aws {
    let role = Principal::Role(rig.plan.worker_role_arn(stage));
    Aws::new(&rig.twin.sdk_config(&rig.plan.backup_account, &role))
}

pub(crate) fn others(name: &str) -> Vec<StageName> {
    StageName::ALL.into_iter().filter(|stage| *stage != stage_named(name)).collect()
}

/// A rule that strikes the calls of one operation on resources that contain `resource`.
pub(crate) fn fault(
    service: &str,
    operation: &str,
    resource: Option<&str>,
    limit: Option<u64>,
    answer: FaultAnswer,
) -> FaultPlan {
    let rule = CallFault {
        service: Some(service.to_owned()),
        operation: Some(operation.to_owned()),
        resource: resource.map(str::to_owned),
        account: None,
        when: When::Always,
        limit,
        answer,
    };
    FaultPlan { calls: vec![rule], ..FaultPlan::default() }
}

/// The details of the events that told of outstanding rows.
pub(crate) fn copy_failures(rig: &Rig) -> Vec<Value> {
    let events = rig.twin.events().into_iter().map(|event| event.event);
    events.filter(|event| event["detail-type"] == "Copy Failures").map(|event| event["detail"].clone()).collect()
}

pub(crate) fn assert_succeeded(ended: &Ended) {
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{:?}: {:?}", ended.error, ended.cause);
}

/// Asserts that the night failed with `error` and that its cause contains every one of `words`; answers the cause.
pub(crate) fn assert_failed(ended: &Ended, error: &str, words: &[&str]) -> String {
    assert_eq!(ended.status, ExecutionStatus::Failed, "{ended:?}");
    let cause = ended.cause.clone().unwrap_or_default();
    assert_eq!(ended.error.as_deref(), Some(error), "{cause}");
    for word in words {
        assert!(cause.contains(word), "{word:?} is not in: {cause}");
    }
    cause
}

/// Asserts that every object is in the snapshot bucket, byte for byte, by one job and in one bucket, that the run has one
/// receipt, and that no message is left anywhere.
pub(crate) async fn assert_whole(rig: &Rig, objects: &[(String, Vec<u8>)], jobs: usize) {
    for (key, body) in objects {
        let copy = rig.object(&rig.accounts.backup, SNAPSHOT, key).await.unwrap();
        assert_eq!(copy.as_deref(), Some(body.as_slice()), "{key:?}");
    }
    assert_eq!(rig.jobs().await.unwrap().len(), jobs);
    assert_eq!(rig.snapshot_buckets().await.unwrap(), [SNAPSHOT]);
    let keys = rig.ledger_keys().await.unwrap();
    let receipts: Vec<_> = keys.iter().filter(|key| key.starts_with("receipts/")).collect();
    assert_eq!(receipts, [&format!("receipts/{SOURCE}/00000001.json")]);
    for stage in StageName::ALL.map(StageName::name) {
        assert_eq!(rig.messages_in(&format!("{stage}-dlq")).await.unwrap(), 0, "dead letters of {stage}");
    }
}
