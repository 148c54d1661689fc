//! The stage that waits for the inventory of the backup date, checks every byte of it, and pins it for the run.
//!
//! Where one copy job for all objects will not do, it also writes the plan: what is done with each of them.
//!
//! ```text
//! pin -> scan: every data file, on all cores -> decide about each row -> count, and write the plan
//! ```
//!
//! An inventory with many data files is read in slices, each of which is a task of its own: see [`slices`].
//!
//! Only a pin that passed every check is recorded in the ledger. A recorded pin wins over whatever is delivered later. A
//! delivery that cannot be used fails the run, so that somebody looks at it; a redrive reads it afresh, in case it was mended,
//! and else takes a later one.

mod by_decision;
mod count;
pub mod decide;
mod delivery;
mod join;
mod lists;
mod pin;
pub mod plan;
pub mod scan;
pub mod slices;
mod source;
pub mod stamp;
pub mod tables;
mod write;

use std::{sync::Arc, time::Duration};

use decide::{Decider, Rules};
use delivery::{Deliveries, Found};
use jiff::{SignedDuration, Timestamp, civil::Date};
use levee_formats::inventory::Column;
use levee_ledger::{
    Ledger, RunKey, dates,
    state::{Manifest, ObjectPointer, Plan, Run},
};
use levee_stage::{Aws, CommonSettings, Context, EventBus, NoSettings, Progress, Stage, StageError};
use pin::Pinned;
pub use pin::check_supported;
use plan::{PlanWriter, PlannedParts};
use scan::{Count, Counting, scan};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use slices::{Pin, Slice, SliceRead, Slicing};
use source::ManifestBucket;

/// The error of an inventory that did not arrive in time.
pub const MANIFEST_OVERDUE: &str = "Levee.ManifestOverdue";
/// The error of an inventory that is not what its manifest and checksum say.
pub const MANIFEST_CORRUPT: &str = "Levee.ManifestCorrupt";
/// The error of an inventory that a copy job cannot work through.
pub const MANIFEST_UNSUPPORTED: &str = "Levee.ManifestUnsupported";
/// The error of a selection that takes none of the objects that there are.
pub const NOTHING_SELECTED: &str = "Levee.NothingSelected";

const RECORD: &str = "01-manifest-ready.json";
/// Waits between two looks: longer while there is nothing, since inventories take a day.
const FIRST_WAITS: Duration = Duration::from_secs(5 * 60);
const LATER_WAITS: Duration = Duration::from_secs(15 * 60);
/// The least time between two scans: the names of deliveries tell minutes.
const BETWEEN_SCANS: SignedDuration = SignedDuration::from_mins(1);
/// Looks after which the waits are the longer ones.
const EAGER_LOOKS: u32 = 12;

/// The part of the state that the stage reads: what was asked for, and where an inventory is read in slices, what there is of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// `$.run`.
    pub run: Run,
    /// `$.manifest`: absent at first, then the inventory that is read in slices.
    #[serde(default)]
    pub manifest: Option<Slicing>,
    /// The slice that is to be read; absent when they are to be joined.
    #[serde(default)]
    pub slice: Option<Slice>,
}

/// What the stage answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The inventory that the run copies, counted: `$.manifest` from then on.
    Whole(Box<Manifest>),
    /// The inventory has to be read in slices: `$.manifest` until they are joined.
    Sliced(Slicing),
    /// A slice was read.
    Slice(SliceRead),
}

/// A delivery that passed the checks of its manifest.
enum Checked {
    /// It was read to its last row.
    Whole(Box<Manifest>),
    /// It has to be read in slices.
    Sliced(Pin),
}

/// The stage.
pub struct ManifestReady {
    aws: Aws,
    ledger: Ledger,
    bus: EventBus,
    account: String,
}

impl ManifestReady {
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

