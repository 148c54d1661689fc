//! The restored tables, against what the backup's receipt says of them.

use levee_delta_log::{Described, VersionFacts};
use levee_ledger::{
    Ledger,
    drill::DrilledTable,
    history::{Closed, End},
    restore::{RestorePlan, RestoreReceipt, RestoredTable, TableToRestore},
    state::TableLine,
};
use levee_restore::described_if_readable;
use levee_stage::StageError;
use levee_tables::{BucketStore, listing};

use crate::open::{Opened, open};

/// What a drill is held against.
pub(crate) struct Expected {
    /// The plan of the restore.
    pub(crate) plan: RestorePlan,
    /// What the restore's receipt says of its tables.
    pub(crate) restored: Vec<RestoredTable>,
    /// What the receipt of the backup says of all tables.
    pub(crate) backed_up: Vec<TableLine>,
}

/// A table that is not as its backup was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) path: String,
    pub(crate) differs: Vec<String>,
}

impl Expected {
    /// Reads the plan, and the lists that the receipts of the restore and of the backup pin.
    ///
    /// # Errors
    /// `Levee.LedgerCorrupt` when one of them is gone or is not the one that it should be; AWS errors.
    pub(crate) async fn read(ledger: &Ledger, receipt: &RestoreReceipt) -> Result<Self, StageError> {
        let corrupt = |cause: String| StageError::permanent("Levee.LedgerCorrupt", cause);
        let place = format!("s3://{}/{}", receipt.plan.bucket, receipt.plan.key);
        let Some(plan) = ledger.read::<RestorePlan>(&receipt.plan.key).await? else {
            return Err(corrupt(format!("the plan {place} is gone; see who can remove objects there")));
        };
        if plan.pointer.etag != receipt.plan.etag {
            return Err(corrupt(format!("{place} is another plan than the receipt of the restore names")));
        }
        let Some(list) = &receipt.tables.list else {
            return Err(corrupt("the receipt of the restore names no list of tables".to_owned()));
        };
        let restored = ledger.pinned_lines(list, receipt.list_sha256.as_deref()).await?;
        let backup = backup_of(ledger, &plan.value).await?;
        let backed_up = ledger.tables_of(&backup.receipt.value).await?;
        Ok(Self { plan: plan.value, restored, backed_up })
    }

    /// Compares every table of the plan, and opens it; in the inner result, those that are not as they should be.
    ///
    /// # Errors
    /// The scratch bucket cannot be read.
    pub(crate) async fn compare(
        &self,
        scratch: &BucketStore,
    ) -> Result<Result<Vec<DrilledTable>, Vec<Problem>>, StageError> {
        let (mut drilled, mut problems) = (Vec::new(), Vec::new());
        for table in &self.plan.tables {
            let mut differs = self.counts(table);
            let found = match found(scratch, table).await {
                Ok(found) => Some(found),
                Err(error) if error.name == levee_tables::CANNOT_CHECK => {
                    differs.push(error.cause);
                    None
                }
                Err(error) => return Err(error),
            };
            if let Some((described, opened)) = &found {
                differs.extend((*described != table.described).then(|| {
                    "its schema, partitioning, properties or protocol are not those of the backup".to_owned()
                }));
                differs.extend(self.contents(table, opened));
            }
            match found {
                Some((_, opened)) if differs.is_empty() => drilled.push(DrilledTable {
                    path: table.path.clone(),
                    version: table.version,
                    files: opened.files,
                    bytes: opened.bytes,
                    rows: opened.rows,
                }),
                _ => problems.push(Problem { path: table.path.clone(), differs }),
            }
        }
        Ok(if problems.is_empty() { Ok(drilled) } else { Err(problems) })
    }

    /// What the receipt of the backup says of a table.
    fn of_backup(&self, path: &str) -> Option<(u64, &VersionFacts)> {
        let line = self.backed_up.iter().find(|line| line.verdict.path == path)?;
        line.verdict.newest_whole_version.zip(line.verdict.newest_whole.as_ref())
    }

    /// What the restore's receipt and the backup's do not agree about.
    fn counts(&self, table: &TableToRestore) -> Vec<String> {
        let Some((version, facts)) = self.of_backup(&table.path) else {
            return vec!["the receipt of the backup does not have it".to_owned()];
        };
        let Some(restored) = self.restored.iter().find(|restored| restored.path == table.path) else {
            return vec!["the receipt of the restore does not have it".to_owned()];
        };
        let mut differs = Vec::new();
        let mut compare = |what: &str, restored: Option<u64>, backup: Option<u64>| {
            if let (restored, Some(backup)) = (restored, backup)
                && restored != Some(backup)
            {
                let restored = restored.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
                differs.push(format!("{what} {restored}, in the backup {backup}"));
            }
        };
        compare("version", Some(restored.version), Some(version));
        compare("files", Some(restored.files), Some(facts.files));
        compare("bytes", Some(restored.bytes), Some(facts.bytes));
        compare("rows", restored.rows, facts.rows);
        if !restored.opens {
            differs.push("it does not open where it was restored to".to_owned());
        }
        differs
    }

    /// What the files that were opened do not have.
    fn contents(&self, table: &TableToRestore, opened: &Opened) -> Vec<String> {
        let mut differs = Vec::new();
        if opened.bad > 0 {
            let more = if opened.bad > opened.problems.len() as u64 { ", and others" } else { "" };
            differs.push(format!("{} of its {} files: {}{more}", opened.bad, opened.files, opened.problems.join(", ")));
            return differs;
        }
        let Some((_, facts)) = self.of_backup(&table.path) else { return differs };
        if (opened.files, opened.bytes) != (facts.files, facts.bytes) {
            differs.push(format!(
                "its log names {} files of {} bytes, in the backup {} of {}",
                opened.files, opened.bytes, facts.files, facts.bytes
            ));
        }
        if let Some(rows) = facts.rows.filter(|rows| *rows != opened.rows) {
            differs.push(format!("its files have {} rows, in the backup {rows}", opened.rows));
        }
        differs
    }
}

/// What the copy says of itself, and what is in its files.
async fn found(scratch: &BucketStore, table: &TableToRestore) -> Result<(Option<Described>, Opened), StageError> {
    let listed = listing(scratch, &table.target).await?;
    let described = described_if_readable(scratch, &table.target, &listed, table.version).await?;
    let opened = open(scratch, &table.target, &listed, table.version).await?;
    Ok((described, opened))
}

/// The backup that the plan restores from.
async fn backup_of(ledger: &Ledger, plan: &RestorePlan) -> Result<Closed, StageError> {
    let corrupt = |cause: String| StageError::permanent("Levee.LedgerCorrupt", cause);
    let Some(wanted) = plan.tables.first().map(|table| &table.run) else {
        return Err(corrupt("the plan of the drill has no tables".to_owned()));
    };
    for run in ledger.runs_of(&plan.source, wanted.backup_date).await? {
        if let (true, End::Closed(closed)) = (run.execution_name == wanted.execution_name, run.end)
            && closed.sha256 == wanted.receipt_sha256
        {
            return Ok(*closed);
        }
    }
    Err(corrupt(format!(
        "the receipt of the backup of {} for {} (execution {}) is gone, or is not the one that the plan names: its SHA-256 should be {}. \
         Look at the versions of the object, and at who can write there",
        plan.source, wanted.backup_date, wanted.execution_name, wanted.receipt_sha256
    )))
}
