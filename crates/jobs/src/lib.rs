//! S3 Batch Operations jobs as the stages make them: one job for one request, however often it is asked for, and watched with
//! patience until it ends.

mod make;
mod request;
pub mod watch;

pub use make::{JOB_REJECTED, Jobs};
pub use request::{JobRequest, Work};

/// The settings of a worker that makes jobs.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "jobs")]
pub struct JobSettings {
    /// The role that Batch Operations copies and restores with, in the backup account.
    #[arg(long, env = "LEVEE_COPY_ROLE_ARN", value_name = "ARN")]
    pub copy_role_arn: String,

    /// The bucket that completion reports go to, in the backup account.
    #[arg(long, env = "LEVEE_REPORT_BUCKET", value_name = "BUCKET")]
    pub report_bucket: String,
}
