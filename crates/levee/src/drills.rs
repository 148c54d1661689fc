//! `levee drills`: the last drills, newest first, with what they took. It reads the ledger and asks nobody else; a drill that failed has
//! no record there.

use std::process::ExitCode;

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use jiff::Timestamp;
use levee_ledger::drill::Drill;
use levee_page::text::{count, duration, moment, size, visible};
use serde::Serialize;
use serde_json::json;

use crate::{exit, history::LedgerSettings};

/// The settings of `levee drills`.
#[derive(Clone, Debug, clap::Args)]
pub struct DrillsSettings {
    #[command(flatten)]
    pub(crate) ledger: LedgerSettings,

    /// Only drills of this source
    #[arg(long, value_name = "BUCKET")]
    pub source: Option<String>,

    /// How many drills are shown
    #[arg(long, value_name = "DRILLS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    pub limit: u16,

    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// A drill as one document; fields are only ever added.
#[derive(Clone, Debug, Serialize)]
pub struct DrillDocument {
    /// The record.
    #[serde(flatten)]
    pub drill: Drill,
    /// From its start to the proof that the tables are whole.
    pub seconds: u64,
    /// Objects that were copied in a second of that; null where it took none.
    pub objects_per_second: Option<f64>,
    /// Bytes that were copied in a second of that; null where it took none.
    pub bytes_per_second: Option<f64>,
}

impl DrillDocument {
    fn new(drill: Drill) -> Self {
        Self {
            seconds: drill.seconds(),
            objects_per_second: drill.objects_per_second(),
            bytes_per_second: drill.bytes_per_second(),
            drill,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The ledger cannot be read.
#[expect(clippy::print_stdout, reason = "what was asked for goes to standard output")]
pub async fn run(settings: &DrillsSettings) -> Result<ExitCode> {
    let ledger = settings.ledger.open().await;
    let limit = usize::from(settings.limit);
    let sources = ledger.drilled_sources().await?;
    let chosen = match &settings.source {
        Some(source) if sources.contains(source) => vec![source.clone()],
        Some(source) => {
            let known = if sources.is_empty() {
                "none of any source".to_owned()
            } else {
                format!("those of {}", sources.join(", "))
            };
            let problem = anyhow::anyhow!("the ledger {} has no drills of {source:?}; it has {known}", ledger.bucket());
            return Ok(exit::usage(&problem));
        }
        None => sources,
    };
    let mut drills = Vec::new();
    for source in &chosen {
        drills.extend(ledger.drills(source, limit).await?.into_iter().map(DrillDocument::new));
    }
    let newest = |document: &DrillDocument| {
        (std::cmp::Reverse::<Timestamp>(document.drill.closed), document.drill.source.clone())
    };
    drills.sort_by_cached_key(newest);
    drills.truncate(limit);
    if settings.json {
        println!("{}", serde_json::to_string_pretty(&json!({ "ledger": ledger.bucket(), "drills": drills }))?);
    } else if drills.is_empty() {
        println!("s3://{}/drills/ has no drills", ledger.bucket());
    } else {
        println!("{}", table(&drills));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(drills: &[DrillDocument]) -> Table {
    let mut table = Table::new();
    let head = [
        "drilled",
        "source",
        "backup",
        "tables",
        "rows",
        "objects",
        "bytes",
        "took",
        "objects/s",
        "bytes/s",
        "execution",
    ];
    table.load_style(UTF8_FULL_CONDENSED).set_header(head);
    for DrillDocument { drill, seconds, objects_per_second, bytes_per_second } in drills {
        let rows = drill.tables.iter().map(|table| table.rows).fold(0, u64::saturating_add);
        let paths: Vec<_> = drill.tables.iter().map(|table| visible(named(&table.path)).into_owned()).collect();
        table.add_row([
            moment(drill.closed),
            visible(&drill.source).into_owned(),
            drill.backup_date.to_string(),
            paths.join("\n"),
            count(rows),
            count(drill.objects),
            size(drill.bytes),
            duration(*seconds),
            objects_per_second.map(|rate| format!("{rate:.1}")).unwrap_or_default(),
            bytes_per_second.map(|rate| size(whole(rate))).unwrap_or_default(),
            visible(&drill.execution_name).into_owned(),
        ]);
    }
    for column in 4..=9 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn named(path: &str) -> &str {
    if path.is_empty() { "(the root)" } else { path }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of bytes, which is not negative")]
fn whole(rate: f64) -> u64 {
    rate.round() as u64
}
