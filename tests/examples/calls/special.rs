//! The nights in which somebody does something.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_s3::{primitives::ByteStream, types::StorageClass};
use levee::{
    deploy::{Timetable, schedule},
    hosts::StageName,
};
use levee_formats::inventory::Manifest;
use levee_stage::Aws;
use levee_tests::{Hands, Rig, RigBuilder};
use levee_twin::{
    CallFault, FaultAnswer, FaultPlan,
    faults::{InventoryFault, InventoryFaultKind, RowClass, RowFault, ScheduleFault, ScheduleFaultKind},
    s3control::ControlOptions,
    service::Principal,
};
use serde_json::{Value, json};

use crate::{
    Play, cold,
    doctor::examined,
    drills, large,
    night::{BREAK_GLASS, GOOD, LOCKED, PLAIN, Played, builder, day, deliver, expect, furnished, ready},
    notify::SUBSCRIBERS_QUEUE,
    restores, slices, tables,
};

const SNAPSHOT: &str = "lake-events-31-mar-2026";

pub(crate) fn nights() -> Vec<(&'static str, Play)> {
    vec![
        ("schedule", Box::pin(scheduled())),
        ("inventory in ORC", Box::pin(unsupported())),
        ("rivals for a date", Box::pin(rivals())),
        ("name too long", Box::pin(name_too_long())),
        ("bucket of another account", Box::pin(bucket_of_another())),
        ("bucket that was left half made", Box::pin(half_made())),
        ("source policy missing", Box::pin(without_source_policy())),
        ("workers are replaced", Box::pin(workers_replaced())),
        ("messages that nobody can read", Box::pin(unreadable_messages())),
        ("stages crash, messages come early", Box::pin(crashes())),
        ("failure list in parts", Box::pin(large_failure_list())),
        ("large objects", Box::pin(large::copied(PLAIN))),
        ("large objects under a key", Box::pin(large::copied(LOCKED))),
        ("list of large objects in parts", Box::pin(large::long_list())),
        ("archived objects", Box::pin(cold::restored())),
        ("copy that is hidden", Box::pin(hidden_copy())),
        ("tables that are mended", Box::pin(tables::mended(PLAIN))),
        ("tables under a key that are mended", Box::pin(tables::mended(LOCKED))),
        ("counts that contradict each other", Box::pin(tables::contradicted())),
        ("plan in parts", Box::pin(large_plan())),
        ("inventory in slices", Box::pin(slices::planned())),
        ("inventory in slices, one of them damaged", Box::pin(slices::damaged())),
        ("restore beside", Box::pin(restores::beside(PLAIN))),
        ("restore from the snapshots of another source", Box::pin(restores::beside(LOCKED))),
        ("restore without copies", Box::pin(restores::without_copies(PLAIN))),
        ("restore without copies of another source", Box::pin(restores::without_copies(LOCKED))),
        ("restore in place", Box::pin(restores::in_place())),
        ("restore that is taken over", Box::pin(restores::taken_over())),
        ("drill of nothing", Box::pin(drills::of_nothing())),
        ("drill that is emptied later", Box::pin(drills::emptied_later(PLAIN))),
        ("drill of another source that is emptied later", Box::pin(drills::emptied_later(LOCKED))),
        ("drill without copies", Box::pin(drills::without_copies(PLAIN))),
        ("drill without copies of another source", Box::pin(drills::without_copies(LOCKED))),
        ("drill that is closed at last", Box::pin(drills::closed_at_last())),
        ("nobody can be told", Box::pin(undeliverable())),
        ("doctor", Box::pin(examined(false))),
        ("doctor with a canary", Box::pin(examined(true))),
    ]
}

