//! The newest snapshot that has a table as it is wished for.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use aws_sdk_s3::Client;
use jiff::{Timestamp, civil::Date};
use levee_delta_log::{Options, VersionFacts};
use levee_ledger::{
    Ledger,
    history::{Closed, End},
    receipt::Receipt,
    restore::{SnapshotRun, TableToRestore},
    state::{COPY_LIMIT_BYTES, TableLine},
};
use levee_tables::{BucketStore, Needed, at_version, described, listing, needs, version_as_of};
use sha2::{Digest, Sha256};

use crate::{show::tables::read, verify::matcher};

/// Snapshots that a refusal names for want of the one that was asked for.
const NEAREST: usize = 3;

/// As what a table is wished for.
#[derive(Clone, Copy, Debug)]
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

/// Looks through the runs of a source.
pub(super) struct Chooser<'a> {
    pub(super) s3: &'a Client,
    pub(super) ledger: &'a Ledger,
    pub(super) source: &'a str,
    pub(super) when: When,
}

/// Whether a wish for tables is a glob and not a path.
pub(super) fn is_glob(wish: &str) -> bool {
    wish.contains(['*', '?', '[', '{'])
}

/// What is known of a table that was not found yet as it is wished for.
#[derive(Default)]
struct Tried {
    /// The newest snapshots that have it, and why each will not do.
    why: Vec<String>,
    /// Versions that are whole, by day: the newest snapshots first.
    whole: Vec<(Date, u64)>,
}

impl Chooser<'_> {
    /// The tables that the wishes mean, each from the newest snapshot that has it as it is wished for; by path. Paths are looked for in all
    /// snapshots, globs in the newest one, or in that of the day.
    ///
    /// # Errors
    /// The ledger or a snapshot cannot be read; a glob is none. In the inner result: why tables cannot be had, a line each.
    pub(super) async fn choose(&self, wishes: &[String]) -> Result<Result<Vec<TableToRestore>, Vec<String>>> {
        let (globs, paths): (Vec<_>, Vec<_>) = wishes.iter().partition(|wish| is_glob(wish));
        let globs = globs.into_iter().map(|glob| matcher(glob)).collect::<Result<Vec<_>>>()?;
        let mut open: BTreeMap<String, Tried> =
            paths.into_iter().map(|path| (path.trim_matches('/').to_owned(), Tried::default())).collect();
        let (mut chosen, mut unmatched) = (Vec::new(), !globs.is_empty());
        for day in self.days().await? {
            for run in self.ledger.runs_of(self.source, day).await? {
                let End::Closed(closed) = run.end else { continue };
                let lines = read(self.ledger, &closed.receipt.value, &[]).await?;
                if std::mem::take(&mut unmatched) {
                    let matched =
                        lines.iter().filter(|line| globs.iter().any(|glob| glob.is_match(&line.verdict.path)));
                    for line in matched {
                        open.entry(line.verdict.path.clone()).or_default();
                    }
                }
                for line in &lines {
                    let Some(tried) = open.get_mut(&line.verdict.path) else { continue };
                    if let Some(table) = self.try_run(&closed, line, tried).await? {
                        open.remove(&line.verdict.path);
                        chosen.push(table);
                    }
                }
            }
            if open.is_empty() && !unmatched {
                break;
            }
        }
        let mut refusals: Vec<_> = open.iter().map(|(path, tried)| self.refusal(path, tried)).collect();
        if chosen.is_empty() && refusals.is_empty() {
            refusals.push(format!(
                "no table of {} is meant by {}; levee show lists the tables of a run",
                self.source,
                wishes.join(", ")
            ));
        }
        chosen.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(if refusals.is_empty() { Ok(chosen) } else { Err(refusals) })
    }

    async fn days(&self) -> Result<Vec<Date>> {
        Ok(match self.when {
            When::BackupDate(day) => vec![day],
            _ => self.ledger.days(self.source).await?,
        })
    }

    /// The table out of this run, if its snapshot has it as it is wished for.
    async fn try_run(&self, closed: &Closed, line: &TableLine, tried: &mut Tried) -> Result<Option<TableToRestore>> {
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
        let store = BucketStore::new(self.s3, &receipt.snapshot.bucket, Some(receipt.snapshot.account.clone()));
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
        let at = at_version(&store, path, &listed, &options, version).await?;
        let (Some(facts), true, true) = (at.facts, at.whole, at.unsupported.is_empty()) else {
            let lacks = at.missing_in_all.objects;
            tried.why.push(format!(
                "version {version} is not whole in the snapshot of {day}, where it lacks {lacks} objects"
            ));
            return Ok(None);
        };
        let needed = needs(&store, path, &listed, &options, version, |_| true).await?;
        let described = described(&store, path, &listed, &options, version).await?;
        let run = snapshot_run(receipt, &closed.sha256);
        Ok(Some(table(path, version, &facts, run, &needed, described)))
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
        let mut seen = BTreeSet::new();
        whole.retain(|(_, version)| seen.insert(*version));
        let nearest: Vec<_> =
            whole.iter().take(NEAREST).map(|(day, version)| format!("version {version} of {day}")).collect();
        let nearest = if nearest.is_empty() { "none".to_owned() } else { nearest.join(", ") };
        format!("{path:?} is not {wished}: {}. The nearest that are whole: {nearest}", why.join("; "))
    }
}

fn snapshot_run(receipt: &Receipt, sha256: &str) -> SnapshotRun {
    SnapshotRun {
        backup_date: receipt.run.backup_date,
        execution_name: receipt.run.execution_name.clone(),
        receipt_sha256: sha256.to_owned(),
        bucket: receipt.snapshot.bucket.clone(),
        account: receipt.snapshot.account.clone(),
    }
}

fn table(
    path: &str,
    version: u64,
    facts: &VersionFacts,
    run: SnapshotRun,
    needed: &[Needed],
    described: levee_delta_log::Described,
) -> TableToRestore {
    let mut by_path: Vec<_> = needed.iter().map(|need| (need.path.as_str(), need.size.unwrap_or_default())).collect();
    by_path.sort_unstable();
    let mut digest = Sha256::new();
    for (path, size) in &by_path {
        digest.update(format!("{size} {path}\n"));
    }
    let sizes = || by_path.iter().map(|(_, size)| *size);
    TableToRestore {
        path: path.to_owned(),
        target: String::new(),
        version,
        timestamp_ms: facts.timestamp_ms,
        run,
        files: facts.files,
        bytes: facts.bytes,
        rows: facts.rows,
        objects: by_path.len() as u64,
        object_bytes: sizes().fold(0, u64::saturating_add),
        large_objects: sizes().filter(|size| *size > COPY_LIMIT_BYTES).count() as u64,
        objects_sha256: hex::encode(digest.finalize()),
        described,
    }
}
