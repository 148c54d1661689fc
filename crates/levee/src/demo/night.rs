//! The night itself.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use levee_clock::Clock;
use levee_ledger::{Ledger, receipt::Closed, state::Manifest};
use levee_stage::Aws;
use levee_twin::{FaultPlan, Twin, service::Principal};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    Comparison, DemoSettings, Outcome,
    back::Story,
    compare::{Side, compare},
    counts::{Counts, part},
    follow::{Followed, follow},
    keep, load,
    outcome::FaultsOutcome,
    progress::Progress,
    settings::SETTLE_DAYS,
    verdicts,
};
use crate::{
    deploy::{Accounts, Deployed, Plan, deploy},
    lake::LakeFile,
    supervised::{Lives, Supervisor},
};

/// The hour, UTC, of the schedule: the inventory of the day is still to be delivered then, and the night waits for it.
const SCHEDULE_HOUR: i8 = 20;

/// Plays the night of `settings` with the warehouse `files`. Needs a paused tokio runtime.
pub(super) async fn play(settings: &DemoSettings, files: Vec<LakeFile>) -> Result<Outcome> {
    let plan = Plan::for_source(&settings.source).with_restores();
    // The warehouse is written at noon of the backup date: after the scan of that day, long before the one that counts.
    let clock = Clock::starting_at(utc(settings.backup_date, 12)?);
    let twin = Twin::builder().clock(clock.clone()).seed(settings.seed).region(&plan.region).build();
    // Faults are for the workers: what prepares, watches and proves the night meets none.
    let clients = |account| Aws::new(&twin.sdk_config_on(twin.connector().sheltered(), account, &Principal::Root));
    let accounts = Accounts { warehouse: clients(&plan.warehouse_account), backup: clients(&plan.backup_account) };
    let progress = Progress::new();
    let deployed = deploy(&accounts, &plan).await.context("cannot set up the deployment")?;
    fill(&accounts, &plan, files, &progress).await?;
    // Rules of the plan of faults number what comes from the start of this day on: its inventory is the first one.
    let tick = settings.backup_date.saturating_add(jiff::Span::new().days(i64::from(SETTLE_DAYS)));
    clock.sleep_until(utc(tick, 0)?).await;
    twin.set_faults(settings.plan_of_faults()?);
    // The workers start with the schedule's tick. Before it they would only ask empty queues, and every question of two
    // simulated days takes real time.
    clock.sleep_until(utc(tick, SCHEDULE_HOUR)?).await;
    let shutdown = CancellationToken::new();
    let supervisor = Supervisor::of_deployment(&twin, &plan);
    let (lives, stop) = (supervisor.lives(), shutdown.clone());
    let workers = tokio::spawn(async move { supervisor.run(stop).await });
    let night = async {
        let followed = run(&accounts, &plan, &deployed, settings, &clock, &progress).await?;
        let mut outcome = finish(&accounts, &plan, settings, followed, &progress).await?;
        // A plan of faults is about the night.
        if outcome.good() && twin.faults() == FaultPlan::default() {
            let story = Story { accounts: &accounts, plan: &plan, clock: &clock, progress: &progress };
            outcome.back = story.play(&outcome.tables).await?;
        }
        Ok::<_, anyhow::Error>(outcome)
    };
    let mut outcome = tokio::select! {
        biased;
        outcome = night => outcome?,
        ended = workers => return Err(early_end(ended)),
    };
    shutdown.cancel();
    let faults = twin.faults();
    outcome.faults =
        (faults != FaultPlan::default()).then(|| FaultsOutcome::new(&faults, twin.struck(), *lives.borrow()));
    Ok(outcome)
}

fn early_end(ended: Result<Result<Lives, levee_stage::WorkerError>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(_)) => anyhow!("the workers ended before the night did"),
        Ok(Err(error)) => anyhow::Error::new(error).context("a worker cannot go on"),
        Err(error) => anyhow::Error::new(error).context("the workers crashed"),
    }
}

async fn fill(accounts: &Accounts, plan: &Plan, files: Vec<LakeFile>, progress: &Progress) -> Result<()> {
    let total = files.len() as u64;
    let step = progress.step("load", Some(total));
    load::upload(&accounts.warehouse.s3, &plan.source, files, &|done| step.set(done, total)).await?;
    step.end(&format!("{total} objects into {}", plan.source));
    Ok(())
}

