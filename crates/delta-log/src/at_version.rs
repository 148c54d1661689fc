//! The same questions about one version.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{
    actions::{Add, Unusable},
    assess::{ending_at, facts, in_shards},
    features,
    ids::{AsIs, Id, Shard},
    latest::Detail,
    listing::Listing,
    names::commit_path,
    presence::{Named, Presence},
    reader::{CannotCheck, LogReader, Options},
    replay::{Replay, Segment, Stop},
    state::State,
    verdict::{Absolute, Missing, MissingObject, VersionFacts},
};

/// What the listed bytes prove about one version of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtVersion {
    /// The version.
    pub version: u64,
    /// Whether it is wholly there, by the rule of [`verdict`](crate::verdict).
    pub whole: bool,
    /// Its facts; absent when it cannot be loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<VersionFacts>,
    /// What it lacks: the first ones by key.
    pub missing: Vec<MissingObject>,
    /// Counts of all that it lacks.
    pub missing_in_all: Missing,
    /// Where its files at absolute paths are; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute: Option<Absolute>,
    /// The features that readers of it must know and that are not known here.
    pub unsupported: Vec<String>,
    /// Whether a catalog decides about the table's commits.
    pub catalog_managed: bool,
    /// What else somebody should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Whether one version of a table is wholly there; a version that cannot be loaded is not, and has no facts.
///
/// # Errors
/// [`CannotCheck`] when the log cannot be read, or changes meanwhile.
pub fn at_version(
    listing: &Listing,
    reader: &dyn LogReader,
    options: &Options,
    version: u64,
) -> Result<AtVersion, CannotCheck> {
    in_shards(listing, options, |count, limit| {
        let mut replay = Replay::new(listing.names(), reader, options);
        replay.live_limit = limit;
        let mut joined: Option<Detail> = None;
        for index in 0..count {
            let presence = Presence { listing, shard: Shard::new(index, count) };
            let Some((segment, state)) = ending_at(&mut replay, version, presence)? else { break };
            match (&mut joined, Detail::of(&replay, &segment, &state)?) {
                (Some(joined), Some(detail)) => joined.join(detail, options),
                (joined, detail) => *joined = detail,
            }
        }
        let facts = joined
            .as_ref()
            .map(|detail| facts(&replay, version, detail.base, detail.time, &detail.counts))
            .transpose()?;
        Ok(AtVersion {
            version,
            whole: joined.as_ref().is_some_and(Detail::is_whole),
            facts,
            absolute: joined.as_ref().and_then(Detail::absolute),
            unsupported: joined.as_ref().map(|detail| features::unsupported(&detail.protocol)).unwrap_or_default(),
            catalog_managed: joined.as_ref().is_some_and(|detail| features::is_catalog_managed(&detail.protocol)),
            missing_in_all: joined.as_ref().map(|detail| detail.missing_in_all).unwrap_or_default(),
            missing: joined.map(|detail| detail.missing).unwrap_or_default(),
            notes: replay.notes.into_vec(),
        })
    })
}

/// An object that a version needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need<'a> {
    /// What it is.
    pub kind: NeedKind,
    /// Its key below the table's root, decoded.
    pub path: &'a str,
    /// The bytes that it has to have; at least, for a file of deletion vectors. Of files of the log, what the listing says.
    pub size: Option<u64>,
}

/// The kinds of what a version needs, in the order in which they are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NeedKind {
    /// A data file.
    Data,
    /// A file of deletion vectors.
    DeletionVectors,
    /// A sidecar of the checkpoint.
    Sidecar,
    /// A file of the checkpoint.
    Checkpoint,
    /// A commit.
    Commit,
}

/// What a version needs, in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Its facts.
    pub facts: VersionFacts,
    /// Live files that are elsewhere, which were not given.
    pub absolute: u64,
    /// The features that readers of it must know and that are not known here.
    pub unsupported: Vec<String>,
    /// Whether a catalog decides about the table's commits.
    pub catalog_managed: bool,
}

