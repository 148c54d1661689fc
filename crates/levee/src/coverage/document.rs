//! What `levee coverage` says, as one document. Fields are only ever added.

use jiff::{Timestamp, civil::Date};
use levee_delta_log::Verdict;
use levee_page::text::{count, counted, duration};
use serde::Serialize;

use crate::exit;

/// What could be brought back at a moment.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    /// The ledger bucket.
    pub ledger: String,
    /// The moment that ages are counted to.
    pub at: Timestamp,
    /// How many days before a source's newest closed run older ones were looked into.
    pub days: u16,
    /// How old a newest whole backup may be, in hours; null without a limit.
    pub limit_hours: Option<u32>,
    /// Whether the sources were listed.
    pub looked: bool,
    /// The tables by state.
    pub counts: Counts,
    /// All of it in a line.
    pub headline: String,
    /// The sources, by name.
    pub sources: Vec<CoveredSource>,
    /// The tables, worst first.
    pub tables: Vec<CoveredTable>,
}

/// What is known of a source.
#[derive(Clone, Debug, Serialize)]
pub struct CoveredSource {
    /// The source bucket.
    pub source: String,
    /// Its newest run with a receipt; null when no run has one.
    pub newest_run: Option<NewestRun>,
    /// Why its tables, or what the newest run says of them, could not be found out.
    pub problems: Vec<String>,
    /// Why older runs could not be read, which may have whole backups of tables that are without one here.
    pub unread_runs: Vec<String>,
    /// Why restores could not be read, which may be the last ones of tables.
    pub unread_restores: Vec<String>,
}

/// The newest run of a source with a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewestRun {
    /// The day of its snapshot.
    pub backup_date: Date,
    /// The execution's name.
    pub execution_name: String,
    /// See [`Backup::stands_for`].
    pub stands_for: Timestamp,
    /// Seconds since then.
    pub age_seconds: u64,
}

/// A table, and what there is of it.
#[derive(Clone, Debug, Serialize)]
pub struct CoveredTable {
    /// The source bucket.
    pub source: String,
    /// Its root in the source; empty for the root of the bucket.
    pub path: String,
    /// What that comes to.
    pub state: Standing,
    /// The newest backup in which it is whole in its newest version; null when there is none in the days that were looked into.
    pub whole_backup: Option<Backup>,
    /// The newest backup that has any whole version: what `levee restore plan` takes when no version or day is wished for. Newer than
    /// `whole_backup` where the newest copy is behind; null when there is none.
    pub restorable: Option<Backup>,
    /// The verdict in the newest run; null when that does not have the table.
    pub verdict: Option<Verdict>,
    /// Whether it is in the source now; null when that was not looked at.
    pub in_source: Option<bool>,
    /// The restore that brought it back last, wherever to; null when none did.
    pub last_restore: Option<LastRestore>,
}

/// What the backups of a table come to, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Runs know it, and it is whole in none.
    NoWholeBackup,
    /// It is in the source, and no run knows it.
    Uncovered,
    /// Its newest whole backup is older than the limit.
    TooOld,
    /// It has a whole backup, within the limit where there is one.
    Covered,
    /// An older run knows it, the newest does not, and it was not seen in the source.
    Gone,
    /// The selection of the newest run leaves it out.
    LeftOut,
}

impl Standing {
    /// The state as in JSON, with spaces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoWholeBackup => "no whole backup",
            Self::Uncovered => "uncovered",
            Self::TooOld => "too old",
            Self::Covered => "covered",
            Self::Gone => "gone",
            Self::LeftOut => "left out",
        }
    }
}

/// A copy of a table in the snapshot of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// The day of the snapshot.
    pub backup_date: Date,
    /// The execution's name.
    pub execution_name: String,
    /// The newest version that is whole there.
    pub version: u64,
    /// The moment that the snapshot stands for: when the scan of its inventory began.
    pub stands_for: Timestamp,
    /// Seconds since then.
    pub age_seconds: u64,
}

/// A restore of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastRestore {
    /// When its receipt was written.
    pub closed: Timestamp,
    /// The restore, `restores/<source>/<id>/` in the ledger.
    pub id: String,
    /// The execution's name.
    pub execution_name: String,
    /// The day of the snapshot that it was restored from.
    pub backup_date: Date,
    /// The version that was restored.
    pub version: u64,
    /// Where to, `s3://bucket/root`.
    pub target: String,
}

