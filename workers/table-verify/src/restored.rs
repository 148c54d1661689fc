//! The tables of a restore: proved to be whole at their versions where they were restored to, and rolled back where the plan says.

use aws_sdk_s3::Client;
use jiff::Timestamp;
use levee_delta_log::{AtVersion, Options, TableVerdict, Verdict, VersionFacts};
use levee_ledger::{
    Ledger, RunKey,
    restore::{How, PrefixToRestore, RestorePlan, RestoredTable, TableToRestore},
    state::{Restoration, Tables},
};
use levee_restore::{Keys, Prefix, Walk};
use levee_stage::StageError;
use levee_tables::{BucketStore, Store, at_version, last_checkpoint, listing, look, prefix};

use crate::rollback::Rollback;

/// The error of tables that are not whole where they were restored to.
pub const RESTORE_NOT_WHOLE: &str = "Levee.RestoreNotWhole";
const HINT: &str = "_delta_log/_last_checkpoint";
/// Tables that a cause names.
const NAMED: usize = 10;

/// Looks at what was restored.
pub(crate) struct Restorer<'a> {
    pub(crate) s3: &'a Client,
    pub(crate) ledger: &'a Ledger,
    pub(crate) run: &'a RunKey,
    pub(crate) restore: &'a Restoration,
    pub(crate) options: Options,
    pub(crate) now: Timestamp,
}

impl Restorer<'_> {
    /// Settles every table, and writes the list of them at `key`.
    ///
    /// # Errors
    /// `Levee.RestoreNotWhole` or `Levee.RestoreConflict` with the tables that are not as they should be; AWS errors.
    pub(crate) async fn settle(&self, key: &str) -> Result<Tables, StageError> {
        let plan = self.plan().await?;
        let executions = plan.executions()?;
        let execution = executions.iter().find(|execution| execution.id == self.restore.id);
        let (mut lines, mut problems) = (Vec::new(), Vec::new());
        for prefix in execution.into_iter().flat_map(|execution| &execution.prefixes) {
            problems.extend(self.prefix(prefix).await?);
        }
        for table in execution.into_iter().flat_map(|execution| &execution.tables) {
            match self.table(table).await? {
                Ok(restored) => lines.push(restored),
                Err(problem) => problems.push(problem),
            }
        }
        match problems.first() {
            Some(first) => Err(StageError::permanent(first.name, self.cause(&problems))),
            None => self.list(key, &lines).await,
        }
    }

    async fn plan(&self) -> Result<RestorePlan, StageError> {
        let plan = self.ledger.read::<RestorePlan>(&self.restore.plan.key).await?;
        plan.map(|plan| plan.value).ok_or_else(|| {
            let cause = format!("the plan s3://{}/{} is gone", self.restore.plan.bucket, self.restore.plan.key);
            StageError::permanent("Levee.LedgerCorrupt", cause)
        })
    }

    /// Whether the target has every object below a prefix with the snapshot's size.
    async fn prefix(&self, prefix: &PrefixToRestore) -> Result<Option<Problem>, StageError> {
        let what = Prefix { prefix: &prefix.prefix, single: prefix.single };
        let target = &self.restore.target;
        let snapshot = Keys::new(self.s3, &prefix.run.bucket, &prefix.run.account, "", what);
        let there = Keys::new(self.s3, &target.name, &target.account, &self.restore.prefix, what);
        let mut walk = Walk::new(snapshot, there);
        while walk.next().await?.is_some() {}
        let walked = walk.end();
        if walked.lacking.objects == 0 {
            return Ok(None);
        }
        Ok(Some(not_whole(format!(
            "s3://{} lacks {} of the {} objects of {:?}, or has them with another size: {}",
            target.name,
            walked.lacking.objects,
            walked.objects,
            prefix.prefix,
            walked.lacking.named()
        ))))
    }

    async fn table(&self, table: &TableToRestore) -> Result<Result<RestoredTable, Problem>, StageError> {
        let owner = Some(self.restore.target.account.clone());
        let store = BucketStore::new(self.s3, &self.restore.target.name, owner);
        let root = &table.target;
        let there = listing(&store, root).await?;
        let at = match at_version(&store, root, &there, &self.options, table.version).await {
            Ok(at) => at,
            Err(error) if error.name == levee_tables::CANNOT_CHECK => return Ok(Err(not_whole(error.cause))),
            Err(error) => return Err(error),
        };
        let facts = match facts_of(table, at, &store.place(root)) {
            Ok(facts) => facts,
            Err(problem) => return Ok(Err(problem)),
        };
        let rolled_back = match table.how {
            How::RollBack { from } => {
                let rollback =
                    Rollback { s3: self.s3, ledger: self.ledger, run: self.run, options: &self.options, now: self.now };
                match rollback.settle(&store, &self.restore.target, table, &there, from).await? {
                    Ok(summary) => Some(summary),
                    Err(problem) => return Ok(Err(problem)),
                }
            }
            How::New => {
                self.write_hint(&store, table, &facts).await?;
                None
            }
            How::PutBack => None,
        };
        let found = look(&store, root, None, &self.options).await?.verdict;
        Ok(restored(table, &facts, &found, rolled_back, &store.place(root)))
    }

    /// Writes a `_last_checkpoint` that names the checkpoint of the version, so that readers need not look for it.
    async fn write_hint(
        &self,
        store: &BucketStore,
        table: &TableToRestore,
        facts: &VersionFacts,
    ) -> Result<(), StageError> {
        let Some(checkpoint) = facts.checkpoint else { return Ok(()) };
        let there = listing(store, &table.target).await?;
        let Some(bytes) = last_checkpoint(store, &table.target, &there, checkpoint).await? else { return Ok(()) };
        let key = format!("{}{HINT}", prefix(&table.target));
        let target = &self.restore.target;
        let call = self.s3.put_object().bucket(&target.name).key(&key).expected_bucket_owner(&target.account);
        let written = call.content_type("application/json").body(bytes.into()).send().await;
        written
            .map(drop)
            .map_err(|error| levee_stage::aws_error(&format!("PutObject of s3://{}/{key}", target.name), error))
    }

    /// Writes the list, and counts it.
    async fn list(&self, key: &str, lines: &[RestoredTable]) -> Result<Tables, StageError> {
        let mut tables = Tables { tables: lines.len() as u64, ..Tables::default() };
        if lines.is_empty() {
            return Ok(tables);
        }
        let mut list = self.ledger.artefact(key.to_owned(), "application/x-ndjson");
        for line in lines {
            tables.verdicts.add(Verdict::Whole);
            let mut bytes = serde_json::to_vec(line).map_err(|error| {
                StageError::permanent(StageError::OUTPUT_INVALID, format!("a restored table is no JSON: {error}"))
            })?;
            bytes.push(b'\n');
            list.write(&bytes).await?;
        }
        tables.list = Some(list.finish().await?.pointer);
        Ok(tables)
    }

    fn cause(&self, problems: &[Problem]) -> String {
        let first: Vec<_> = problems.iter().take(NAMED).map(|problem| problem.why.trim_end_matches('.')).collect();
        format!(
            "{} did not bring {} of its tables and prefixes back as planned: {}. See who else writes to s3://{} and what the records in {} say; a \
             redrive looks again. What was copied is left where it is.",
            self.run,
            problems.len(),
            first.join("; "),
            self.restore.target.name,
            self.run.prefix()
        )
    }
}

