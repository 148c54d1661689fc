//! `levee runs`: the runs that the ledger knows, newest first. It reads the ledger and asks nobody else, so it tells of runs
//! that Step Functions has long forgotten, and of one without receipt only how far its records go.

use std::process::ExitCode;

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use futures::{StreamExt, TryStreamExt, stream};
use levee_ledger::{Ledger, history::KnownRun};
use levee_page::text::{count, duration, size, visible};
use levee_stage::StageError;
use serde_json::json;

use crate::{
    exit,
    history::{LedgerSettings, RunDocument, State, folded, whereabouts},
};

/// Days that are looked into at a time.
const AT_A_TIME: usize = 8;

/// The settings of `levee runs`.
#[derive(Clone, Debug, clap::Args)]
pub struct RunsSettings {
    #[command(flatten)]
    pub(crate) ledger: LedgerSettings,

    /// Only runs of this source
    #[arg(long, value_name = "BUCKET")]
    pub source: Option<String>,

    /// How many runs are shown
    #[arg(long, value_name = "RUNS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    pub limit: u16,

    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// The ledger cannot be read.
#[expect(clippy::print_stdout, reason = "what was asked for goes to standard output")]
pub async fn run(settings: &RunsSettings) -> Result<ExitCode> {
    let ledger = settings.ledger.open().await;
    let limit = usize::from(settings.limit);
    let sources = ledger.sources().await?;
    let chosen: Vec<_> = match &settings.source {
        Some(source) if sources.contains(source) => vec![source.clone()],
        Some(source) => return Ok(exit::usage(&no_source(&ledger, source, &sources))),
        None => sources,
    };
    let runs = newest(&ledger, &chosen, limit).await?;
    if settings.json {
        let documents: Vec<_> = runs.iter().map(RunDocument::new).collect();
        println!("{}", serde_json::to_string_pretty(&json!({ "ledger": ledger.bucket(), "runs": documents }))?);
    } else if runs.is_empty() {
        println!("s3://{}/runs/ has no runs", ledger.bucket());
    } else {
        println!("{}", table(&runs));
    }
    let unreadable = runs.iter().any(|run| State::of(run) == State::Unreadable);
    Ok(if unreadable { ExitCode::from(exit::FAILED) } else { ExitCode::SUCCESS })
}

/// The newest runs of these sources; days without a run that is shown are not looked into.
pub(crate) async fn newest(ledger: &Ledger, sources: &[String], limit: usize) -> Result<Vec<KnownRun>, StageError> {
    let mut days = Vec::new();
    let mut listed = stream::iter(sources)
        .map(async |source| Ok::<_, StageError>((source, ledger.days(source).await?)))
        .buffered(AT_A_TIME);
    while let Some((source, of_source)) = listed.try_next().await? {
        // More days than runs are never needed: each has one at least.
        days.extend(of_source.into_iter().take(limit).map(|day| (day, source)));
    }
    days.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.cmp(other)));
    let looked = stream::iter(days).map(|(day, source)| ledger.runs_of(source, day));
    let mut looked = looked.buffered(AT_A_TIME.min(limit));
    let mut runs = Vec::new();
    while let Some(of_day) = looked.try_next().await? {
        runs.extend(of_day);
        if runs.len() >= limit {
            break;
        }
    }
    runs.truncate(limit);
    Ok(runs)
}

/// That a source has no runs, and which have.
pub(crate) fn no_source(ledger: &Ledger, source: &str, sources: &[String]) -> anyhow::Error {
    let known = match sources {
        [] => "it has none of any source".to_owned(),
        some => format!("it has those of {}", some.join(", ")),
    };
    anyhow::anyhow!("the ledger {} has no runs of {source:?}; {known}", ledger.bucket())
}

fn table(runs: &[KnownRun]) -> Table {
    let mut table = Table::new();
    let head = ["backup date", "source", "outcome", "tables whole", "objects", "bytes", "took", "execution"];
    table.load_style(UTF8_FULL_CONDENSED).set_header(head);
    for run in runs {
        let row = RunDocument::new(run);
        let [tables, objects, bytes, took] = match &row.counts {
            Some(counts) => [
                match counts.tables {
                    0 => "none".to_owned(),
                    tables => format!("{} of {}", count(counts.tables_whole), count(tables)),
                },
                count(counts.objects),
                size(counts.bytes),
                duration(u64::try_from(counts.seconds).unwrap_or(0)),
            ],
            None => ["", "", "", ""].map(str::to_owned),
        };
        let execution = match whereabouts(run) {
            Some(whereabouts) => format!("{}\n{}", visible(&row.execution_name), folded(&whereabouts)),
            None => visible(&row.execution_name).into_owned(),
        };
        let (date, source) = (row.backup_date.to_string(), visible(&row.source).into_owned());
        table.add_row([date, source, row.state.to_string(), tables, objects, bytes, took, execution]);
    }
    for column in 3..=6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
