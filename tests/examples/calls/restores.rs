//! Restores into the one source that the deployment lets be written to, from the snapshots of both: tables beside, in their
//! place and rolled back, and what stops a restore.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_s3::types::{ChecksumAlgorithm, StorageClass};
use clap::Parser;
use levee::{
    deploy::{Plan, restore_bucket_policy},
    hosts::StageName,
    lake,
    restore::{PlanSettings, make, start},
};
use levee_ledger::restore::RestorePlan;
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
    special::hold,
};

/// The target of the deployment's restores, a source itself.
const TARGET: &str = PLAIN;
const BESIDE: &str = "s3://lake-events/back";
const TABLE: &str = "sales/orders";
/// More than a copy job takes.
const LARGE: u64 = 6_000_000_000;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: PlanSettings,
}

/// A table without its commits: names and bytes of its files.
fn files() -> [(&'static str, u64); 5] {
    [("a.parquet", 9), ("b.parquet", 9), ("c.parquet", 9), ("cold.parquet", 3), ("large.parquet", LARGE)]
}

fn commit(version: u64, adds: &[(&str, u64)], removes: &[&str]) -> (String, Vec<u8>) {
    let mut lines = vec![json!({ "commitInfo": { "timestamp": 1_000 + version, "operation": "WRITE" } })];
    if version == 0 {
        lines.push(json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }));
        lines.push(json!({ "metaData": { "id": "orders", "format": { "provider": "parquet", "options": {} },
            "schemaString": "{\"type\":\"struct\",\"fields\":[]}", "partitionColumns": [], "configuration": {} } }));
    }
    lines.extend(removes.iter().map(|name| json!({ "remove": { "path": name, "dataChange": true } })));
    lines.extend(adds.iter().map(|(name, size)| {
        json!({ "add": { "path": name, "partitionValues": {}, "size": size, "modificationTime": 1_000,
            "dataChange": true } })
    }));
    let text: Vec<_> = lines.iter().map(Value::to_string).collect();
    (format!("{TABLE}/_delta_log/{version:020}.json"), text.join("\n").into_bytes())
}

/// Puts two tables into the source: one of the sample with a checkpoint, and one with tags and a large file.
async fn fill(rig: &Rig) -> Result<()> {
    let sample = lake::sample()?.into_iter().filter(|file| file.key.starts_with("curated/planes/"));
    rig.fill(sample.map(|file| (file.key, file.bytes.to_vec()))).await?;
    let s3 = &rig.accounts.warehouse.s3;
    for (name, size) in files() {
        let put = s3.put_object().bucket(&rig.plan.source).key(format!("{TABLE}/{name}")).tagging("table=orders");
        if size < LARGE {
            put.body(vec![7; usize::try_from(size)?].into()).send().await?;
            continue;
        }
        let put = put.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).customize().mutate_request(move |request| {
            request.headers_mut().insert("x-levee-twin-sparse-length", size.to_string());
        });
        put.send().await?;
    }
    let [first, second, third, rest @ ..] = files();
    rig.fill([commit(0, &[first], &[]), commit(1, &[second, third], &[]), commit(2, &rest, &[])]).await
}

fn snapshot(rig: &Rig) -> String {
    format!("{}-31-mar-2026", rig.plan.source)
}

/// A rig on which restores are enabled, with the snapshot of a night in which one copy is archived. No workers are there.
async fn backed_up(source: &str) -> Result<Rig> {
    let mut rig = furnished(builder(source)?.plan(Plan::with_restores)).await?;
    if source != TARGET {
        let policy = restore_bucket_policy(&rig.plan, TARGET).context("restores are not enabled")?;
        let s3 = &rig.accounts.warehouse.s3;
        s3.create_bucket().bucket(TARGET).send().await?;
        s3.put_bucket_policy().bucket(TARGET).policy(policy.to_string()).send().await?;
    }
    fill(&rig).await?;
    deliver(&rig).await?;
    let execution = rig.start(day()).await?;
    expect(&rig, &execution, GOOD).await?;
    rig.stop_workers().await?;
    let archive = rig.accounts.backup.s3.put_object().bucket(snapshot(&rig)).key(format!("{TABLE}/cold.parquet"));
    archive.storage_class(StorageClass::Glacier).body(vec![7; 3].into()).send().await?;
    Ok(rig)
}

async fn planned(rig: &Rig, wish: &[&str]) -> Result<RestorePlan> {
    let common = ["plan", "--ledger", &rig.plan.ledger_bucket, "--source", &rig.plan.source];
    let settings = Arguments::try_parse_from(common.iter().chain(wish))?.settings;
    let (s3, target) = (&rig.accounts.backup.s3, &rig.accounts.warehouse.s3);
    make(s3, target, &settings, rig.clock.now()).await?.map_err(|refusals| anyhow::anyhow!(refusals.join("\n")))
}

/// Starts the one execution of a plan.
async fn applied(rig: &Rig, plan: &RestorePlan) -> Result<String> {
    let started = start(&rig.accounts.backup, plan).await?;
    let [execution] = started.as_slice() else { bail!("one execution is expected: {started:?}") };
    Ok(execution.execution_arn.clone())
}

