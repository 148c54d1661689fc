//! The limit of the machine: what any reader of the same files has to do.

use std::{
    fs::{self, File},
    io::{BufReader, Read},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, anyhow, ensure};
use clap::ValueEnum;
use flate2::bufread::MultiGzDecoder;
use levee_formats::{inventory, report};
use libdeflater::Decompressor;
use serde_json::json;

use crate::{Outcome, parallel};

/// What a stream decodes at a time, and what it reads at a time.
const OUT: usize = 256 * 1024;
const IN: usize = 128 * 1024;
const PIECE: usize = 1024 * 1024;

/// A decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Decoder {
    /// zlib-rs, which Levee uses: a stream in bounded memory.
    ZlibRs,
    /// libdeflate: a whole file at once, in memory for all that comes out.
    Libdeflate,
}

/// Decompresses every data file of an inventory, and does nothing with what comes out.
///
/// # Errors
/// The files are not what they are said to be.
pub fn inflate(folder: &Path, decoder: Decoder, threads: usize) -> Result<Outcome> {
    let began = Instant::now();
    let manifest =
        inventory::Manifest::parse(&fs::read(folder.join("manifest.json")).context("there is no inventory")?)?;
    let files: Vec<_> = manifest.files.iter().map(|file| folder.join(&file.key)).collect();
    let sizes = match decoder {
        Decoder::ZlibRs => {
            parallel::each(threads, files.len(), || vec![0; OUT], |out, index| stream(nth(&files, index)?, out))
        }
        Decoder::Libdeflate => {
            let state = || (Decompressor::new(), Vec::new(), Vec::new());
            parallel::each(threads, files.len(), state, |(decoder, input, out), index| {
                whole(nth(&files, index)?, decoder, input, out)
            })
        }
    }?;
    Ok(Outcome::since(began, 0, sizes.iter().sum(), json!({})))
}

/// Counts the line ends of every result file of a report.
///
/// # Errors
/// The files are not there.
pub fn line_ends(folder: &Path, threads: usize) -> Result<Outcome> {
    let began = Instant::now();
    let manifest = report::Manifest::parse(&fs::read(folder.join("manifest.json")).context("there is no report")?)?;
    let files: Vec<_> = manifest.results.iter().map(|file| folder.join(&file.key)).collect();
    let counts =
        parallel::each(threads, files.len(), || vec![0; PIECE], |piece, index| lines(nth(&files, index)?, piece))?;
    let (rows, bytes) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    Ok(Outcome::since(began, rows, bytes, json!({ "rows": rows })))
}

fn nth(files: &[PathBuf], index: usize) -> Result<&PathBuf> {
    files.get(index).context("there is no such file")
}

fn stream(path: &Path, out: &mut [u8]) -> Result<u64> {
    let mut decoder = MultiGzDecoder::new(BufReader::with_capacity(IN, File::open(path)?));
    let mut size = 0;
    loop {
        let read = decoder.read(out)?;
        if read == 0 {
            return Ok(size);
        }
        size += read as u64;
    }
}

fn whole(path: &Path, decoder: &mut Decompressor, input: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<u64> {
    input.clear();
    File::open(path)?.read_to_end(input)?;
    // The last four bytes of a member are its length (RFC 1952), and our files have one member.
    let length = input.last_chunk::<4>().context("a file is no gzip")?;
    let length = usize::try_from(u32::from_le_bytes(*length))?;
    if out.len() < length {
        out.resize(length, 0);
    }
    let size = decoder.gzip_decompress(input, out).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    ensure!(size == length, "{} has more than one member", path.display());
    Ok(size as u64)
}

fn lines(path: &Path, piece: &mut [u8]) -> Result<(u64, u64)> {
    let mut file = File::open(path)?;
    let (mut rows, mut bytes) = (0, 0);
    loop {
        let read = file.read(piece)?;
        if read == 0 {
            return Ok((rows, bytes));
        }
        rows += memchr::memchr_iter(b'\n', piece.get(..read).unwrap_or_default()).count() as u64;
        bytes += read as u64;
    }
}
