//! The stage that looks at the snapshot bucket itself: it lists it and compares it with what was to be copied.
//!
//! Everything before it goes by what Batch Operations reports. This stage does not: an object is there when S3 lists it, with
//! the size that the inventory has. One that was reported as copied and is not there fails the run; after a redrive the bucket
//! is looked at again, and what is still missing is copied again by a further attempt.

mod compare;
mod found;
mod listing;
mod pass;
mod planned;
mod sketch;
mod tell;

use compare::{Compared, Comparison};
use found::{Incomplete, incomplete_record, record, stem};
use levee_ledger::{
    KeyLists, Ledger, RunKey,
    state::{self, Bucket, Difference, Job, LargeCopied, Manifest, Report, Run, SnapshotNext},
};
use levee_stage::{Aws, CommonSettings, Context, EventBus, NoSettings, Progress, Stage, StageError};
use levee_tables::BucketStore;
use pass::By;
use planned::Planned;
use serde::Deserialize;

/// The error of a snapshot bucket that lacks what was to be copied, or that cannot be compared with it.
pub const SNAPSHOT_DIFFERS: &str = "Levee.SnapshotDiffers";

/// The part of the state that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// What was asked for.
    pub run: Run,
    /// The pinned inventory, and the plan.
    pub manifest: Manifest,
    /// The snapshot bucket.
    pub bucket: Bucket,
    /// The last attempt's job.
    pub job: Job,
    /// What the last report said; absent when no job was made.
    #[serde(default)]
    pub report: Option<Report>,
    /// What large-copy has done; absent when nothing was too large.
    #[serde(default)]
    pub large: Option<LargeCopied>,
}

/// The stage.
pub struct SnapshotCheck {
    aws: Aws,
    ledger: Ledger,
    bus: EventBus,
    account: String,
}

impl SnapshotCheck {
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

    async fn compare(&self, input: &Input) -> Result<Compared, StageError> {
        let planned = Planned::open(&self.aws.s3, &self.ledger, &self.account, &input.manifest).await?;
        let name = &input.bucket.name;
        let bucket = BucketStore::new(&self.aws.s3, name, Some(input.bucket.account.clone()));
        let vanished =
            KeyLists::of_vanished(&self.ledger, input.report.as_ref(), input.large.as_ref(), SNAPSHOT_DIFFERS);
        Comparison { planned, name, bucket, vanished }.run().await
    }

    /// What a look comes to, in the ledger.
    async fn settle(
        &self,
        context: &Context,
        run: &RunKey,
        input: &Input,
        earlier: Option<Incomplete>,
    ) -> Result<Progress<state::SnapshotCheck>, StageError> {
        let compared = self.compare(input).await?;
        let (attempt, redrive_count) = (input.job.attempt, context.execution.redrive_count);
        let lists = format!("{}-redrive-{redrive_count}", stem(run, attempt));
        let count = |kind| tell::count(&compared.findings, kind);
        let mut checked = state::SnapshotCheck {
            attempt,
            objects: compared.objects,
            bytes: compared.bytes,
            planned: compared.planned,
            missing: count(Difference::Missing),
            changed: count(Difference::Changed),
            unexpected: count(Difference::Unexpected),
            sizes_compared: compared.by == By::Size,
            findings: found::list(&self.ledger, &lists, &compared.findings).await?,
            next: SnapshotNext::Done,
            next_attempt: None,
            retry_manifest: None,
        };
        if checked.missing > 0 {
            checked.next = SnapshotNext::Retry;
            checked.next_attempt = Some(attempt.saturating_add(1));
            checked.retry_manifest =
                found::manifest(&self.ledger, &lists, &input.run.source, &compared.findings).await?;
            // The first look that misses objects fails, so that somebody knows; one after a redrive has them copied again.
            if earlier.is_none() || checked.retry_manifest.is_none() {
                return self.fail(context, run, input, checked, &compared).await;
            }
        }
        let record = record(run, attempt);
        let checked = self.ledger.write_once(&record, &checked).await?.into_stored(checked).value;
        tracing::info!(
            objects = checked.objects,
            bytes = checked.bytes,
            missing = checked.missing,
            changed = checked.changed,
            unexpected = checked.unexpected,
            "the snapshot bucket is compared with what was to be copied"
        );
        Ok(Progress::Done(checked))
    }

    /// Tells of the missing objects, records them, and fails.
    async fn fail(
        &self,
        context: &Context,
        run: &RunKey,
        input: &Input,
        snapshot: state::SnapshotCheck,
        compared: &Compared,
    ) -> Result<Progress<state::SnapshotCheck>, StageError> {
        self.bus.send("Copy Failures", &tell::event(run, &snapshot, &compared.findings)).await?;
        let cause = tell::cause(&input.bucket.name, &snapshot, &compared.findings);
        let key = incomplete_record(run, snapshot.attempt);
        let found = Incomplete { snapshot, cause, redrive_count: context.execution.redrive_count };
        let cause = self.ledger.write_once(&key, &found).await?.into_stored(found).value.cause;
        Err(StageError::permanent(SNAPSHOT_DIFFERS, cause))
    }
}

impl Stage for SnapshotCheck {
    const NAME: &'static str = "snapshot-check";
    type Input = Input;
    type Output = state::SnapshotCheck;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<state::SnapshotCheck>, StageError> {
        let run = RunKey::of(&input.run, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let attempt = input.job.attempt;
        if let Some(checked) = self.ledger.read::<state::SnapshotCheck>(&record(&run, attempt)).await? {
            return Ok(Progress::Done(checked.value));
        }
        let earlier = self.ledger.read::<Incomplete>(&incomplete_record(&run, attempt)).await?.map(|found| found.value);
        if let Some(found) = earlier.as_ref().filter(|found| context.execution.redrive_count <= found.redrive_count) {
            return Err(StageError::permanent(SNAPSHOT_DIFFERS, found.cause.clone()));
        }
        self.settle(context, &run, &input, earlier).await
    }
}
