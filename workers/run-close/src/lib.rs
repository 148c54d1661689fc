//! The stage that closes a run.

use levee_ledger::{
    Ledger, RunKey,
    state::{Manifest, Run},
};
use levee_stage::{Aws, CommonSettings, Context, NoSettings, Progress, Stage, StageError};
use serde::{Deserialize, Serialize};

/// The part of the state that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// What was asked for.
    pub run: Run,
    /// The pinned inventory, and the plan.
    pub manifest: Manifest,
}

/// `$.receipt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {}

/// The stage.
pub struct RunClose {
    ledger: Ledger,
}

impl RunClose {
    /// The stage on these clients.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, _own: &NoSettings) -> Self {
        Self { ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket) }
    }
}

impl Stage for RunClose {
    const NAME: &'static str = "run-close";
    type Input = Input;
    type Output = Closed;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Closed>, StageError> {
        let run = RunKey::new(&input.run.source, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        Ok(Progress::Done(Closed {}))
    }
}
