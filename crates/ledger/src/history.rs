//! What the ledger knows of the runs of a source: found by listing folders, newest first, without reading what is not asked for.
//!
//! The days of a source are `runs/<source>/<yyyy-mm-dd>/`, so that their keys are in the order of time. Its restores are
//! `restores/<source>/<id>/`, whose ids are in no order.

use jiff::{Timestamp, civil::Date};
use levee_stage::{StageError, aws_error};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::{
    Claim, Ledger, Stored,
    receipt::{RECEIPT_VERSION, Receipt},
    restore::{RESTORE_RECEIPT_VERSION, RestoreReceipt},
    restore_prefix,
};

const RUNS: &str = "runs/";
const RESTORES: &str = "restores/";
const RECEIPT: &str = "receipt.json";

/// A run, as far as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRun {
    /// The source bucket.
    pub source: String,
    /// The day that its snapshot stands for.
    pub backup_date: Date,
    /// The execution's name.
    pub execution_name: String,
    /// Its claims of the day, oldest first. Empty when it has records and no claim, which no release of Levee writes.
    pub claims: Vec<Claim>,
    /// The execution that has taken the day over from it.
    pub superseded_by: Option<String>,
    /// What came of it.
    pub end: End,
}

/// What came of a run, as far as the ledger knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It has a receipt.
    Closed(Box<Closed>),
    /// It has no receipt, and its last record is that of a failure, which a redrive may mend.
    Failed(Record),
    /// It has no receipt: it is under way, or ended in a way that leaves no record. Its last record, where it has any.
    Open(Option<Record>),
    /// It has a receipt that this release cannot read: why.
    Unreadable(String),
}

/// A receipt and the digest of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The receipt, and where it is.
    pub receipt: Stored<Receipt>,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// An execution of a restore that has closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreEnd {
    /// The execution's name.
    pub execution_name: String,
    /// Its receipt, or why this release cannot read it.
    pub receipt: Result<RestoreReceipt, String>,
}

/// An object that a stage has written for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name below the run's folder, `04-job-poll-attempt-1.json`.
    pub name: String,
    /// When it was written.
    pub written: Timestamp,
    /// Its bytes.
    pub bytes: u64,
}

impl Record {
    /// The stage that wrote it: what stands between the number and the attempt, or the slice.
    #[must_use]
    pub fn stage(&self) -> &str {
        let name = self.name.split(['.', '/']).next().unwrap_or_default();
        let name = name.split_once('-').map_or(name, |(_, rest)| rest);
        let end = ["-attempt-", "-redrive-", "-slice"].iter().filter_map(|mark| name.find(mark)).min();
        end.and_then(|end| name.get(..end)).unwrap_or(name)
    }

    /// Whether it says that the stage has failed.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        ["-failed.json", "-incomplete.json"].iter().any(|end| self.name.ends_with(end))
    }
}

/// See [`Ledger::closed_runs`].
pub struct ClosedRuns<'a> {
    ledger: &'a Ledger,
    source: &'a str,
    days: std::vec::IntoIter<Date>,
    runs: std::vec::IntoIter<KnownRun>,
}

impl ClosedRuns<'_> {
    /// The next one; none after the last.
    ///
    /// # Errors
    /// As [`Ledger::runs_of`].
    pub async fn next(&mut self) -> Result<Option<Closed>, StageError> {
        loop {
            for run in self.runs.by_ref() {
                if let End::Closed(closed) = run.end {
                    return Ok(Some(*closed));
                }
            }
            let Some(day) = self.days.next() else { return Ok(None) };
            self.runs = self.ledger.runs_of(self.source, day).await?.into_iter();
        }
    }
}

/// A folder: what stands in it, and the folders in it.
#[derive(Default)]
struct Folder {
    objects: Vec<Record>,
    folders: Vec<String>,
}

