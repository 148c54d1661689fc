//! The settings that every worker has.

use std::time::Duration;

use crate::{LogFormat, WorkerSettings};

/// Variables of Levee that a program may find in an environment which it shares with other programs of Levee.
pub const SHARED_VARIABLES: &[&str] = &[
    "LEVEE_BREAK_GLASS_ARNS",
    "LEVEE_COPY_ROLE_ARN",
    "LEVEE_DRILL_ROLE_ARN",
    "LEVEE_LARGE_COPY_PARTS_AT_A_TIME",
    "LEVEE_OBJECTS_AT_ONCE",
    "LEVEE_RECEIPT_SIGNING_KEY_ARN",
    "LEVEE_REPORT_BUCKET",
    "LEVEE_RESTORE_ROLE_ARN",
];

/// The settings that every worker has. A worker's own settings are a further `clap::Args` beside it.
#[derive(Clone, Debug, clap::Args)]
pub struct CommonSettings {
    /// The bucket that holds Levee's own records.
    #[arg(long, env = "LEVEE_LEDGER_BUCKET", value_name = "BUCKET", value_parser = bucket_name)]
    pub ledger_bucket: String,

    /// The backup account: the owner of the buckets, queues and copy jobs that the workers use.
    #[arg(long, env = "LEVEE_ACCOUNT", value_name = "12 DIGITS", value_parser = account_id)]
    pub account: String,

    /// The EventBridge bus that the events of runs go to.
    #[arg(long, env = "LEVEE_EVENT_BUS", value_name = "NAME", default_value = "levee")]
    pub event_bus: String,

    /// What the queues' names begin with: a stage's queue is this and the stage's name.
    #[arg(long, env = "LEVEE_QUEUE_PREFIX", value_name = "PREFIX", default_value = "levee-", value_parser = queue_prefix)]
    pub queue_prefix: String,

    /// How many tasks of a stage one process works on at a time.
    #[arg(long, env = "LEVEE_CONCURRENCY", value_name = "TASKS", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub concurrency: u16,

    /// HeartbeatSeconds of the state machine's tasks; heartbeats are sent at a third of it.
    #[arg(long, env = "LEVEE_HEARTBEAT_LIMIT_SECONDS", value_name = "SECONDS", default_value = "900", value_parser = clap::value_parser!(u32).range(30..=43_200))]
    pub heartbeat_limit_seconds: u32,

    /// How long running stages may go on after the signal to stop; then their messages are released.
    #[arg(long, env = "LEVEE_SHUTDOWN_GRACE_SECONDS", value_name = "SECONDS", default_value = "20", value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub shutdown_grace_seconds: u32,

    /// How log lines look.
    #[arg(long, env = "LEVEE_LOG_FORMAT", value_name = "FORMAT", default_value = "auto", value_enum)]
    pub log_format: LogFormat,
}

impl CommonSettings {
    /// The runtime's settings for the worker of `stage`.
    #[must_use]
    pub fn worker_settings(&self, stage: &str) -> WorkerSettings {
        WorkerSettings {
            concurrency: usize::from(self.concurrency),
            heartbeat_limit: Duration::from_secs(u64::from(self.heartbeat_limit_seconds)),
            shutdown_grace: Duration::from_secs(u64::from(self.shutdown_grace_seconds)),
            ..WorkerSettings::for_queue(format!("{}{stage}", self.queue_prefix))
        }
    }
}

/// For workers without settings of their own.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct NoSettings {}

fn bucket_name(value: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    if !(3..=63).contains(&value.len()) || !value.chars().all(allowed) {
        return Err("a bucket's name has 3 to 63 characters out of a-z, 0-9, `.` and `-`".to_owned());
    }
    Ok(value.to_owned())
}

fn account_id(value: &str) -> Result<String, String> {
    if value.len() != 12 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("an account's id has 12 digits".to_owned());
    }
    Ok(value.to_owned())
}

fn queue_prefix(value: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if value.len() > 60 || !value.chars().all(allowed) {
        return Err("a queue's prefix has at most 60 letters, digits, `-` and `_`".to_owned());
    }
    Ok(value.to_owned())
}
