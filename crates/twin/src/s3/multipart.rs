//! Multipart uploads: their life, their parts, and the object that they become.

mod listing;

use std::{collections::BTreeMap, sync::Arc};

use s3s::{
    S3Result,
    dto::{self, ETag},
    s3_error,
};

use super::{
    Backend,
    access::Target,
    body::Body,
    checksum::{Algorithm, StoredChecksum, md5_hex_of, multipart_etag, tell_checksum},
    conditions::check_write,
    context::Context,
    copy::{need_source, source_request},
    keys::refuse_customer_key,
    object::{Received, draft, stated},
    store::{Bucket, FinishedPart, Object, Upload, UploadedPart},
};

/// The least bytes of a part that is not the last.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;
const LAST_PART: i32 = 10_000;

impl Backend {
    pub(crate) fn create_multipart_upload(
        &self,
        context: &Context,
        mut input: dto::CreateMultipartUploadInput,
    ) -> S3Result<dto::CreateMultipartUploadOutput> {
        refuse_customer_key(input.sse_customer_algorithm.as_deref(), "multipart uploads")?;
        let draft = draft!(input);
        let owner = input.expected_bucket_owner.as_deref();
        let target = Target::Object(&input.bucket, &input.key);
        let mut entered = self.enter(context, "CreateMultipartUpload", target, owner, &draft.actions())?;
        let checksum_algorithm = input.checksum_algorithm.as_ref().map(Algorithm::parse).transpose()?;
        let full_object = full_object(checksum_algorithm, input.checksum_type.as_ref())?;
        let bucket = entered.bucket_mut()?;
        let template = draft.settle(bucket, &self.now())?;
        let upload_id = self.env.ids.alphanumeric(64);
        let output = dto::CreateMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            upload_id: Some(upload_id.clone()),
            server_side_encryption: Some(template.encryption.algorithm.clone().into()),
            ssekms_key_id: template.encryption.kms_key.clone(),
            bucket_key_enabled: template.encryption.bucket_key,
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: checksum_algorithm.map(|_| checksum_type(full_object)),
            ..Default::default()
        };
        let upload = Upload {
            key: input.key,
            initiated: self.now(),
            initiator: context.caller.principal_arn(),
            template,
            checksum_algorithm,
            full_object_checksum: full_object,
            parts: BTreeMap::new(),
        };
        bucket.start_upload(upload_id, upload);
        Ok(output)
    }

    pub(crate) fn upload_part(
        &self,
        context: &Context,
        mut input: dto::UploadPartInput,
    ) -> S3Result<dto::UploadPartOutput> {
        refuse_customer_key(input.sse_customer_algorithm.as_deref(), "multipart uploads")?;
        let owner = input.expected_bucket_owner.as_deref();
        let target = Target::Object(&input.bucket, &input.key);
        let kept = self.keep(context)?;
        let mut entered = self.enter(context, "UploadPart", target, owner, &["s3:PutObject"])?;
        check_part_number(input.part_number)?;
        let asked = input.checksum_algorithm.as_ref().map(Algorithm::parse).transpose()?;
        let found = upload(entered.bucket()?, &input.upload_id, &input.key)?;
        let asked = found.checksum_algorithm.or(asked);
        let received = Received::check(context, kept, &stated!(input)?, asked, input.content_md5.as_deref())?;
        let part = self.new_part(found, received.body, received.md5, received.checksum)?;
        let mut output = dto::UploadPartOutput {
            e_tag: Some(ETag::Strong(part.etag.clone())),
            server_side_encryption: Some(found.template.encryption.algorithm.clone().into()),
            ..Default::default()
        };
        tell_checksum!(output, part.checksum.as_ref());
        entered.bucket_mut()?.keep_part(&input.upload_id, input.part_number, part);
        Ok(output)
    }

    /// A part for `upload`, with the checksum that the upload is made with.
    fn new_part(&self, upload: &Upload, body: Body, etag: String, checksum: StoredChecksum) -> S3Result<UploadedPart> {
        if let Some(algorithm) = upload.checksum_algorithm
            && algorithm != checksum.algorithm
        {
            return Err(s3_error!(
                InvalidRequest,
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                algorithm.as_str().to_lowercase(),
                checksum.algorithm.as_str().to_lowercase()
            ));
        }
        Ok(UploadedPart { body, etag, checksum: Some(checksum), modified: self.now() })
    }

    pub(crate) fn upload_part_copy(
        &self,
        context: &Context,
        mut input: dto::UploadPartCopyInput,
    ) -> S3Result<dto::UploadPartCopyOutput> {
        refuse_customer_key(input.sse_customer_algorithm.as_deref(), "multipart uploads")?;
        let owner = input.expected_bucket_owner.as_deref();
        let target = Target::Object(&input.bucket, &input.key);
        need_source(context, &input.copy_source);
        let mut entered = self.enter(context, "UploadPartCopy", target, owner, &["s3:PutObject"])?;
        check_part_number(input.part_number)?;
        upload(entered.bucket()?, &input.upload_id, &input.key)?;
        let request = source_request!(input, false);
        let source = self.read_source(context, entered.state(), &request)?;
        let body = copied_range(&source.object.body, input.copy_source_range.as_deref())?;
        self.check_copy_limit(body.len())?;
        let found = upload(entered.bucket()?, &input.upload_id, &input.key)?;
        let checksum = found.checksum_algorithm.unwrap_or(Algorithm::Crc64Nvme).of_body(&body)?;
        let etag = md5_hex_of(&body)?;
        let part = self.new_part(found, body, etag, checksum)?;
        let mut result = dto::CopyPartResult {
            e_tag: Some(ETag::Strong(part.etag.clone())),
            last_modified: Some(self.now()),
            ..Default::default()
        };
        tell_checksum!(result, part.checksum.as_ref().filter(|_| found.checksum_algorithm.is_some()));
        let output = dto::UploadPartCopyOutput {
            copy_part_result: Some(result),
            copy_source_version_id: source.version_id,
            server_side_encryption: Some(found.template.encryption.algorithm.clone().into()),
            ..Default::default()
        };
        entered.bucket_mut()?.keep_part(&input.upload_id, input.part_number, part);
        Ok(output)
    }

    pub(crate) fn abort_multipart_upload(
        &self,
        context: &Context,
        input: dto::AbortMultipartUploadInput,
    ) -> S3Result<dto::AbortMultipartUploadOutput> {
        let owner = input.expected_bucket_owner.as_deref();
        let target = Target::Object(&input.bucket, &input.key);
        let actions = ["s3:AbortMultipartUpload"];
        let mut entered = self.enter(context, "AbortMultipartUpload", target, owner, &actions)?;
        upload(entered.bucket()?, &input.upload_id, &input.key)?;
        entered.bucket_mut()?.end_upload(&input.upload_id);
        Ok(dto::AbortMultipartUploadOutput::default())
    }

    pub(crate) fn complete_multipart_upload(
        &self,
        context: &Context,
        mut input: dto::CompleteMultipartUploadInput,
    ) -> S3Result<dto::CompleteMultipartUploadOutput> {
        refuse_customer_key(input.sse_customer_algorithm.as_deref(), "multipart uploads")?;
        let owner = input.expected_bucket_owner.as_deref();
        let target = Target::Object(&input.bucket, &input.key);
        let mut entered = self.enter(context, "CompleteMultipartUpload", target, owner, &["s3:PutObject"])?;
        let found = upload(entered.bucket()?, &input.upload_id, &input.key)?;
        let asked = input.multipart_upload.take().and_then(|upload| upload.parts).unwrap_or_default();
        let parts = chosen(found, &asked)?;
        let object = assemble(found, &parts)?;
        if input.mpu_object_size.is_some_and(|size| u64::try_from(size) != Ok(object.body.len())) {
            return Err(s3_error!(
                InvalidRequest,
                "The provided 'x-amz-mp-object-size' header does not match what was uploaded"
            ));
        }
        if let Some((algorithm, value)) = stated!(input)?.single() {
            let kept = object.checksum.as_ref();
            if kept.is_none_or(|kept| kept.algorithm != algorithm || kept.value != value) {
                return Err(s3_error!(
                    BadDigest,
                    "The {} you specified did not match the calculated checksum.",
                    algorithm.as_str()
                ));
            }
        }
        let bucket = entered.bucket_mut()?;
        check_write(bucket, &input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let mut output = dto::CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            server_side_encryption: Some(object.encryption.algorithm.clone().into()),
            ..Default::default()
        };
        tell_checksum!(output, object.checksum.as_ref(), typed);
        output.version_id = self.store_object(bucket, &input.key, object);
        bucket.end_upload(&input.upload_id);
        Ok(dto::CompleteMultipartUploadOutput { bucket: Some(input.bucket), key: Some(input.key), ..output })
    }
}

