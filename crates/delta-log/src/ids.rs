//! Keys as hashes of 128 bits, and the shards of the space of hashes.

use std::hash::{BuildHasher, Hasher};

use twox_hash::XxHash3_128;

/// A hash that stands for a key. Two of 2^40 keys agree with a probability of less than 2^-48.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id {
    high: u64,
    low: u64,
}

/// What is hashed: equal bytes of different kinds have different hashes.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A decoded key below the root.
    Key = 0,
    /// An absolute path as the log has it.
    Absolute = 1,
    /// The unique id of a deletion vector.
    Vector = 2,
}

impl Id {
    #[allow(clippy::cast_possible_truncation, reason = "the halves of 128 bits")]
    pub(crate) fn of(kind: Kind, bytes: &[u8]) -> Self {
        let hash = XxHash3_128::oneshot_with_seed(kind as u64, bytes);
        Self { high: (hash >> 64) as u64, low: hash as u64 }
    }

    /// The hash of a pair, of which the order counts.
    pub(crate) fn with(self, other: Self) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.chunks_exact_mut(8).zip([self.high, self.low, other.high, other.low]) {
            to.copy_from_slice(&from.to_le_bytes());
        }
        Self::of(Kind::Vector, &bytes)
    }

    /// The bits that choose a place in a table of hashes; shards are made of others.
    pub(crate) const fn place(self) -> u64 {
        self.low
    }
}

/// One of equal parts of the space of hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// Shard `index` of `of`; of no shards, all of the space.
    pub(crate) const fn new(index: u32, of: u32) -> Self {
        Self { index, of }
    }

    /// About how many of these it has.
    pub(crate) const fn part_of(self, objects: usize) -> usize {
        objects / if self.of == 0 { 1 } else { self.of as usize }
    }

    pub(crate) const fn has(self, id: Id) -> bool {
        self.of <= 1 || (id.high as u128 * self.of as u128) >> 64 == self.index as u128
    }
}

/// Takes the bits of a hash as they are: they are mixed already.
#[derive(Clone, Copy, Default)]
pub(crate) struct AsIs;

impl BuildHasher for AsIs {
    type Hasher = AsIsHasher;

    fn build_hasher(&self) -> AsIsHasher {
        AsIsHasher(0)
    }
}

/// See [`AsIs`].
pub(crate) struct AsIsHasher(u64);

impl Hasher for AsIsHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hash_is_in_exactly_one_shard() {
        for key in 0..10_000_u32 {
            let id = Id::of(Kind::Key, &key.to_le_bytes());
            assert!(Shard::new(0, 1).has(id));
            assert_eq!((0..7).filter(|&index| Shard::new(index, 7).has(id)).count(), 1);
        }
    }

    #[test]
    fn kinds_do_not_meet() {
        assert_ne!(Id::of(Kind::Key, b"/a"), Id::of(Kind::Absolute, b"/a"));
        let (a, b) = (Id::of(Kind::Key, b"a"), Id::of(Kind::Key, b"b"));
        assert_ne!(a.with(b), b.with(a));
    }
}