    /// Reads the delivery to its last row, and writes the plan where one is needed. One that has to be read in slices is left to
    /// them.
    async fn check(
        &self,
        deliveries: &Deliveries<'_>,
        folder: &str,
        run: &Run,
        key: &RunKey,
        threshold: Timestamp,
    ) -> Result<Checked, StageError> {
        let pinned = pin::pin(&self.aws.s3, deliveries, &self.account, folder, run, threshold).await?;
        let rules = Rules::of(run);
        let decider = self.decider(&pinned, &rules)?;
        tell_what_is_unknown(&pinned);
        let pin = Pin::of(&pinned);
        if pin.is_sliced(run) {
            return Ok(Checked::Sliced(pin));
        }
        let (count, plan) = if rules.ask_for_a_plan() {
            self.plan(key, &pinned, &rules, &decider).await?
        } else {
            // Most nights need no plan, and nothing is written on them: whether this one does is known at the end.
            let (count, ()) = scan(self.files(&pinned), &pinned.manifest, Arc::clone(&decider), &Counting).await?;
            if count.is_all_batch() { (count, None) } else { self.plan(key, &pinned, &rules, &decider).await? }
        };
        Ok(Checked::Whole(Box::new(output(key.backup_date, pinned, &count, plan))))
    }

    /// What decides about the rows of an inventory, which has to have the columns for it.
    fn decider(&self, pinned: &Pinned, rules: &Rules) -> Result<Arc<Decider>, StageError> {
        let place = format!("s3://{}/{}", pinned.pointer.bucket, pinned.pointer.key);
        let decider = Decider::new(rules, &pinned.manifest.schema);
        Ok(Arc::new(decider.map_err(|problem| pin::unsupported(&place, &problem))?))
    }

    /// Reads the delivery and writes what is done with each object.
    async fn plan(
        &self,
        key: &RunKey,
        pinned: &Pinned,
        rules: &Rules,
        decider: &Arc<Decider>,
    ) -> Result<(Count, Option<Plan>), StageError> {
        let writer = self.plan_writer(key, pinned, rules)?;
        let (writer, count, parts) = self.scan_for_plan(pinned, decider, writer).await?;
        if count.is_nothing_selected() {
            writer.abort().await;
            return Err(nothing_selected(&pinned.pointer, count.objects));
        }
        let plan = writer.finish(&count, parts).await?;
        Ok((count, plan))
    }

    /// What writes the plan of an inventory.
    fn plan_writer(&self, key: &RunKey, pinned: &Pinned, rules: &Rules) -> Result<PlanWriter, StageError> {
        PlanWriter::new(&self.ledger, key, (&pinned.manifest, &pinned.pointer, pinned.md5.as_str()), rules)
    }

    /// Reads data files for a plan, which is given up when they cannot be used.
    async fn scan_for_plan(
        &self,
        pinned: &Pinned,
        decider: &Arc<Decider>,
        writer: PlanWriter,
    ) -> Result<(PlanWriter, Count, Vec<PlannedParts>), StageError> {
        match scan(self.files(pinned), &pinned.manifest, Arc::clone(decider), &writer).await {
            Ok((count, parts)) => Ok((writer, count, parts)),
            Err(error) => {
                writer.abort().await;
                Err(error)
            }
        }
    }

    fn files(&self, pinned: &Pinned) -> Arc<ManifestBucket> {
        let bucket = pinned.manifest.destination_bucket.clone();
        Arc::new(ManifestBucket { s3: self.aws.s3.clone(), bucket, owner: self.account.clone() })
    }

