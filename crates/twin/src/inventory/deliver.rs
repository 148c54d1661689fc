//! Writes a report into the destination bucket: data files, symlink, manifest, and the checksum last.

use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{ObjectCannedAcl, ServerSideEncryption},
};
use http::HeaderValue;
use levee_formats::inventory::{Column, DataFile, DataWriter, FileFormat, Manifest, Record};

use super::{
    InventoryError, Report, Shared,
    faults::{Faults, InventoryFaultKind},
    plan::{Encryption, Plan},
    scan::ScannedObject,
};
use crate::{
    s3control::failed_call,
    service::{Caller, Principal},
};

/// The version of the manifest's format.
const VERSION: &str = "2016-11-30";

/// Delivers the report; the bucket and key of its manifest.
pub(crate) async fn deliver(
    shared: &Shared,
    report: &Report,
    faults: &Faults,
) -> Result<(String, String), InventoryError> {
    let plan = &report.plan;
    let base = match &plan.destination_prefix {
        Some(prefix) => format!("{prefix}/{}/{}", plan.bucket, plan.id),
        None => format!("{}/{}", plan.bucket, plan.id),
    };
    let manifest_key = format!("{base}/{}/manifest.json", report.scan.strftime("%Y-%m-%dT%H-%MZ"));
    let place = (plan.destination.clone(), manifest_key.clone());
    if faults.has(&InventoryFaultKind::Missing) {
        return Ok(place);
    }
    let caller = Caller {
        account: plan.account.clone(),
        region: shared.region.clone(),
        principal: Principal::Service("s3.amazonaws.com".to_owned()),
    };
    let client = shared.clients.client(&caller);
    let mut files = Vec::new();
    for rows in report.rows.chunks(shared.options.rows_per_file.max(1)) {
        let (file, body) = data_file(plan, rows, format!("{base}/data/{}.csv.gz", shared.env.ids.uuid()))?;
        if let Some(body) = spoiled(body, files.is_empty(), faults) {
            put(&client, plan, &file.key, body).await?;
        }
        files.push(file);
    }
    let links: String = files.iter().map(|file| format!("s3://{}/{}\n", plan.destination, file.key)).collect();
    let symlink = format!("{base}/hive/dt={}/symlink.txt", report.scan.strftime("%Y-%m-%d-%H-%M"));
    put(&client, plan, &symlink, links.into_bytes()).await?;
    let manifest = Manifest {
        source_bucket: plan.bucket.clone(),
        destination_bucket: plan.destination.clone(),
        version: VERSION.to_owned(),
        created: report.scan,
        format: FileFormat::Csv,
        schema: plan.schema.clone(),
        files,
    };
    let manifest = manifest.to_json();
    let checksum = if faults.has(&InventoryFaultKind::ChecksumWrong) {
        Manifest::checksum(b"another manifest")
    } else {
        Manifest::checksum(&manifest)
    };
    put(&client, plan, &manifest_key, manifest).await?;
    if !faults.has(&InventoryFaultKind::ChecksumMissing) {
        let key = manifest_key.replace("manifest.json", "manifest.checksum");
        put(&client, plan, &key, checksum.into_bytes()).await?;
    }
    Ok(place)
}

fn data_file(plan: &Plan, rows: &[ScannedObject], key: String) -> Result<(DataFile, Vec<u8>), InventoryError> {
    let unwritable = |why: String| InventoryError::Write { bucket: plan.bucket.clone(), why };
    let mut writer = DataWriter::inventory(Vec::new(), &plan.schema).map_err(|error| unwritable(error.to_string()))?;
    for row in rows {
        let further: Vec<(Column, &str)> =
            row.further.iter().map(|(column, value)| (column.clone(), value.as_str())).collect();
        writer
            .row(&Record {
                bucket: &plan.bucket,
                key: row.key.as_bytes(),
                version_id: row.version_id.as_deref(),
                is_latest: row.is_latest,
                is_delete_marker: row.is_delete_marker,
                size: row.size,
                last_modified: row.last_modified,
                etag: row.etag.as_deref(),
                storage_class: row.storage_class.as_deref(),
                // S3 gives a multipart object an entity tag with the number of parts behind a dash.
                is_multipart_uploaded: row.etag.as_deref().map(|etag| etag.contains('-')),
                further: &further,
            })
            .map_err(|error| unwritable(error.to_string()))?;
    }
    let written = writer.finish().map_err(|error| unwritable(error.to_string()))?;
    Ok((DataFile { key, size: written.size, md5: written.md5 }, written.writer))
}

/// The bytes that are really put; `None` for a data file that is planned to be missing.
fn spoiled(mut body: Vec<u8>, first: bool, faults: &Faults) -> Option<Vec<u8>> {
    if first && faults.has(&InventoryFaultKind::DataFileMissing) {
        return None;
    }
    if first && faults.has(&InventoryFaultKind::DataFileTruncated) {
        body.truncate(body.len() / 2);
    }
    let middle = body.len() / 2;
    if first
        && faults.has(&InventoryFaultKind::DataFileCorrupt)
        && let Some(byte) = body.get_mut(middle)
    {
        *byte ^= 0x55;
    }
    Some(body)
}

async fn put(client: &Client, plan: &Plan, key: &str, body: Vec<u8>) -> Result<(), InventoryError> {
    let (encryption, kms_key) = match &plan.encryption {
        Encryption::BucketDefault => (None, None),
        Encryption::SseS3 => (Some(ServerSideEncryption::Aes256), None),
        Encryption::SseKms(key) => (Some(ServerSideEncryption::AwsKms), Some(key.clone())),
    };
    let source_arn = format!("arn:aws:s3:::{}", plan.bucket);
    let source_account = plan.account.clone();
    let request = client
        .put_object()
        .bucket(&plan.destination)
        .key(key)
        .acl(ObjectCannedAcl::BucketOwnerFullControl)
        .set_expected_bucket_owner(plan.destination_owner.clone())
        .set_server_side_encryption(encryption)
        .set_ssekms_key_id(kms_key)
        .body(ByteStream::from(body))
        .customize()
        .mutate_request(move |request| {
            // The keys aws:SourceArn and aws:SourceAccount of the destination's policy.
            let headers = [("x-levee-twin-source-arn", &source_arn), ("x-levee-twin-source-account", &source_account)];
            for (name, value) in headers {
                if let Ok(value) = HeaderValue::from_str(value) {
                    request.headers_mut().insert(name, value);
                }
            }
        });
    request.send().await.map(|_| ()).map_err(|error| InventoryError::Delivery {
        bucket: plan.destination.clone(),
        key: key.to_owned(),
        why: failed_call(&error),
    })
}
