//! The lists of a restore in the ledger: what copy jobs are given, what is copied part by part, and what is thawed first.

use std::collections::BTreeMap;

use levee_formats::{WriteError, batch_manifest::ManifestWriter};
use levee_ledger::{
    ArtefactWriter, Ledger,
    restore::{RestorePlan, TableToRestore},
    state::{
        Amount, COPY_LIMIT_BYTES, Decision, JobManifest, JobManifestKind, LargeRow, Manifest, ObjectPointer, Plan,
        PlannedList, PlannedRestore, Restoration,
    },
};
use levee_restore::{Found, Objects, ToCopy};
use levee_stage::StageError;
use levee_tables::prefix;

/// Rows that are made into bytes at a time.
const ROWS: usize = 1_000;
const CSV: &str = "text/csv";
const JSON_LINES: &str = "application/x-ndjson";

/// A list that appears once it has rows and is finished.
struct List {
    key: String,
    content_type: &'static str,
    writer: Option<ArtefactWriter>,
    amount: Amount,
}

impl List {
    fn new(key: String, content_type: &'static str) -> Self {
        Self { key, content_type, writer: None, amount: Amount::default() }
    }

    async fn write(&mut self, ledger: &Ledger, bytes: &[u8], amount: Amount) -> Result<(), StageError> {
        let writer = self.writer.get_or_insert_with(|| ledger.artefact(self.key.clone(), self.content_type));
        self.amount.add(amount);
        writer.write(bytes).await
    }

    async fn finish(self) -> Result<Option<ObjectPointer>, StageError> {
        match self.writer {
            Some(writer) => Ok(Some(writer.finish().await?.pointer)),
            None => Ok(None),
        }
    }

    async fn abort(self) {
        if let Some(writer) = self.writer
            && let Err(error) = writer.abort().await
        {
            tracing::warn!(%error, key = self.key, "an unfinished upload is left to the bucket's lifecycle rule");
        }
    }
}

/// The lists, being written. Memory is one part of each.
pub(crate) struct Lists {
    ledger: Ledger,
    snapshot: String,
    batch: List,
    large: List,
    thaw: List,
    thawed: List,
    archived: Amount,
    /// Objects of prefixes that are not in the lists yet.
    pending: Vec<ToCopy>,
}

impl Lists {
    /// Lists below `place`, of objects of the bucket `snapshot`.
    pub(crate) fn new(ledger: &Ledger, place: String, snapshot: &str) -> Self {
        let list = |name: &str, content_type| List::new(format!("{place}plan-{name}"), content_type);
        Self {
            ledger: ledger.clone(),
            snapshot: snapshot.to_owned(),
            batch: list("batch.csv", CSV),
            large: list("large.jsonl", JSON_LINES),
            thaw: list("thaw.csv", CSV),
            thawed: list("thawed.csv", CSV),
            archived: Amount::default(),
            pending: Vec::new(),
        }
    }

