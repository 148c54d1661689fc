//! The stage that copies the objects which are too large for a batch copy, part by part and without reading a byte.
//!
//! ```text
//! rows of the plan -> each brought to its end (levee_parts) -> counts and lists
//! ```
//!
//! The stage works for hours within one run, under the heartbeats of the runtime. It may be broken off at any time, because a
//! worker dies, is replaced, or has held its message for as long as SQS allows: each object's upload and end are in the
//! ledger, the parts in S3, and whoever does the stage again copies what is missing. A failure of one object does not keep the
//! others from being copied.

mod tally;
mod tell;

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use levee_ledger::{
    Ledger, RunKey,
    state::{Bucket, FailureClass, LargeCopied, LargeRow, Manifest, ObjectPointer, PlannedList, Run},
};
use levee_parts::{Copier, Errand};
use levee_stage::{Aws, CommonSettings, Context, EventBus, Progress, Stage, StageError};
use serde::{Deserialize, Serialize};
use tally::{Tally, named};

/// The error of a run with large objects that could not be copied.
pub const LARGE_COPY_INCOMPLETE: &str = "Levee.LargeCopyIncomplete";

/// The worker's own settings.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "large-copy")]
pub struct Settings {
    /// How many parts of all large objects of a run are copied at a time, and at most half as many objects.
    #[arg(long, env = "LEVEE_LARGE_COPY_PARTS_AT_A_TIME", value_name = "PARTS", default_value = "32", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub large_copy_parts_at_a_time: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self { large_copy_parts_at_a_time: 32 }
    }
}

/// The part of the state that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// What was asked for.
    pub run: Run,
    /// The pinned inventory, with the plan that has the large objects.
    pub manifest: Manifest,
    /// The snapshot bucket.
    pub bucket: Bucket,
}

/// The ledger's record of a pass after which objects were left that nobody but an operator can help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Incomplete {
    cause: String,
    failed: BTreeMap<FailureClass, u64>,
    failure_list: Option<ObjectPointer>,
}

/// The stage.
pub struct LargeCopying {
    aws: Aws,
    ledger: Ledger,
    bus: EventBus,
    parts_at_a_time: usize,
}

impl LargeCopying {
    /// The stage on these clients.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, own: &Settings) -> Self {
        Self {
            aws: aws.clone(),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
            bus: EventBus::new(aws.events.clone(), &common.event_bus),
            parts_at_a_time: usize::from(own.large_copy_parts_at_a_time),
        }
    }

    /// Goes over all objects once.
    async fn pass(
        &self,
        context: &Context,
        run: &RunKey,
        input: &Input,
        list: &PlannedList,
    ) -> Result<Progress<LargeCopied>, StageError> {
        let mut tally = Tally::new(&self.ledger, run).await?;
        if let Err(error) = self.copy_all(context, run, input, list, &mut tally).await {
            tally.abort().await;
            return Err(error);
        }
        let objects = list.amount.rows;
        let counts = &tally.counts;
        if counts.passing() > 0 {
            let cause = tell::passing(&tally.abort().await, objects);
            return Err(StageError::transient(StageError::AWS_UNAVAILABLE, cause));
        }
        if counts.failures() > 0 {
            return self.incomplete(context, run, input, tally, objects).await;
        }
        let copied = tally.finish(objects).await?;
        if copied.copied.saturating_add(copied.vanished) != objects {
            let cause = format!(
                "{} large objects are copied and {} vanished, the plan has {objects}. This is a fault of the worker: report it.",
                copied.copied, copied.vanished
            );
            return Err(StageError::permanent(StageError::OUTPUT_INVALID, cause));
        }
        let copied = self.ledger.write_once(&record(run), &copied).await?.into_stored(copied).value;
        tracing::info!(
            copied = copied.copied,
            bytes = copied.bytes,
            vanished = copied.vanished,
            "every large object is accounted for"
        );
        Ok(Progress::Done(copied))
    }

    async fn copy_all(
        &self,
        context: &Context,
        run: &RunKey,
        input: &Input,
        list: &PlannedList,
        tally: &mut Tally,
    ) -> Result<(), StageError> {
        let errand = Errand { run: &input.run, key: run, bucket: &input.bucket, began: context.execution.start_time };
        let copier = Copier::new(self.aws.s3.clone(), self.ledger.clone(), errand, self.parts_at_a_time);
        let rows = stream::try_unfold(self.ledger.planned_rows(list), |mut rows| async move {
            Ok(rows.next::<LargeRow>().await?.map(|row| (row, rows)))
        });
        let objects = rows.map(|row: Result<LargeRow, StageError>| async {
            let row = row?;
            let end = copier.bring(&row).await.map_err(|error| named(&row, error))?;
            Ok::<_, StageError>((row, end))
        });
        let mut objects = std::pin::pin!(objects.buffer_unordered(self.parts_at_a_time.div_ceil(2)));
        while let Some(object) = objects.next().await {
            match object? {
                (_, Ok(end)) => tally.end(&end).await?,
                (row, Err(failure)) => tally.failure(&failure.line(&input.run.source, &row)).await?,
            }
        }
        Ok(())
    }

    /// Tells of the objects that were not copied, records it, and fails.
    async fn incomplete(
        &self,
        context: &Context,
        run: &RunKey,
        input: &Input,
        tally: Tally,
        objects: u64,
    ) -> Result<Progress<LargeCopied>, StageError> {
        let redrive_count = context.execution.redrive_count;
        let (counts, list) = tally.finish_failures().await?;
        let event = tell::event(run, redrive_count, &counts, objects, list.as_ref());
        self.bus.send("Copy Failures", &event).await?;
        let cause = tell::cause(&counts, objects, list.as_ref(), (&input.run.source, &input.bucket.name));
        let found = Incomplete { cause, failed: counts.failed, failure_list: list };
        let written = self.ledger.write_once(&incomplete_record(run, redrive_count), &found).await?;
        Err(StageError::permanent(LARGE_COPY_INCOMPLETE, written.into_stored(found).value.cause))
    }
}

impl Stage for LargeCopying {
    const NAME: &'static str = "large-copy";
    type Input = Input;
    type Output = LargeCopied;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<LargeCopied>, StageError> {
        let run = RunKey::of(&input.run, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let Some(list) = input.manifest.plan.as_ref().and_then(|plan| plan.large.as_ref()) else {
            let cause = "$.manifest.plan has no large objects; the state machine must not come here without";
            return Err(StageError::permanent(StageError::INPUT_INVALID, cause));
        };
        if let Some(copied) = self.ledger.read::<LargeCopied>(&record(&run)).await? {
            return Ok(Progress::Done(copied.value));
        }
        let incomplete = incomplete_record(&run, context.execution.redrive_count);
        if let Some(found) = self.ledger.read::<Incomplete>(&incomplete).await? {
            return Err(StageError::permanent(LARGE_COPY_INCOMPLETE, found.value.cause));
        }
        self.pass(context, &run, &input, list).await
    }
}

/// The record of a run whose large objects are all accounted for.
fn record(run: &RunKey) -> String {
    run.record("06-large-copy.json")
}

/// The record of what was left after a number of redrives.
fn incomplete_record(run: &RunKey, redrives: u32) -> String {
    run.record(&format!("06-large-copy-redrive-{redrives}-incomplete.json"))
}
