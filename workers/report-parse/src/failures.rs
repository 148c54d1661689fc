//! The failed rows of a run, streamed to lists and manifests in the ledger: what is gone, what is outstanding, what is retried.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use levee_formats::{KeySum, WriteError, batch_manifest::ManifestWriter};
use levee_ledger::{
    ArtefactWriter, Ledger,
    state::{FailureClass, ObjectPointer},
};
use levee_stage::StageError;

use crate::{
    DOES_NOT_RECONCILE,
    carried::Carried,
    keys::LOOKED_AT,
    lane::Lane,
    look::line,
    row::{FailedRow, Head},
};

/// The content type by which the ledger knows a manifest for Batch Operations, which must not be under KMS.
const CSV: &str = "text/csv";
pub(crate) const JSON_LINES: &str = "application/x-ndjson";
/// Outstanding rows that a cause names; all are counted.
const NAMED: usize = 10;

/// Sorts failed rows into the artefacts of an attempt. Memory holds one part of each.
pub(crate) struct Sorter {
    lane: Lane,
    vanished: List,
    outstanding: List,
    held: Rows,
    retried: Rows,
    counts: Counts,
}

/// What the rows come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The rows of this attempt by class.
    pub(crate) by_class: BTreeMap<FailureClass, u64>,
    /// The outstanding rows of all attempts by class.
    pub(crate) outstanding: BTreeMap<FailureClass, u64>,
    /// The first of those, for people.
    pub(crate) first: Vec<String>,
    /// Those of them that may be gone: the worker was not let look.
    pub(crate) unseen: u64,
    /// Key and version of the first that failed by a KMS key.
    pub(crate) first_by_key: Vec<(String, Option<String>)>,
}

/// The artefacts, finished. None of one without rows.
pub(crate) struct Sorted {
    pub(crate) counts: Counts,
    pub(crate) vanished: u64,
    pub(crate) vanished_list: Option<ObjectPointer>,
    pub(crate) failure_list: Option<ObjectPointer>,
    pub(crate) held: Option<ObjectPointer>,
    pub(crate) to_retry: u64,
    pub(crate) retry: Option<ObjectPointer>,
    /// The keys of the rows in `held` and in `retry`.
    pub(crate) held_keys: KeySum,
    pub(crate) retry_keys: KeySum,
}

impl Sorter {
    /// Sorts into `<stem>-vanished.jsonl`, `<stem>-failures.jsonl`, `<stem>-held.csv` and `<stem>-retry.csv`; nothing appears
    /// there before [`finish`](Self::finish).
    pub(crate) fn new(ledger: &Ledger, stem: &str, with_versions: bool, lane: Lane) -> Self {
        let list = |name: &str| List { writer: ledger.artefact(format!("{stem}-{name}.jsonl"), JSON_LINES), rows: 0 };
        let rows = |name: &str| Rows::new(ledger.artefact(format!("{stem}-{name}.csv"), CSV), with_versions);
        Self {
            lane,
            vanished: list("vanished"),
            outstanding: list("failures"),
            held: rows("held"),
            retried: rows("retry"),
            counts: Counts::default(),
        }
    }

    /// Takes over the rows that earlier attempts have left.
    ///
    /// # Errors
    /// A list is not what the record beside it says; AWS errors.
    pub(crate) async fn carry(&mut self, ledger: &Ledger, carried: &Carried) -> Result<(), StageError> {
        if let Some(list) = &carried.vanished_list {
            let mut lines = ledger.json_lines(&list.key).await?.ok_or_else(|| incomplete(&list.key))?;
            while let Some(row) = lines.next::<FailedRow>().await? {
                self.vanished.add(&row).await?;
            }
            check(&list.key, self.vanished.rows, carried.vanished)?;
        }
        if let Some(list) = &carried.failure_list {
            let mut lines = ledger.json_lines(&list.key).await?.ok_or_else(|| incomplete(&list.key))?;
            while let Some(row) = lines.next::<FailedRow>().await? {
                self.hold(&row).await?;
            }
            check(&list.key, self.outstanding.rows, carried.outstanding)?;
        }
        Ok(())
    }

    /// Takes one failed row of this attempt.
    ///
    /// # Errors
    /// It cannot be written to a manifest; AWS errors.
    pub(crate) async fn row(&mut self, row: &FailedRow) -> Result<(), StageError> {
        *self.counts.by_class.entry(row.class).or_default() += 1;
        if row.class == FailureClass::Vanished {
            self.vanished.add(row).await
        } else if self.lane.takes(row.class) {
            self.retried.add(row).await
        } else {
            self.hold(row).await
        }
    }

