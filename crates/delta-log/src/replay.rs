//! Replay of a log from a base: a checkpoint, or commit 0.

use std::{collections::BTreeMap, mem, ops::ControlFlow};

use bytes::Bytes;

use crate::{
    actions::{Actions, Add, CommitInfo, Sidecar, Unusable},
    commit::read_json,
    names::{Checkpoint, Names, commit_path},
    notes::Notes,
    parquet_file::{read_parquet, read_parquet_on},
    presence::Presence,
    reader::{CannotCheck, LogReader, Options, ReadError},
    state::{Commit, Counts, State},
    threads::in_order,
};

/// A day in milliseconds.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// What a log is read with, and what was found to be wrong with its files.
pub(crate) struct Replay<'a> {
    pub(crate) names: &'a Names,
    pub(crate) reader: &'a dyn LogReader,
    pub(crate) options: &'a Options,
    /// Live files above which a replay is given up, so that it can be done by smaller shards.
    pub(crate) live_limit: usize,
    pub(crate) notes: Notes,
    /// Versions whose checkpoint that a reader would choose cannot be used, with the reason.
    pub(crate) broken_checkpoints: BTreeMap<u64, String>,
    /// Commits that cannot be used, with the reason.
    pub(crate) broken_commits: BTreeMap<u64, String>,
}

/// Why a replay ended early.
pub(crate) enum Stop {
    /// The shard has too many live files.
    TooMany,
    Cannot(CannotCheck),
}

impl From<CannotCheck> for Stop {
    fn from(error: CannotCheck) -> Self {
        Self::Cannot(error)
    }
}

/// A version that was replayed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) version: u64,
    pub(crate) loadable: bool,
    pub(crate) whole: bool,
    pub(crate) counts: Counts,
    pub(crate) time: Option<i64>,
}

/// The files that a checkpoint was read from.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) sidecars: Vec<Sidecar>,
}

/// The versions that were replayed from one base.
pub(crate) struct Segment {
    /// None for commit 0.
    pub(crate) base: Option<Loaded>,
    /// Ascending; without the base when it is not loadable.
    pub(crate) points: Vec<Point>,
    /// The commits that were done, ascending and without gaps.
    pub(crate) commits: Vec<u64>,
}

impl Segment {
    /// The base's version; none for commit 0.
    pub(crate) fn base_version(&self) -> Option<u64> {
        self.base.as_ref().map(|loaded| loaded.checkpoint.version)
    }
}

impl<'a> Replay<'a> {
    pub(crate) fn new(names: &'a Names, reader: &'a dyn LogReader, options: &'a Options) -> Self {
        Self {
            names,
            reader,
            options,
            live_limit: usize::MAX,
            notes: Notes::default(),
            broken_checkpoints: BTreeMap::new(),
            broken_commits: BTreeMap::new(),
        }
    }

    /// Every base there may be, newest first; the last one is commit 0, if it is there.
    pub(crate) fn bases(&self) -> Vec<Option<u64>> {
        let first = self.names.commits().contains_key(&0).then_some(None);
        self.names.checkpoint_versions().map(Some).chain(first).collect()
    }

