//! What the night says of the tables, and its page as a file.

use std::path::Path;

use anyhow::{Context, Result};
use levee_delta_log::Verdict;
use levee_ledger::{
    Ledger,
    receipt::Closed,
    state::{TableLine, Tables},
};
use serde::Serialize;
use serde_json::Value;

use super::counts::part;

/// A table of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableOutcome {
    /// Its root in the snapshot bucket.
    pub path: String,
    /// The verdict on its copy.
    pub verdict: Verdict,
    /// The newest version that is wholly there.
    pub version: Option<u64>,
    /// The data files of that version.
    pub files: Option<u64>,
    /// Its rows, where every file has statistics.
    pub rows: Option<u64>,
}

impl From<TableLine> for TableOutcome {
    fn from(line: TableLine) -> Self {
        let whole = line.verdict.newest_whole;
        Self {
            path: line.verdict.path,
            verdict: line.verdict.verdict,
            version: line.verdict.newest_whole_version,
            files: whole.as_ref().map(|facts| facts.files),
            rows: whole.and_then(|facts| facts.rows),
        }
    }
}

/// The tables by path; none when the night did not come so far.
pub(super) async fn tables(ledger: &Ledger, state: &Value) -> Result<Vec<TableOutcome>> {
    let Some(list) = part::<Tables>(state, "tables")?.and_then(|tables| tables.list) else { return Ok(Vec::new()) };
    let mut lines = ledger.json_lines(&list.key).await?.context("the list of tables is gone")?;
    let mut tables = Vec::new();
    while let Some(line) = lines.next::<TableLine>().await? {
        tables.push(line.into());
    }
    Ok(tables)
}

/// The path of the page of the night: among the records that were kept below `ledger_folder`, else in a new file among the
/// system's temporary ones. None when the night was not closed.
pub(super) async fn page(
    ledger: &Ledger,
    closed: Option<&Closed>,
    ledger_folder: Option<&Path>,
) -> Result<Option<String>> {
    let Some(page) = closed.and_then(|closed| closed.page.as_ref()) else { return Ok(None) };
    if let Some(folder) = ledger_folder {
        return Ok(Some(folder.join(&page.key).display().to_string()));
    }
    let (bytes, _) = ledger.get(&page.key).await?.context("the page of the run is gone")?;
    let file = tempfile::Builder::new().prefix("levee-demo-").suffix(".html").tempfile();
    let file = file.context("no temporary file can be made for the page")?;
    tokio::fs::write(file.path(), bytes).await.context("the page cannot be written")?;
    let (_, path) = file.keep().context("the page cannot be kept")?;
    Ok(Some(path.display().to_string()))
}
