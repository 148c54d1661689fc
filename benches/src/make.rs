//! Makes the data: everything follows from the number of rows and the seed.

mod checkpoint;
mod inventory;
mod lake;
mod report;
mod table;

use std::{fs, path::Path};

use anyhow::{Context, Result};
use clap::Args;
pub use inventory::SOURCE;
pub use lake::{Lake, Object};
use serde::{Deserialize, Serialize};
pub use table::LISTING;

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An inventory: `manifest.json`, `manifest.checksum`, `data/*.csv.gz`.
    Inventory,
    /// A completion report: `manifest.json`, `manifest.json.md5`, `results/*.csv`.
    Report,
    /// A Delta table: `_delta_log`, and the list of the objects that it would have.
    Table,
}

/// How it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Args)]
pub struct Size {
    /// Rows; files of a table.
    #[arg(long)]
    pub rows: u64,
    /// Everything follows from it.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The most rows of a file; 0 for a million of an inventory, and half a million of a report.
    #[arg(long, default_value_t = 0)]
    pub rows_per_file: u64,
    /// Commits of a table; at most its files.
    #[arg(long, default_value_t = 1000)]
    pub commits: u64,
    /// Letters that make keys longer.
    #[arg(long, default_value_t = 0)]
    pub padding: u16,
}

impl Size {
    /// So many rows from this seed, and everything else as it is by itself.
    #[must_use]
    pub const fn of(rows: u64, seed: u64) -> Self {
        Self { rows, seed, rows_per_file: 0, commits: 1000, padding: 0 }
    }

    /// The rows of a file, when they are not said.
    const fn rows_per_file_or(&self, usual: u64) -> u64 {
        if self.rows_per_file == 0 { usual } else { self.rows_per_file }
    }
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// How it was made.
    pub size: Size,
    /// Counts up when the same size and seed give other bytes.
    pub layout: u32,
    /// Its files with rows.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

const LAYOUT: u32 = 1;
const FACTS: &str = "facts.json";

/// Makes it in a folder, with so many threads; takes what is there already when it is the same.
///
/// # Errors
/// The folder cannot be written.
pub fn make(kind: Kind, size: Size, folder: &Path, threads: usize) -> Result<Facts> {
    if let Some(facts) = there(folder)
        && (facts.kind, facts.size, facts.layout) == (kind, size, LAYOUT)
    {
        return Ok(facts);
    }
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (files, bytes) = match kind {
        Kind::Inventory => inventory::make(size, folder, threads)?,
        Kind::Report => report::make(size, folder, threads)?,
        Kind::Table => table::make(size, folder)?,
    };
    let facts = Facts { kind, size, layout: LAYOUT, files, bytes };
    fs::write(folder.join(FACTS), serde_json::to_vec_pretty(&facts)?)?;
    Ok(facts)
}

/// What a folder says of itself.
fn there(folder: &Path) -> Option<Facts> {
    serde_json::from_slice(&fs::read(folder.join(FACTS)).ok()?).ok()
}
