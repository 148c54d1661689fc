//! The version that a table had at a time.

use crate::{
    listing::Listing,
    reader::{CannotCheck, LogReader, Options},
    replay::Replay,
};

/// The greatest version that was committed at `at_ms`, in milliseconds since 1970, or before; none when the log begins later.
///
/// A commit's time is its in-commit timestamp where it has one, else `commitInfo.timestamp`, else the time at which its object was
/// last changed. Times are taken to grow with the versions, as writers see to (PROTOCOL.md of delta-io/delta, "In-Commit
/// Timestamps"; `DeltaHistoryManager` for tables without them), so that few commits are read of a long log. A commit of which no
/// time is known counts as an early one.
///
/// # Errors
/// [`CannotCheck`] when the log cannot be read.
pub fn version_as_of(
    listing: &Listing,
    reader: &dyn LogReader,
    options: &Options,
    at_ms: i64,
) -> Result<Option<u64>, CannotCheck> {
    let replay = Replay::new(listing.names(), reader, options);
    let commits: Vec<u64> = listing.names().commits().keys().copied().collect();
    let (mut low, mut high) = (0, commits.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let Some(version) = commits.get(middle) else { break };
        if replay.commit_time(*version)?.is_none_or(|time| time <= at_ms) { low = middle + 1 } else { high = middle }
    }
    Ok(low.checked_sub(1).and_then(|index| commits.get(index)).copied())
}
