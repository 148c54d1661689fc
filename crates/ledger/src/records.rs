//! Records in the ledger bucket: written once, never changed.

use aws_sdk_s3::{Client, operation::get_object::GetObjectOutput, primitives::ByteStream, types::ServerSideEncryption};
use bytes::Bytes;
use levee_stage::{
    StageError,
    aws::{error_code, is_taken},
    aws_error,
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{ArtefactWriter, RunKey, canonical_json, part::PartBuffers, state::ObjectPointer};

/// The ledger bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) s3: Client,
    pub(crate) bucket: String,
    pub(crate) parts: PartBuffers,
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

/// The encryption that an object of a content type must have whatever the bucket's default is: Batch Operations refuses a
/// CSV manifest under KMS.
pub(crate) fn encryption_of(content_type: &str) -> Option<ServerSideEncryption> {
    (content_type == "text/csv").then_some(ServerSideEncryption::Aes256)
}

impl Ledger {
    /// The ledger in `bucket`.
    pub fn new(s3: Client, bucket: impl Into<String>) -> Self {
        Self { s3, bucket: bucket.into(), parts: PartBuffers::default() }
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
        let bytes = canonical_json(value).map_err(|error| {
            StageError::permanent(StageError::OUTPUT_INVALID, format!("the record {key} is no JSON: {error}"))
        })?;
        loop {
            if let Some(pointer) = self.put_new(key, bytes.clone(), "application/json").await? {
                return Ok(Written::Created(pointer));
            }
            // The record may be gone again only by an operator's hand; then it is written after all.
            if let Some(stored) = self.read(key).await? {
                return Ok(Written::AlreadyThere(stored));
            }
        }
    }

    /// The record at a key, if there is one.
    ///
    /// # Errors
    /// AWS errors; `Levee.LedgerCorrupt` when the record does not parse as `T`.
    pub async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Stored<T>>, StageError> {
        let Some((bytes, pointer)) = self.get(key).await? else { return Ok(None) };
        let value = serde_json::from_slice(&bytes).map_err(|error| corrupt(&self.place(key), &error))?;
        Ok(Some(Stored { value, pointer }))
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
        let mut keys = Vec::new();
        let mut pages = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws_error(&format!("ListObjectsV2 of {}", self.place(prefix)), error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        Ok(keys)
    }

    /// Begins a large artefact (a failure list, a retry manifest) that is written in pieces and appears at the key, unless
    /// the key has an object already, when it is finished. Memory stays at one part of 8 MiB.
    #[must_use]
    pub fn artefact(&self, key: impl Into<String>, content_type: &'static str) -> ArtefactWriter {
        ArtefactWriter::new(self.clone(), key.into(), content_type)
    }

    /// Puts an object unless the key has one (`If-None-Match: *`). None when it has.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn put_new(
        &self,
        key: &str,
        bytes: impl Into<Bytes>,
        content_type: &str,
    ) -> Result<Option<ObjectPointer>, StageError> {
        let put = self.s3.put_object().bucket(&self.bucket).key(key).if_none_match("*").content_type(content_type);
        let put = put.set_server_side_encryption(encryption_of(content_type));
        match put.body(bytes.into().into()).send().await {
            Ok(output) => Ok(Some(self.pointer_to(key, output.e_tag, output.version_id))),
            Err(error) if is_taken(&error) => Ok(None),
            Err(error) => Err(aws_error(&format!("PutObject of {}", self.place(key)), error)),
        }
    }

    /// Where the object at a key is, if there is one.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn find(&self, key: &str) -> Result<Option<ObjectPointer>, StageError> {
        match self.s3.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(output) => Ok(Some(self.pointer_to(key, output.e_tag, output.version_id))),
            Err(error) if error_code(&error) == Some("NotFound") => Ok(None),
            Err(error) => Err(aws_error(&format!("HeadObject of {}", self.place(key)), error)),
        }
    }

    /// The bytes of the object at a key and where it is, if there is one.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, ObjectPointer)>, StageError> {
        let Some(output) = self.open(key).await? else { return Ok(None) };
        let pointer = self.pointer_to(key, output.e_tag, output.version_id);
        let body = output.body.collect().await.map_err(|error| {
            let cause = format!("GetObject of {} broke off: {error}", self.place(key));
            StageError::transient(StageError::AWS_UNAVAILABLE, cause)
        })?;
        Ok(Some((body.to_vec(), pointer)))
    }

    /// The bytes of the object at a key, still to be read, if there is one.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn bytes(&self, key: &str) -> Result<Option<ByteStream>, StageError> {
        Ok(self.open(key).await?.map(|output| output.body))
    }

    /// SHA-256 of the object at a key, in hexadecimal, if there is one. Memory holds what has arrived of it and no more.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn sha256(&self, key: &str) -> Result<Option<String>, StageError> {
        let Some(mut body) = self.bytes(key).await? else { return Ok(None) };
        let mut hash = Sha256::new();
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| {
                let cause = format!("GetObject of {} broke off: {error}; it is tried again", self.place(key));
                StageError::transient(StageError::AWS_UNAVAILABLE, cause)
            })?;
            hash.update(&bytes);
        }
        Ok(Some(hex::encode(hash.finalize())))
    }

    /// The object at a key, its body still to be read, if there is one.
    pub(crate) async fn open(&self, key: &str) -> Result<Option<GetObjectOutput>, StageError> {
        match self.s3.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(output) => Ok(Some(output)),
            Err(error) if error_code(&error) == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(aws_error(&format!("GetObject of {}", self.place(key)), error)),
        }
    }

    pub(crate) fn pointer_to(&self, key: &str, etag: Option<String>, version_id: Option<String>) -> ObjectPointer {
        ObjectPointer {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            etag: etag.unwrap_or_default().trim_matches('"').to_owned(),
            version_id: version_id.filter(|version| version != "null"),
        }
    }

    pub(crate) fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }
}

/// The error of an object that does not hold what this release writes at its key.
pub(crate) fn corrupt(place: &str, error: &serde_json::Error) -> StageError {
    let cause = format!(
        "the record {place} does not read as what this release writes there: {error}. Look at it; a record is never overwritten, so move on with a new execution, or with the release that wrote it."
    );
    StageError::permanent("Levee.LedgerCorrupt", cause)
}