    async fn hold(&mut self, row: &FailedRow) -> Result<(), StageError> {
        *self.counts.outstanding.entry(row.class).or_default() += 1;
        self.counts.unseen += u64::from(row.head == Some(Head::Denied));
        if self.counts.first.len() < NAMED {
            self.counts.first.push(format!("{:?} ({})", row.key, row.class.name()));
        }
        if row.class == FailureClass::Key && self.counts.first_by_key.len() < LOOKED_AT {
            let version = row.version_id.clone().filter(|_| self.held.with_versions);
            self.counts.first_by_key.push((row.key.clone(), version));
        }
        self.held.add(row).await?;
        self.outstanding.add(row).await
    }

    /// Makes the artefacts appear.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn finish(self) -> Result<Sorted, StageError> {
        Ok(Sorted {
            counts: self.counts,
            vanished: self.vanished.rows,
            vanished_list: self.vanished.finish().await?,
            failure_list: self.outstanding.finish().await?,
            held_keys: self.held.keys,
            retry_keys: self.retried.keys,
            held: self.held.finish().await?,
            to_retry: self.retried.rows,
            retry: self.retried.finish().await?,
        })
    }

    /// Removes what was sent.
    pub(crate) async fn abort(self) {
        for writer in [self.vanished.writer, self.outstanding.writer, self.held.writer, self.retried.writer] {
            give_up(writer).await;
        }
    }
}

/// Removes what was sent of an artefact; what cannot be removed is left to the bucket's lifecycle rule.
pub(crate) async fn give_up(writer: ArtefactWriter) {
    if let Err(error) = writer.abort().await {
        tracing::warn!(%error, "an unfinished upload is left to the bucket's lifecycle rule");
    }
}

fn incomplete(key: &str) -> StageError {
    let cause =
        format!("the list {key} is gone that an earlier attempt has written; start a new execution for the date");
    StageError::permanent(DOES_NOT_RECONCILE, cause)
}

fn check(key: &str, rows: u64, recorded: u64) -> Result<(), StageError> {
    if rows == recorded {
        return Ok(());
    }
    let cause = format!(
        "the list {key} has {rows} rows, the record of its attempt says {recorded}. Look at who changes the ledger; then \
         start a new execution for the date."
    );
    Err(StageError::permanent(DOES_NOT_RECONCILE, cause))
}

/// A list of rows.
struct List {
    writer: ArtefactWriter,
    rows: u64,
}

impl List {
    async fn add(&mut self, row: &FailedRow) -> Result<(), StageError> {
        self.rows += 1;
        self.writer.write(&line(row)?).await
    }

    async fn finish(self) -> Result<Option<ObjectPointer>, StageError> {
        if self.rows == 0 {
            return Ok(None);
        }
        Ok(Some(self.writer.finish().await?.pointer))
    }
}

/// A manifest of rows.
struct Rows {
    writer: ArtefactWriter,
    piece: Piece,
    manifest: ManifestWriter<Piece>,
    with_versions: bool,
    rows: u64,
    keys: KeySum,
}

impl Rows {
    fn new(writer: ArtefactWriter, with_versions: bool) -> Self {
        let piece = Piece::default();
        Self {
            writer,
            manifest: ManifestWriter::new(piece.clone(), with_versions),
            piece,
            with_versions,
            rows: 0,
            keys: KeySum::default(),
        }
    }

    async fn add(&mut self, row: &FailedRow) -> Result<(), StageError> {
        self.rows += 1;
        self.keys.add(&row.key);
        let version = row.version_id.as_deref().filter(|_| self.with_versions);
        self.manifest.row(&row.bucket, row.key.as_bytes(), version).map_err(|error| refused(&error))?;
        self.writer.write(&self.piece.take()).await
    }

    async fn finish(self) -> Result<Option<ObjectPointer>, StageError> {
        if self.rows == 0 {
            return Ok(None);
        }
        Ok(Some(self.writer.finish().await?.pointer))
    }
}

fn refused(error: &WriteError) -> StageError {
    let cause = format!("a failed row of the report cannot be tried again: {error}. Report this with the report.");
    StageError::permanent(DOES_NOT_RECONCILE, cause)
}

/// The bytes that the manifest writer has made and the artefact has not taken yet.
#[derive(Clone, Default)]
struct Piece(Arc<Mutex<Vec<u8>>>);

impl Piece {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Piece {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
