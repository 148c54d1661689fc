//! Writes one object of a plan, and makes sure that the ledger has these bytes, whoever wrote them.

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use levee_formats::inventory::{DataWriter, Record, Schema};
use levee_ledger::{ArtefactWriter, Ledger, state::ObjectPointer};
use levee_stage::StageError;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

/// The content types by which the ledger knows what it keeps. None of them is that of a manifest that must not be under KMS:
/// inventory-format manifests may be (Amazon S3 User Guide, "Specifying a manifest for a Batch Operations job").
pub(crate) const JSON: &str = "application/json";
pub(crate) const GZIP: &str = "application/gzip";
pub(crate) const JSON_LINES: &str = "application/x-ndjson";
pub(crate) const TEXT: &str = "text/plain";

/// An object of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// Its key in the ledger bucket.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Their MD5 in hexadecimal.
    pub md5: String,
    /// The objects that it names.
    pub rows: u64,
}

/// The size and the MD5 of what passes by.
#[derive(Default)]
struct Passed {
    size: u64,
    md5: Md5,
}

impl Passed {
    fn add(&mut self, bytes: &[u8]) {
        self.size = self.size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.md5.update(bytes);
    }

    fn end(self) -> (u64, String) {
        (self.size, hex::encode(self.md5.finalize()))
    }
}

/// An object of the ledger that is read in pieces.
pub(crate) struct Reading {
    place: String,
    body: ByteStream,
    passed: Passed,
}

impl Reading {
    /// None when the object is not there.
    pub(crate) async fn open(ledger: &Ledger, key: &str) -> Result<Option<Self>, StageError> {
        let place = place(ledger, key);
        Ok(ledger.bytes(key).await?.map(|body| Self { place, body, passed: Passed::default() }))
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, StageError> {
        let piece = self.body.next().await.transpose().map_err(|error| broken_off(&self.place, &error))?;
        piece.iter().for_each(|piece| self.passed.add(piece));
        Ok(piece)
    }

    /// The size of what was read, and its MD5 in hexadecimal.
    pub(crate) fn end(self) -> (u64, String) {
        self.passed.end()
    }
}

/// An object of the ledger as messages name it.
pub(crate) fn place(ledger: &Ledger, key: &str) -> String {
    format!("s3://{}/{key}", ledger.bucket())
}

fn broken_off(place: &str, problem: &dyn std::fmt::Display) -> StageError {
    let cause = format!("reading {place} broke off: {problem}; it is tried again");
    StageError::transient(StageError::AWS_UNAVAILABLE, cause)
}

/// An object that is written in pieces.
pub(crate) struct Writer {
    ledger: Ledger,
    key: String,
    artefact: ArtefactWriter,
    passed: Passed,
}

impl Writer {
    pub(crate) fn new(ledger: &Ledger, key: String, content_type: &'static str) -> Self {
        let artefact = ledger.artefact(key.clone(), content_type);
        Self { ledger: ledger.clone(), key, artefact, passed: Passed::default() }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), StageError> {
        self.passed.add(bytes);
        self.artefact.write(bytes).await
    }

    /// Makes the object appear. One that is there already, because somebody has done this before, must have the same bytes.
    pub(crate) async fn finish(self, rows: u64) -> Result<(PlannedFile, ObjectPointer), StageError> {
        let (size, md5) = self.passed.end();
        let artefact = self.artefact.finish().await?;
        if !artefact.created {
            let there = digest(&self.ledger, &self.key).await?;
            if there != (size, md5.clone()) {
                return Err(differs(&artefact.pointer));
            }
        }
        Ok((PlannedFile { key: self.key, size, md5, rows }, artefact.pointer))
    }

    pub(crate) async fn abort(self) {
        if let Err(error) = self.artefact.abort().await {
            tracing::warn!(%error, key = self.key, "an unfinished upload is left to the bucket's lifecycle rule");
        }
    }
}

/// Writes a small object at once.
pub(crate) async fn put(
    ledger: &Ledger,
    key: String,
    content_type: &'static str,
    bytes: &[u8],
    rows: u64,
) -> Result<(PlannedFile, ObjectPointer), StageError> {
    let mut writer = Writer::new(ledger, key, content_type);
    writer.write(bytes).await?;
    writer.finish(rows).await
}

async fn digest(ledger: &Ledger, key: &str) -> Result<(u64, String), StageError> {
    let reading = Reading::open(ledger, key).await?;
    let mut reading = reading.ok_or_else(|| broken_off(&place(ledger, key), &"it is gone"))?;
    while reading.next().await?.is_some() {}
    Ok(reading.end())
}

fn differs(pointer: &ObjectPointer) -> StageError {
    let cause = format!(
        "s3://{}/{} is there already and is not what this release writes for the same inventory and settings. The ledger is \
         never overwritten: finish the date with the release that wrote it, or remove the plan's folder with the rights of the \
         break-glass principal and start a new execution.",
        pointer.bucket, pointer.key
    );
    StageError::permanent("Levee.LedgerCorrupt", cause)
}

/// A data file of a manifest that is opened with its first row.
pub(crate) struct DataFile {
    ledger: Ledger,
    key: String,
    open: Option<Open>,
}

struct Open {
    writer: Writer,
    rows: DataWriter<Vec<u8>>,
}

impl DataFile {
    pub(crate) fn new(ledger: &Ledger, key: String) -> Self {
        Self { ledger: ledger.clone(), key, open: None }
    }

    pub(crate) fn row(&mut self, schema: &Schema, record: &Record<'_>) -> Result<(), StageError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let rows = DataWriter::batch_manifest(Vec::new(), schema).map_err(|error| refused(&error))?;
                Open { writer: Writer::new(&self.ledger, self.key.clone(), GZIP), rows }
            }
        };
        self.open.insert(open).rows.row(record).map_err(|error| refused(&error))
    }

    /// Sends on what is compressed so far.
    pub(crate) async fn flush(&mut self) -> Result<(), StageError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let bytes = std::mem::take(open.rows.writer());
        open.writer.write(&bytes).await
    }

    /// None of a file without rows.
    pub(crate) async fn finish(self) -> Result<Option<PlannedFile>, StageError> {
        let Some(Open { mut writer, rows }) = self.open else { return Ok(None) };
        let written = rows.finish().map_err(|error| refused(&error))?;
        writer.write(&written.writer).await?;
        writer.finish(written.rows).await.map(|(file, _)| Some(file))
    }

    pub(crate) async fn abort(self) {
        if let Some(open) = self.open {
            open.writer.abort().await;
        }
    }
}

fn refused(error: &dyn std::fmt::Display) -> StageError {
    let cause =
        format!("a row of the inventory cannot be written to a manifest: {error}. Report this with the inventory.");
    StageError::permanent(StageError::OUTPUT_INVALID, cause)
}
