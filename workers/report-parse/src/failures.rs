//! The failed rows of a report, streamed to two artefacts in the ledger: the list of failures and the manifest of a retry.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use levee_formats::{WriteError, batch_manifest::ManifestWriter, report::Row};
use levee_ledger::{ArtefactWriter, Ledger, state::FailureClass, state::ObjectPointer};
use levee_stage::StageError;
use serde_json::json;

use crate::{DOES_NOT_RECONCILE, tally::class_name};

/// The content type by which the ledger knows a manifest for Batch Operations, which must not be under KMS.
const CSV: &str = "text/csv";
const JSON_LINES: &str = "application/x-ndjson";

/// Takes failed rows and writes both artefacts. Memory holds one piece of the report and one part of each artefact.
pub(crate) struct Failures {
    list: ArtefactWriter,
    retry: ArtefactWriter,
    list_piece: Vec<u8>,
    retry_piece: Piece,
    manifest: ManifestWriter<Piece>,
    with_versions: bool,
    refused: Option<WriteError>,
}

/// Both artefacts, finished.
pub(crate) struct Written {
    pub(crate) list: ObjectPointer,
    pub(crate) retry: ObjectPointer,
}

impl Failures {
    /// Writers to `<stem>-failures.jsonl` and `<stem>-retry.csv`; nothing appears there before [`finish`](Self::finish).
    pub(crate) fn new(ledger: &Ledger, stem: &str, with_versions: bool) -> Self {
        let retry_piece = Piece::default();
        Self {
            list: ledger.artefact(format!("{stem}-failures.jsonl"), JSON_LINES),
            retry: ledger.artefact(format!("{stem}-retry.csv"), CSV),
            list_piece: Vec::new(),
            manifest: ManifestWriter::new(retry_piece.clone(), with_versions),
            retry_piece,
            with_versions,
            refused: None,
        }
    }

    /// Takes one row.
    pub(crate) fn row(&mut self, row: &Row<'_>, class: FailureClass) {
        let line = json!({
            "bucket": row.bucket,
            "key": row.key,
            "version_id": row.version_id,
            "class": class_name(class),
            "http_status": row.http_status,
            "error_code": row.error_code,
            "message": row.message,
        });
        self.list_piece.extend_from_slice(line.to_string().as_bytes());
        self.list_piece.push(b'\n');
        let version = row.version_id.as_deref().filter(|_| self.with_versions);
        if let Err(error) = self.manifest.row(&row.bucket, row.key.as_bytes(), version) {
            self.refused.get_or_insert(error);
        }
    }

    /// Sends on what was taken so far.
    ///
    /// # Errors
    /// A row cannot be written to a manifest; AWS errors.
    pub(crate) async fn flush(&mut self) -> Result<(), StageError> {
        if let Some(error) = &self.refused {
            let cause =
                format!("a failed row of the report cannot be tried again: {error}. Report this with the report.");
            return Err(StageError::permanent(DOES_NOT_RECONCILE, cause));
        }
        self.list.write(&std::mem::take(&mut self.list_piece)).await?;
        self.retry.write(&self.retry_piece.take()).await
    }

    /// Makes both artefacts appear.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn finish(mut self) -> Result<Written, StageError> {
        self.flush().await?;
        Ok(Written { list: self.list.finish().await?.pointer, retry: self.retry.finish().await?.pointer })
    }

    /// Removes what was sent; what cannot be removed is left to the bucket's lifecycle rule.
    pub(crate) async fn abort(self) {
        for writer in [self.list, self.retry] {
            if let Err(error) = writer.abort().await {
                tracing::warn!(%error, "an unfinished upload is left to the bucket's lifecycle rule");
            }
        }
    }
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
