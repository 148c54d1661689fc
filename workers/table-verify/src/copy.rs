//! Copies single objects from the source into the snapshot bucket.

use aws_sdk_s3::{Client, types::StorageClass};
use bytes::Bytes;
use levee_formats::KeyCodec;
use levee_ledger::state::{Bucket, COPY_LIMIT_BYTES, Run};
use levee_stage::{
    ErrorKind, StageError,
    aws::{error_code, http_status},
    aws_error,
};

/// Why an object was not copied.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It is gone from the source.
    Gone,
    /// It is in an archive class or tier.
    Archived,
    /// The run's selection leaves it out.
    LeftOut(String),
    /// It has more bytes than one call copies.
    TooLarge(String),
    /// Somebody has to do something first.
    Refused(String),
    /// The table cannot be looked at, or a call failed in passing; then the stage is tried again.
    Broken(StageError),
}

impl From<StageError> for Trouble {
    fn from(error: StageError) -> Self {
        Self::Broken(error)
    }
}

/// Copies objects.
#[derive(Clone, Debug)]
pub(crate) struct Copier {
    s3: Client,
    source: String,
    source_account: String,
    bucket: String,
    account: String,
    storage_class: Option<String>,
}

impl Copier {
    /// From the source of a run into its snapshot bucket.
    pub(crate) fn new(s3: &Client, run: &Run, bucket: &Bucket) -> Self {
        Self {
            s3: s3.clone(),
            source: run.source.clone(),
            source_account: run.source_account.clone(),
            bucket: bucket.name.clone(),
            account: bucket.account.clone(),
            storage_class: run.snapshot.storage_class.clone(),
        }
    }

    /// Copies the newest version of an object, with its metadata and tags.
    ///
    /// # Errors
    /// Why it was not copied.
    pub(crate) async fn copy(&self, key: &str, size: Option<u64>) -> Result<(), Trouble> {
        let place = format!("s3://{}/{key}", self.source);
        if let Some(size) = size.filter(|size| *size > COPY_LIMIT_BYTES) {
            let why = format!("{place} has {size} bytes, more than the {COPY_LIMIT_BYTES} that one call copies");
            return Err(Trouble::TooLarge(why));
        }
        let from = format!("{}/{}", self.source, KeyCodec::Percent.encode(key.as_bytes()));
        let call = self.s3.copy_object().bucket(&self.bucket).key(key).copy_source(from);
        let call = call.expected_bucket_owner(&self.account).expected_source_bucket_owner(&self.source_account);
        let class = self.storage_class.as_deref().map(StorageClass::from);
        match call.set_storage_class(class).send().await {
            Ok(_) => Ok(()),
            Err(error) if error_code(&error) == Some("NoSuchKey") || http_status(&error) == Some(404) => {
                Err(Trouble::Gone)
            }
            Err(error) if error_code(&error) == Some("InvalidObjectState") => Err(Trouble::Archived),
            Err(error) => {
                let error = aws_error(&format!("CopyObject of {place}"), error);
                Err(match error.kind {
                    ErrorKind::Transient => Trouble::Broken(error),
                    ErrorKind::Permanent => Trouble::Refused(error.cause),
                })
            }
        }
    }

    /// The storage class of an object of the source; none when it is gone.
    ///
    /// # Errors
    /// Why it cannot be looked at.
    pub(crate) async fn class_of(&self, key: &str) -> Result<Option<String>, Trouble> {
        let call = self.s3.head_object().bucket(&self.source).key(key).expected_bucket_owner(&self.source_account);
        match call.send().await {
            // S3 leaves the class out where it is STANDARD.
            Ok(found) => Ok(Some(found.storage_class.map_or_else(|| "STANDARD".to_owned(), |class| class.to_string()))),
            Err(error) if http_status(&error) == Some(404) => Ok(None),
            Err(error) => {
                let error = aws_error(&format!("HeadObject of s3://{}/{key}", self.source), error);
                Err(match error.kind {
                    ErrorKind::Transient => Trouble::Broken(error),
                    ErrorKind::Permanent => Trouble::Refused(error.cause),
                })
            }
        }
    }

    /// Writes a small object into the snapshot bucket.
    ///
    /// # Errors
    /// Why it was not written.
    pub(crate) async fn write(&self, key: &str, bytes: Bytes) -> Result<(), Trouble> {
        let call = self.s3.put_object().bucket(&self.bucket).key(key).expected_bucket_owner(&self.account);
        let written = call.content_type("application/json").body(bytes.into()).send().await;
        written.map(drop).map_err(|error| {
            let error = aws_error(&format!("PutObject of s3://{}/{key}", self.bucket), error);
            match error.kind {
                ErrorKind::Transient => Trouble::Broken(error),
                ErrorKind::Permanent => Trouble::Refused(error.cause),
            }
        })
    }
}
