//! What is seen of the objects beside their counts: the largest, those that are not copied, and what their prices depend on.

use std::{cmp::Reverse, collections::BTreeMap, collections::BinaryHeap};

use levee_formats::inventory::Row;
use levee_ledger::state::{Amount, Decision, SkippedRow};
use levee_manifest_ready::{
    decide::is_large,
    scan::{FileRows, Rows},
    tables::ByTable,
};
use levee_stage::StageError;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// Objects that are named: the largest ones, and the first that are not copied.
const NAMED: usize = 10;
/// Some storage classes charge at least so much for an object; the table says which.
pub(super) const SMALLEST_CHARGED: u64 = 128 * 1024;
/// The parts of a large copy, at the least: what objects that were uploaded in parts mostly have is not known from an inventory.
const PART_BYTES: u64 = 128 * 1024 * 1024;
/// The most parts of an object.
const MOST_PARTS: u64 = 10_000;

/// What is seen of the rows of one file, or of all.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The largest of the objects that are copied, smallest first.
    largest: BinaryHeap<Reverse<(u64, Reverse<String>)>>,
    pub(super) not_copied: Vec<SkippedRow>,
    /// By decision and storage class; the empty class where the inventory does not say it.
    classes: Vec<((Decision, String), Amount)>,
    pub(super) copied: Copied,
    /// Restored objects that are too large for a copy job.
    pub(super) restored_and_large: u64,
    /// The objects that are copied, by table.
    pub(super) tables: ByTable,
}

/// What the copies come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) amount: Amount,
    /// Their bytes where less than [`SMALLEST_CHARGED`] is charged as that.
    pub(super) charged_bytes: u64,
    /// Objects that are copied in parts.
    pub(super) in_parts: u64,
    pub(super) parts: u64,
}

/// An object that is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub size: u64,
}

/// A folder that is a table if it holds one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedTable {
    /// The folder; empty for the bucket's root.
    pub folder: String,
    /// The objects in it that are copied.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Extend<Self> for Survey {
    fn extend<I: IntoIterator<Item = Self>>(&mut self, files: I) {
        files.into_iter().for_each(|file| self.merge(file));
    }
}

impl Survey {
    fn add(&mut self, row: &Row<'_>, decision: Decision) {
        let size = row.size.unwrap_or(0);
        let class = row.storage_class.as_deref().unwrap_or_default();
        self.count(decision, class, Amount { rows: 1, bytes: size });
        match decision {
            Decision::Batch | Decision::Large | Decision::Restore => self.copy(row, decision, size),
            Decision::SkippedArchived | Decision::Unsupported if self.not_copied.len() < NAMED => {
                let storage_class = row.storage_class.as_deref().map(str::to_owned);
                self.not_copied.push(SkippedRow {
                    key: row.key.to_string(),
                    size: row.size,
                    reason: decision,
                    storage_class,
                });
            }
            Decision::SkippedArchived | Decision::Unsupported | Decision::Excluded => {}
        }
    }

    fn copy(&mut self, row: &Row<'_>, decision: Decision, size: u64) {
        self.copied.amount.add(Amount { rows: 1, bytes: size });
        self.tables.add(&row.key, size);
        self.copied.charged_bytes = self.copied.charged_bytes.saturating_add(size.max(SMALLEST_CHARGED));
        if is_large(row) && decision != Decision::Batch {
            let part = PART_BYTES.max(size.div_ceil(MOST_PARTS));
            self.copied.in_parts += 1;
            self.copied.parts += size.div_ceil(part);
            self.restored_and_large += u64::from(decision == Decision::Restore);
        }
        let smallest = self.largest.peek().map(|Reverse((size, _))| *size);
        if row.size.is_some() && (self.largest.len() < NAMED || smallest.is_some_and(|smallest| size > smallest)) {
            self.name(size, row.key.to_string());
        }
    }

    fn name(&mut self, size: u64, key: String) {
        self.largest.push(Reverse((size, Reverse(key))));
        if self.largest.len() > NAMED {
            self.largest.pop();
        }
    }

    fn count(&mut self, decision: Decision, class: &str, amount: Amount) {
        let place = self.classes.iter_mut().find(|((d, c), _)| *d == decision && c == class);
        match place {
            Some((_, sum)) => sum.add(amount),
            None => self.classes.push(((decision, class.to_owned()), amount)),
        }
    }

    /// Takes what was seen of a further file.
    fn merge(&mut self, other: Self) {
        for Reverse((size, Reverse(key))) in other.largest.into_sorted_vec() {
            self.name(size, key);
        }
        let room = NAMED.saturating_sub(self.not_copied.len());
        self.not_copied.extend(other.not_copied.into_iter().take(room));
        for ((decision, class), amount) in other.classes {
            self.count(decision, &class, amount);
        }
        self.copied.amount.add(other.copied.amount);
        self.copied.charged_bytes = self.copied.charged_bytes.saturating_add(other.copied.charged_bytes);
        self.copied.in_parts += other.copied.in_parts;
        self.copied.parts += other.copied.parts;
        self.restored_and_large += other.restored_and_large;
        self.tables.merge(other.tables);
    }

    /// The folders that are tables if any are, by their bytes: the largest of them, and how many there are in all, unless they
    /// are too many to be told apart.
    pub(super) fn largest_tables(&self) -> (Vec<NamedTable>, Option<usize>) {
        let (tables, rest) = self.tables.clone().largest_first();
        let number = (rest.rows == 0).then_some(tables.len());
        let named = tables.into_iter().take(NAMED);
        (
            named.map(|(folder, amount)| NamedTable { folder, objects: amount.rows, bytes: amount.bytes }).collect(),
            number,
        )
    }

    /// The largest of the objects that are copied, largest first.
    pub(super) fn largest(&self) -> Vec<Named> {
        let mut largest: Vec<_> = self.largest.iter().map(|Reverse((size, Reverse(key)))| (*size, key)).collect();
        largest.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        largest.into_iter().map(|(size, key)| Named { key: key.clone(), size }).collect()
    }

    /// Objects and bytes by decision and storage class.
    pub(super) fn classes(&self) -> BTreeMap<(Decision, &str), Amount> {
        self.classes.iter().map(|((decision, class), amount)| ((*decision, class.as_str()), *amount)).collect()
    }
}

/// Surveys every file.
pub(super) struct Surveying;

impl Rows for Surveying {
    type File = Survey;

    fn file(&self, _index: usize, _stop: &CancellationToken) -> Survey {
        Survey::default()
    }
}

impl FileRows for Survey {
    type Done = Self;

    fn row(&mut self, row: &Row<'_>, decision: Decision) -> Result<(), StageError> {
        self.add(row, decision);
        Ok(())
    }

    async fn finish(self) -> Result<Self, StageError> {
        Ok(self)
    }
}
