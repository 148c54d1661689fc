//! The newest version of a table that is wholly there.

use std::collections::BTreeMap;

use crate::{
    features,
    hint::Hint,
    ids::Shard,
    interval,
    latest::Detail,
    listing::Listing,
    names::{LAST_CHECKPOINT, Names},
    notes::Notes,
    opens::Opening,
    presence::Presence,
    reader::{CannotCheck, LogReader, Options},
    replay::{DAY_MS, Point, Replay, Segment, Stop},
    state::Counts,
    verdict::{Behind, OpensInPlace, TableVerdict, Verdict, VersionFacts},
};

/// The verdict on the table at `root`, of which `listing` has every object and `reader` reads the log.
///
/// A version is whole when it can be loaded (from any checkpoint at or below it that is complete and readable, or from commit 0,
/// with every commit from there to it, and with protocol and metadata), when each of its data files is there in its size, and
/// each of its files of deletion vectors in at least the size that the vectors take, all of them below the root. What does not
/// parse counts as absent. Bases are tried newest first, and none is replayed beyond the next newer one, so that a log is read
/// about once, however many versions it has.
///
/// `root` is only handed through to [`TableVerdict::path`].
///
/// # Errors
/// [`CannotCheck`] when the log cannot be read, or changes meanwhile.
pub fn verdict(
    root: &str,
    listing: &Listing,
    reader: &dyn LogReader,
    options: &Options,
) -> Result<TableVerdict, CannotCheck> {
    in_shards(listing, options, |count, limit| {
        let mut assessment = Assessment::new(listing.names().clone(), reader, options, limit);
        for deep in [false, true] {
            let mut shards = Joined::default();
            for index in 0..count {
                let presence = Presence { listing, shard: Shard::new(index, count) };
                shards.join(assessment.shard(presence, deep)?, options)?;
            }
            if deep || shards.is_settled() {
                return Ok(assessment.conclude(root, shards)?);
            }
        }
        Err(CannotCheck::Caller("no shards were given".to_owned()).into())
    })
}

/// As [`verdict`], of a table of which the caller holds one shard of the listing at a time: `listing_of` is asked for each of
/// `count` shards in turn, made with [`Listing::for_shard`], and for all of them once more when the newest checkpoint leads to
/// no whole version. The log is read once for each shard.
///
/// # Errors
/// As [`verdict`], and what `listing_of` returns.
pub fn verdict_by_shards(
    root: &str,
    count: u32,
    listing_of: &mut dyn FnMut(u32) -> Result<Listing, CannotCheck>,
    reader: &dyn LogReader,
    options: &Options,
) -> Result<TableVerdict, CannotCheck> {
    let cannot = |stop| match stop {
        Stop::Cannot(error) => error,
        Stop::TooMany => {
            CannotCheck::Caller("a shard has too many live files; list the table in more shards".to_owned())
        }
    };
    let count = count.max(1);
    let mut first: Option<Names> = None;
    for deep in [false, true] {
        let mut shards = Joined::default();
        let mut assessment: Option<Assessment<'_>> = None;
        for index in 0..count {
            let listing = listing_of(index)?;
            check_size(&listing)?;
            let names = first.get_or_insert_with(|| listing.names().clone());
            let assessment =
                assessment.get_or_insert_with(|| Assessment::new(names.clone(), reader, options, usize::MAX));
            let presence = Presence { listing: &listing, shard: Shard::new(index, count) };
            shards.join(assessment.shard(presence, deep).map_err(cannot)?, options)?;
        }
        if let Some(assessment) = assessment.filter(|_| deep || shards.is_settled()) {
            return assessment.conclude(root, shards);
        }
    }
    Err(CannotCheck::Caller("no shards were given".to_owned()))
}

fn check_size(listing: &Listing) -> Result<(), CannotCheck> {
    if listing.is_too_large() { Err(CannotCheck::TooLarge { objects: listing.objects() }) } else { Ok(()) }
}

/// Does something in as many shards of a listing as the options ask for, and in more when live files are more than expected.
pub(crate) fn in_shards<T>(
    listing: &Listing,
    options: &Options,
    mut work: impl FnMut(u32, usize) -> Result<T, Stop>,
) -> Result<T, CannotCheck> {
    check_size(listing)?;
    let size = options.shard_objects.max(1);
    let mut count = u32::try_from(listing.kept().div_ceil(size)).unwrap_or(u32::MAX).max(1);
    loop {
        // Shards are of about the same size; below a few objects they need not be.
        let limit = size.saturating_add(size / 4).max(64);
        match work(count, limit) {
            Ok(value) => return Ok(value),
            Err(Stop::Cannot(error)) => return Err(error),
            Err(Stop::TooMany) => {
                count = count.checked_mul(2).ok_or(CannotCheck::TooLarge { objects: listing.objects() })?
            }
        }
    }
}

/// What one shard tells: its segments, newest first, and the greatest version that can be loaded.
pub(crate) struct Told {
    segments: Vec<(Option<u64>, Vec<Point>)>,
    /// Whether there is no older base.
    is_all: bool,
    detail: Option<Detail>,
}

