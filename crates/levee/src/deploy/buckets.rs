//! The buckets, who may write to them, and the inventory of the source.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus,
    InventoryConfiguration, InventoryDestination, InventoryFormat, InventoryFrequency, InventoryIncludedObjectVersions,
    InventoryOptionalField, InventoryS3BucketDestination, InventorySchedule, LifecycleExpiration, LifecycleRule,
    LifecycleRuleFilter, VersioningConfiguration,
};
use levee_stage::Aws;
use serde_json::{Value, json};

use super::{Accounts, Plan};

/// How long anything stays in the scratch bucket of drills.
const SCRATCH_DAYS: i32 = 7;

/// The columns that the stages can use; every one is optional to them.
pub const INVENTORY_FIELDS: [InventoryOptionalField; 7] = [
    InventoryOptionalField::Size,
    InventoryOptionalField::LastModifiedDate,
    InventoryOptionalField::ETag,
    InventoryOptionalField::StorageClass,
    InventoryOptionalField::IsMultipartUploaded,
    InventoryOptionalField::EncryptionStatus,
    InventoryOptionalField::IntelligentTieringAccessTier,
];

/// Lets S3 deliver the inventories of the sources, and nobody else write in its name. One statement for all of them,
/// because a bucket policy has at most 20 KB.
#[must_use]
pub fn manifest_bucket_policy(bucket: &str, plans: &[Plan]) -> Value {
    let sources: Vec<_> = plans.iter().map(|plan| format!("arn:aws:s3:::{}", plan.source)).collect();
    let accounts: BTreeSet<_> = plans.iter().map(|plan| &plan.warehouse_account).collect();
    json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "InventoryDelivery",
        "Effect": "Allow",
        "Principal": { "Service": "s3.amazonaws.com" },
        "Action": "s3:PutObject",
        "Resource": format!("arn:aws:s3:::{bucket}/*"),
        "Condition": {
            "ArnLike": { "aws:SourceArn": sources },
            "StringEquals": {
                "aws:SourceAccount": accounts,
                "s3:x-amz-acl": "bucket-owner-full-control",
            },
        },
    }]})
}

