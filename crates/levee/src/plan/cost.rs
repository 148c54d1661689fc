//! What a run would cost, by the price table.

use anyhow::Result;
use levee_ledger::state::{Amount, ArchivedPolicy, Decision, Restoring};
use levee_manifest_ready::scan::Count;
use serde::Serialize;

use super::{
    prices::{Class, Prices},
    survey::{SMALLEST_CHARGED, Survey},
};

const GB: f64 = 1_073_741_824.0;
/// Days of a month, as far as restored copies are concerned.
const DAYS_OF_A_MONTH: f64 = 30.0;
/// CreateMultipartUpload and CompleteMultipartUpload.
const PUTS_BESIDE_PARTS: u64 = 2;
/// HeadObject and GetObjectTagging.
const GETS_OF_A_LARGE_OBJECT: u64 = 2;

/// What else decides.
pub(super) struct Circumstances<'a> {
    pub(super) archived: ArchivedPolicy,
    /// The storage class of the copies.
    pub(super) class: &'a str,
    pub(super) cross_region: bool,
}

/// An estimate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// What the run costs, once.
    pub run: Vec<Line>,
    /// The sum of those.
    pub run_total: f64,
    /// What the snapshot costs, every month that it is kept.
    pub month: Vec<Line>,
    /// The sum of those.
    pub month_total: f64,
    /// Days of storage that are charged at least.
    pub minimum_days: u32,
}

/// A part of an estimate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What is charged.
    pub what: String,
    /// How many of what.
    pub quantity: String,
    /// In the currency of the table.
    pub amount: f64,
}

/// The estimate of a run.
pub(super) fn estimate(prices: &Prices, count: &Count, survey: &Survey, how: &Circumstances<'_>) -> Result<Cost> {
    let target = prices.class(how.class)?;
    let mut run = Vec::new();
    add(
        &mut run,
        "S3 Inventory",
        per(count.objects, "objects"),
        of(count.objects, 1e6) * prices.inventory.per_million_objects,
    );
    batch(&mut run, prices, count, survey);
    requests(&mut run, prices, target, count, survey)?;
    retrieval(&mut run, prices, survey)?;
    if let ArchivedPolicy::Restore(restoring) = how.archived {
        restores(&mut run, prices, survey, restoring)?;
    }
    if how.cross_region {
        let bytes = survey.copied.amount.bytes;
        add(&mut run, "transfer to another Region", size(bytes), gb(bytes) * prices.transfer.to_another_region_per_gb);
    }
    let month = storage(prices, target, survey, how.class)?;
    let total = |lines: &[Line]| lines.iter().map(|line| line.amount).sum();
    let (run_total, month_total) = (total(&run), total(&month));
    Ok(Cost { run, run_total, month, month_total, minimum_days: target.minimum_days })
}

/// The objects that copy jobs are given: those of the first, and those that are restored and not too large.
fn given(count: &Count, survey: &Survey) -> (u64, u64) {
    let restored = count.of(Decision::Restore).rows;
    (count.of(Decision::Batch).rows, restored.saturating_sub(survey.restored_and_large))
}

fn batch(run: &mut Vec<Line>, prices: &Prices, count: &Count, survey: &Survey) {
    let (first, thawed) = given(count, survey);
    let objects = [first, thawed, count.of(Decision::Restore).rows];
    let jobs: u64 = objects.iter().map(|objects| u64::from(*objects > 0)).sum();
    let tasks: u64 = objects.iter().sum();
    add(run, "S3 Batch Operations, jobs", per(jobs, "jobs"), number(jobs) * prices.batch.per_job);
    add(run, "S3 Batch Operations, objects", per(tasks, "objects"), of(tasks, 1e6) * prices.batch.per_million_objects);
}

