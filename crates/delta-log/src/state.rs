//! The live files of a version, and how many of them are not there as they should be.

use std::{collections::BTreeSet, mem};

use indexmap::IndexMap;

use crate::{
    actions::{Actions, Add, CommitInfo, Metadata, Protocol, Sidecar, Unusable, file_id, logical_id},
    ids::{AsIs, Id},
    presence::{Batch, Live, Presence, UNKNOWN},
    vector::Vector,
};

/// Table ids that are remembered.
const IDS: usize = 4;

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
    removes: Vec<Id>,
    adds: Batch<'a>,
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    pub(crate) info: CommitInfo,
}

impl<'a> Commit<'a> {
    pub(crate) const fn new(presence: Presence<'a>, source: u32) -> Self {
        Self {
            removes: Vec::new(),
            adds: Batch::new(presence, source),
            protocol: None,
            metadata: None,
            info: CommitInfo { timestamp: None, in_commit_timestamp: None },
        }
    }
}

impl Actions for Commit<'_> {
    fn add(&mut self, add: &Add<'_>) -> Result<(), Unusable> {
        self.adds.add(add)
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

    fn end_of_file(&mut self) {
        self.adds.end_of_file();
    }
}

/// The state of a table at a version, or the part of it that a shard has.
pub(crate) struct State<'a> {
    presence: Presence<'a>,
    live: IndexMap<Id, Live, AsIs>,
    /// Of the checkpoint that is being read.
    given: Batch<'a>,
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
            live: IndexMap::default(),
            given: Batch::new(presence, 0),
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
    pub(crate) fn apply(&mut self, mut commit: Commit<'_>) {
        for id in commit.removes {
            if let Some(live) = self.live.swap_remove(&id) {
                self.counts.count(&live, |count, by| *count = count.wrapping_sub(by));
            }
        }
        for (id, live) in commit.adds.drain() {
            self.insert(id, live);
        }
        if let Some(protocol) = commit.protocol {
            self.protocol(protocol);
        }
        if let Some(metadata) = commit.metadata {
            self.metadata(metadata);
        }
    }

    fn settle(&mut self) {
        let mut given = mem::replace(&mut self.given, Batch::new(self.presence, 0));
        self.take_in(&mut given);
        self.given = given;
    }

    /// Takes in files of a checkpoint.
    pub(crate) fn take_in(&mut self, batch: &mut Batch<'_>) {
        for (id, live) in batch.drain() {
            self.insert(id, live);
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
        self.given.add(add)?;
        if self.given.is_full() {
            self.settle();
        }
        Ok(())
    }

    fn expect(&mut self, adds: usize) {
        // What a file says of itself is believed as far as the listing bears it out.
        let Presence { listing, shard } = self.presence;
        let adds = adds.min(usize::try_from(listing.objects()).unwrap_or(usize::MAX));
        // Some more, so that the commits behind the checkpoint mostly find room.
        self.live.reserve(shard.part_of(adds + adds / 8));
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

    fn end_of_file(&mut self) {
        self.settle();
    }
}
