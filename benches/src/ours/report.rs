//! The reading of a completion report.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
    path::Path,
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use levee_formats::{
    KeyCodec,
    report::{Manifest, ResultFile, ResultReader, Row, RowError},
};
use serde_json::json;
use twox_hash::XxHash3_128;

use crate::{Outcome, parallel};

const PIECE: usize = 128 * 1024;

/// What the rows of a file come to.
#[derive(Default)]
struct Tally {
    rows: u64,
    bytes: u64,
    unreadable: u64,
    /// By status and code.
    codes: BTreeMap<String, u64>,
    /// The sum of the hashes of all keys.
    keys: u128,
}

pub(super) fn report(folder: &Path, threads: usize) -> Result<Outcome> {
    let began = Instant::now();
    let manifest = Manifest::parse(&fs::read(folder.join("manifest.json")).context("there is no report")?)?;
    let files = &manifest.results;
    let tallies = parallel::each(
        threads,
        files.len(),
        || vec![0; PIECE],
        |piece, index| {
            let file = files.get(index).context("there is no such file")?;
            read(folder, file, piece)
        },
    )?;
    let mut all = Tally::default();
    for tally in tallies {
        all.rows += tally.rows;
        all.bytes += tally.bytes;
        all.unreadable += tally.unreadable;
        all.keys = all.keys.wrapping_add(tally.keys);
        for (code, rows) in tally.codes {
            *all.codes.entry(code).or_default() += rows;
        }
    }
    ensure!(all.unreadable == 0, "{} rows cannot be read", all.unreadable);
    let answer = json!({ "rows": all.rows, "codes": all.codes, "keys": format!("{:032x}", all.keys) });
    Ok(Outcome::since(began, all.rows, all.bytes, answer))
}

fn read(folder: &Path, result: &ResultFile, piece: &mut [u8]) -> Result<Tally> {
    let mut file = File::open(folder.join(&result.key)).with_context(|| format!("cannot read {}", result.key))?;
    let (mut reader, mut tally) = (ResultReader::of(result, KeyCodec::Form), Tally::default());
    loop {
        let read = file.read(piece)?;
        if read == 0 {
            break;
        }
        reader.push(piece.get(..read).unwrap_or_default(), &mut |row| tally.row(row))?;
    }
    let totals = reader.finish(&mut |row| tally.row(row))?;
    ensure!(totals.md5 == result.md5, "the MD5 of {} is {}, not {}", result.key, totals.md5, result.md5);
    tally.bytes = totals.bytes;
    Ok(tally)
}

impl Tally {
    fn row(&mut self, row: Result<Row<'_>, RowError<'_>>) {
        let Ok(row) = row else {
            self.unreadable += 1;
            return;
        };
        self.rows += 1;
        self.keys = self.keys.wrapping_add(XxHash3_128::oneshot(row.key.as_bytes()));
        let code = row.error_code.as_deref().unwrap_or_default();
        // Nearly all rows have none.
        let name = if code.is_empty() { row.status.name().to_owned() } else { format!("{} {code}", row.status.name()) };
        *self.codes.entry(name).or_default() += 1;
    }
}
