//! `_last_checkpoint`.
//!
//! PROTOCOL.md of delta-io/delta, "Last Checkpoint File Schema"; `v2Checkpoint` as in `LastCheckpointV2` of delta-io/delta and
//! delta-kernel-rs.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    actions::Unusable,
    commit::count_lines,
    listing::Listing,
    names::{Checkpoint, LOG},
    parquet_file::count_rows,
    reader::{CannotCheck, LogReader, ReadError},
};

/// What readers take from the hint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hint {
    pub(crate) version: u64,
    /// Readers refuse a hint without it.
    size: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    v2_checkpoint: Option<V2>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct V2 {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modification_time: Option<i64>,
}

impl Hint {
    /// The hint, where it can be read: readers pass over one that cannot.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Whether a `_last_checkpoint` keeps nobody from opening the table: readers pass over one that does not parse, and a checkpoint
/// of the version that it names, or of a later one, is complete.
#[must_use]
pub fn hint_is_sound(listing: &Listing, last_checkpoint: &[u8]) -> bool {
    let newest = listing.names().checkpoint_versions().next();
    Hint::parse(last_checkpoint).is_none_or(|hint| newest.is_some_and(|newest| newest >= hint.version))
}

/// The bytes of a `_last_checkpoint` that names the checkpoint of a version: its version, its number of actions, its parts or its
/// name where readers ask for them, and nothing else, so that nothing else can be wrong. None when the listing has no complete
/// checkpoint of that version; whether it can be read is not looked at beyond what is counted.
///
/// # Errors
/// [`CannotCheck`] when the checkpoint cannot be read.
pub fn last_checkpoint_for(
    listing: &Listing,
    reader: &dyn LogReader,
    version: u64,
) -> Result<Option<Bytes>, CannotCheck> {
    let Some(checkpoint) = listing.names().checkpoints_at(version).into_iter().next() else { return Ok(None) };
    let mut size = 0_u64;
    for (path, _) in &checkpoint.files {
        size = size.saturating_add(count(reader, path)?);
    }
    let hint = Hint {
        version,
        size: i64::try_from(size).unwrap_or(i64::MAX),
        parts: u32::try_from(checkpoint.files.len()).ok().filter(|parts| *parts > 1),
        v2_checkpoint: v2(&checkpoint),
    };
    let text = serde_json::to_vec(&hint).map_err(|error| CannotCheck::Caller(error.to_string()))?;
    Ok(Some(text.into()))
}

fn count(reader: &dyn LogReader, path: &str) -> Result<u64, CannotCheck> {
    let bytes = reader.read(path).map_err(|error| match error {
        ReadError::Gone => CannotCheck::Changed { path: path.to_owned() },
        ReadError::Failed(cause) => CannotCheck::Read { path: path.to_owned(), cause },
    })?;
    if path.ends_with(".json") {
        return Ok(count_lines(&bytes));
    }
    count_rows(&bytes).map_err(|Unusable(cause)| CannotCheck::Read { path: path.to_owned(), cause })
}

fn v2(checkpoint: &Checkpoint) -> Option<V2> {
    let (path, file) = checkpoint.files.first().filter(|_| checkpoint.uuid)?;
    let path = path.strip_prefix(LOG)?.to_owned();
    Some(V2 { path, size_in_bytes: Some(file.size), modification_time: file.modified_ms })
}