/// What the shards tell together: a version is whole when it is whole in every one of them.
#[derive(Default)]
struct Joined(Option<Told>);

impl Joined {
    fn join(&mut self, told: Told, options: &Options) -> Result<(), CannotCheck> {
        let changed = || CannotCheck::Changed { path: crate::names::LOG.to_owned() };
        let Some(ours) = &mut self.0 else {
            self.0 = Some(told);
            return Ok(());
        };
        ours.is_all &= told.is_all;
        ours.segments.truncate(told.segments.len());
        for ((base, points), (other_base, others)) in ours.segments.iter_mut().zip(&told.segments) {
            if base != other_base || points.len() != others.len() {
                return Err(changed());
            }
            for (point, other) in points.iter_mut().zip(others) {
                point.whole &= other.whole;
                point.counts = point.counts.plus(&other.counts);
            }
        }
        match (&mut ours.detail, told.detail) {
            (None, None) => Ok(()),
            (Some(detail), Some(other)) if detail.version == other.version => {
                detail.join(other, options);
                Ok(())
            }
            _ => Err(changed()),
        }
    }

    /// The greatest whole version, with its base.
    fn newest_whole(&self) -> Option<(Option<u64>, Point)> {
        let segments = self.0.iter().flat_map(|told| &told.segments);
        let whole = segments.flat_map(|(base, points)| points.iter().map(move |point| (*base, *point)));
        whole.filter(|(_, point)| point.whole).max_by_key(|(_, point)| point.version)
    }

    fn is_settled(&self) -> bool {
        self.newest_whole().is_some() || self.0.as_ref().is_some_and(|told| told.is_all)
    }
}

/// One table under assessment.
struct Assessment<'a> {
    names: Names,
    reader: &'a dyn LogReader,
    options: &'a Options,
    limit: usize,
    notes: Notes,
    broken_checkpoints: BTreeMap<u64, String>,
    broken_commits: BTreeMap<u64, String>,
}

impl<'a> Assessment<'a> {
    const fn new(names: Names, reader: &'a dyn LogReader, options: &'a Options, limit: usize) -> Self {
        Self {
            names,
            reader,
            options,
            limit,
            notes: Notes::EMPTY,
            broken_checkpoints: BTreeMap::new(),
            broken_commits: BTreeMap::new(),
        }
    }

    /// Replays the log for one shard: to the first base that leads to a whole version, or to the last base of all.
    fn shard(&mut self, presence: Presence<'_>, deep: bool) -> Result<Told, Stop> {
        let names = self.names.clone();
        let mut replay = Replay::new(&names, self.reader, self.options);
        replay.live_limit = self.limit;
        let mut told = Told { segments: Vec::new(), is_all: false, detail: None };
        let mut end = None;
        let mut bases = replay.bases().into_iter();
        for base in bases.by_ref() {
            let Some((segment, state)) = replay.segment(base, end, presence)? else { continue };
            if told.detail.is_none() {
                told.detail = Detail::of(&replay, &segment, &state)?;
            }
            let whole = segment.points.iter().any(|point| point.whole);
            // A base that lacks protocol or metadata hides nothing of what older ones lead to.
            if segment.points.first().is_some_and(|point| Some(point.version) == base) {
                end = base;
            }
            told.segments.push((base, segment.points));
            if whole && !deep {
                break;
            }
        }
        told.is_all = bases.next().is_none();
        self.notes.extend(replay.notes);
        self.broken_checkpoints.extend(replay.broken_checkpoints);
        self.broken_commits.extend(replay.broken_commits);
        Ok(told)
    }

    fn conclude(mut self, root: &str, shards: Joined) -> Result<TableVerdict, CannotCheck> {
        let newest = shards.newest_whole();
        let detail = shards.0.and_then(|told| told.detail);
        let latest_version = self.names.latest();
        let unsupported = detail.as_ref().map_or_else(Vec::new, |detail| features::unsupported(&detail.protocol));
        let managed = detail.as_ref().is_some_and(|detail| features::is_catalog_managed(&detail.protocol));
        let newest_version = newest.map(|(_, point)| point.version);
        let self_contained = detail.as_ref().is_none_or(|detail| detail.counts.absolute == 0);
        let verdict = match newest_version {
            _ if !unsupported.is_empty() => Verdict::Unsupported,
            _ if !self_contained => Verdict::NotSelfContained,
            None => Verdict::Torn,
            version if version != latest_version => Verdict::Behind,
            Some(_) if managed => Verdict::CatalogManaged,
            Some(_) => Verdict::Whole,
        };
        self.note_gaps(detail.as_ref().map(|detail| detail.version));
        self.note_times();
        let opens_in_place = self.opens(newest_version, detail.as_ref(), &unsupported, managed)?;
        let newest_whole = newest.map(|(base, point)| self.facts(base, &point)).transpose()?;
        let behind = self.behind(newest_version, newest_whole.as_ref())?;
        Ok(TableVerdict {
            path: root.to_owned(),
            verdict,
            latest_version,
            latest_loadable_version: detail.as_ref().map(|detail| detail.version),
            newest_whole_version: newest_version,
            newest_whole,
            behind,
            self_contained,
            absolute: detail.as_ref().and_then(Detail::absolute),
            unsupported,
            opens_in_place,
            checksum_beyond: self.names.checksum_beyond(),
            table_id: detail.as_ref().and_then(|detail| detail.metadata.id.clone()),
            name: detail.as_ref().and_then(|detail| detail.metadata.name.clone()),
            file_retention_seconds: detail
                .as_ref()
                .and_then(|detail| interval::seconds(detail.metadata.retention.as_ref()?)),
            missing_in_all: detail.as_ref().map(|detail| detail.missing_in_all).unwrap_or_default(),
            missing: detail.map(|detail| detail.missing).unwrap_or_default(),
            suspected_incarnations: self.notes.suspect_two(),
            notes: self.notes.into_vec(),
        })
    }