    /// The first inventory since the threshold; with `or_later` the first of them that can be used. Nothing but the folders
    /// that have begun to arrive while there is none.
    ///
    /// # Errors
    /// The delivery cannot be used, and with `or_later` none can: what is wrong with the first. AWS errors.
    async fn first_usable(
        &self,
        deliveries: &Deliveries<'_>,
        run: &Run,
        key: &RunKey,
        threshold: Timestamp,
        or_later: bool,
    ) -> Result<Result<Checked, Vec<String>>, StageError> {
        let (mut since, mut refused) = (threshold, None);
        loop {
            match (deliveries.first_since(since).await?, refused) {
                (Found::Nothing { begun }, None) => return Ok(Err(begun)),
                (Found::Nothing { .. }, Some(error)) => return Err(error),
                (Found::Complete { folder, scan }, earlier) => {
                    tracing::info!(%scan, folder, "found the inventory, reading it");
                    match self.check(deliveries, &folder, run, key, threshold).await {
                        Err(error) if or_later && unusable(&error) => {
                            tracing::warn!(%error, folder, "the inventory cannot be used, looking for a later one");
                            refused = earlier.or(Some(error));
                            since = scan.saturating_add(BETWEEN_SCANS).unwrap_or(Timestamp::MAX);
                        }
                        checked => return checked.map(Ok),
                    }
                }
            }
        }
    }

    async fn record(&self, key: &RunKey, manifest: Manifest) -> Result<Manifest, StageError> {
        // Before the record, because after it nobody would come back to send the event.
        self.bus.send("Run Started", &started(key, &manifest)).await?;
        let written = self.ledger.write_once(&key.record(RECORD), &manifest).await?;
        Ok(written.into_stored(manifest).value)
    }

    async fn wait(
        &self,
        context: &Context,
        run: &Run,
        deliveries: &Deliveries<'_>,
        threshold: Timestamp,
        begun: &[String],
    ) -> Result<Progress<Answer>, StageError> {
        let limit = SignedDuration::from_hours(i64::from(run.manifest_limit_hours));
        let left = limit.saturating_sub(context.clock.now().duration_since(context.first_received));
        if left <= SignedDuration::ZERO {
            let newest = deliveries.newest().await?;
            return Err(overdue(run, deliveries, threshold, begun, newest.as_deref()));
        }
        let pause = if context.waits < EAGER_LOOKS { FIRST_WAITS } else { LATER_WAITS };
        let after = Duration::try_from(left).unwrap_or(pause).min(pause);
        tracing::info!(since = %threshold, bucket = deliveries.bucket, prefix = %deliveries.base, ?begun, "no inventory yet");
        Ok(Progress::NotYet { after, memo: Value::Null })
    }
}

impl Stage for ManifestReady {
    const NAME: &'static str = "manifest-ready";
    type Input = Input;
    type Output = Answer;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Answer>, StageError> {
        let run = &input.run;
        run.validate()?;
        let date = dates::backup_date(run)?;
        let threshold = dates::threshold(date, run.settle_days, &run.time_zone)?;
        let key = RunKey::new(&run.source, date, &context.execution);
        if let (Some(slicing), Some(slice)) = (&input.manifest, input.slice) {
            self.ledger.check_claim(&key).await?;
            let read = self.read_slice(&key, run, threshold, slicing, slice).await?;
            return Ok(Progress::Done(Answer::Slice(read)));
        }
        match &input.manifest {
            None => drop(self.ledger.claim_asking(&self.aws.sfn, &key, context.clock.now()).await?),
            Some(_) => self.ledger.check_claim(&key).await?,
        }
        if let Some(pinned) = self.ledger.read::<Manifest>(&key.record(RECORD)).await? {
            return Ok(Progress::Done(Answer::Whole(Box::new(pinned.value))));
        }
        if let Some(slicing) = input.manifest {
            return self.join(&key, run, threshold, slicing).await.map(Progress::Done);
        }
        let deliveries = Deliveries::of(&self.aws.s3, run, &self.account);
        let redriven = context.execution.redrive_count > 0;
        match self.first_usable(&deliveries, run, &key, threshold, redriven).await? {
            Err(begun) => self.wait(context, run, &deliveries, threshold, &begun).await,
            Ok(Checked::Whole(manifest)) => self.finish(&key, *manifest).await.map(Progress::Done),
            Ok(Checked::Sliced(pin)) => {
                let slicing = self.divide(&key, run, pin).await?;
                Ok(Progress::Done(Answer::Sliced(slicing)))
            }
        }
    }
}

