//! Where the completion report of a job is in S3.

use std::sync::Arc;

use aws_sdk_s3::{Client, primitives::ByteStream};
use bytes::Bytes;
use levee_formats::{
    KeyCodec,
    report::{Manifest, ResultFile},
};
use levee_ledger::state::{Job, JobManifestKind};
use levee_stage::{
    Body, StageError,
    aws::{error_code, http_status},
    aws_error,
};

use crate::{
    DOES_NOT_RECONCILE,
    read::{About, Reading, ResultFiles},
};

/// Where one job's report is.
#[derive(Clone, Debug)]
pub(crate) struct ReportSource {
    pub(crate) s3: Client,
    pub(crate) owner: String,
    pub(crate) source: String,
    pub(crate) job: Job,
    pub(crate) job_id: String,
}

impl ReportSource {
    /// `<prefix>/job-<id>/`
    pub(crate) fn folder(&self) -> String {
        format!("{}/job-{}/", self.job.report_prefix, self.job_id)
    }

    /// The report's manifest; nothing when it is not there (yet).
    ///
    /// # Errors
    /// It cannot be read or does not match its checksum; AWS errors.
    pub(crate) async fn manifest(&self) -> Result<Option<Manifest>, StageError> {
        let (bucket, key) = (&self.job.report_bucket, format!("{}manifest.json", self.folder()));
        let Some(body) = self.get(bucket, &key).await? else { return Ok(None) };
        let bytes = self.whole(body, &key).await?;
        if let Some(checksum) = self.get(bucket, &format!("{key}.md5")).await? {
            let checksum = self.whole(checksum, &key).await?;
            Manifest::verify_checksum(&bytes, &checksum).map_err(|error| self.unreconciled(&error.to_string()))?;
        }
        Manifest::parse(&bytes).map(Some).map_err(|error| self.unreconciled(&error.to_string()))
    }

    /// A reading of the report from its first row.
    pub(crate) fn reading(&self, manifest: &Manifest) -> Reading<Self> {
        let about = About { bucket: self.source.clone(), codec: self.codec() };
        Reading::new(Arc::new(self.clone()), manifest.results.clone(), about)
    }

    /// Reports echo the keys as the job's manifest has them.
    fn codec(&self) -> KeyCodec {
        match self.job.manifest.kind {
            JobManifestKind::Inventory => KeyCodec::Form,
            JobManifestKind::Csv | JobManifestKind::CsvVersions => KeyCodec::Percent,
        }
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<ByteStream>, StageError> {
        match self.s3.get_object().bucket(bucket).key(key).expected_bucket_owner(&self.owner).send().await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error_code(&error) == Some("NoSuchKey") => Ok(None),
            Err(error) if http_status(&error) == Some(404) && error_code(&error) != Some("NoSuchBucket") => Ok(None),
            Err(error) => Err(aws_error(&format!("GetObject s3://{bucket}/{key}"), error)),
        }
    }

    async fn whole(&self, body: ByteStream, key: &str) -> Result<Vec<u8>, StageError> {
        Ok(body.collect().await.map_err(|error| broken_off(key, &error))?.to_vec())
    }
}

impl ResultFiles for ReportSource {
    type Body = Download;

    async fn open(&self, file: &ResultFile) -> Result<Option<Download>, StageError> {
        if file.bucket != self.job.report_bucket {
            let problem = format!(
                "its manifest names a file in bucket {}, the report is in {}",
                file.bucket, self.job.report_bucket
            );
            return Err(self.unreconciled(&problem));
        }
        let body = self.get(&file.bucket, &file.key).await?;
        Ok(body.map(|body| Download { key: file.key.clone(), body }))
    }

    fn unreconciled(&self, problem: &str) -> StageError {
        let cause = format!(
            "the completion report s3://{}/{} does not account for every object: {problem}. What was copied is unknown, so \
             the run is not taken for a success. Check that the report bucket is written by Batch Operations alone; then \
             redrive the execution, which reads the report again. If it stays, start a new execution for the date.",
            self.job.report_bucket,
            self.folder()
        );
        StageError::permanent(DOES_NOT_RECONCILE, cause)
    }
}

/// A result file under way.
pub(crate) struct Download {
    key: String,
    body: ByteStream,
}

impl Body for Download {
    async fn next(&mut self) -> Result<Option<Bytes>, StageError> {
        self.body.next().await.transpose().map_err(|error| broken_off(&self.key, &error))
    }
}

fn broken_off(key: &str, error: &dyn std::fmt::Display) -> StageError {
    StageError::transient(StageError::AWS_UNAVAILABLE, format!("reading {key} broke off: {error}; it is tried again"))
}
