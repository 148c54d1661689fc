//! What a restore of tables costs, by the same price table.

use anyhow::Result;
use levee_ledger::{
    restore::{Outlook, RestorePlan},
    state::RestoreTier,
};

use super::prices::Prices;

const GB: f64 = 1_073_741_824.0;
/// A part of a copy in parts, at least.
const PART: u64 = 16 * 1024 * 1024;

/// What a plan takes, without its time: the copies into STANDARD, reading the snapshot's class, and the thawing of archived copies
/// by the tier BULK. Between Regions the transfer, too. Rather too much than too little: where some objects are too large for a job, all
/// bytes are counted as copied in parts, and where some are archived, all as thawed.
///
/// # Errors
/// The price table is broken, or lacks a class.
pub(crate) fn outlook(plan: &RestorePlan, snapshot_region: &str) -> Result<Outlook> {
    let prices = Prices::read(None)?;
    let (mut requests, mut amount) = (0_u64, 0.0);
    let executions = plan.executions()?;
    for execution in &executions {
        let copied = execution.copied();
        let (objects, bytes, large, archived) = (copied.objects, copied.bytes, copied.large, copied.archived);
        let parts = if large > 0 { bytes.div_ceil(PART) } else { 0 };
        let copies = objects.saturating_add(parts);
        requests = requests.saturating_add(copies).saturating_add(archived);
        let jobs = u64::from(objects > large) + u64::from(archived > 0);
        amount += number(jobs) * prices.batch.per_job + number(objects) / 1e6 * prices.batch.per_million_objects;
        amount += number(copies) / 1e3 * prices.class("STANDARD")?.put_per_1000;
        let class = prices.class(&execution.run.storage_class)?;
        if archived == 0 {
            amount += number(bytes) / GB * class.retrieval_per_gb;
        } else {
            let restore = prices.restore("GLACIER", RestoreTier::Bulk)?;
            amount += number(archived) / 1e3 * restore.per_1000 + number(bytes) / GB * restore.per_gb;
        }
        if plan.target.region != snapshot_region {
            amount += number(bytes) / GB * prices.transfer.to_another_region_per_gb;
        }
    }
    let origin = prices.origin();
    Ok(Outlook {
        requests,
        cost_millionths: millionths(amount),
        currency: origin.currency,
        prices_of: format!("{} of {}", origin.region, origin.date),
        time: None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
const fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, and never below 0")]
fn millionths(amount: f64) -> u64 {
    (amount * 1e6).ceil() as u64
}