async fn struck(rig: &Rig) {
    while rig.twin.struck().is_empty() {
        rig.clock.sleep(Duration::from_millis(100)).await;
    }
}

/// Rows that fail so in the first jobs of those to come.
fn row(keys: &str, class: RowClass, jobs: u64) -> FaultPlan {
    RowFault { when: When::First(jobs), ..RowFault::new(keys, class) }.into()
}

/// Every table of a snapshot, beside: rows that are said to be gone, that fail in passing and that stay outstanding, an archived
/// copy that is asked for twice, a large one that is denied and then copied by a worker that dies.
pub(crate) async fn beside(source: &'static str) -> Result<Played> {
    let mut rig = backed_up(source).await?;
    let plan = planned(&rig, &["--table", "**", "--to", BESIDE]).await?;
    let kinds: Vec<_> = plan.tables.iter().map(|table| (table.large_objects, table.archived_objects)).collect();
    ensure!(kinds == [(0, 0), (1, 1)], "a table has other objects than it should: {kinds:?}");
    let execution = applied(&rig, &plan).await?;
    come_early(&rig, StageName::RestorePlan).await?;
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
    expect(&rig, &execution, GOOD).await?;
    let keys = rig.ledger_keys().await?;
    for list in ["-retry.csv", "-held.csv", "-again.csv"] {
        ensure!(keys.iter().any(|key| key.starts_with("restores/") && key.ends_with(list)), "there is no {list}");
    }
    Played::of(&rig).await
}

/// Copies that somebody who may has removed since the plan was carried out: the table cannot become whole.
pub(crate) async fn without_copies(source: &'static str) -> Result<Played> {
    let mut rig = backed_up(source).await?;
    let plan = planned(&rig, &["--table", TABLE, "--to", BESIDE]).await?;
    let execution = applied(&rig, &plan).await?;
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
    Played::of(&rig).await
}

/// A table in its place: put back once restores are enabled, rolled back, and not rolled back once somebody else has written to it;
/// and a plan in whose way something is by now.
pub(crate) async fn in_place() -> Result<Played> {
    let mut rig = backed_up(TARGET).await?;
    let purged = format!("{TABLE}/b.parquet");
    rig.accounts.warehouse.s3.delete_object().bucket(TARGET).key(&purged).send().await?;
    let plan = planned(&rig, &["--table", TABLE, "--in-place"]).await?;
    let execution = applied(&rig, &plan).await?;
    let enabled = rig.plan.restore_role_arn.take();
    rig.start_workers();
    expect(&rig, &execution, "Levee.RestoreNotEnabled").await?;
    rig.stop_workers().await?;
    rig.plan.restore_role_arn = enabled;
    rig.start_workers();
    rig.redrive(&execution).await?;
    expect(&rig, &execution, GOOD).await?;
    // A bad write, which the commit 4 takes back.
    let bad = (format!("{TABLE}/bad.parquet"), vec![0; 9]);
    rig.fill([bad, commit(3, &[("bad.parquet", 9)], &["a.parquet"])]).await?;
    let plan = planned(&rig, &["--table", TABLE, "--in-place", "--at-version", "2"]).await?;
    let execution = applied(&rig, &plan).await?;
    expect(&rig, &execution, GOOD).await?;
    let plan = planned(&rig, &["--table", TABLE, "--in-place", "--at-version", "1"]).await?;
    rig.fill([commit(5, &[("bad.parquet", 9)], &[])]).await?;
    let execution = applied(&rig, &plan).await?;
    expect(&rig, &execution, "Levee.RestoreConflict").await?;
    let plan = planned(&rig, &["--table", TABLE, "--to", BESIDE]).await?;
    rig.fill([(format!("back/{TABLE}/mine.parquet"), b"mine".to_vec())]).await?;
    let execution = applied(&rig, &plan).await?;
    expect(&rig, &execution, "Levee.RestorePlanStale").await?;
    Played::of(&rig).await
}

/// A restore whose workers are replaced and die, that is stopped, and that is taken over by a plan which is applied again.
pub(crate) async fn taken_over() -> Result<Played> {
    let mut rig = backed_up(TARGET).await?;
    let plan = planned(&rig, &["--table", TABLE, "--to", BESIDE]).await?;
    let first = applied(&rig, &plan).await?;
    for stage in [StageName::RestorePlan, StageName::JobPoll] {
        rig.set_faults(hold(stage).into());
        rig.start_workers();
        struck(&rig).await;
        rig.stop_workers().await?;
    }
    rig.accounts.backup.sfn.stop_execution().execution_arn(&first).send().await?;
    expect(&rig, &first, "ABORTED").await?;
    rig.set_faults(FaultPlan::default());
    let second = applied(&rig, &plan).await?;
    ensure!(first != second, "the plan was not applied again");
    let dying = |answer| FaultPlan::from(CallFault::new(answer).when(When::Rate(0.08)).limit(6));
    rig.set_faults(dying(FaultAnswer::Death).and(dying(FaultAnswer::DeathAfter)));
    rig.start_workers();
    expect(&rig, &second, GOOD).await?;
    rig.set_faults(FaultPlan::default());
    rig.redrive(&first).await?;
    expect(&rig, &first, "Levee.RunSuperseded").await?;
    Played::of(&rig).await
}
