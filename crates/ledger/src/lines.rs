//! Lists of JSON lines, read a line at a time.

use std::pin::Pin;

use aws_sdk_s3::primitives::ByteStream;
use levee_stage::StageError;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use crate::{Ledger, records::corrupt};

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
