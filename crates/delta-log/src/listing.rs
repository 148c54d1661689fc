//! What is below a table's root.

use std::sync::Arc;

use crate::{
    ids::{Id, Kind, Shard},
    names::{LOG, LogFile, LogName, Names},
    objects::Objects,
};

/// What is below a table's root, fed from a listing in any order.
///
/// The log's commits and checkpoints are kept by name, everything else as a hash of its key and its size: 24 bytes an object, and
/// about 8 more once it has been looked at. Feed every object below the root, those of tables further below included: nothing
/// forbids a table to have files there.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    objects: Arc<Objects>,
    /// What the keys of the objects begin with that is not of the table: of a listing that tables share, the table's root.
    below: Box<str>,
    names: Names,
    shard: Option<Shard>,
    pushed: u64,
}

impl Listing {
    /// An empty listing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A listing that keeps one of `of` equal shares of the data files, and all of the log; for
    /// [`verdict_by_shards`](crate::verdict_by_shards) and [`lacking`](crate::lacking).
    #[must_use]
    pub fn for_shard(index: u32, of: u32) -> Self {
        Self { shard: Some(Shard::new(index, of)), ..Self::default() }
    }

    /// The listing of a table at `root` of which the objects are among those of others.
    pub(crate) fn of_shared(root: &str, objects: Arc<Objects>, names: Names) -> Self {
        let below = if root.is_empty() { Box::default() } else { format!("{root}/").into() };
        let pushed = objects.len() as u64;
        Self { objects, below, names, shard: None, pushed }
    }

    /// Takes in an object: its key below the root, decoded, without a slash in front; its bytes; when it was last changed, in
    /// milliseconds since 1970, where that is known. Of an object that is given twice the later one counts.
    pub fn push(&mut self, relative_key: &str, size: u64, last_modified_ms: Option<i64>) {
        self.pushed += 1;
        let in_log = relative_key.strip_prefix(LOG);
        if let Some(name) = in_log.and_then(LogName::parse) {
            self.names.insert(name, LogFile { size, modified_ms: last_modified_ms });
        }
        let id = self.id(relative_key.as_bytes());
        if in_log.is_some() || self.shard.is_none_or(|shard| shard.has(id)) {
            Arc::make_mut(&mut self.objects).push(id, size);
        }
    }

    /// Takes in all of another listing of the same table.
    pub fn merge(&mut self, other: Self) {
        Arc::make_mut(&mut self.objects).extend(&other.objects);
        self.names.merge(other.names);
        self.pushed += other.pushed;
    }

    /// Objects that were given to it, whether it keeps them or not; of a listing that tables share, those of all.
    #[must_use]
    pub const fn objects(&self) -> u64 {
        self.pushed
    }

    /// Bytes in memory, about.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.objects.memory() + self.names.memory()
    }

    /// The greatest version that a commit or a checkpoint names; none when none does.
    #[must_use]
    pub fn latest_version(&self) -> Option<u64> {
        self.names().latest()
    }

    /// The bytes of the object at a key below the root, when it is there and kept.
    #[must_use]
    pub fn size_at(&self, relative_key: &str) -> Option<u64> {
        self.size_of(Id::of(Kind::Key, relative_key.as_bytes()), relative_key.as_bytes())
    }

    /// Objects that are kept of the table; of a listing that tables share, nobody knows before the log is read.
    pub(crate) fn kept(&self) -> usize {
        if self.below.is_empty() { self.objects.len() } else { 0 }
    }

    /// Whether there are more objects than the index has numbers for.
    pub(crate) fn is_too_large(&self) -> bool {
        u32::try_from(self.objects.len()).is_err()
    }

    /// The share of the data files that it keeps.
    pub(crate) fn shard(&self) -> Shard {
        self.shard.unwrap_or(Shard::new(0, 1))
    }

    pub(crate) const fn names(&self) -> &Names {
        &self.names
    }

    /// The size of the object of this key below the root, when it is there; `id` is the key's.
    pub(crate) fn size_of(&self, id: Id, relative_key: &[u8]) -> Option<u64> {
        self.objects.size_of(self.id_of(id, relative_key))
    }

    /// What [`Self::sizes_of`] asks for, of the object of this key below the root; `id` is the key's.
    pub(crate) fn id_of(&self, id: Id, relative_key: &[u8]) -> Id {
        if self.below.is_empty() { id } else { self.id(relative_key) }
    }

    /// Appends the size of each object to `sizes`, where it is there.
    pub(crate) fn sizes_of(&self, ids: &[Id], sizes: &mut Vec<Option<u64>>) {
        self.objects.sizes_of(ids, sizes);
    }

    /// What the key is known by among the objects.
    fn id(&self, relative_key: &[u8]) -> Id {
        if self.below.is_empty() {
            Id::of(Kind::Key, relative_key)
        } else {
            Id::of(Kind::Key, &[self.below.as_bytes(), relative_key].concat())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn listing_has_what_a_map_has(objects in prop::collection::vec(("[a-d]{1,4}", 0..9_u64), 0..200)) {
            let mut listing = Listing::new();
            let mut other = Listing::new();
            for (number, (key, size)) in objects.iter().enumerate() {
                if number < objects.len() / 2 { &mut listing } else { &mut other }.push(key, *size, None);
            }
            listing.merge(other);
            let map: HashMap<_, _> = objects.iter().cloned().collect();
            for key in map.keys().map(String::as_str).chain(["x", ""]) {
                prop_assert_eq!(listing.size_at(key), map.get(key).copied());
            }
            prop_assert_eq!(listing.objects(), objects.len() as u64);
        }
    }

    #[test]
    fn shards_share_the_data_and_have_all_of_the_log() {
        let mut shards: Vec<_> = (0..3).map(|index| Listing::for_shard(index, 3)).collect();
        for shard in &mut shards {
            for number in 0..1000 {
                shard.push(&format!("part-{number}"), 1, None);
            }
            shard.push("_delta_log/00000000000000000000.json", 1, None);
        }
        assert_eq!(shards.iter().map(Listing::kept).sum::<usize>(), 1000 + 3);
        assert!(shards.iter().all(|shard| shard.names().latest() == Some(0) && shard.kept() > 250));
    }

    #[test]
    fn memory_is_within_what_is_promised() {
        let mut listing = Listing::new();
        for number in 0..100_000 {
            listing.push(&format!("part-{number}"), 1, None);
        }
        assert_eq!(listing.size_at("x"), None);
        assert!(listing.memory() / 100_000 < 48, "{}", listing.memory());
    }
}
