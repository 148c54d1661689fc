//! The first stage of a drill: it chooses tables of the newest backup, and plans their restore into the scratch bucket.
//!
//! The plan is made by the code that makes those of restores, and stands where theirs do, so that the stages behind this one do what they
//! do in a restore. What the stage answers is written down for the execution: done twice, it answers the same.

mod choose;

use choose::{Candidate, choose};
use levee_ledger::{
    Ledger,
    drill::{DrillRequest, plan_record, scratch_prefix},
    history::Closed,
    restore::{Outlook, RESTORE_PLAN_VERSION, RestorePlan, TableToRestore},
    state::Run,
};
use levee_restore::{Chosen, run_of, snapshot, snapshot_run};
use levee_stage::{Aws, CommonSettings, Context, Execution, NoSettings, Progress, Stage, StageError};
use levee_tables::{BucketStore, listing};
use serde::Deserialize;

/// The error of a source that has nothing that could be drilled.
pub const NOTHING_TO_DRILL: &str = "Levee.NothingToDrill";
/// The error of a table that cannot be planned although its backup says that it is whole.
pub const DRILL_FAILED: &str = "Levee.DrillFailed";

/// Drills that are looked back at.
const DRILLS: usize = 100;

/// The part of the state that the stage reads: what was asked for.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// `$.drill`.
    pub drill: DrillRequest,
}

/// The stage.
pub struct DrillPlanning {
    aws: Aws,
    ledger: Ledger,
    account: String,
}

impl DrillPlanning {
    /// The stage on these clients.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, _own: &NoSettings) -> Self {
        Self {
            aws: aws.clone(),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
            account: common.account.clone(),
        }
    }

    /// The newest backup, and the tables of it that are drilled.
    async fn chosen(&self, drill: &DrillRequest) -> Result<(Closed, Vec<Candidate>), StageError> {
        let source = &drill.source;
        let nothing = |cause: String| StageError::permanent(NOTHING_TO_DRILL, cause);
        let Some(closed) = self.ledger.newest_closed(source).await? else {
            return Err(nothing(format!(
                "no backup of {source} has a receipt in s3://{}, so there is nothing to drill. Drill it once its first backup has \
                 succeeded; if it should have some, see that `drill.source` is the source's bucket.",
                self.ledger.bucket()
            )));
        };
        let receipt = &closed.receipt.value;
        if receipt.snapshot.bucket == drill.scratch.name {
            let cause = format!(
                "`drill.scratch.name` is {:?}, which is a snapshot of {source}: what is in the scratch bucket is deleted. Correct the \
                 schedule's input and start a new execution.",
                drill.scratch.name
            );
            return Err(StageError::permanent(StageError::INPUT_INVALID, cause));
        }
        let lines = self.ledger.tables_of(receipt).await?;
        let drills = self.ledger.drills(source, DRILLS).await?;
        let chosen = choose(&lines, &drills, usize::from(drill.tables));
        if chosen.is_empty() {
            let found = match &receipt.tables.tables.not_checked {
                Some(why) => why.clone(),
                None => format!("of its {} tables none is whole", lines.len()),
            };
            return Err(nothing(format!(
                "the newest backup of {source}, of {}, has no whole table that could be drilled: {found}. `levee show \
                 {source}/{}` lists its tables; drill again once a backup has whole ones.",
                receipt.run.backup_date, receipt.run.backup_date
            )));
        }
        Ok((closed, chosen))
    }

    /// The plan of the restore.
    async fn plan(&self, drill: &DrillRequest, execution: &Execution) -> Result<RestorePlan, StageError> {
        let (closed, chosen) = self.chosen(drill).await?;
        let store = snapshot(&self.aws.s3, &closed.receipt.value);
        let prefix = scratch_prefix(&drill.source, &execution.name);
        let scratch = BucketStore::new(&self.aws.s3, &drill.scratch.name, Some(drill.scratch.account.clone()));
        let (mut tables, mut problems) = (Vec::new(), Vec::new());
        for candidate in &chosen {
            match self.table(&closed, &store, candidate, &scratch, &prefix).await? {
                Ok(table) => tables.push(table),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(failed(drill, &closed, &problems));
        }
        Ok(RestorePlan {
            version: RESTORE_PLAN_VERSION,
            // And not the time: the stage done twice makes the same plan.
            made: execution.start_time,
            levee_version: env!("CARGO_PKG_VERSION").to_owned(),
            source: drill.source.clone(),
            ledger_bucket: self.ledger.bucket().to_owned(),
            state_machine_arn: machine_of(&execution.id),
            target: drill.scratch.clone(),
            target_prefix: prefix,
            overwrite: false,
            outlook: Outlook::default(),
            tables,
            prefixes: Vec::new(),
        })
    }

    async fn table(
        &self,
        closed: &Closed,
        store: &BucketStore,
        Candidate { path, version }: &Candidate,
        scratch: &BucketStore,
        prefix: &str,
    ) -> Result<Result<TableToRestore, String>, StageError> {
        let listed = listing(store, path).await?;
        let found = match Chosen::of_snapshot(store, snapshot_run(closed), path, &listed, *version).await {
            Ok(found) => found,
            Err(error) if error.name == levee_tables::CANNOT_CHECK => return Ok(Err(error.cause)),
            Err(error) => return Err(error),
        };
        match found {
            Ok(chosen) => chosen.planned(&self.aws.s3, scratch, prefix, false).await,
            Err(why) => Ok(Err(format!("{path:?} at version {version}: {why}"))),
        }
    }
}

