//! The files that one of two versions has alone.

use std::collections::HashMap;

use super::{RestoredFiles, refused};
use crate::{
    assess::{ending_at, in_shards},
    at_version::not_loadable,
    ids::{AsIs, Id, Shard},
    listing::Listing,
    names::LOG,
    presence::{Live, Presence},
    reader::{CannotCheck, LogReader, Options},
    replay::{Replay, Segment, Stop},
    state::State,
};

/// Files that only one of the versions has: by which file of the log they were added, and their sizes.
pub(super) type Only = HashMap<Id, (u32, u64), AsIs>;

/// One of the versions.
pub(super) struct Side {
    pub(super) version: u64,
    pub(super) segment: Segment,
    /// All of its live files.
    pub(super) all: RestoredFiles,
    pub(super) only: Only,
    /// Those of `only` that are somewhere else.
    absolute: u64,
}

/// Both versions.
pub(super) struct Difference {
    pub(super) from: Side,
    pub(super) to: Side,
}

impl Side {
    fn new(version: u64, segment: Segment) -> Self {
        Self { version, segment, all: RestoredFiles::default(), only: Only::default(), absolute: 0 }
    }

    /// Takes in a shard: the files of ours that theirs does not have, by what tells whether it has them.
    fn take(&mut self, ours: &State<'_>, theirs_has: impl Fn(Id, &Live) -> bool) {
        self.all.files = self.all.files.saturating_add(ours.counts.files);
        self.all.bytes = self.all.bytes.saturating_add(ours.counts.bytes);
        for (id, live) in ours.live().filter(|(id, live)| live.counts && !theirs_has(**id, live)) {
            let Live { source, size, absolute, .. } = *live;
            self.only.insert(*id, (source, size));
            self.absolute += u64::from(absolute);
        }
    }

    pub(super) fn only_files(&self) -> RestoredFiles {
        let bytes = self.only.values().fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
        RestoredFiles { files: self.only.len() as u64, bytes }
    }

    fn is_of(&self, segment: &Segment) -> bool {
        self.segment.base_version() == segment.base_version() && self.segment.commits == segment.commits
    }
}

impl Difference {
    /// Files that are elsewhere may stay, but neither come back nor go: they may be those of another table.
    pub(super) fn check_paths(&self) -> Result<(), CannotCheck> {
        let (back, gone) = (self.to.absolute, self.from.absolute);
        if back + gone == 0 {
            return Ok(());
        }
        Err(refused(format!(
            "it would get back {back} files at absolute paths and lose {gone}, which may be those of another table; roll it back \
             where it was cloned, with its own tools"
        )))
    }
}

/// The difference of two versions; of tables of many files, shard by shard.
pub(super) fn between(
    listing: &Listing,
    reader: &dyn LogReader,
    options: &Options,
    from: u64,
    to: u64,
) -> Result<Difference, CannotCheck> {
    // Two versions are held at once.
    let halved = options.clone().with_shard_objects(options.shard_objects.div_ceil(2));
    in_shards(listing, &halved, |count, limit| {
        let mut found: Option<Difference> = None;
        for index in 0..count {
            let presence = Presence { listing, shard: Shard::new(index, count) };
            let mut replay = Replay::new(listing.names(), reader, options);
            replay.live_limit = limit;
            let (old_segment, old) = load(&mut replay, from, presence)?;
            let (new_segment, new) = load(&mut replay, to, presence)?;
            let difference = match &mut found {
                Some(found) if found.from.is_of(&old_segment) && found.to.is_of(&new_segment) => found,
                Some(_) => return Err(CannotCheck::Changed { path: LOG.to_owned() }.into()),
                None => found.insert(Difference { from: Side::new(from, old_segment), to: Side::new(to, new_segment) }),
            };
            difference.from.take(&old, |id, _| new.get(id).is_some());
            // A file of another size is another one, although that should not be; it takes the place of the one there.
            difference.to.take(&new, |id, live| old.get(id).is_some_and(|there| there.size == live.size));
        }
        found.ok_or_else(|| CannotCheck::Caller("no shards were given".to_owned()).into())
    })
}

fn load<'p>(replay: &mut Replay<'_>, version: u64, presence: Presence<'p>) -> Result<(Segment, State<'p>), Stop> {
    ending_at(replay, version, presence)?.ok_or_else(|| not_loadable(version, replay).into())
}
