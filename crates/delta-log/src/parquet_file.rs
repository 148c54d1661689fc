//! Checkpoints and sidecars in Parquet.
//!
//! PROTOCOL.md of delta-io/delta, "Checkpoint Schema". Only the columns that decide which files are live are read.
//!
//! A file that lies about its sizes is refused before it costs much: lists in the footer are held against its length and against
//! 2^18 elements, rows and levels against the bytes of the file, a page against 64 MiB, all pages against [`EXPANSION`] times the file
//! (256 MiB at least), and no page is decompressed further than it says. What the crate `parquet` still trips over is caught.

mod adds;
mod codec;
mod columns;
mod delta;
mod end;
mod footer;
mod pages;
mod rows;
mod thrift;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicU64},
};

use bytes::Bytes;
use parquet::{
    errors::{ParquetError, Result},
    file::metadata::{ParquetMetaData, ParquetMetaDataReader},
};

pub use self::end::{End, MOST_OF_A_FOOTER, rows_by_end};
pub(crate) use self::rows::read_whole_parquet;
use self::{
    columns::{BATCH, Group, Levels, text},
    footer::is_sound,
    pages::Budget,
};
use crate::{
    actions::{Actions, Metadata, Protocol, Sidecar, Unusable},
    commit::sidecar_path,
    state::State,
};

/// The last bytes of a file: the length of its footer, and `PAR1`.
const TAIL: usize = 8;
/// How many times as large as the file its pages may be.
const EXPANSION: u64 = 256;
/// The least that pages may have in all.
const LEAST_BUDGET: u64 = 256 << 20;
/// Bytes of statistics that are parsed, for each byte of the file, where the number of records is not at their beginning.
const STATS_EXPANSION: u64 = 64;

/// Gives the actions of a checkpoint, or of one of its sidecars. Tombstones are passed over.
pub(crate) fn read_parquet(file: &Bytes, actions: &mut dyn Actions) -> std::result::Result<(), Unusable> {
    guarded(|| {
        let metadata = footer(file)?;
        let (budget, stats_left) = (budget(file), stats_left(file));
        for group in metadata.row_groups() {
            let group = Group { file, metadata: group, budget: &budget, from: 0 };
            give_table(group, actions)?;
            adds::give(group, usize::MAX, &stats_left, actions)?;
        }
        actions.end_of_file();
        Ok(())
    })
}

/// As [`read_parquet`], into a state and on several threads.
pub(crate) fn read_parquet_on(
    threads: usize,
    file: &Bytes,
    state: &mut State<'_>,
) -> std::result::Result<(), Unusable> {
    if threads <= 1 {
        return read_parquet(file, state);
    }
    guarded(|| {
        let metadata = footer(file)?;
        let (budget, stats_left) = (budget(file), stats_left(file));
        for group in metadata.row_groups() {
            let group = Group { file, metadata: group, budget: &budget, from: 0 };
            give_table(group, state)?;
            adds::give_on(threads, group, &stats_left, state)?;
        }
        state.end_of_file();
        Ok(())
    })
}

/// The actions of a row group that are about the table and the checkpoint.
fn give_table(group: Group<'_>, actions: &mut dyn Actions) -> Result<()> {
    give_protocol(group, actions)?;
    give_metadata(group, actions)?;
    give_sidecars(group, actions)
}

/// The rows of a file, by its footer.
pub(crate) fn count_rows(file: &Bytes) -> std::result::Result<u64, Unusable> {
    guarded(|| Ok(u64::try_from(footer(file)?.file_metadata().num_rows()).unwrap_or(0)))
}

/// What may be decompressed of a file.
fn budget(file: &Bytes) -> Budget {
    Arc::new(AtomicU64::new((file.len() as u64).saturating_mul(EXPANSION).max(LEAST_BUDGET)))
}

/// What may be parsed of a file's statistics.
fn stats_left(file: &Bytes) -> AtomicU64 {
    AtomicU64::new((file.len() as u64).saturating_mul(STATS_EXPANSION))
}

fn guarded<T>(read: impl FnOnce() -> Result<T>) -> std::result::Result<T, Unusable> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(ParquetError::General(why))) => Err(Unusable::new(why)),
        Ok(Err(error)) => Err(Unusable::new(error.to_string())),
        Err(_) => Err(Unusable::new("its content contradicts itself")),
    }
}

fn footer(file: &Bytes) -> Result<ParquetMetaData> {
    let broken = |why: &str| ParquetError::General(why.to_owned());
    let no_parquet = || broken("it is no Parquet file, or is cut");
    let (body, tail) = file.split_at_checked(file.len().wrapping_sub(TAIL)).ok_or_else(no_parquet)?;
    let (length, magic) = tail.split_first_chunk::<4>().ok_or_else(no_parquet)?;
    if magic != b"PAR1" || !file.starts_with(b"PAR1") {
        return Err(no_parquet());
    }
    let start = body.len().checked_sub(u32::from_le_bytes(*length) as usize).ok_or_else(no_parquet)?;
    let footer = body.get(start..).ok_or_else(no_parquet)?;
    if !is_sound(footer) {
        return Err(broken("its footer is broken"));
    }
    let metadata = ParquetMetaDataReader::decode_metadata(footer)?;
    let limit = file.len() as i64;
    let mut rows = 0_i64;
    for group in metadata.row_groups() {
        rows = rows.saturating_add(group.num_rows());
        let too_many = |levels: i64| levels < 0 || levels > limit;
        if group.num_rows() < 0 || rows > limit || group.columns().iter().any(|column| too_many(column.num_values())) {
            return Err(broken("it has more rows than bytes"));
        }
    }
    Ok(metadata)
}

