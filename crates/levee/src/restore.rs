//! `levee restore plan`: what a restore of tables would put where, from which snapshot, and what is in the way. It reads the
//! ledger, the snapshots and the target, and writes nothing but the plan's own file.

mod choose;
mod target;
mod told;

use std::{fs::OpenOptions, io::Write, path::PathBuf, process::ExitCode, str::FromStr};

use anyhow::{Context, Result};
use choose::{Chooser, When};
use jiff::{Timestamp, civil::Date};
use levee_ledger::{
    Ledger,
    restore::{RESTORE_PLAN_VERSION, RestorePlan},
};
use levee_stage::Aws;
use target::Target;

use crate::{exit, history::LedgerSettings};

/// `levee restore`.
#[derive(Clone, Debug, clap::Args)]
pub struct RestoreCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    /// Find the snapshot that has the tables as they are wished for, and write down what a restore would do
    Plan(PlanSettings),
}

impl RestoreCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The ledger, a snapshot or the target cannot be read; the plan cannot be written.
    pub async fn run(&self) -> Result<ExitCode> {
        match &self.what {
            What::Plan(settings) => {
                let s3 = Aws::from_env().await.s3;
                plan(&s3, &s3, settings, Timestamp::now()).await
            }
        }
    }
}

/// The settings of `levee restore plan`.
#[derive(Clone, Debug, clap::Args)]
pub struct PlanSettings {
    #[command(flatten)]
    ledger: LedgerSettings,

    /// The source bucket whose snapshots are restored from
    #[arg(long, value_name = "BUCKET")]
    source: String,

    /// A table by its path in the source, or a glob over the tables of the newest snapshot: `*` stays within a `/`, `**` does not
    #[arg(long, value_name = "PATH|GLOB", required = true)]
    table: Vec<String>,

    /// Restore from the snapshot of this day
    #[arg(long, value_name = "YYYY-MM-DD")]
    backup_date: Option<Date>,

    /// Restore this version, from the newest snapshot that has it whole
    #[arg(long, value_name = "N", conflicts_with_all = ["backup_date", "as_of"])]
    at_version: Option<u64>,

    /// Restore the last version that was committed until this moment, such as 2026-03-31T12:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "backup_date")]
    as_of: Option<Timestamp>,

    /// Where to: one table that is named without a glob goes to the prefix itself, others below it by their paths
    #[arg(long, value_name = "S3-URL")]
    to: Place,

    /// Let objects be replaced that are in the way: the same S3-URL again
    #[arg(long, value_name = "S3-URL")]
    overwrite: Option<Place>,

    /// The file that the plan is written to; it must not be there yet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Print the plan as one JSON document
    #[arg(long)]
    json: bool,
}

/// A bucket and a prefix, without slashes at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    bucket: String,
    prefix: String,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| format!("{text:?} is not s3://BUCKET/PREFIX"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        if bucket.is_empty() || prefix.starts_with('/') || prefix.split('/').any(|part| part == "_delta_log") {
            return Err(format!("{text:?} names no bucket, or no prefix that a table can have"));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// Makes the plan and tells it. `s3` reads the ledger and the snapshots, `target` the bucket that is restored into.
///
/// # Errors
/// As [`RestoreCommand::run`].
#[expect(clippy::print_stdout, reason = "what was asked for goes to standard output")]
pub async fn plan(
    s3: &aws_sdk_s3::Client,
    target: &aws_sdk_s3::Client,
    settings: &PlanSettings,
    now: Timestamp,
) -> Result<ExitCode> {
    let plan = match make(s3, target, settings, now).await? {
        Ok(plan) => plan,
        Err(refusals) => return Ok(exit::usage(&anyhow::anyhow!(refusals.join("\n")))),
    };
    let json = serde_json::to_string_pretty(&plan)?;
    if let Some(out) = &settings.out {
        let file = OpenOptions::new().write(true).create_new(true).open(out);
        let mut file = file.with_context(|| format!("{} cannot be made, or is there already", out.display()))?;
        file.write_all(json.as_bytes()).with_context(|| format!("{} cannot be written", out.display()))?;
    }
    println!("{}", if settings.json { json } else { told::told(&plan)? });
    Ok(ExitCode::SUCCESS)
}

/// The plan, or why there is none: a line for each table that cannot be had, or that something is in the way of.
///
/// # Errors
/// As [`RestoreCommand::run`].
pub async fn make(
    s3: &aws_sdk_s3::Client,
    target: &aws_sdk_s3::Client,
    settings: &PlanSettings,
    now: Timestamp,
) -> Result<Result<RestorePlan, Vec<String>>> {
    if let Some(again) = settings.overwrite.as_ref().filter(|again| **again != settings.to) {
        return Ok(Err(vec![format!(
            "--overwrite names s3://{}/{}, and --to another place: name the same one, or leave --overwrite out",
            again.bucket, again.prefix
        )]));
    }
    let ledger = Ledger::new(s3.clone(), &settings.ledger.ledger);
    let sources = ledger.sources().await?;
    if !sources.contains(&settings.source) {
        return Ok(Err(vec![crate::runs::no_source(&ledger, &settings.source, &sources).to_string()]));
    }
    let when = match (settings.backup_date, settings.at_version, settings.as_of) {
        (Some(date), ..) => When::BackupDate(date),
        (_, Some(version), _) => When::Version(version),
        (.., Some(time)) => When::AsOf(time),
        (None, None, None) => When::Newest,
    };
    let chooser = Chooser { s3, ledger: &ledger, source: &settings.source, when };
    let chosen = match chooser.choose(&settings.table).await? {
        Ok(chosen) => chosen,
        Err(refusals) => return Ok(Err(refusals)),
    };
    let place = Target::new(target, &settings.to.bucket, &settings.to.prefix, settings.overwrite.is_some());
    let alone = settings.table.len() == 1 && chosen.len() == 1 && !choose::is_glob(&settings.table.concat());
    let (mut tables, mut refusals) = (Vec::new(), Vec::new());
    for mut table in chosen {
        table.target = place.root_of(&table.path, alone);
        refusals.extend(place.in_the_way(&table).await?);
        tables.push(table);
    }
    if !refusals.is_empty() {
        return Ok(Err(refusals));
    }
    Ok(Ok(RestorePlan {
        version: RESTORE_PLAN_VERSION,
        made: now,
        levee_version: env!("CARGO_PKG_VERSION").to_owned(),
        source: settings.source.clone(),
        target_bucket: settings.to.bucket.clone(),
        target_prefix: settings.to.prefix.clone(),
        overwrite: settings.overwrite.is_some(),
        tables,
    }))
}
