//! The verdict on a Delta table, from its listing and its log.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, ErrorKind},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use levee_delta_log::{Listing, LogReader, Options, ReadError};
use serde_json::json;

use crate::{Outcome, make::LISTING};

/// When the objects of the listing were last changed: 2026-03-17.
const MODIFIED_MS: i64 = 1_773_705_600_000;

struct Log(PathBuf);

impl LogReader for Log {
    fn read(&self, path: &str) -> Result<Bytes, ReadError> {
        fs::read(self.0.join(path)).map(Bytes::from).map_err(|error| match error.kind() {
            ErrorKind::NotFound => ReadError::Gone,
            _ => ReadError::Failed(error.to_string()),
        })
    }
}

pub(super) fn verdict(folder: &Path, threads: usize) -> Result<Outcome> {
    let (listing, bytes) = listing(folder)?;
    let began = Instant::now();
    let found = levee_delta_log::verdict(
        "table",
        &listing,
        &Log(folder.to_owned()),
        &Options::default().with_threads(threads),
    )?;
    let facts = found.newest_whole.as_ref();
    let files = facts.map_or(0, |facts| facts.files);
    let answer = json!({
        "version": found.newest_whole_version,
        "files": files,
        "bytes": facts.map(|facts| facts.bytes),
        "missing": found.missing_in_all.objects,
        "verdict": found.verdict.name(),
    });
    Ok(Outcome::since(began, files, bytes, answer))
}

/// The listing, and the bytes of the log.
fn listing(folder: &Path) -> Result<(Listing, u64)> {
    let mut lines = BufReader::new(File::open(folder.join(LISTING)).context("there is no table")?);
    let (mut listing, mut line, mut bytes) = (Listing::new(), String::new(), 0);
    while lines.read_line(&mut line)? > 0 {
        let (key, size) = line.trim_end().split_once('\t').context("a line of the listing has no size")?;
        let size = size.parse()?;
        listing.push(key, size, Some(MODIFIED_MS));
        if key.starts_with("_delta_log/") {
            bytes += size;
        }
        line.clear();
    }
    Ok((listing, bytes))
}