/// Why a table is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) name: &'static str,
    pub(crate) why: String,
}

fn not_whole(why: String) -> Problem {
    Problem { name: RESTORE_NOT_WHOLE, why }
}

/// The facts of the version, if it is whole and what the plan says.
fn facts_of(table: &TableToRestore, at: AtVersion, place: &str) -> Result<VersionFacts, Problem> {
    let version = table.version;
    let facts = match at.facts {
        Some(facts) if at.whole => facts,
        _ => {
            let missing: Vec<_> = at.missing.iter().take(3).map(|missing| format!("{:?}", missing.path)).collect();
            return Err(not_whole(format!(
                "{place} is not whole at version {version}, it lacks {} objects, first {}",
                at.missing_in_all.objects,
                missing.join(", ")
            )));
        }
    };
    if (facts.files, facts.bytes) == (table.files, table.bytes) {
        return Ok(facts);
    }
    Err(not_whole(format!(
        "{place} has {} files of {} bytes at version {version}, the plan has {} of {}",
        facts.files, facts.bytes, table.files, table.bytes
    )))
}

/// The table as it is now, if a reader gets of it what it should.
fn restored(
    table: &TableToRestore,
    facts: &VersionFacts,
    found: &TableVerdict,
    rolled_back: Option<levee_delta_log::RestoreSummary>,
    place: &str,
) -> Result<RestoredTable, Problem> {
    let newest = match table.how {
        How::New => Some(table.version),
        How::PutBack | How::RollBack { .. } => found.latest_version,
    };
    let latest = found.latest_version.filter(|latest| found.newest_whole_version == Some(*latest));
    // No reader opens a table by its path whose catalog decides what its newest version is.
    let opens = found.opens_in_place.yes;
    match latest.filter(|latest| newest == Some(*latest)) {
        Some(latest_version) if opens || found.verdict == Verdict::CatalogManaged => Ok(RestoredTable {
            path: table.path.clone(),
            target: table.target.clone(),
            version: table.version,
            files: facts.files,
            bytes: facts.bytes,
            rows: facts.rows,
            latest_version,
            opens,
            rolled_back,
        }),
        _ => Err(not_whole(format!(
            "{place} is whole at version {}, but a reader that is pointed at it does not get it: its newest version is {}, the \
             newest whole one {}; {}",
            table.version,
            found.latest_version.map_or_else(|| "none".to_owned(), |version| version.to_string()),
            found.newest_whole_version.map_or_else(|| "none".to_owned(), |version| version.to_string()),
            found.opens_in_place.why_not.as_deref().unwrap_or("it would open")
        ))),
    }
}
