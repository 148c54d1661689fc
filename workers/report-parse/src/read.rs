//! Reads a completion report: its manifest, then every result file once.

use aws_sdk_s3::{Client, primitives::ByteStream};
use levee_formats::{
    KeyCodec,
    report::{Manifest, ResultFile, ResultReader, Row, RowError, TaskStatus},
};
use levee_ledger::state::{Job, JobManifestKind};
use levee_stage::{
    StageError,
    aws::{error_code, http_status},
    aws_error,
};

use crate::{
    DOES_NOT_RECONCILE,
    classify::classify,
    failures::Failures,
    tally::{Tally, check_file},
};

/// Where one job's report is.
pub(crate) struct ReportSource<'a> {
    pub(crate) s3: &'a Client,
    pub(crate) owner: &'a str,
    pub(crate) source: &'a str,
    pub(crate) job: &'a Job,
    pub(crate) job_id: &'a str,
}

impl ReportSource<'_> {
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

    /// Reads one result file into the tally and the failures. False when the file is not there (yet).
    ///
    /// # Errors
    /// The file is not what the manifest says; AWS errors.
    pub(crate) async fn file(
        &self,
        file: &ResultFile,
        tally: &mut Tally,
        failures: &mut Failures,
    ) -> Result<bool, StageError> {
        if file.bucket != self.job.report_bucket {
            let problem = format!(
                "its manifest names a file in bucket {}, the report is in {}",
                file.bucket, self.job.report_bucket
            );
            return Err(self.unreconciled(&problem));
        }
        let Some(mut body) = self.get(&file.bucket, &file.key).await? else { return Ok(false) };
        let mut reader = ResultReader::of(file, self.codec());
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| broken_off(&file.key, &error))?;
            let read = reader.push(&piece, &mut |row| self.row(row, tally, failures));
            read.map_err(|error| self.unreconciled(&error.to_string()))?;
            failures.flush().await?;
        }
        let totals = reader.finish(&mut |row| self.row(row, tally, failures));
        let totals = totals.map_err(|error| self.unreconciled(&error.to_string()))?;
        failures.flush().await?;
        check_file(file, &totals).map_err(|problem| self.unreconciled(&problem))?;
        tally.file(&totals);
        Ok(true)
    }

    fn row(&self, row: Result<Row<'_>, RowError<'_>>, tally: &mut Tally, failures: &mut Failures) {
        let row = match row {
            Ok(row) => row,
            Err(error) => return tally.unreadable_row(error.to_string()),
        };
        if row.bucket != self.source {
            tally.strangers += 1;
            return;
        }
        if row.status == TaskStatus::Failed {
            let class = classify(row.error_code.as_deref(), row.http_status, row.message.as_deref());
            tally.failed_row(&row.key, class);
            failures.row(&row, class);
        }
    }

    /// Reports echo the keys as the job's manifest has them.
    fn codec(&self) -> KeyCodec {
        match self.job.manifest.kind {
            JobManifestKind::Inventory => KeyCodec::Form,
            JobManifestKind::Csv | JobManifestKind::CsvVersions => KeyCodec::Percent,
        }
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<ByteStream>, StageError> {
        match self.s3.get_object().bucket(bucket).key(key).expected_bucket_owner(self.owner).send().await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error_code(&error) == Some("NoSuchKey") => Ok(None),
            Err(error) if http_status(&error) == Some(404) && error_code(&error) != Some("NoSuchBucket") => Ok(None),
            Err(error) => Err(aws_error(&format!("GetObject s3://{bucket}/{key}"), error)),
        }
    }

    async fn whole(&self, body: ByteStream, key: &str) -> Result<Vec<u8>, StageError> {
        Ok(body.collect().await.map_err(|error| broken_off(key, &error))?.to_vec())
    }

    /// The error of a report that cannot be trusted.
    pub(crate) fn unreconciled(&self, problem: &str) -> StageError {
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

fn broken_off(key: &str, error: &dyn std::fmt::Display) -> StageError {
    StageError::transient(StageError::AWS_UNAVAILABLE, format!("reading {key} broke off: {error}; it is tried again"))
}
