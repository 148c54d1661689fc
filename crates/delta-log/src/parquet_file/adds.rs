//! The `add`s of a checkpoint, or of one of its sidecars.

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicU64, Ordering},
};

use parquet::{
    data_type::ByteArrayType,
    errors::{ParquetError, Result},
};

use super::{
    columns::{BATCH, Group, Levels, Numbers, text},
    lacks,
};
use crate::{
    actions::{Actions, Add, Unusable},
    presence::Batch,
    state::State,
    stats,
    threads::in_order,
    vector::Vector,
};

/// Parts that a row group is decoded in, for each thread. They do not become more with the rows, since the pages in front of a part
/// are passed over one by one; and half of them at most wait for their turn, which is about 20 bytes for each row.
const PARTS: usize = 4;
/// The least rows of a part: pages that two parts share are decompressed for each of them, and dictionaries for all.
const LEAST_PART: usize = 1 << 12;

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

    fn is_repeated(&self) -> bool {
        let texts = [Some(&self.path), self.stats.as_ref()];
        let numbers = [Some(&self.size), self.records.as_ref()];
        texts.into_iter().flatten().any(Levels::is_repeated)
            || numbers.into_iter().flatten().any(Numbers::is_repeated)
            || self.vector.as_ref().is_some_and(Vectors::is_repeated)
    }

    /// Reads the next rows, so many at most; says how many.
    fn fill(&mut self, most: usize) -> Result<usize> {
        let records = self.path.fill(most)?;
        if records == 0 {
            return Ok(0);
        }
        self.size.fill_as(most, records)?;
        if let Some(stats) = &mut self.stats {
            stats.fill_as(most, records)?;
        }
        if let Some(numbers) = &mut self.records {
            numbers.fill_as(most, records)?;
        }
        if let Some(vector) = &mut self.vector {
            vector.fill_as(most, records)?;
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

    fn is_repeated(&self) -> bool {
        self.storage.is_repeated()
            || self.path.is_repeated()
            || self.offset.as_ref().is_some_and(Numbers::is_repeated)
            || self.size.is_repeated()
            || self.cardinality.is_repeated()
    }

    fn fill_as(&mut self, most: usize, records: usize) -> Result<()> {
        self.storage.fill_as(most, records)?;
        self.path.fill_as(most, records)?;
        self.size.fill_as(most, records)?;
        self.cardinality.fill_as(most, records)?;
        self.offset.as_mut().map_or(Ok(()), |offset| offset.fill_as(most, records))
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

/// Gives the `add`s of a row group from the group's first row on; at most so many rows.
pub(super) fn give(group: Group<'_>, rows: usize, stats_left: &AtomicU64, actions: &mut dyn Actions) -> Result<()> {
    let Some(mut adds) = Adds::open(group)? else { return Ok(()) };
    if group.from == 0 && rows == usize::MAX {
        actions.expect(usize::try_from(group.metadata.num_rows()).unwrap_or(0));
    }
    let mut left = rows;
    while left > 0 {
        let records = adds.fill(left.min(BATCH))?;
        if records == 0 {
            break;
        }
        left = left.saturating_sub(records);
        give_records(&mut adds, records, stats_left, actions)?;
    }
    Ok(())
}

fn give_records(adds: &mut Adds, records: usize, stats_left: &AtomicU64, actions: &mut dyn Actions) -> Result<()> {
    for row in 0..records {
        let is_there = adds.path.def(row) > 0;
        let size = adds.size.take(row).and_then(|size| u64::try_from(size).ok());
        let stats =
            adds.stats.as_mut().and_then(|stats| stats.take(row)).and_then(|stats| parsed(stats.data(), stats_left));
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
    Ok(())
}

/// The number of records of statistics, as long as not too many of them have been parsed.
fn parsed(stats: &[u8], left: &AtomicU64) -> Option<u64> {
    if let Some(records) = stats::leading_records(stats) {
        return Some(records);
    }
    let size = stats.len() as u64;
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(size)).ok()?;
    stats::num_records(stats)
}

/// Gives the `add`s of a row group to a state, of which several threads decode some rows each.
pub(super) fn give_on(threads: usize, group: Group<'_>, stats_left: &AtomicU64, state: &mut State<'_>) -> Result<()> {
    let rows = usize::try_from(group.metadata.num_rows()).unwrap_or(0);
    let part = rows.div_ceil(threads * PARTS).max(LEAST_PART);
    // Where something is repeated, rows cannot be told by counting levels.
    if rows <= part || Adds::open(group)?.is_none_or(|adds| adds.is_repeated()) {
        return give(group, usize::MAX, stats_left, state);
    }
    state.expect(rows);
    let presence = state.presence();
    let parts = (0..rows).step_by(part).map(|from| {
        // What is behind the rows that the footer promises is the last one's.
        let count = if from + part < rows { part } else { usize::MAX - 1 };
        (0, (from, count))
    });
    let decode = |(from, count)| {
        let mut batch = Batch::new(presence, 0);
        give(Group { from, ..group }, count, stats_left, &mut batch)?;
        batch.end_of_file();
        Ok(batch)
    };
    let mut outcome = Ok(());
    in_order(threads, parts, decode, |batch: Result<Batch<'_>>| match batch {
        Ok(mut batch) => {
            state.take_in(&mut batch);
            ControlFlow::Continue(())
        }
        Err(error) => {
            outcome = Err(error);
            ControlFlow::Break(())
        }
    });
    outcome
}