/// The upload of this id and key.
fn upload<'a>(bucket: &'a Bucket, id: &str, key: &str) -> S3Result<&'a Upload> {
    bucket.uploads.get(id).filter(|upload| upload.key == key).ok_or_else(|| {
        s3_error!(
            NoSuchUpload,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
        )
    })
}

fn check_part_number(number: i32) -> S3Result<()> {
    if (1..=LAST_PART).contains(&number) {
        return Ok(());
    }
    Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and {LAST_PART}, inclusive"))
}

/// Whether the object's checksum will be of the whole; CRC64NVME only does that, the SHAs never.
fn full_object(algorithm: Option<Algorithm>, kind: Option<&dto::ChecksumType>) -> S3Result<bool> {
    let invalid = || s3_error!(InvalidRequest, "The checksum type cannot be used with this checksum algorithm");
    match (algorithm, kind.map(dto::ChecksumType::as_str)) {
        (None, None) => Ok(true),
        (None, Some(_)) => Err(invalid()),
        (Some(Algorithm::Crc64Nvme), None | Some("FULL_OBJECT")) => Ok(true),
        (Some(Algorithm::Crc32 | Algorithm::Crc32c), Some("FULL_OBJECT")) => Ok(true),
        (Some(Algorithm::Crc64Nvme), Some(_)) => Err(invalid()),
        (Some(_), None | Some("COMPOSITE")) => Ok(false),
        (Some(_), Some(_)) => Err(invalid()),
    }
}

