//! `levee coverage`: what of the warehouse could be brought back today. It reads the ledger, lists the sources too where that is
//! wished, and writes nothing anywhere.
//!
//! The exit code is 0 when every table of the sources has a whole backup, within the limit where there is one; 1 when one has
//! none or only an older one, or a source has no receipt; and 2 when that could not be found out.

mod document;
mod known;
mod look;
mod restores;
mod told;

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::{Result, bail};
use aws_sdk_s3::Client;
pub use document::{Backup, Counts, Coverage, CoveredSource, CoveredTable, LastRestore, NewestRun, Standing};
use jiff::Timestamp;
use known::{Known, KnownTable, Newest};
use levee_ledger::Ledger;
use levee_stage::Aws;
use look::{LeftOut, roots};
use restores::{LastRestores, last_restores};

use crate::{exit, history::LedgerSettings, runs::no_source};

/// The settings of `levee coverage`.
#[derive(Clone, Debug, clap::Args)]
pub struct CoverageSettings {
    #[command(flatten)]
    ledger: LedgerSettings,

    /// Only tables of this source, or of another one that is given
    #[arg(long, value_name = "BUCKET")]
    source: Vec<String>,

    /// How old the newest whole backup of a table may be, counted from the scan of the inventory that it was made from
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,

    /// How many days before a source's newest closed run its older ones are looked into
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    days: u16,

    /// List the sources too, and name tables there that no snapshot has
    #[arg(long)]
    look: bool,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// None: what keeps it from an answer is told, and the exit code says it.
#[expect(clippy::print_stdout, reason = "what was asked for goes to standard output")]
pub async fn run(settings: &CoverageSettings) -> Result<ExitCode> {
    let s3 = Aws::from_env().await.s3;
    let surveyed = survey(&s3, &s3, settings, Timestamp::now()).await;
    let told = surveyed.and_then(|coverage| {
        let text = if settings.json { serde_json::to_string_pretty(&coverage)? } else { told::told(&coverage) };
        Ok((coverage.code(), text))
    });
    match told {
        Ok((code, text)) => {
            println!("{text}");
            Ok(ExitCode::from(code))
        }
        Err(error) => Ok(exit::usage(&error)),
    }
}

/// What could be brought back at `now`. `s3` reads the ledger, `sources` lists the sources. Memory holds a line for each table, and
/// the list of tables of one run at a time.
///
/// # Errors
/// The ledger cannot be read, or has no runs of a source that is asked for.
pub async fn survey(s3: &Client, sources: &Client, settings: &CoverageSettings, now: Timestamp) -> Result<Coverage> {
    let ledger = Ledger::new(s3.clone(), &settings.ledger.ledger);
    let all = ledger.sources().await?;
    if let Some(unknown) = settings.source.iter().find(|source| !all.contains(source)) {
        return Err(no_source(&ledger, unknown, &all));
    }
    if all.is_empty() {
        bail!("s3://{}/runs/ has no runs: see whether it is the ledger that is meant", ledger.bucket());
    }
    let mut covered = (Vec::new(), Vec::new());
    for source in all.iter().filter(|source| settings.source.is_empty() || settings.source.contains(source)) {
        let surveyor = Surveyor { ledger: &ledger, sources, settings, source, now };
        let (of_source, tables) = surveyor.survey().await?;
        covered.0.push(of_source);
        covered.1.extend(tables);
    }
    let asked = (settings.days, settings.limit, settings.look);
    Ok(Coverage::new(ledger.bucket().to_owned(), now, asked, covered))
}

/// Looks at one source.
struct Surveyor<'a> {
    ledger: &'a Ledger,
    sources: &'a Client,
    settings: &'a CoverageSettings,
    source: &'a str,
    now: Timestamp,
}

