//! `levee plan`: what a run would do with the objects of an inventory, and what it would cost. It reads the inventory and
//! nothing else, and writes nothing anywhere.
//!
//! The rows are read and decided about by the code of the worker manifest-ready.

mod cost;
mod outlook;
mod prices;
pub(crate) mod restoring;
mod survey;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use clap::ValueEnum;
use cost::Circumstances;
pub use cost::{Cost, Line};
use levee_formats::inventory::{Column, Manifest};
use levee_ledger::{
    Selector,
    state::{ArchivedPolicy, KeyPattern, Restoring, Selection},
};
use levee_manifest_ready::{
    check_supported,
    decide::{Decider, Rules},
    scan::{Body, DataFiles, scan},
};
use levee_stage::StageError;
pub use outlook::Outlook;
pub use prices::Origin;
use prices::Prices;
pub use survey::{Named, NamedTable};
use survey::{Survey, Surveying};

use crate::{
    cat::source::{Location, Pieces, Source},
    doctor::schedules::{ExecutionInput, replaced},
    exit,
};

const STANDARD: &str = "STANDARD";

/// The settings of `levee plan`.
#[derive(Clone, Debug, clap::Args)]
pub struct PlanSettings {
    /// The manifest.json of an inventory: a local path or s3://BUCKET/KEY
    #[arg(value_name = "PATH|S3-URL")]
    pub manifest: Location,

    /// Look the data files up under this folder, by their keys. Without it, a local manifest's files are looked up under its
    /// folder, under `objects` in that folder, and under the folders above; those of a manifest in S3 in its bucket
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,

    /// Take the settings of a run: the input of an execution or of a schedule, as JSON
    #[arg(long, value_name = "FILE", conflicts_with_all = ["include_prefix", "include_glob", "exclude_prefix", "exclude_glob", "storage_class_only", "archived", "copies_storage_class"])]
    pub run: Option<PathBuf>,

    /// Back up only keys that begin with this, or match another include
    #[arg(long, value_name = "PREFIX")]
    pub include_prefix: Vec<String>,

    /// Back up only keys that this glob matches as a whole, or another include: `*` stays within a `/`, `**` does not
    #[arg(long, value_name = "GLOB")]
    pub include_glob: Vec<String>,

    /// Leave out keys that begin with this
    #[arg(long, value_name = "PREFIX")]
    pub exclude_prefix: Vec<String>,

    /// Leave out keys that this glob matches as a whole
    #[arg(long, value_name = "GLOB")]
    pub exclude_glob: Vec<String>,

    /// Back up only objects of this storage class, or of another one that is given
    #[arg(long, value_name = "CLASS")]
    pub storage_class_only: Vec<String>,

    /// What to do about archived objects
    #[arg(long, value_enum)]
    pub archived: Option<Archived>,

    /// The storage class of the copies; STANDARD without it
    #[arg(long, value_name = "CLASS")]
    pub copies_storage_class: Option<String>,

    /// The snapshots are in another Region than the source
    #[arg(long)]
    pub cross_region: bool,

    /// Take the prices from this file, which has the form of crates/levee/prices/us-east-1.toml
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,

    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// What is done about archived objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Archived {
    /// The run fails on them.
    Fail,
    /// They are not copied.
    Skip,
    /// They are restored first, by the tier BULK for 7 days.
    Restore,
}

/// What a run is asked for, as far as it decides what is done with objects.
struct Asked {
    rules: Rules,
    class: String,
}

/// Runs the command.
///
/// # Errors
/// The inventory cannot be read or used.
#[expect(clippy::print_stdout, reason = "what was asked for goes to standard output")]
pub async fn run(settings: &PlanSettings) -> Result<ExitCode> {
    let (asked, prices) = match asked(settings) {
        Ok(asked) => asked,
        Err(error) => return Ok(exit::usage(&error)),
    };
    let outlook = look(settings, &asked, &prices).await?;
    if settings.json {
        println!("{}", serde_json::to_string_pretty(&outlook)?);
    } else {
        println!("{outlook}");
    }
    Ok(if outlook.nothing_selected { ExitCode::from(exit::FAILED) } else { ExitCode::SUCCESS })
}