fn lacks(what: &str) -> ParquetError {
    ParquetError::General(format!("{what} is missing, or of another type than it should be"))
}

fn give_protocol(group: Group<'_>, actions: &mut dyn Actions) -> Result<()> {
    let Some(mut reader_version) = group.numbers(&["protocol", "minReaderVersion"])? else { return Ok(()) };
    let mut features = group.texts(&["protocol", "readerFeatures", "*"])?;
    if reader_version.is_repeated() {
        return Err(lacks("protocol.minReaderVersion"));
    }
    let mut found: Option<Protocol> = None;
    let mut names: Option<Vec<String>> = None;
    loop {
        let records = reader_version.fill(BATCH)?;
        if records == 0 {
            break;
        }
        for row in 0..records {
            if let Some(version) = reader_version.take(row) {
                found = Some(Protocol { min_reader_version: version, reader_features: None });
            } else if reader_version.def(row) > 0 {
                return Err(lacks("protocol.minReaderVersion"));
            }
        }
        let Some(features) = &mut features else { continue };
        features.fill_as(BATCH, records)?;
        for place in 0..features.levels() {
            // The list itself is there at level 2, be it empty.
            let is_there = features.def(place) >= 2;
            if let Some(name) = features.take(place) {
                names.get_or_insert_default().push(text(name)?.to_owned());
            } else if is_there {
                names.get_or_insert_default();
            }
        }
    }
    if let Some(protocol) = found {
        actions.protocol(Protocol { reader_features: names, ..protocol });
    }
    Ok(())
}

fn give_metadata(group: Group<'_>, actions: &mut dyn Actions) -> Result<()> {
    let Some(mut id) = group.texts(&["metaData", "id"])? else { return Ok(()) };
    let mut name = group.texts(&["metaData", "name"])?;
    let mut keys = group.texts(&["metaData", "configuration", "*", "key"])?;
    let mut values = group.texts(&["metaData", "configuration", "*", "value"])?;
    if id.is_repeated() || name.as_ref().is_some_and(Levels::is_repeated) {
        return Err(lacks("metaData.id or metaData.name"));
    }
    let mut found: Option<Metadata> = None;
    let mut retention = None;
    loop {
        let records = id.fill(BATCH)?;
        if records == 0 {
            break;
        }
        if let Some(name) = &mut name {
            name.fill_as(BATCH, records)?;
        }
        for row in 0..records {
            let is_there = id.def(row) > 0;
            let id = id.take(row).map(text).transpose()?.map(str::to_owned);
            let name = name.as_mut().and_then(|name| name.take(row)).map(text).transpose()?.map(str::to_owned);
            if is_there || id.is_some() {
                found = Some(Metadata { id, name, retention: None });
            }
        }
        if let (Some(keys), Some(values)) = (&mut keys, &mut values) {
            keys.fill_as(BATCH, records)?;
            values.fill_as(BATCH, records)?;
            for place in 0..keys.levels() {
                let (key, value) = (keys.take(place), values.take(place));
                if key.is_some_and(|key| key.data() == b"delta.deletedFileRetentionDuration") {
                    retention = value.map(text).transpose()?.map(str::to_owned);
                }
            }
        }
    }
    if let Some(metadata) = found {
        actions.metadata(Metadata { retention, ..metadata });
    }
    Ok(())
}

fn give_sidecars(group: Group<'_>, actions: &mut dyn Actions) -> Result<()> {
    let Some(mut paths) = group.texts(&["sidecar", "path"])? else { return Ok(()) };
    let sizes = group.numbers(&["sidecar", "sizeInBytes"])?;
    let mut sizes = sizes
        .filter(|sizes| !sizes.is_repeated() && !paths.is_repeated())
        .ok_or_else(|| lacks("sidecar.sizeInBytes"))?;
    loop {
        let records = paths.fill(BATCH)?;
        if records == 0 {
            return Ok(());
        }
        sizes.fill_as(BATCH, records)?;
        for row in 0..records {
            let is_there = paths.def(row) > 0;
            let size = sizes.take(row);
            match (paths.take(row), size.and_then(|size| u64::try_from(size).ok())) {
                (Some(path), Some(size)) => actions.sidecar(Sidecar { path: sidecar_path(text(path)?), size }),
                (None, _) if !is_there => {}
                _ => return Err(lacks("a sidecar's path or size")),
            }
        }
    }
}
