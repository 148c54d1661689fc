//! The page of a run: one HTML file that is whole in itself, asks nothing of anybody, and says first what came of the night.
//!
//! Pure: values in, text out, and equal values make equal text. Names of objects and tables are whatever somebody wrote into a
//! bucket: none of them leaves its place in the document, and what would not be seen of them is shown as its number
//! ([`text::visible`]).

mod document;
mod facts;
mod needs;
mod night;
mod plot;
mod sizes;
mod tables;
pub mod text;
mod trend;

use askama::Template;
use jiff::{Timestamp, civil::Date};
use levee_ledger::{
    receipt::{Outcome, Receipt},
    state::{ObjectPointer, TableLine, VerdictCounts},
};

use crate::document::Document;

/// Runs that the trend shows. Of more, the newest ones are shown.
pub const TREND_RUNS: usize = 30;

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub struct RunPage<'a> {
    /// What closes the run.
    pub receipt: &'a Receipt,
    /// Where the receipt is, where that is known.
    pub receipt_pointer: Option<&'a ObjectPointer>,
    /// The digest of its bytes, SHA-256 in hexadecimal, where that is known.
    pub receipt_sha256: Option<&'a str>,
    /// A line for each table, in any order.
    pub tables: &'a [TableLine],
    /// Tables that have no line, so that the page stays one that a browser shows; they are in the list that the receipt names.
    pub left_out: VerdictCounts,
    /// The last runs of the source, this one among them, oldest first.
    pub trend: &'a [TrendPoint],
}

/// A run in the trend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrendPoint {
    /// The day that its snapshot stands for.
    pub backup_date: Date,
    /// When it was closed.
    pub closed: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
    /// Objects in its snapshot.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How long it took, in seconds.
    pub seconds: u64,
    /// Its tables.
    pub tables: u64,
    /// Those of them that are whole in their newest version.
    pub tables_good: u64,
}

impl From<&Receipt> for TrendPoint {
    fn from(receipt: &Receipt) -> Self {
        Self {
            backup_date: receipt.run.backup_date,
            closed: receipt.run.closed,
            outcome: receipt.outcome,
            objects: receipt.snapshot.objects,
            bytes: receipt.snapshot.bytes,
            seconds: text::seconds_between(receipt.run.started, receipt.run.closed),
            tables: receipt.tables.tables.tables,
            tables_good: receipt.tables.tables.verdicts.good(),
        }
    }
}

/// The page could not be written down.
#[derive(Debug, thiserror::Error)]
#[error("the page of the run {run} could not be written down: {source}; the receipt has all that it would have said")]
pub struct RenderError {
    run: String,
    source: askama::Error,
}

/// The page.
///
/// # Errors
/// The document could not be put together.
pub fn render(page: &RunPage<'_>) -> Result<String, RenderError> {
    Document::new(page).render().map_err(|source| RenderError { run: page.receipt.run.execution_name.clone(), source })
}
