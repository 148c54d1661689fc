//! One task: a CopyObject or RestoreObject call as the job's role, and what the report says of it.

use std::error::Error;

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{RequestId, RequestIdExt, copy_object::builders::CopyObjectFluentBuilder},
    primitives::DateTime,
    types::{
        ChecksumAlgorithm, GlacierJobParameters, MetadataDirective, ObjectCannedAcl, ObjectLockLegalHoldStatus,
        ObjectLockMode, RequestPayer, RestoreRequest, ServerSideEncryption, StorageClass, TaggingDirective, Tier,
    },
};
use jiff::Timestamp;
use levee_formats::KeyCodec;

use super::{
    faults::RowClass,
    spec::{CopySpec, RestoreSpec, Work},
};
use crate::env::Ids;

/// What a row of the manifest says of the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// The manifest has no version column: whatever is newest when the task runs.
    Newest,
    /// This version; `null` is the null version.
    Id(String),
    /// The manifest has a version column and it is empty here: such a task fails.
    Empty,
}

/// One row of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// The key as it stands in the manifest, encoded; the report echoes it.
    pub(crate) raw_key: Vec<u8>,
    pub(crate) key: String,
    pub(crate) version: Version,
}

/// Why a task failed, as the report says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskError {
    pub(crate) http_status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// A task that has run.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) task: Task,
    pub(crate) error: Option<TaskError>,
}

/// Runs one task against the store.
pub(crate) async fn run(client: &Client, source_bucket: &str, work: &Work, task: &Task) -> Result<(), TaskError> {
    let version = match &task.version {
        Version::Newest => None,
        Version::Id(id) => Some(id.as_str()),
        Version::Empty => {
            return Err(TaskError {
                http_status: 500,
                code: "SrcObjectNotFound".to_owned(),
                message: "Object versionID is invalid".to_owned(),
            });
        }
    };
    match work {
        Work::Copy(spec) => copy(client, source_bucket, spec, task, version).await,
        Work::Restore(spec) => restore(client, source_bucket, spec, task, version).await,
    }
}

/// Asks for a restore. The task is done with that, long before the object is restored ("Restore objects with Batch
/// Operations" of the user guide).
async fn restore(
    client: &Client,
    source_bucket: &str,
    spec: &RestoreSpec,
    task: &Task,
    version: Option<&str>,
) -> Result<(), TaskError> {
    let tier = spec.tier.as_deref().map(|tier| if tier == "BULK" { Tier::Bulk } else { Tier::Standard });
    let parameters = tier.and_then(|tier| GlacierJobParameters::builder().tier(tier).build().ok());
    let request = RestoreRequest::builder().set_days(spec.days).set_glacier_job_parameters(parameters).build();
    let call = client.restore_object().bucket(source_bucket).key(&task.key).restore_request(request);
    let call = call.set_version_id(version.map(str::to_owned));
    call.send().await.map(|_| ()).map_err(|error| task_error(&error))
}

async fn copy(
    client: &Client,
    source_bucket: &str,
    copy: &CopySpec,
    task: &Task,
    version: Option<&str>,
) -> Result<(), TaskError> {
    let mut source = format!("{source_bucket}/{}", KeyCodec::Percent.encode(task.key.as_bytes()));
    if let Some(id) = version {
        source.push_str("?versionId=");
        source.push_str(&KeyCodec::Percent.encode(id.as_bytes()));
    }
    let request = client
        .copy_object()
        .bucket(&copy.target_bucket)
        .key(target_key(copy.target_key_prefix.as_deref(), &task.key))
        .copy_source(source)
        .metadata_directive(MetadataDirective::Copy);
    with_options(request, copy).send().await.map(|_| ()).map_err(|error| task_error(&error))
}

/// The answer of a planned fault, in the form of a real one.
pub(crate) fn planned(class: RowClass, ids: &Ids) -> TaskError {
    let (http_status, code, message) = class.error();
    let (request, extended) = (ids.hex(16).to_uppercase(), ids.alphanumeric(76));
    TaskError {
        http_status,
        code: code.to_owned(),
        message: in_full(message, http_status, code, Some(&request), Some(&extended)),
    }
}

