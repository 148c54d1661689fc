//! ListParts and ListMultipartUploads.

use s3s::{
    S3Result,
    dto::{self, ETag},
};

use super::{checksum_type, upload};
use crate::s3::{
    Backend,
    access::Target,
    checksum::StoredChecksum,
    context::Context,
    list::{Encoding, owner, page_size},
    store::{Upload, UploadedPart},
};

impl Backend {
    pub(crate) fn list_parts(&self, context: &Context, input: dto::ListPartsInput) -> S3Result<dto::ListPartsOutput> {
        let expected = input.expected_bucket_owner.as_deref();
        let target = Target::Object(&input.bucket, &input.key);
        let actions = ["s3:ListMultipartUploadParts"];
        let entered = self.enter(context, "ListParts", target, expected, &actions)?;
        let bucket = entered.bucket()?;
        let upload = upload(bucket, &input.upload_id, &input.key)?;
        let size = page_size(input.max_parts)?;
        let after = input.part_number_marker.unwrap_or_default();
        let mut behind = upload.parts.range(after.saturating_add(1)..);
        let parts: Vec<_> = behind.by_ref().take(size).map(|(number, part)| part_entry(*number, part)).collect();
        let truncated = behind.next().is_some();
        let last = parts.last().and_then(|part| part.part_number);
        Ok(dto::ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            part_number_marker: Some(after),
            next_part_number_marker: last,
            max_parts: i32::try_from(size).ok(),
            is_truncated: Some(truncated),
            parts: (!parts.is_empty()).then_some(parts),
            initiator: Some(initiator(upload)),
            owner: Some(owner(bucket)),
            storage_class: Some(upload.template.storage_class.clone().into()),
            checksum_algorithm: algorithm(upload),
            checksum_type: upload.checksum_algorithm.map(|_| checksum_type(upload.full_object_checksum)),
            ..Default::default()
        })
    }

    pub(crate) fn list_multipart_uploads(
        &self,
        context: &Context,
        input: dto::ListMultipartUploadsInput,
    ) -> S3Result<dto::ListMultipartUploadsOutput> {
        let expected = input.expected_bucket_owner.as_deref();
        let target = Target::Bucket(&input.bucket);
        let actions = ["s3:ListBucketMultipartUploads"];
        let entered = self.enter(context, "ListMultipartUploads", target, expected, &actions)?;
        if input.delimiter.as_deref().is_some_and(|delimiter| !delimiter.is_empty()) {
            return Err(s3s::s3_error!(NotImplemented, "the twin does not model a delimiter in lists of uploads"));
        }
        let bucket = entered.bucket()?;
        let encoding = Encoding::new(input.encoding_type.as_ref())?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let size = page_size(input.max_uploads)?;
        let (key, id) =
            (input.key_marker.clone().unwrap_or_default(), input.upload_id_marker.clone().unwrap_or_default());
        let behind_marker = |upload: &Upload, upload_id: &str| {
            upload.key > key || (upload.key == key && !id.is_empty() && *upload_id > *id)
        };
        let mut found: Vec<_> = bucket
            .uploads
            .iter()
            .filter(|(id, upload)| upload.key.starts_with(&prefix) && behind_marker(upload, id))
            .collect();
        found.sort_by(|(id, upload), (other_id, other)| (&upload.key, id).cmp(&(&other.key, other_id)));
        let truncated = found.len() > size;
        found.truncate(size);
        let last = found.last().filter(|_| truncated).map(|(id, upload)| (upload.key.clone(), (*id).clone()));
        let (next_key, next_id) = last.unzip();
        let entry = |(id, upload): (&String, &Upload)| dto::MultipartUpload {
            key: Some(encoding.text(upload.key.clone())),
            upload_id: Some(id.clone()),
            initiated: Some(upload.initiated.clone()),
            initiator: Some(initiator(upload)),
            owner: Some(owner(bucket)),
            storage_class: Some(upload.template.storage_class.clone().into()),
            checksum_algorithm: algorithm(upload),
            checksum_type: upload.checksum_algorithm.map(|_| checksum_type(upload.full_object_checksum)),
        };
        let uploads: Vec<_> = found.into_iter().map(entry).collect();
        Ok(dto::ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: Some(encoding.text(prefix)),
            key_marker: Some(encoding.text(key)),
            upload_id_marker: Some(id),
            next_key_marker: next_key.map(|key| encoding.text(key)),
            next_upload_id_marker: next_id,
            max_uploads: i32::try_from(size).ok(),
            is_truncated: Some(truncated),
            uploads: (!uploads.is_empty()).then_some(uploads),
            encoding_type: input.encoding_type,
            ..Default::default()
        })
    }
}

fn initiator(upload: &Upload) -> dto::Initiator {
    dto::Initiator { id: Some(upload.initiator.clone()), display_name: None }
}

fn algorithm(upload: &Upload) -> Option<dto::ChecksumAlgorithm> {
    upload.checksum_algorithm.map(|algorithm| dto::ChecksumAlgorithm::from_static(algorithm.as_str()))
}

fn part_entry(number: i32, part: &UploadedPart) -> dto::Part {
    let fields = StoredChecksum::fields(part.checksum.as_ref());
    dto::Part {
        part_number: Some(number),
        e_tag: Some(ETag::Strong(part.etag.clone())),
        last_modified: Some(part.modified.clone()),
        size: i64::try_from(part.body.len()).ok(),
        checksum_crc32: fields.checksum_crc32,
        checksum_crc32c: fields.checksum_crc32c,
        checksum_crc64nvme: fields.checksum_crc64nvme,
        checksum_sha1: fields.checksum_sha1,
        checksum_sha256: fields.checksum_sha256,
    }
}
