//! `levee doctor`: checks a deployment before the first night and any time after.
//!
//! Every check reads. Only the canary, which is asked for, writes: a manifest, and through a batch job of its own one copy
//! and its report. What could not be read is told as such, and never taken for good or bad.

mod bucket;
mod canary;
mod clients;
mod deployment;
mod finding;
mod inventory;
mod keys;
mod machine;
mod names;
mod notifications;
mod policy;
mod queues;
pub(crate) mod schedules;
mod sources;
mod walls;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use futures::future::{BoxFuture, join_all};
use levee_clock::Clock;

pub(crate) use self::notifications::completed_rule;
pub use self::{
    clients::{Clients, Warehouse},
    deployment::{BucketKind, Deployment, DeploymentError, Snapshot, Source},
    finding::{Finding, Outcome, Verdict},
};
use crate::exit;

/// Buckets that an account may have unless it asked for more ("General purpose bucket quotas" of the S3 User Guide).
pub const BUCKET_LIMIT: u64 = 10_000;
/// How long a canary is waited for.
pub const CANARY_LIMIT: Duration = Duration::from_secs(30 * 60);

/// The settings of `levee doctor`.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorSettings {
    /// The description of the deployment: terraform output -json deployment > deployment.json
    #[arg(value_name = "DEPLOYMENT.json")]
    pub deployment: PathBuf,

    /// Check only these sources, and what all share
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub source: Vec<String>,

    /// A profile of the AWS configuration with read access to the account of the sources: their buckets, inventories and
    /// keys can only be looked at from there
    #[arg(long, value_name = "PROFILE")]
    pub source_profile: Option<String>,

    /// How many buckets the backup account may have (Service Quotas: "General purpose buckets")
    #[arg(long, value_name = "N", default_value_t = BUCKET_LIMIT)]
    pub bucket_limit: u64,

    /// In the end copy one object of each source by a real batch job, and compare the copy
    #[arg(long)]
    pub canary: bool,

    /// How long a canary may take, in minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 30, requires = "canary", value_parser = clap::value_parser!(u32).range(1..=1440))]
    pub canary_limit: u32,

    /// Print the outcome as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// What is checked, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The names of the sources to check; all of the deployment when empty.
    pub sources: Vec<String>,
    /// How many buckets the backup account may have.
    pub bucket_limit: u64,
    /// How long a canary is waited for; none is sent without it.
    pub canary: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self { sources: Vec::new(), bucket_limit: BUCKET_LIMIT, canary: None }
    }
}

/// Everything that checks look at.
pub(crate) struct Examination<'a> {
    deployment: &'a Deployment,
    sources: Vec<&'a Source>,
    backup: &'a Clients,
    warehouse: &'a Warehouse,
    options: &'a Options,
    clock: &'a Clock,
    /// Tells a person what is going on.
    say: &'a (dyn Fn(&str) + Sync),
}

/// Runs the command.
#[must_use]
pub fn run(settings: &DoctorSettings) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome =
        runtime.context("cannot start the runtime").and_then(|runtime| runtime.block_on(from_settings(settings)));
    match outcome.and_then(|outcome| Ok((outcome.exit_code(), told(&outcome, settings.json)?))) {
        Ok((code, text)) => {
            print(&text);
            ExitCode::from(code)
        }
        Err(error) => exit::usage(&error),
    }
}

async fn from_settings(settings: &DoctorSettings) -> Result<Outcome> {
    let deployment = Deployment::read(&settings.deployment)?;
    let backup = Clients::from_env(&deployment.region).await;
    let warehouse = match &settings.source_profile {
        Some(profile) => Warehouse::of(Clients::of_profile(profile, &deployment.region).await).await,
        None => Warehouse::NotGiven,
    };
    let minutes = Duration::from_secs(60 * u64::from(settings.canary_limit));
    let options = Options {
        sources: settings.source.clone(),
        bucket_limit: settings.bucket_limit,
        canary: settings.canary.then_some(minutes),
    };
    examine(&deployment, &backup, &warehouse, &options, &Clock::system(), &progress).await
}

/// Makes every check. `say` is told what takes long.
///
/// # Errors
/// `options` names a source that the deployment does not have.
pub async fn examine(
    deployment: &Deployment,
    backup: &Clients,
    warehouse: &Warehouse,
    options: &Options,
    clock: &Clock,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Outcome> {
    let sources = selected(deployment, &options.sources)?;
    let examination = Examination { deployment, sources, backup, warehouse, options, clock, say };
    let mut findings = examination.credentials().await;
    // In another account or Region every answer would be about something else.
    if findings.iter().all(|finding| finding.outcome != Verdict::Problem) {
        findings.extend(join_all(examination.groups()).await.into_iter().flatten());
        if let Some(limit) = options.canary {
            findings.extend(examination.canaries(limit).await);
        }
    }
    Ok(Outcome::new(&deployment.name, findings))
}

impl<'a> Examination<'a> {
    /// Checks that do not depend on each other, in the order in which they are told.
    fn groups(&'a self) -> Vec<BoxFuture<'a, Vec<Finding>>> {
        let mut groups: Vec<BoxFuture<'a, Vec<Finding>>> = Vec::new();
        for (kind, name) in self.deployment.buckets() {
            groups.push(Box::pin(self.own_bucket(kind, name)));
        }
        for source in &self.sources {
            groups.push(Box::pin(self.source(source)));
            groups.push(Box::pin(self.last_delivery(source)));
        }
        groups.push(Box::pin(self.keys()));
        groups.push(Box::pin(self.queues()));
        groups.push(Box::pin(self.dead_letter_queues()));
        groups.push(Box::pin(self.state_machine()));
        for source in &self.sources {
            groups.push(Box::pin(self.schedule(source)));
        }
        groups.push(Box::pin(async { self.names() }));
        groups.push(Box::pin(self.bucket_quota()));
        groups.push(Box::pin(self.bus_and_rules()));
        groups.push(Box::pin(self.topic()));
        groups
    }
}

fn selected<'a>(deployment: &'a Deployment, names: &[String]) -> Result<Vec<&'a Source>> {
    for name in names {
        deployment.source(name)?;
    }
    Ok(deployment.sources.iter().filter(|source| names.is_empty() || names.contains(&source.name)).collect())
}

fn told(outcome: &Outcome, json: bool) -> Result<String> {
    if json {
        return Ok(serde_json::to_string_pretty(outcome)? + "\n");
    }
    Ok(outcome.to_text())
}

#[expect(clippy::print_stdout, reason = "the outcome goes to standard output")]
fn print(text: &str) {
    print!("{text}");
}

#[expect(clippy::print_stderr, reason = "progress goes to standard error, so that the outcome can be piped")]
fn progress(text: &str) {
    eprintln!("{text}");
}