    fn facts(&self, base: Option<u64>, point: &Point) -> Result<VersionFacts, CannotCheck> {
        let replay = Replay::new(&self.names, self.reader, self.options);
        facts(&replay, point.version, base, point.time, &point.counts)
    }

    fn behind(&self, whole: Option<u64>, facts: Option<&VersionFacts>) -> Result<Option<Behind>, CannotCheck> {
        let Some((whole, latest)) = whole.zip(self.names.latest()).filter(|(whole, latest)| whole < latest) else {
            return Ok(None);
        };
        let replay = Replay::new(&self.names, self.reader, self.options);
        let committed = facts.and_then(|facts| facts.timestamp_ms).zip(replay.commit_time(latest)?);
        Ok(Some(Behind { versions: latest - whole, ms: committed.map(|(whole, latest)| latest.saturating_sub(whole)) }))
    }

    fn opens(
        &self,
        newest: Option<u64>,
        detail: Option<&Detail>,
        unsupported: &[String],
        managed: bool,
    ) -> Result<OpensInPlace, CannotCheck> {
        let replay = Replay::new(&self.names, self.reader, self.options);
        let hint = match self.names.hint() {
            Some(_) => replay.read(LAST_CHECKPOINT)?.and_then(|bytes| Hint::parse(&bytes)),
            None => None,
        };
        Opening {
            names: &self.names,
            hint,
            broken_checkpoints: &self.broken_checkpoints,
            broken_commits: &self.broken_commits,
            newest_whole: newest,
            loadable: detail,
            unsupported,
            managed,
        }
        .judge(&replay)
    }

    fn note_gaps(&mut self, loadable: Option<u64>) {
        let Some(latest) = self.names.latest().filter(|latest| loadable < Some(*latest)) else { return };
        match loadable {
            None => self.notes.add(
                "No version can be loaded: neither commit 0 nor a checkpoint that can be used is there, or nothing gives protocol \
                 and metadata."
                    .to_owned(),
            ),
            Some(version) if self.names.commits().contains_key(&(version + 1)) => {}
            Some(version) => self.notes.add(format!(
                "Commit {} is not there, so that no version above {version} can be loaded; the log goes to {latest}.",
                version + 1
            )),
        }
    }

    /// Commits are written one after the other, by increasing versions.
    fn note_times(&mut self) {
        let times = self.names.commits().iter().filter_map(|(version, file)| Some((*version, file.modified_ms?)));
        let times: Vec<(u64, i64)> = times.collect();
        let backwards = times.windows(2).find_map(|pair| match pair {
            [(_, before), (version, time)] => (before.saturating_sub(*time) > DAY_MS).then_some(*version),
            _ => None,
        });
        if let Some(version) = backwards {
            self.notes.second_incarnation(&format!(
                "the object of commit {version} is older by more than a day than the one below it (which is also so when some \
                 commits were copied later)"
            ));
        }
    }
}

/// The facts of a version.
pub(crate) fn facts(
    replay: &Replay<'_>,
    version: u64,
    base: Option<u64>,
    time: Option<i64>,
    counts: &Counts,
) -> Result<VersionFacts, CannotCheck> {
    let timestamp_ms = match time {
        Some(time) => Some(time),
        // Only the commit beside the checkpoint has not been read.
        None if base == Some(version) => replay.commit_time(version)?,
        None => replay.names.commits().get(&version).and_then(|file| file.modified_ms),
    };
    Ok(VersionFacts {
        timestamp_ms,
        files: counts.files,
        bytes: counts.bytes,
        rows: counts.rows(),
        deletion_vectors: counts.vectors,
        checkpoint: base,
    })
}

/// The segment that ends at a version, from the newest base that leads there; with the state there.
pub(crate) fn ending_at<'p>(
    replay: &mut Replay<'_>,
    version: u64,
    presence: Presence<'p>,
) -> Result<Option<(Segment, crate::state::State<'p>)>, Stop> {
    let end = version.checked_add(1);
    for base in replay.bases() {
        if base.is_some_and(|base| base > version) {
            continue;
        }
        if let Some((segment, state)) = replay.segment(base, end, presence)?
            && segment.points.last().is_some_and(|point| point.version == version && point.loadable)
        {
            return Ok(Some((segment, state)));
        }
    }
    Ok(None)
}
