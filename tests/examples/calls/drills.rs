//! Drills of the snapshots of both sources: what stands in their way, what their last stage goes through, and what they leave.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::types::{ChecksumAlgorithm, StorageClass};
use levee::{
    deploy::{DRILL_STATE_MACHINE_NAME, Plan, STATE_MACHINE_NAME},
    hosts::StageName,
    lake,
};
use levee_stage::Aws;
use levee_tests::Rig;
use levee_twin::{
    CallFault, FaultAnswer, FaultPlan, When,
    faults::{RowClass, RowFault},
    service::Principal,
};
use serde_json::{Value, json};

use crate::{
    large::{come_early, on_parts},
    night::{BREAK_GLASS, GOOD, PLAIN, Played, builder, day, deliver, expect, furnished},
    special::{hire, hold},
};

/// A table whose files are no Parquet: it is restored, and does not open. Another class of sizes than that of the sample.
const TABLE: &str = "sales/orders";
/// One of the sample, with a checkpoint.
const SAMPLE: &str = "curated/planes";
/// More than a copy job takes.
const LARGE: u64 = 6_000_000_000;
/// Names and bytes of the table's files.
const FILES: [(&str, u64); 5] =
    [("a.parquet", 9), ("b.parquet", 9), ("c.parquet", 9), ("cold.parquet", 3), ("large.parquet", LARGE)];

/// The one commit of the table.
fn commit() -> (String, Vec<u8>) {
    let mut lines = vec![
        json!({ "commitInfo": { "timestamp": 1_000, "operation": "WRITE" } }),
        json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }),
        json!({ "metaData": { "id": "orders", "format": { "provider": "parquet", "options": {} },
            "schemaString": "{\"type\":\"struct\",\"fields\":[]}", "partitionColumns": [], "configuration": {} } }),
    ];
    lines.extend(FILES.map(|(name, size)| {
        json!({ "add": { "path": name, "partitionValues": {}, "size": size, "modificationTime": 1_000,
            "dataChange": true } })
    }));
    let text: Vec<_> = lines.iter().map(Value::to_string).collect();
    (format!("{TABLE}/_delta_log/{:020}.json", 0), text.join("\n").into_bytes())
}

/// Puts both tables into the source, the files of one with tags.
async fn fill(rig: &Rig) -> Result<()> {
    let below = format!("{SAMPLE}/");
    let sample = lake::sample()?.into_iter().filter(|file| file.key.starts_with(&below));
    rig.fill(sample.map(|file| (file.key, file.bytes.to_vec()))).await?;
    for (name, size) in FILES {
        let put = rig.accounts.warehouse.s3.put_object().bucket(&rig.plan.source).key(format!("{TABLE}/{name}"));
        let put = put.tagging("table=orders");
        if size < LARGE {
            put.body(vec![7; usize::try_from(size)?].into()).send().await?;
            continue;
        }
        let put = put.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).customize().mutate_request(move |request| {
            request.headers_mut().insert("x-levee-twin-sparse-length", size.to_string());
        });
        put.send().await?;
    }
    rig.fill([commit()]).await
}

fn snapshot(rig: &Rig) -> String {
    format!("{}-31-mar-2026", rig.plan.source)
}

/// A rig with drills, with the snapshot of a night in which one copy is archived. No workers are there.
async fn backed_up(source: &str) -> Result<Rig> {
    let mut rig = furnished(builder(source)?.plan(Plan::with_drills)).await?;
    fill(&rig).await?;
    deliver(&rig).await?;
    let execution = rig.start(day()).await?;
    expect(&rig, &execution, GOOD).await?;
    rig.stop_workers().await?;
    let archive = rig.accounts.backup.s3.put_object().bucket(snapshot(&rig)).key(format!("{TABLE}/cold.parquet"));
    archive.storage_class(StorageClass::Glacier).tagging("table=orders").body(vec![7; 3].into()).send().await?;
    Ok(rig)
}

/// Starts a drill of so many tables, and no worker.
async fn start(rig: &Rig, name: &str, tables: u8) -> Result<String> {
    let machine = rig.deployed.state_machine_arn.replace(STATE_MACHINE_NAME, DRILL_STATE_MACHINE_NAME);
    let start = rig.accounts.backup.sfn.start_execution().state_machine_arn(machine).name(name);
    let started = start.input(rig.plan.drill_input(tables).to_string()).send().await.context("no drill starts")?;
    Ok(started.execution_arn().to_owned())
}

async fn struck(rig: &Rig) {
    while rig.twin.struck().is_empty() {
        rig.clock.sleep(Duration::from_millis(100)).await;
    }
}

/// Lets the workers come to the call that `stage` is held at, and replaces them.
async fn replaced(rig: &mut Rig, stage: StageName) -> Result<()> {
    rig.set_faults(hold(stage).into());
    rig.start_workers();
    struck(rig).await;
    rig.stop_workers().await?;
    rig.set_faults(FaultPlan::default());
    Ok(())
}

/// Rows that fail so in the first jobs of those to come.
fn row(keys: &str, class: RowClass, jobs: u64) -> FaultPlan {
    RowFault { when: When::First(jobs), ..RowFault::new(keys, class) }.into()
}

async fn scratch_is_empty(rig: &Rig) -> Result<bool> {
    let bucket = rig.plan.scratch_bucket.as_deref().context("there is no scratch bucket")?;
    Ok(rig.accounts.backup.s3.list_objects_v2().bucket(bucket).send().await?.contents().is_empty())
}