/// A tick that comes twice: the second one is refused and set aside.
async fn scheduled() -> Result<Played> {
    let mut rig = ready(PLAIN).await?;
    rig.set_faults(ScheduleFault::new(ScheduleFaultKind::Duplicate { after_seconds: 600 }).into());
    rig.start_workers();
    let scheduler = aws_sdk_scheduler::Client::new(&rig.twin.sdk_config(&rig.plan.backup_account, &Principal::Root));
    let timetable = Timetable {
        expression: "cron(0 3 * * ? *)".to_owned(),
        time_zone: "UTC".to_owned(),
        settle_days: 2,
        between: Some(("2026-04-02T02:30:00Z".parse()?, "2026-04-02T03:30:00Z".parse()?)),
    };
    schedule(&scheduler, &rig.accounts.backup, &rig.plan, &rig.deployed, &timetable).await?;
    rig.sleep_until("2026-04-02T03:30:00Z".parse()?).await;
    let machine = &rig.deployed.state_machine_arn;
    let listed = rig.accounts.backup.sfn.list_executions().state_machine_arn(machine).send().await?;
    let [execution] = listed.executions() else { bail!("one execution is expected: {:?}", listed.executions()) };
    expect(&rig, execution.execution_arn(), GOOD).await?;
    ensure!(in_queue(&rig, "levee-schedules-dlq").await? == 1, "the second tick was not set aside");
    Played::of(&rig).await
}

/// An inventory whose manifest says that it is in another format.
async fn unsupported() -> Result<Played> {
    let mut rig = ready(PLAIN).await?;
    let (s3, bucket) = (rig.accounts.backup.s3.clone(), rig.plan.manifest_bucket.clone());
    let listed = s3.list_objects_v2().bucket(&bucket).send().await?;
    let mut keys = listed.contents().iter().filter_map(|object| object.key());
    let key = keys.find(|key| key.ends_with("/manifest.json")).context("there is no manifest")?;
    let bytes = rig.object(&rig.accounts.backup, &bucket, key).await?.context("the manifest is gone")?;
    let mut manifest: Value = serde_json::from_slice(&bytes)?;
    manifest.as_object_mut().context("the manifest is no object")?.insert("fileFormat".to_owned(), json!("ORC"));
    let bytes = serde_json::to_vec(&manifest)?;
    let checksum = Manifest::checksum(&bytes).into_bytes();
    let files = [(key.to_owned(), bytes), (key.replace("manifest.json", "manifest.checksum"), checksum)];
    for (key, bytes) in files {
        s3.put_object().bucket(&bucket).key(key).body(ByteStream::from(bytes)).send().await?;
    }
    let execution = rig.start(day()).await?;
    expect(&rig, &execution, "Levee.ManifestUnsupported").await?;
    Played::of(&rig).await
}

/// Executions for one date: one that fails, one that comes while it runs, one that takes over, and one that comes too late;
/// and one for another date, which is stopped.
async fn rivals() -> Result<Played> {
    let mut rig = ready(PLAIN).await?;
    let input = rig.plan.execution_input(day(), 2);
    rig.set_faults(hold(StageName::JobPoll).into());
    let first = rig.start_with("first", &input).await?;
    rig.clock.sleep(Duration::from_secs(5)).await;
    let second = rig.start_with("second", &input).await?;
    expect(&rig, &second, "Levee.RunAlreadyClaimed").await?;
    rig.set_faults(CallFault::new(FaultAnswer::Denied).of("s3control", "DescribeJob").into());
    expect(&rig, &first, "Levee.AwsRefused").await?;
    rig.set_faults(FaultPlan::default());
    let third = rig.start_with("third", &input).await?;
    expect(&rig, &third, GOOD).await?;
    rig.redrive(&first).await?;
    expect(&rig, &first, "Levee.RunSuperseded").await?;
    let fourth = rig.start_with("fourth", &input).await?;
    expect(&rig, &fourth, "Levee.RunAlreadyDone").await?;
    let stopped = rig.start_with("stopped", &rig.plan.execution_input(day().tomorrow()?, 2)).await?;
    rig.clock.sleep(Duration::from_secs(600)).await;
    rig.accounts.backup.sfn.stop_execution().execution_arn(&stopped).send().await?;
    expect(&rig, &stopped, "ABORTED").await?;
    rig.clock.sleep(Duration::from_secs(3600)).await;
    Played::of(&rig).await
}