/// Gives everything that a version needs below the table's root: data first, then the log in the order in which it may be written
/// without a reader ever finding a version that is not there. The checkpoint is the newest one that leads to the version; its
/// own commit comes with it where it is there, since it tells the version's time. Whether data files are there is not looked at:
/// the listing may be of the log alone, `_sidecars` included.
///
/// Data files come in no order, and each of them once; files of deletion vectors are held back until all are known.
///
/// # Errors
/// [`CannotCheck`] when the log cannot be read or changes meanwhile, when the version cannot be loaded, and what `take` returns.
pub fn needs(
    listing: &Listing,
    reader: &dyn LogReader,
    options: &Options,
    version: u64,
    take: &mut dyn FnMut(Need<'_>) -> Result<(), CannotCheck>,
) -> Result<Needs, CannotCheck> {
    let give = &mut |replay: &Replay<'_>, segment: &Segment, state: &State<'_>| {
        give_data(replay, segment, state, |_| true, take)
    };
    let (replay, segment, detail) = by_shards(listing, reader, options, version, give)?;
    give_log(&replay, &segment, take)?;
    Ok(Needs {
        facts: facts(&replay, version, detail.base, detail.time, &detail.counts)?,
        absolute: detail.counts.absolute,
        unsupported: features::unsupported(&detail.protocol),
        catalog_managed: features::is_catalog_managed(&detail.protocol),
    })
}

/// Gives `each` the state of a version, shard by shard; answers the last segment, and what is known of all shards together.
pub(crate) fn by_shards<'a>(
    listing: &'a Listing,
    reader: &'a dyn LogReader,
    options: &'a Options,
    version: u64,
    each: &mut dyn FnMut(&Replay<'_>, &Segment, &State<'_>) -> Result<(), CannotCheck>,
) -> Result<(Replay<'a>, Segment, Detail), CannotCheck> {
    // The number of shards must be known before anything is given, and only a replay tells it.
    let count = in_shards(listing, options, |count, limit| {
        let mut replay = Replay::new(listing.names(), reader, options);
        replay.live_limit = limit;
        ending_at(&mut replay, version, Presence { listing, shard: Shard::new(0, count) })?
            .ok_or_else(|| not_loadable(version, &replay))?;
        Ok(count)
    })?;
    let mut replay = Replay::new(listing.names(), reader, options);
    let mut last: Option<(Segment, Detail)> = None;
    for index in 0..count {
        let presence = Presence { listing, shard: Shard::new(index, count) };
        let found = ending_at(&mut replay, version, presence).map_err(stopped)?;
        let (segment, state) = found.ok_or_else(|| not_loadable(version, &replay))?;
        each(&replay, &segment, &state)?;
        let detail = Detail::without_names(&segment, &state).ok_or_else(|| not_loadable(version, &replay))?;
        match &mut last {
            Some((_, joined)) => joined.join(detail, options),
            None => last = Some((segment, detail)),
        }
    }
    let (segment, detail) = last.ok_or_else(|| not_loadable(version, &replay))?;
    Ok((replay, segment, detail))
}

pub(crate) fn stopped(stop: Stop) -> CannotCheck {
    match stop {
        Stop::Cannot(error) => error,
        Stop::TooMany => CannotCheck::Caller("a shard has too many live files".to_owned()),
    }
}

pub(crate) fn not_loadable(version: u64, replay: &Replay<'_>) -> CannotCheck {
    let broken = replay.broken_commits.range(..=version).map(|(version, why)| format!("commit {version}: {why}"));
    let broken = broken.chain(
        replay.broken_checkpoints.range(..=version).map(|(version, why)| format!("checkpoint {version}: {why}")),
    );
    let why = broken.collect::<Vec<_>>().join("; ");
    let why = if why.is_empty() {
        "there is no way to it through commits from a checkpoint or commit 0".to_owned()
    } else {
        why
    };
    CannotCheck::NotLoadable { version, why }
}

/// Gives the data of a state that is `wanted`.
pub(crate) fn give_data(
    replay: &Replay<'_>,
    segment: &Segment,
    state: &State<'_>,
    wanted: impl Fn(&Named<'_>) -> bool,
    take: &mut dyn FnMut(Need<'_>) -> Result<(), CannotCheck>,
) -> Result<(), CannotCheck> {
    let mut given: HashSet<Id, AsIs> = HashSet::default();
    let mut vectors: BTreeMap<String, u64> = BTreeMap::new();
    let mut refused = None;
    let mut on_add = |add: &Add<'_>, source: u32| -> Result<(), Unusable> {
        if state.made_by(add, source).is_none() || refused.is_some() {
            return Ok(());
        }
        for named in state.presence().named(add)?.into_iter().filter(&wanted) {
            if named.is_vector {
                let end = vectors.entry(named.path.into_owned()).or_default();
                *end = named.want.max(*end);
            } else if given.insert(named.id)
                && let Err(error) = take(Need { kind: NeedKind::Data, path: &named.path, size: Some(named.want) })
            {
                refused = Some(error);
            }
        }
        Ok(())
    };
    replay.again(segment, &mut on_add)?;
    if let Some(error) = refused {
        return Err(error);
    }
    for (path, end) in &vectors {
        take(Need { kind: NeedKind::DeletionVectors, path, size: Some(*end) })?;
    }
    Ok(())
}

/// Gives the files of the log that a segment was read from, in the order in which they may be written.
pub(crate) fn give_log(
    replay: &Replay<'_>,
    segment: &Segment,
    take: &mut dyn FnMut(Need<'_>) -> Result<(), CannotCheck>,
) -> Result<(), CannotCheck> {
    let commits = replay.names.commits();
    let mut wanted = segment.commits.clone();
    if let Some(loaded) = &segment.base {
        for sidecar in &loaded.sidecars {
            take(Need { kind: NeedKind::Sidecar, path: &sidecar.path, size: Some(sidecar.size) })?;
        }
        for (path, file) in &loaded.checkpoint.files {
            take(Need { kind: NeedKind::Checkpoint, path, size: Some(file.size) })?;
        }
        wanted.splice(0..0, commits.contains_key(&loaded.checkpoint.version).then_some(loaded.checkpoint.version));
    }
    for version in wanted {
        let size = commits.get(&version).map(|file| file.size);
        take(Need { kind: NeedKind::Commit, path: &commit_path(version), size })?;
    }
    Ok(())
}
