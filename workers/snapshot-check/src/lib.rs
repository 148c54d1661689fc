//! The stage that looks at the snapshot bucket itself: it lists it and compares it with what was to be copied.
//!
//! Everything before it goes by what Batch Operations reports. This stage does not: an object is there when S3 lists it, with
//! the size that the inventory has. One that was reported as copied and is not there fails the run.

mod compare;
mod listing;
mod pass;
mod planned;
mod sketch;
mod tell;
mod vanished;

use compare::{Compared, Comparison};
use levee_ledger::{
    Ledger, RunKey,
    state::{self, Bucket, Difference, Job, Manifest, ObjectPointer, Report, Run},
};
use levee_stage::{Aws, CommonSettings, Context, EventBus, NoSettings, Progress, Stage, StageError};
use listing::Listing;
use pass::By;
use planned::Planned;
use serde::Deserialize;

/// The error of a snapshot bucket that lacks what was to be copied, or that cannot be compared with it.
pub const SNAPSHOT_DIFFERS: &str = "Levee.SnapshotDiffers";

const RECORD: &str = "07-snapshot-check.json";
const JSON_LINES: &str = "application/x-ndjson";

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
    pub large: Option<Large>,
}

/// The part of `$.large` that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Large {
    /// The objects that were gone from the source.
    #[serde(default)]
    pub vanished_list: Option<ObjectPointer>,
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
        let listing =
            Listing { s3: self.aws.s3.clone(), bucket: input.bucket.name.clone(), owner: input.bucket.account.clone() };
        let reported = input.report.as_ref().and_then(|report| report.vanished_list.as_ref());
        let large = input.large.as_ref().and_then(|large| large.vanished_list.as_ref());
        let vanished_lists = reported.into_iter().chain(large).collect();
        Comparison { ledger: &self.ledger, planned, listing, vanished_lists }.run().await
    }

    /// Writes the findings of this redrive; none when there are none.
    async fn list(
        &self,
        context: &Context,
        run: &RunKey,
        compared: &Compared,
    ) -> Result<Option<ObjectPointer>, StageError> {
        if compared.findings.is_empty() {
            return Ok(None);
        }
        let name = format!("07-snapshot-check-redrive-{}-findings.jsonl", context.execution.redrive_count);
        let mut list = self.ledger.artefact(run.record(&name), JSON_LINES);
        for finding in &compared.findings {
            let mut line = serde_json::to_vec(finding).map_err(|error| {
                StageError::permanent(StageError::OUTPUT_INVALID, format!("a finding is no JSON: {error}"))
            })?;
            line.push(b'\n');
            list.write(&line).await?;
        }
        Ok(Some(list.finish().await?.pointer))
    }
}

impl Stage for SnapshotCheck {
    const NAME: &'static str = "snapshot-check";
    type Input = Input;
    type Output = state::SnapshotCheck;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<state::SnapshotCheck>, StageError> {
        let run = RunKey::new(&input.run.source, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let record = run.record(RECORD);
        if let Some(checked) = self.ledger.read::<state::SnapshotCheck>(&record).await? {
            return Ok(Progress::Done(checked.value));
        }
        let compared = self.compare(&input).await?;
        let findings = self.list(context, &run, &compared).await?;
        if let Some(list) = &findings
            && tell::count(&compared.findings, Difference::Missing) > 0
        {
            self.bus.send("Copy Failures", &tell::event(&run, input.job.attempt, &compared, list)).await?;
            return Err(StageError::permanent(SNAPSHOT_DIFFERS, tell::cause(&input.bucket.name, &compared, list)));
        }
        let checked = state::SnapshotCheck {
            objects: compared.objects,
            bytes: compared.bytes,
            planned: compared.planned,
            changed: tell::count(&compared.findings, Difference::Changed),
            unexpected: tell::count(&compared.findings, Difference::Unexpected),
            sizes_compared: compared.by == By::Size,
            findings,
        };
        let checked = self.ledger.write_once(&record, &checked).await?.into_stored(checked).value;
        tracing::info!(
            objects = checked.objects,
            bytes = checked.bytes,
            changed = checked.changed,
            unexpected = checked.unexpected,
            "the snapshot bucket has every object that was to be copied"
        );
        Ok(Progress::Done(checked))
    }
}
