//! Lists of JSON lines, read a line at a time.

use std::pin::Pin;

use aws_sdk_s3::primitives::ByteStream;
use levee_stage::{StageError, aws_error};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use crate::{Ledger, records::corrupt, state::PlannedList};

/// What one request for a planned list asks for, in bytes.
const PIECE: u64 = 1024 * 1024;

/// Reads an artefact of JSON lines. Memory holds one line and what has arrived of the object.
pub struct JsonLines {
    place: String,
    body: Pin<Box<dyn AsyncBufRead + Send>>,
    line: Vec<u8>,
}

impl JsonLines {
    pub(crate) fn new(place: String, body: ByteStream) -> Self {
        Self { place, body: Box::pin(body.into_async_read()), line: Vec::new() }
    }

    /// The next line; none at the end.
    ///
    /// # Errors
    /// The object broke off; `Levee.LedgerCorrupt` when the line does not parse as `T`.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StageError> {
        self.line.clear();
        let read = self.body.read_until(b'\n', &mut self.line).await;
        let read = read.map_err(|error| {
            let cause = format!("reading {} broke off: {error}; it is tried again", self.place);
            StageError::transient(StageError::AWS_UNAVAILABLE, cause)
        })?;
        if read == 0 {
            return Ok(None);
        }
        serde_json::from_slice(&self.line).map(Some).map_err(|error| corrupt(&self.place, &error))
    }
}

impl Ledger {
    /// The list of JSON lines at a key, if there is one.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn json_lines(&self, key: &str) -> Result<Option<JsonLines>, StageError> {
        let opened = self.open(key).await?;
        Ok(opened.map(|output| JsonLines::new(self.place(key), output.body)))
    }
}

/// Reads a list of a plan, one request for each piece: a reader that works for hours on each row would not keep the body of a
/// single request alive. Memory holds one piece and one line.
pub struct PlannedRows {
    ledger: Ledger,
    list: PlannedList,
    piece: Vec<u8>,
    /// Where the next line begins in `piece`.
    at: usize,
    /// Bytes of the object that were asked for so far.
    asked: u64,
    /// Bytes of the object, once it is known.
    length: Option<u64>,
    rows: u64,
}

impl PlannedRows {
    /// The next row; none at the end.
    ///
    /// # Errors
    /// AWS errors; `Levee.LedgerCorrupt` when the list is not the one that was planned, has another number of rows, or a row
    /// does not parse as `T`.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StageError> {
        loop {
            let rest = self.piece.get(self.at..).unwrap_or_default();
            let whole = self.length.is_some_and(|length| self.asked >= length);
            let end = rest.iter().position(|byte| *byte == b'\n').or((whole && !rest.is_empty()).then_some(rest.len()));
            if let Some(end) = end {
                let line = rest.get(..end).unwrap_or_default();
                let row = serde_json::from_slice(line).map_err(|error| corrupt(&self.place(), &error))?;
                self.at = self.at.saturating_add(end).saturating_add(1);
                self.rows += 1;
                return Ok(Some(row));
            }
            if whole {
                return self.check().map(|()| None);
            }
            self.fetch().await?;
        }
    }

    async fn fetch(&mut self) -> Result<(), StageError> {
        let range = format!("bytes={}-{}", self.asked, self.asked.saturating_add(PIECE - 1));
        let (pointer, place) = (&self.list.pointer, self.place());
        let get = self.ledger.s3.get_object().bucket(&pointer.bucket).key(&pointer.key).range(range);
        let got = get.if_match(format!("\"{}\"", pointer.etag)).send().await;
        let got = got.map_err(|error| aws_error(&format!("GetObject of {place}"), error))?;
        let told = got.content_range().and_then(|range| range.rsplit_once('/')?.1.parse().ok());
        let length: u64 = told.ok_or_else(|| {
            let cause = format!("GetObject of {place} answered without the object's length");
            StageError::transient(StageError::AWS_UNAVAILABLE, cause)
        })?;
        let bytes = got.body.collect().await.map_err(|error| {
            let cause = format!("reading {place} broke off: {error}; it is tried again");
            StageError::transient(StageError::AWS_UNAVAILABLE, cause)
        })?;
        self.piece.drain(..self.at.min(self.piece.len()));
        self.at = 0;
        self.piece.extend_from_slice(&bytes.into_bytes());
        self.asked = self.asked.saturating_add(PIECE);
        self.length = Some(length);
        Ok(())
    }

    fn check(&self) -> Result<(), StageError> {
        let planned = self.list.amount.rows;
        if self.rows == planned {
            return Ok(());
        }
        let cause = format!(
            "the list {} has {} rows, the plan of the run says {planned}. Look at who changes the ledger; then start a new \
             execution for the date.",
            self.place(),
            self.rows
        );
        Err(StageError::permanent("Levee.LedgerCorrupt", cause))
    }

    fn place(&self) -> String {
        format!("s3://{}/{}", self.list.pointer.bucket, self.list.pointer.key)
    }
}

impl Ledger {
    /// The rows of a list that a plan points to.
    #[must_use]
    pub fn planned_rows(&self, list: &PlannedList) -> PlannedRows {
        let (ledger, list) = (self.clone(), list.clone());
        PlannedRows { ledger, list, piece: Vec::new(), at: 0, asked: 0, length: None, rows: 0 }
    }
}
