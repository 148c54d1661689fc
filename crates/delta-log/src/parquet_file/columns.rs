//! Columns of a checkpoint, row by row.

use bytes::Bytes;
use parquet::{
    basic::Type,
    column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader},
    data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type},
    errors::{ParquetError, Result},
    file::metadata::RowGroupMetaData,
};

use super::pages::{Budget, Pages};

/// Records that are read at once.
pub(super) const BATCH: usize = 4096;

/// A row group, its file and what may still be decompressed of it.
#[derive(Clone, Copy)]
pub(super) struct Group<'a> {
    pub(super) file: &'a Bytes,
    pub(super) metadata: &'a RowGroupMetaData,
    pub(super) budget: &'a Budget,
    /// The first row that is read, of columns that do not repeat.
    pub(super) from: usize,
}

impl<'a> Group<'a> {
    /// The place of the leaf at a path, of which a `*` stands for any names between what is before and behind it.
    pub(super) fn find(&self, path: &[&str]) -> Option<usize> {
        self.metadata.columns().iter().position(|column| {
            let parts = column.column_path().parts();
            match path.iter().position(|part| *part == "*") {
                None => parts == path,
                Some(star) => {
                    let (before, behind) =
                        (path.get(..star).unwrap_or_default(), path.get(star + 1..).unwrap_or_default());
                    parts.len() > before.len() + behind.len()
                        && parts.iter().zip(before).all(|(part, name)| part == name)
                        && parts.iter().rev().zip(behind.iter().rev()).all(|(part, name)| part == name)
                }
            }
        })
    }

    fn open<T: DataType>(&self, place: usize, kind: Type) -> Result<Levels<T>> {
        let column = self.metadata.column(place);
        if column.column_type() != kind {
            return Err(ParquetError::General(format!("{} is no {kind}", column.column_path())));
        }
        let descriptor = column.column_descr_ptr();
        let (max_def, max_rep) = (descriptor.max_def_level(), descriptor.max_rep_level());
        let pages = Pages::new(self.file, column, self.budget.clone())?.starting_at(self.from);
        let mut reader = get_typed_column_reader::<T>(get_column_reader(descriptor, Box::new(pages)));
        // A column that ends before it is read as one that has no more rows.
        reader.skip_records(self.from)?;
        Ok(Levels { reader, max_def, max_rep, defs: Vec::new(), reps: Vec::new(), values: Vec::new(), taken: 0 })
    }

    /// The text column at a path; none when the file does not have it.
    pub(super) fn texts(&self, path: &[&str]) -> Result<Option<Levels<ByteArrayType>>> {
        self.find(path).map(|place| self.open(place, Type::BYTE_ARRAY)).transpose()
    }

    /// The column of whole numbers at a path; none when the file does not have it.
    pub(super) fn numbers(&self, path: &[&str]) -> Result<Option<Numbers>> {
        let Some(place) = self.find(path) else { return Ok(None) };
        Ok(Some(match self.metadata.column(place).column_type() {
            Type::INT32 => Numbers::Narrow(self.open(place, Type::INT32)?),
            _ => Numbers::Wide(self.open(place, Type::INT64)?),
        }))
    }
}

/// A column with the levels of the records that were read last.
pub(super) struct Levels<T: DataType> {
    reader: ColumnReaderImpl<T>,
    max_def: i16,
    max_rep: i16,
    defs: Vec<i16>,
    reps: Vec<i16>,
    values: Vec<T::T>,
    taken: usize,
}

impl<T: DataType> Levels<T> {
    /// Reads the next records, so many at most; says how many.
    pub(super) fn fill(&mut self, most: usize) -> Result<usize> {
        self.defs.clear();
        self.reps.clear();
        self.values.clear();
        self.taken = 0;
        let reps = (self.max_rep > 0).then_some(&mut self.reps);
        let defs = (self.max_def > 0).then_some(&mut self.defs);
        let (records, ..) = self.reader.read_records(most, defs, reps, &mut self.values)?;
        Ok(records)
    }

    /// As [`Self::fill`]; they have to be as many as another column had.
    pub(super) fn fill_as(&mut self, most: usize, records: usize) -> Result<()> {
        if self.fill(most)? == records {
            Ok(())
        } else {
            Err(ParquetError::General("its columns differ in length".into()))
        }
    }

    pub(super) const fn is_repeated(&self) -> bool {
        self.max_rep > 0
    }

    /// The value at a place in the levels, taken in order; and the definition level there.
    pub(super) fn take(&mut self, place: usize) -> Option<&T::T> {
        if self.max_def > 0 && self.def(place) < self.max_def {
            return None;
        }
        let value = self.values.get(self.taken);
        self.taken += 1;
        value
    }

    /// The definition level at a place.
    pub(super) fn def(&self, place: usize) -> i16 {
        if self.max_def == 0 { 0 } else { self.defs.get(place).copied().unwrap_or(0) }
    }

    /// Levels that were read: as many as records, where nothing is repeated.
    pub(super) const fn levels(&self) -> usize {
        if self.max_def == 0 { self.values.len() } else { self.defs.len() }
    }
}

/// Text of a value.
pub(super) fn text(value: &ByteArray) -> Result<&str> {
    std::str::from_utf8(value.data()).map_err(|_| ParquetError::General("a text is no UTF-8".into()))
}

/// A column of whole numbers, of either width.
pub(super) enum Numbers {
    Narrow(Levels<Int32Type>),
    Wide(Levels<Int64Type>),
}

impl Numbers {
    pub(super) fn fill_as(&mut self, most: usize, records: usize) -> Result<()> {
        match self {
            Self::Narrow(column) => column.fill_as(most, records),
            Self::Wide(column) => column.fill_as(most, records),
        }
    }

    pub(super) fn fill(&mut self, most: usize) -> Result<usize> {
        match self {
            Self::Narrow(column) => column.fill(most),
            Self::Wide(column) => column.fill(most),
        }
    }

    pub(super) fn take(&mut self, place: usize) -> Option<i64> {
        match self {
            Self::Narrow(column) => column.take(place).copied().map(i64::from),
            Self::Wide(column) => column.take(place).copied(),
        }
    }

    pub(super) fn def(&self, place: usize) -> i16 {
        match self {
            Self::Narrow(column) => column.def(place),
            Self::Wide(column) => column.def(place),
        }
    }

    pub(super) const fn is_repeated(&self) -> bool {
        match self {
            Self::Narrow(column) => column.is_repeated(),
            Self::Wide(column) => column.is_repeated(),
        }
    }
}
