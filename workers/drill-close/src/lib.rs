//! The last stage of a drill: it opens the tables that were restored, compares them with their backup, empties the scratch bucket, and
//! writes down what came of it.
//!
//! What the tables had is written down before anything is deleted, with the number of the objects that are going to be: whoever does the
//! stage again goes on with deleting, and does not look for tables that are half gone.

mod compare;
mod empty;
mod open;
mod tell;

use compare::Expected;
use empty::Scratch;
use jiff::{Timestamp, civil::Date};
use levee_ledger::{
    Ledger, RunKey,
    drill::{DRILL_VERSION, Drill, DrillRequest, Drilled, DrilledTable, scratch_prefix},
    restore::{RestoreClosed, RestoreReceipt},
    state::{ObjectPointer, Run},
};
use levee_stage::{Aws, CommonSettings, Context, EventBus, NoSettings, Progress, Stage, StageError};
use levee_tables::BucketStore;
use serde::{Deserialize, Serialize};

/// The error of tables that are not what their backup's receipt says.
pub const DRILL_FAILED: &str = "Levee.DrillFailed";

/// What was proved, before the scratch bucket is emptied.
const OPENED: &str = "09-drill-close-opened.json";
/// What came of the drill; the same bytes are the record of the drill.
const RECORD: &str = "09-drill-close.json";
/// The state in which the tables are proved to be whole.
const PROOF: &str = "TableVerify";

/// The part of the state that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// What was asked for.
    pub drill: DrillRequest,
    /// What drill-plan has made of it.
    pub run: Run,
    /// What run-close has written.
    pub receipt: RestoreClosed,
}

/// The ledger's record of tables that opened.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Proved {
    tables: Vec<DrilledTable>,
    /// Objects that are deleted from now on.
    emptied: u64,
}

/// The stage.
pub struct DrillClose {
    aws: Aws,
    ledger: Ledger,
    bus: EventBus,
    account: String,
}

impl DrillClose {
    /// The stage on these clients.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, _own: &NoSettings) -> Self {
        Self {
            aws: aws.clone(),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
            bus: EventBus::new(aws.events.clone(), &common.event_bus),
            account: common.account.clone(),
        }
    }

    /// The receipt of the restore.
    async fn receipt(&self, pointer: &ObjectPointer) -> Result<RestoreReceipt, StageError> {
        let stored = self.ledger.read::<RestoreReceipt>(&pointer.key).await?;
        let same = stored.filter(|stored| stored.pointer.etag == pointer.etag);
        same.map(|stored| stored.value).ok_or_else(|| {
            let cause = format!(
                "the receipt s3://{}/{} is gone, or is not the one that run-close has written. Look at the versions of the object, and at \
                 who can write there.",
                pointer.bucket, pointer.key
            );
            StageError::permanent("Levee.LedgerCorrupt", cause)
        })
    }

    /// The tables, once every one of them is what its backup's receipt says, and how much is deleted then.
    async fn proved(
        &self,
        run: &RunKey,
        input: &Input,
        receipt: &RestoreReceipt,
        scratch: &Scratch<'_>,
        now: Timestamp,
    ) -> Result<Proved, StageError> {
        let record = run.record(OPENED);
        if let Some(proved) = self.ledger.read::<Proved>(&record).await? {
            return Ok(proved.value);
        }
        let bucket = &input.drill.scratch;
        let store = BucketStore::new(&self.aws.s3, &bucket.name, Some(bucket.account.clone()));
        let tables = Expected::read(&self.ledger, receipt).await?.compare(&store).await?;
        let tables = tables.map_err(|problems| {
            StageError::permanent(DRILL_FAILED, tell::cause(run, &bucket.name, receipt, &problems))
        })?;
        let proved = Proved { tables, emptied: scratch.look(now).await?.objects };
        Ok(self.ledger.write_once(&record, &proved).await?.into_stored(proved).value)
    }

    /// What came of the drill; the scratch bucket is empty then.
    async fn drilled(&self, context: &Context, run: &RunKey, input: &Input) -> Result<Drill, StageError> {
        let record = run.record(RECORD);
        if let Some(drill) = self.ledger.read::<Drill>(&record).await? {
            return Ok(drill.value);
        }
        let receipt = self.receipt(&input.receipt.pointer).await?;
        let scratch = Scratch {
            s3: &self.aws.s3,
            sfn: &self.aws.sfn,
            bucket: &input.drill.scratch,
            source: &input.drill.source,
            execution_arn: &context.execution.id,
            execution_name: &context.execution.name,
        };
        let proved = self.proved(run, input, &receipt, &scratch, context.clock.now()).await?;
        scratch.empty(&scratch.look(context.clock.now()).await?).await?;
        let drill = Drill {
            version: DRILL_VERSION,
            source: input.drill.source.clone(),
            backup_date: run.backup_date,
            execution_arn: run.execution_arn.clone(),
            execution_name: run.execution_name.clone(),
            started: receipt.started,
            restored: restored(&receipt),
            closed: context.clock.now(),
            receipt: input.receipt.pointer.clone(),
            objects: receipt.objects,
            bytes: receipt.bytes,
            tables: proved.tables,
            emptied: proved.emptied,
        };
        Ok(self.ledger.write_once(&record, &drill).await?.into_stored(drill).value)
    }
}