/// Lets the copy role read the source and restore its archived objects, the workers of large-copy and table-verify read it, that of
/// report-parse look for objects that a report says are gone, and that of thaw look whether objects are restored.
/// `ListBucket` is there because without it a missing key answers 403 in place of 404, and nobody could tell a vanished object
/// from a denied one.
#[must_use]
pub fn source_bucket_policy(plan: &Plan) -> Value {
    let looks = reader(plan, &plan.worker_role_arn("report-parse"), ["ReportParseLooks", "ReportParseLists"]);
    let restores = reader(plan, &plan.worker_role_arn("thaw"), ["ThawLooks", "ThawLists"]);
    let copies = copying(plan, "large-copy", ["LargeCopyReads", "LargeCopyLists"]);
    let repairs = copying(plan, "table-verify", ["TableVerifyReads", "TableVerifyLists"]);
    let readers = looks.into_iter().chain(restores).chain(copies).chain(repairs);
    let writers = restoring(plan, &plan.source);
    let statements: Vec<_> = copier(plan).into_iter().chain(readers).chain(writers.into_iter().flatten()).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// What a copy job needs of the source.
fn copier(plan: &Plan) -> [Value; 3] {
    let bucket = format!("arn:aws:s3:::{}", plan.source);
    [
        json!({
            "Sid": "BatchCopyReads",
            "Effect": "Allow",
            "Principal": { "AWS": plan.copy_role_arn },
            "Action": [
                "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl", "s3:GetObjectVersionAcl",
                "s3:GetObjectTagging", "s3:GetObjectVersionTagging",
            ],
            "Resource": format!("{bucket}/*"),
        }),
        json!({
            "Sid": "BatchCopyLists",
            "Effect": "Allow",
            "Principal": { "AWS": plan.copy_role_arn },
            "Action": "s3:ListBucket",
            "Resource": &bucket,
        }),
        json!({
            "Sid": "BatchRestores",
            "Effect": "Allow",
            "Principal": { "AWS": plan.copy_role_arn },
            "Action": "s3:RestoreObject",
            "Resource": format!("{bucket}/*"),
        }),
    ]
}

/// What a worker that copies objects needs of the source.
fn copying(plan: &Plan, stage: &str, [read, list]: [&str; 2]) -> [Value; 2] {
    let bucket = format!("arn:aws:s3:::{}", plan.source);
    let role = plan.worker_role_arn(stage);
    let reads = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"];
    let allow = |sid: &str, actions: &[&str], resource: String| json!({ "Sid": sid, "Effect": "Allow", "Principal": { "AWS": &role }, "Action": actions, "Resource": resource });
    [allow(read, &reads, format!("{bucket}/*")), allow(list, &["s3:ListBucket"], bucket)]
}

/// What brings tables back into a bucket, beside what large-copy and table-verify read of a source anyhow; none while restores
/// are not enabled: the copy jobs of restores write objects, large-copy those that are too large for one, table-verify a
/// `_last_checkpoint` and the commits of rollbacks; restore-plan looks at what is there. As the source module of Terraform has it.
fn restoring(plan: &Plan, bucket: &str) -> Option<Vec<Value>> {
    let role = plan.restore_role_arn.as_deref()?;
    let bucket = format!("arn:aws:s3:::{bucket}");
    let allow = |sid: &str, role: &str, actions: &[&str], resource: &str| json!({ "Sid": sid, "Effect": "Allow", "Principal": { "AWS": role }, "Action": actions, "Resource": resource });
    let objects = format!("{bucket}/*");
    let writes = [
        "s3:PutObject",
        "s3:PutObjectAcl",
        "s3:PutObjectVersionAcl",
        "s3:PutObjectTagging",
        "s3:PutObjectVersionTagging",
    ];
    let (large_copy, verify) = (plan.worker_role_arn("large-copy"), plan.worker_role_arn("table-verify"));
    let uploads = ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"];
    let mut statements = vec![
        allow("RestoreBatchWrites", role, &writes, &objects),
        allow("RestoreLargeWrites", &large_copy, &uploads, &objects),
        allow("RestoreLargeFindsUploads", &large_copy, &["s3:ListBucketMultipartUploads"], &bucket),
        allow("RestoreVerifyWritesLogs", &verify, &["s3:PutObject"], &format!("{bucket}/*_delta_log/*")),
    ];
    let sids = ["RestorePlanReads", "RestorePlanLists"];
    statements.extend(reader_of(&bucket, &plan.worker_role_arn("restore-plan"), sids));
    Some(statements)
}

/// Lets tables be brought back into a bucket that is no source; none while restores are not enabled.
#[must_use]
pub fn restore_bucket_policy(plan: &Plan, bucket: &str) -> Option<Value> {
    let mut statements = restoring(plan, bucket)?;
    let bucket = format!("arn:aws:s3:::{bucket}");
    for (stage, sids) in [
        ("large-copy", ["LargeCopyReads", "LargeCopyLists"]),
        ("table-verify", ["TableVerifyReads", "TableVerifyLists"]),
    ] {
        statements.extend(reader_of(&bucket, &plan.worker_role_arn(stage), sids));
    }
    Some(json!({ "Version": "2012-10-17", "Statement": statements }))
}

/// What a role needs to read objects and to be told which are not there.
pub(super) fn reader(plan: &Plan, role: &str, sids: [&str; 2]) -> [Value; 2] {
    reader_of(&format!("arn:aws:s3:::{}", plan.source), role, sids)
}

fn reader_of(bucket: &str, role: &str, [reads, lists]: [&str; 2]) -> [Value; 2] {
    let allow = |sid: &str, action: &str, resource: String| json!({ "Sid": sid, "Effect": "Allow", "Principal": { "AWS": role }, "Action": action, "Resource": resource });
    [allow(reads, "s3:GetObject", format!("{bucket}/*")), allow(lists, "s3:ListBucket", bucket.to_owned())]
}

/// The buckets of the backup account that all sources share: those that `plan` names.
pub(super) async fn shared(accounts: &Accounts, plan: &Plan, plans: &[Plan]) -> Result<()> {
    for name in [&plan.manifest_bucket, &plan.report_bucket, &plan.ledger_bucket] {
        bucket(&accounts.backup, name).await?;
        versioned(&accounts.backup, name).await?;
    }
    if let Some(name) = &plan.scratch_bucket {
        bucket(&accounts.backup, name).await?;
        expiring(&accounts.backup, name).await?;
    }
    policy(&accounts.backup, &plan.manifest_bucket, &manifest_bucket_policy(&plan.manifest_bucket, plans)).await
}

/// The source bucket and who may read it.
pub(super) async fn source(accounts: &Accounts, plan: &Plan) -> Result<()> {
    bucket(&accounts.warehouse, &plan.source).await?;
    policy(&accounts.warehouse, &plan.source, &source_bucket_policy(plan)).await
}

pub(super) async fn bucket(aws: &Aws, name: &str) -> Result<()> {
    match aws.s3.create_bucket().bucket(name).send().await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_bucket_already_owned_by_you()) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot create the bucket {name}")),
    }
}

