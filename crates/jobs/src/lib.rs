//! S3 Batch Operations jobs as the stages make them: one job for one request, however often it is asked for, and watched with
//! patience until it ends.

mod make;
mod request;
pub mod watch;

use levee_ledger::state::Run;
use levee_stage::StageError;
pub use make::{JOB_REJECTED, Jobs};
pub use request::{JobRequest, Work};

/// The error of a restore in a deployment that may not write into other buckets.
pub const RESTORE_NOT_ENABLED: &str = "Levee.RestoreNotEnabled";

/// The settings of a worker that makes jobs.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "jobs")]
pub struct JobSettings {
    /// The role that Batch Operations copies and restores with, in the backup account.
    #[arg(long, env = "LEVEE_COPY_ROLE_ARN", value_name = "ARN")]
    pub copy_role_arn: String,

    /// The role that Batch Operations brings tables back with, in the backup account. Only while restores are enabled.
    #[arg(long, env = "LEVEE_RESTORE_ROLE_ARN", value_name = "ARN")]
    pub restore_role_arn: Option<String>,

    /// The role that Batch Operations copies with into the scratch bucket of drills, in the backup account. Only where there are drills.
    #[arg(long, env = "LEVEE_DRILL_ROLE_ARN", value_name = "ARN")]
    pub drill_role_arn: Option<String>,

    /// The bucket that completion reports go to, in the backup account.
    #[arg(long, env = "LEVEE_REPORT_BUCKET", value_name = "BUCKET")]
    pub report_bucket: String,
}

impl JobSettings {
    /// The role for the jobs of a run.
    ///
    /// # Errors
    /// `Levee.RestoreNotEnabled` for a restore without a role that may write into its target.
    pub fn role_for(&self, run: &Run) -> Result<&str, StageError> {
        let Some(restore) = &run.restore else { return Ok(&self.copy_role_arn) };
        let role = if restore.drill { &self.drill_role_arn } else { &self.restore_role_arn };
        role.as_deref().ok_or_else(|| {
            if restore.drill {
                let cause = format!(
                    "the drill ({}) cannot write into s3://{}: drills are not enabled. Enable them in the backup module, which makes their \
                     role and tells job-submit and thaw of it (LEVEE_DRILL_ROLE_ARN); once it is applied, redrive the execution.",
                    run.work(),
                    restore.target.name
                );
                return StageError::permanent(RESTORE_NOT_ENABLED, cause);
            }
            let cause = format!(
                "the {} cannot write into s3://{}: restores are not enabled. Name the bucket in the variable `restores` of the \
                 backup module, and in the source module of that bucket; once both are applied, redrive the execution.",
                run.work(),
                restore.target.name
            );
            StageError::permanent(RESTORE_NOT_ENABLED, cause)
        })
    }
}
