//! Checkpoints and sidecars in Parquet.
//!
//! PROTOCOL.md of delta-io/delta, "Checkpoint Schema". Only the columns that decide which files are live are read.
//!
//! A file that lies about its sizes is refused before it costs much: lists in the footer are held against its length and against
//! 2^18 elements, rows and levels against the bytes of the file, a page against 64 MiB, all pages against [`EXPANSION`] times the file
//! (256 MiB at least), and no page is decompressed further than it says. What the crate `parquet` still trips over is caught.

mod codec;
mod columns;
mod delta;
mod end;
mod pages;
mod rows;
mod thrift;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicU64},
};

use bytes::Bytes;
use parquet::{
    data_type::ByteArrayType,
    errors::{ParquetError, Result},
    file::metadata::{ParquetMetaData, ParquetMetaDataReader},
};

pub use self::end::{End, MOST_OF_A_FOOTER, rows_by_end};
pub(crate) use self::rows::read_whole_parquet;
use self::{
    columns::{Group, Levels, Numbers, text},
    pages::Budget,
};
use crate::{
    actions::{Actions, Add, Metadata, Protocol, Sidecar, Unusable},
    commit::sidecar_path,
    stats,
    vector::Vector,
};

/// The last bytes of a file: the length of its footer, and `PAR1`.
const TAIL: usize = 8;
/// How many times as large as the file its pages may be.
const EXPANSION: u64 = 256;
/// The least that pages may have in all.
const LEAST_BUDGET: u64 = 256 << 20;
/// Bytes of statistics that are parsed, for each byte of the file, where the number of records is not at their beginning.
const STATS_EXPANSION: usize = 64;

/// Gives the actions of a checkpoint, or of one of its sidecars. Tombstones are passed over.
pub(crate) fn read_parquet(file: &Bytes, actions: &mut dyn Actions) -> std::result::Result<(), Unusable> {
    guarded(|| {
        let metadata = footer(file)?;
        let budget = budget(file);
        let mut stats_left = file.len().saturating_mul(STATS_EXPANSION);
        for group in metadata.row_groups() {
            let group = Group { file, metadata: group, budget: &budget };
            give_protocol(group, actions)?;
            give_metadata(group, actions)?;
            give_sidecars(group, actions)?;
            give_adds(group, &mut stats_left, actions)?;
        }
        Ok(())
    })
}

/// The rows of a file, by its footer.
pub(crate) fn count_rows(file: &Bytes) -> std::result::Result<u64, Unusable> {
    guarded(|| Ok(u64::try_from(footer(file)?.file_metadata().num_rows()).unwrap_or(0)))
}

