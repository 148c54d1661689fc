//! What `levee runs` and `levee show` have in common: the ledger that they read, and how runs are named and told.

use std::{fmt, str::FromStr};

use anyhow::Result;
use jiff::{Timestamp, civil::Date};
use levee_ledger::{
    Ledger,
    history::{End, KnownRun},
    receipt::Outcome,
};
use levee_page::text::{moment, visible};
use levee_stage::Aws;
use serde::Serialize;

/// The width of a column of sentences, in characters.
const WIDEST: usize = 76;

/// Which ledger is read.
#[derive(Clone, Debug, clap::Args)]
pub struct LedgerSettings {
    /// The ledger bucket
    #[arg(long, env = "LEVEE_LEDGER_BUCKET", value_name = "BUCKET")]
    pub ledger: String,
}

impl LedgerSettings {
    /// The ledger, with the credentials of the environment.
    pub(crate) async fn open(&self) -> Ledger {
        Ledger::new(Aws::from_env().await.s3, &self.ledger)
    }
}

/// The name of a run on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunName {
    /// The newest run of the source that `--source` names.
    Latest,
    /// `<source>/<date>`, of whose executions the newest is meant, or `<source>/<date>/<execution>`.
    Of {
        /// The source bucket.
        source: String,
        /// The day that its snapshot stands for.
        backup_date: Date,
        /// The execution.
        execution: Option<String>,
    },
}

impl FromStr for RunName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let form = || format!("{text:?} names no run: give SOURCE/YYYY-MM-DD, SOURCE/YYYY-MM-DD/EXECUTION or latest");
        let mut parts = text.trim_end_matches('/').split('/');
        let (source, date) = (parts.next().unwrap_or_default(), parts.next().ok_or_else(form)?);
        let backup_date = date.parse().map_err(|error| format!("{date:?} in {text:?} is no day: {error}"))?;
        let execution = parts.next().map(str::to_owned);
        if source.is_empty() || parts.next().is_some() {
            return Err(form());
        }
        Ok(Self::Of { source: source.to_owned(), backup_date, execution })
    }
}

/// What came of a run, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Closed, with nothing to look at.
    Complete,
    /// Closed, with something to look at.
    Degraded,
    /// Not closed, and its last record is that of a failure.
    Failed,
    /// Not closed: under way, or ended without a record of why.
    Open,
    /// Not closed, and another execution has taken its day over.
    Superseded,
    /// Closed by another release, or its receipt is damaged.
    Unreadable,
}

impl State {
    pub(crate) fn of(run: &KnownRun) -> Self {
        match &run.end {
            End::Closed(closed) => match closed.receipt.value.outcome {
                Outcome::Complete => Self::Complete,
                Outcome::Degraded => Self::Degraded,
            },
            End::Unreadable(_) => Self::Unreadable,
            End::Failed(_) | End::Open(_) if run.superseded_by.is_some() => Self::Superseded,
            End::Failed(_) => Self::Failed,
            End::Open(_) => Self::Open,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "complete",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
            Self::Open => "open",
            Self::Superseded => "superseded",
            Self::Unreadable => "unreadable",
        })
    }
}

/// A run as one document; fields are only ever added.
#[derive(Clone, Debug, Serialize)]
pub struct RunDocument {
    /// The source bucket.
    pub source: String,
    /// The day that its snapshot stands for.
    pub backup_date: Date,
    /// The execution's name.
    pub execution_name: String,
    /// The execution's ARN, where a claim or a receipt has it.
    pub execution_arn: Option<String>,
    /// What came of it.
    pub state: State,
    /// The receipt's first line; null without one.
    pub headline: Option<String>,
    /// When the execution claimed the day first; null without a claim.
    pub claimed_at: Option<Timestamp>,
    /// The execution that has taken the day over.
    pub superseded_by: Option<String>,
    /// The stage of the last record of a run without receipt, and when that was written.
    pub last_record: Option<LastRecord>,
    /// Why the receipt cannot be read.
    pub problem: Option<String>,
    /// The counts of the receipt; null without one.
    pub counts: Option<Counts>,
}

/// The last that a run without receipt has left.
#[derive(Clone, Debug, Serialize)]
pub struct LastRecord {
    /// The stage that wrote it.
    pub stage: String,
    /// Its name below the run's folder.
    pub name: String,
    /// When.
    pub written: Timestamp,
}

