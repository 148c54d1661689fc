//! Tables that are mended, or rolled back, where they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::Result;
use levee_delta_log::{Described, Listing, Options, RestoreFacts, VersionFacts};
use levee_ledger::{history::Closed, restore::How};
use levee_restore::{Chosen, Lacking, Stores, described_if_readable, snapshot, snapshot_run};
use levee_stage::StageError;
use levee_tables::{BucketStore, Store, at_version, listing, needs, restore_commit, version_as_of};

use super::choose::{Chooser, Tried, When, nearest};

/// A table where it is.
struct There<'a> {
    store: &'a BucketStore,
    path: &'a str,
    listing: Arc<Listing>,
    options: Options,
}

/// A table of which it is known what it lacks, and not yet which snapshot has that.
struct Open<'a> {
    there: There<'a>,
    how: How,
    version: u64,
    facts: VersionFacts,
    described: Option<Described>,
    lacking: Lacking,
    tried: Tried,
}

/// What is known of a table before any snapshot is looked at for what it lacks.
enum Begun<'a> {
    Open(Box<Open<'a>>),
    Chosen(Box<Chosen>),
}

impl Open<'_> {
    fn chosen(self, run: &Closed) -> Chosen {
        let Self { there, how, version, facts, described, .. } = self;
        Chosen { path: there.path.to_owned(), run: snapshot_run(run), how, version, facts, described }
    }

    fn refusal(self, source: &str) -> String {
        let none = || format!("{:?}: no run of {source} has a receipt", self.there.path);
        let why = self.tried.why.first().cloned().unwrap_or_else(none);
        format!("{why}. The nearest that are whole: {}", nearest(self.tried.whole))
    }
}

impl Chooser<'_> {
    /// The tables with what is to be done with them in the bucket `target`, each with the newest snapshot that has what it lacks.
    ///
    /// # Errors
    /// The ledger or a bucket cannot be read. In the inner result: why tables cannot be had, a line each.
    pub(super) async fn in_place(
        &self,
        target: &BucketStore,
        paths: &BTreeSet<String>,
    ) -> Result<Result<Vec<Chosen>, Vec<String>>> {
        let (mut open, mut chosen, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
        for path in paths {
            let listing = listing(target, path).await?;
            let there = There { store: target, path, listing, options: Options::default() };
            match self.begun(there).await? {
                Ok(Begun::Open(table)) => open.push(*table),
                Ok(Begun::Chosen(table)) => chosen.push(*table),
                Err(refusal) => refusals.push(refusal),
            }
        }
        let mut runs = self.runs().await?;
        while !open.is_empty()
            && let Some(run) = runs.next().await?
        {
            open = self.supplied(&run, open, &mut chosen).await?;
        }
        refusals.extend(open.into_iter().map(|table| table.refusal(self.source)));
        chosen.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(if refusals.is_empty() { Ok(chosen) } else { Err(refusals) })
    }

    /// What a table lacks, and what is to be done with it; in the inner result, why nothing is.
    async fn begun<'a>(&self, there: There<'a>) -> Result<Result<Begun<'a>, String>> {
        let latest = match there.listing.latest_version() {
            Some(latest) if there.loads(latest).await? => latest,
            _ => return Ok(self.without_a_log(&there).await?.map(|chosen| Begun::Chosen(Box::new(chosen)))),
        };
        let version = match self.wished(&there, latest).await? {
            Ok(version) => version,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let how = if version == latest { How::PutBack } else { How::RollBack { from: latest } };
        let (facts, described) = match there.facts(version).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let (How::RollBack { from }, Err(refusal)) = (how, there.rolls_back(latest, version).await?) {
            return Ok(Err(format!("{:?} cannot be rolled back from version {from}: {refusal}", there.path)));
        }
        let lacking = Lacking::by_its_log(there.store, there.path, &there.listing, version, &there.options).await?;
        let lacking = match lacking {
            Ok(lacking) if how == How::PutBack && lacking.is_nothing() => {
                return Ok(Err(format!(
                    "{:?} lacks nothing at version {version}, its newest one: there is nothing to put back. --at-version, --as-of or \
                     --backup-date roll it back",
                    there.path
                )));
            }
            Ok(lacking) => lacking,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let tried = Tried::default();
        Ok(Ok(Begun::Open(Box::new(Open { there, how, version, facts, described, lacking, tried }))))
    }

    /// Takes the tables that the snapshot of a run has what they lack for; the others are given back.
    async fn supplied<'a>(&self, run: &Closed, open: Vec<Open<'a>>, chosen: &mut Vec<Chosen>) -> Result<Vec<Open<'a>>> {
        let (store, mut left, mut refused) = (snapshot(self.s3, &run.receipt.value), Vec::new(), BTreeMap::new());
        for table in open {
            let path = table.there.path;
            let stores = Stores { snapshot: &store, path, target: table.there.store, root: path };
            match table.lacking.supplied(&stores).await? {
                Ok(_) => chosen.push(table.chosen(run)),
                Err(refusal) => {
                    refused.insert(path, refusal);
                    left.push(table);
                }
            }
        }
        if left.is_empty() {
            return Ok(left);
        }
        let (day, lines) = (run.receipt.value.run.backup_date, self.ledger.tables_of(&run.receipt.value).await?);
        let whole: BTreeMap<_, _> =
            lines.iter().map(|line| (&line.verdict.path, line.verdict.newest_whole_version)).collect();
        for table in &mut left {
            table.tried.why.extend(refused.remove(table.there.path));
            let version = whole.get(&table.there.path.to_owned()).copied().flatten();
            table.tried.whole.extend(version.map(|version| (day, version)));
        }
        Ok(left)
    }

    /// The version that is wished for of a table whose newest version is `latest`.
    async fn wished(&self, there: &There<'_>, latest: u64) -> Result<Result<u64, String>> {
        let version = match self.when {
            When::Newest => Some(latest),
            When::Version(version) => Some(version),
            When::AsOf(time) => {
                let (store, listing) = (there.store, &there.listing);
                version_as_of(store, there.path, listing, &there.options, time.as_millisecond()).await?
            }
            When::BackupDate(_) => match self.choose(&BTreeSet::from([there.path.to_owned()])).await? {
                Ok(chosen) => chosen.first().map(|chosen| chosen.version),
                Err(refusals) => return Ok(Err(refusals.join("; "))),
            },
        };
        Ok(match version {
            Some(version) if version <= latest => Ok(version),
            Some(version) => Err(format!(
                "{:?} has no version {version} in {}, its newest one is {latest}",
                there.path,
                there.store.place(there.path)
            )),
            None => Err(format!("the log of {:?} in its place begins after that moment", there.path)),
        })
    }

    /// A table without a log that can be read: what it lacks of the version that a snapshot has is put back, its log with it.
    async fn without_a_log(&self, there: &There<'_>) -> Result<Result<Chosen, String>> {
        let found = match self.choose(&BTreeSet::from([there.path.to_owned()])).await? {
            Ok(found) => found.into_iter().next(),
            Err(refusals) => return Ok(Err(refusals.join("; "))),
        };
        let Some(chosen) = found else { return Ok(Err(format!("{:?} is in no snapshot", there.path))) };
        let beyond = there.listing.latest_version().filter(|latest| *latest > chosen.version);
        Ok(match beyond {
            Some(latest) => Err(format!(
                "{:?} is not mended in its place: its log goes on to version {latest} and cannot be read, and the snapshot of {} has \
                 version {}. Restore it to another prefix",
                there.path, chosen.run.backup_date, chosen.version
            )),
            None => Ok(Chosen { how: How::PutBack, ..chosen }),
        })
    }
}

