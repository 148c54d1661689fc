//! Whether files are there: what an `add` makes live, held against the listing.

use std::borrow::Cow;

use crate::{
    actions::{Actions, Add, Unusable, located_id, logical_id},
    ids::{Id, Kind, Shard},
    listing::Listing,
    path::{Located, locate},
    vector::Stored,
    verdict::MissingWhy,
};

/// Files that are looked up together.
const TOGETHER: usize = 512;
/// The longest path: far above the 1,024 bytes that a key has, escapes included.
const PATH_LIMIT: usize = 1 << 16;
/// The rows of a file that has no statistics.
pub(crate) const UNKNOWN: u64 = u64::MAX;
/// Looks files up: all of them, or those of one shard.
#[derive(Clone, Copy)]
pub(crate) struct Presence<'a> {
    pub(crate) listing: &'a Listing,
    pub(crate) shard: Shard,
}

/// A live logical file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) size: u64,
    pub(crate) rows: u64,
    /// Which file of the log had it: 0 for the checkpoint, then the commits in order.
    pub(crate) source: u32,
    /// Whether its data file is of this shard, so that it is counted here.
    pub(crate) counts: bool,
    pub(crate) in_vector_file: bool,
    pub(crate) bad: bool,
    pub(crate) absolute: bool,
}

/// What an `add` names, with what of it is not there as it should be.
pub(crate) struct Named<'a> {
    pub(crate) path: Cow<'a, str>,
    pub(crate) id: Id,
    pub(crate) is_vector: bool,
    pub(crate) why: Option<MissingWhy>,
    /// Bytes that it should have; at least, for a file of deletion vectors.
    pub(crate) want: u64,
    pub(crate) have: Option<u64>,
}

impl<'a> Presence<'a> {
    /// The objects that an `add` names below the table's root and that are of this shard, each with what is wrong with it.
    pub(crate) fn named<'p>(&self, add: &Add<'p>) -> Result<Vec<Named<'p>>, Unusable> {
        let mut named = Vec::with_capacity(2);
        if let Located::Relative(key) = locate(add.path) {
            let id = Id::of(Kind::Key, &key);
            let have = self.listing.size_of(id, &key);
            let why = match have {
                None => Some(MissingWhy::Absent),
                Some(have) => (have != add.size).then_some(MissingWhy::Size),
            };
            named.push(Named { path: into_text(key), id, is_vector: false, why, want: add.size, have });
        }
        if let Some(Stored::File { path, end }) = add.vector.map(|vector| vector.stored()).transpose()? {
            let id = Id::of(Kind::Key, path.as_bytes());
            let have = self.listing.size_of(id, path.as_bytes());
            let why = match have {
                None => Some(MissingWhy::DvAbsent),
                Some(have) => (have < end).then_some(MissingWhy::DvShort),
            };
            named.push(Named { path: path.into(), id, is_vector: true, why, want: end, have });
        }
        named.retain(|named| self.shard.has(named.id));
        Ok(named)
    }
}

/// A key that is no UTF-8 is none of S3's: what it shows as matters to people only.
fn into_text(key: Cow<'_, [u8]>) -> Cow<'_, str> {
    match key {
        Cow::Borrowed(key) => String::from_utf8_lossy(key),
        Cow::Owned(key) => String::from_utf8(key)
            .map_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned().into(), Cow::Owned),
    }
}

/// Files as they would be live, with their names, of `add`s that were given one by one.
///
/// Each lookup waits for memory. Lookups that follow each other at once wait together, so they are put off until there are
/// [`TOGETHER`], or until the file of the log ends.
pub(crate) struct Batch<'a> {
    presence: Presence<'a>,
    source: u32,
    found: Vec<(Id, Live)>,
    /// What the listing knows the data files by that were not looked up yet, and their places in `found`.
    sought: Vec<Id>,
    places: Vec<usize>,
    sizes: Vec<Option<u64>>,
}

impl<'a> Batch<'a> {
    pub(crate) const fn new(presence: Presence<'a>, source: u32) -> Self {
        Self { presence, source, found: Vec::new(), sought: Vec::new(), places: Vec::new(), sizes: Vec::new() }
    }

    /// All files that were given; none of them is here any more.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (Id, Live)> {
        self.look_up();
        self.found.drain(..)
    }

    /// Whether it is time to [`Self::drain`], where memory is not to hold them all.
    pub(crate) const fn is_full(&self) -> bool {
        self.found.len() >= TOGETHER
    }

    fn look_up(&mut self) {
        self.presence.listing.sizes_of(&self.sought, &mut self.sizes);
        for (place, size) in self.places.drain(..).zip(self.sizes.drain(..)) {
            if let Some((_, live)) = self.found.get_mut(place) {
                live.bad |= size != Some(live.size);
            }
        }
        self.sought.clear();
    }
}

impl Actions for Batch<'_> {
    /// Takes the file in, unless no part of it is of this shard.
    fn add(&mut self, add: &Add<'_>) -> Result<(), Unusable> {
        if add.path.len() > PATH_LIMIT || add.vector.is_some_and(|vector| vector.path.len() > PATH_LIMIT) {
            return Err(Unusable::new(format!("a path has more than {PATH_LIMIT} bytes")));
        }
        let Presence { listing, shard } = self.presence;
        let located = locate(add.path);
        let file = located_id(&located);
        let counts = shard.has(file);
        let (mut bad, mut concerned, mut in_vector_file) = (false, counts, false);
        let mut absolute = matches!(located, Located::Absolute(_));
        match add.vector.map(|vector| vector.stored()).transpose()? {
            None | Some(Stored::Inline) => {}
            Some(Stored::Absolute(_)) => (absolute, in_vector_file) = (true, true),
            Some(Stored::File { path, end }) => {
                in_vector_file = true;
                let vectors = Id::of(Kind::Key, path.as_bytes());
                if shard.has(vectors) {
                    concerned = true;
                    bad = listing.size_of(vectors, path.as_bytes()).is_none_or(|size| size < end);
                }
            }
        }
        if !concerned {
            return Ok(());
        }
        if let Located::Relative(key) = &located
            && counts
        {
            self.sought.push(listing.id_of(file, key));
            self.places.push(self.found.len());
        }
        let rows = match (add.records, add.vector) {
            (None, _) => UNKNOWN,
            (Some(records), None) => records,
            (Some(records), Some(vector)) => vector.rows().map_or(UNKNOWN, |gone| records.saturating_sub(gone)),
        };
        let live = Live { size: add.size, rows, source: self.source, counts, in_vector_file, bad, absolute };
        self.found.push((logical_id(file, add.vector.as_ref()), live));
        if self.sought.len() >= TOGETHER {
            self.look_up();
        }
        Ok(())
    }

    fn end_of_file(&mut self) {
        self.look_up();
    }
}
