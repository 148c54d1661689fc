//! Copies single objects from the source into the snapshot bucket.

use std::sync::Arc;

use aws_sdk_s3::{Client, types::StorageClass};
use bytes::Bytes;
use futures::FutureExt;
use levee_formats::KeyCodec;
use levee_ledger::{
    Ledger,
    state::{COPY_LIMIT_BYTES, FailureClass, LargeRow},
};
use levee_parts::{End, Errand, Failure, remedy};
use levee_stage::{
    ErrorKind, Stage, StageError,
    aws::{error_code, http_status},
    aws_error,
};

use crate::TableVerify;

/// Parts of large objects that are copied at a time, of all tables together: as many as large-copy copies where nobody has set another
/// number. That stage is done when tables are looked at, so that the buckets bear no more at once than they do in its time.
const PARTS_AT_A_TIME: usize = 32;

/// Why an object was not copied.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It is gone from the source.
    Gone,
    /// It is in an archive class or tier.
    Archived,
    /// The run's selection leaves it out.
    LeftOut(String),
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
    /// Copies what has more bytes than one call copies. All tables share it.
    parts: Arc<levee_parts::Copier>,
}

impl Copier {
    /// From the source of a run into its snapshot bucket.
    pub(crate) fn new(s3: &Client, ledger: &Ledger, errand: Errand<'_>) -> Self {
        let (run, bucket) = (errand.run, errand.bucket);
        Self {
            s3: s3.clone(),
            source: run.source.clone(),
            source_account: run.source_account.clone(),
            bucket: bucket.name.clone(),
            account: bucket.account.clone(),
            storage_class: run.snapshot.storage_class.clone(),
            parts: Arc::new(levee_parts::Copier::new(s3.clone(), ledger.clone(), errand, PARTS_AT_A_TIME)),
        }
    }

    /// Copies the newest version of an object, with its metadata and tags.
    ///
    /// # Errors
    /// Why it was not copied.
    pub(crate) async fn copy(&self, key: &str, size: Option<u64>) -> Result<(), Trouble> {
        if let Some(size) = size.filter(|size| *size > COPY_LIMIT_BYTES) {
            return self.copy_in_parts(&LargeRow { key: key.to_owned(), size, etag: None }).await;
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
                let error = aws_error(&format!("CopyObject of s3://{}/{key}", self.source), error);
                Err(match error.kind {
                    ErrorKind::Transient => Trouble::Broken(error),
                    ErrorKind::Permanent => Trouble::Refused(error.cause),
                })
            }
        }
    }

    /// Copies an object that has more bytes than one call copies.
    ///
    /// It is brought anew: large-copy may have recorded an end for the same key in this run, which says what was true then. The copy
    /// lacks the object now, or has it in another size, and the source lists it now: one that had vanished is there again, one that
    /// was copied has changed or was taken away. To believe the record would leave the table torn, and say of it that it was mended.
    async fn copy_in_parts(&self, row: &LargeRow) -> Result<(), Trouble> {
        // Boxed, since the way of an object in parts is long and few objects take it.
        match self.parts.bring_anew(row).boxed().await? {
            Ok(End::Copied(_)) => Ok(()),
            Ok(End::Vanished(_)) => Err(Trouble::Gone),
            Err(failure) => Err(self.failed(row, &failure)),
        }
    }

    /// What a failure in parts means for the table.
    fn failed(&self, row: &LargeRow, failure: &Failure) -> Trouble {
        let why = format!("s3://{}/{} was not copied in parts: {failure}", self.source, row.key);
        match failure.class() {
            FailureClass::Vanished => Trouble::Gone,
            FailureClass::Archived => Trouble::Archived,
            FailureClass::Throttled => Trouble::Broken(StageError::transient(StageError::AWS_UNAVAILABLE, why)),
            FailureClass::Other => Trouble::Refused(why),
            class => {
                let remedy = remedy(class, TableVerify::NAME, &self.source, &self.bucket);
                Trouble::Refused(format!("{}. {remedy}", why.trim_end_matches('.')))
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