/// What tables of a source are measured by.
struct Measure<'a> {
    /// Whether the newest run's list of tables could be read.
    listed: bool,
    left_out: Option<LeftOut>,
    /// The tables that are in the source now, where it was looked at.
    there: Option<BTreeSet<String>>,
    restores: &'a LastRestores,
}

impl Surveyor<'_> {
    async fn survey(&self) -> Result<(CoveredSource, Vec<CoveredTable>)> {
        let mut known = Known::read(self.ledger, self.source, self.settings.days).await?;
        let restores = last_restores(self.ledger, self.source).await?;
        let (mut left_out, mut there) = (None, None);
        if let Some(newest) = &known.newest {
            match LeftOut::new(&newest.selection) {
                Ok(made) => left_out = Some(made),
                Err(why) => known.problems.push(format!("the newest receipt of {}: {why}", self.source)),
            }
            if self.settings.look {
                match roots(self.sources, self.source, &newest.source_account).await {
                    Ok(found) => there = Some(found),
                    Err(why) => known.problems.push(why),
                }
            }
        }
        let listed = known.newest.as_ref().is_some_and(|newest| newest.listed);
        let measure = Measure { listed, left_out, there, restores: &restores };
        let uncovered = measure.there.iter().flatten().filter(|root| !known.tables.contains_key(*root));
        let mut tables: Vec<_> = uncovered.map(|root| self.uncovered(root, &measure)).collect();
        tables.extend(known.tables.iter().map(|(path, table)| self.table(path, table, &measure)));
        let source = CoveredSource {
            source: self.source.to_owned(),
            newest_run: known.newest.as_ref().map(|newest| self.newest_run(newest)),
            problems: known.problems,
            unread_runs: known.unread,
            unread_restores: restores.unread,
        };
        Ok((source, tables))
    }

    /// A table of the source that no run knows.
    fn uncovered(&self, path: &str, measure: &Measure<'_>) -> CoveredTable {
        let state = if measure.leaves_out(path) { Standing::LeftOut } else { Standing::Uncovered };
        CoveredTable { state, in_source: Some(true), ..self.table(path, &KnownTable::default(), measure) }
    }

    /// A table that a run knows.
    fn table(&self, path: &str, known: &KnownTable, measure: &Measure<'_>) -> CoveredTable {
        let in_source = measure.there.as_ref().map(|there| there.contains(path));
        let whole_backup = known.whole.as_ref().map(|copy| copy.backup(self.now));
        let is_gone = measure.listed && known.verdict.is_none();
        let state = match &whole_backup {
            _ if is_gone && measure.leaves_out(path) => Standing::LeftOut,
            _ if is_gone && in_source != Some(true) => Standing::Gone,
            None => Standing::NoWholeBackup,
            Some(backup) if self.is_too_old(backup) => Standing::TooOld,
            Some(_) => Standing::Covered,
        };
        CoveredTable {
            source: self.source.to_owned(),
            path: path.to_owned(),
            state,
            whole_backup,
            restorable: known.restorable.as_ref().map(|copy| copy.backup(self.now)),
            verdict: known.verdict,
            in_source,
            last_restore: measure.restores.by_path.get(path).cloned(),
        }
    }

    fn is_too_old(&self, backup: &Backup) -> bool {
        self.settings.limit.is_some_and(|hours| backup.age_seconds > u64::from(hours).saturating_mul(3600))
    }

    fn newest_run(&self, newest: &Newest) -> NewestRun {
        NewestRun {
            backup_date: newest.run.backup_date,
            execution_name: newest.run.execution_name.clone(),
            stands_for: newest.run.stands_for,
            age_seconds: age(newest.run.stands_for, self.now),
        }
    }
}

impl Measure<'_> {
    fn leaves_out(&self, path: &str) -> bool {
        self.left_out.as_ref().is_some_and(|left_out| left_out.has(path))
    }
}

/// Seconds since a moment; 0 when it is still to come.
fn age(at: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.duration_since(at).as_secs()).unwrap_or(0)
}