impl Ledger {
    /// The sources that have runs, by name.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn sources(&self) -> Result<Vec<String>, StageError> {
        Ok(self.folder(RUNS).await?.folders)
    }

    /// The days of a source that have runs, newest first.
    ///
    /// # Errors
    /// AWS errors; `Levee.LedgerCorrupt` when a folder is not named after a day.
    pub async fn days(&self, source: &str) -> Result<Vec<Date>, StageError> {
        let prefix = format!("{RUNS}{source}/");
        let names = self.folder(&prefix).await?.folders;
        let day = |name: String| {
            name.parse::<Date>().ok().filter(|date| date.to_string() == name).ok_or_else(|| {
                let cause =
                    format!("{}{name}/ is not named after a day: look at who has made it.", self.place(&prefix));
                StageError::permanent("Levee.LedgerCorrupt", cause)
            })
        };
        let mut days: Vec<_> = names.into_iter().map(day).collect::<Result<_, _>>()?;
        days.reverse();
        Ok(days)
    }

    /// The runs of a day, the one that claimed it last first.
    ///
    /// # Errors
    /// AWS errors; `Levee.LedgerCorrupt` when a claim cannot be read.
    pub async fn runs_of(&self, source: &str, backup_date: Date) -> Result<Vec<KnownRun>, StageError> {
        let prefix = format!("{RUNS}{source}/{backup_date}/");
        let day = self.folder(&prefix).await?;
        let mut claims = Vec::new();
        let mut numbered: Vec<_> = day.objects.iter().map(|object| &object.name).collect();
        numbered.retain(|name| name.starts_with("claim-"));
        numbered.sort();
        for name in numbered {
            let key = format!("{prefix}{name}");
            claims.extend(self.read::<Claim>(&key).await?.map(|stored| stored.value));
        }
        let owner = claims.last().map(|claim| claim.execution_name.clone());
        // Of an execution that has claimed twice the later claim counts.
        let mut names: Vec<&str> = Vec::new();
        let claimed = claims.iter().rev().map(|claim| claim.execution_name.as_str());
        for name in claimed.chain(day.folders.iter().map(String::as_str)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut runs = Vec::new();
        for name in names {
            runs.push(KnownRun {
                source: source.to_owned(),
                backup_date,
                execution_name: name.to_owned(),
                claims: claims.iter().filter(|claim| claim.execution_name == name).cloned().collect(),
                superseded_by: owner.clone().filter(|owner| owner != name),
                end: self.end(&format!("{prefix}{name}/")).await?,
            });
        }
        Ok(runs)
    }

    /// The records of a run in the order in which they were written, without what stands in folders of its own.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn records_of(&self, run: &KnownRun) -> Result<Vec<Record>, StageError> {
        Ok(self.folder(&run.prefix()).await?.objects)
    }

    /// The closed runs of a source, or of one day of it, newest first. Each is read when it is asked for.
    ///
    /// # Errors
    /// As [`days`](Self::days).
    pub async fn closed_runs<'a>(&'a self, source: &'a str, day: Option<Date>) -> Result<ClosedRuns<'a>, StageError> {
        let days = match day {
            Some(day) => vec![day],
            None => self.days(source).await?,
        };
        Ok(ClosedRuns { ledger: self, source, days: days.into_iter(), runs: Vec::new().into_iter() })
    }

    /// The newest closed run of a source; none when none is closed. Days before it are not looked into.
    ///
    /// # Errors
    /// As [`runs_of`](Self::runs_of).
    pub async fn newest_closed(&self, source: &str) -> Result<Option<Closed>, StageError> {
        self.closed_runs(source, None).await?.next().await
    }

    /// The ids of the restores of a source, by name.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn restores(&self, source: &str) -> Result<Vec<String>, StageError> {
        Ok(self.folder(&format!("{RESTORES}{source}/")).await?.folders)
    }

    /// The receipts of the executions of a restore, by the execution's name. In the inner result: why this release cannot read one.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn restore_receipts(&self, source: &str, id: &str) -> Result<Vec<RestoreEnd>, StageError> {
        let prefix = restore_prefix(source, id);
        let mut receipts = Vec::new();
        for execution_name in self.folder(&prefix).await?.folders {
            let key = format!("{prefix}{execution_name}/{RECEIPT}");
            if let Some((bytes, _)) = self.get(&key).await? {
                let receipt = parsed(&bytes, &self.place(&key), RESTORE_RECEIPT_VERSION, |receipt: &RestoreReceipt| {
                    receipt.version
                });
                receipts.push(RestoreEnd { execution_name, receipt });
            }
        }
        Ok(receipts)
    }

    async fn end(&self, prefix: &str) -> Result<End, StageError> {
        let key = format!("{prefix}{RECEIPT}");
        if let Some((bytes, pointer)) = self.get(&key).await? {
            return Ok(match parsed(&bytes, &self.place(&key), RECEIPT_VERSION, |receipt: &Receipt| receipt.version) {
                Ok(value) => {
                    let sha256 = hex::encode(Sha256::digest(&bytes));
                    End::Closed(Box::new(Closed { receipt: Stored { value, pointer }, sha256 }))
                }
                Err(why) => End::Unreadable(why),
            });
        }
        // Lists stand beside the record that a stage writes last.
        let records = self.folder(prefix).await?.objects;
        let last = records.into_iter().rfind(|record| record.name.ends_with(".json"));
        Ok(match last {
            Some(record) if record.is_failure() => End::Failed(record),
            last => End::Open(last),
        })
    }

    /// The folders in a folder, by name.
    pub(crate) async fn folders(&self, prefix: &str) -> Result<Vec<String>, StageError> {
        Ok(self.folder(prefix).await?.folders)
    }

    /// What stands in a folder, in the order in which it was written, and the folders in it by name.
    async fn folder(&self, prefix: &str) -> Result<Folder, StageError> {
        let mut folder = Folder::default();
        let list = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).delimiter("/");
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws_error(&format!("ListObjectsV2 of {}", self.place(prefix)), error))?;
            let folders = page.common_prefixes.unwrap_or_default().into_iter().filter_map(|folder| folder.prefix);
            folder.folders.extend(
                folders.filter_map(|folder| Some(folder.strip_prefix(prefix)?.trim_end_matches('/').to_owned())),
            );
            folder.objects.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| {
                Some(Record {
                    name: object.key?.strip_prefix(prefix)?.to_owned(),
                    written: Timestamp::from_second(object.last_modified?.secs()).ok()?,
                    bytes: u64::try_from(object.size.unwrap_or(0)).unwrap_or(0),
                })
            }));
        }
        // Stable: what was written within a second stays in the order of the stages.
        folder.objects.sort_by_key(|object| object.written);
        Ok(folder)
    }
}

