//! Nights whose inventory is read in slices.

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::{primitives::ByteStream, types::StorageClass};
use levee_tests::Rig;
use levee_twin::{CallFault, FaultAnswer, FaultPlan, inventory::InventoryOptions};
use serde_json::{Value, json};

use crate::night::{GOOD, PLAIN, Played, builder, day, deliver, expect, furnished};

/// A rig whose inventory has a data file for every three objects, some of which are archived.
async fn ready() -> Result<Rig> {
    let inventories = InventoryOptions { rows_per_file: 3, ..InventoryOptions::default() };
    let rig = furnished(builder(PLAIN)?.twin(move |twin| twin.inventories(inventories))).await?;
    for number in 0..6 {
        let put = rig.accounts.warehouse.s3.put_object().bucket(PLAIN).key(format!("cold/{number}"));
        put.storage_class(StorageClass::Glacier).body(ByteStream::from_static(b"cold")).send().await?;
    }
    deliver(&rig).await?;
    Ok(rig)
}

fn input(rig: &Rig) -> Result<Value> {
    let mut input = rig.plan.execution_input(day(), 2);
    let run = input.get_mut("run").and_then(Value::as_object_mut).context("the input has no run")?;
    run.insert("archived".to_owned(), json!("skip"));
    run.insert("slice_files".to_owned(), json!(2));
    Ok(input)
}

/// A plan that workers of slices write who die now and then.
pub(crate) async fn planned() -> Result<Played> {
    let mut rig = ready().await?;
    let dying = CallFault { resource: Some("01-manifest-ready".to_owned()), ..CallFault::new(FaultAnswer::DeathAfter) };
    rig.set_faults(dying.of("s3", "PutObject").limit(3).into());
    let input = input(&rig)?;
    let execution = rig.start_with("sliced", &input).await?;
    expect(&rig, &execution, GOOD).await?;
    let keys = rig.ledger_keys().await?;
    let lists = keys.iter().filter(|key| key.contains("/slices/")).count();
    ensure!(lists > 1, "the slices have no lists: {keys:?}");
    Played::of(&rig).await
}

/// A data file that is gone until it is put back.
pub(crate) async fn damaged() -> Result<Played> {
    let mut rig = ready().await?;
    let gone = CallFault { resource: Some(".csv.gz".to_owned()), ..CallFault::new(FaultAnswer::new("NoSuchKey", 404)) };
    rig.set_faults(gone.of("s3", "GetObject").limit(1).into());
    let input = input(&rig)?;
    let execution = rig.start_with("sliced", &input).await?;
    expect(&rig, &execution, "Levee.ManifestCorrupt").await?;
    rig.set_faults(FaultPlan::default());
    rig.redrive(&execution).await?;
    expect(&rig, &execution, GOOD).await?;
    Played::of(&rig).await
}
