//! Restores into the one source that the deployment lets be written to, from the snapshots of both: tables beside, in their
//! place and rolled back, and what stops a restore.

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use levee::{
    deploy::{Plan, restore_bucket_policy},
    hosts::StageName,
    restore::{PlanSettings, make, start},
};
use levee_ledger::restore::RestorePlan;
use levee_tests::Rig;
use levee_twin::{CallFault, FaultAnswer, FaultPlan, When};

use crate::{
    copies::{FILES, TABLE, backed_up, commit, endured, remove_copies, struck},
    night::{GOOD, PLAIN, Played, builder, expect, furnished},
    special::hold,
};

/// The target of the deployment's restores, a source itself.
const TARGET: &str = PLAIN;
const BESIDE: &str = "s3://lake-events/back";

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: PlanSettings,
}

/// A rig on which restores are enabled, with the snapshot of a night in which one copy is archived. No workers are there.
async fn enabled(source: &str) -> Result<Rig> {
    let mut rig = furnished(builder(source)?.plan(Plan::with_restores)).await?;
    if source != TARGET {
        let policy = restore_bucket_policy(&rig.plan, TARGET).context("restores are not enabled")?;
        let s3 = &rig.accounts.warehouse.s3;
        s3.create_bucket().bucket(TARGET).send().await?;
        s3.put_bucket_policy().bucket(TARGET).policy(policy.to_string()).send().await?;
    }
    let [first, second, third, rest @ ..] = FILES;
    backed_up(&mut rig, [commit(0, &[first], &[]), commit(1, &[second, third], &[]), commit(2, &rest, &[])]).await?;
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

/// Every table of a snapshot, beside: rows that are said to be gone, that fail in passing and that stay outstanding, an archived
/// copy that is asked for twice, a large one that is denied and then copied by a worker that dies.
pub(crate) async fn beside(source: &'static str) -> Result<Played> {
    let mut rig = enabled(source).await?;
    let plan = planned(&rig, &["--table", "**", "--to", BESIDE]).await?;
    let kinds: Vec<_> = plan.tables.iter().map(|table| (table.large_objects, table.archived_objects)).collect();
    ensure!(kinds == [(0, 0), (1, 1)], "a table has other objects than it should: {kinds:?}");
    let execution = applied(&rig, &plan).await?;
    endured(&mut rig, &execution, StageName::RestorePlan, GOOD).await?;
    Played::of(&rig).await
}

/// Copies that somebody who may has removed since the plan was carried out: the table cannot become whole.
pub(crate) async fn without_copies(source: &'static str) -> Result<Played> {
    let mut rig = enabled(source).await?;
    let plan = planned(&rig, &["--table", TABLE, "--to", BESIDE]).await?;
    let execution = applied(&rig, &plan).await?;
    rig.set_faults(hold(StageName::JobSubmit).into());
    rig.start_workers();
    struck(&rig).await;
    remove_copies(&rig).await?;
    rig.set_faults(FaultPlan::default());
    expect(&rig, &execution, "Levee.RestoreNotWhole").await?;
    Played::of(&rig).await
}

/// A table in its place: put back once restores are enabled, rolled back, and not rolled back once somebody else has written to it;
/// and a plan in whose way something is by now.
pub(crate) async fn in_place() -> Result<Played> {
    let mut rig = enabled(TARGET).await?;
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
    let mut rig = enabled(TARGET).await?;
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
