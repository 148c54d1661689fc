//! The lines of the commit, above all those that are about files.

use std::collections::HashSet;

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{difference::Only, rows::RowIds};
use crate::{
    actions::{Add, Unusable, file_id, logical_id},
    names::LOG,
    reader::CannotCheck,
    stats,
    whole::{Object, Whole},
};

/// Takes the lines of a commit.
pub(super) struct Lines<'o> {
    out: &'o mut dyn FnMut(&[u8]) -> Result<(), CannotCheck>,
}

impl<'o> Lines<'o> {
    pub(super) fn new(out: &'o mut dyn FnMut(&[u8]) -> Result<(), CannotCheck>) -> Self {
        Self { out }
    }

    pub(super) fn give(&mut self, kind: &'static str, action: &impl Serialize) -> Result<(), CannotCheck> {
        let line = serde_json::to_vec(&Line { kind, action });
        let mut line = line.map_err(|error| CannotCheck::Caller(format!("a line cannot be written: {error}")))?;
        line.push(b'\n');
        (self.out)(&line)
    }
}

/// An action in its line.
struct Line<'a, T> {
    kind: &'static str,
    action: &'a T,
}

impl<T: Serialize> Serialize for Line<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.kind, self.action)?;
        map.end()
    }
}

/// Finds the `add`s of files of the difference, each of them once.
struct Finder {
    left: Only,
    sources: HashSet<u32>,
    source: u32,
    /// What the taker of lines returned, which ends the reading.
    failed: Option<CannotCheck>,
}

impl Finder {
    fn new(only: Only) -> Self {
        let sources = only.values().map(|(source, _)| *source).collect();
        Self { left: only, sources, source: 0, failed: None }
    }

    fn begin(&mut self, source: u32) -> bool {
        self.source = source;
        self.sources.contains(&source)
    }

    fn finds(&mut self, add: &Add<'_>) -> bool {
        let id = logical_id(file_id(add.path).0, add.vector.as_ref());
        let found = self.left.get(&id) == Some(&(self.source, add.size));
        if found {
            self.left.remove(&id);
        }
        found
    }

    fn keep(&mut self, given: Result<(), CannotCheck>) -> Result<(), Unusable> {
        given.map_err(|error| {
            self.failed = Some(error);
            Unusable::new("its reading was given up")
        })
    }

    fn finish(self, read: Result<(), CannotCheck>) -> Result<(), CannotCheck> {
        match self.failed {
            Some(error) => Err(error),
            None => read,
        }?;
        if self.left.is_empty() { Ok(()) } else { Err(CannotCheck::Changed { path: LOG.to_owned() }) }
    }
}

/// Gives the `add`s of files that are live again.
pub(super) struct Adds<'l, 'o> {
    lines: &'l mut Lines<'o>,
    finder: Finder,
    is_partitioned: bool,
    rows: Option<RowIds>,
    without_statistics: u64,
}

impl<'l, 'o> Adds<'l, 'o> {
    pub(super) fn new(lines: &'l mut Lines<'o>, only: Only, is_partitioned: bool, rows: Option<RowIds>) -> Self {
        Self { lines, finder: Finder::new(only), is_partitioned, rows, without_statistics: 0 }
    }

    /// The row ids as they are now, and how many files have no statistics of their columns.
    pub(super) fn finish(self, read: Result<(), CannotCheck>) -> Result<(Option<RowIds>, u64), CannotCheck> {
        self.finder.finish(read)?;
        Ok((self.rows, self.without_statistics))
    }

    /// Statistics in a struct are those of a checkpoint; of them the number of records is kept, which files with a deletion vector
    /// must have.
    fn statistics(&mut self, add: &mut Object) -> Result<Option<u64>, Unusable> {
        #[derive(serde::Deserialize)]
        struct Parsed {
            #[serde(rename = "numRecords")]
            records: Option<u64>,
        }

        let parsed = add.read::<Parsed>("stats_parsed")?.and_then(|parsed| parsed.records);
        if let Some(stats) = add.read::<String>("stats")? {
            return Ok(stats::num_records(stats.as_bytes()).or(parsed));
        }
        self.without_statistics += 1;
        if let Some(records) = parsed {
            add.put("stats", &format!("{{\"numRecords\":{records}}}"))?;
        }
        Ok(parsed)
    }
}

impl Whole for Adds<'_, '_> {
    fn begin(&mut self, source: u32) -> bool {
        self.finder.begin(source)
    }

    fn looks_at_head(&self) -> bool {
        false
    }

    fn wants(&mut self, add: &Add<'_>) -> Result<bool, Unusable> {
        Ok(self.finder.finds(add))
    }

    fn add(&mut self, mut add: Object) -> Result<(), Unusable> {
        let records = self.statistics(&mut add)?;
        add.remove("stats_parsed");
        add.remove("partitionValues_parsed");
        if add.get("partitionValues").is_none() {
            if self.is_partitioned {
                return Err(Unusable::new("an add has no partitionValues"));
            }
            add.put("partitionValues", &Object::default())?;
        }
        add.put("dataChange", &true)?;
        if let Some(rows) = &mut self.rows {
            rows.assign(&mut add, records)?;
        }
        let given = self.lines.give("add", &add);
        self.finder.keep(given)
    }
}

/// Gives a `remove` for each file that is not live any more.
pub(super) struct Removes<'l, 'o> {
    lines: &'l mut Lines<'o>,
    finder: Finder,
    timestamp_ms: i64,
}

impl<'l, 'o> Removes<'l, 'o> {
    pub(super) fn new(lines: &'l mut Lines<'o>, only: Only, timestamp_ms: i64) -> Self {
        Self { lines, finder: Finder::new(only), timestamp_ms }
    }

    pub(super) fn finish(self, read: Result<(), CannotCheck>) -> Result<(), CannotCheck> {
        self.finder.finish(read)
    }
}

impl Whole for Removes<'_, '_> {
    fn begin(&mut self, source: u32) -> bool {
        self.finder.begin(source)
    }

    fn looks_at_head(&self) -> bool {
        false
    }

    fn wants(&mut self, add: &Add<'_>) -> Result<bool, Unusable> {
        Ok(self.finder.finds(add))
    }

    /// As `AddFile.removeWithTimestamp` of delta-io/delta, without statistics, which nobody needs of a file that is gone.
    fn add(&mut self, add: Object) -> Result<(), Unusable> {
        let mut remove = Object::default();
        let copy = |remove: &mut Object, names: &[&str]| {
            for name in names {
                if let Some(value) = add.get(name) {
                    remove.set(name, value.to_owned());
                }
            }
        };
        copy(&mut remove, &["path"]);
        remove.put("deletionTimestamp", &self.timestamp_ms)?;
        remove.put("dataChange", &true)?;
        remove.put("extendedFileMetadata", &add.get("partitionValues").is_some())?;
        copy(
            &mut remove,
            &["partitionValues", "size", "tags", "deletionVector", "baseRowId", "defaultRowCommitVersion"],
        );
        let given = self.lines.give("remove", &remove);
        self.finder.keep(given)
    }
}