/// What may be decompressed of a file.
fn budget(file: &Bytes) -> Budget {
    Arc::new(AtomicU64::new((file.len() as u64).saturating_mul(EXPANSION).max(LEAST_BUDGET)))
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
    if !thrift::is_sound(footer) {
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
        let records = reader_version.fill()?;
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
        features.fill_as(records)?;
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
        let records = id.fill()?;
        if records == 0 {
            break;
        }
        if let Some(name) = &mut name {
            name.fill_as(records)?;
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
            keys.fill_as(records)?;
            values.fill_as(records)?;
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
        let records = paths.fill()?;
        if records == 0 {
            return Ok(());
        }
        sizes.fill_as(records)?;
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

/// The columns of `add`.
struct Adds {
    path: Levels<ByteArrayType>,
    size: Numbers,
    stats: Option<Levels<ByteArrayType>>,
    records: Option<Numbers>,
    vector: Option<Vectors>,
}

/// The columns of `add.deletionVector`.
struct Vectors {
    storage: Levels<ByteArrayType>,
    path: Levels<ByteArrayType>,
    offset: Option<Numbers>,
    size: Numbers,
    cardinality: Numbers,
}

impl Adds {
    fn open(group: Group<'_>) -> Result<Option<Self>> {
        let Some(path) = group.texts(&["add", "path"])? else { return Ok(None) };
        let size = group.numbers(&["add", "size"])?.ok_or_else(|| lacks("add.size"))?;
        let mut records = group.numbers(&["add", "stats_parsed", "numRecords"])?;
        let mut stats = group.texts(&["add", "stats"])?;
        // Either is enough where it is there for every file; where it cannot be told, both are read.
        if covers(group, &["add", "stats_parsed", "numRecords"]) {
            stats = None;
        } else if covers(group, &["add", "stats"]) {
            records = None;
        }
        let adds = Self { path, size, stats, records, vector: Vectors::open(group)? };
        if adds.path.is_repeated() || adds.size.is_repeated() {
            return Err(lacks("add.path or add.size"));
        }
        Ok(Some(adds))
    }

    fn fill(&mut self) -> Result<usize> {
        let records = self.path.fill()?;
        if records == 0 {
            return Ok(0);
        }
        self.size.fill_as(records)?;
        if let Some(stats) = &mut self.stats {
            stats.fill_as(records)?;
        }
        if let Some(numbers) = &mut self.records {
            numbers.fill_as(records)?;
        }
        if let Some(vector) = &mut self.vector {
            vector.fill_as(records)?;
        }
        Ok(records)
    }
}

/// Whether a column has a value for every file, by the counts of nulls in the footer.
fn covers(group: Group<'_>, path: &[&str]) -> bool {
    let nulls = |path: &[&str]| group.metadata.column(group.find(path)?).statistics()?.null_count_opt();
    nulls(path).is_some_and(|count| nulls(&["add", "path"]) == Some(count))
}

impl Vectors {
    fn open(group: Group<'_>) -> Result<Option<Self>> {
        let of = |name: &'static str| ["add", "deletionVector", name];
        let Some(storage) = group.texts(&of("storageType"))? else { return Ok(None) };
        let lacks = || lacks("a member of add.deletionVector");
        let vectors = Self {
            storage,
            path: group.texts(&of("pathOrInlineDv"))?.ok_or_else(lacks)?,
            offset: group.numbers(&of("offset"))?,
            size: group.numbers(&of("sizeInBytes"))?.ok_or_else(lacks)?,
            cardinality: group.numbers(&of("cardinality"))?.ok_or_else(lacks)?,
        };
        if vectors.storage.is_repeated() { Err(lacks()) } else { Ok(Some(vectors)) }
    }

    fn fill_as(&mut self, records: usize) -> Result<()> {
        self.storage.fill_as(records)?;
        self.path.fill_as(records)?;
        self.size.fill_as(records)?;
        self.cardinality.fill_as(records)?;
        self.offset.as_mut().map_or(Ok(()), |offset| offset.fill_as(records))
    }

    /// The vector of a row. The struct is there where its first member is, or where it is null at a level of its own.
    fn take(&mut self, row: usize) -> Result<Option<Vector<'_>>> {
        let is_there = self.storage.def(row) >= 2;
        let offset = self.offset.as_mut().and_then(|offset| offset.take(row));
        let (size, cardinality) = (self.size.take(row), self.cardinality.take(row));
        let (storage, path) = (self.storage.take(row), self.path.take(row));
        match (storage, path, size, cardinality) {
            (Some(storage), Some(path), Some(size_in_bytes), Some(cardinality)) => {
                Ok(Some(Vector { storage: text(storage)?, path: text(path)?, offset, size_in_bytes, cardinality }))
            }
            (None, ..) if !is_there => Ok(None),
            _ => Err(lacks("a member of a deletion vector")),
        }
    }
}

fn give_adds(group: Group<'_>, stats_left: &mut usize, actions: &mut dyn Actions) -> Result<()> {
    let Some(mut adds) = Adds::open(group)? else { return Ok(()) };
    loop {
        let records = adds.fill()?;
        if records == 0 {
            return Ok(());
        }
        for row in 0..records {
            let is_there = adds.path.def(row) > 0;
            let size = adds.size.take(row).and_then(|size| u64::try_from(size).ok());
            let stats = adds
                .stats
                .as_mut()
                .and_then(|stats| stats.take(row))
                .and_then(|stats| parsed(stats.data(), stats_left));
            let counted = adds.records.as_mut().and_then(|records| records.take(row));
            let vector = adds.vector.as_mut().map(|vector| vector.take(row)).transpose()?.flatten();
            let Some(path) = adds.path.take(row) else {
                if is_there {
                    return Err(lacks("add.path"));
                }
                continue;
            };
            let size = size.ok_or_else(|| lacks("add.size"))?;
            let records = counted.and_then(|count| u64::try_from(count).ok()).or(stats);
            actions
                .add(&Add { path: text(path)?, size, vector, records })
                .map_err(|Unusable(why)| ParquetError::General(why))?;
        }
    }
}

/// The number of records of statistics, as long as not too many of them have been parsed.
fn parsed(stats: &[u8], left: &mut usize) -> Option<u64> {
    *left = left.checked_sub(stats.len())?;
    stats::num_records(stats)
}
