//! Data files in the manifest bucket, read on where the connection broke.

use aws_sdk_s3::{Client, operation::get_object::GetObjectOutput, primitives::ByteStream};
use bytes::Bytes;
use levee_stage::{
    ErrorKind, StageError,
    aws::{error_code, http_status},
    aws_error,
};

use crate::{
    pin::corrupt,
    scan::{Body, DataFiles},
};

/// How often one data file is read on before a broken connection is left to the stage's own retries, which read all anew.
const OPENINGS_OF_A_FILE: u32 = 5;

/// The manifest bucket.
#[derive(Clone, Debug)]
pub(crate) struct ManifestBucket {
    pub(crate) s3: Client,
    pub(crate) bucket: String,
    /// Who must own it.
    pub(crate) owner: String,
}

/// A data file under way.
pub(crate) struct Download {
    from: ManifestBucket,
    key: String,
    etag: Option<String>,
    body: ByteStream,
    /// Bytes that have been read.
    at: u64,
    openings: u32,
}

impl DataFiles for ManifestBucket {
    type Body = Download;

    async fn open(&self, key: &str) -> Result<Download, StageError> {
        let mut openings = 1;
        loop {
            match self.get(key, 0, None).await {
                Ok(found) => {
                    let (etag, body) = (found.e_tag, found.body);
                    return Ok(Download { from: self.clone(), key: key.to_owned(), etag, body, at: 0, openings });
                }
                Err(error) if error.kind == ErrorKind::Transient && openings < OPENINGS_OF_A_FILE => {
                    tracing::warn!(key, cause = %error.cause, "opening the data file again");
                    openings += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }
}

impl ManifestBucket {
    async fn get(&self, key: &str, from: u64, etag: Option<&str>) -> Result<GetObjectOutput, StageError> {
        let place = self.place(key);
        let call = self.s3.get_object().bucket(&self.bucket).key(key).expected_bucket_owner(&self.owner);
        let call = call.set_range((from > 0).then(|| format!("bytes={from}-"))).set_if_match(etag.map(str::to_owned));
        match call.send().await {
            Ok(found) => Ok(found),
            Err(error) if error_code(&error) == Some("NoSuchKey") || http_status(&error) == Some(404) => {
                Err(corrupt(&place, "the manifest names this data file, but it does not exist"))
            }
            Err(error) if http_status(&error) == Some(412) => Err(corrupt(&place, "it was replaced while it was read")),
            // It broke off at its very end: read anew, it does not.
            Err(error) if http_status(&error) == Some(416) => {
                let cause = format!("GetObject {place} broke off at byte {from}; it is tried again");
                Err(StageError::transient(StageError::AWS_UNAVAILABLE, cause))
            }
            Err(error) => Err(aws_error(&format!("GetObject {place}"), error)),
        }
    }
}

impl Body for Download {
    async fn next(&mut self) -> Result<Option<Bytes>, StageError> {
        loop {
            let problem = match self.body.next().await {
                None => return Ok(None),
                Some(Ok(piece)) => {
                    self.at = self.at.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    return Ok(Some(piece));
                }
                Some(Err(error)) => error.to_string(),
            };
            let place = self.from.place(&self.key);
            let cause = format!("GetObject {place} broke off after {} bytes: {problem}; it is tried again", self.at);
            if self.openings >= OPENINGS_OF_A_FILE {
                return Err(StageError::transient(StageError::AWS_UNAVAILABLE, cause));
            }
            tracing::warn!(cause, "reading on");
            self.openings += 1;
            self.body = self.from.get(&self.key, self.at, self.etag.as_deref()).await?.body;
        }
    }
}