async fn name_too_long() -> Result<Played> {
    let mut rig = ready(&format!("lake-{}", "x".repeat(50))).await?;
    let execution = rig.start(day()).await?;
    expect(&rig, &execution, "Levee.BucketNameTooLong").await?;
    Played::of(&rig).await
}

async fn bucket_of_another() -> Result<Played> {
    let mut rig = ready(PLAIN).await?;
    rig.accounts.warehouse.s3.create_bucket().bucket(SNAPSHOT).send().await?;
    let execution = rig.start(day()).await?;
    expect(&rig, &execution, "Levee.BucketOwnedByOther").await?;
    Played::of(&rig).await
}

/// A bucket of ours without any protection: every setting is written.
async fn half_made() -> Result<Played> {
    let mut rig = ready(PLAIN).await?;
    let s3 = &rig.accounts.backup.s3;
    s3.create_bucket().bucket(SNAPSHOT).send().await?;
    s3.delete_public_access_block().bucket(SNAPSHOT).send().await?;
    let execution = rig.start(day()).await?;
    expect(&rig, &execution, GOOD).await?;
    Played::of(&rig).await
}

/// A source whose bucket policy lets nobody in until it is mended.
async fn without_source_policy() -> Result<Played> {
    let mut rig = ready(PLAIN).await?;
    let warehouse = rig.accounts.warehouse.s3.clone();
    let policy = warehouse.get_bucket_policy().bucket(PLAIN).send().await?.policy.context("there is no policy")?;
    warehouse.delete_bucket_policy().bucket(PLAIN).send().await?;
    let execution = rig.start(day()).await?;
    expect(&rig, &execution, "Levee.CopyIncomplete").await?;
    warehouse.put_bucket_policy().bucket(PLAIN).policy(policy).send().await?;
    rig.redrive(&execution).await?;
    expect(&rig, &execution, GOOD).await?;
    Played::of(&rig).await
}

/// A call of each stage that keeps failing, so that the stage can be caught at work.
pub(crate) fn hold(stage: StageName) -> CallFault {
    let failing = |service, operation| CallFault::new(FaultAnswer::Internal).of(service, operation);
    let reading = |bucket: &str| CallFault { resource: Some(bucket.to_owned()), ..failing("s3", "GetObject") };
    let writing = |key: &str| CallFault { resource: Some(key.to_owned()), ..failing("s3", "PutObject") };
    match stage {
        StageName::ManifestReady => reading("levee-manifests"),
        StageName::BucketProvision => failing("s3", "CreateBucket"),
        StageName::JobSubmit => failing("s3control", "CreateJob"),
        StageName::JobPoll => failing("s3control", "DescribeJob"),
        StageName::ReportParse => reading("levee-reports"),
        StageName::Thaw => CallFault { resource: Some("/cold/".to_owned()), ..failing("s3", "HeadObject") },
        StageName::LargeCopy => failing("s3", "UploadPartCopy"),
        StageName::SnapshotCheck => CallFault { resource: Some(SNAPSHOT.to_owned()), ..failing("s3", "ListObjectsV2") },
        StageName::TableVerify => writing("08-table-verify"),
        StageName::RunClose => writing("receipts/"),
        StageName::RestorePlan => writing("planned.json"),
        StageName::DrillPlan => writing("drill-plans/"),
        StageName::DrillClose => writing("09-drill-close"),
    }
}