fn requests(run: &mut Vec<Line>, prices: &Prices, target: &Class, count: &Count, survey: &Survey) -> Result<()> {
    let (first, thawed) = given(count, survey);
    let copies = first.saturating_add(thawed);
    add(run, "copies by jobs (COPY)", per(copies, "requests"), of(copies, 1e3) * target.put_per_1000);
    let large = survey.copied.in_parts;
    let parts = survey.copied.parts.saturating_add(large.saturating_mul(PUTS_BESIDE_PARTS));
    add(run, "copies in parts (PUT)", per(parts, "requests, estimated"), of(parts, 1e3) * target.put_per_1000);
    let looks = large.saturating_mul(GETS_OF_A_LARGE_OBJECT);
    let get = prices.class("STANDARD")?.get_per_1000;
    add(run, "looks at large objects (GET)", per(looks, "requests"), of(looks, 1e3) * get);
    Ok(())
}

/// What is read out of classes that charge for it. Restored objects are read from their restored copies.
fn retrieval(run: &mut Vec<Line>, prices: &Prices, survey: &Survey) -> Result<()> {
    for ((decision, class), amount) in survey.classes() {
        let known = prices.class(class).map(|class| class.retrieval_per_gb).unwrap_or_default();
        if matches!(decision, Decision::Batch | Decision::Large) && known > 0.0 {
            add(run, &format!("retrieval from {class}"), size(amount.bytes), gb(amount.bytes) * known);
        }
    }
    Ok(())
}

fn restores(run: &mut Vec<Line>, prices: &Prices, survey: &Survey, restoring: Restoring) -> Result<()> {
    let mut all = Amount::default();
    for ((decision, class), amount) in survey.classes() {
        if decision != Decision::Restore {
            continue;
        }
        all.add(amount);
        let price = prices.restore(class, restoring.tier)?;
        add(
            run,
            &format!("restores from {class}"),
            per(amount.rows, "requests"),
            of(amount.rows, 1e3) * price.per_1000,
        );
        add(run, &format!("retrieval by restores from {class}"), size(amount.bytes), gb(amount.bytes) * price.per_gb);
    }
    let days = f64::from(restoring.days);
    let kept = gb(all.bytes) * prices.class("STANDARD")?.storage_per_gb * days / DAYS_OF_A_MONTH;
    add(run, "restored copies in the source", format!("{} for {} days", size(all.bytes), restoring.days), kept);
    Ok(())
}

fn storage(prices: &Prices, target: &Class, survey: &Survey, class: &str) -> Result<Vec<Line>> {
    let (copied, mut month) = (survey.copied, Vec::new());
    // The survey knows one threshold; a table with another one would be estimated wrong.
    anyhow::ensure!(
        [0, SMALLEST_CHARGED].contains(&target.minimum_bytes),
        "it has minimum_bytes {} for {class}; 0 and {SMALLEST_CHARGED} are supported",
        target.minimum_bytes
    );
    let bytes = if target.minimum_bytes > 0 { copied.charged_bytes } else { copied.amount.bytes };
    let bytes = bytes.saturating_add(copied.amount.rows.saturating_mul(target.overhead_bytes));
    add(&mut month, &format!("storage in {class}"), size(bytes), gb(bytes) * target.storage_per_gb);
    let overhead = copied.amount.rows.saturating_mul(target.overhead_standard_bytes);
    let standard = prices.class("STANDARD")?.storage_per_gb;
    add(&mut month, "names and attributes in STANDARD", size(overhead), gb(overhead) * standard);
    let monitored = if target.monitoring_per_1000_objects > 0.0 { copied.amount.rows } else { 0 };
    add(&mut month, "monitoring", per(monitored, "objects"), of(monitored, 1e3) * target.monitoring_per_1000_objects);
    Ok(month)
}

/// Lines of nothing are left out.
fn add(lines: &mut Vec<Line>, what: &str, quantity: String, amount: f64) {
    if !quantity.starts_with("0 ") {
        lines.push(Line { what: what.to_owned(), quantity, amount });
    }
}

fn per(count: u64, what: &str) -> String {
    format!("{count} {what}")
}

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut value, mut unit) = (number(bytes), "B");
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

fn gb(bytes: u64) -> f64 {
    number(bytes) / GB
}

fn of(count: u64, unit: f64) -> f64 {
    number(count) / unit
}

/// Exact up to 2^53, and an estimate needs less.
#[expect(clippy::cast_precision_loss, reason = "an estimate needs no more than 53 bits")]
fn number(count: u64) -> f64 {
    count as f64
}
