//! The stage that makes the snapshot bucket and brings it to the state it must have, before anything is copied.
//!
//! Reads come first and only differences are written, so that doing it twice changes nothing. What was written is read
//! back; a bucket that does not hold what it must is not used.

mod bucket;
mod converge;
mod policy;
pub mod retention;

use std::{collections::BTreeMap, time::Duration};

use converge::{Aspect, Converger};
pub use converge::{Wanted, protect};
use levee_ledger::{
    Ledger, RunKey, names,
    state::{Bucket, Manifest, Run},
};
use levee_stage::{Aws, CommonSettings, Context, ErrorKind, Progress, Stage, StageError};
pub use policy::{REMOVING_ACTIONS, statements};
use serde::Deserialize;
use serde_json::json;

/// The error of a bucket that does not have, or cannot be given, what a snapshot bucket must have.
pub const NOT_CONVERGED: &str = "Levee.BucketNotConverged";
/// The error of a name that another account owns.
pub const OWNED_BY_OTHER: &str = "Levee.BucketOwnedByOther";
/// The error of a name that S3 does not take.
pub const NAME_INVALID: &str = "Levee.BucketNameInvalid";

/// How often a setting is read back before the bucket counts as not converged: settings of buckets take their time.
const READ_BACKS: u32 = 12;
const READ_BACK_PAUSE: Duration = Duration::from_secs(10);

/// The worker's own settings.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "bucket-provision")]
pub struct Settings {
    /// A principal that may remove snapshots and change their protection: an IAM role's ARN or a pattern of it. May be
    /// given more than once; without one only the account's root can.
    #[arg(long, env = "LEVEE_BREAK_GLASS_ARNS", value_name = "ARN", value_delimiter = ',')]
    pub break_glass_arn: Vec<String>,
}

/// The part of the state that the stage reads.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// What was asked for.
    pub run: Run,
    /// The pinned inventory.
    pub manifest: Manifest,
}

/// The stage.
pub struct BucketProvision {
    aws: Aws,
    ledger: Ledger,
    account: String,
    region: String,
    break_glass: Vec<String>,
}

impl BucketProvision {
    /// The stage on these clients. The bucket is made in the Region of the S3 client.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, own: &Settings) -> Self {
        let region = aws.s3.config().region().map_or_else(String::new, ToString::to_string);
        Self {
            aws: aws.clone(),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
            account: common.account.clone(),
            region,
            break_glass: own.break_glass_arn.clone(),
        }
    }

    fn wanted(&self, name: &str, input: &Input) -> Wanted {
        let mut tags = input.run.snapshot.tags.clone();
        tags.extend(identity(input));
        Wanted {
            bucket: name.to_owned(),
            account: self.account.clone(),
            object_lock: input.run.snapshot.object_lock,
            kms_key_arn: input.run.snapshot.kms_key_arn.clone(),
            tags,
            policy: policy::statements(name, &self.break_glass),
        }
    }

    async fn converge(&self, context: &Context, wanted: &Wanted) -> Result<Option<Progress<Bucket>>, StageError> {
        let converger = Converger { s3: &self.aws.s3, wanted };
        for aspect in Aspect::ALL {
            if let Some(change) = converger.difference(aspect).await? {
                tracing::info!(bucket = %wanted.bucket, aspect = aspect.name(), "writing a setting of the snapshot bucket");
                converger.write(change).await.map_err(|error| refused(wanted, aspect, error))?;
            }
        }
        for aspect in Aspect::ALL {
            if converger.difference(aspect).await?.is_none() {
                continue;
            }
            if context.waits >= READ_BACKS {
                let cause = format!(
                    "{} of bucket {} was written but does not hold when it is read back. Look for somebody or something \
                     that changes the bucket (another tool, AWS Config remediation, an organisation policy); then redrive \
                     the execution.",
                    aspect.name(),
                    wanted.bucket
                );
                return Err(StageError::permanent(NOT_CONVERGED, cause));
            }
            return Ok(Some(Progress::NotYet { after: READ_BACK_PAUSE, memo: json!({ "not_yet": aspect.name() }) }));
        }
        Ok(None)
    }
}

impl Stage for BucketProvision {
    const NAME: &'static str = "bucket-provision";
    type Input = Input;
    type Output = Bucket;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Bucket>, StageError> {
        let name = names::snapshot_bucket(&input.run.source, input.manifest.backup_date)?;
        let run = RunKey::of(&input.run, input.manifest.backup_date, &context.execution);
        self.ledger.check_claim(&run).await?;
        let wanted = self.wanted(&name, &input);
        if let Some(wait) = bucket::ensure(self, context, &wanted).await? {
            return Ok(wait);
        }
        if let Some(wait) = self.converge(context, &wanted).await? {
            return Ok(wait);
        }
        let output = Bucket { name, account: self.account.clone(), region: self.region.clone() };
        self.ledger.write_once(&run.record("02-bucket-provision.json"), &output).await?;
        tracing::info!(bucket = %output.name, "the snapshot bucket is ready");
        Ok(Progress::Done(output))
    }
}

/// The tags by which a snapshot bucket is known. The execution is not among them: a run that takes over for the same date
/// uses the same bucket, and which executions did is in the ledger.
fn identity(input: &Input) -> BTreeMap<String, String> {
    [("levee:source", input.run.source.clone()), ("levee:backup-date", input.manifest.backup_date.to_string())]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// A write that AWS refused for good means that the bucket stays as it is.
fn refused(wanted: &Wanted, aspect: Aspect, error: StageError) -> StageError {
    if error.kind == ErrorKind::Transient {
        return error;
    }
    let cause = format!(
        "bucket {} does not have what a snapshot bucket must have: {}. {} Once the policy of a snapshot bucket is in place, \
         only a break-glass principal can change its protection.",
        wanted.bucket,
        aspect.name(),
        error.cause
    );
    StageError::permanent(NOT_CONVERGED, cause)
}