/// Workers that are replaced in the midst of each stage give their messages back.
async fn workers_replaced() -> Result<Played> {
    let mut rig = ready(PLAIN).await?;
    rig.set_faults(hold(StageName::ManifestReady).into());
    let execution = rig.start(day()).await?;
    for (index, stage) in StageName::EVERY_NIGHT.into_iter().enumerate() {
        rig.set_faults(hold(stage).into());
        for _ in 0..24 * 3600 {
            if !rig.twin.struck().is_empty() {
                break;
            }
            rig.clock.sleep(Duration::from_secs(1)).await;
        }
        ensure!(!rig.twin.struck().is_empty(), "{} has not come to its call", stage.name());
        rig.stop_workers().await?;
        let next = StageName::EVERY_NIGHT.get(index + 1).map_or_else(FaultPlan::default, |next| hold(*next).into());
        rig.set_faults(next);
        rig.start_workers();
    }
    rig.set_faults(FaultPlan::default());
    expect(&rig, &execution, GOOD).await?;
    Played::of(&rig).await
}

/// A copy is hidden by somebody who may, and made again after a redrive.
async fn hidden_copy() -> Result<Played> {
    let mut rig = ready(PLAIN).await?;
    rig.set_faults(hold(StageName::SnapshotCheck).into());
    let execution = rig.start(day()).await?;
    while rig.twin.struck().is_empty() {
        rig.clock.sleep(Duration::from_secs(1)).await;
    }
    let role = Principal::Role(BREAK_GLASS.to_owned());
    let s3 = Aws::new(&rig.twin.sdk_config(&rig.plan.backup_account, &role)).s3;
    s3.delete_object().bucket(SNAPSHOT).key("events/tagged.parquet").send().await?;
    rig.set_faults(FaultPlan::default());
    expect(&rig, &execution, "Levee.SnapshotDiffers").await?;
    rig.redrive(&execution).await?;
    expect(&rig, &execution, GOOD).await?;
    Played::of(&rig).await
}

/// Bodies that are no messages go to the dead-letter queues of their stages.
async fn unreadable_messages() -> Result<Played> {
    let mut rig = ready(PLAIN).await?;
    for stage in StageName::ALL.map(StageName::name) {
        let url = format!("{}{stage}", rig.deployed.queue_url_prefix);
        rig.accounts.backup.sqs.send_message().queue_url(url).message_body("what?").send().await?;
    }
    let execution = rig.start(day()).await?;
    expect(&rig, &execution, GOOD).await?;
    for stage in StageName::ALL.map(StageName::name) {
        ensure!(in_queue(&rig, &format!("levee-{stage}-dlq")).await? == 1, "{stage} did not set its message aside");
    }
    Played::of(&rig).await
}

/// Every stage crashes once; what the state machine sends then is delivered as the successor of a message is, before its time.
async fn crashes() -> Result<Played> {
    let rig = ready(PLAIN).await?;
    let execution = rig.start_alone(day()).await?;
    let mut hands = Vec::new();
    for stage in StageName::EVERY_NIGHT {
        let message = rig.capture(stage.name()).await?;
        let body: Value = serde_json::from_str(&message.body)?;
        let token = body.pointer("/task_token").and_then(Value::as_str).context("a message without a token")?;
        let failure = rig.accounts.backup.sfn.send_task_failure().task_token(token);
        failure.error(levee_stage::StageError::STAGE_PANICKED).cause("index out of bounds").send().await?;
        let url = &message.queue_url;
        let mut early = None;
        while early.is_none() {
            rig.clock.sleep(Duration::from_secs(30)).await;
            let got = rig.accounts.backup.sqs.receive_message().queue_url(url).send().await?;
            for found in got.messages() {
                let mut body: Value = serde_json::from_str(found.body().unwrap_or_default())?;
                let fresh = body.pointer("/task_token").and_then(Value::as_str) != Some(token);
                let now = rig.clock.now();
                let wait =
                    json!({ "first_received": now, "count": 0, "due": now.checked_add(Duration::from_secs(120))? });
                if let (true, Some(members)) = (fresh, body.as_object_mut()) {
                    members.insert("wait".to_owned(), wait);
                    early = Some(body.to_string());
                }
                let handle = found.receipt_handle().unwrap_or_default();
                rig.accounts.backup.sqs.delete_message().queue_url(url).receipt_handle(handle).send().await?;
            }
        }
        let send = rig.accounts.backup.sqs.send_message().queue_url(url).set_message_body(early);
        send.send().await?;
        hands.push(hire(&rig, stage));
    }
    expect(&rig, &execution, GOOD).await?;
    Played::of(&rig).await
}

