//! Large artefacts, written in pieces.

use levee_stage::StageError;

use crate::{Ledger, state::ObjectPointer};

/// A finished artefact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artefact {
    /// The object.
    pub pointer: ObjectPointer,
    /// Whether this call wrote it; otherwise the key already had an object, which stays as it is.
    pub created: bool,
}

/// Writes one artefact. Nothing appears at the key before [`finish`](Self::finish). A writer that is dropped may leave an
/// unfinished multipart upload behind; [`abort`](Self::abort) removes it, as does the bucket's lifecycle rule.
pub struct ArtefactWriter {
    ledger: Ledger,
    key: String,
    content_type: &'static str,
    buffer: Vec<u8>,
}

impl ArtefactWriter {
    pub(crate) fn new(ledger: Ledger, key: String, content_type: &'static str) -> Self {
        Self { ledger, key, content_type, buffer: Vec::new() }
    }

    /// Adds bytes; sends a part when one is full.
    ///
    /// # Errors
    /// AWS errors; the artefact is then of no use: abort it.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StageError> {
        self.buffer.extend_from_slice(bytes);
        todo!()
    }

    /// Makes the artefact appear, unless the key has an object already.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn finish(self) -> Result<Artefact, StageError> {
        let _ = (&self.ledger, &self.key, self.content_type);
        todo!()
    }

    /// Gives up and removes what was sent.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn abort(self) -> Result<(), StageError> {
        todo!()
    }
}
