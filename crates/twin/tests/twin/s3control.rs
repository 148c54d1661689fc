//! Batch Operations through the SDK's clients.

mod api;
mod copying;
mod faults;
mod manifests;
mod restoring;

use std::time::Duration;

use aws_sdk_s3::{Client as S3, primitives::ByteStream};
use aws_sdk_s3control::{
    Client as Control,
    operation::create_job::builders::CreateJobFluentBuilder,
    types::{
        JobDescriptor, JobManifest, JobManifestFieldName, JobManifestFormat, JobManifestLocation, JobManifestSpec,
        JobOperation, JobReport, JobReportFormat, JobReportScope, JobStatus, S3CopyObjectOperation,
    },
};
use levee_formats::{KeyCodec, report};
use levee_twin::{Twin, s3control::ControlOptions, service::Principal};

use super::common::{BACKUP, WAREHOUSE, builder};

pub(crate) const ROLE: &str = "arn:aws:iam::222222222222:role/backup-batch-copy";
pub(crate) const SOURCE: &str = "lake-src";
pub(crate) const TARGET: &str = "lake-src-31-mar-2026";
pub(crate) const MANIFESTS: &str = "backup-manifests";
pub(crate) const REPORTS: &str = "backup-reports";

/// Two accounts with their buckets, and clients for both.
pub(crate) struct World {
    pub(crate) twin: Twin,
    pub(crate) source: S3,
    pub(crate) backup: S3,
    pub(crate) control: Control,
}

