//! Objects and bytes by what became of them.

use levee_ledger::{
    receipt::{ObjectFacts, Receipt},
    state::Decision,
};

use crate::{
    plot::{percent, share},
    text::{count, counted, size},
};

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
    let whole = objects.copied.saturating_add(objects.vanished).saturating_add(objects.skipped);
    let small = objects.copied.saturating_sub(objects.copied_large);
    let all = [
        ("copied", small, "copied by jobs"),
        ("large", objects.copied_large, "copied part by part"),
        ("vanished", objects.vanished, "vanished"),
        ("skipped", objects.skipped, "skipped"),
    ];
    let mut x = 0.0;
    let mut parts = Vec::new();
    for (class, number, what) in all.into_iter().filter(|(_, number, _)| *number > 0) {
        let width = share(number, whole);
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
    let sized = inventory.bytes.is_some();
    let decisions = inventory.decisions.iter();
    rows.extend(decisions.map(|(decision, amount)| SizeRow {
        part: true,
        ..row(planned(*decision), amount.rows, sized.then_some(amount.bytes))
    }));
    rows.push(fate("copied by jobs", "copied", objects.copied.saturating_sub(objects.copied_large)));
    if objects.copied_large > 0 {
        rows.push(fate("copied part by part", "large", objects.copied_large));
    }
    rows.push(fate("vanished from the source", "vanished", objects.vanished));
    rows.push(fate("skipped", "skipped", objects.skipped));
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
        let what = "copied again to repair tables";
        rows.push(SizeRow { part: true, ..row(what, tables.repaired_objects, Some(tables.repaired_bytes)) });
    }
    rows
}

const fn planned(decision: Decision) -> &'static str {
    match decision {
        Decision::Batch => "planned for the copy job",
        Decision::Large => "planned part by part",
        Decision::Restore => "planned after a restore",
        Decision::SkippedArchived => "archived, not to be copied",
        Decision::Unsupported => "under a key of the customer's own",
        Decision::Excluded => "not selected",
    }
}
