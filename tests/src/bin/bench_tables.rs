//! Measures the look at a bucket of many small tables: a night of them on the twin, of which the stage table-verify is timed.
//! `just bench-tables` builds it; CI runs a small one.
//!
//! The peak of memory is that of the whole process, in which the twin holds every object.
#![allow(clippy::print_stdout, reason = "the figures go to standard output")]

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use jiff::civil::date;
use levee::hosts::StageName;
use levee_stage::Aws;
use levee_tests::{Rig, RigBuilder, peak_memory_kib, small_table};
use levee_twin::{gate::CallFilter, service::Principal};

const SOURCE: &str = "lake-events";
const SNAPSHOT: &str = "lake-events-31-mar-2026";

/// Measures the look at many small tables.
#[derive(Parser)]
struct Bench {
    /// The tables of the bucket; each has a commit and a data file.
    #[arg(long, default_value_t = 10_000)]
    tables: u64,
}

fn main() -> Result<()> {
    let bench = Bench::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(measure(bench.tables))
}

async fn measure(tables: u64) -> Result<()> {
    let rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse()?).build().await?;
    rig.fill((0..tables).flat_map(small_table)).await?;
    rig.deliver("2026-04-02T01:00:00Z".parse()?).await?;
    let others: Vec<_> = StageName::ALL.into_iter().filter(|stage| *stage != StageName::TableVerify).collect();
    let _others = rig.hands(&others, &rig.accounts.backup);
    let execution = rig.start_alone(date(2026, 3, 31)).await?;
    rig.capture("table-verify").await?;
    let before = high_water()?;
    let (began, after) = (Instant::now(), last_call(&rig));
    let role = rig.plan.worker_role_arn("table-verify");
    let worker = Aws::new(&rig.twin.sdk_config(&rig.plan.backup_account, &Principal::Role(role.clone())));
    let _hands = rig.hands(&[StageName::TableVerify], &worker);
    let ended = rig.until_ended(&execution).await?;
    let seconds = began.elapsed().as_secs_f64();
    let whole = ended.output.pointer("/tables/verdicts/whole").and_then(serde_json::Value::as_u64);
    ensure!(whole == Some(tables), "{whole:?} of {tables} tables are whole: {}", ended.output);
    let list = CallFilter {
        after,
        operation: Some("ListObjectsV2".to_owned()),
        principal: Some(role),
        resource: Some(SNAPSHOT.to_owned()),
        ..CallFilter::default()
    };
    let listed = rig.twin.gate().calls_where(&list).len();
    println!(
        "table-verify and run-close: {tables} tables in {seconds:.1} s, {:.0} tables/s; {listed} calls listed the bucket of {} objects; {:.0} MiB of memory \
         with the twin, {:.0} before",
        number(tables) / seconds,
        2 * tables,
        number(high_water()?) / 1024.0,
        number(before) / 1024.0,
    );
    Ok(())
}

fn last_call(rig: &Rig) -> u64 {
    rig.twin.gate().calls_where(&CallFilter::default()).last().map_or(0, |call| call.number)
}

fn high_water() -> Result<u64> {
    peak_memory_kib(std::process::id()).context("this system does not tell how much memory a process has taken")
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
const fn number(count: u64) -> f64 {
    count as f64
}