/// One row of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportRow {
    pub(crate) key: String,
    pub(crate) raw_key: String,
    pub(crate) version: Option<String>,
    pub(crate) succeeded: bool,
    pub(crate) http_status: Option<u16>,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(ControlOptions::default()).await
    }

    pub(crate) async fn with(options: ControlOptions) -> Self {
        Self::of(builder().jobs(options).copy_limit_bytes(1_000).build()).await
    }

    pub(crate) async fn of(twin: Twin) -> Self {
        let source = S3::new(&twin.sdk_config(WAREHOUSE, &Principal::Root));
        let backup_config = twin.sdk_config(BACKUP, &Principal::Root);
        let backup = S3::new(&backup_config);
        let control = Control::new(&backup_config);
        source.create_bucket().bucket(SOURCE).send().await.unwrap();
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[
              {{"Effect":"Allow","Principal":{{"AWS":"{ROLE}"}},
                "Action":["s3:GetObject","s3:GetObjectVersion","s3:GetObjectTagging","s3:GetObjectVersionTagging"],
                "Resource":"arn:aws:s3:::{SOURCE}/*"}},
              {{"Effect":"Allow","Principal":{{"AWS":"{ROLE}"}},"Action":"s3:ListBucket",
                "Resource":"arn:aws:s3:::{SOURCE}"}}]}}"#
        );
        source.put_bucket_policy().bucket(SOURCE).policy(policy).send().await.unwrap();
        for bucket in [TARGET, MANIFESTS, REPORTS] {
            backup.create_bucket().bucket(bucket).send().await.unwrap();
        }
        Self { twin, source, backup, control }
    }

    pub(crate) async fn put(&self, key: &str, body: &str) {
        let body = ByteStream::from(body.as_bytes().to_vec());
        self.source.put_object().bucket(SOURCE).key(key).body(body).send().await.unwrap();
    }

    /// Puts a manifest; its ETag without quotes.
    pub(crate) async fn put_manifest(&self, key: &str, body: &[u8]) -> String {
        let put = self.backup.put_object().bucket(MANIFESTS).key(key).body(ByteStream::from(body.to_vec()));
        put.send().await.unwrap().e_tag().unwrap().trim_matches('"').to_owned()
    }

    /// A valid request for the CSV manifest at `key`.
    pub(crate) fn job(&self, key: &str, etag: &str, versions: bool) -> CreateJobFluentBuilder {
        let mut spec = JobManifestSpec::builder()
            .format(JobManifestFormat::S3BatchOperationsCsv20180820)
            .fields(JobManifestFieldName::Bucket)
            .fields(JobManifestFieldName::Key);
        if versions {
            spec = spec.fields(JobManifestFieldName::VersionId);
        }
        self.request(spec.build().unwrap(), key, etag)
    }

    /// A valid request for the inventory whose `manifest.json` is at `key`.
    pub(crate) fn inventory_job(&self, key: &str, etag: &str) -> CreateJobFluentBuilder {
        let spec = JobManifestSpec::builder().format(JobManifestFormat::S3InventoryReportCsv20161130);
        self.request(spec.build().unwrap(), key, etag)
    }

    fn request(&self, spec: JobManifestSpec, key: &str, etag: &str) -> CreateJobFluentBuilder {
        let arn = format!("arn:aws:s3:::{MANIFESTS}/{key}");
        let location = JobManifestLocation::builder().object_arn(arn).e_tag(etag).build().unwrap();
        let copy = S3CopyObjectOperation::builder().target_resource(format!("arn:aws:s3:::{TARGET}")).build();
        let report = JobReport::builder()
            .enabled(true)
            .bucket(format!("arn:aws:s3:::{REPORTS}"))
            .format(JobReportFormat::ReportCsv20180820)
            .prefix("reports/lake-src")
            .report_scope(JobReportScope::AllTasks)
            .expected_bucket_owner(BACKUP)
            .build();
        self.control
            .create_job()
            .account_id(BACKUP)
            .client_request_token("token-1")
            .confirmation_required(false)
            .description("backup lake-src attempt 1")
            .priority(10)
            .role_arn(ROLE)
            .operation(JobOperation::builder().s3_put_object_copy(copy).build())
            .manifest(JobManifest::builder().spec(spec).location(location).build())
            .report(report)
    }

    pub(crate) async fn create(&self, request: CreateJobFluentBuilder) -> String {
        request.send().await.unwrap().job_id().unwrap().to_owned()
    }

    pub(crate) async fn describe(&self, id: &str) -> JobDescriptor {
        self.control.describe_job().account_id(BACKUP).job_id(id).send().await.unwrap().job().unwrap().clone()
    }

    /// Waits for the end of a job, as a worker would: by asking every 30 s.
    pub(crate) async fn finish(&self, id: &str) -> JobDescriptor {
        for _ in 0..1000 {
            let job = self.describe(id).await;
            if matches!(job.status(), Some(JobStatus::Complete | JobStatus::Failed | JobStatus::Cancelled)) {
                return job;
            }
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        panic!("the job does not end: {:?}", self.describe(id).await);
    }

    /// Waits until the job has that status.
    pub(crate) async fn reach(&self, id: &str, status: JobStatus) -> JobDescriptor {
        for _ in 0..2000 {
            let job = self.describe(id).await;
            if job.status() == Some(&status) {
                return job;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("the job never is {status}: {:?}", self.describe(id).await);
    }

    /// Runs a CSV manifest to its end.
    pub(crate) async fn run_csv(&self, body: &str, versions: bool) -> JobDescriptor {
        let etag = self.put_manifest("m.csv", body.as_bytes()).await;
        let id = self.create(self.job("m.csv", &etag, versions)).await;
        self.finish(&id).await
    }

    pub(crate) async fn keys(&self, bucket: &str) -> Vec<String> {
        let page = self.backup.list_objects_v2().bucket(bucket).send().await.unwrap();
        page.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    pub(crate) async fn read(&self, bucket: &str, key: &str) -> Vec<u8> {
        let object = self.backup.get_object().bucket(bucket).key(key).send().await.unwrap();
        object.body.collect().await.unwrap().to_vec()
    }

    /// The rows of a job's report, in order of key, after all checksums have been checked.
    pub(crate) async fn report(&self, id: &str) -> Vec<ReportRow> {
        let folder = format!("reports/lake-src/job-{id}");
        let manifest = self.read(REPORTS, &format!("{folder}/manifest.json")).await;
        let checksum = self.read(REPORTS, &format!("{folder}/manifest.json.md5")).await;
        report::Manifest::verify_checksum(&manifest, &checksum).unwrap();
        let mut rows = Vec::new();
        for file in report::Manifest::parse(&manifest).unwrap().results {
            let body = self.read(&file.bucket, &file.key).await;
            let mut sink = |row: Result<report::Row<'_>, report::RowError<'_>>| {
                let row = row.unwrap();
                rows.push(ReportRow {
                    key: row.key.to_string(),
                    raw_key: String::from_utf8(row.raw_key.to_vec()).unwrap(),
                    version: row.version_id.map(|id| id.to_string()),
                    succeeded: row.status == report::TaskStatus::Succeeded,
                    http_status: row.http_status,
                    code: row.error_code.unwrap_or_default().to_string(),
                    message: row.message.unwrap_or_default().to_string(),
                });
            };
            let mut reader = report::ResultReader::new(&file.key, KeyCodec::Form);
            reader.push(&body, &mut sink).unwrap();
            assert_eq!(reader.finish(&mut sink).unwrap().md5, file.md5);
        }
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        rows
    }
}

/// Succeeded, failed and total of a job.
pub(crate) fn counts(job: &JobDescriptor) -> (i64, i64, i64) {
    let summary = job.progress_summary().expect("a progress summary");
    (
        summary.number_of_tasks_succeeded().unwrap(),
        summary.number_of_tasks_failed().unwrap(),
        summary.total_number_of_tasks().unwrap(),
    )
}

/// The first failure code of a job.
pub(crate) fn failure_code(job: &JobDescriptor) -> &str {
    job.failure_reasons().first().and_then(|reason| reason.failure_code()).unwrap_or_default()
}
