//! The newest snapshot that has a table as it is wished for.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use aws_sdk_s3::Client;
use jiff::{Timestamp, civil::Date};
use levee_delta_log::Options;
use levee_ledger::{
    Ledger,
    history::{Closed, ClosedRuns},
    state::TableLine,
};
use levee_restore::{Chosen, snapshot, snapshot_run};
use levee_tables::{listing, version_as_of};

use crate::{show::tables::read, verify::matcher};

/// Snapshots that a refusal names for want of the one that was asked for.
const NEAREST: usize = 3;

/// As what a table is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// The newest version that a snapshot has whole.
    Newest,
    /// The newest whole version of the snapshot of a day.
    BackupDate(Date),
    /// A version.
    Version(u64),
    /// The last version until a moment.
    AsOf(Timestamp),
}

impl When {
    /// The day whose snapshot alone will do.
    pub(super) const fn day(self) -> Option<Date> {
        match self {
            Self::BackupDate(day) => Some(day),
            _ => None,
        }
    }
}

/// Looks through the runs of a source.
pub(super) struct Chooser<'a> {
    pub(super) s3: &'a Client,
    pub(super) ledger: &'a Ledger,
    pub(super) source: &'a str,
    pub(super) when: When,
}

/// Whether a wish for tables is a glob and not a path.
fn is_glob(wish: &str) -> bool {
    wish.contains(['*', '?', '[', '{'])
}

/// What is known of a table that was not found yet as it is wished for.
#[derive(Default)]
pub(super) struct Tried {
    /// The newest snapshots that have it, and why each will not do.
    pub(super) why: Vec<String>,
    /// Versions that are whole, by day: the newest snapshots first.
    pub(super) whole: Vec<(Date, u64)>,
}

impl Chooser<'_> {
    /// The closed runs that may do, newest first.
    pub(super) async fn runs(&self) -> Result<ClosedRuns<'_>> {
        Ok(self.ledger.closed_runs(self.source, self.when.day()).await?)
    }

    /// The paths that the wishes mean: paths as they are, globs over the tables of the newest run, or of that of the day.
    ///
    /// # Errors
    /// The ledger cannot be read; a glob is none.
    pub(super) async fn paths(&self, wishes: &[String]) -> Result<BTreeSet<String>> {
        let (globs, paths): (Vec<_>, Vec<_>) = wishes.iter().partition(|wish| is_glob(wish));
        let globs = globs.into_iter().map(|glob| matcher(glob)).collect::<Result<Vec<_>>>()?;
        let mut paths: BTreeSet<_> = paths.into_iter().map(|path| path.trim_matches('/').to_owned()).collect();
        if globs.is_empty() {
            return Ok(paths);
        }
        if let Some(newest) = self.runs().await?.next().await? {
            let lines = read(self.ledger, &newest.receipt.value, &[]).await?;
            let matched = lines.into_iter().map(|line| line.verdict.path);
            paths.extend(matched.filter(|path| globs.iter().any(|glob| glob.is_match(path))));
        }
        Ok(paths)
    }

    /// The tables, each from the newest snapshot that has it as it is wished for; by path.
    ///
    /// # Errors
    /// The ledger or a snapshot cannot be read. In the inner result: why tables cannot be had, a line each.
    pub(super) async fn choose(&self, paths: &BTreeSet<String>) -> Result<Result<Vec<Chosen>, Vec<String>>> {
        let mut open: BTreeMap<&String, Tried> = paths.iter().map(|path| (path, Tried::default())).collect();
        let mut chosen = Vec::new();
        let mut runs = self.runs().await?;
        while !open.is_empty()
            && let Some(run) = runs.next().await?
        {
            for line in read(self.ledger, &run.receipt.value, &[]).await? {
                let Some(tried) = open.get_mut(&line.verdict.path) else { continue };
                if let Some(table) = self.try_run(&run, &line, tried).await? {
                    open.remove(&line.verdict.path);
                    chosen.push(table);
                }
            }
        }
        let refusals: Vec<_> = open.iter().map(|(path, tried)| self.refusal(path, tried)).collect();
        chosen.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(if refusals.is_empty() { Ok(chosen) } else { Err(refusals) })
    }

    /// The table out of this run, if its snapshot has it as it is wished for.
    async fn try_run(&self, closed: &Closed, line: &TableLine, tried: &mut Tried) -> Result<Option<Chosen>> {
        let (receipt, path) = (&closed.receipt.value, &line.verdict.path);
        let day = receipt.run.backup_date;
        tried.whole.extend(line.verdict.newest_whole_version.map(|version| (day, version)));
        let known = match self.when {
            When::Newest | When::BackupDate(_) => match line.verdict.newest_whole_version {
                Some(version) => Some(version),
                None => {
                    tried.why.push(format!("of {day} it is {}", line.verdict.verdict.name().replace('_', " ")));
                    return Ok(None);
                }
            },
            When::Version(version) if line.verdict.latest_version.is_none_or(|latest| latest < version) => {
                let latest = line.verdict.latest_version.map_or_else(|| "none".to_owned(), |latest| latest.to_string());
                tried.why.push(format!("the newest version of {day} is {latest}"));
                return Ok(None);
            }
            When::Version(version) => Some(version),
            When::AsOf(_) => None,
        };
        let store = snapshot(self.s3, receipt);
        let (listed, options) = (listing(&store, path).await?, Options::default());
        let version = match (known, self.when) {
            (Some(version), _) => version,
            (None, When::AsOf(time)) => {
                match version_as_of(&store, path, &listed, &options, time.as_millisecond()).await? {
                    Some(version) => version,
                    None => {
                        tried.why.push(format!("the log of {day} begins after {time}"));
                        return Ok(None);
                    }
                }
            }
            (None, _) => return Ok(None),
        };
        match Chosen::of_snapshot(&store, snapshot_run(closed), path, &listed, version).await? {
            Ok(chosen) => Ok(Some(chosen)),
            Err(why) => {
                tried.why.push(format!("version {version} is not whole in the snapshot of {day}, where {why}"));
                Ok(None)
            }
        }
    }

    fn refusal(&self, path: &str, tried: &Tried) -> String {
        let wished = match self.when {
            When::Newest => "whole".to_owned(),
            When::BackupDate(day) => format!("whole in the snapshot of {day}"),
            When::Version(version) => format!("whole at version {version}"),
            When::AsOf(time) => format!("whole as of {time}"),
        };
        if tried.why.is_empty() && tried.whole.is_empty() {
            return format!(
                "{path:?} is in no snapshot of {} that was looked at; levee show lists the tables of a run",
                self.source
            );
        }
        let why: Vec<_> = tried.why.iter().take(NEAREST).cloned().collect();
        let mut whole = tried.whole.clone();
        if let When::Version(wanted) = self.when {
            whole.sort_by_key(|(day, version)| (version.abs_diff(wanted), std::cmp::Reverse(*day)));
        }
        format!("{path:?} is not {wished}: {}. The nearest that are whole: {}", why.join("; "), nearest(whole))
    }
}

/// The first of some versions, each of them once.
pub(super) fn nearest(mut whole: Vec<(Date, u64)>) -> String {
    let mut seen = BTreeSet::new();
    whole.retain(|(_, version)| seen.insert(*version));
    let nearest: Vec<_> =
        whole.iter().take(NEAREST).map(|(day, version)| format!("version {version} of {day}")).collect();
    if nearest.is_empty() { "none".to_owned() } else { nearest.join(", ") }
}
