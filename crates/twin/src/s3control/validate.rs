//! The checks of CreateJob, as the API reference and the user guide state them.
//!
//! A member that AWS has and the twin does not act upon is refused by name: a copy that silently leaves something out
//! would be worse than none.

use jiff::Timestamp;
use levee_formats::batch_manifest::Fields;

use super::{
    spec::{CopySpec, JobSpec, ManifestFormat, ManifestSpec, ReportSpec, RestoreSpec, Work},
    xml::Element,
};
use crate::service::ServiceError;

type Checked<T> = Result<T, ServiceError>;

const OPERATIONS: [&str; 11] = [
    "LambdaInvoke",
    "S3PutObjectCopy",
    "S3PutObjectAcl",
    "S3PutObjectTagging",
    "S3DeleteObjectTagging",
    "S3InitiateRestoreObject",
    "S3PutObjectLegalHold",
    "S3PutObjectRetention",
    "S3ReplicateObject",
    "S3ComputeObjectChecksum",
    "S3UpdateObjectEncryption",
];
const STORAGE_CLASSES: [&str; 7] =
    ["STANDARD", "STANDARD_IA", "ONEZONE_IA", "GLACIER", "INTELLIGENT_TIERING", "DEEP_ARCHIVE", "GLACIER_IR"];
const CHECKSUMS: [&str; 10] =
    ["CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"];
const CANNED_ACLS: [&str; 7] = [
    "private",
    "public-read",
    "public-read-write",
    "aws-exec-read",
    "authenticated-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];

/// Members of `S3PutObjectCopy` that AWS has and that are refused here.
const COPY_NOT_MODELLED: [&str; 5] = [
    "AccessControlGrants",
    "NewObjectMetadata",
    "RedirectLocation",
    "ObjectLockEventHold",
    "ObjectLockEventHoldDuration",
];

/// Reads a CreateJob request of `account`.
///
/// # Errors
/// `BadRequestException` naming the member, `AccessDeniedException` for a role of another account, or
/// `NotImplemented` for what AWS would accept and the twin does not model.
pub(crate) fn create_job(account: &str, root: &Element) -> Checked<JobSpec> {
    if root.name != "CreateJobRequest" {
        return Err(bad(format!("the body is {}, not CreateJobRequest", root.name)));
    }
    known(
        root,
        &[
            "ClientRequestToken",
            "ConfirmationRequired",
            "Description",
            "Manifest",
            "ManifestGenerator",
            "Operation",
            "Priority",
            "Report",
            "RoleArn",
            "Tags",
        ],
    )?;
    if root.child("ManifestGenerator").is_some() {
        return Err(match root.child("Manifest") {
            Some(_) => bad("give either Manifest or ManifestGenerator, not both"),
            None => ServiceError::not_modelled("ManifestGenerator; give a Manifest"),
        });
    }
    let manifest = required(root, "Manifest")?;
    let operation = required(root, "Operation")?;
    let report = required(root, "Report")?;
    let role_arn = text(root, "RoleArn", 2048)?.ok_or_else(|| missing(root, "RoleArn"))?;
    own_role(account, &role_arn)?;
    let spec = JobSpec {
        token: text(root, "ClientRequestToken", 64)?.ok_or_else(|| missing(root, "ClientRequestToken"))?,
        // Absent means that the job waits for its confirmation, as for jobs made in the console.
        confirmation_required: boolean(root, "ConfirmationRequired")?.unwrap_or(true),
        description: text(root, "Description", 256)?,
        priority: priority(root.text_of("Priority").ok_or_else(|| missing(root, "Priority"))?)?,
        role_arn,
        work: operation_of(operation)?,
        manifest: manifest_of(manifest)?,
        report: report_of(report)?,
        tags: root.child("Tags").map_or_else(|| Ok(Vec::new()), |list| tags(list, 50))?,
        echo: vec![manifest.clone(), operation.clone(), report.clone()],
    };
    Ok(spec)
}

/// A job's priority: 0 to 2,147,483,647.
pub(crate) fn priority(text: &str) -> Checked<i32> {
    match text.trim().parse::<i32>() {
        Ok(number) if number >= 0 => Ok(number),
        _ => Err(bad(format!("Priority must be a whole number from 0 to 2147483647, not {text:?}"))),
    }
}

/// The pairs of a tag list, with the limits of job tags.
pub(crate) fn tags(list: &Element, limit: usize) -> Checked<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for member in &list.children {
        known(member, &["Key", "Value"])?;
        let key = member.text_of("Key").unwrap_or_default();
        let value = member.text_of("Value").ok_or_else(|| missing(member, "Value"))?;
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(bad("a tag needs a key of 1 to 128 characters and a value of at most 256"));
        }
        if pairs.iter().any(|(other, _)| other == key) {
            return Err(bad(format!("the tag {key:?} is given twice")));
        }
        pairs.push((key.to_owned(), value.to_owned()));
    }
    if pairs.len() > limit {
        let message = format!("{} tags given; at most {limit} are allowed", pairs.len());
        return Err(ServiceError::client("TooManyTagsException", message));
    }
    Ok(pairs)
}

