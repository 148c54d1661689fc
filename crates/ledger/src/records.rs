//! Records in the ledger bucket: written once, never changed.

use aws_sdk_s3::Client;
use levee_stage::StageError;
use serde::{Serialize, de::DeserializeOwned};

use crate::{ArtefactWriter, RunKey, state::ObjectPointer};

/// The ledger bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) s3: Client,
    pub(crate) bucket: String,
}

/// A value and where it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    /// The value, as stored.
    pub value: T,
    /// The object that holds it.
    pub pointer: ObjectPointer,
}

/// How a write-once ended. Both are success: the key now holds a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written<T> {
    /// This call wrote the record.
    Created(ObjectPointer),
    /// The key already had a record, which stays as it is; callers go on with the stored value.
    AlreadyThere(Stored<T>),
}

impl<T> Written<T> {
    /// The value that the ledger holds now: the stored one, or `mine` when this call wrote it.
    pub fn into_stored(self, mine: T) -> Stored<T> {
        match self {
            Self::Created(pointer) => Stored { value: mine, pointer },
            Self::AlreadyThere(stored) => stored,
        }
    }

    /// Where the record is.
    pub fn pointer(&self) -> &ObjectPointer {
        match self {
            Self::Created(pointer) => pointer,
            Self::AlreadyThere(stored) => &stored.pointer,
        }
    }
}

impl Ledger {
    /// The ledger in `bucket`.
    pub fn new(s3: Client, bucket: impl Into<String>) -> Self {
        Self { s3, bucket: bucket.into() }
    }

    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Writes a record unless the key has one (`If-None-Match: *`), as canonical JSON.
    ///
    /// # Errors
    /// AWS errors; `Levee.LedgerCorrupt` when the stored record does not parse as `T`.
    pub async fn write_once<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<Written<T>, StageError> {
        let _ = (key, value);
        todo!()
    }

    /// The record at a key, if there is one.
    ///
    /// # Errors
    /// AWS errors; `Levee.LedgerCorrupt` when the record does not parse as `T`.
    pub async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Stored<T>>, StageError> {
        let _ = key;
        todo!()
    }

    /// The keys of a run's records, in order.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn records(&self, run: &RunKey) -> Result<Vec<String>, StageError> {
        self.list(&run.prefix()).await
    }

    /// All keys with a prefix, in order.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StageError> {
        let _ = prefix;
        todo!()
    }

    /// Begins a large artefact (a failure list, a retry manifest) that is written in pieces and appears at the key, unless
    /// the key has an object already, when it is finished. Memory stays at one part of 8 MiB.
    #[must_use]
    pub fn artefact(&self, key: impl Into<String>, content_type: &'static str) -> ArtefactWriter {
        ArtefactWriter::new(self.clone(), key.into(), content_type)
    }
}
