//! The stage that closes a run: it reconciles every object of the inventory, and writes the receipt.
//!
//! The receipt is written first into the chain of the source, where its number is a claim, then among the records of the run;
//! both times with `If-None-Match`. Whoever does the stage again finds the run's own receipt in the chain and goes on with it,
//! so that a run has one receipt whatever happens in between.

mod chain;
mod facts;
mod headline;
mod history;
mod input;
mod page;
mod reconcile;
mod restored;
mod sign;
mod tell;

use chain::Chained;
pub use input::{Ended, Input, RestoreInput, Stated};
use levee_ledger::{Ledger, RunKey, receipt::Closed};
use levee_stage::{Aws, CommonSettings, Context, EventBus, Progress, Stage, StageError};

/// The error of a run whose counts contradict each other.
pub const RECEIPT_DOES_NOT_ADD_UP: &str = "Levee.ReceiptDoesNotAddUp";

/// The worker's own settings.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "run-close")]
pub struct Settings {
    /// The key of KMS that receipts are signed with: asymmetric, SIGN_VERIFY, ECC_NIST_P256. Without it they are not signed.
    #[arg(long, env = "LEVEE_RECEIPT_SIGNING_KEY_ARN", value_name = "ARN", value_parser = key_arn)]
    pub receipt_signing_key_arn: Option<String>,
}

/// An alias could be pointed at another key, whose signatures nobody expects.
fn key_arn(value: &str) -> Result<String, String> {
    let parts: Vec<&str> = value.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "kms", _, _, key] if partition.starts_with("aws") && key.starts_with("key/") => {
            Ok(value.to_owned())
        }
        _ => Err("it must be the full ARN of a key: arn:aws:kms:<region>:<account>:key/<id>".to_owned()),
    }
}

/// The stage.
pub struct RunClose {
    aws: Aws,
    ledger: Ledger,
    bus: EventBus,
    account: String,
    signing_key: Option<String>,
}

impl RunClose {
    /// The stage on these clients.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, own: &Settings) -> Self {
        Self {
            aws: aws.clone(),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
            bus: EventBus::new(aws.events.clone(), &common.event_bus),
            account: common.account.clone(),
            signing_key: own.receipt_signing_key_arn.clone(),
        }
    }

    /// The run's receipt in the chain: the one that is there, or a new one. None when the history of the run is not there yet.
    async fn chained(&self, context: &Context, run: &RunKey, input: &Input) -> Result<Option<Chained>, StageError> {
        if let Some(own) = chain::of_run(&self.ledger, run).await? {
            return Ok(Some(own));
        }
        let found = chain::find(&self.ledger, run, context.execution.start_time).await?;
        let end = match found {
            chain::Found::Own(own) => return Ok(Some(*own)),
            chain::Found::End(end) => end,
        };
        let Some(stages) = history::stages(&self.aws.sfn, context).await? else { return Ok(None) };
        let records =
            facts::Records::read(&self.aws.s3, &self.ledger, &self.account, run, input.job.attempt, &input.tables)
                .await?;
        let receipt = facts::receipt(context, run, input, records, stages)?;
        chain::append(&self.ledger, run, receipt, end).await.map(Some)
    }
}

impl Stage for RunClose {
    const NAME: &'static str = "run-close";
    type Input = Stated;
    type Output = Ended;

    async fn run(&self, context: &Context, input: Stated) -> Result<Progress<Ended>, StageError> {
        match input {
            Stated::Backup(input) => self.close(context, &input).await,
            Stated::Restore(input) => self.close_restore(context, &input).await,
        }
    }
}

impl RunClose {
    async fn close(&self, context: &Context, input: &Input) -> Result<Progress<Ended>, StageError> {
        let run = RunKey::of(&input.run, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let Some(chained) = self.chained(context, &run, input).await? else { return Ok(history::wait()) };
        let receipt = &chained.receipt;
        let signature = match &self.signing_key {
            Some(key) => Some(sign::sign(&self.aws.kms, &self.ledger, &run.source, key, &chained).await?),
            None => None,
        };
        let pointer = chain::write_beside_the_run(&self.ledger, &run, &chained).await?;
        let page = page::write(&self.ledger, &run, &chained).await?;
        let closed = Closed {
            headline: receipt.headline.clone(),
            outcome: receipt.outcome,
            sequence: receipt.sequence,
            sha256: chained.sha256(),
            pointer,
            chained: chained.pointer.clone(),
            signature,
            page,
        };
        self.bus.send("Run Completed", &tell::event(&run, receipt, &closed)).await?;
        tracing::info!(sequence = closed.sequence, sha256 = closed.sha256, "{}", closed.headline);
        Ok(Progress::Done(Ended::Backup(Box::new(closed))))
    }
}
