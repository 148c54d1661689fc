//! The live files of a version, and how many of them are not there as they should be.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use crate::{
    actions::{Actions, Add, CommitInfo, Metadata, Protocol, Sidecar, Unusable, file_id, located_id, logical_id},
    ids::{AsIs, Id, Kind, Shard},
    listing::Listing,
    path::{Located, locate},
    vector::{Stored, Vector},
    verdict::MissingWhy,
};

/// The longest path: far above the 1,024 bytes that a key has, escapes included.
const PATH_LIMIT: usize = 1 << 16;
/// The rows of a file that has no statistics.
const UNKNOWN: u64 = u64::MAX;
/// Table ids that are remembered.
const IDS: usize = 4;

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
    rows: u64,
    /// Which file of the log had it: 0 for the checkpoint, then the commits in order.
    pub(crate) source: u32,
    /// Whether its data file is of this shard, so that it is counted here.
    pub(crate) counts: bool,
    in_vector_file: bool,
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
    /// The file as it would be live, and its name; none when no part of it is of this shard.
    pub(crate) fn live(&self, add: &Add<'_>, source: u32) -> Result<Option<(Id, Live)>, Unusable> {
        if add.path.len() > PATH_LIMIT || add.vector.is_some_and(|vector| vector.path.len() > PATH_LIMIT) {
            return Err(Unusable::new(format!("a path has more than {PATH_LIMIT} bytes")));
        }
        let located = locate(add.path);
        let file = located_id(&located);
        let counts = self.shard.has(file);
        let (mut bad, mut absolute) = match &located {
            Located::Relative(key) => (counts && self.listing.size_of(file, key) != Some(add.size), false),
            Located::Absolute(_) => (false, true),
        };
        let mut concerned = counts;
        let mut in_vector_file = false;
        match add.vector.map(|vector| vector.stored()).transpose()? {
            None | Some(Stored::Inline) => {}
            Some(Stored::Absolute(_)) => (absolute, in_vector_file) = (true, true),
            Some(Stored::File { path, end }) => {
                in_vector_file = true;
                let vectors = Id::of(Kind::Key, path.as_bytes());
                if self.shard.has(vectors) {
                    concerned = true;
                    bad |= self.listing.size_of(vectors, path.as_bytes()).is_none_or(|size| size < end);
                }
            }
        }
        let rows = match (add.records, add.vector) {
            (None, _) => UNKNOWN,
            (Some(records), None) => records,
            (Some(records), Some(vector)) => vector.rows().map_or(UNKNOWN, |gone| records.saturating_sub(gone)),
        };
        let live = Live { size: add.size, rows, source, counts, in_vector_file, bad, absolute };
        Ok(concerned.then(|| (logical_id(file, add.vector.as_ref()), live)))
    }

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

/// Counts of live files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    rows: u64,
    without_rows: u64,
    pub(crate) vectors: u64,
    /// Files of which something is not there as it should be.
    pub(crate) bad: u64,
    pub(crate) absolute: u64,
}

impl Counts {
    pub(crate) fn rows(&self) -> Option<u64> {
        (self.without_rows == 0).then_some(self.rows)
    }

    fn count(&mut self, live: &Live, step: impl Fn(&mut u64, u64)) {
        step(&mut self.bad, u64::from(live.bad));
        if live.counts {
            step(&mut self.files, 1);
            step(&mut self.bytes, live.size);
            if live.rows == UNKNOWN {
                step(&mut self.without_rows, 1)
            } else {
                step(&mut self.rows, live.rows)
            }
            step(&mut self.vectors, u64::from(live.in_vector_file));
            step(&mut self.absolute, u64::from(live.absolute));
        }
    }

    /// The counts of two shards together.
    pub(crate) fn plus(mut self, other: &Self) -> Self {
        let pairs = [
            (&mut self.files, other.files),
            (&mut self.bytes, other.bytes),
            (&mut self.rows, other.rows),
            (&mut self.without_rows, other.without_rows),
            (&mut self.vectors, other.vectors),
            (&mut self.bad, other.bad),
            (&mut self.absolute, other.absolute),
        ];
        for (ours, theirs) in pairs {
            *ours = ours.wrapping_add(theirs);
        }
        self
    }
}

/// What a commit does, ready to be done: nothing of it is done unless all of it can be read.
pub(crate) struct Commit<'a> {
    presence: Presence<'a>,
    source: u32,
    removes: Vec<Id>,
    adds: Vec<(Id, Live)>,
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    pub(crate) info: CommitInfo,
}

