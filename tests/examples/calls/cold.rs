//! The night of archived objects.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::types::StorageClass;
use levee::hosts::StageName;
use levee_tests::Rig;
use levee_twin::{
    FaultPlan,
    faults::{ReportFault, ReportFaultKind, RowClass, RowFault, When},
    s3::ArchiveTier,
};
use serde_json::{Value, json};

use crate::{
    night::{GOOD, LOCKED, Played, builder, day, deliver, expect, furnished},
    special::hold,
};

const COLD: [(&str, StorageClass); 4] = [
    ("cold/glacier.parquet", StorageClass::Glacier),
    ("cold/passing.parquet", StorageClass::Glacier),
    ("cold/vanishing.parquet", StorageClass::Glacier),
    ("cold/tier.parquet", StorageClass::IntelligentTiering),
];

/// Archived objects that may not be restored, then are not there in time, and then are copied by workers that are replaced.
pub(crate) async fn restored() -> Result<Played> {
    let mut rig = furnished(builder(LOCKED)?).await?;
    for (key, class) in COLD {
        let put = rig.accounts.warehouse.s3.put_object().bucket(LOCKED).key(key).storage_class(class);
        put.body(b"ice"[..].to_vec().into()).send().await?;
    }
    ensure!(rig.twin.s3().archive(LOCKED, "cold/tier.parquet", ArchiveTier::ArchiveAccess), "nothing was archived");
    deliver(&rig).await?;
    set_policy(&rig, |sid| sid != "BatchRestores").await?;
    let mut input = rig.plan.execution_input(day(), 2);
    let run = input.get_mut("run").and_then(Value::as_object_mut).context("the input has no `run`")?;
    run.insert("archived".to_owned(), json!({ "restore": { "tier": "STANDARD", "limit_hours": 3 } }));
    let execution = rig.start_with("night", &input).await?;
    expect(&rig, &execution, "Levee.RestoreJobFailed").await?;
    set_policy(&rig, |_| true).await?;
    rig.accounts.warehouse.s3.delete_object().bucket(LOCKED).key("cold/vanishing.parquet").send().await?;
    let passing = RowFault { when: When::First(1), ..RowFault::new("*passing*", RowClass::Throttled) };
    let late = ReportFault::new(ReportFaultKind::Late { seconds: 300 });
    rig.set_faults(FaultPlan::from(passing).and(late.into()));
    rig.redrive(&execution).await?;
    expect(&rig, &execution, "Levee.ThawOverdue").await?;
    rig.set_faults(hold(StageName::Thaw).into());
    rig.redrive(&execution).await?;
    while rig.twin.struck().is_empty() {
        rig.clock.sleep(Duration::from_secs(1)).await;
    }
    rig.stop_workers().await?;
    rig.set_faults(FaultPlan::default());
    rig.start_workers();
    expect(&rig, &execution, GOOD).await?;
    Played::of(&rig).await
}

/// Lets in what `keep` keeps of the source's own policy.
async fn set_policy(rig: &Rig, keep: impl Fn(&str) -> bool) -> Result<()> {
    let mut policy = levee::deploy::source_bucket_policy(&rig.plan);
    let statements = policy.get_mut("Statement").and_then(Value::as_array_mut).context("there are no statements")?;
    let before = statements.len();
    statements.retain(|statement| statement.get("Sid").and_then(Value::as_str).is_some_and(&keep));
    ensure!(!keep("BatchRestores") || statements.len() == before, "a statement is gone");
    let put = rig.accounts.warehouse.s3.put_bucket_policy().bucket(&rig.plan.source);
    put.policy(policy.to_string()).send().await?;
    Ok(())
}