pub(super) fn checksum_type(full_object: bool) -> dto::ChecksumType {
    dto::ChecksumType::from_static(if full_object { "FULL_OBJECT" } else { "COMPOSITE" })
}

/// `bytes=first-last` of the source; all without a range.
fn copied_range(body: &Body, range: Option<&str>) -> S3Result<Body> {
    let Some(range) = range else { return Ok(body.clone()) };
    let invalid = || {
        s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy"
        )
    };
    let (first, last) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(invalid)?;
    let first: u64 = first.parse().map_err(|_| invalid())?;
    let last: u64 = last.parse().map_err(|_| invalid())?;
    if first > last || last >= body.len() {
        return Err(s3_error!(
            InvalidArgument,
            "Range specified is not valid for source object of size: {}",
            body.len()
        ));
    }
    Ok(body.slice(first..last + 1))
}

/// The parts that the request names, in order and unchanged.
fn chosen(upload: &Upload, asked: &[dto::CompletedPart]) -> S3Result<Vec<(i32, UploadedPart)>> {
    if asked.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part"));
    }
    let mut parts: Vec<(i32, UploadedPart)> = Vec::new();
    for part in asked {
        let number = part.part_number.unwrap_or_default();
        if parts.last().is_some_and(|(last, _)| *last >= number) {
            return Err(s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number."
            ));
        }
        let found = upload.parts.get(&number).filter(|found| {
            part.e_tag.as_ref().is_some_and(|etag| etag.value() == found.etag) && same_checksum(part, found)
        });
        let found = found.ok_or_else(|| {
            s3_error!(InvalidPart, "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
        })?;
        parts.push((number, found.clone()));
    }
    let all_but_last = parts.split_last().map_or(&[][..], |(_, rest)| rest);
    if all_but_last.iter().any(|(_, part)| part.body.len() < SMALLEST_PART) {
        return Err(s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size"));
    }
    Ok(parts)
}

/// Whether the checksum that the request states for a part, if any, is the part's.
fn same_checksum(asked: &dto::CompletedPart, part: &UploadedPart) -> bool {
    let kept = StoredChecksum::fields(part.checksum.as_ref());
    let same = |asked: &Option<String>, kept: &Option<String>| asked.is_none() || asked == kept;
    same(&asked.checksum_crc32, &kept.checksum_crc32)
        && same(&asked.checksum_crc32c, &kept.checksum_crc32c)
        && same(&asked.checksum_crc64nvme, &kept.checksum_crc64nvme)
        && same(&asked.checksum_sha1, &kept.checksum_sha1)
        && same(&asked.checksum_sha256, &kept.checksum_sha256)
}

/// The object that the parts make.
fn assemble(upload: &Upload, parts: &[(i32, UploadedPart)]) -> S3Result<Object> {
    let body = Body::join(parts.iter().map(|(_, part)| &part.body));
    let algorithm = upload.checksum_algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let checksum = if upload.full_object_checksum {
        algorithm.of_body(&body)?
    } else {
        let checksums: Vec<_> = parts.iter().filter_map(|(_, part)| part.checksum.clone()).collect();
        StoredChecksum::composite(algorithm, &checksums)?
    };
    let finished = parts.iter().map(|(number, part)| FinishedPart {
        number: *number,
        size: part.body.len(),
        checksum: part.checksum.clone().filter(|_| !upload.full_object_checksum),
    });
    Ok(Object {
        etag: multipart_etag(parts.iter().map(|(_, part)| part.etag.as_str())),
        checksum: Some(checksum),
        parts: Arc::from_iter(finished),
        body,
        ..upload.template.clone()
    })
}
