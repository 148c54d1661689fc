//! The receipt of a restore.

use levee_ledger::{
    RunKey,
    restore::{RESTORE_RECEIPT_VERSION, RestoreClosed, RestoreReceipt},
    state::{Report, Restoration},
};
use levee_page::text::{count, counted, day};
use levee_stage::{Context, Progress, StageError};
use serde_json::json;

use crate::{Ended, RECEIPT_DOES_NOT_ADD_UP, RestoreInput, RunClose, facts, history};

impl RunClose {
    /// Closes a restore: what was copied must be what the plan has, and the receipt is written once.
    pub(crate) async fn close_restore(
        &self,
        context: &Context,
        input: &RestoreInput,
    ) -> Result<Progress<Ended>, StageError> {
        let invalid = |error: serde_json::Error| StageError::permanent(StageError::INPUT_INVALID, error.to_string());
        let restore = input.restore().map_err(invalid)?;
        let run = RunKey::of(&input.run, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        check(&run, input)?;
        let key = run.record("receipt.json");
        let stored = match self.ledger.read::<RestoreReceipt>(&key).await? {
            Some(stored) => stored,
            None => {
                let Some(stages) = history::stages(&self.aws.sfn, context).await? else { return Ok(history::wait()) };
                let records = facts::Records::read(
                    &self.aws.s3,
                    &self.ledger,
                    &self.account,
                    &run,
                    input.job.attempt,
                    &input.tables,
                );
                let receipt = receipt(context, &run, input, restore, (records.await?, stages));
                self.ledger.write_once(&key, &receipt).await?.into_stored(receipt)
            }
        };
        let (receipt, pointer) = (&stored.value, stored.pointer.clone());
        self.bus.send("Restore Completed", &event(&run, receipt, &pointer.key, restore.drill)).await?;
        tracing::info!("{}", receipt.headline);
        Ok(Progress::Done(Ended::Restore(RestoreClosed { headline: receipt.headline.clone(), pointer })))
    }
}

/// Makes sure that every object of the plan was copied.
fn check(run: &RunKey, input: &RestoreInput) -> Result<(), StageError> {
    let (report, large) = (input.report.as_ref(), input.large.as_ref());
    let copied = report.map_or(0, |report| report.copied_in_all).saturating_add(large.map_or(0, |large| large.copied));
    let outstanding = report.map_or(0, Report::outstanding_rows);
    let planned = input.manifest.objects;
    if copied == planned && outstanding == 0 {
        return Ok(());
    }
    let cause = format!(
        "{run} is not closed: {copied} objects were copied and {outstanding} are outstanding, the plan has {planned}. No receipt was \
         written, although every table was found whole. The records in {} have the counts of each stage: see which one is wrong. \
         A redrive comes to the same; make a new plan and apply that one.",
        run.prefix(),
    );
    Err(StageError::permanent(RECEIPT_DOES_NOT_ADD_UP, cause))
}

fn receipt(
    context: &Context,
    run: &RunKey,
    input: &RestoreInput,
    restore: &Restoration,
    (records, stages): (facts::Records, Vec<levee_ledger::receipt::StageFacts>),
) -> RestoreReceipt {
    let manifest = &input.manifest;
    RestoreReceipt {
        version: RESTORE_RECEIPT_VERSION,
        headline: headline(run, input),
        id: restore.id.clone(),
        source: run.source.clone(),
        backup_date: run.backup_date,
        snapshot_bucket: input.run.source.clone(),
        execution_arn: run.execution_arn.clone(),
        started: context.execution.start_time,
        closed: context.clock.now(),
        redrives: context.execution.redrive_count,
        plan: restore.plan.clone(),
        target: restore.target.clone(),
        target_prefix: restore.prefix.clone(),
        objects: manifest.objects,
        bytes: manifest.bytes.unwrap_or_default(),
        tables: input.tables.clone(),
        list_sha256: records.list_sha256,
        jobs: records.jobs,
        stages,
        levee_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn headline(run: &RunKey, input: &RestoreInput) -> String {
    let (tables, date) = (&input.tables, day(run.backup_date));
    let objects = counted(input.manifest.objects, "object", "objects");
    if tables.tables == 0 {
        return format!("restore of {} from {date}: {objects}", run.source);
    }
    let (good, all) = (count(tables.verdicts.good()), counted(tables.tables, "table", "tables"));
    format!("restore of {} from {date}: {good} of {all} whole at the version of the plan, {objects}", run.source)
}

fn event(run: &RunKey, receipt: &RestoreReceipt, key: &str, drill: bool) -> serde_json::Value {
    json!({
        "headline": receipt.headline,
        "source": run.source,
        "restore": receipt.id,
        "drill": drill,
        "backup_date": run.backup_date,
        "execution": run.execution_arn,
        "target": receipt.target,
        "prefix": receipt.target_prefix,
        "objects": receipt.objects,
        "bytes": receipt.bytes,
        "tables": receipt.tables.tables,
        "table_list": receipt.tables.list,
        "receipt": key,
        "ledger": run.prefix(),
    })
}