/// A folder prefix gets a `/` after it unless it has one.
fn target_key(prefix: Option<&str>, key: &str) -> String {
    match prefix {
        None => key.to_owned(),
        Some(prefix) if prefix.ends_with('/') => format!("{prefix}{key}"),
        Some(prefix) => format!("{prefix}/{key}"),
    }
}

fn with_options(request: CopyObjectFluentBuilder, copy: &CopySpec) -> CopyObjectFluentBuilder {
    let tagging = copy.new_tags.as_ref().map(|tags| {
        let pair = |(key, value): &(String, String)| {
            format!("{}={}", KeyCodec::Percent.encode(key.as_bytes()), KeyCodec::Percent.encode(value.as_bytes()))
        };
        tags.iter().map(pair).collect::<Vec<_>>().join("&")
    });
    let directive = if tagging.is_some() { TaggingDirective::Replace } else { TaggingDirective::Copy };
    let encryption = copy.kms_key_id.as_ref().map(|_| ServerSideEncryption::AwsKms);
    request
        .tagging_directive(directive)
        .set_tagging(tagging)
        // Without a class the copy is STANDARD, whatever the source's class is.
        .set_storage_class(copy.storage_class.as_deref().map(StorageClass::from))
        .set_checksum_algorithm(copy.checksum_algorithm.as_deref().map(ChecksumAlgorithm::from))
        .set_acl(copy.canned_acl.as_deref().map(ObjectCannedAcl::from))
        .set_copy_source_if_modified_since(copy.modified_since.map(date_time))
        .set_copy_source_if_unmodified_since(copy.unmodified_since.map(date_time))
        .set_server_side_encryption(encryption)
        .set_ssekms_key_id(copy.kms_key_id.clone())
        .set_bucket_key_enabled(copy.bucket_key_enabled)
        .set_request_payer(copy.requester_pays.then_some(RequestPayer::Requester))
        .set_object_lock_mode(copy.lock_mode.as_deref().map(ObjectLockMode::from))
        .set_object_lock_retain_until_date(copy.lock_until.map(date_time))
        .set_object_lock_legal_hold_status(copy.legal_hold.as_deref().map(ObjectLockLegalHoldStatus::from))
}

fn date_time(when: Timestamp) -> DateTime {
    DateTime::from_secs_and_nanos(when.as_second(), u32::try_from(when.subsec_nanosecond()).unwrap_or(0))
}

/// The HTTP status, code and message of any failed S3 call.
pub(crate) fn task_error<E>(error: &SdkError<E>) -> TaskError
where
    E: ProvideErrorMetadata + Error + 'static,
    SdkError<E>: RequestId + RequestIdExt,
{
    let Some(status) = error.raw_response().map(|raw| raw.status().as_u16()) else {
        // No answer at all: AWS reports its own trouble to reach the store as an internal error.
        return TaskError { http_status: 500, code: "InternalError".to_owned(), message: with_reasons(error) };
    };
    let code = error.code().unwrap_or(match status {
        403 => "AccessDenied",
        404 => "NoSuchKey",
        412 => "PreconditionFailed",
        _ => "InternalError",
    });
    let message = error.message().unwrap_or(code);
    TaskError {
        http_status: status,
        code: code.to_owned(),
        message: in_full(message, status, code, error.request_id(), error.extended_request_id()),
    }
}

/// A failed S3 call in one line, for people.
pub(crate) fn failed_call<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    SdkError<E>: RequestId + RequestIdExt,
{
    if error.raw_response().is_none() {
        return with_reasons(error);
    }
    let TaskError { http_status, code, .. } = task_error(error);
    format!("{code} (HTTP {http_status}): {}", error.message().unwrap_or("no further message"))
}

/// An error with all that led to it: the SDK's own text of a call without an answer is only "dispatch failure".
pub(crate) fn with_reasons(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut reason = error.source();
    while let Some(error) = reason {
        text.push_str(": ");
        text.push_str(&error.to_string());
        reason = error.source();
    }
    text
}

/// The message as the service's own client words it.
fn in_full(message: &str, status: u16, code: &str, request: Option<&str>, extended: Option<&str>) -> String {
    let (request, extended) = (request.unwrap_or("null"), extended.unwrap_or("null"));
    format!(
        "{message} (Service: Amazon S3; Status Code: {status}; Error Code: {code}; Request ID: {request}; \
         S3 Extended Request ID: {extended}; Proxy: null)"
    )
}
