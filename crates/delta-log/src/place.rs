//! Tables of a place that is listed once for all of them.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    ids::{Id, Kind},
    listing::Listing,
    names::{LOG, LogFile, LogName, Names, root_of},
    objects::Objects,
};

/// Everything in a place, fed from one listing in any order, of which every table gets its own [`Listing`]: nobody has to know
/// beforehand where tables are. Memory as of a `Listing` with all objects of the place.
#[derive(Debug, Default)]
pub struct PlaceListing {
    objects: Objects,
    tables: BTreeMap<String, Names>,
}

impl PlaceListing {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in an object, see [`Listing::push`]; the key is the one below the place.
    pub fn push(&mut self, key: &str, size: u64, last_modified_ms: Option<i64>) {
        if let Some(root) = root_of(key) {
            if !self.tables.contains_key(root) {
                self.tables.insert(root.to_owned(), Names::default());
            }
            let below = if root.is_empty() { 0 } else { root.len() + 1 };
            let name = key.get(below + LOG.len()..).and_then(LogName::parse);
            if let (Some(names), Some(name)) = (self.tables.get_mut(root), name) {
                names.insert(name, LogFile { size, modified_ms: last_modified_ms });
            }
        }
        self.objects.push(Id::of(Kind::Key, key.as_bytes()), size);
    }

    /// Objects that were given to it.
    #[must_use]
    pub const fn objects(&self) -> usize {
        self.objects.len()
    }

    /// The roots of the tables that were found so far.
    pub fn into_roots(self) -> impl Iterator<Item = String> {
        self.tables.into_keys()
    }

    /// The tables that were found, by their roots as [`root_of`] has them. All listings share one memory.
    pub fn into_tables(self) -> impl Iterator<Item = (String, Listing)> {
        let objects = Arc::new(self.objects);
        self.tables.into_iter().map(move |(root, names)| {
            let listing = Listing::of_shared(&root, Arc::clone(&objects), names);
            (root, listing)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tables_of_a_place_have_what_listings_of_their_own_have(
            keys in prop::collection::btree_map("([ab]/){0,2}(_delta_log/0000000000000000000[0-3]\\.json|[a-c])", 0..9_u64, 0..40)
        ) {
            let mut place = PlaceListing::new();
            for (key, size) in &keys {
                place.push(key, *size, Some(7));
            }
            let roots: std::collections::BTreeSet<_> = keys.keys().filter_map(|key| root_of(key)).map(str::to_owned).collect();
            let tables: BTreeMap<_, _> = place.into_tables().collect();
            prop_assert_eq!(tables.keys().cloned().collect::<std::collections::BTreeSet<_>>(), roots);
            for (root, table) in tables {
                let below = if root.is_empty() { String::new() } else { format!("{root}/") };
                let mut own = Listing::new();
                for (key, size) in &keys {
                    if let Some(key) = key.strip_prefix(&below) {
                        own.push(key, *size, Some(7));
                    }
                }
                prop_assert_eq!(table.names().latest(), own.names().latest());
                prop_assert_eq!(table.names().commits(), own.names().commits());
                for key in keys.keys().filter_map(|key| key.strip_prefix(&below)).chain(["x"]) {
                    prop_assert_eq!(table.size_at(key), own.size_at(key), "{}", key);
                }
            }
        }
    }
}
