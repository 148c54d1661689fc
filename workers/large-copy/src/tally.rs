//! What the objects of one pass over the list came to: counts, and lists in the ledger.

use std::collections::BTreeMap;

use levee_ledger::{
    ArtefactWriter, Ledger, RunKey,
    state::{FailureClass, LargeCopied, LargeFailure, LargeRow, ObjectPointer},
};
use levee_parts::End;
use levee_stage::StageError;
use serde::Serialize;

const JSON_LINES: &str = "application/x-ndjson";
/// What the names of the lists begin with. The number behind it counts passes: whoever goes over the objects again, because a
/// worker died or a redrive asks for it, may find other failures, and writes lists of its own.
const PASS: &str = "06-large-copy-pass-";
/// Failures that a cause names; all are counted.
const NAMED: usize = 10;
/// The most characters of what is said of each: causes and events have limits.
const SAID: usize = 400;

/// The counts of a pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) copied: u64,
    pub(crate) bytes: u64,
    pub(crate) parts: u64,
    pub(crate) changed: u64,
    pub(crate) vanished: u64,
    pub(crate) failed: BTreeMap<FailureClass, u64>,
    /// The first failures, for people.
    pub(crate) first: Vec<String>,
    /// The calls that were refused, by name.
    pub(crate) operations: BTreeMap<String, u64>,
}

impl Counts {
    /// Objects that were not copied.
    pub(crate) fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Those that another try may mend.
    pub(crate) fn passing(&self) -> u64 {
        self.failed.get(&FailureClass::Throttled).copied().unwrap_or_default()
    }

    fn end(&mut self, end: &End) {
        match end {
            End::Copied(copy) => {
                self.copied += 1;
                self.bytes = self.bytes.saturating_add(copy.size);
                self.parts = self.parts.saturating_add(copy.parts);
                self.changed += u64::from(copy.changed);
            }
            End::Vanished(_) => self.vanished += 1,
        }
    }

    fn failure(&mut self, failure: &LargeFailure) {
        *self.failed.entry(failure.class).or_default() += 1;
        if let Some(operation) = &failure.operation {
            *self.operations.entry(operation.clone()).or_default() += 1;
        }
        if self.first.len() < NAMED {
            let why = failure.message.as_deref().or(failure.error_code.as_deref()).unwrap_or("no message");
            let why: String = why.chars().take(SAID).collect();
            let operation = failure.operation.as_deref().map(|operation| format!(", {operation}")).unwrap_or_default();
            self.first.push(format!("{:?} ({}{operation}: {why})", failure.key, failure.class.name()));
        }
    }
}

/// Takes the objects of a pass as they come to their ends. Memory holds one part of each list.
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    copied: List,
    vanished: List,
    failures: List,
}

impl Tally {
    /// A tally with the lists of the next pass; nothing appears there before [`finish`](Self::finish).
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn new(ledger: &Ledger, run: &RunKey) -> Result<Self, StageError> {
        let prefix = run.record(PASS);
        let numbers = ledger.list(&prefix).await?;
        let numbers =
            numbers.iter().filter_map(|key| key.strip_prefix(&prefix)?.split_once('-')?.0.parse::<u32>().ok());
        let pass = numbers.max().unwrap_or_default().saturating_add(1);
        let list =
            |name: &str| List { writer: ledger.artefact(format!("{prefix}{pass}-{name}.jsonl"), JSON_LINES), rows: 0 };
        let (copied, vanished, failures) = (list("copied"), list("vanished"), list("failures"));
        Ok(Self { counts: Counts::default(), copied, vanished, failures })
    }

    /// Takes an object that came to its end.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn end(&mut self, end: &End) -> Result<(), StageError> {
        self.counts.end(end);
        match end {
            End::Copied(copy) => self.copied.add(copy).await,
            End::Vanished(vanished) => self.vanished.add(vanished).await,
        }
    }

    /// Takes an object that was not copied.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn failure(&mut self, failure: &LargeFailure) -> Result<(), StageError> {
        self.counts.failure(failure);
        self.failures.add(failure).await
    }

    /// Makes the lists of the ends appear, when all objects came to one.
    ///
    /// # Errors
    /// Another worker has finished the same pass; AWS errors.
    pub(crate) async fn finish(self, objects: u64) -> Result<LargeCopied, StageError> {
        let counts = self.counts;
        Ok(LargeCopied {
            objects,
            copied: counts.copied,
            bytes: counts.bytes,
            parts: counts.parts,
            changed: counts.changed,
            vanished: counts.vanished,
            copied_list: self.copied.finish().await?,
            vanished_list: self.vanished.finish().await?,
        })
    }

    /// Makes the list of failures appear.
    ///
    /// # Errors
    /// Another worker has finished the same pass; AWS errors.
    pub(crate) async fn finish_failures(self) -> Result<(Counts, Option<ObjectPointer>), StageError> {
        for list in [self.copied, self.vanished] {
            give_up(list.writer).await;
        }
        Ok((self.counts, self.failures.finish().await?))
    }

    /// Removes what was sent of the lists.
    pub(crate) async fn abort(self) -> Counts {
        for list in [self.copied, self.vanished, self.failures] {
            give_up(list.writer).await;
        }
        self.counts
    }
}

/// Adds the row's key to a cause.
pub(crate) fn named(row: &LargeRow, error: StageError) -> StageError {
    StageError { cause: format!("copying {:?}: {}", row.key, error.cause), ..error }
}

async fn give_up(writer: ArtefactWriter) {
    if let Err(error) = writer.abort().await {
        tracing::warn!(%error, "an unfinished upload is left to the ledger's lifecycle rule");
    }
}

struct List {
    writer: ArtefactWriter,
    rows: u64,
}

impl List {
    async fn add(&mut self, row: &impl Serialize) -> Result<(), StageError> {
        self.rows += 1;
        let mut line = serde_json::to_vec(row)
            .map_err(|error| StageError::permanent(StageError::OUTPUT_INVALID, format!("a row is no JSON: {error}")))?;
        line.push(b'\n');
        self.writer.write(&line).await
    }

    /// Makes the list appear, if it has rows.
    async fn finish(self) -> Result<Option<ObjectPointer>, StageError> {
        if self.rows == 0 {
            return Ok(None);
        }
        let written = self.writer.finish().await?;
        if written.created {
            return Ok(Some(written.pointer));
        }
        let cause = format!(
            "another worker has finished with the same objects and written {} first; the stage is done again, which copies \
             nothing twice",
            written.pointer.key
        );
        Err(StageError::transient(StageError::AWS_UNAVAILABLE, cause))
    }
}
