//! Serves a twin on which one night has succeeded, one has failed and one is in progress, for a look at its page.
//!
//! The nights run with the real workers on the paused clock, so that they are there in seconds; from then on the clock runs,
//! and the night in progress goes on. Ends with Ctrl-C. The only argument is the port; without one the system chooses.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use aws_sdk_sfn::types::ExecutionStatus;
use jiff::{
    Timestamp,
    civil::{Date, date},
};
use levee::deploy::{Timetable, schedule};
use levee_tests::{Rig, RigBuilder};
use levee_twin::{
    FaultPlan,
    faults::{RowClass, RowFault},
    s3control::ControlOptions,
    service::Principal,
};

/// A copy job of the nights takes four minutes.
const OBJECTS: usize = 240;
const TASKS_PER_SECOND: u32 = 1;

fn main() -> Result<()> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse()).context("the argument is a port")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(serve(port))
}

async fn serve(port: u16) -> Result<()> {
    let jobs = ControlOptions { tasks_per_second: TASKS_PER_SECOND, ..ControlOptions::default() };
    let builder = RigBuilder::new("lake-events", "2026-03-31T02:00:00Z".parse()?);
    let mut rig = builder.twin(move |twin| twin.jobs(jobs)).build().await?;
    rig.fill((0..OBJECTS).map(object)).await?;
    hostile(&rig).await?;
    play(&mut rig).await?;
    tokio::time::resume();
    let server = rig.twin.serve(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    println!("{}", server.url());
    tokio::signal::ctrl_c().await?;
    Ok(())
}

fn object(n: usize) -> (String, Vec<u8>) {
    let key = format!("events/date=2026-03-{:02}/part-{n:05}.snappy.parquet", n % 28 + 1);
    (key, vec![b'x'; 1_000 + n * 7])
}

/// Names and texts that would be read as HTML by a page that is not careful.
async fn hostile(rig: &Rig) -> Result<()> {
    let script = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
    rig.fill([(format!("events/{script}"), vec![1])]).await?;
    let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
        .source("page.example")
        .detail_type(script)
        .detail(serde_json::json!({ "text": script }).to_string());
    rig.accounts.backup.events.put_events().entries(entry.build()).send().await?;
    let _ = rig.accounts.backup.s3.get_object().bucket(&rig.plan.ledger_bucket).key(script).send().await;
    Ok(())
}

async fn play(rig: &mut Rig) -> Result<()> {
    let config = rig.twin.sdk_config(&rig.plan.backup_account, &Principal::Root);
    let timetable = Timetable {
        expression: "cron(0 20 * * ? 2027)".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        settle_days: 2,
        between: None,
    };
    let scheduler = aws_sdk_scheduler::Client::new(&config);
    schedule(&scheduler, &rig.accounts.backup, &rig.plan, &rig.deployed, &timetable).await?;
    let good = night(rig, date(2026, 3, 29)).await?;
    expect(rig, &good, &ExecutionStatus::Succeeded).await?;
    rig.set_faults(RowFault::new("events/date=2026-03-0*", RowClass::Denied).into());
    let bad = night(rig, date(2026, 3, 30)).await?;
    expect(rig, &bad, &ExecutionStatus::Failed).await?;
    rig.redrive(&bad).await?;
    expect(rig, &bad, &ExecutionStatus::Failed).await?;
    rig.set_faults(FaultPlan::default());
    night(rig, date(2026, 3, 31)).await?;
    until_half_copied(rig).await
}

/// Starts the night of a backup date, two days later, with the inventory of that day.
async fn night(rig: &mut Rig, day: Date) -> Result<String> {
    // Idle workers poll through the days between the nights, which would be most of the real time.
    rig.kill_workers();
    let scan: Timestamp = format!("{}T01:00:00Z", day.checked_add(jiff::Span::new().days(2))?).parse()?;
    rig.sleep_until(scan.checked_add(Duration::from_secs(3600))?).await;
    rig.deliver(scan).await?;
    rig.start(day).await
}

async fn expect(rig: &Rig, execution: &str, status: &ExecutionStatus) -> Result<()> {
    let ended = rig.until_ended(execution).await?;
    if ended.status != *status {
        bail!("{execution} is {:?} and not {status:?}: {:?}", ended.status, ended.cause);
    }
    Ok(())
}

async fn until_half_copied(rig: &Rig) -> Result<()> {
    for _ in 0..3600 {
        let newest = rig.jobs().await?.into_iter().next();
        let ask = rig.accounts.backup.s3control.describe_job().account_id(&rig.plan.backup_account);
        if let Some(id) = newest {
            let job = ask.job_id(id).send().await?.job;
            let progress = job.as_ref().and_then(|job| job.progress_summary());
            let done = progress.and_then(|progress| progress.number_of_tasks_succeeded()).unwrap_or_default();
            let ended = job.and_then(|job| job.termination_date).is_some();
            if !ended && done > i64::try_from(OBJECTS / 3)? {
                return Ok(());
            }
        }
        rig.clock.sleep(Duration::from_secs(1)).await;
    }
    bail!("the copy job of the last night does not come to a third of its tasks")
}