fn operation_of(operation: &Element) -> Checked<Work> {
    known(operation, &OPERATIONS)?;
    match operation.children.as_slice() {
        [one] if one.name == "S3PutObjectCopy" => copy_of(one).map(|copy| Work::Copy(Box::new(copy))),
        [one] if one.name == "S3InitiateRestoreObject" => restore_of(one).map(Work::Restore),
        [one] => Err(ServiceError::not_modelled(format!(
            "the operation {}; only S3PutObjectCopy and S3InitiateRestoreObject",
            one.name
        ))),
        _ => Err(bad("Operation must have exactly one member")),
    }
}

fn restore_of(restore: &Element) -> Checked<RestoreSpec> {
    known(restore, &["ExpirationInDays", "GlacierJobTier"])?;
    let days = restore.text_of("ExpirationInDays").map(|text| match text.trim().parse::<i32>() {
        Ok(days) if days >= 1 => Ok(days),
        _ => Err(bad(format!("ExpirationInDays must be a whole number of at least 1, not {text:?}"))),
    });
    Ok(RestoreSpec { days: days.transpose()?, tier: one_of(restore, "GlacierJobTier", &["BULK", "STANDARD"])? })
}

fn copy_of(copy: &Element) -> Checked<CopySpec> {
    if let Some(member) = copy.children.iter().find(|child| COPY_NOT_MODELLED.contains(&child.name.as_str())) {
        return Err(ServiceError::not_modelled(format!("S3PutObjectCopy.{}", member.name)));
    }
    known(
        copy,
        &[
            "TargetResource",
            "CannedAccessControlList",
            "MetadataDirective",
            "AnnotationDirective",
            "ModifiedSinceConstraint",
            "NewObjectTagging",
            "RequesterPays",
            "StorageClass",
            "UnModifiedSinceConstraint",
            "SSEAwsKmsKeyId",
            "TargetKeyPrefix",
            "ObjectLockLegalHoldStatus",
            "ObjectLockMode",
            "ObjectLockRetainUntilDate",
            "BucketKeyEnabled",
            "ChecksumAlgorithm",
        ],
    )?;
    if one_of(copy, "MetadataDirective", &["COPY", "REPLACE"])?.as_deref() == Some("REPLACE") {
        return Err(ServiceError::not_modelled("S3PutObjectCopy.MetadataDirective REPLACE"));
    }
    one_of(copy, "AnnotationDirective", &["COPY", "EXCLUDE"])?;
    let target = copy.text_of("TargetResource").ok_or_else(|| missing(copy, "TargetResource"))?;
    let spec = CopySpec {
        target_bucket: bucket_of(target, "TargetResource")?,
        target_key_prefix: text(copy, "TargetKeyPrefix", 1024)?,
        storage_class: one_of(copy, "StorageClass", &STORAGE_CLASSES)?,
        checksum_algorithm: one_of(copy, "ChecksumAlgorithm", &CHECKSUMS)?,
        canned_acl: one_of(copy, "CannedAccessControlList", &CANNED_ACLS)?,
        modified_since: time(copy, "ModifiedSinceConstraint")?,
        unmodified_since: time(copy, "UnModifiedSinceConstraint")?,
        kms_key_id: text(copy, "SSEAwsKmsKeyId", 2000)?,
        bucket_key_enabled: boolean(copy, "BucketKeyEnabled")?,
        requester_pays: boolean(copy, "RequesterPays")?.unwrap_or(false),
        new_tags: copy.child("NewObjectTagging").map(|list| tags(list, 10)).transpose()?,
        lock_mode: one_of(copy, "ObjectLockMode", &["COMPLIANCE", "GOVERNANCE"])?,
        lock_until: time(copy, "ObjectLockRetainUntilDate")?,
        legal_hold: one_of(copy, "ObjectLockLegalHoldStatus", &["ON", "OFF"])?,
    };
    if spec.lock_mode.is_some() != spec.lock_until.is_some() {
        return Err(bad("ObjectLockMode and ObjectLockRetainUntilDate must be given together"));
    }
    Ok(spec)
}

