//! The stage that finds every Delta table in the snapshot bucket, proves from its log what the copy is worth, and mends torn
//! copies from the source while the files still exist there.

mod copy;
mod explain;
mod mend;
mod survey;
mod tell;

use copy::Copier;
use explain::Circumstances;
use levee_delta_log::Options;
use levee_ledger::{
    Ledger, RunKey, Selector,
    state::{self, ArchivedPolicy, Bucket, Manifest, Run},
};
use levee_stage::{Aws, CommonSettings, Context, EventBus, NoSettings, Progress, Stage, StageError};
use levee_tables::{BucketStore, CANNOT_CHECK, roots};
use mend::Mender;
use serde::{Deserialize, Serialize};
use survey::{Survey, survey};

/// The error of tables whose copies are not whole, where somebody can do something about it.
pub const TABLES_TORN: &str = "Levee.TablesTorn";

/// The part of the state that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// What was asked for.
    pub run: Run,
    /// The pinned inventory.
    pub manifest: Manifest,
    /// The snapshot bucket.
    pub bucket: Bucket,
}

/// The stage.
pub struct TableVerify {
    aws: Aws,
    ledger: Ledger,
    bus: EventBus,
}

/// The ledger's record of a look that found tables which somebody has to do something about.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Torn {
    tables: state::Tables,
    cause: String,
}

impl TableVerify {
    /// The stage on these clients.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, _own: &NoSettings) -> Self {
        Self {
            aws: aws.clone(),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
            bus: EventBus::new(aws.events.clone(), &common.event_bus),
        }
    }

    /// Why the tables of a run cannot be looked at.
    fn not_readable(run: &Run) -> Option<String> {
        let class =
            run.snapshot.storage_class.as_deref().filter(|class| ["GLACIER", "DEEP_ARCHIVE"].contains(class))?;
        Some(format!("the copies are in {class} and cannot be read before they are restored"))
    }

    async fn look(&self, context: &Context, list: &str, input: &Input) -> Result<Survey, StageError> {
        let (run, bucket) = (&input.run, &input.bucket);
        let snapshot = BucketStore::new(&self.aws.s3, &bucket.name, Some(bucket.account.clone()));
        let mender = Mender {
            source: BucketStore::new(&self.aws.s3, &run.source, Some(run.source_account.clone())),
            copier: Copier::new(&self.aws.s3, run, bucket),
            options: Options::default(),
            circumstances: Circumstances {
                source: run.source.clone(),
                scan_started: input.manifest.scan_started,
                now: context.clock.now(),
            },
            snapshot,
            selector: Selector::new(&run.selection)
                .map_err(|problems| StageError::permanent(StageError::INPUT_INVALID, problems.join("; ")))?,
            skips_archived: run.archived == ArchivedPolicy::Skip,
        };
        let roots = roots(&mender.snapshot).await?;
        survey(&self.ledger, list, &mender, &roots).await
    }
}

impl Stage for TableVerify {
    const NAME: &'static str = "table-verify";
    type Input = Input;
    type Output = state::Tables;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<state::Tables>, StageError> {
        let run = RunKey::new(&input.run.source, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let record = run.record("08-table-verify.json");
        if let Some(found) = self.ledger.read::<state::Tables>(&record).await? {
            return Ok(Progress::Done(found.value));
        }
        if let Some(why) = Self::not_readable(&input.run) {
            tracing::warn!(why, "the tables of the snapshot are not looked at");
            let tables = state::Tables { not_checked: Some(why), ..state::Tables::default() };
            let tables = self.ledger.write_once(&record, &tables).await?.into_stored(tables).value;
            return Ok(Progress::Done(tables));
        }
        let redrives = context.execution.redrive_count;
        let look = run.record(&format!("08-table-verify-redrive-{redrives}"));
        let torn = format!("{look}-incomplete.json");
        if let Some(found) = self.ledger.read::<Torn>(&torn).await? {
            return Err(StageError::permanent(TABLES_TORN, found.value.cause));
        }
        let looked = self.look(context, &format!("{look}-tables.jsonl"), &input).await;
        let Survey { tables, told } = looked.map_err(|error| match error.name {
            // A table without a verdict is none that can be called whole.
            CANNOT_CHECK => StageError::permanent(TABLES_TORN, error.cause),
            _ => error,
        })?;
        if tables.verdicts.torn + tables.verdicts.behind > 0 {
            self.bus.send("Tables Torn", &tell::event(&run, redrives, &tables, &told)).await?;
        }
        if told.needs_somebody() {
            let found = Torn { cause: tell::cause(&run, &tables, &told), tables };
            let cause = self.ledger.write_once(&torn, &found).await?.into_stored(found).value.cause;
            return Err(StageError::permanent(TABLES_TORN, cause));
        }
        let tables = self.ledger.write_once(&record, &tables).await?.into_stored(tables).value;
        tracing::info!(
            tables = tables.tables,
            whole = tables.verdicts.good(),
            behind = tables.verdicts.behind,
            torn = tables.verdicts.torn,
            repaired = tables.repaired,
            "the tables of the snapshot have their verdicts"
        );
        Ok(Progress::Done(tables))
    }
}
