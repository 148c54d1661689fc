//! What a version needs and another place has not.

use crate::{
    assess::ending_at,
    at_version::{Need, give_data, give_log, not_loadable, stopped},
    listing::Listing,
    presence::Presence,
    reader::{CannotCheck, LogReader, Options},
    replay::Replay,
};

/// Gives what a version of a table needs and a copy of the table lacks: `log` lists the table, of which only the log is looked at,
/// and `reader` reads that log; `copy` lists the copy, or a share of it made with [`Listing::for_shard`]. Then data files of that share
/// are given, each of them once and in no order, and all that the copy lacks of the log after them, in the order in which it may be
/// written. A data file of another size counts as lacking, a file of deletion vectors that is too short, and a file of the log of
/// another size.
///
/// Memory holds the live files of the share.
///
/// # Errors
/// [`CannotCheck`] when the log cannot be read or changes meanwhile, when the version cannot be loaded, and what `take` returns.
pub fn lacking(
    log: &Listing,
    copy: &Listing,
    reader: &dyn LogReader,
    options: &Options,
    version: u64,
    take: &mut dyn FnMut(Need<'_>) -> Result<(), CannotCheck>,
) -> Result<(), CannotCheck> {
    let mut replay = Replay::new(log.names(), reader, options);
    let presence = Presence { listing: copy, shard: copy.shard() };
    let found = ending_at(&mut replay, version, presence).map_err(stopped)?;
    let (segment, state) = found.ok_or_else(|| not_loadable(version, &replay))?;
    give_data(&replay, &segment, &state, |named| named.why.is_some(), take)?;
    let mut lacks = |need: Need<'_>| match copy.size_at(need.path) {
        Some(size) if Some(size) == need.size => Ok(()),
        _ => take(need),
    };
    give_log(&replay, &segment, &mut lacks)
}
