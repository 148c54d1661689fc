//! What a restore job's report says of the rows whose restore could not be asked for.

use std::collections::BTreeMap;

use aws_sdk_s3::{Client, primitives::ByteStream};
use levee_formats::{
    KeyCodec,
    batch_manifest::ManifestWriter,
    report::{Manifest, ResultFile, ResultReader, Row, RowError, TaskStatus},
};
use levee_ledger::{
    ArtefactWriter,
    state::{JobManifest, JobManifestKind},
};
use levee_stage::{StageError, aws::http_status, aws_error};

/// Keys that are named.
const NAMED: usize = 3;
/// What S3 answers for an object that needs no restore: one is under way, it has left the archive, or it is gone. The HEADs tell
/// which (RestoreObject of the S3 API Reference).
const NEEDS_NONE: [&str; 5] =
    ["RestoreAlreadyInProgress", "ObjectAlreadyInActiveTierError", "InvalidObjectState", "NoSuchKey", "NoSuchVersion"];
/// What passes by itself.
const PASSING: [&str; 8] = [
    "InternalError",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "TemporaryFailure",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Where a report is.
pub(crate) struct Source<'a> {
    pub(crate) s3: &'a Client,
    pub(crate) owner: &'a str,
    pub(crate) bucket: &'a str,
    /// `<prefix>/job-<id>`.
    pub(crate) folder: String,
    pub(crate) codec: KeyCodec,
}

/// The rows whose restore could not be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unasked {
    pub(crate) rows: u64,
    /// Those of them that failed in passing.
    pub(crate) passing: u64,
    pub(crate) by_code: BTreeMap<String, u64>,
    pub(crate) first: Vec<String>,
}

impl Source<'_> {
    /// Reads the report and writes the rows that could not be asked for as a manifest into `again`. Nothing when the report is
    /// not there (yet).
    ///
    /// # Errors
    /// The report is damaged; AWS errors.
    pub(crate) async fn read(&self, again: &mut ArtefactWriter) -> Result<Option<Unasked>, StageError> {
        let key = format!("{}/manifest.json", self.folder);
        let Some(body) = self.get(self.bucket, &key).await? else { return Ok(None) };
        let bytes = body.collect().await.map_err(|error| broken_off(&key, &error))?.to_vec();
        let manifest = Manifest::parse(&bytes).map_err(|error| self.damaged(&error))?;
        let mut unasked = Unasked::default();
        for file in manifest.results.iter().filter(|file| file.status == TaskStatus::Failed) {
            if !self.read_file(file, &mut unasked, again).await? {
                return Ok(None);
            }
        }
        Ok(Some(unasked))
    }

    async fn read_file(
        &self,
        file: &ResultFile,
        unasked: &mut Unasked,
        again: &mut ArtefactWriter,
    ) -> Result<bool, StageError> {
        let Some(mut body) = self.get(&file.bucket, &file.key).await? else { return Ok(false) };
        let mut reader = ResultReader::of(file, self.codec);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| broken_off(&file.key, &error))?;
            let mut rows = Taken::default();
            reader.push(&piece, &mut |row| rows.take(row, unasked)).map_err(|error| self.damaged(&error))?;
            again.write(&rows.lines(self)?).await?;
        }
        let mut rows = Taken::default();
        let totals = reader.finish(&mut |row| rows.take(row, unasked)).map_err(|error| self.damaged(&error))?;
        again.write(&rows.lines(self)?).await?;
        if totals.md5 == file.md5 {
            return Ok(true);
        }
        Err(self.damaged(&format!("the MD5 of {} is {}, its manifest says {}", file.key, totals.md5, file.md5)))
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<ByteStream>, StageError> {
        match self.s3.get_object().bucket(bucket).key(key).expected_bucket_owner(self.owner).send().await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if http_status(&error) == Some(404) => Ok(None),
            Err(error) => Err(aws_error(&format!("GetObject s3://{bucket}/{key}"), error)),
        }
    }

    fn damaged(&self, problem: &dyn std::fmt::Display) -> StageError {
        let cause = format!(
            "the report of the restore job in s3://{}/{} cannot be trusted: {problem}. Check that the report bucket is written by \
             Batch Operations alone; then redrive the execution, which reads it again.",
            self.bucket, self.folder
        );
        StageError::permanent(crate::RESTORE_JOB_FAILED, cause)
    }
}

