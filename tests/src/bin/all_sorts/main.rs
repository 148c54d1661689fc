//! A night of a lake with objects of all sorts: empty ones, ones at and above the limits of a copy, 60 GB, archived ones, ones
//! under keys of KMS and of the customer's own, tagged ones, ones with every header, and a great many small ones. Each must be
//! in the snapshot with all its attributes, or be named.
//!
//! ```text
//! all_sorts [SMALL]     with SMALL small objects, 100,000 without it; a line per finding, and exit 1 when there is one
//! ```

mod attributes;
mod lake;

use std::{collections::BTreeSet, process::ExitCode, time::Instant};

use anyhow::{Context, Result, ensure};
use attributes::attributes;
use aws_sdk_sfn::types::ExecutionStatus;
use jiff::civil::{Date, date};
use lake::{Fate, Object};
use levee_ledger::state::SkippedRow;
use levee_tests::{Ended, Rig, RigBuilder};
use serde_json::{Value, json};

const SOURCE: &str = "lake-events";
const SNAPSHOT: &str = "lake-events-31-mar-2026";
const SMALL: usize = 100_000;

fn main() -> Result<ExitCode> {
    let small = std::env::args().nth(1).map_or(Ok(SMALL), |small| small.parse()).context("SMALL is no number")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    let findings = runtime.block_on(night(small))?;
    for finding in &findings {
        println!("FINDING {finding}");
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn day() -> Date {
    date(2026, 3, 31)
}

async fn night(small: usize) -> Result<Vec<String>> {
    let began = Instant::now();
    let mut rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse()?).build().await?;
    rig.fill((0..small).map(|n| (format!("small/date=2026-03-{:02}/part-{n:06}", n % 31), vec![b'x'; n % 7]))).await?;
    let objects = lake::fill(&rig).await?;
    rig.deliver("2026-04-02T01:00:00Z".parse()?).await?;
    println!("{} objects of a sort of their own and {small} small ones, {:.1} s", objects.len(), seconds(began));
    let began = Instant::now();
    let mut input = rig.plan.execution_input(day(), 2);
    let run = input.get_mut("run").and_then(|run| run.as_object_mut()).context("the input has no `run`")?;
    run.insert("archived".to_owned(), json!({ "restore": {} }));
    let execution = rig.start_with("night", &input).await?;
    let ended = rig.until_ended(&execution).await?;
    ensure!(ended.status == ExecutionStatus::Succeeded, "the night failed: {:?}: {:?}", ended.error, ended.cause);
    println!("the night: {:.1} s, {}", seconds(began), told(&ended, "/snapshot"));
    println!("the plan: {}", told(&ended, "/manifest/plan/decisions"));
    let mut findings = counts(&ended, small, &objects);
    findings.extend(compare(&rig, &objects).await?);
    findings.extend(named(&rig, &objects).await?);
    Ok(findings)
}

/// A part of the state that the run ended with.
fn told<'a>(ended: &'a Ended, pointer: &str) -> &'a Value {
    ended.output.pointer(pointer).unwrap_or(&Value::Null)
}

fn seconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64()
}

/// What the counts of the run should be and are not.
fn counts(ended: &Ended, small: usize, objects: &[Object]) -> Vec<String> {
    let of = |fate: Fate| objects.iter().filter(|object| object.fate == fate).count();
    let told = |pointer: &str| told(ended, pointer).as_u64();
    let expected = [
        ("/manifest/objects", small + objects.len()),
        ("/manifest/plan/decisions/unsupported/rows", of(Fate::Named)),
        ("/manifest/plan/decisions/large/rows", of(Fate::Large)),
        ("/manifest/plan/decisions/restore/rows", of(Fate::Restored) + of(Fate::RestoredInParts)),
        ("/large/copied", of(Fate::Large) + of(Fate::RestoredInParts)),
        ("/snapshot/objects", small + objects.len() - of(Fate::Named)),
        ("/snapshot/missing", 0),
        ("/snapshot/changed", 0),
        ("/snapshot/unexpected", 0),
    ];
    let wrong = expected.into_iter().filter(|(pointer, number)| told(pointer) != Some(*number as u64));
    wrong.map(|(pointer, number)| format!("{pointer} is {:?} and not {number}", told(pointer))).collect()
}

/// Where a copy has not what its source has. The small ones are alike, and one in a hundred is looked at.
async fn compare(rig: &Rig, objects: &[Object]) -> Result<Vec<String>> {
    let (warehouse, backup) = (&rig.accounts.warehouse.s3, &rig.accounts.backup.s3);
    let mut findings = Vec::new();
    let mut listed = warehouse.list_objects_v2().bucket(SOURCE).prefix("small/").into_paginator().send();
    let mut keys: Vec<String> = Vec::new();
    while let Some(page) = listed.next().await {
        keys.extend(page?.contents().iter().step_by(100).filter_map(|object| object.key().map(str::to_owned)));
    }
    keys.extend(objects.iter().filter(|object| object.fate != Fate::Named).map(|object| object.key.to_owned()));
    for key in &keys {
        let source = attributes(warehouse, SOURCE, key).await?;
        match attributes(backup, SNAPSHOT, key).await {
            Ok(copy) => findings.extend(source.differences(&copy).into_iter().map(|what| format!("{key}: {what}"))),
            Err(error) => findings.push(format!("{key}: {error:#}")),
        }
    }
    println!("{} objects compared attribute by attribute", keys.len());
    Ok(findings)
}

/// Which of the objects that cannot be copied are not named in the ledger, or are in the snapshot after all.
async fn named(rig: &Rig, objects: &[Object]) -> Result<Vec<String>> {
    let ledger = rig.ledger().await?;
    let list = ledger.iter().find(|(key, _)| key.ends_with("skipped.jsonl")).context("nothing is named")?;
    let mut names = BTreeSet::new();
    for line in String::from_utf8(list.1.clone())?.lines() {
        let row: SkippedRow = serde_json::from_str(line)?;
        names.insert(format!("{} {}", row.key, row.reason.name()));
    }
    let uncopied = objects.iter().filter(|object| object.fate == Fate::Named);
    let expected: BTreeSet<_> = uncopied.map(|object| format!("{} unsupported", object.key)).collect();
    println!("named: {}", names.iter().cloned().collect::<Vec<_>>().join(", "));
    Ok(if names == expected { Vec::new() } else { vec![format!("named are {names:?} and not {expected:?}")] })
}