/// A worker of one stage, as its role.
pub(crate) fn hire(rig: &Rig, stage: StageName) -> Hands {
    let role = Principal::Role(rig.plan.worker_role_arn(stage.name()));
    rig.hands(&[stage], &Aws::new(&rig.twin.sdk_config(&rig.plan.backup_account, &role)))
}

/// So many failed rows that their list is written in parts, by a worker that dies when it is done and does it again.
async fn large_failure_list() -> Result<Played> {
    let jobs = ControlOptions { threshold_tasks: u64::MAX, tasks_per_second: 0, ..ControlOptions::default() };
    let builder: RigBuilder = builder(PLAIN)?;
    let mut rig = furnished(builder.twin(move |twin| twin.jobs(jobs))).await?;
    let keys = (0..9_000).map(|n| format!("gone/{n:06}/{}", "k".repeat(1_000))).collect();
    rig.set_faults(InventoryFault::new(InventoryFaultKind::DeletedListed { keys }).into());
    deliver(&rig).await?;
    let rows = FaultPlan::from(RowFault::new("gone/*", RowClass::Denied));
    let death = CallFault::new(FaultAnswer::DeathAfter).of("s3", "CompleteMultipartUpload").limit(1);
    rig.set_faults(rows.and(death.into()));
    let execution = rig.start(day()).await?;
    expect(&rig, &execution, "Levee.CopyIncomplete").await?;
    for operation in ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"] {
        ensure!(rig.calls_of(operation) > 0, "the failure list was written without {operation}");
    }
    Played::of(&rig).await
}

/// So many archived objects that their list is written in parts, by a worker that dies when it is done and does it again; the
/// others are copied by the plan's manifest.
async fn large_plan() -> Result<Played> {
    let mut rig = furnished(builder(PLAIN)?).await?;
    for number in 0..9_000 {
        let key = format!("cold/{number:06}/{}", "k".repeat(1_000));
        let put = rig.accounts.warehouse.s3.put_object().bucket(PLAIN).key(key);
        put.storage_class(StorageClass::Glacier).body(ByteStream::from_static(b"cold")).send().await?;
    }
    deliver(&rig).await?;
    rig.set_faults(CallFault::new(FaultAnswer::DeathAfter).of("s3", "CompleteMultipartUpload").limit(1).into());
    let mut input = rig.plan.execution_input(day(), 2);
    let run = input.get_mut("run").and_then(Value::as_object_mut).context("the input has no run")?;
    run.insert("archived".to_owned(), json!("skip"));
    let execution = rig.start_with("planned", &input).await?;
    expect(&rig, &execution, GOOD).await?;
    for operation in ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"] {
        ensure!(rig.calls_of(operation) > 0, "the plan was written without {operation}");
    }
    Played::of(&rig).await
}

/// A topic that takes no event, and a subscriber whose queue is gone.
async fn undeliverable() -> Result<Played> {
    let mut rig = ready(PLAIN).await?;
    rig.set_faults(CallFault::new(FaultAnswer::Denied).of("sns", "Publish").limit(1).into());
    let url = format!("{}{SUBSCRIBERS_QUEUE}", rig.deployed.queue_url_prefix.trim_end_matches("levee-"));
    rig.accounts.backup.sqs.delete_queue().queue_url(url).send().await?;
    let execution = rig.start(day()).await?;
    expect(&rig, &execution, GOOD).await?;
    for queue in ["levee-events-dlq", "levee-notifications-dlq"] {
        ensure!(in_queue(&rig, queue).await? > 0, "nothing is in {queue}");
    }
    Played::of(&rig).await
}

/// How many messages a queue holds.
async fn in_queue(rig: &Rig, name: &str) -> Result<u64> {
    rig.messages_in(name.strip_prefix(&rig.plan.queue_prefix).unwrap_or(name)).await
}