fn manifest_of(manifest: &Element) -> Checked<ManifestSpec> {
    known(manifest, &["Spec", "Location"])?;
    let (spec, location) = (required(manifest, "Spec")?, required(manifest, "Location")?);
    known(spec, &["Format", "Fields"])?;
    known(location, &["ObjectArn", "ObjectVersionId", "ETag"])?;
    let fields = spec.child("Fields").filter(|list| !list.children.is_empty());
    let format = match (spec.text_of("Format").ok_or_else(|| missing(spec, "Format"))?, fields) {
        ("S3BatchOperations_CSV_20180820", Some(list)) => ManifestFormat::Csv(fields_of(list)?),
        ("S3BatchOperations_CSV_20180820", None) => {
            return Err(bad("Manifest.Spec.Fields is required for S3BatchOperations_CSV_20180820"));
        }
        ("S3InventoryReport_CSV_20161130", None) => ManifestFormat::Inventory,
        ("S3InventoryReport_CSV_20161130", Some(_)) => {
            return Err(bad("Manifest.Spec.Fields is not allowed for S3InventoryReport_CSV_20161130"));
        }
        (other, _) => return Err(bad(format!("the manifest format {other:?} is unknown"))),
    };
    let arn = location.text_of("ObjectArn").ok_or_else(|| missing(location, "ObjectArn"))?;
    let (bucket, key) = s3_resource(arn).and_then(|resource| resource.split_once('/')).unwrap_or_default();
    if bucket.is_empty() || key.is_empty() {
        return Err(bad(format!("Manifest.Location.ObjectArn is not the ARN of an object: {arn:?}")));
    }
    let etag = text(location, "ETag", 1024)?.ok_or_else(|| missing(location, "ETag"))?;
    Ok(ManifestSpec {
        format,
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version_id: text(location, "ObjectVersionId", 2000)?,
        etag: etag.trim_matches('"').to_owned(),
    })
}

fn fields_of(list: &Element) -> Checked<Fields> {
    let names = list.children.iter().map(|member| member.text.as_str());
    Fields::parse(names).map_err(|error| bad(format!("Manifest.Spec.Fields: {error}")))
}