impl Stage for DrillPlanning {
    const NAME: &'static str = "drill-plan";
    type Input = Input;
    type Output = Run;

    async fn run(&self, context: &Context, Input { drill }: Input) -> Result<Progress<Run>, StageError> {
        drill.validate((&self.account, self.ledger.bucket()))?;
        let record = plan_record(&drill.source, &context.execution.name);
        if let Some(planned) = self.ledger.read::<Run>(&record).await? {
            return Ok(Progress::Done(planned.value));
        }
        let plan = self.plan(&drill, &context.execution).await?;
        let executions = plan.executions()?;
        let [execution] = executions.as_slice() else {
            let cause =
                format!("the plan of the drill has {} snapshots, and not the one of one backup", executions.len());
            return Err(StageError::permanent(StageError::OUTPUT_INVALID, cause));
        };
        let written = self.ledger.write_once(&plan.key(&execution.id), &plan).await?;
        let run = run_of(&plan, execution, written.pointer().clone(), true);
        run.validate()?;
        let run = self.ledger.write_once(&record, &run).await?.into_stored(run).value;
        let paths: Vec<_> = plan.tables.iter().map(|table| table.path.as_str()).collect();
        tracing::info!(tables = ?paths, "the tables of the drill are chosen");
        Ok(Progress::Done(run))
    }
}

/// The state machine of an execution.
fn machine_of(execution_arn: &str) -> String {
    let machine = execution_arn.rsplit_once(':').map_or(execution_arn, |(machine, _)| machine);
    machine.replacen(":execution:", ":stateMachine:", 1)
}

/// What was whole when the backup was closed, and is not any more: the finding that drills are for.
fn failed(drill: &DrillRequest, closed: &Closed, problems: &[String]) -> StageError {
    let receipt = &closed.receipt.value;
    let cause = format!(
        "{} of the tables that the receipt of the backup of {} for {} says are whole cannot be restored from s3://{} any more: {}. See who \
         deletes there, and what `levee verify s3://{}` finds.",
        problems.len(),
        drill.source,
        receipt.run.backup_date,
        receipt.snapshot.bucket,
        problems.join("; "),
        receipt.snapshot.bucket
    );
    StageError::permanent(DRILL_FAILED, cause)
}