/// Tables by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// See [`Standing::NoWholeBackup`].
    pub no_whole_backup: u64,
    /// See [`Standing::Uncovered`].
    pub uncovered: u64,
    /// See [`Standing::TooOld`].
    pub too_old: u64,
    /// See [`Standing::Covered`].
    pub covered: u64,
    /// See [`Standing::Gone`].
    pub gone: u64,
    /// See [`Standing::LeftOut`].
    pub left_out: u64,
}

impl Counts {
    fn of(tables: &[CoveredTable]) -> Self {
        let mut counts = Self::default();
        for table in tables {
            *match table.state {
                Standing::NoWholeBackup => &mut counts.no_whole_backup,
                Standing::Uncovered => &mut counts.uncovered,
                Standing::TooOld => &mut counts.too_old,
                Standing::Covered => &mut counts.covered,
                Standing::Gone => &mut counts.gone,
                Standing::LeftOut => &mut counts.left_out,
            } += 1;
        }
        counts
    }

    /// Tables of the sources that should be covered and are not.
    const fn lacking(&self) -> u64 {
        self.no_whole_backup + self.uncovered + self.too_old
    }
}

impl Coverage {
    /// Of what was asked for (days, limit in hours, whether to look), and what was found.
    pub(super) fn new(
        ledger: String,
        at: Timestamp,
        (days, limit_hours, looked): (u16, Option<u32>, bool),
        (sources, mut tables): (Vec<CoveredSource>, Vec<CoveredTable>),
    ) -> Self {
        let oldest_first =
            |table: &CoveredTable| std::cmp::Reverse(table.whole_backup.as_ref().map(|backup| backup.age_seconds));
        tables.sort_by(|one, other| {
            let by_state = one.state.cmp(&other.state).then_with(|| oldest_first(one).cmp(&oldest_first(other)));
            by_state.then_with(|| (&one.source, &one.path).cmp(&(&other.source, &other.path)))
        });
        let (counts, headline) = (Counts::of(&tables), String::new());
        let coverage = Self { ledger, at, days, limit_hours, looked, counts, headline, sources, tables };
        Self { headline: coverage.in_a_line(), ..coverage }
    }

    /// The exit code of the command.
    #[must_use]
    pub fn code(&self) -> u8 {
        if self.sources.iter().any(|source| !source.problems.is_empty() || self.is_unproved(source)) {
            exit::USAGE
        } else if self.counts.lacking() > 0 || self.sources.iter().any(|source| source.newest_run.is_none()) {
            exit::FAILED
        } else {
            0
        }
    }

    /// Whether a table of the source is without a whole backup here, and may have one in a run that could not be read.
    fn is_unproved(&self, source: &CoveredSource) -> bool {
        let is_without = |table: &CoveredTable| matches!(table.state, Standing::NoWholeBackup | Standing::Uncovered);
        !source.unread_runs.is_empty()
            && self.tables.iter().any(|table| table.source == source.source && is_without(table))
    }

    fn in_a_line(&self) -> String {
        let counts = &self.counts;
        let limit =
            self.limit_hours.map(|hours| format!(" of the last {}", counted(u64::from(hours), "hour", "hours")));
        let mut parts = vec![format!(
            "{} of {} a whole backup{}",
            count(counts.covered),
            counted(counts.covered + counts.lacking(), "table has", "tables have"),
            limit.unwrap_or_default()
        )];
        let covered = self.tables.iter().filter(|table| table.state == Standing::Covered);
        let oldest = covered.filter_map(|table| table.whole_backup.as_ref()).map(|backup| backup.age_seconds).max();
        parts.extend(oldest.map(|seconds| format!("the oldest of {} ago", duration(seconds))));
        let others = [
            (counts.no_whole_backup, "without one"),
            (counts.too_old, "with an older one only"),
            (counts.uncovered, "in no snapshot"),
            (counts.gone, "gone from the source"),
            (counts.left_out, "left out on purpose"),
        ];
        parts.extend(others.iter().filter(|(of, _)| *of > 0).map(|(of, what)| format!("{} {what}", count(*of))));
        let number = |wanted: &dyn Fn(&CoveredSource) -> bool| {
            self.sources.iter().filter(|source| wanted(source)).count() as u64
        };
        let sources = [
            (number(&|source| source.newest_run.is_none()), "without a receipt"),
            (number(&|source| !source.problems.is_empty()), "that could not be checked"),
        ];
        let sources = sources.iter().filter(|(of, _)| *of > 0);
        parts.extend(sources.map(|(of, what)| format!("{} {what}", counted(*of, "source", "sources"))));
        parts.join("; ")
    }
}
