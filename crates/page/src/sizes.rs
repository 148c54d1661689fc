//! Objects and bytes by what became of them.

use levee_ledger::{
    receipt::{ObjectFacts, Receipt},
    state::{Amount, Decision},
};

use crate::{
    plot::{percent, share},
    text::{count, counted, size},
};

/// The smallest part of the bar: three of a million objects can be seen, too.
const SMALLEST: f64 = 0.006;

/// Counts of the night.
pub(crate) struct Sizes {
    /// The objects of the inventory side by side.
    pub(crate) parts: Vec<Part>,
    pub(crate) rows: Vec<SizeRow>,
    /// What the copy jobs did.
    pub(crate) jobs: Vec<JobRow>,
    /// Rows that failed on the way.
    pub(crate) failed_rows: Option<String>,
}

/// A part of the bar.
pub(crate) struct Part {
    pub(crate) class: &'static str,
    pub(crate) x: String,
    pub(crate) width: String,
    pub(crate) said: String,
}

/// A line of counts.
pub(crate) struct SizeRow {
    pub(crate) what: &'static str,
    /// Its part of the bar.
    pub(crate) class: Option<&'static str>,
    /// Whether it is a part of the line above it.
    pub(crate) part: bool,
    pub(crate) objects: String,
    pub(crate) bytes: String,
}

/// A copy job.
pub(crate) struct JobRow {
    pub(crate) attempt: String,
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) tasks: String,
    pub(crate) succeeded: String,
    pub(crate) failed: String,
}

impl Sizes {
    pub(crate) fn new(receipt: &Receipt) -> Self {
        let failed = &receipt.objects.failed_rows;
        let classes: Vec<_> = failed.iter().map(|(class, rows)| format!("{} {}", count(*rows), class.name())).collect();
        let sum = failed.values().fold(0_u64, |sum, rows| sum.saturating_add(*rows));
        let failed_rows = (sum > 0).then(|| {
            let rows = counted(sum, "row of the completion reports failed", "rows of the completion reports failed");
            format!(
                "{rows} on the way ({}), over all attempts. Their objects are copied or explained since.",
                classes.join(", ")
            )
        });
        let jobs = receipt.jobs.iter().map(|job| JobRow {
            attempt: job.attempt.to_string(),
            id: crate::text::visible(&job.id).into_owned(),
            status: crate::text::visible(&job.status).into_owned(),
            tasks: count(job.tasks),
            succeeded: count(job.succeeded),
            failed: count(job.failed),
        });
        Self { parts: parts(&receipt.objects), rows: rows(receipt), jobs: jobs.collect(), failed_rows }
    }
}

fn parts(objects: &ObjectFacts) -> Vec<Part> {
    let whole = objects.accounted();
    let small = objects.copied.saturating_sub(objects.copied_large);
    let all = [
        ("copied", small, "copied by jobs"),
        ("large", objects.copied_large, "copied part by part"),
        ("vanished", objects.vanished, "vanished"),
        ("skipped", objects.skipped, "skipped"),
        ("excluded", objects.excluded, "not selected"),
    ];
    let drawn = all.into_iter().filter(|(_, number, _)| *number > 0);
    let widths = drawn.clone().map(|(_, number, _)| share(number, whole).max(SMALLEST)).sum::<f64>();
    let mut x = 0.0;
    let mut parts = Vec::new();
    for (class, number, what) in drawn {
        let width = share(number, whole).max(SMALLEST) / widths;
        let said = format!("{} {what}", count(number));
        parts.push(Part { class, x: percent(x), width: percent(width), said });
        x += width;
    }
    parts
}

fn rows(receipt: &Receipt) -> Vec<SizeRow> {
    let (inventory, objects, snapshot) = (&receipt.inventory, &receipt.objects, &receipt.snapshot);
    let row = |what, objects: u64, bytes: Option<u64>| SizeRow {
        what,
        class: None,
        part: false,
        objects: count(objects),
        bytes: bytes.map_or_else(|| "–".to_owned(), size),
    };
    let fate = |what, class, objects| SizeRow { class: Some(class), part: true, ..row(what, objects, None) };
    let mut rows = vec![row("in the inventory", inventory.objects, inventory.bytes)];
    rows.push(fate("copied by jobs", "copied", objects.copied.saturating_sub(objects.copied_large)));
    if objects.copied_large > 0 {
        rows.push(fate("copied part by part", "large", objects.copied_large));
    }
    rows.push(fate("vanished from the source", "vanished", objects.vanished));
    rows.push(fate("skipped", "skipped", objects.skipped));
    if objects.excluded > 0 {
        rows.push(fate("not selected", "excluded", objects.excluded));
    }
    if !inventory.decisions.is_empty() {
        let mut planned_in_all = Amount::default();
        inventory.decisions.values().for_each(|amount| planned_in_all.add(*amount));
        let sized = inventory.bytes.is_some();
        rows.push(row("in the plan", planned_in_all.rows, sized.then_some(planned_in_all.bytes)));
        rows.extend(inventory.decisions.iter().map(|(decision, amount)| SizeRow {
            part: true,
            ..row(planned(*decision), amount.rows, sized.then_some(amount.bytes))
        }));
    }
    rows.push(row("in the snapshot bucket, as listed", snapshot.objects, Some(snapshot.bytes)));
    let differences = [("with another size than planned", snapshot.changed), ("not planned", snapshot.unexpected)];
    rows.extend(
        differences
            .into_iter()
            .filter(|(_, number)| *number > 0)
            .map(|(what, number)| SizeRow { part: true, ..row(what, number, None) }),
    );
    let tables = &receipt.tables.tables;
    if tables.repaired_objects > 0 {
        let what = "copied to repair tables";
        rows.push(SizeRow { part: true, ..row(what, tables.repaired_objects, Some(tables.repaired_bytes)) });
    }
    rows
}

const fn planned(decision: Decision) -> &'static str {
    match decision {
        Decision::Batch => "for the copy job",
        Decision::Large => "too large for it, part by part",
        Decision::Restore => "archived, after a restore",
        Decision::SkippedArchived => "archived, not to be copied",
        Decision::Unsupported => "under a key of the customer's own",
        Decision::Excluded => "not selected",
    }
}