pub(super) async fn versioned(aws: &Aws, name: &str) -> Result<()> {
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    aws.s3
        .put_bucket_versioning()
        .bucket(name)
        .versioning_configuration(enabled)
        .send()
        .await
        .with_context(|| format!("cannot turn on the versioning of {name}"))?;
    Ok(())
}

/// What drills leave in their bucket goes after a week, whatever became of them. It is not versioned: what is deleted there is gone.
async fn expiring(aws: &Aws, name: &str) -> Result<()> {
    let rule = LifecycleRule::builder()
        .id("scratch")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .expiration(LifecycleExpiration::builder().days(SCRATCH_DAYS).build())
        .abort_incomplete_multipart_upload(
            AbortIncompleteMultipartUpload::builder().days_after_initiation(SCRATCH_DAYS).build(),
        )
        .build()?;
    aws.s3
        .put_bucket_lifecycle_configuration()
        .bucket(name)
        .lifecycle_configuration(BucketLifecycleConfiguration::builder().rules(rule).build()?)
        .send()
        .await
        .with_context(|| format!("cannot set the lifecycle of {name}"))?;
    Ok(())
}

pub(super) async fn policy(aws: &Aws, name: &str, policy: &Value) -> Result<()> {
    aws.s3
        .put_bucket_policy()
        .bucket(name)
        .policy(policy.to_string())
        .send()
        .await
        .with_context(|| format!("cannot set the policy of {name}"))?;
    Ok(())
}

/// Has S3 describe the source every day. Set last, once the destination lets S3 in.
pub(super) async fn inventory(accounts: &Accounts, plan: &Plan) -> Result<()> {
    let destination = InventoryS3BucketDestination::builder()
        .account_id(&plan.backup_account)
        .bucket(format!("arn:aws:s3:::{}", plan.manifest_bucket))
        .prefix(&plan.inventory_prefix)
        .format(InventoryFormat::Csv)
        .build()?;
    let configuration = InventoryConfiguration::builder()
        .id(&plan.inventory_id)
        .is_enabled(true)
        .included_object_versions(InventoryIncludedObjectVersions::Current)
        .schedule(InventorySchedule::builder().frequency(InventoryFrequency::Daily).build()?)
        .destination(InventoryDestination::builder().s3_bucket_destination(destination).build())
        .set_optional_fields(Some(INVENTORY_FIELDS.to_vec()))
        .build()?;
    accounts
        .warehouse
        .s3
        .put_bucket_inventory_configuration()
        .bucket(&plan.source)
        .id(&plan.inventory_id)
        .inventory_configuration(configuration)
        .send()
        .await
        .with_context(|| format!("cannot configure the inventory of {}", plan.source))?;
    Ok(())
}