/// Starts the execution as the schedule would, and follows it.
async fn run(
    accounts: &Accounts,
    plan: &Plan,
    deployed: &Deployed,
    settings: &DemoSettings,
    clock: &Clock,
    progress: &Progress,
) -> Result<Followed> {
    let started = accounts
        .backup
        .sfn
        .start_execution()
        .state_machine_arn(&deployed.state_machine_arn)
        .name(plan.execution_name(settings.backup_date))
        .input(plan.execution_input(settings.backup_date, SETTLE_DAYS).to_string())
        .send()
        .await
        .context("cannot start the execution")?;
    follow(&accounts.backup, started.execution_arn(), &plan.backup_account, clock, progress).await
}

async fn finish(
    accounts: &Accounts,
    plan: &Plan,
    settings: &DemoSettings,
    followed: Followed,
    progress: &Progress,
) -> Result<Outcome> {
    let snapshot = followed.state.pointer("/bucket/name").and_then(Value::as_str).map(str::to_owned);
    let comparison = match &snapshot {
        Some(snapshot) => Some(prove(accounts, plan, snapshot, progress).await?),
        None => None,
    };
    let ledger = match &settings.out {
        Some(out) => keep_all(accounts, plan, snapshot.as_deref(), out, progress).await?,
        None => format!("bucket {}, gone with the demo; --out DIR keeps it", plan.ledger_bucket),
    };
    let records = Ledger::new(accounts.backup.s3.clone(), &plan.ledger_bucket);
    let closed: Option<Closed> = part(&followed.state, "receipt")?;
    let folder = settings.out.as_ref().map(|out| out.join("ledger"));
    let page = verdicts::page(&records, closed.as_ref(), folder.as_deref()).await?;
    let manifest: Option<Manifest> = part(&followed.state, "manifest")?;
    let counts = Counts::of(accounts, plan, &followed.state, &plan.execution_name(settings.backup_date)).await?;
    Ok(Outcome {
        objects: manifest.as_ref().map(|manifest| manifest.objects),
        bytes: manifest.as_ref().and_then(|manifest| manifest.bytes),
        succeeded: counts.succeeded,
        failed: counts.failed,
        failed_by_class: counts.failed_by_class,
        vanished: counts.vanished,
        counted_by: counts.counted_by,
        faults: None,
        back: None,
        source_bucket: plan.source.clone(),
        snapshot_bucket: snapshot,
        backup_date: settings.backup_date.to_string(),
        identical: comparison.as_ref().is_some_and(Comparison::identical),
        comparison,
        headline: closed.map(|closed| closed.headline),
        tables: verdicts::tables(&records, &followed.state).await?,
        page,
        stages: followed.stages,
        execution: followed.execution,
        ledger,
        simulated_seconds: followed.simulated_seconds,
        real_seconds: 0.0,
    })
}

async fn prove(accounts: &Accounts, plan: &Plan, snapshot: &str, progress: &Progress) -> Result<Comparison> {
    let step = progress.step("compare", None);
    let source = Side { s3: &accounts.warehouse.s3, bucket: &plan.source };
    let snapshot = Side { s3: &accounts.backup.s3, bucket: snapshot };
    let comparison = compare(source, snapshot, &|done, total| step.set(done, total)).await?;
    if comparison.identical() {
        step.end(&format!("{} objects are equal", comparison.source_objects));
    } else {
        step.fail(&format!("{} keys differ", comparison.differences.len()));
    }
    Ok(comparison)
}

async fn keep_all(
    accounts: &Accounts,
    plan: &Plan,
    snapshot: Option<&str>,
    out: &Path,
    progress: &Progress,
) -> Result<String> {
    let step = progress.step("keep", None);
    let s3 = &accounts.backup.s3;
    let ledger = out.join("ledger");
    let mut kept = keep::bucket(Side { s3, bucket: &plan.ledger_bucket }, &ledger).await?;
    if let Some(snapshot) = snapshot {
        kept += keep::bucket(Side { s3, bucket: snapshot }, &out.join("snapshot")).await?;
    }
    step.end(&format!("{kept} files in {}", out.display()));
    Ok(ledger.display().to_string())
}

fn utc(date: Date, hour: i8) -> Result<Timestamp> {
    Ok(date.at(hour, 0, 0, 0).to_zoned_datetime(TimeZone::UTC)?.timestamp())
}