/// The rows of one piece, and what is wrong with the first that cannot be read.
#[derive(Default)]
struct Taken {
    rows: Vec<(String, String)>,
    problem: Option<String>,
}

impl Taken {
    fn take(&mut self, row: Result<Row<'_>, RowError<'_>>, unasked: &mut Unasked) {
        match row {
            Ok(row) => {
                let code = row.error_code.as_deref().unwrap_or_default();
                if row.status == TaskStatus::Failed && unasked.note(&row.key, code, row.http_status) {
                    self.rows.push((row.bucket.into_owned(), row.key.into_owned()));
                }
            }
            Err(error) => {
                self.problem.get_or_insert_with(|| error.to_string());
            }
        }
    }

    /// The rows as lines of a manifest. They name no versions: a restore is of what the copy will read.
    fn lines(self, source: &Source<'_>) -> Result<Vec<u8>, StageError> {
        if let Some(problem) = self.problem {
            return Err(source.damaged(&problem));
        }
        let mut writer = ManifestWriter::new(Vec::new(), false);
        let written = self.rows.iter().try_for_each(|(bucket, key)| writer.row(bucket, key.as_bytes(), None));
        let written = written.and_then(|()| writer.finish()).map_err(|error| source.damaged(&error))?;
        Ok(written.writer)
    }
}

impl Unasked {
    /// Counts a failed row; false when the object needs no restore.
    fn note(&mut self, key: &str, code: &str, status: Option<u16>) -> bool {
        if NEEDS_NONE.contains(&code) {
            return false;
        }
        self.rows += 1;
        self.passing += u64::from(PASSING.contains(&code) || status.is_some_and(|status| status >= 500));
        *self.by_code.entry(code.to_owned()).or_default() += 1;
        if self.first.len() < NAMED {
            self.first.push(key.to_owned());
        }
        true
    }

    /// The codes with their counts, for people.
    pub(crate) fn codes(&self) -> String {
        self.by_code.iter().map(|(code, rows)| format!("{rows} {code}")).collect::<Vec<_>>().join(", ")
    }
}

/// How a job's report has the keys of its manifest.
pub(crate) fn codec(manifest: &JobManifest) -> KeyCodec {
    match manifest.kind {
        JobManifestKind::Inventory => KeyCodec::Form,
        JobManifestKind::Csv | JobManifestKind::CsvVersions => KeyCodec::Percent,
    }
}

fn broken_off(key: &str, error: &dyn std::fmt::Display) -> StageError {
    StageError::transient(StageError::AWS_UNAVAILABLE, format!("reading {key} broke off: {error}; it is tried again"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::under_way("RestoreAlreadyInProgress", 409, 0, 0)]
    #[case::left_the_archive("InvalidObjectState", 403, 0, 0)]
    #[case::gone("NoSuchKey", 404, 0, 0)]
    #[case::denied("AccessDenied", 403, 1, 0)]
    #[case::throttled("SlowDown", 503, 1, 1)]
    #[case::unknown_of_the_service("Surprise", 500, 1, 1)]
    #[case::unknown("Surprise", 400, 1, 0)]
    fn failed_rows_are_unasked_unless_they_need_no_restore(
        #[case] code: &str,
        #[case] status: u16,
        #[case] rows: u64,
        #[case] passing: u64,
    ) {
        let mut unasked = Unasked::default();
        assert_eq!(unasked.note("key", code, Some(status)), rows == 1);
        assert_eq!((unasked.rows, unasked.passing), (rows, passing));
    }
}
