//! A snapshot whose copies meet everything on their way back that copies can meet: for the nights of restores and of drills.

use std::time::Duration;

use anyhow::{Result, ensure};
use aws_sdk_s3::{
    operation::put_object::builders::PutObjectFluentBuilder,
    types::{ChecksumAlgorithm, StorageClass},
};
use levee::{hosts::StageName, lake};
use levee_stage::Aws;
use levee_tests::Rig;
use levee_twin::{
    FaultAnswer, FaultPlan, When,
    faults::{RowClass, RowFault},
    service::Principal,
};
use serde_json::{Value, json};

use crate::{
    large::{come_early, on_parts},
    night::{BREAK_GLASS, GOOD, day, deliver, expect},
};

/// A table whose files are no Parquet: it is restored, and does not open.
pub(crate) const TABLE: &str = "sales/orders";
/// One of the sample, with a checkpoint. Of another class of sizes than the other.
const SAMPLE: &str = "curated/planes/";
/// More than a copy job takes.
pub(crate) const LARGE: u64 = 6_000_000_000;
/// Names and bytes of the table's files.
pub(crate) const FILES: [(&str, u64); 5] =
    [("a.parquet", 9), ("b.parquet", 9), ("c.parquet", 9), ("cold.parquet", 3), ("large.parquet", LARGE)];

/// A commit of the table; the first one makes it.
pub(crate) fn commit(version: u64, adds: &[(&str, u64)], removes: &[&str]) -> (String, Vec<u8>) {
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

/// Puts an object of so many bytes that nobody has to keep.
pub(crate) async fn sparse(put: PutObjectFluentBuilder, bytes: u64) -> Result<()> {
    let put = put.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).customize().mutate_request(move |request| {
        request.headers_mut().insert("x-levee-twin-sparse-length", bytes.to_string());
    });
    put.send().await?;
    Ok(())
}

/// Puts both tables into the source, the files of one with tags.
async fn fill(rig: &Rig, commits: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<()> {
    let sample = lake::sample()?.into_iter().filter(|file| file.key.starts_with(SAMPLE));
    rig.fill(sample.map(|file| (file.key, file.bytes.to_vec()))).await?;
    for (name, size) in FILES {
        let put = rig.accounts.warehouse.s3.put_object().bucket(&rig.plan.source).key(format!("{TABLE}/{name}"));
        let put = put.tagging("table=orders");
        if size < LARGE {
            put.body(vec![7; usize::try_from(size)?].into()).send().await?;
            continue;
        }
        sparse(put, size).await?;
    }
    rig.fill(commits).await
}

fn snapshot(rig: &Rig) -> String {
    format!("{}-31-mar-2026", rig.plan.source)
}

/// Plays a night of both tables, after which one copy is archived and no workers are there.
pub(crate) async fn backed_up(rig: &mut Rig, commits: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<()> {
    fill(rig, commits).await?;
    deliver(rig).await?;
    let execution = rig.start(day()).await?;
    expect(rig, &execution, GOOD).await?;
    rig.stop_workers().await?;
    let archive = rig.accounts.backup.s3.put_object().bucket(snapshot(rig)).key(format!("{TABLE}/cold.parquet"));
    archive.storage_class(StorageClass::Glacier).tagging("table=orders").body(vec![7; 3].into()).send().await?;
    Ok(())
}

/// Waits until a planned fault has struck.
pub(crate) async fn struck(rig: &Rig) {
    while rig.twin.struck().is_empty() {
        rig.clock.sleep(Duration::from_millis(100)).await;
    }
}

/// Rows that fail so in the first jobs of those to come.
fn row(keys: &str, class: RowClass, jobs: u64) -> FaultPlan {
    RowFault { when: When::First(jobs), ..RowFault::new(keys, class) }.into()
}

/// Lets an execution that brings the whole table back, and whose first stage is `first`, meet rows that are said to be gone, that fail
/// in passing and that stay outstanding, an archived copy that is asked for twice, a large one that is denied and then copied by a
/// worker that dies; until it ends as `end`.
pub(crate) async fn endured(rig: &mut Rig, execution: &str, first: StageName, end: &str) -> Result<()> {
    come_early(rig, first).await?;
    let passing = row("*/a.parquet", RowClass::Vanished, 1).and(row("*/b.parquet", RowClass::Throttled, 1));
    rig.set_faults(passing.and(row("*/c.parquet", RowClass::Denied, 1)));
    rig.start_workers();
    expect(rig, execution, "Levee.CopyIncomplete").await?;
    let denied = FaultPlan::from(on_parts(FaultAnswer::Denied));
    rig.set_faults(denied.and(row("*/cold.parquet", RowClass::Throttled, 2)));
    rig.redrive(execution).await?;
    expect(rig, execution, "Levee.LargeCopyIncomplete").await?;
    rig.set_faults(on_parts(FaultAnswer::DeathAfter).limit(1).into());
    rig.redrive(execution).await?;
    expect(rig, execution, end).await?;
    let keys = rig.ledger_keys().await?;
    for list in ["-retry.csv", "-held.csv", "-again.csv"] {
        ensure!(keys.iter().any(|key| key.starts_with("restores/") && key.ends_with(list)), "there is no {list}");
    }
    Ok(())
}

/// Removes copies out of the snapshot, as somebody does who may.
pub(crate) async fn remove_copies(rig: &Rig) -> Result<()> {
    let role = Principal::Role(BREAK_GLASS.to_owned());
    let s3 = Aws::new(&rig.twin.sdk_config(&rig.plan.backup_account, &role)).s3;
    for name in ["a.parquet", "cold.parquet"] {
        s3.delete_object().bucket(snapshot(rig)).key(format!("{TABLE}/{name}")).send().await?;
    }
    Ok(())
}