/// What a receipt counts, as far as a line of it goes.
#[derive(Clone, Debug, Serialize)]
pub struct Counts {
    /// Tables in all.
    pub tables: u64,
    /// Those that are whole in their newest version.
    pub tables_whole: u64,
    /// Objects in the snapshot.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// From the execution's start to the receipt, in seconds.
    pub seconds: i64,
}

impl RunDocument {
    pub(crate) fn new(run: &KnownRun) -> Self {
        let receipt = run.receipt();
        let arn = run.claims.first().map(|claim| claim.execution_arn.clone());
        let last = match &run.end {
            End::Failed(record) | End::Open(Some(record)) => Some(record),
            _ => None,
        };
        Self {
            source: run.source.clone(),
            backup_date: run.backup_date,
            execution_name: run.execution_name.clone(),
            execution_arn: arn.or_else(|| receipt.map(|receipt| receipt.run.execution_arn.clone())),
            state: State::of(run),
            headline: receipt.map(|receipt| receipt.headline.clone()),
            claimed_at: run.claims.first().map(|claim| claim.claimed_at),
            superseded_by: run.superseded_by.clone(),
            last_record: last.map(|record| LastRecord {
                stage: record.stage().to_owned(),
                name: record.name.clone(),
                written: record.written,
            }),
            problem: match &run.end {
                End::Unreadable(why) => Some(why.clone()),
                _ => None,
            },
            counts: receipt.map(|receipt| Counts {
                tables: receipt.tables.tables.tables,
                tables_whole: receipt.tables.tables.verdicts.good(),
                objects: receipt.snapshot.objects,
                bytes: receipt.snapshot.bytes,
                seconds: receipt.run.closed.duration_since(receipt.run.started).as_secs(),
            }),
        }
    }
}

/// A sentence in lines that a screen has room for. Words stay whole, so that names and addresses can be copied.
pub(crate) fn folded(text: &str) -> String {
    let mut lines = Vec::<String>::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < WIDEST => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// What is known of a run without a receipt, in a sentence for a person.
pub(crate) fn whereabouts(run: &KnownRun) -> Option<String> {
    let at =
        |record: &levee_ledger::history::Record| format!("{} at {}", visible(&record.name), moment(record.written));
    let said = match &run.end {
        End::Closed(_) => return None,
        End::Unreadable(why) => visible(why).into_owned(),
        End::Failed(record) => format!("{} has failed: {}", visible(record.stage()), at(record)),
        End::Open(Some(record)) => format!("last record: {}", at(record)),
        End::Open(None) => "claimed, without a record yet".to_owned(),
    };
    Some(match &run.superseded_by {
        Some(other) => format!("{said}; taken over by {}", visible(other)),
        None => said,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn of(source: &str, execution: Option<&str>) -> RunName {
        let backup_date = jiff::civil::date(2026, 3, 31);
        RunName::Of { source: source.to_owned(), backup_date, execution: execution.map(str::to_owned) }
    }

    #[test]
    fn sentences_are_folded_between_words_and_addresses_stay_whole() {
        let address = format!("s3://ledger/{}", "x".repeat(90));
        let text = format!("{} {address} {}", "word ".repeat(30).trim_end(), "word ".repeat(3).trim_end());
        let folded = folded(&text);
        assert_eq!(folded.replace('\n', " "), text);
        let long: Vec<_> = folded.lines().filter(|line| line.len() > WIDEST).collect();
        assert_eq!((long, folded.lines().count()), (vec![address.as_str()], 4));
    }

    #[rstest]
    #[case::latest("latest", RunName::Latest)]
    #[case::day("lake/2026-03-31", of("lake", None))]
    #[case::slash_at_the_end("lake/2026-03-31/", of("lake", None))]
    #[case::execution("lake/2026-03-31/lake-1", of("lake", Some("lake-1")))]
    fn name_of_a_run_is_read(#[case] text: &str, #[case] name: RunName) {
        assert_eq!(text.parse(), Ok(name));
    }

    #[rstest]
    #[case::source_alone("lake", "names no run")]
    #[case::no_day("lake/2026-02-30", "is no day")]
    #[case::no_source("/2026-03-31", "names no run")]
    #[case::too_many("lake/2026-03-31/x/y", "names no run")]
    fn what_names_no_run_is_refused(#[case] text: &str, #[case] told: &str) {
        let read = text.parse::<RunName>();
        assert!(read.as_ref().is_err_and(|error| error.contains(told)), "{read:?}");
    }
}
