//! The stage that says what the tables of a snapshot are worth.

use levee_ledger::{
    Ledger, RunKey,
    state::{Bucket, Job, LargeCopied, Manifest, Report, Run, SnapshotCheck, Tables, VerdictCounts},
};
use levee_stage::{Aws, CommonSettings, Context, NoSettings, Progress, Stage, StageError};
use serde::Deserialize;

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
    /// What is in the snapshot bucket.
    pub snapshot: SnapshotCheck,
    /// What the last report said; absent when no job was made.
    #[serde(default)]
    pub report: Option<Report>,
    /// What large-copy has done; absent when nothing was too large.
    #[serde(default)]
    pub large: Option<LargeCopied>,
}

/// The stage. It looks for no tables yet: none is counted.
pub struct TableVerify {
    ledger: Ledger,
}

impl TableVerify {
    /// The stage on these clients.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, _own: &NoSettings) -> Self {
        Self { ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket) }
    }
}

impl Stage for TableVerify {
    const NAME: &'static str = "table-verify";
    type Input = Input;
    type Output = Tables;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Tables>, StageError> {
        let run = RunKey::new(&input.run.source, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let (verdicts, record) = (VerdictCounts::default(), run.record("08-table-verify.json"));
        let none = Tables { tables: 0, verdicts, repaired: 0, repaired_objects: 0, repaired_bytes: 0, list: None };
        Ok(Progress::Done(self.ledger.write_once(&record, &none).await?.into_stored(none).value))
    }
}
