//! `levee restore`: brings tables back from snapshots. `plan` says what a restore would put where, from which snapshot, and what is
//! in the way; it writes nothing but its own file. `apply` carries that file out.

mod apply;
mod choose;
mod follow;
mod in_place;
mod prefixes;
mod target;
mod told;

use std::{fs::OpenOptions, io::Write, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
pub use apply::{Applied, ApplySettings, apply, start};
use choose::{Chooser, When};
pub use follow::{Followed, follow};
use jiff::{Timestamp, civil::Date};
use levee_clock::Clock;
use levee_ledger::{
    Ledger,
    drill::expected,
    receipt::Receipt,
    restore::{Outlook, PrefixToRestore, RESTORE_PLAN_VERSION, RestorePlan, TableToRestore, state_machine_of},
    state::Bucket,
};
use levee_restore::{Chosen, Prefix};
use levee_stage::Aws;
use levee_tables::BucketStore;
use prefixes::Prefixes;
pub use target::Place;

use crate::{exit, history::LedgerSettings, plan::restoring::outlook};

/// Drills that the time of a restore is estimated from.
const DRILLS: usize = 10;

/// `levee restore`.
#[derive(Clone, Debug, clap::Args)]
pub struct RestoreCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    /// Find the snapshot that has the tables as they are wished for, and write down what a restore would do
    Plan(Box<PlanSettings>),
    /// Carry a plan out, and follow it to its end
    Apply(ApplySettings),
}

