//! The journal: lines of JSON, each behind its CRC-32. A line has all changes of one call, so that a call is in it as a
//! whole or not at all.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use flate2::Crc;
use serde::{Deserialize, Serialize};

use super::{Change, DataError, Piece};
use crate::s3::body::Body;

/// The format that this version reads and writes.
pub(super) const FORMAT: u64 = 1;

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    levee_twin_s3: u64,
}

/// A journal that was read to its end.
pub(super) struct Read {
    /// The length without a last line that was cut off.
    pub(super) whole: u64,
    /// Lines behind the first.
    pub(super) lines: u64,
}

/// The line that `content` makes.
pub(super) fn line<T: Serialize>(content: &T) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(content)?;
    let mut line = format!("{:08x} ", crc(&json)).into_bytes();
    line.extend_from_slice(&json);
    line.push(b'\n');
    Ok(line)
}

/// Reads the journal at `path` and hands every change to `apply`, which says why it cannot be.
///
/// A last line that is not whole is what a twin leaves that dies while it writes: its call was never answered, and it is
/// passed over. Anything else that is not as it was written is refused.
pub(super) fn read(
    dir: &Path,
    path: &Path,
    mut apply: impl FnMut(Change<Vec<Piece>>) -> Result<(), String>,
) -> Result<Read, DataError> {
    let failed = |error| DataError::Io { path: path.to_owned(), error };
    let damaged = |number: u64, reason: &str| DataError::Damaged {
        file: path.to_owned(),
        reason: format!("line {number}: {reason}"),
    };
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let mut buffer = Vec::new();
    file.read_until(b'\n', &mut buffer).map_err(failed)?;
    let head = content(&buffer).and_then(|json| serde_json::from_slice(json).ok());
    let Head { levee_twin_s3: found } = head.ok_or_else(|| DataError::Foreign { dir: dir.to_owned() })?;
    if found != FORMAT {
        return Err(DataError::Format { dir: dir.to_owned(), found, known: FORMAT });
    }
    let mut read = Read { whole: buffer.len() as u64, lines: 0 };
    loop {
        buffer.clear();
        if file.read_until(b'\n', &mut buffer).map_err(failed)? == 0 {
            return Ok(read);
        }
        let number = read.lines + 2;
        let Some(json) = content(&buffer) else {
            if file.fill_buf().map_err(failed)?.is_empty() {
                tracing::warn!(journal = %path.display(), line = number, "the last line is not whole: its call was never answered");
                return Ok(read);
            }
            return Err(damaged(number, "it is not as it was written"));
        };
        let changes: Vec<Change<Vec<Piece>>> =
            serde_json::from_slice(json).map_err(|error| damaged(number, &error.to_string()))?;
        for change in changes {
            apply(change).map_err(|reason| damaged(number, &reason))?;
        }
        read.whole += buffer.len() as u64;
        read.lines += 1;
    }
}

/// Writes a new journal at `path`, in place of the one that may be there.
pub(super) fn write(path: &Path, changes: impl Iterator<Item = Change<Body>>) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = BufWriter::new(File::create(&new)?);
    file.write_all(&line(&Head { levee_twin_s3: FORMAT })?)?;
    for change in changes {
        file.write_all(&line(&[change])?)?;
    }
    // Before it takes the other's place: else the end of the machine could leave neither.
    file.into_inner()?.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// What a line says, if it is whole.
fn content(line: &[u8]) -> Option<&[u8]> {
    let (sum, json) = line.strip_suffix(b"\n")?.split_at_checked(9)?;
    let sum = std::str::from_utf8(sum).ok()?.strip_suffix(' ')?;
    (u32::from_str_radix(sum, 16).ok()? == crc(json)).then_some(json)
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
