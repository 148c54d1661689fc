//! The tables of a run, from the list that its receipt pins.

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use levee_delta_log::Verdict;
use levee_ledger::{Ledger, receipt::Receipt, state::TableLine};
use levee_page::text::{count, minute_of, size, visible};

use crate::history::folded;

/// A verdict by its name, with hyphens or as in JSON.
pub(super) fn verdict(text: &str) -> Result<Verdict, String> {
    let name = text.replace('-', "_");
    Verdict::ALL.into_iter().find(|verdict| verdict.name() == name).ok_or_else(|| {
        let names: Vec<_> = Verdict::ALL.iter().map(|verdict| verdict.name().replace('_', "-")).collect();
        format!("the verdicts are {}", names.join(", "))
    })
}

/// The tables with one of these verdicts, or all; by path.
///
/// # Errors
/// The list is not the one that the receipt pins, or cannot be read.
pub(crate) async fn read(ledger: &Ledger, receipt: &Receipt, verdicts: &[Verdict]) -> Result<Vec<TableLine>> {
    let mut lines = ledger.tables_of(receipt).await?;
    lines.retain(|line| verdicts.is_empty() || verdicts.contains(&line.verdict.verdict));
    lines.sort_by(|a, b| a.verdict.path.cmp(&b.verdict.path));
    Ok(lines)
}

/// The tables for a terminal, and how many they are.
pub(super) fn table(lines: &[TableLine]) -> String {
    let total = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    if lines.is_empty() {
        return "no tables".to_owned();
    }
    let mut table = Table::new();
    let head = ["table", "verdict", "whole version", "committed", "files", "size", "missing", "why"];
    table.load_style(UTF8_FULL_CONDENSED).set_header(head);
    for line in lines {
        table.add_row(row(line));
    }
    for column in [2, 4, 5, 6] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}\n{}", levee_page::text::counted(total, "table", "tables"))
}

fn row(line: &TableLine) -> [String; 8] {
    let table = &line.verdict;
    let whole = table.newest_whole.as_ref();
    let path = if table.path.is_empty() { "(the root)" } else { &table.path };
    let version = match (table.newest_whole_version, table.latest_version) {
        (Some(whole), Some(latest)) if whole < latest => format!("{whole} of {latest}"),
        (Some(whole), _) => whole.to_string(),
        (None, Some(latest)) => format!("none of {latest}"),
        (None, None) => String::new(),
    };
    let features = (!table.unsupported.is_empty()).then(|| format!("asks for {}", table.unsupported.join(", ")));
    let elsewhere = table.absolute.as_ref().map(|absolute| format!("files in {}", absolute.places.join(", ")));
    let why: Vec<_> = [line.explanation.clone(), features, elsewhere].into_iter().flatten().collect();
    let missing = table.missing_in_all.objects;
    [
        visible(path).into_owned(),
        table.verdict.name().replace('_', " "),
        version,
        whole.and_then(|version| minute_of(version.timestamp_ms?)).unwrap_or_default(),
        whole.map(|version| count(version.files)).unwrap_or_default(),
        whole.map(|version| size(version.bytes)).unwrap_or_default(),
        if missing == 0 { String::new() } else { count(missing) },
        folded(&visible(&why.join("; "))),
    ]
}