/// Whether the delivery itself is to blame, so that another one may do.
fn unusable(error: &StageError) -> bool {
    [MANIFEST_CORRUPT, MANIFEST_UNSUPPORTED].contains(&error.name)
}

/// Says what a missing column leaves unknown.
fn tell_what_is_unknown(pinned: &Pinned) {
    for (column, unknown) in [
        (Column::Size, "no object is taken for too large for a copy job"),
        (Column::EncryptionStatus, "objects under SSE-C are left to the copy job, where they fail"),
    ] {
        if !pinned.manifest.schema.has(&column) {
            tracing::info!(%column, unknown, "the inventory lacks an optional field");
        }
    }
}

fn nothing_selected(inventory: &ObjectPointer, objects: u64) -> StageError {
    let (bucket, key) = (&inventory.bucket, &inventory.key);
    let cause = format!(
        "the selection of the run takes none of the {objects} objects in the inventory s3://{bucket}/{key}. Nothing was copied and no bucket \
         was made. Correct `selection` of the source in the schedule (prefixes and globs match the key as it is in S3, and a \
         glob all of it; `levee plan` shows what a selection takes), and start a new execution: a redrive repeats the same input."
    );
    StageError::permanent(NOTHING_SELECTED, cause)
}

fn output(backup_date: Date, pinned: Pinned, count: &Count, plan: Option<Plan>) -> Manifest {
    let Pinned { pointer, manifest, .. } = pinned;
    let schema = &manifest.schema;
    let sized = |number: u64| schema.has(&Column::Size).then_some(number);
    let classed = schema.has(&Column::StorageClass) || schema.has(&Column::IntelligentTieringAccessTier);
    Manifest {
        backup_date,
        pointer,
        scan_started: manifest.created,
        schema: schema.columns().iter().map(|column| column.name().to_owned()).collect(),
        files: u64::try_from(manifest.files.len()).unwrap_or(u64::MAX),
        objects: count.objects,
        bytes: sized(count.bytes),
        too_large: sized(count.too_large),
        archived: classed.then_some(count.archived),
        keys: Some(count.keys),
        plan,
    }
}

fn started(key: &RunKey, manifest: &Manifest) -> Value {
    json!({
        "source": key.source,
        "backup_date": key.backup_date,
        "execution": key.execution_arn,
        "manifest": manifest.pointer,
        "objects": manifest.objects,
        "bytes": manifest.bytes,
        "too_large": manifest.too_large,
        "archived": manifest.archived,
        "decisions": manifest.plan.as_ref().map(|plan| &plan.decisions),
        "ledger": key.prefix(),
    })
}

fn overdue(
    run: &Run,
    deliveries: &Deliveries<'_>,
    threshold: Timestamp,
    begun: &[String],
    newest: Option<&str>,
) -> StageError {
    let there = match (begun.last(), newest) {
        (Some(begun), _) => format!(
            "s3://{}/{begun} has begun to arrive but lacks manifest.json or manifest.checksum",
            deliveries.bucket
        ),
        (None, Some(newest)) => format!("the newest delivery is s3://{}/{newest}", deliveries.bucket),
        (None, None) => "there is no delivery at all".to_owned(),
    };
    let cause = format!(
        "no inventory of {} whose scan began at or after {threshold} arrived at s3://{}/{} within {} hours; {there}. Check \
         that inventory configuration `{}` of the source bucket is enabled, daily, in CSV and delivers here, that the bucket \
         policy of {} lets s3.amazonaws.com write for account {} and no Deny catches it, and that the prefix is right. A \
         redrive waits for the whole time again.",
        run.source,
        deliveries.bucket,
        deliveries.base,
        run.manifest_limit_hours,
        run.inventory.id,
        deliveries.bucket,
        run.source_account
    );
    StageError::permanent(MANIFEST_OVERDUE, cause)
}
