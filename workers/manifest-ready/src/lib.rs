//! The stage that waits for the inventory of the backup date, checks every byte of it, and pins it for the run.
//!
//! Only a pin that passed every check is recorded in the ledger. A recorded pin wins over whatever is delivered later. A
//! delivery that cannot be used fails the run, so that somebody looks at it; a redrive reads it afresh, in case it was mended,
//! and else takes a later one.

mod count;
mod delivery;
mod pin;
pub mod stamp;

use std::time::Duration;

use count::Count;
use delivery::{Deliveries, Found};
use jiff::{SignedDuration, Timestamp, civil::Date};
use levee_formats::inventory::Column;
use levee_ledger::{
    Ledger, RunKey, dates, execution_state,
    state::{Manifest, Run},
};
use levee_stage::{Aws, CommonSettings, Context, EventBus, NoSettings, Progress, Stage, StageError};
use pin::Pinned;
use serde::Deserialize;
use serde_json::{Value, json};

/// The error of an inventory that did not arrive in time.
pub const MANIFEST_OVERDUE: &str = "Levee.ManifestOverdue";
/// The error of an inventory that is not what its manifest and checksum say.
pub const MANIFEST_CORRUPT: &str = "Levee.ManifestCorrupt";
/// The error of an inventory that a copy job cannot work through.
pub const MANIFEST_UNSUPPORTED: &str = "Levee.ManifestUnsupported";

const RECORD: &str = "01-manifest-ready.json";
/// Waits between two looks: longer while there is nothing, since inventories take a day.
const FIRST_WAITS: Duration = Duration::from_secs(5 * 60);
const LATER_WAITS: Duration = Duration::from_secs(15 * 60);
/// The least time between two scans: the names of deliveries tell minutes.
const BETWEEN_SCANS: SignedDuration = SignedDuration::from_mins(1);
/// Looks after which the waits are the longer ones.
const EAGER_LOOKS: u32 = 12;

/// The part of the state that the stage reads: what was asked for.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// `$.run`.
    pub run: Run,
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

    /// Reads the delivery to its last row.
    async fn check(
        &self,
        deliveries: &Deliveries<'_>,
        folder: &str,
        run: &Run,
        date: Date,
        threshold: Timestamp,
    ) -> Result<Manifest, StageError> {
        let s3 = &self.aws.s3;
        let pinned = pin::pin(s3, deliveries, &self.account, folder, run, threshold).await?;
        let count = count::count(s3, &self.account, &pinned.manifest).await?;
        Ok(output(date, pinned, &count))
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
        date: Date,
        threshold: Timestamp,
        or_later: bool,
    ) -> Result<Result<Manifest, Vec<String>>, StageError> {
        let (mut since, mut refused) = (threshold, None);
        loop {
            match (deliveries.first_since(since).await?, refused) {
                (Found::Nothing { begun }, None) => return Ok(Err(begun)),
                (Found::Nothing { .. }, Some(error)) => return Err(error),
                (Found::Complete { folder, scan }, earlier) => {
                    tracing::info!(%scan, folder, "found the inventory, reading it");
                    match self.check(deliveries, &folder, run, date, threshold).await {
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
    ) -> Result<Progress<Manifest>, StageError> {
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
    type Output = Manifest;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Manifest>, StageError> {
        let run = &input.run;
        run.validate()?;
        let date = dates::backup_date(run)?;
        let threshold = dates::threshold(date, run.settle_days, &run.time_zone)?;
        let key = RunKey::new(&run.source, date, &context.execution);
        let sfn = self.aws.sfn.clone();
        let owner_state = move |execution: String| {
            let sfn = sfn.clone();
            async move { execution_state(&sfn, &execution).await }
        };
        self.ledger.claim(&key, context.clock.now(), owner_state).await?;
        if let Some(pinned) = self.ledger.read::<Manifest>(&key.record(RECORD)).await? {
            return Ok(Progress::Done(pinned.value));
        }
        let deliveries = Deliveries::of(&self.aws.s3, run, &self.account);
        let redriven = context.execution.redrive_count > 0;
        match self.first_usable(&deliveries, run, date, threshold, redriven).await? {
            Err(begun) => self.wait(context, run, &deliveries, threshold, &begun).await,
            Ok(manifest) => {
                let manifest = self.record(&key, manifest).await?;
                tracing::info!(objects = manifest.objects, bytes = manifest.bytes, "the inventory is pinned");
                Ok(Progress::Done(manifest))
            }
        }
    }
}

/// Whether the delivery itself is to blame, so that another one may do.
fn unusable(error: &StageError) -> bool {
    [MANIFEST_CORRUPT, MANIFEST_UNSUPPORTED].contains(&error.name)
}

fn output(backup_date: Date, pinned: Pinned, count: &Count) -> Manifest {
    let Pinned { pointer, manifest } = pinned;
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
        plan: None,
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
