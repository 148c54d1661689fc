//! The request that makes a job: a function of the run and the attempt, byte for byte.
//!
//! The same token with another body is refused by AWS, so nothing here may depend on the time or on who asks.

use aws_sdk_s3control::{
    error::BuildError,
    operation::create_job::builders::CreateJobFluentBuilder,
    types::{
        JobManifest as ApiManifest, JobManifestFieldName, JobManifestFormat, JobManifestLocation, JobManifestSpec,
        JobOperation, JobReport, JobReportFormat, JobReportScope, S3AnnotationDirective, S3ChecksumAlgorithm,
        S3CopyObjectOperation, S3GlacierJobTier, S3InitiateRestoreObjectOperation, S3MetadataDirective, S3StorageClass,
    },
};
use levee_ledger::state::{JobManifest, JobManifestKind, RestoreTier};

/// What decides the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRequest {
    /// The account that owns job, role, report bucket and target.
    pub account: String,
    /// The token that makes the request one job however often it is sent.
    pub token: String,
    /// Names the run and the token, so that ListJobs finds the job again.
    pub description: String,
    /// The role that Batch Operations works with.
    pub role_arn: String,
    /// Higher goes first.
    pub priority: i32,
    /// What is done with each object.
    pub work: Work,
    /// The objects.
    pub manifest: JobManifest,
    /// Where the completion report goes.
    pub report_bucket: String,
    /// The report's prefix, without a slash at the end.
    pub report_prefix: String,
}

/// What a job does with each object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Copies data, user metadata and tags.
    Copy {
        /// The snapshot bucket.
        target: String,
        /// What the copies' keys get in front; none for the copies of a snapshot, which keep their keys. Whether S3 puts a
        /// `/` between the two is not documented.
        target_prefix: Option<String>,
        /// The storage class of the copies.
        storage_class: String,
    },
    /// Asks for the restore of an archived object. The job does not wait for it.
    Restore {
        /// Days that the restored copy stays. None for objects of `INTELLIGENT_TIERING`, of which a request with days is
        /// refused (`S3InitiateRestoreObjectOperation` of the API reference).
        days: Option<u16>,
        /// How fast.
        tier: RestoreTier,
    },
}

impl Work {
    /// The job in words.
    #[must_use]
    pub fn job(&self) -> String {
        match self {
            Self::Copy { target, .. } => format!("copy job into bucket {target}"),
            Self::Restore { .. } => "restore job".to_owned(),
        }
    }

    fn operation(&self) -> JobOperation {
        match self {
            Self::Copy { target, target_prefix, storage_class } => JobOperation::builder()
                .s3_put_object_copy(copy(target, target_prefix.as_deref(), storage_class))
                .build(),
            Self::Restore { days, tier } => {
                let tier = match tier {
                    RestoreTier::Bulk => S3GlacierJobTier::Bulk,
                    RestoreTier::Standard => S3GlacierJobTier::Standard,
                };
                let restore = S3InitiateRestoreObjectOperation::builder().glacier_job_tier(tier);
                let restore = restore.set_expiration_in_days(days.map(i32::from)).build();
                JobOperation::builder().s3_initiate_restore_object(restore).build()
            }
        }
    }
}

/// The copy of one object: data, user metadata and tags.
fn copy(target: &str, target_prefix: Option<&str>, storage_class: &str) -> S3CopyObjectOperation {
    S3CopyObjectOperation::builder()
        .target_resource(bucket_arn(target))
        .set_target_key_prefix(target_prefix.map(str::to_owned))
        .metadata_directive(S3MetadataDirective::Copy)
        // The default would need permissions on annotations and is billed for each; a lake has none.
        .annotation_directive(S3AnnotationDirective::Exclude)
        // Left out, it is STANDARD and not the source's class.
        .storage_class(S3StorageClass::from(storage_class))
        // A checksum over the whole object, which S3 computes for free. ETags do not compare: the copy of a multipart
        // object and any object under KMS get another one.
        .checksum_algorithm(S3ChecksumAlgorithm::Crc64Nvme)
        // No constraint on the modification time: it would fail every object that was overwritten after the scan,
        // and in a live table there always is one.
        .build()
}

impl JobRequest {
    /// Fills in a CreateJob call.
    ///
    /// # Errors
    /// A required member is missing, which the types rule out.
    pub fn fill(&self, call: CreateJobFluentBuilder) -> Result<CreateJobFluentBuilder, BuildError> {
        Ok(call
            .account_id(&self.account)
            .client_request_token(&self.token)
            .description(&self.description)
            // Left out, it is true, and the job waits for a person.
            .confirmation_required(false)
            .priority(self.priority)
            .role_arn(&self.role_arn)
            .operation(self.work.operation())
            .manifest(self.api_manifest()?)
            .report(self.report()))
    }

    fn api_manifest(&self) -> Result<ApiManifest, BuildError> {
        use JobManifestFieldName::{Bucket, Key, VersionId};
        let (format, fields) = match self.manifest.kind {
            JobManifestKind::Inventory => (JobManifestFormat::S3InventoryReportCsv20161130, None),
            JobManifestKind::Csv => (JobManifestFormat::S3BatchOperationsCsv20180820, Some(vec![Bucket, Key])),
            JobManifestKind::CsvVersions => {
                (JobManifestFormat::S3BatchOperationsCsv20180820, Some(vec![Bucket, Key, VersionId]))
            }
        };
        let pointer = &self.manifest.pointer;
        let location = JobManifestLocation::builder()
            .object_arn(format!("{}/{}", bucket_arn(&pointer.bucket), pointer.key))
            .e_tag(&pointer.etag)
            .set_object_version_id(pointer.version_id.clone());
        Ok(ApiManifest::builder()
            .spec(JobManifestSpec::builder().format(format).set_fields(fields).build()?)
            .location(location.build()?)
            .build())
    }

    fn report(&self) -> JobReport {
        JobReport::builder()
            .enabled(true)
            .bucket(bucket_arn(&self.report_bucket))
            .prefix(&self.report_prefix)
            .format(JobReportFormat::ReportCsv20180820)
            // Only a report of all tasks tells a row that succeeded from a row that is missing.
            .report_scope(JobReportScope::AllTasks)
            .expected_bucket_owner(&self.account)
            .build()
    }
}

fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}
