//! The tables that the closed runs of a source know, newest run first.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, ToSpan, civil::Date};
use levee_delta_log::Verdict;
use levee_ledger::{
    Ledger,
    history::{End, KnownRun},
    receipt::Receipt,
    state::{Selection, TableLine},
};
use levee_stage::StageError;

use super::{age, document::Backup};

/// Days that are looked into at a time.
const AT_A_TIME: usize = 8;

/// What the runs of a source know.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The newest run with a receipt.
    pub(super) newest: Option<Newest>,
    /// The tables by path.
    pub(super) tables: BTreeMap<String, KnownTable>,
    /// Why the tables of the source may be others than those here.
    pub(super) problems: Vec<String>,
    /// Why older runs could not be read, which may have whole backups of tables that are without one here.
    pub(super) unread: Vec<String>,
}

/// The newest run with a receipt.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) run: Arc<ClosedRun>,
    /// The account of the source.
    pub(super) source_account: String,
    /// What it was to copy.
    pub(super) selection: Selection,
    /// Whether its list of tables could be read.
    pub(super) listed: bool,
}

/// A run with a receipt.
#[derive(Debug)]
pub(super) struct ClosedRun {
    pub(super) backup_date: Date,
    pub(super) execution_name: String,
    /// When the scan of its inventory began: what was written to the source since may be missing in the snapshot.
    pub(super) stands_for: Timestamp,
}

/// A table, as far as runs know it.
#[derive(Debug, Default)]
pub(super) struct KnownTable {
    /// The verdict in the newest run; none when that does not have the table.
    pub(super) verdict: Option<Verdict>,
    /// The newest copy that is whole in its newest version.
    pub(super) whole: Option<TableCopy>,
    /// The newest copy that has any whole version.
    pub(super) restorable: Option<TableCopy>,
}

/// A copy of a table in a snapshot, and its newest whole version.
#[derive(Clone, Debug)]
pub(super) struct TableCopy {
    run: Arc<ClosedRun>,
    version: u64,
}

impl TableCopy {
    pub(super) fn backup(&self, now: Timestamp) -> Backup {
        Backup {
            backup_date: self.run.backup_date,
            execution_name: self.run.execution_name.clone(),
            version: self.version,
            stands_for: self.run.stands_for,
            age_seconds: age(self.run.stands_for, now),
        }
    }
}

impl Known {
    /// Reads the newest closed run, however old it is, and those of the `days` before its backup date.
    ///
    /// # Errors
    /// The ledger cannot be listed or read.
    pub(super) async fn read(ledger: &Ledger, source: &str, days: u16) -> Result<Self, StageError> {
        let mut known = Self::default();
        let mut dates = ledger.days(source).await?.into_iter();
        while known.newest.is_none()
            && let Some(date) = dates.next()
        {
            known.take_day(ledger, &ledger.runs_of(source, date).await?).await;
        }
        let Some(newest) = known.newest.as_ref().map(|newest| newest.run.backup_date) else { return Ok(known) };
        let oldest = newest.saturating_sub(i64::from(days).days());
        let older = stream::iter(dates.take_while(|date| *date >= oldest)).map(|date| ledger.runs_of(source, date));
        let mut older = older.buffered(AT_A_TIME);
        while let Some(runs) = older.try_next().await? {
            known.take_day(ledger, &runs).await;
        }
        Ok(known)
    }

    async fn take_day(&mut self, ledger: &Ledger, runs: &[KnownRun]) {
        for run in runs {
            match &run.end {
                End::Closed(closed) => self.take_run(ledger, &closed.receipt.value).await,
                End::Unreadable(why) => self.not_read(why.clone()),
                End::Failed(_) | End::Open(_) => {}
            }
        }
    }

    async fn take_run(&mut self, ledger: &Ledger, receipt: &Receipt) {
        let run = Arc::new(ClosedRun {
            backup_date: receipt.run.backup_date,
            execution_name: receipt.run.execution_name.clone(),
            stands_for: receipt.inventory.scan_started,
        });
        let is_newest = self.newest.is_none();
        let tables = &mut self.tables;
        let read = match &receipt.tables.tables.not_checked {
            Some(why) => Err(anyhow::anyhow!(
                "the tables of {} {} were not looked at: {why}",
                receipt.run.source,
                receipt.run.backup_date
            )),
            None => ledger
                .each_table_of(receipt, |line| take_line(tables, &run, line, is_newest))
                .await
                .map_err(anyhow::Error::from),
        };
        let listed = read.is_ok();
        if let Err(error) = read {
            self.not_read(format!("{error:#}"));
        }
        if is_newest {
            let (source_account, selection) = (receipt.run.source_account.clone(), receipt.settings.selection.clone());
            self.newest = Some(Newest { run, source_account, selection, listed });
        }
    }

    /// Of runs up to the newest closed one it is a problem; older ones only add to what is known.
    fn not_read(&mut self, why: String) {
        let list = if self.newest.is_none() { &mut self.problems } else { &mut self.unread };
        list.push(why);
    }
}

fn take_line(tables: &mut BTreeMap<String, KnownTable>, run: &Arc<ClosedRun>, line: TableLine, is_newest: bool) {
    let verdict = line.verdict;
    let table = tables.entry(verdict.path).or_default();
    if is_newest {
        table.verdict = Some(verdict.verdict);
    }
    let Some(version) = verdict.newest_whole_version else { return };
    let copy = || TableCopy { run: Arc::clone(run), version };
    if verdict.verdict.is_good() {
        table.whole.get_or_insert_with(copy);
    }
    table.restorable.get_or_insert_with(copy);
}
