//! The completion report, in the layout that real jobs have.
//!
//! `<prefix>/job-<id>/manifest.json`, `manifest.json.md5` beside it, and `results/<40 hex>.csv` with the succeeded tasks
//! apart from the failed ones. The columns have HTTPStatusCode before ErrorCode although `ReportSchema` says otherwise;
//! keys are the manifest's own bytes.

use aws_sdk_s3::{Client, primitives::ByteStream, types::ServerSideEncryption};
use jiff::Timestamp;
use levee_formats::{
    WriteError, md5_hex,
    report::{LineEnd, Manifest, REPORT_SCHEMA, ResultFile, ResultWriter, TaskResult, TaskStatus},
};

use super::{
    copy::{Outcome, Version, task_error},
    faults::{Fate, ReportFaultKind},
    job::Failure,
    spec::ReportSpec,
};
use crate::env::{Gate, Ids};

/// A row that no reader can make sense of: the quoting that the guide's own example of a checksum report has.
const BAD_ROW: &[u8] = b"bucket,\"key \"\"with\" broken,quotes\"\",,succeeded,200\r\n";

/// What a report is made of.
pub(crate) struct Composition<'a> {
    pub(crate) target: &'a ReportSpec,
    pub(crate) job_id: &'a str,
    pub(crate) source_bucket: &'a str,
    pub(crate) outcomes: &'a [Outcome],
    pub(crate) rows_per_file: usize,
    pub(crate) fate: &'a Fate,
    pub(crate) gate: &'a dyn Gate,
}

/// A report that is ready to be written.
pub(crate) struct Report {
    /// Key and content, in the order of writing: the manifest and its checksum come last.
    objects: Vec<(String, Vec<u8>)>,
}

impl Composition<'_> {
    /// The report; none when no task has run, or when it is planned to be missing.
    ///
    /// # Errors
    /// A row that the format has no place for.
    pub(crate) fn report(&self, ids: &Ids, now: Timestamp) -> Result<Option<Report>, Failure> {
        if self.outcomes.is_empty() || self.planned(&ReportFaultKind::Missing) {
            return Ok(None);
        }
        let parts = self.parts(ids).map_err(|error| failure("InternalError", &error.to_string()))?;
        let results = parts.iter().map(|(file, _)| file.clone()).collect();
        let manifest = Manifest { created: now, results, schema: REPORT_SCHEMA.to_owned() }.to_json();
        let mut objects: Vec<(String, Vec<u8>)> = parts.into_iter().map(|(file, body)| (file.key, body)).collect();
        if !objects.is_empty() && self.planned(&ReportFaultKind::PartMissing) {
            objects.remove(0);
        }
        let folder = self.folder();
        let checksum = md5_hex(&manifest).into_bytes();
        objects.push((format!("{folder}/manifest.json"), manifest));
        objects.push((format!("{folder}/manifest.json.md5"), checksum));
        Ok(Some(Report { objects }))
    }

    /// Whether the report is to have that fault; where it is asked, it gets it.
    fn planned(&self, kind: &ReportFaultKind) -> bool {
        let rule = self.fate.report(kind);
        if let Some(place) = rule {
            self.gate.struck("reports", place);
        }
        rule.is_some()
    }

    fn folder(&self) -> String {
        match &self.target.prefix {
            Some(prefix) => format!("{prefix}/job-{}", self.job_id),
            None => format!("job-{}", self.job_id),
        }
    }

    fn parts(&self, ids: &Ids) -> Result<Vec<(ResultFile, Vec<u8>)>, WriteError> {
        let mut rows: Vec<&Outcome> = self.outcomes.iter().collect();
        if self.planned(&ReportFaultKind::RowDropped) {
            rows.pop();
        }
        if self.planned(&ReportFaultKind::RowDuplicated) {
            rows.extend(rows.last().copied());
        }
        let mut parts = Vec::new();
        for status in [TaskStatus::Succeeded, TaskStatus::Failed] {
            if status == TaskStatus::Succeeded && self.target.failed_tasks_only {
                continue;
            }
            let of_status = |outcome: &&Outcome| outcome.error.is_none() == (status == TaskStatus::Succeeded);
            let chosen: Vec<&Outcome> = rows.iter().copied().filter(of_status).collect();
            for chunk in chosen.chunks(self.rows_per_file.max(1)) {
                let bad_row = parts.is_empty() && self.planned(&ReportFaultKind::BadRow);
                let body = self.result_file(status, chunk, bad_row)?;
                let key = format!("{}/results/{}.csv", self.folder(), ids.hex(40));
                let mut md5 = md5_hex(&body);
                if parts.is_empty() && self.planned(&ReportFaultKind::ChecksumWrong) {
                    md5 = md5_hex(b"");
                }
                parts.push((ResultFile { status, bucket: self.target.bucket.clone(), key, md5 }, body));
            }
        }
        Ok(parts)
    }

    fn result_file(&self, status: TaskStatus, rows: &[&Outcome], bad_row: bool) -> Result<Vec<u8>, WriteError> {
        let mut writer = ResultWriter::new(Vec::new(), LineEnd::CrLf);
        for outcome in rows {
            let error = outcome.error.as_ref();
            writer.row(&TaskResult {
                bucket: self.source_bucket,
                raw_key: &outcome.task.raw_key,
                version_id: match &outcome.task.version {
                    Version::Newest => "",
                    Version::Id(id) => id,
                    Version::Empty => "\\N",
                },
                status,
                http_status: Some(error.map_or(200, |error| error.http_status)),
                error_code: error.map_or("", |error| &error.code),
                message: error.map_or("Successful", |error| &error.message),
            })?;
        }
        let mut body = writer.finish()?.writer;
        if bad_row {
            body.extend_from_slice(BAD_ROW);
        }
        Ok(body)
    }
}

/// Writes the report as the job's role; it is always encrypted with SSE-S3.
///
/// # Errors
/// Why the job fails: the code of the S3 error.
pub(crate) async fn write(client: &Client, target: &ReportSpec, report: &Report) -> Result<(), Failure> {
    for (key, body) in &report.objects {
        client
            .put_object()
            .bucket(&target.bucket)
            .key(key)
            .set_expected_bucket_owner(target.expected_bucket_owner.clone())
            .server_side_encryption(ServerSideEncryption::Aes256)
            .body(ByteStream::from(body.clone()))
            .send()
            .await
            .map_err(|error| {
                let error = task_error(&error);
                failure(&error.code, &format!("{} in {}: {}", key, target.bucket, error.message))
            })?;
    }
    Ok(())
}

fn failure(code: &str, why: &str) -> Failure {
    Failure { code: code.to_owned(), reason: format!("The completion report could not be written: {why}") }
}