fn report_of(report: &Element) -> Checked<Option<ReportSpec>> {
    known(report, &["Bucket", "Format", "Enabled", "Prefix", "ReportScope", "ExpectedBucketOwner"])?;
    if !boolean(report, "Enabled")?.ok_or_else(|| missing(report, "Enabled"))? {
        return Ok(None);
    }
    let scope = one_of(report, "ReportScope", &["AllTasks", "FailedTasksOnly"])?;
    one_of(report, "Format", &["Report_CSV_20180820"])?.ok_or_else(|| missing(report, "Format"))?;
    let bucket = report.text_of("Bucket").ok_or_else(|| missing(report, "Bucket"))?;
    Ok(Some(ReportSpec {
        bucket: bucket_of(bucket, "Report.Bucket")?,
        prefix: text(report, "Prefix", 512)?,
        failed_tasks_only: scope.ok_or_else(|| missing(report, "ReportScope"))? == "FailedTasksOnly",
        expected_bucket_owner: text(report, "ExpectedBucketOwner", 64)?,
    }))
}

fn own_role(account: &str, arn: &str) -> Checked<()> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", owner, role] if role.starts_with("role/") && role.len() > 5 => {
            if *owner == account {
                return Ok(());
            }
            let message = format!("Cross-account pass role is not allowed: {arn} is not of account {account}");
            Err(ServiceError { code: "AccessDeniedException".into(), message, status: 403 })
        }
        _ => Err(bad(format!("RoleArn is not the ARN of a role: {arn:?}"))),
    }
}

fn bucket_of(arn: &str, member: &str) -> Checked<String> {
    match s3_resource(arn) {
        Some(name) if !name.is_empty() && !name.contains(['/', ':']) => Ok(name.to_owned()),
        _ if arn.contains(":s3express:") => Err(ServiceError::not_modelled(format!("a directory bucket as {member}"))),
        _ => Err(bad(format!("{member} is not the ARN of a bucket: {arn:?}"))),
    }
}

/// What follows `arn:<partition>:s3:::`.
fn s3_resource(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split_once(":s3:::").map(|(_, resource)| resource)
}

fn known(element: &Element, names: &[&str]) -> Checked<()> {
    for (index, child) in element.children.iter().enumerate() {
        if !names.contains(&child.name.as_str()) {
            return Err(bad(format!("{} has an unknown member {}", element.name, child.name)));
        }
        if element.children.iter().skip(index + 1).any(|other| other.name == child.name) {
            return Err(bad(format!("{} has {} twice", element.name, child.name)));
        }
    }
    Ok(())
}

fn required<'a>(parent: &'a Element, name: &str) -> Checked<&'a Element> {
    parent.child(name).ok_or_else(|| missing(parent, name))
}

/// The text of a member, 1 to `limit` characters.
fn text(parent: &Element, name: &str, limit: usize) -> Checked<Option<String>> {
    match parent.text_of(name) {
        Some(value) if value.is_empty() || value.chars().count() > limit => {
            Err(bad(format!("{}.{name} must have 1 to {limit} characters", parent.name)))
        }
        other => Ok(other.map(str::to_owned)),
    }
}

fn one_of(parent: &Element, name: &str, allowed: &[&str]) -> Checked<Option<String>> {
    match parent.text_of(name) {
        Some(value) if !allowed.contains(&value) => {
            Err(bad(format!("{}.{name} is {value:?}; it must be one of {}", parent.name, allowed.join(", "))))
        }
        other => Ok(other.map(str::to_owned)),
    }
}

fn boolean(parent: &Element, name: &str) -> Checked<Option<bool>> {
    match parent.text_of(name) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(bad(format!("{}.{name} must be true or false, not {other:?}", parent.name))),
    }
}

fn time(parent: &Element, name: &str) -> Checked<Option<Timestamp>> {
    parent
        .text_of(name)
        .map(|value| value.parse().map_err(|_| bad(format!("{}.{name} is not a time: {value:?}", parent.name))))
        .transpose()
}

fn missing(parent: &Element, name: &str) -> ServiceError {
    bad(format!("{}.{name} is required", parent.name))
}

fn bad(message: impl Into<String>) -> ServiceError {
    ServiceError::client("BadRequestException", message)
}
