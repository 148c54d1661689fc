//! The live data files of a version.

use std::collections::HashSet;

use crate::{
    actions::{Add, Unusable, file_id, logical_id},
    at_version::by_shards,
    ids::{AsIs, Id},
    listing::Listing,
    path::{Located, locate},
    reader::{CannotCheck, LogReader, Options},
    replay::{Replay, Segment},
    state::State,
};

/// A live logical file of a version: a data file, less the rows that a deletion vector takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFile {
    /// Its key below the table's root, decoded.
    pub path: String,
    /// Its bytes, as the log has them.
    pub size: u64,
    /// The rows in it by its statistics, those that are deleted included; none where it has no statistics.
    pub records: Option<u64>,
    /// Rows that its deletion vector takes away.
    pub deleted: u64,
}

/// Gives every live data file of a version, in no order. Whether it is there is not looked at.
///
/// # Errors
/// [`CannotCheck`] when the log cannot be read or changes meanwhile, when the version cannot be loaded or has files that are not below
/// the table's root, and what `take` returns.
pub fn live_files(
    listing: &Listing,
    reader: &dyn LogReader,
    options: &Options,
    version: u64,
    take: &mut dyn FnMut(LiveFile) -> Result<(), CannotCheck>,
) -> Result<(), CannotCheck> {
    let give = &mut |replay: &Replay<'_>, segment: &Segment, state: &State<'_>| give(replay, segment, state, take);
    by_shards(listing, reader, options, version, give).map(drop)
}

fn give(
    replay: &Replay<'_>,
    segment: &Segment,
    state: &State<'_>,
    take: &mut dyn FnMut(LiveFile) -> Result<(), CannotCheck>,
) -> Result<(), CannotCheck> {
    let mut given: HashSet<Id, AsIs> = HashSet::default();
    let mut refused = None;
    let mut on_add = |add: &Add<'_>, source: u32| -> Result<(), Unusable> {
        // A file whose deletion vector alone is of this shard is given by another one.
        let counts = state.made_by(add, source).is_some_and(|live| live.counts);
        if !counts || refused.is_some() || !given.insert(logical_id(file_id(add.path).0, add.vector.as_ref())) {
            return Ok(());
        }
        match live(add) {
            Ok(file) => refused = take(file).err(),
            Err(why) => refused = Some(CannotCheck::Caller(why)),
        }
        Ok(())
    };
    replay.again(segment, &mut on_add)?;
    refused.map_or(Ok(()), Err)
}

fn live(add: &Add<'_>) -> Result<LiveFile, String> {
    let Located::Relative(key) = locate(add.path) else {
        return Err(format!("the file {:?} is not below the table's root", add.path));
    };
    let deleted = match add.vector {
        None => 0,
        Some(vector) => vector
            .rows()
            .ok_or_else(|| format!("the deletion vector of {:?} takes a negative number of rows away", add.path))?,
    };
    let path = String::from_utf8_lossy(&key).into_owned();
    Ok(LiveFile { path, size: add.size, records: add.records, deleted })
}
