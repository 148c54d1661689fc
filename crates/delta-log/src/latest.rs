//! What a version lacks, named by a second reading of the log.
//!
//! The live set has hashes alone. Names are wanted of what is missing or elsewhere, and when a version's needs are listed: then
//! the files of the log that made the version are read once more, which costs time only where there is something to say.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    actions::{Add, Metadata, Protocol, Unusable},
    ids::{AsIs, Id},
    path::{Located, locate, place},
    reader::{CannotCheck, Options},
    replay::{Point, Replay, Segment},
    state::{Counts, State},
    vector::Stored,
    verdict::{Absolute, Missing, MissingObject},
};

/// A version with what it lacks; of one shard, or of all together.
#[derive(Clone, Debug)]
pub(crate) struct Detail {
    pub(crate) version: u64,
    pub(crate) base: Option<u64>,
    pub(crate) time: Option<i64>,
    pub(crate) counts: Counts,
    pub(crate) protocol: Protocol,
    pub(crate) metadata: Metadata,
    pub(crate) missing: Vec<MissingObject>,
    pub(crate) missing_in_all: Missing,
    places: BTreeSet<String>,
}

impl Detail {
    /// The last version of a segment, when it is loadable.
    pub(crate) fn of(replay: &Replay<'_>, segment: &Segment, state: &State<'_>) -> Result<Option<Self>, CannotCheck> {
        let Some(mut detail) = Self::without_names(segment, state) else { return Ok(None) };
        if !detail.is_whole() {
            let mut names = Names::new(replay.options, state);
            replay.again(segment, &mut |add, source| names.add(add, source))?;
            detail.missing_in_all = names.missing_in_all();
            detail.missing = names.first.into_values().collect();
            detail.places = names.places;
        }
        Ok(Some(detail))
    }

    /// As [`Self::of`], but nothing that is missing or elsewhere is named.
    pub(crate) fn without_names(segment: &Segment, state: &State<'_>) -> Option<Self> {
        let Point { version, counts, time, .. } = *segment.points.last().filter(|point| point.loadable)?;
        Some(Self {
            version,
            base: segment.base_version(),
            time,
            counts,
            protocol: state.protocol.clone()?,
            metadata: state.metadata.clone()?,
            missing: Vec::new(),
            missing_in_all: Missing::default(),
            places: BTreeSet::new(),
        })
    }

    /// Adds what another shard found out about the same version.
    pub(crate) fn join(&mut self, other: Self, options: &Options) {
        self.counts = self.counts.plus(&other.counts);
        self.missing.extend(other.missing);
        self.missing.sort();
        self.missing.truncate(options.missing_limit);
        self.missing_in_all.objects += other.missing_in_all.objects;
        self.missing_in_all.bytes = self.missing_in_all.bytes.saturating_add(other.missing_in_all.bytes);
        self.places.extend(other.places);
        while self.places.len() > options.missing_limit {
            self.places.pop_last();
        }
    }

    pub(crate) fn absolute(&self) -> Option<Absolute> {
        let places = self.places.iter().cloned().collect();
        (self.counts.absolute > 0).then_some(Absolute { files: self.counts.absolute, places })
    }

    pub(crate) const fn is_whole(&self) -> bool {
        self.counts.bad == 0 && self.counts.absolute == 0
    }
}

/// Collects names: the first ones of each kind, and counts of all.
struct Names<'a, 's> {
    state: &'a State<'s>,
    limit: usize,
    first: BTreeMap<String, MissingObject>,
    wanted: HashMap<Id, u64, AsIs>,
    places: BTreeSet<String>,
}

impl<'a, 's> Names<'a, 's> {
    fn new(options: &Options, state: &'a State<'s>) -> Self {
        Self {
            state,
            limit: options.missing_limit,
            first: BTreeMap::new(),
            wanted: HashMap::default(),
            places: BTreeSet::new(),
        }
    }

    fn missing_in_all(&self) -> Missing {
        let bytes = self.wanted.values().fold(0_u64, |sum, want| sum.saturating_add(*want));
        Missing { objects: self.wanted.len() as u64, bytes }
    }

    fn add(&mut self, add: &Add<'_>, source: u32) -> Result<(), Unusable> {
        let Some(live) = self.state.made_by(add, source) else { return Ok(()) };
        if live.absolute && live.counts {
            self.place(add)?;
        }
        if live.bad {
            for named in self.state.presence().named(add)? {
                let Some(why) = named.why else { continue };
                let want = self.wanted.entry(named.id).or_default();
                *want = named.want.max(*want);
                let path = named.path.into_owned();
                let missing = MissingObject { path: path.clone(), why, want: Some(*want), have: named.have };
                self.first.insert(path, missing);
                if self.first.len() > self.limit {
                    self.first.pop_last();
                }
            }
        }
        Ok(())
    }

    fn place(&mut self, add: &Add<'_>) -> Result<(), Unusable> {
        if let Located::Absolute(path) = locate(add.path) {
            self.places.insert(place(path));
        }
        if let Some(Stored::Absolute(path)) = add.vector.map(|vector| vector.stored()).transpose()? {
            self.places.insert(place(path));
        }
        while self.places.len() > self.limit {
            self.places.pop_last();
        }
        Ok(())
    }
}