impl RestoreCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The ledger, a snapshot or the target cannot be read; the plan cannot be written, read or started.
    pub async fn run(&self) -> Result<ExitCode> {
        match &self.what {
            What::Plan(settings) => {
                let s3 = Aws::from_env().await.s3;
                plan(&s3, &s3, settings, Timestamp::now()).await
            }
            What::Apply(settings) => apply(&Aws::from_env().await, settings, &Clock::system()).await,
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
    #[arg(long, value_name = "PATH|GLOB", required_unless_present_any = ["prefix", "object"])]
    table: Vec<String>,

    /// All objects whose keys begin with this, as the newest snapshot or that of the day has them; '' for the whole bucket
    #[arg(long, value_name = "PREFIX", requires = "to", conflicts_with_all = ["at_version", "as_of", "in_place"])]
    prefix: Vec<String>,

    /// A single object by its key, likewise
    #[arg(long, value_name = "KEY", requires = "to", conflicts_with_all = ["at_version", "as_of", "in_place"])]
    object: Vec<String>,

    /// Restore from the snapshot of this day
    #[arg(long, value_name = "YYYY-MM-DD")]
    backup_date: Option<Date>,

    /// Restore this version, from the newest snapshot that has it whole
    #[arg(long, value_name = "N", conflicts_with_all = ["backup_date", "as_of"])]
    at_version: Option<u64>,

    /// Restore the last version that was committed until this moment, such as 2026-03-31T12:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "backup_date")]
    as_of: Option<Timestamp>,

    /// Where to: each table goes below the prefix by its path
    #[arg(long, value_name = "S3-URL", required_unless_present = "in_place")]
    to: Option<Place>,

    /// The account of the bucket of --to; that of the source without it
    #[arg(long, value_name = "ACCOUNT")]
    to_account: Option<String>,

    /// Let objects be replaced that are in the way: the same S3-URL again
    #[arg(long, value_name = "S3-URL", requires = "to")]
    overwrite: Option<Place>,

    /// Mend tables where they are: what they lack is put back, and nothing else changed. With an older version, moment or day, a new
    /// commit gives them its state then
    #[arg(long, conflicts_with_all = ["to", "overwrite", "to_account"])]
    in_place: bool,

    /// The file that the plan is written to; it must not be there yet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Print the plan as one JSON document
    #[arg(long)]
    json: bool,
}

impl PlanSettings {
    /// A table of a source, mended where it is.
    #[must_use]
    pub fn in_place(ledger: &str, source: &str, table: &str) -> Self {
        Self {
            ledger: LedgerSettings { ledger: ledger.to_owned() },
            source: source.to_owned(),
            table: vec![table.to_owned()],
            prefix: Vec::new(),
            object: Vec::new(),
            backup_date: None,
            at_version: None,
            as_of: None,
            to: None,
            to_account: None,
            overwrite: None,
            in_place: true,
            out: None,
            json: false,
        }
    }

    const fn when(&self) -> When {
        match (self.backup_date, self.at_version, self.as_of) {
            (Some(date), ..) => When::BackupDate(date),
            (_, Some(version), _) => When::Version(version),
            (.., Some(time)) => When::AsOf(time),
            (None, None, None) => When::Newest,
        }
    }

    fn prefixes(&self) -> Vec<Prefix<'_>> {
        let prefixes = self.prefix.iter().map(|prefix| Prefix { prefix, single: false });
        prefixes.chain(self.object.iter().map(|key| Prefix { prefix: key, single: true })).collect()
    }

    fn place(&self) -> Place {
        self.to.clone().unwrap_or_else(|| Place { bucket: self.source.clone(), prefix: String::new() })
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
    let place = settings.place();
    if let Some(again) = settings.overwrite.as_ref().filter(|again| **again != place) {
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
    let Some(newest) = ledger.newest_closed(&settings.source).await? else {
        return Ok(Err(vec![format!("no run of {} has a receipt: there is nothing to restore from", settings.source)]));
    };
    let receipt = &newest.receipt.value;
    let account = settings.to_account.as_deref().unwrap_or(&receipt.run.source_account);
    let bucket = place.bucket(target, account, &receipt.snapshot.region).await?;
    let store = BucketStore::new(target, &bucket.name, Some(bucket.account.clone()));
    let chooser = Chooser { s3, ledger: &ledger, source: &settings.source, when: settings.when() };
    let tables = match chosen(settings, &chooser, &store).await? {
        Ok(chosen) => tables(s3, &store, &place, chosen, settings.overwrite.is_some()).await?,
        Err(refusals) => return Ok(Err(refusals)),
    };
    let prefixes = prefixes(settings, (s3, target), &bucket, &place, &ledger).await?;
    let (tables, prefixes) = match (tables, prefixes) {
        (Ok(tables), Ok(prefixes)) => (tables, prefixes),
        (tables, prefixes) => return Ok(Err([tables.err(), prefixes.err()].into_iter().flatten().flatten().collect())),
    };
    let mut plan = document(settings, &place, receipt, bucket, (tables, prefixes), now)?;
    plan.outlook = outlook(&plan, &receipt.snapshot.region)?;
    let (mut objects, mut bytes) = (0_u64, 0_u64);
    for execution in plan.executions()? {
        objects = objects.saturating_add(execution.copied().objects);
        bytes = bytes.saturating_add(execution.copied().bytes);
    }
    plan.outlook.time = expected(&ledger.drills(&settings.source, DRILLS).await?, objects, bytes);
    Ok(Ok(plan))
}

/// The tables that are wished for; or why they cannot be had, a line each.
async fn chosen(
    settings: &PlanSettings,
    chooser: &Chooser<'_>,
    target: &BucketStore,
) -> Result<Result<Vec<Chosen>, Vec<String>>> {
    if settings.table.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let paths = chooser.paths(&settings.table).await?;
    if paths.is_empty() {
        let wished = settings.table.join(", ");
        return Ok(Err(vec![format!(
            "no table of {} is meant by {wished}; levee show lists the tables of a run",
            settings.source
        )]));
    }
    if settings.in_place { chooser.in_place(target, &paths).await } else { chooser.choose(&paths).await }
}

/// The prefixes and objects that are wished for; or why they cannot be had, a line each.
async fn prefixes(
    settings: &PlanSettings,
    (s3, target): (&aws_sdk_s3::Client, &aws_sdk_s3::Client),
    bucket: &Bucket,
    place: &Place,
    ledger: &Ledger,
) -> Result<Result<Vec<PrefixToRestore>, Vec<String>>> {
    let wishes = settings.prefixes();
    if wishes.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let Some(run) = ledger.closed_runs(&settings.source, settings.backup_date).await?.next().await? else {
        return Ok(Err(vec![format!("no run of {} for that day has a receipt", settings.source)]));
    };
    Prefixes { s3, target, bucket, place, overwrite: settings.overwrite.is_some(), run: &run }.all(&wishes).await
}

/// What is copied of each table; or what is in the way, a line for each.
async fn tables(
    s3: &aws_sdk_s3::Client,
    target: &BucketStore,
    place: &Place,
    chosen: Vec<Chosen>,
    overwrite: bool,
) -> Result<Result<Vec<TableToRestore>, Vec<String>>> {
    let (mut tables, mut refusals) = (Vec::new(), Vec::new());
    for chosen in chosen {
        match chosen.planned(s3, target, &place.prefix, overwrite).await? {
            Ok(table) => tables.push(table),
            Err(refusal) => refusals.push(refusal),
        }
    }
    Ok(if refusals.is_empty() { Ok(tables) } else { Err(refusals) })
}

fn document(
    settings: &PlanSettings,
    place: &Place,
    receipt: &Receipt,
    target: Bucket,
    (tables, prefixes): (Vec<TableToRestore>, Vec<PrefixToRestore>),
    now: Timestamp,
) -> Result<RestorePlan> {
    let arn = &receipt.run.execution_arn;
    let Some(state_machine_arn) = state_machine_of(arn) else {
        bail!("the receipt of the newest run names an execution whose state machine is none of Levee's: {arn}");
    };
    Ok(RestorePlan {
        version: RESTORE_PLAN_VERSION,
        made: now,
        levee_version: env!("CARGO_PKG_VERSION").to_owned(),
        source: settings.source.clone(),
        ledger_bucket: settings.ledger.ledger.clone(),
        state_machine_arn,
        target,
        target_prefix: place.prefix.clone(),
        overwrite: settings.overwrite.is_some(),
        outlook: Outlook::default(),
        tables,
        prefixes,
    })
}
