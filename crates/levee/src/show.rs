//! `levee show`: what the ledger knows of one run.

mod find;
pub(crate) mod tables;
mod told;

use std::process::ExitCode;

use anyhow::{Context, Result};
use find::find;
use jiff::Timestamp;
use levee_delta_log::Verdict;
use levee_ledger::{
    Ledger,
    history::{Closed, End, KnownRun, Record},
    receipt::Receipt,
    state::TableLine,
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    exit,
    history::{LedgerSettings, RunDocument, RunName, State},
};

/// The settings of `levee show`.
#[derive(Clone, Debug, clap::Args)]
pub struct ShowSettings {
    /// SOURCE/YYYY-MM-DD for the newest execution of that day, SOURCE/YYYY-MM-DD/EXECUTION, or latest
    #[arg(value_name = "RUN")]
    pub run: RunName,

    #[command(flatten)]
    pub(crate) ledger: LedgerSettings,

    /// The source whose latest run is shown
    #[arg(long, value_name = "BUCKET")]
    pub source: Option<String>,

    /// List the run's tables
    #[arg(long)]
    pub tables: bool,

    /// Only tables with this verdict, or another one that is given
    #[arg(long, value_name = "VERDICT", requires = "tables", value_parser = tables::verdict)]
    pub verdict: Vec<Verdict>,

    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Everything that is shown of a run; fields are only ever added.
#[derive(Debug, Serialize)]
struct Shown {
    ledger: String,
    run: RunDocument,
    /// Null without one.
    receipt: Option<Receipt>,
    /// Where it is, and SHA-256 of its bytes.
    receipt_location: Option<String>,
    receipt_sha256: Option<String>,
    /// Where the page is; null without one.
    page: Option<String>,
    /// What the last record says of why the run failed; null where it does not.
    cause: Option<String>,
    records: Vec<RecordDocument>,
    /// Absent unless they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    tables: Option<Vec<TableLine>>,
}

/// An object that a stage has written.
#[derive(Debug, Serialize)]
struct RecordDocument {
    name: String,
    written: Timestamp,
    bytes: u64,
}

/// Runs the command.
///
/// # Errors
/// The ledger or the list of tables cannot be read.
#[expect(clippy::print_stdout, reason = "what was asked for goes to standard output")]
pub async fn run(settings: &ShowSettings) -> Result<ExitCode> {
    let ledger = settings.ledger.open().await;
    let run = match find(&ledger, &settings.run, settings.source.as_deref()).await? {
        Ok(run) => run,
        Err(missing) => return Ok(exit::usage(&missing)),
    };
    if settings.tables && run.receipt().is_none() {
        let name = format!("{}/{}/{}", run.source, run.backup_date, run.execution_name);
        return Ok(exit::usage(&anyhow::anyhow!(
            "{name} has no receipt that this release can read, and so no list of tables; levee show {name} says what there is"
        )));
    }
    let shown = look(&ledger, run, settings).await?;
    if settings.json {
        println!("{}", serde_json::to_string_pretty(&shown)?);
    } else if let Some(lines) = &shown.tables {
        println!("{}", tables::table(lines));
    } else {
        println!("{}", told::told(&shown));
    }
    let unreadable = shown.run.state == State::Unreadable;
    Ok(if unreadable { ExitCode::from(exit::FAILED) } else { ExitCode::SUCCESS })
}

async fn look(ledger: &Ledger, run: KnownRun, settings: &ShowSettings) -> Result<Shown> {
    let document = RunDocument::new(&run);
    let records = ledger.records_of(&run).await?;
    let place = |name: &str| format!("s3://{}/{}{name}", ledger.bucket(), run.prefix());
    let page = records.iter().any(|record| record.name == PAGE).then(|| place(PAGE));
    let cause = match &run.end {
        End::Failed(record) => cause(ledger, &run, record).await?,
        _ => None,
    };
    let tables = match (run.receipt(), settings.tables) {
        (Some(receipt), true) => Some(tables::read(ledger, receipt, &settings.verdict).await?),
        _ => None,
    };
    let closed = match run.end {
        End::Closed(closed) => Some(*closed),
        _ => None,
    };
    let (receipt, sha256) = closed.map(|Closed { receipt, sha256 }| (receipt, sha256)).unzip();
    Ok(Shown {
        ledger: ledger.bucket().to_owned(),
        run: document,
        receipt_location: receipt
            .as_ref()
            .map(|stored| format!("s3://{}/{}", stored.pointer.bucket, stored.pointer.key)),
        receipt: receipt.map(|stored| stored.value),
        receipt_sha256: sha256,
        page,
        cause,
        records: records.into_iter().map(RecordDocument::from).collect(),
        tables,
    })
}

/// The name of the page of a run.
const PAGE: &str = "report.html";

/// What the record of a failure says to the operator.
async fn cause(ledger: &Ledger, run: &KnownRun, record: &Record) -> Result<Option<String>> {
    let key = format!("{}{}", run.prefix(), record.name);
    let read = ledger.read::<Value>(&key).await.context("the record of the failure cannot be read")?;
    Ok(read.and_then(|stored| stored.value.get("cause")?.as_str().map(str::to_owned)))
}

impl From<Record> for RecordDocument {
    fn from(record: Record) -> Self {
        Self { name: record.name, written: record.written, bytes: record.bytes }
    }
}