impl KnownRun {
    /// `runs/<source>/<yyyy-mm-dd>/<execution-name>/`.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{RUNS}{}/{}/{}/", self.source, self.backup_date, self.execution_name)
    }

    /// The receipt, if there is one that can be read.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match &self.end {
            End::Closed(closed) => Some(&closed.receipt.value),
            _ => None,
        }
    }
}

/// A receipt of the form `known`, or why it is none.
fn parsed<T: DeserializeOwned>(
    bytes: &[u8],
    place: &str,
    known: u32,
    version: impl Fn(&T) -> u32,
) -> Result<T, String> {
    let remedy =
        "read it with the release that wrote it, or look at the versions of the object and at who can write there";
    let receipt: T = serde_json::from_slice(bytes)
        .map_err(|error| format!("{place} is no receipt that this release can read: {error}; {remedy}"))?;
    match version(&receipt) {
        same if same == known => Ok(receipt),
        other => Err(format!("{place} has the form {other}, this release knows {known}; {remedy}")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("01-manifest-ready.json", "manifest-ready", false)]
    #[case::attempt("04-job-poll-attempt-12.json", "job-poll", false)]
    #[case::failed("04-job-poll-attempt-1-failed.json", "job-poll", true)]
    #[case::redrive("06-large-copy-redrive-0-incomplete.json", "large-copy", true)]
    #[case::list("05-report-parse-attempt-1-failures.jsonl", "report-parse", false)]
    #[case::slices("01-manifest-ready-slices.json", "manifest-ready", false)]
    #[case::slice("01-manifest-ready-slice-007-count.json", "manifest-ready", false)]
    #[case::receipt("receipt.json", "receipt", false)]
    #[case::nothing("", "", false)]
    fn name_of_a_record_says_its_stage_and_whether_it_failed(
        #[case] name: &str,
        #[case] stage: &str,
        #[case] failed: bool,
    ) {
        let record = Record { name: name.to_owned(), written: Timestamp::UNIX_EPOCH, bytes: 0 };
        assert_eq!((record.stage(), record.is_failure()), (stage, failed));
    }
}