async fn look(settings: &PlanSettings, asked: &Asked, prices: &Prices) -> Result<Outlook> {
    let source = Source::new(settings.manifest.clone(), settings.root.clone()).await;
    let manifest = manifest(&source).await?;
    let name = source.name();
    let decider = Decider::new(&asked.rules, &manifest.schema).map_err(|problem| anyhow!("{name}: {problem}"))?;
    let files = Arc::new(Files { source });
    let scanned = scan(files, &manifest, Arc::new(decider), &Surveying).await;
    let (count, survey): (_, Survey) = scanned.map_err(|error| anyhow!(error.cause))?;
    let sized = manifest.schema.has(&Column::Size);
    let how =
        Circumstances { archived: asked.rules.archived, class: &asked.class, cross_region: settings.cross_region };
    let cost = if sized {
        Some(cost::estimate(prices, &count, &survey, &how).context("the price table does not do")?)
    } else {
        None
    };
    Ok(Outlook::new(&manifest, &count, &survey, &asked.class, cost, prices.origin()))
}

async fn manifest(source: &Source) -> Result<Manifest> {
    let (bytes, name) = (source.manifest().await?, source.name());
    match source.beside(|_| "manifest.checksum".to_owned()).await? {
        Some(checksum) => Manifest::verify_checksum(&bytes, &checksum).with_context(|| name.clone())?,
        None => bail!(
            "{name}: there is no manifest.checksum beside it, which S3 writes last: the inventory is not delivered yet"
        ),
    }
    let manifest = Manifest::parse(&bytes).with_context(|| name.clone())?;
    check_supported(&manifest).map_err(|problem| anyhow!("{name}: {problem}"))?;
    Ok(manifest)
}

/// What is asked for, and the prices of that. Whatever is wrong with either is found here, before anything is read.
fn asked(settings: &PlanSettings) -> Result<(Asked, Prices)> {
    let asked = match &settings.run {
        Some(file) => of_run(file)?,
        None => of_options(settings),
    };
    Selector::new(&asked.rules.selection).map_err(|problems| anyhow!(problems.join("; ")))?;
    let prices = Prices::read(settings.prices.as_deref())?;
    prices.class(&asked.class).context("the storage class of the copies has no prices")?;
    Ok((asked, prices))
}

fn of_run(file: &Path) -> Result<Asked> {
    let place = || format!("the settings of a run, {}", file.display());
    let text = fs::read_to_string(file).with_context(place)?;
    let ExecutionInput { run } = serde_json::from_str(&replaced(&text)).with_context(place)?;
    run.validate().map_err(|error| anyhow!(error.cause))?;
    let class = run.snapshot.storage_class.clone();
    Ok(Asked { rules: Rules::of(&run), class: class.unwrap_or_else(|| STANDARD.to_owned()) })
}

fn of_options(settings: &PlanSettings) -> Asked {
    let patterns = |prefixes: &[String], globs: &[String]| {
        let prefixes = prefixes.iter().cloned().map(KeyPattern::Prefix);
        prefixes.chain(globs.iter().cloned().map(KeyPattern::Glob)).collect()
    };
    let selection = Selection {
        include: patterns(&settings.include_prefix, &settings.include_glob),
        exclude: patterns(&settings.exclude_prefix, &settings.exclude_glob),
        storage_classes: settings.storage_class_only.clone(),
    };
    let archived = match settings.archived {
        None | Some(Archived::Fail) => ArchivedPolicy::Fail,
        Some(Archived::Skip) => ArchivedPolicy::Skip,
        Some(Archived::Restore) => ArchivedPolicy::Restore(Restoring::default()),
    };
    let class = settings.copies_storage_class.clone();
    Asked { rules: Rules { selection, archived }, class: class.unwrap_or_else(|| STANDARD.to_owned()) }
}

/// The data files, wherever the manifest is.
struct Files {
    source: Source,
}

impl DataFiles for Files {
    type Body = Pieces;

    async fn open(&self, key: &str) -> Result<Pieces, StageError> {
        let missing = || anyhow!("the data file {key} of {} does not exist", self.source.name());
        self.source.data(key).await.and_then(|found| found.ok_or_else(missing)).map_err(|error| unreadable(&error))
    }

    fn place(&self, key: &str) -> String {
        format!("{key} of {}", self.source.name())
    }
}

impl Body for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, StageError> {
        Self::next(self).await.map_err(|error| unreadable(&error))
    }
}

fn unreadable(error: &anyhow::Error) -> StageError {
    StageError::permanent(levee_manifest_ready::MANIFEST_CORRUPT, format!("{error:#}"))
}