    /// Replays from a base all versions below `end` that follow without a gap; none when the base cannot be used.
    pub(crate) fn segment<'p>(
        &mut self,
        base: Option<u64>,
        end: Option<u64>,
        presence: Presence<'p>,
    ) -> Result<Option<(Segment, State<'p>)>, Stop> {
        let run = self.run(base, end);
        let (loaded, mut state) = match base {
            None => (None, State::new(presence)),
            Some(version) => match self.load(version, &run, presence)? {
                Some((loaded, state)) => (Some(loaded), state),
                None => return Ok(None),
            },
        };
        self.check_limit(&state)?;
        let mut segment = Segment { base: loaded, points: Vec::new(), commits: Vec::new() };
        if let Some(version) = base.filter(|_| state.is_loadable()) {
            segment.points.push(point(version, &state, None));
        }
        if base.is_none() {
            self.reader.will_read(&run.iter().copied().map(commit_path).collect::<Vec<_>>());
        }
        self.commits(&run, &mut segment, &mut state)?;
        self.notes.ids(&state.ids);
        Ok(Some((segment, state)))
    }

    /// Does the commits of a run, up to the first one that cannot be used.
    fn commits(&mut self, run: &[u64], segment: &mut Segment, state: &mut State<'_>) -> Result<(), Stop> {
        let run = run.iter().take_while(|version| !self.broken_commits.contains_key(version)).copied();
        let run: Vec<(u32, u64)> = (1..).zip(run).collect();
        let (names, reader, presence, limit) = (self.names, self.reader, state.presence(), self.options.line_limit);
        // What comes of reading a commit counts when its turn comes: one behind a broken commit is never needed.
        let files = run.iter().map(|(source, version)| {
            let size = names.commits().get(version).map_or(0, |file| file.size);
            (size, (*source, *version, read(reader, &commit_path(*version))))
        });
        let parse = |(source, version, file)| (version, parse(Commit::new(presence, source), file, limit));
        let (mut before, mut outcome) = (None, Ok(()));
        in_order(self.options.threads, files, parse, |(version, commit)| {
            let done = commit.map_err(Stop::from).and_then(|commit| match commit {
                Ok(commit) => self.apply(version, commit, &mut before, segment, state).map(ControlFlow::Continue),
                Err(Unusable(why)) => {
                    self.notes.add(format!("Commit {version} cannot be used and counts as absent: {why}."));
                    self.broken_commits.insert(version, why);
                    Ok(ControlFlow::Break(()))
                }
            });
            done.unwrap_or_else(|stop| {
                outcome = Err(stop);
                ControlFlow::Break(())
            })
        });
        outcome
    }

    fn apply(
        &mut self,
        version: u64,
        commit: Commit<'_>,
        before: &mut Option<i64>,
        segment: &mut Segment,
        state: &mut State<'_>,
    ) -> Result<(), Stop> {
        let time = commit.info.time();
        self.compare_times(version, *before, time);
        *before = time.or(*before);
        state.apply(commit);
        self.check_limit(state)?;
        segment.commits.push(version);
        segment.points.push(point(version, state, time));
        Ok(())
    }

    fn check_limit(&self, state: &State<'_>) -> Result<(), Stop> {
        if state.live_files() > self.live_limit { Err(Stop::TooMany) } else { Ok(()) }
    }

    /// The commits behind a base, to the first gap.
    fn run(&self, base: Option<u64>, end: Option<u64>) -> Vec<u64> {
        let first = base.map_or(0, |version| version + 1);
        let following = self.names.commits().range(first..).map(|(version, _)| *version);
        (first..)
            .zip(following)
            .take_while(|(expected, version)| expected == version && end.is_none_or(|end| *version < end))
            .map(|(_, version)| version)
            .collect()
    }

    /// Reads a file of the log; none when it is not there, although it was listed.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Bytes>, CannotCheck> {
        read(self.reader, path)
    }

    /// The time of a commit, as it says itself.
    pub(crate) fn commit_time(&self, version: u64) -> Result<Option<i64>, CannotCheck> {
        let Some(file) = self.names.commits().get(&version) else { return Ok(None) };
        Ok(self.commit_info(version)?.and_then(CommitInfo::time).or(file.modified_ms))
    }

    /// The `commitInfo` of a commit; none when the commit cannot be used.
    pub(crate) fn commit_info(&self, version: u64) -> Result<Option<CommitInfo>, CannotCheck> {
        if !self.names.commits().contains_key(&version) {
            return Ok(None);
        }
        let mut info = InfoOnly(CommitInfo::default());
        let bytes = self.read(&commit_path(version))?.unwrap_or_default();
        let read = read_json(&bytes, self.options.line_limit, &mut info);
        Ok(read.ok().map(|()| info.0))
    }

    fn compare_times(&mut self, version: u64, before: Option<i64>, time: Option<i64>) {
        if let (Some(before), Some(time)) = (before, time)
            && before.saturating_sub(time) > DAY_MS
        {
            self.notes.second_incarnation(&format!(
                "commit {version} says that it was made more than a day before the one below it"
            ));
        }
    }

    /// Reads the first checkpoint of a version that can be used.
    fn load<'p>(
        &mut self,
        version: u64,
        run: &[u64],
        presence: Presence<'p>,
    ) -> Result<Option<(Loaded, State<'p>)>, Stop> {
        for (number, checkpoint) in self.names.checkpoints_at(version).into_iter().enumerate() {
            let mut state = State::new(presence);
            let mut next: Vec<String> = checkpoint.files.iter().map(|(path, _)| path.clone()).collect();
            next.extend(run.iter().copied().map(commit_path));
            self.reader.will_read(&next);
            match self.read_checkpoint(&checkpoint, &mut state)? {
                Ok(sidecars) => return Ok(Some((Loaded { checkpoint, sidecars }, state))),
                Err(Unusable(why)) => {
                    self.notes.add(format!("Checkpoint {version} cannot be used and was passed over: {why}."));
                    if number == 0 {
                        self.broken_checkpoints.insert(version, why);
                    }
                }
            }
        }
        Ok(None)
    }

    fn read_checkpoint(
        &self,
        checkpoint: &Checkpoint,
        state: &mut State<'_>,
    ) -> Result<Result<Vec<Sidecar>, Unusable>, Stop> {
        for (path, _) in &checkpoint.files {
            if let Err(error) = self.read_into(path, None, Sink::State(state))? {
                return Ok(Err(error));
            }
            self.check_limit(state)?;
        }
        let sidecars = mem::take(&mut state.sidecars);
        for sidecar in &sidecars {
            let listed = state.presence().listing.size_at(&sidecar.path);
            if listed != Some(sidecar.size) {
                let found = listed.map_or("it is not there".to_owned(), |size| format!("it has {size} bytes"));
                return Ok(Err(Unusable::new(format!(
                    "{} should have {} bytes, and {found}",
                    sidecar.path, sidecar.size
                ))));
            }
        }
        self.reader.will_read(&sidecars.iter().map(|sidecar| sidecar.path.clone()).collect::<Vec<_>>());
        for sidecar in &sidecars {
            if let Err(error) = self.read_into(&sidecar.path, Some(sidecar.size), Sink::State(state))? {
                return Ok(Err(error));
            }
            self.check_limit(state)?;
        }
        Ok(Ok(sidecars))
    }

    /// Reads a file of a checkpoint.
    fn read_into(
        &self,
        path: &str,
        size: Option<u64>,
        sink: Sink<'_, '_>,
    ) -> Result<Result<(), Unusable>, CannotCheck> {
        let Some(bytes) = self.read(path)? else {
            return Ok(Err(Unusable::new(format!("{path} was listed, but is not there"))));
        };
        if size.is_some_and(|size| size != bytes.len() as u64) {
            return Err(CannotCheck::Changed { path: path.to_owned() });
        }
        let is_json = path.ends_with(".json");
        let read = match sink {
            Sink::State(state) if is_json => read_json(&bytes, self.options.line_limit, state),
            Sink::State(state) => read_parquet_on(self.options.threads, &bytes, state),
            Sink::Actions(actions) if is_json => read_json(&bytes, self.options.line_limit, actions),
            Sink::Actions(actions) => read_parquet(&bytes, actions),
        };
        Ok(read.map_err(|Unusable(why)| Unusable::new(format!("{path}: {why}"))))
    }

    /// Gives every `add` of a segment again, with the number of the file of the log that has it.
    pub(crate) fn again(
        &self,
        segment: &Segment,
        take: &mut dyn FnMut(&Add<'_>, u32) -> Result<(), Unusable>,
    ) -> Result<(), CannotCheck> {
        let mut paths: Vec<(String, u32)> = Vec::new();
        if let Some(loaded) = &segment.base {
            paths.extend(loaded.checkpoint.files.iter().map(|(path, _)| (path.clone(), 0)));
            paths.extend(loaded.sidecars.iter().map(|sidecar| (sidecar.path.clone(), 0)));
        }
        paths.extend(segment.commits.iter().copied().map(commit_path).zip(1..));
        self.reader.will_read(&paths.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>());
        for (path, source) in paths {
            let mut actions = AddsOnly { source, take };
            if !matches!(self.read_into(&path, None, Sink::Actions(&mut actions))?, Ok(())) {
                return Err(CannotCheck::Changed { path });
            }
        }
        Ok(())
    }
}