/// A drill of two tables with what copies can come to, of which one does not open; and a day later one that empties what that has left.
pub(crate) async fn emptied_later(source: &'static str) -> Result<Played> {
    let mut rig = backed_up(source).await?;
    let execution = start(&rig, "failing", 2).await?;
    come_early(&rig, StageName::DrillPlan).await?;
    let passing = row("*/a.parquet", RowClass::Vanished, 1).and(row("*/b.parquet", RowClass::Throttled, 1));
    rig.set_faults(passing.and(row("*/c.parquet", RowClass::Denied, 1)));
    rig.start_workers();
    expect(&rig, &execution, "Levee.CopyIncomplete").await?;
    let denied = FaultPlan::from(on_parts(FaultAnswer::Denied));
    rig.set_faults(denied.and(row("*/cold.parquet", RowClass::Throttled, 2)));
    rig.redrive(&execution).await?;
    expect(&rig, &execution, "Levee.LargeCopyIncomplete").await?;
    rig.set_faults(on_parts(FaultAnswer::DeathAfter).limit(1).into());
    rig.redrive(&execution).await?;
    expect(&rig, &execution, "Levee.DrillFailed").await?;
    let keys = rig.ledger_keys().await?;
    for list in ["-retry.csv", "-held.csv", "-again.csv"] {
        ensure!(keys.iter().any(|key| key.starts_with("restores/") && key.ends_with(list)), "there is no {list}");
    }
    ensure!(!scratch_is_empty(&rig).await?, "what was restored is not left");
    rig.stop_workers().await?;
    rig.sleep_until(rig.clock.now().checked_add(jiff::Span::new().hours(25))?).await;
    let execution = start(&rig, "good", 1).await?;
    rig.start_workers();
    expect(&rig, &execution, GOOD).await?;
    ensure!(scratch_is_empty(&rig).await?, "something is left");
    Played::of(&rig).await
}

/// Nothing was backed up yet.
pub(crate) async fn of_nothing() -> Result<Played> {
    let mut rig = furnished(builder(PLAIN)?.plan(Plan::with_drills)).await?;
    let execution = start(&rig, "early", 1).await?;
    rig.start_workers();
    expect(&rig, &execution, "Levee.NothingToDrill").await?;
    Played::of(&rig).await
}

/// Copies that somebody who may has removed since the drill was planned: the table cannot become whole. The next drill cannot plan it.
pub(crate) async fn without_copies(source: &'static str) -> Result<Played> {
    let mut rig = backed_up(source).await?;
    let execution = start(&rig, "first", 2).await?;
    rig.set_faults(hold(StageName::JobSubmit).into());
    rig.start_workers();
    struck(&rig).await;
    let role = Principal::Role(BREAK_GLASS.to_owned());
    let s3 = Aws::new(&rig.twin.sdk_config(&rig.plan.backup_account, &role)).s3;
    for name in ["a.parquet", "cold.parquet"] {
        s3.delete_object().bucket(snapshot(&rig)).key(format!("{TABLE}/{name}")).send().await?;
    }
    rig.set_faults(FaultPlan::default());
    expect(&rig, &execution, "Levee.RestoreNotWhole").await?;
    let execution = start(&rig, "second", 2).await?;
    expect(&rig, &execution, "Levee.DrillFailed").await?;
    Played::of(&rig).await
}

/// Workers of the stages that drills alone have are replaced, refused and die; one drill while drills are not enabled.
pub(crate) async fn closed_at_last() -> Result<Played> {
    let mut rig = backed_up(PLAIN).await?;
    let execution = start(&rig, "refused", 1).await?;
    replaced(&mut rig, StageName::DrillPlan).await?;
    {
        let before = StageName::ALL.into_iter().filter(|stage| *stage != StageName::DrillClose);
        let _others: Vec<_> = before.map(|stage| hire(&rig, stage)).collect();
        come_early(&rig, StageName::DrillClose).await?;
    }
    replaced(&mut rig, StageName::DrillClose).await?;
    let deleting = |answer| CallFault::new(answer).of("s3", "DeleteObjects");
    rig.set_faults(deleting(FaultAnswer::Denied).into());
    rig.start_workers();
    expect(&rig, &execution, "Levee.AwsRefused").await?;
    let told = CallFault {
        resource: Some("/drills/".to_owned()),
        ..CallFault::new(FaultAnswer::DeathAfter).of("s3", "PutObject")
    };
    rig.set_faults(FaultPlan::from(deleting(FaultAnswer::DeathAfter).limit(1)).and(told.limit(1).into()));
    rig.redrive(&execution).await?;
    expect(&rig, &execution, GOOD).await?;
    ensure!(rig.twin.struck().len() == 2, "drill-close did not die twice: {:?}", rig.twin.struck());
    let dying = |answer| FaultPlan::from(CallFault::new(answer).when(When::Rate(0.08)).limit(6));
    rig.set_faults(dying(FaultAnswer::Death).and(dying(FaultAnswer::DeathAfter)));
    // The class of the other table has its turn, which does not open.
    let execution = start(&rig, "dying", 1).await?;
    expect(&rig, &execution, "Levee.DrillFailed").await?;
    rig.set_faults(FaultPlan::default());
    rig.stop_workers().await?;
    rig.plan.drill_role_arn = None;
    let execution = start(&rig, "disabled", 1).await?;
    rig.start_workers();
    expect(&rig, &execution, "Levee.RestoreNotEnabled").await?;
    Played::of(&rig).await
}
