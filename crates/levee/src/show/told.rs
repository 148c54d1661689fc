//! A run for a terminal.

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use levee_delta_log::Verdict;
use levee_ledger::{receipt::Receipt, state::VerdictCounts};
use levee_page::text::{count, counted, duration, moment, size, visible};

use super::Shown;
use crate::history::{State, folded};

const NO_RECEIPT: &str =
    "There is no receipt. Whether the execution still runs, Step Functions knows; a failed one can be redriven there.";

/// Everything in the order in which somebody asks for it.
pub(super) fn told(shown: &Shown) -> String {
    let mut parts = vec![first_line(shown), facts(shown).to_string()];
    match &shown.receipt {
        Some(receipt) => {
            parts.push(stages(receipt).to_string());
            parts.extend(not_whole(shown, receipt));
        }
        None => {
            if !shown.records.is_empty() {
                parts.push(records(shown).to_string());
            }
            if shown.run.state != State::Unreadable {
                parts.push(NO_RECEIPT.to_owned());
            }
        }
    }
    parts.join("\n")
}

fn first_line(shown: &Shown) -> String {
    let run = &shown.run;
    match &run.headline {
        Some(headline) => visible(headline).into_owned(),
        None => format!("{} {}: {}", visible(&run.source), run.backup_date, run.state),
    }
}

fn facts(shown: &Shown) -> Table {
    let run = &shown.run;
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["", "this run"]);
    let mut add = |name: &str, text: &str| {
        table.add_row([name, &folded(&visible(text))]);
    };
    add("outcome", &run.state.to_string());
    add("source", &run.source);
    add("backup date", &run.backup_date.to_string());
    add("execution", run.execution_arn.as_deref().unwrap_or(&run.execution_name));
    if let Some(other) = &run.superseded_by {
        add("taken over by", other);
    }
    if let Some(problem) = &run.problem {
        add("receipt", problem);
    }
    if let Some(receipt) = &shown.receipt {
        for (name, text) in of_receipt(receipt) {
            add(name, &text);
        }
        let place = shown.receipt_location.as_deref().unwrap_or_default();
        add("receipt", place);
        add("its SHA-256", shown.receipt_sha256.as_deref().unwrap_or_default());
        add("its place in the chain", &receipt.sequence.to_string());
    } else {
        if let Some(claimed) = run.claimed_at {
            add("claimed", &moment(claimed));
        }
        if let Some(last) = &run.last_record {
            add("last stage", &format!("{}, at {}", last.stage, moment(last.written)));
        }
        if let Some(cause) = &shown.cause {
            add("cause", cause);
        }
    }
    if let Some(page) = &shown.page {
        add("page", page);
    }
    table
}

fn of_receipt(receipt: &Receipt) -> Vec<(&'static str, String)> {
    let (run, objects, snapshot) = (&receipt.run, &receipt.objects, &receipt.snapshot);
    let seconds = u64::try_from(run.closed.duration_since(run.started).as_secs()).unwrap_or(0);
    let mut fates = vec![format!("{} copied", count(objects.copied))];
    let others = [(objects.vanished, "vanished"), (objects.skipped, "skipped")];
    fates.extend(
        others.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{} {what}", count(*number))),
    );
    let mut facts = vec![
        ("started", moment(run.started)),
        ("closed", format!("{}, after {}", moment(run.closed), duration(seconds))),
        ("redriven", counted(u64::from(run.redrives), "time", "times")),
        ("inventory", format!("s3://{}/{}", receipt.inventory.pointer.bucket, receipt.inventory.pointer.key)),
        ("objects of the inventory", format!("{}: {}", count(receipt.inventory.objects), fates.join(", "))),
        ("snapshot", format!("{} ({})", snapshot.bucket, snapshot.region)),
        ("objects of the snapshot", format!("{}, {}", count(snapshot.objects), size(snapshot.bytes))),
    ];
    let differences = [(snapshot.changed, "of another size"), (snapshot.unexpected, "not planned")];
    let differences: Vec<_> = differences
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(*number)))
        .collect();
    if !differences.is_empty() {
        facts.push(("differences", differences.join(", ")));
    }
    facts.push(("tables", tables(&receipt.tables.tables.verdicts, receipt.tables.tables.tables)));
    facts
}

fn tables(verdicts: &VerdictCounts, total: u64) -> String {
    let parts = Verdict::ALL.into_iter().map(|verdict| (verdicts.of(verdict), verdict.name().replace('_', " ")));
    let parts: Vec<_> =
        parts.filter(|(number, _)| *number > 0).map(|(number, name)| format!("{} {name}", count(number))).collect();
    if parts.is_empty() { count(total) } else { format!("{}: {}", count(total), parts.join(", ")) }
}

fn stages(receipt: &Receipt) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["stage", "entered", "time in it"]);
    for stage in &receipt.stages {
        let left = stage.left.unwrap_or(receipt.run.closed);
        let seconds = u64::try_from(left.duration_since(stage.entered).as_secs()).unwrap_or(0);
        table.add_row([visible(&stage.state).into_owned(), moment(stage.entered), duration(seconds)]);
    }
    table
}

fn records(shown: &Shown) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["record", "written", "bytes"]);
    // Of slices there may be hundreds; --json has them one by one.
    let (slices, others): (Vec<_>, Vec<_>) = shown.records.iter().partition(|record| record.name.contains("-slice-"));
    if let Some(last) = slices.last() {
        let bytes = slices.iter().map(|slice| slice.bytes).sum();
        table.add_row([format!("{} records of slices", slices.len()), moment(last.written), count(bytes)]);
    }
    for record in others {
        table.add_row([visible(&record.name).into_owned(), moment(record.written), count(record.bytes)]);
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// How to see the tables that are not whole.
fn not_whole(shown: &Shown, receipt: &Receipt) -> Option<String> {
    let verdicts = &receipt.tables.tables.verdicts;
    let options: String = Verdict::ALL
        .into_iter()
        .rev()
        .filter(|verdict| !verdict.is_good() && verdicts.of(*verdict) > 0)
        .map(|verdict| format!(" --verdict {}", verdict.name().replace('_', "-")))
        .collect();
    let run = &shown.run;
    let name = format!("{}/{}/{}", run.source, run.backup_date, run.execution_name);
    (!options.is_empty()).then(|| {
        format!("Tables that are not whole: levee show {} --ledger {} --tables{options}", visible(&name), shown.ledger)
    })
}