fn read(reader: &dyn LogReader, path: &str) -> Result<Option<Bytes>, CannotCheck> {
    match reader.read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::Gone) => Ok(None),
        Err(ReadError::Failed(cause)) => Err(CannotCheck::Read { path: path.to_owned(), cause }),
    }
}

type File = Result<Option<Bytes>, CannotCheck>;

fn parse<'p>(mut commit: Commit<'p>, file: File, limit: usize) -> Result<Result<Commit<'p>, Unusable>, CannotCheck> {
    let read = match file? {
        Some(bytes) => read_json(&bytes, limit, &mut commit),
        None => Err(Unusable::new("it was listed, but is not there")),
    };
    Ok(read.map(|()| commit))
}

fn point(version: u64, state: &State<'_>, time: Option<i64>) -> Point {
    Point { version, loadable: state.is_loadable(), whole: state.is_whole(), counts: state.counts, time }
}

/// Where the actions of a file of a checkpoint go.
enum Sink<'s, 'p> {
    /// Into the state, on as many threads as there are.
    State(&'s mut State<'p>),
    /// One by one, in their order.
    Actions(&'s mut dyn Actions),
}

struct InfoOnly(CommitInfo);

impl Actions for InfoOnly {
    fn add(&mut self, _: &Add<'_>) -> Result<(), Unusable> {
        Ok(())
    }

    fn commit_info(&mut self, info: CommitInfo) {
        self.0 = info;
    }
}

struct AddsOnly<'t> {
    source: u32,
    take: &'t mut dyn FnMut(&Add<'_>, u32) -> Result<(), Unusable>,
}

impl Actions for AddsOnly<'_> {
    fn add(&mut self, add: &Add<'_>) -> Result<(), Unusable> {
        (self.take)(add, self.source)
    }
}
