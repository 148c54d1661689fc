//! Drills of the snapshots of both sources: what stands in their way, what their last stage goes through, and what they leave.

use anyhow::{Context, Result, ensure};
use levee::{
    deploy::{DRILL_STATE_MACHINE_NAME, Plan, STATE_MACHINE_NAME},
    hosts::StageName,
};
use levee_tests::Rig;
use levee_twin::{CallFault, FaultAnswer, FaultPlan, When};

use crate::{
    copies::{FILES, backed_up, commit, endured, remove_copies, struck},
    large::come_early,
    night::{GOOD, PLAIN, Played, builder, expect, furnished},
    special::{hire, hold},
};

/// A rig with drills, with the snapshot of a night in which one copy is archived. No workers are there.
async fn with_drills(source: &str) -> Result<Rig> {
    let mut rig = furnished(builder(source)?.plan(Plan::with_drills)).await?;
    backed_up(&mut rig, [commit(0, &FILES, &[])]).await?;
    Ok(rig)
}

/// Starts a drill of so many tables, and no worker.
async fn start(rig: &Rig, name: &str, tables: u8) -> Result<String> {
    let machine = rig.deployed.state_machine_arn.replace(STATE_MACHINE_NAME, DRILL_STATE_MACHINE_NAME);
    let start = rig.accounts.backup.sfn.start_execution().state_machine_arn(machine).name(name);
    let started = start.input(rig.plan.drill_input(tables).to_string()).send().await.context("no drill starts")?;
    Ok(started.execution_arn().to_owned())
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

async fn scratch_is_empty(rig: &Rig) -> Result<bool> {
    let bucket = rig.plan.scratch_bucket.as_deref().context("there is no scratch bucket")?;
    Ok(rig.accounts.backup.s3.list_objects_v2().bucket(bucket).send().await?.contents().is_empty())
}

/// A drill of two tables with what copies can come to, of which one does not open; and a day later one that empties what that has left.
pub(crate) async fn emptied_later(source: &'static str) -> Result<Played> {
    let mut rig = with_drills(source).await?;
    let execution = start(&rig, "failing", 2).await?;
    endured(&mut rig, &execution, StageName::DrillPlan, "Levee.DrillFailed").await?;
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
    let mut rig = with_drills(source).await?;
    let execution = start(&rig, "first", 2).await?;
    rig.set_faults(hold(StageName::JobSubmit).into());
    rig.start_workers();
    struck(&rig).await;
    remove_copies(&rig).await?;
    rig.set_faults(FaultPlan::default());
    expect(&rig, &execution, "Levee.RestoreNotWhole").await?;
    let execution = start(&rig, "second", 2).await?;
    expect(&rig, &execution, "Levee.DrillFailed").await?;
    Played::of(&rig).await
}

/// Workers of the stages that drills alone have are replaced, refused and die; one drill while drills are not enabled.
pub(crate) async fn closed_at_last() -> Result<Played> {
    let mut rig = with_drills(PLAIN).await?;
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
