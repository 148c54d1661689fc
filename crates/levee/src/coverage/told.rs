//! Coverage for a terminal.

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use levee_page::text::{duration, moment, visible};

use super::document::{Coverage, CoveredSource, CoveredTable};
use crate::history::folded;

/// The headline, the tables, and what could not be read.
pub(super) fn told(coverage: &Coverage) -> String {
    let mut parts = vec![format!("{}: {}", moment(coverage.at), coverage.headline)];
    if !coverage.tables.is_empty() {
        parts.push(table(&coverage.tables).to_string());
    }
    for source in &coverage.sources {
        parts.extend(findings(source));
    }
    parts.join("\n")
}

fn table(tables: &[CoveredTable]) -> Table {
    let mut table = Table::new();
    let head =
        ["source", "table", "state", "newest whole backup", "version", "age", "in the newest run", "last restored"];
    table.load_style(UTF8_FULL_CONDENSED).set_header(head);
    for row in tables {
        table.add_row(cells(row));
    }
    for column in [4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn cells(table: &CoveredTable) -> [String; 8] {
    let [whole, version, age] = match &table.whole_backup {
        Some(backup) => [
            format!("{}\n{}", backup.backup_date, visible(&backup.execution_name)),
            backup.version.to_string(),
            duration(backup.age_seconds),
        ],
        None => ["none", "", ""].map(str::to_owned),
    };
    let restored = table.last_restore.as_ref().map(|restore| {
        format!("{}\nversion {} to {}", moment(restore.closed), restore.version, visible(&restore.target))
    });
    [
        visible(&table.source).into_owned(),
        visible(if table.path.is_empty() { "(the root)" } else { &table.path }).into_owned(),
        table.state.name().to_owned(),
        whole,
        version,
        age,
        newest(table),
        restored.unwrap_or_else(|| "none".to_owned()),
    ]
}

/// What the newest run says, and what a restore would take where that is another backup than the whole one.
fn newest(table: &CoveredTable) -> String {
    let verdict = table.verdict.map_or_else(|| "not there".to_owned(), |verdict| verdict.name().replace('_', " "));
    let restorable = table.restorable.as_ref().filter(|restorable| table.whole_backup.as_ref() != Some(*restorable));
    let restorable = restorable.map(|backup| format!("version {} of {} is whole", backup.version, backup.backup_date));
    let dropped = (table.in_source == Some(false)).then(|| "not in the source now".to_owned());
    [Some(verdict), restorable, dropped].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// What could not be found out about a source, a line each.
fn findings(source: &CoveredSource) -> Vec<String> {
    let name = visible(&source.source);
    let mut lines = Vec::new();
    if source.newest_run.is_none() {
        lines.push(format!(
            "{name}: no run has a receipt, so that nothing of it is known to be backed up; see levee runs"
        ));
    }
    let kinds = [
        ("could not be checked", &source.problems),
        ("an older run could not be read", &source.unread_runs),
        ("a restore could not be read", &source.unread_restores),
    ];
    for (what, whys) in kinds {
        lines.extend(whys.iter().map(|why| format!("{name}: {what}: {}", visible(why))));
    }
    lines.iter().map(|line| folded(line)).collect()
}
