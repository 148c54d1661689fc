//! The stage that finds every Delta table in the snapshot bucket, proves from its log what the copy is worth, and mends torn
//! copies from the source while the files still exist there.

mod copy;
mod explain;
mod mend;
mod restored;
mod rollback;
mod survey;
mod tell;

use std::sync::Arc;

use copy::Copier;
use explain::Circumstances;
use levee_delta_log::Options;
use levee_ledger::{
    KeyLists, Ledger, RunKey, Selector,
    state::{self, ArchivedPolicy, Bucket, LargeCopied, Manifest, Report, Restoration, Run},
};
use levee_parts::Errand;
use levee_stage::{Aws, CommonSettings, Context, EventBus, Progress, Stage, StageError};
use levee_tables::{BucketStore, tables};
use mend::Mender;
pub use restored::RESTORE_NOT_WHOLE;
use restored::Restorer;
pub use rollback::RESTORE_CONFLICT;
use serde::{Deserialize, Serialize};
use survey::{Survey, survey};

/// The error of tables whose copies are not whole, where somebody can do something about it.
pub const TABLES_TORN: &str = "Levee.TablesTorn";

/// The worker's own settings.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "table-verify")]
pub struct Settings {
    /// Objects of a snapshot that are held at once, at most about 130 bytes each. A bucket with more is listed twice, and tables
    /// with more than a quarter of it are judged by shares.
    #[arg(long, env = "LEVEE_OBJECTS_AT_ONCE", value_name = "OBJECTS", default_value = "1048576", value_parser = clap::value_parser!(u32).range(1024..))]
    pub objects_at_once: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { objects_at_once: 1 << 20 }
    }
}

impl Settings {
    const fn held(&self) -> usize {
        self.objects_at_once as usize
    }

    /// Where a bucket has more objects than are held, four of its tables are looked at side by side.
    fn options(&self) -> Options {
        Options::default().with_shard_objects(self.held() / survey::LARGE_AT_ONCE)
    }
}

/// The part of the state that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// What was asked for.
    pub run: Run,
    /// The pinned inventory.
    pub manifest: Manifest,
    /// The snapshot bucket.
    pub bucket: Bucket,
    /// What the last report said; absent when no job was made.
    #[serde(default)]
    pub report: Option<Report>,
    /// What large-copy has done; absent when nothing was too large.
    #[serde(default)]
    pub large: Option<LargeCopied>,
}

/// The stage.
pub struct TableVerify {
    aws: Aws,
    ledger: Ledger,
    bus: EventBus,
    settings: Settings,
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
    pub fn new(aws: &Aws, common: &CommonSettings, own: &Settings) -> Self {
        Self {
            aws: aws.clone(),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
            bus: EventBus::new(aws.events.clone(), &common.event_bus),
            settings: own.clone(),
        }
    }

    /// Why the tables of a run cannot be looked at.
    fn not_readable(run: &Run) -> Option<String> {
        let class =
            run.snapshot.storage_class.as_deref().filter(|class| ["GLACIER", "DEEP_ARCHIVE"].contains(class))?;
        Some(format!("the copies are in {class} and cannot be read before they are restored"))
    }

    async fn look(&self, context: &Context, key: &RunKey, list: &str, input: &Input) -> Result<Survey, StageError> {
        let (run, bucket) = (&input.run, &input.bucket);
        let errand = Errand { run, key, bucket, began: context.execution.start_time };
        let vanished =
            KeyLists::of_vanished(&self.ledger, input.report.as_ref(), input.large.as_ref(), TABLES_TORN).set().await?;
        let selector = Selector::new(&run.selection)
            .map_err(|problems| StageError::permanent(StageError::INPUT_INVALID, problems.join("; ")))?;
        let snapshot = BucketStore::new(&self.aws.s3, &bucket.name, Some(bucket.account.clone()));
        let mender = Mender {
            source: BucketStore::new(&self.aws.s3, &run.source, Some(run.source_account.clone())),
            copier: Copier::new(&self.aws.s3, &self.ledger, errand),
            options: self.settings.options(),
            circumstances: Arc::new(Circumstances {
                source: run.source.clone(),
                scan_started: input.manifest.scan_started,
                now: context.clock.now(),
                vanished,
                backed_up: self.ledger.sources().await?.into_iter().collect(),
            }),
            snapshot,
            selector,
            skips_archived: run.archived == ArchivedPolicy::Skip,
        };
        survey(&self.ledger, list, &mender, tables(&mender.snapshot, self.settings.held()).await?).await
    }
}

impl TableVerify {
    /// The tables of a restore, at the target.
    async fn restored(
        &self,
        context: &Context,
        run: &RunKey,
        restore: &Restoration,
        record: &str,
    ) -> Result<Progress<state::Tables>, StageError> {
        let restorer = Restorer {
            s3: &self.aws.s3,
            ledger: &self.ledger,
            run,
            restore,
            options: self.settings.options(),
            now: context.clock.now(),
        };
        let list = run.record(&format!("08-table-verify-redrive-{}-tables.jsonl", context.execution.redrive_count));
        let tables = restorer.settle(&list).await?;
        let tables = self.ledger.write_once(record, &tables).await?.into_stored(tables).value;
        tracing::info!(tables = tables.tables, "every restored table is whole at its version");
        Ok(Progress::Done(tables))
    }
}

impl Stage for TableVerify {
    const NAME: &'static str = "table-verify";
    type Input = Input;
    type Output = state::Tables;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<state::Tables>, StageError> {
        let run = RunKey::of(&input.run, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let record = run.record("08-table-verify.json");
        if let Some(found) = self.ledger.read::<state::Tables>(&record).await? {
            return Ok(Progress::Done(found.value));
        }
        if let Some(restore) = &input.run.restore {
            return self.restored(context, &run, restore, &record).await;
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
        let Survey { tables, told } = self.look(context, &run, &format!("{look}-tables.jsonl"), &input).await?;
        if tables.verdicts.torn + tables.verdicts.behind + tables.verdicts.not_checked > 0 {
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