impl Stage for DrillClose {
    const NAME: &'static str = "drill-close";
    type Input = Input;
    type Output = Drilled;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Drilled>, StageError> {
        input.drill.validate((&self.account, self.ledger.bucket()))?;
        let backup_date = check(&input, &context.execution.name)?;
        let run = RunKey::of(&input.run, backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let drill = self.drilled(context, &run, &input).await?;
        // Its key has the day on which it was closed, so that only what is written down already has one.
        let pointer = self.ledger.write_once(&drill.key(), &drill).await?.pointer().clone();
        let headline = tell::headline(&drill);
        self.bus.send("Drill Completed", &tell::event(&headline, &drill, &pointer, &run)).await?;
        tracing::info!("{headline}");
        Ok(Progress::Done(Drilled { headline, pointer }))
    }
}

/// The day of the snapshot, if the run is a drill of this execution into the scratch bucket. Nothing is deleted unless all of it says the
/// same.
fn check(input: &Input, execution_name: &str) -> Result<Date, StageError> {
    let refused = |why: &str| {
        let cause = format!(
            "nothing is emptied: {why}. The state of the execution is not one that this state machine makes; see who has started it, and \
             with which input."
        );
        Err(StageError::permanent(StageError::INPUT_INVALID, cause))
    };
    let drill = &input.drill;
    let Some(restore) = &input.run.restore else { return refused("`$.run.restore` is missing") };
    if !restore.drill {
        return refused("`$.run.restore.drill` is not true");
    }
    if restore.target != drill.scratch {
        return refused("`$.run.restore.target` is not `$.drill.scratch`");
    }
    if drill.scratch.name == input.run.source {
        return refused("`$.drill.scratch` is the snapshot");
    }
    let prefix = scratch_prefix(&drill.source, execution_name);
    if restore.of != drill.source || restore.prefix.is_empty() || restore.prefix != prefix {
        return refused(&format!("`$.run.restore.prefix` is {:?} and not {prefix:?}", restore.prefix));
    }
    let Some(backup_date) = input.run.backup_date else { return refused("`$.run.backup_date` is missing") };
    Ok(backup_date)
}

/// When the tables were proved to be whole: when the state that proves it was left.
fn restored(receipt: &RestoreReceipt) -> Timestamp {
    let proof = receipt.stages.iter().rev().find(|stage| stage.state == PROOF);
    proof.and_then(|stage| stage.left).unwrap_or(receipt.closed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use jiff::civil::date;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn state() -> Value {
        let scratch = json!({ "name": "scratch", "account": "222222222222", "region": "us-east-1" });
        let pointer = json!({ "bucket": "ledger", "key": "plan.json", "etag": "e" });
        json!({
            "drill": { "source": "lake", "scratch": scratch, "tables": 3 },
            "run": { "source": "lake-31-mar-2026", "source_account": "222222222222", "backup_date": "2026-03-31", "restore": {
                "id": "0123-2026-03-31", "of": "lake", "plan": pointer, "target": scratch, "prefix": "lake/night", "drill": true,
            } },
            "receipt": { "headline": "", "bucket": "ledger", "key": "receipt.json", "etag": "e" },
        })
    }

    #[test]
    fn drill_of_the_execution_into_the_scratch_bucket_is_taken() {
        let input: Input = serde_json::from_value(state()).unwrap();
        assert_eq!(check(&input, "night").unwrap(), date(2026, 3, 31));
        assert!(check(&input, "nigh").is_err(), "the prefix is of another execution");
    }

    #[rstest]
    #[case::no_drill("/run/restore/drill", json!(false), "drill` is not true")]
    #[case::other_bucket("/run/restore/target/name", json!("lake"), "is not `$.drill.scratch`")]
    #[case::no_prefix("/run/restore/prefix", json!(""), "is \"\" and not \"lake/night\"")]
    #[case::wider_prefix("/run/restore/prefix", json!("lake"), "is \"lake\" and not")]
    #[case::other_source("/run/restore/of", json!("sales"), "restore.prefix` is")]
    #[case::the_snapshot("/run/source", json!("scratch"), "is the snapshot")]
    #[case::no_restore("/run/restore", json!(null), "restore` is missing")]
    fn state_that_names_anything_else_empties_nothing(#[case] at: &str, #[case] value: Value, #[case] told: &str) {
        let mut state = state();
        *state.pointer_mut(at).unwrap() = value;
        let input: Input = serde_json::from_value(state).unwrap();
        let error = check(&input, "night").unwrap_err();
        assert_eq!(error.name, StageError::INPUT_INVALID);
        assert!(error.cause.contains(told), "{}", error.cause);
    }
}
