//! A plan in an operator's words.

use std::fmt::Write;

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use levee_delta_log::{Engine, register_sql};
use levee_ledger::restore::{How, Outlook, RestorePlan, TableToRestore};
use levee_page::text::{count, counted, duration, minute_of, size, visible};

/// The plan, and the SQL that makes restored tables known to engines.
pub(super) fn told(plan: &RestorePlan) -> Result<String> {
    let mut text = String::new();
    let (mut objects, mut bytes, mut large, mut archived) = (0_u64, 0_u64, 0_u64, 0_u64);
    for execution in plan.executions()? {
        let copied = execution.copied();
        objects = objects.saturating_add(copied.objects);
        bytes = bytes.saturating_add(copied.bytes);
        large = large.saturating_add(copied.large);
        archived = archived.saturating_add(copied.archived);
    }
    writeln!(
        text,
        "{} of {} to s3://{}/{}: {} of {} are copied{}",
        counted(plan.tables.len() as u64, "table", "tables"),
        visible(&plan.source),
        plan.target.name,
        visible(&plan.target_prefix),
        counted(objects, "object", "objects"),
        size(bytes),
        if plan.overwrite { ", and replace what is there" } else { ", none of which is there yet" },
    )?;
    let mut table = Table::new();
    let head = ["table", "done", "version", "committed", "files", "size", "rows", "copied", "there", "snapshot", "to"];
    table.load_style(UTF8_FULL_CONDENSED).set_header(head);
    for row in &plan.tables {
        table.add_row(cells(row));
    }
    for column in [2, 4, 5, 6, 7, 8] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    if !plan.tables.is_empty() {
        writeln!(text, "{table}")?;
    }
    for prefix in &plan.prefixes {
        writeln!(
            text,
            "{} {:?} of {}: {} of {}",
            if prefix.single { "object" } else { "prefix" },
            visible(&prefix.prefix),
            prefix.run.bucket,
            counted(prefix.objects, "object", "objects"),
            size(prefix.object_bytes)
        )?;
    }
    if large > 0 {
        writeln!(
            text,
            "{} too large for a batch copy and copied part by part",
            counted(large, "object is", "objects are")
        )?;
    }
    if archived > 0 {
        writeln!(
            text,
            "{} archived and thawed first: up to 12 hours from GLACIER and 48 from DEEP_ARCHIVE (tier Bulk)",
            counted(archived, "object is", "objects are")
        )?;
    }
    outlook(&mut text, &plan.outlook)?;
    for restored in plan.tables.iter().filter(|table| table.how == How::New) {
        sql(&mut text, plan, restored)?;
    }
    Ok(text.trim_end().to_owned())
}

fn outlook(text: &mut String, outlook: &Outlook) -> Result<()> {
    let whole = outlook.cost_millionths / 1_000_000;
    let cents = outlook.cost_millionths % 1_000_000 / 10_000;
    writeln!(
        text,
        "about {} and {whole}.{cents:02} {} (prices of {})",
        counted(outlook.requests, "request", "requests"),
        outlook.currency,
        outlook.prices_of
    )?;
    match outlook.time {
        Some(time) => writeln!(
            text,
            "from {} to {} once it is started, by the last {}",
            duration(time.least_seconds),
            duration(time.most_seconds),
            counted(time.drills, "drill", "drills")
        )?,
        None => writeln!(text, "How long it takes is not known: there was no drill of this source yet.")?,
    }
    Ok(())
}

fn cells(table: &TableToRestore) -> [String; 11] {
    [
        visible(if table.path.is_empty() { "(the root)" } else { &table.path }).into_owned(),
        match table.how {
            How::New => "new".to_owned(),
            How::PutBack => "put back".to_owned(),
            How::RollBack { from } => format!("rolled back from {from}"),
        },
        table.version.to_string(),
        table.timestamp_ms.and_then(minute_of).unwrap_or_default(),
        count(table.files),
        size(table.bytes),
        table.rows.map(count).unwrap_or_default(),
        count(table.objects),
        count(table.present_objects),
        table.run.bucket.clone(),
        visible(&table.target).into_owned(),
    ]
}

/// The SQL of every engine for one table, under the last part of its path as its name.
fn sql(text: &mut String, plan: &RestorePlan, table: &TableToRestore) -> Result<()> {
    let location = format!("s3://{}/{}", plan.target.name, table.target);
    let name = table.path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("restored");
    writeln!(text, "\n-- {} at version {}", visible(&table.path), table.version)?;
    let Some(described) = &table.described else {
        writeln!(text, "-- its metadata cannot be read, so that there is no SQL for it")?;
        return Ok(());
    };
    for engine in Engine::ALL {
        match register_sql(engine, &[name], &location, described) {
            Ok(sql) => writeln!(text, "-- {}\n{}", engine.name(), sql.trim_end())?,
            Err(error) => writeln!(text, "-- {}: {error}", engine.name())?,
        }
    }
    Ok(())
}