impl There<'_> {
    /// Whether a version can be loaded, its files there or not.
    async fn loads(&self, version: u64) -> Result<bool> {
        match needs(self.store, self.path, &self.listing, &self.options, version, |_| false).await {
            Ok(_) => Ok(true),
            Err(error) if error.name == levee_tables::CANNOT_CHECK => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn facts(&self, version: u64) -> Result<Result<(VersionFacts, Option<Described>), String>> {
        let at = at_version(self.store, self.path, &self.listing, &self.options, version).await;
        let at = match checked(at)? {
            Ok(at) => at,
            Err(cause) => return Ok(Err(cause)),
        };
        let Some(facts) = at.facts else {
            return Ok(Err(format!(
                "the log of {:?} does not reach back to version {version} any more: restore it to another prefix",
                self.path
            )));
        };
        if !at.unsupported.is_empty() {
            return Ok(Err(format!(
                "{:?} has features that are not known here: {}",
                self.path,
                at.unsupported.join(", ")
            )));
        }
        Ok(Ok((facts, described_if_readable(self.store, self.path, &self.listing, version).await?)))
    }

    /// Whether a commit can give the table the state of the version; the commit itself is made when its turn comes.
    async fn rolls_back(&self, from: u64, to: u64) -> Result<Result<(), String>> {
        if from == to {
            return Ok(Ok(()));
        }
        let facts = RestoreFacts { timestamp_ms: 0, engine_info: String::new() };
        let tried = restore_commit(self.store, self.path, &self.listing, &self.options, (from, to), facts).await;
        Ok(checked(tried)?.map(drop))
    }
}

/// What a table itself refuses is told, all else is an error.
fn checked<T>(result: Result<T, StageError>) -> Result<Result<T, String>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.name == levee_tables::CANNOT_CHECK => Ok(Err(error.cause)),
        Err(error) => Err(error.into()),
    }
}