impl<'a> Commit<'a> {
    pub(crate) const fn new(presence: Presence<'a>, source: u32) -> Self {
        Self {
            presence,
            source,
            removes: Vec::new(),
            adds: Vec::new(),
            protocol: None,
            metadata: None,
            info: CommitInfo { timestamp: None, in_commit_timestamp: None },
        }
    }
}

impl Actions for Commit<'_> {
    fn add(&mut self, add: &Add<'_>) -> Result<(), Unusable> {
        self.adds.extend(self.presence.live(add, self.source)?);
        Ok(())
    }

    fn remove(&mut self, path: &str, vector: Option<&Vector<'_>>) -> Result<(), Unusable> {
        self.removes.push(logical_id(file_id(path).0, vector));
        Ok(())
    }

    fn protocol(&mut self, protocol: Protocol) {
        self.protocol = Some(protocol);
    }

    fn metadata(&mut self, metadata: Metadata) {
        self.metadata = Some(metadata);
    }

    fn commit_info(&mut self, info: CommitInfo) {
        self.info = info;
    }
}

/// The state of a table at a version, or the part of it that a shard has.
pub(crate) struct State<'a> {
    presence: Presence<'a>,
    live: HashMap<Id, Live, AsIs>,
    pub(crate) counts: Counts,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) metadata: Option<Metadata>,
    /// The ids of all metadata that were met.
    pub(crate) ids: BTreeSet<String>,
    /// Of the checkpoint that is being read.
    pub(crate) sidecars: Vec<Sidecar>,
}

impl<'a> State<'a> {
    pub(crate) fn new(presence: Presence<'a>) -> Self {
        Self {
            presence,
            live: HashMap::default(),
            counts: Counts::default(),
            protocol: None,
            metadata: None,
            ids: BTreeSet::new(),
            sidecars: Vec::new(),
        }
    }

    pub(crate) const fn presence(&self) -> Presence<'a> {
        self.presence
    }

    /// Whether a reader finds what it cannot do without.
    pub(crate) const fn is_loadable(&self) -> bool {
        self.protocol.is_some() && self.metadata.is_some()
    }

    /// Whether nothing of what is live is missing or elsewhere.
    pub(crate) const fn is_whole(&self) -> bool {
        self.is_loadable() && self.counts.bad == 0 && self.counts.absolute == 0
    }

    pub(crate) fn live_files(&self) -> usize {
        self.live.len()
    }

    /// The live files by their names.
    pub(crate) fn live(&self) -> impl Iterator<Item = (&Id, &Live)> {
        self.live.iter()
    }

    /// A live file by its name.
    pub(crate) fn get(&self, id: Id) -> Option<&Live> {
        self.live.get(&id)
    }

    /// The live file that this `add` of that file of the log made.
    pub(crate) fn made_by(&self, add: &Add<'_>, source: u32) -> Option<&Live> {
        let live = self.live.get(&logical_id(file_id(add.path).0, add.vector.as_ref()))?;
        (live.source == source && live.size == add.size).then_some(live)
    }

    /// Does a commit: what it removes, then what it adds. So a file that a commit removes and adds again, with another deletion
    /// vector or with none, is live.
    pub(crate) fn apply(&mut self, commit: Commit<'_>) {
        for id in commit.removes {
            if let Some(live) = self.live.remove(&id) {
                self.counts.count(&live, |count, by| *count = count.wrapping_sub(by));
            }
        }
        for (id, live) in commit.adds {
            self.insert(id, live);
        }
        if let Some(protocol) = commit.protocol {
            self.protocol(protocol);
        }
        if let Some(metadata) = commit.metadata {
            self.metadata(metadata);
        }
    }

    fn insert(&mut self, id: Id, live: Live) {
        if let Some(before) = self.live.insert(id, live) {
            self.counts.count(&before, |count, by| *count = count.wrapping_sub(by));
        }
        self.counts.count(&live, |count, by| *count = count.wrapping_add(by));
    }
}

/// A checkpoint is read right into the state.
impl Actions for State<'_> {
    fn add(&mut self, add: &Add<'_>) -> Result<(), Unusable> {
        if let Some((id, live)) = self.presence.live(add, 0)? {
            self.insert(id, live);
        }
        Ok(())
    }

    fn protocol(&mut self, protocol: Protocol) {
        self.protocol = Some(protocol);
    }

    fn metadata(&mut self, metadata: Metadata) {
        if let Some(id) = metadata.id.as_ref().filter(|_| self.ids.len() < IDS) {
            self.ids.insert(id.clone());
        }
        self.metadata = Some(metadata);
    }

    fn sidecar(&mut self, sidecar: Sidecar) {
        self.sidecars.push(sidecar);
    }
}