    /// Adds what is copied of a table.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn table(&mut self, table: &TableToRestore, objects: &Objects) -> Result<(), StageError> {
        let below = prefix(&table.path);
        for objects in objects.copy.chunks(ROWS) {
            self.rows(&below, objects).await?;
        }
        Ok(())
    }

    /// Adds an object of a prefix.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn object(&mut self, found: Found) -> Result<(), StageError> {
        self.pending.push(ToCopy { path: found.key, size: found.size, archived: found.archived });
        if self.pending.len() >= ROWS { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), StageError> {
        let pending = std::mem::take(&mut self.pending);
        self.rows("", &pending).await
    }

    async fn rows(&mut self, below: &str, objects: &[ToCopy]) -> Result<(), StageError> {
        let is_large = |object: &&ToCopy| object.size > COPY_LIMIT_BYTES;
        let of = |wanted: &dyn Fn(&&ToCopy) -> bool| objects.iter().filter(wanted).collect::<Vec<_>>();
        let (ledger, snapshot) = (self.ledger.clone(), self.snapshot.clone());
        let csv = |objects: &[&ToCopy]| csv(&snapshot, below, objects);
        for (list, rows) in [
            (&mut self.batch, of(&|object| !object.archived && !is_large(object))),
            (&mut self.thaw, of(&|object| object.archived)),
            (&mut self.thawed, of(&|object| object.archived && !is_large(object))),
        ] {
            if !rows.is_empty() {
                list.write(&ledger, &csv(&rows)?, amount(&rows)).await?;
            }
        }
        self.archived.add(amount(&of(&|object| object.archived)));
        let large = of(&is_large);
        if !large.is_empty() {
            self.large.write(&ledger, &lines(below, &large)?, amount(&large)).await?;
        }
        Ok(())
    }

    /// Makes the lists appear; what the stages after this one work by.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn finish(
        mut self,
        plan: &RestorePlan,
        restore: &Restoration,
        backup_date: jiff::civil::Date,
    ) -> Result<Manifest, StageError> {
        self.flush().await?;
        let large = self.large.amount;
        let mut decisions = BTreeMap::from([
            (Decision::Batch, self.batch.amount),
            (Decision::Large, large),
            (Decision::Restore, self.thawed.amount),
        ]);
        decisions.retain(|_, amount| amount.rows > 0);
        let mut all = Amount::default();
        decisions.values().for_each(|amount| all.add(*amount));
        let manifest = |pointer: Option<ObjectPointer>, rows| {
            pointer.map(|pointer| JobManifest { kind: JobManifestKind::Csv, pointer, rows, keys: None })
        };
        let (batch_rows, thaw_rows, thawed_rows) =
            (self.batch.amount.rows, self.thaw.amount.rows, self.thawed.amount.rows);
        let archived = PlannedRestore {
            restore: manifest(self.thaw.finish().await?, thaw_rows),
            tiered: None,
            copy: manifest(self.thawed.finish().await?, thawed_rows),
            amount: self.archived,
        };
        let planned = Plan {
            summary: restore.plan.clone(),
            decisions,
            batch: manifest(self.batch.finish().await?, batch_rows),
            large: self.large.finish().await?.map(|pointer| PlannedList { pointer, amount: large }),
            restore: Some(archived).filter(|archived| archived.amount.rows > 0),
            skipped: None,
        };
        Ok(Manifest {
            backup_date,
            pointer: restore.plan.clone(),
            scan_started: plan.made,
            schema: Vec::new(),
            files: 1,
            objects: all.rows,
            bytes: Some(all.bytes),
            too_large: Some(large.rows),
            archived: Some(self.archived.rows),
            keys: None,
            plan: Some(planned),
        })
    }

    /// Gives the lists up.
    pub(crate) async fn abort(self) {
        for list in [self.batch, self.large, self.thaw, self.thawed] {
            list.abort().await;
        }
    }
}

fn amount(objects: &[&ToCopy]) -> Amount {
    let bytes = objects.iter().map(|object| object.size).fold(0, u64::saturating_add);
    Amount { rows: objects.len() as u64, bytes }
}

fn csv(snapshot: &str, below: &str, objects: &[&ToCopy]) -> Result<Vec<u8>, StageError> {
    let mut csv = ManifestWriter::new(Vec::new(), false);
    for object in objects {
        csv.row(snapshot, format!("{below}{}", object.path).as_bytes(), None).map_err(|error| refused(&error))?;
    }
    Ok(csv.finish().map_err(|error| refused(&error))?.writer)
}

fn lines(below: &str, objects: &[&ToCopy]) -> Result<Vec<u8>, StageError> {
    let mut bytes = Vec::new();
    for object in objects {
        let row = LargeRow { key: format!("{below}{}", object.path), size: object.size, etag: None };
        serde_json::to_writer(&mut bytes, &row).map_err(|error| {
            StageError::permanent(StageError::OUTPUT_INVALID, format!("a row of the plan is no JSON: {error}"))
        })?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn refused(error: &WriteError) -> StageError {
    StageError::permanent(StageError::OUTPUT_INVALID, format!("a key fits no manifest: {error}"))
}
