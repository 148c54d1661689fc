//! Reads a completion report: its manifest, then every result file, a piece at a time.

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
    row::FailedRow,
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

    /// Opens one result file; nothing when it is not there (yet).
    async fn open<'f>(&self, file: &'f ResultFile) -> Result<Option<OpenFile<'f>>, StageError> {
        if file.bucket != self.job.report_bucket {
            let problem = format!(
                "its manifest names a file in bucket {}, the report is in {}",
                file.bucket, self.job.report_bucket
            );
            return Err(self.unreconciled(&problem));
        }
        let body = self.get(&file.bucket, &file.key).await?;
        Ok(body.map(|body| OpenFile { file, body, reader: ResultReader::of(file, self.codec()) }))
    }

    fn row(&self, row: Result<Row<'_>, RowError<'_>>, tally: &mut Tally, failed: &mut Vec<FailedRow>) {
        let row = match row {
            Ok(row) => row,
            Err(error) => return tally.unreadable_row(error.to_string()),
        };
        if row.bucket != self.source {
            tally.strangers += 1;
            return;
        }
        if row.status == TaskStatus::Failed {
            failed.push(FailedRow::of(&row));
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

/// One reading of all rows of a report.
pub(crate) struct Reading<'a> {
    source: &'a ReportSource<'a>,
    files: std::slice::Iter<'a, ResultFile>,
    open: Option<OpenFile<'a>>,
    tally: Tally,
}

struct OpenFile<'a> {
    file: &'a ResultFile,
    body: ByteStream,
    reader: ResultReader,
}

/// A step of a reading.
pub(crate) enum Step {
    /// The failed rows of the next piece of a file; mostly none.
    Failed(Vec<FailedRow>),
    /// The key of a file that is not there (yet).
    Missing(String),
    /// Every file was read to its end, and is what the manifest says.
    End(Tally),
}

impl<'a> Reading<'a> {
    /// A reading from the first row.
    pub(crate) fn new(source: &'a ReportSource<'a>, manifest: &'a Manifest) -> Self {
        Self { source, files: manifest.results.iter(), open: None, tally: Tally::default() }
    }

    /// Reads on.
    ///
    /// # Errors
    /// A file is not what the manifest says; AWS errors.
    pub(crate) async fn next(&mut self) -> Result<Step, StageError> {
        let Some(mut open) = self.open.take() else {
            let Some(file) = self.files.next() else { return Ok(Step::End(std::mem::take(&mut self.tally))) };
            self.open = self.source.open(file).await?;
            return Ok(if self.open.is_some() { Step::Failed(Vec::new()) } else { Step::Missing(file.key.clone()) });
        };
        let (source, tally, mut failed) = (self.source, &mut self.tally, Vec::new());
        let damaged = |problem: &dyn std::fmt::Display| source.unreconciled(&problem.to_string());
        if let Some(piece) = open.body.next().await {
            let piece = piece.map_err(|error| broken_off(&open.file.key, &error))?;
            let read = open.reader.push(&piece, &mut |row| source.row(row, tally, &mut failed));
            read.map_err(|error| damaged(&error))?;
            self.open = Some(open);
        } else {
            let totals = open.reader.finish(&mut |row| source.row(row, tally, &mut failed));
            let totals = totals.map_err(|error| damaged(&error))?;
            check_file(open.file, &totals).map_err(|problem| damaged(&problem))?;
            tally.file(&totals);
        }
        Ok(Step::Failed(failed))
    }
}

fn broken_off(key: &str, error: &dyn std::fmt::Display) -> StageError {
    StageError::transient(StageError::AWS_UNAVAILABLE, format!("reading {key} broke off: {error}; it is tried again"))
}
