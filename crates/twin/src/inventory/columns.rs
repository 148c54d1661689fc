//! The columns that a listing does not give: they come from HeadObject, or are empty where the twin has no such thing.

use aws_sdk_s3::{Client, error::ProvideErrorMetadata, operation::head_object::HeadObjectOutput};
use base64::{Engine, engine::general_purpose::STANDARD};
use levee_formats::inventory::Column;
use serde_json::json;

use super::{
    plan::Plan,
    scan::{ScannedObject, timestamp},
};
use crate::s3control::failed_call;

/// Columns whose values HeadObject gives.
const FROM_HEAD: [Column; 7] = [
    Column::EncryptionStatus,
    Column::BucketKeyStatus,
    Column::ReplicationStatus,
    Column::ObjectLockMode,
    Column::ObjectLockRetainUntilDate,
    Column::ObjectLockLegalHoldStatus,
    Column::IntelligentTieringAccessTier,
];

/// Fills the further columns of a row; `false` when the object has vanished since it was listed.
pub(crate) async fn complete(client: &Client, plan: &Plan, row: &mut ScannedObject) -> Result<bool, String> {
    let wants_head = FROM_HEAD.iter().any(|column| plan.schema.has(column));
    if wants_head && !row.is_delete_marker {
        let request = client.head_object().bucket(&plan.bucket).key(&row.key);
        match request.set_version_id(row.version_id.clone()).send().await {
            Ok(head) => row.further.extend(from_head(&head, row)),
            Err(error) => match error.raw_response().map(|raw| raw.status().as_u16()) {
                Some(404) => return Ok(false),
                // The object is under a key of the customer's own, without which nothing more is told.
                Some(400) => row.further.push((Column::EncryptionStatus, "SSE-C".to_owned())),
                _ => return Err(format!("{}: {}", error.code().unwrap_or("HeadObject"), failed_call(&error))),
            },
        }
    }
    if !row.is_delete_marker {
        row.further.push((Column::ChecksumAlgorithm, row.checksum_algorithms.join(",")));
    }
    if let Some(owner) = &row.owner {
        row.further.push((Column::ObjectOwner, owner.clone()));
        // ACLs are disabled, so the owner's full control is all that there is.
        let grant = json!({"canonicalId": owner, "type": "CanonicalUser", "permission": "FULL_CONTROL"});
        let list = json!({"version": "2022-11-10", "status": "AVAILABLE", "grants": [grant]});
        row.further.push((Column::ObjectAccessControlList, STANDARD.encode(list.to_string())));
    }
    Ok(true)
}

fn from_head(head: &HeadObjectOutput, row: &ScannedObject) -> Vec<(Column, String)> {
    let kms = head.server_side_encryption().is_some_and(|kind| kind.as_str().starts_with("aws:kms"));
    let encryption = match head.server_side_encryption().map(|kind| kind.as_str()) {
        Some("AES256") => "SSE-S3",
        Some("aws:kms") => "SSE-KMS",
        Some("aws:kms:dsse") => "DSSE-KMS",
        _ if head.sse_customer_algorithm().is_some() => "SSE-C",
        _ => "NOT-SSE",
    };
    let mut values = vec![(Column::EncryptionStatus, encryption.to_owned())];
    if kms {
        let enabled = head.bucket_key_enabled().unwrap_or(false);
        values.push((Column::BucketKeyStatus, if enabled { "ENABLED" } else { "DISABLED" }.to_owned()));
    }
    if let Some(status) = head.replication_status() {
        values.push((Column::ReplicationStatus, status.as_str().to_owned()));
    }
    if let Some(mode) = head.object_lock_mode() {
        values.push((Column::ObjectLockMode, mode.as_str().to_owned()));
    }
    if let Some(until) = head.object_lock_retain_until_date() {
        let until = timestamp(Some(until)).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
        values.push((Column::ObjectLockRetainUntilDate, until));
    }
    if let Some(hold) = head.object_lock_legal_hold_status() {
        let hold = if hold.as_str() == "ON" { "On" } else { "Off" };
        values.push((Column::ObjectLockLegalHoldStatus, hold.to_owned()));
    }
    if row.storage_class.as_deref() == Some("INTELLIGENT_TIERING") {
        let tier = head.archive_status().map_or("FREQUENT", |status| match status.as_str() {
            "ARCHIVE_ACCESS" => "ARCHIVE",
            "DEEP_ARCHIVE_ACCESS" => "DEEP_ARCHIVE",
            other => other,
        });
        values.push((Column::IntelligentTieringAccessTier, tier.to_owned()));
    }
    values
}
