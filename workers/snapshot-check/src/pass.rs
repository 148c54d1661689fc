//! What a reading of the plan, or of the bucket, makes of its rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use levee_ledger::{
    KeySet, key_id,
    state::{Difference, Finding},
};
use twox_hash::XxHash3_128;

use crate::sketch::Sketch;

/// Keys that are kept to cut the bucket's keys into ranges of about the same size.
const SAMPLE: usize = 256;

/// Takes rows, and what others of its kind have made of theirs.
pub(crate) trait Pass: Send + 'static {
    /// One of the same kind that has seen no row yet.
    fn fresh(&self) -> Self;
    /// Takes a row.
    fn row(&mut self, key: &str, bytes: Option<u64>);
    /// Takes over what `other` has made of its rows.
    fn merge(&mut self, other: Self);
}

/// By what two rows are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Their keys and sizes.
    Size,
    /// Their keys.
    Key,
}

impl By {
    /// Stands for the row. Ids that collide hide nothing: the sketch counts them both.
    pub(crate) fn id(self, key: &str, bytes: Option<u64>) -> u128 {
        match self {
            Self::Size => {
                XxHash3_128::oneshot_with_seed(bytes.map_or(0, |bytes| bytes.wrapping_add(1)), key.as_bytes())
            }
            Self::Key => key_id(key),
        }
    }
}

/// Adds the rows of one side to a sketch.
pub(crate) struct Digest {
    by: By,
    listed: bool,
    vanished: Arc<KeySet>,
    pub(crate) sketch: Sketch,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// The keys with the least ids: an even sample of all, whatever their order.
    sample: BTreeMap<u128, String>,
}

impl Digest {
    /// A pass over the plan, without what has vanished.
    pub(crate) fn of_plan(by: By, cells: usize, vanished: Arc<KeySet>) -> Self {
        let sketch = Sketch::new(cells);
        Self { by, listed: false, vanished, sketch, rows: 0, bytes: 0, sample: BTreeMap::new() }
    }

    /// A pass over the bucket.
    pub(crate) fn of_bucket(by: By, cells: usize) -> Self {
        Self { listed: true, ..Self::of_plan(by, cells, Arc::new(KeySet::default())) }
    }

    /// An even sample of the keys, in their order.
    pub(crate) fn sample(&self) -> BTreeSet<String> {
        self.sample.values().cloned().collect()
    }

    fn keep(&mut self, id: u128, key: &str) {
        let last = self.sample.last_key_value().map(|(last, _)| *last);
        if self.sample.len() < SAMPLE || last.is_some_and(|last| id < last) {
            self.sample.insert(id, key.to_owned());
            if self.sample.len() > SAMPLE {
                self.sample.pop_last();
            }
        }
    }
}

impl Pass for Digest {
    fn fresh(&self) -> Self {
        let cells = self.sketch.cells();
        let fresh = Self::of_plan(self.by, cells, Arc::clone(&self.vanished));
        Self { listed: self.listed, ..fresh }
    }

    fn row(&mut self, key: &str, bytes: Option<u64>) {
        let key_id = key_id(key);
        if !self.listed && self.vanished.has_id(key_id) {
            return;
        }
        let id = self.by.id(key, bytes);
        if self.listed {
            self.sketch.take(id)
        } else {
            self.sketch.add(id)
        }
        self.rows += 1;
        self.bytes = self.bytes.saturating_add(bytes.unwrap_or(0));
        self.keep(key_id, key);
    }

    fn merge(&mut self, other: Self) {
        self.sketch.merge(&other.sketch);
        self.rows += other.rows;
        self.bytes = self.bytes.saturating_add(other.bytes);
        for (id, key) in other.sample {
            self.keep(id, &key);
        }
    }
}

/// Finds the rows that the ids of a difference stand for.
pub(crate) struct Naming {
    by: By,
    listed: bool,
    wanted: Arc<BTreeSet<u128>>,
    found: BTreeMap<String, Found>,
}

/// The sizes at a key.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    planned: Option<Option<u64>>,
    listed: Option<u64>,
    vanished: bool,
}

impl Naming {
    /// Looks for the rows of the plan with these ids.
    pub(crate) fn of_plan(by: By, wanted: Arc<BTreeSet<u128>>) -> Self {
        Self { by, listed: false, wanted, found: BTreeMap::new() }
    }

    /// Looks for the rows of the bucket with these ids.
    pub(crate) fn of_bucket(by: By, wanted: Arc<BTreeSet<u128>>) -> Self {
        Self { listed: true, ..Self::of_plan(by, wanted) }
    }

    /// Takes note that the key was reported as gone from the source. It is there nonetheless where an earlier attempt, or
    /// another execution of the date, copied it before it went.
    pub(crate) fn vanished(&mut self, key: &str) {
        if let Some(found) = self.found.get_mut(key) {
            found.vanished = true;
        }
    }

    /// What was found, in the order of the keys. A key that both sides have with the same size is one that the plan has more
    /// than once: no difference.
    pub(crate) fn findings(self) -> impl Iterator<Item = Finding> {
        self.found.into_iter().filter_map(|(key, found)| {
            let (planned_bytes, bytes) = (found.planned.flatten(), found.listed);
            let planned = found.planned.filter(|_| !found.vanished);
            let finding = match (planned, found.listed) {
                (Some(_), None) => Difference::Missing,
                (None, Some(_)) => Difference::Unexpected,
                (Some(Some(planned)), Some(bytes)) if planned != bytes => Difference::Changed,
                _ => return None,
            };
            Some(Finding { key, finding, planned_bytes, bytes })
        })
    }
}

impl Pass for Naming {
    fn fresh(&self) -> Self {
        Self { by: self.by, listed: self.listed, wanted: Arc::clone(&self.wanted), found: BTreeMap::new() }
    }

    fn row(&mut self, key: &str, bytes: Option<u64>) {
        if !self.wanted.contains(&self.by.id(key, bytes)) {
            return;
        }
        let found = self.found.entry(key.to_owned()).or_default();
        if self.listed {
            found.listed = Some(bytes.unwrap_or(0));
        } else {
            found.planned = Some(bytes);
        }
    }

    fn merge(&mut self, other: Self) {
        for (key, theirs) in other.found {
            let found = self.found.entry(key).or_default();
            found.vanished |= theirs.vanished;
            found.planned = found.planned.or(theirs.planned);
            found.listed = found.listed.or(theirs.listed);
        }
    }
}
