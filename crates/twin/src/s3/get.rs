//! GetObject, HeadObject and GetObjectAttributes.

use std::ops::Range;

use s3s::{
    S3Error, S3Result,
    dto::{self, ETag, StreamingBlob},
    s3_error,
};

use super::{
    Backend,
    access::{self, Target},
    checksum::{StoredChecksum, unreadable},
    conditions::{ReadConditions, read_conditions},
    context::Context,
    keys::customer_key,
    lock,
    store::{Bucket, Object, Version},
};

/// The most bytes of a sparse object in one answer: an answer is in memory as a whole.
const MOST_SPARSE_READ: u64 = 256 * 1024 * 1024;

/// Finds the object that a read or a copy names; delete markers and missing keys answer as S3 does.
pub(crate) fn find<'a>(
    bucket: &'a Bucket,
    context: &Context,
    key: &str,
    version: Option<&str>,
) -> S3Result<(&'a Version, &'a Object)> {
    let Some(found) = bucket.version(key, version) else {
        return Err(match version {
            None => access::missing_key(bucket, context),
            Some(_) => match access::authorize(bucket, context, "s3:ListBucket", &bucket.arn()) {
                Ok(()) => s3_error!(NoSuchVersion, "The specified version does not exist."),
                Err(_) => s3_error!(AccessDenied, "Access Denied"),
            },
        });
    };
    found.object().map(|object| (found, object)).ok_or_else(|| marker_error(bucket, context, found, version.is_some()))
}

/// A delete marker answers 405 when it is named and 404 when it is the newest version.
fn marker_error(bucket: &Bucket, context: &Context, marker: &Version, named: bool) -> S3Error {
    let mut error = if named {
        s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource.")
    } else {
        access::missing_key(bucket, context)
    };
    let mut headers = http::HeaderMap::new();
    headers.insert("x-amz-delete-marker", http::HeaderValue::from_static("true"));
    if let Ok(id) = http::HeaderValue::from_str(&marker.id) {
        headers.insert("x-amz-version-id", id);
    }
    error.set_headers(headers);
    error
}

/// The action that reading a version or the newest one needs.
pub(crate) fn read_action(version: Option<&str>) -> &'static str {
    if version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" }
}

/// The bytes that a request wants: all, a range, or a part.
fn selection(object: &Object, range: Option<dto::Range>, part: Option<i32>) -> S3Result<Option<Range<u64>>> {
    let size = object.body.len();
    match (range, part) {
        (Some(_), Some(_)) => {
            Err(s3_error!(InvalidRequest, "Cannot specify both Range header and partNumber query parameter"))
        }
        (Some(range), None) => {
            range.check(size).map(Some).map_err(|_| s3_error!(InvalidRange, "The requested range is not satisfiable"))
        }
        (None, Some(number)) => part_range(object, number).map(Some),
        (None, None) => Ok(None),
    }
}

fn part_range(object: &Object, number: i32) -> S3Result<Range<u64>> {
    if object.parts.is_empty() && number == 1 {
        return Ok(0..object.body.len());
    }
    let mut start = 0;
    for part in object.parts.iter() {
        if part.number == number {
            return Ok(start..start + part.size);
        }
        start += part.size;
    }
    Err(access::custom(
        "InvalidPartNumber",
        http::StatusCode::RANGE_NOT_SATISFIABLE,
        "The requested partnumber is not satisfiable".to_owned(),
    ))
}

/// What GetObject and HeadObject answer alike.
struct Answer {
    checksum: dto::Checksum,
    range: Range<u64>,
    content_range: Option<String>,
    parts_count: Option<i32>,
    /// When it is told.
    now: jiff::Timestamp,
}

impl Answer {
    fn new(
        object: &Object,
        range: Option<dto::Range>,
        part: Option<i32>,
        checksum_mode: bool,
        now: jiff::Timestamp,
    ) -> S3Result<Self> {
        let size = object.body.len();
        let selected = selection(object, range, part)?;
        // A checksum of the whole says nothing of a range.
        let checksum = object.checksum.as_ref().filter(|_| checksum_mode && selected.is_none());
        let content_range = selected
            .clone()
            .filter(|_| size > 0)
            .map(|range| format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1)));
        Ok(Self {
            now,
            checksum: StoredChecksum::fields(checksum),
            range: selected.unwrap_or(0..size),
            content_range,
            parts_count: part.filter(|_| !object.parts.is_empty()).and_then(|_| i32::try_from(object.parts.len()).ok()),
        })
    }
}

/// Fills the members that GetObjectOutput and HeadObjectOutput share.
macro_rules! answered {
    ($Output:ident, $bucket:expr, $version:expr, $object:expr, $answer:expr) => {
        dto::$Output {
            restore: $object.restore_header($answer.now),
            accept_ranges: Some("bytes".to_owned()),
            checksum_crc32: $answer.checksum.checksum_crc32.clone(),
            checksum_crc32c: $answer.checksum.checksum_crc32c.clone(),
            checksum_crc64nvme: $answer.checksum.checksum_crc64nvme.clone(),
            checksum_sha1: $answer.checksum.checksum_sha1.clone(),
            checksum_sha256: $answer.checksum.checksum_sha256.clone(),
            checksum_type: $answer.checksum.checksum_type.clone(),
            content_length: i64::try_from($answer.range.end - $answer.range.start).ok(),
            content_range: $answer.content_range.clone(),
            parts_count: $answer.parts_count,
            content_type: $object.headers.content_type.clone().or_else(|| Some("binary/octet-stream".to_owned())),
            content_encoding: $object.headers.content_encoding.clone(),
            content_language: $object.headers.content_language.clone(),
            content_disposition: $object.headers.content_disposition.clone(),
            cache_control: $object.headers.cache_control.clone(),
            expires: $object.headers.expires.clone(),
            website_redirect_location: $object.headers.website_redirect_location.clone(),
            metadata: Some($object.headers.metadata.clone().into_iter().collect()),
            e_tag: Some(ETag::Strong($object.etag.clone())),
            last_modified: Some($version.modified.clone()),
            version_id: $bucket.shown_version(&$version.id),
            server_side_encryption: $object.encryption.told(),
            sse_customer_algorithm: $object.encryption.customer_algorithm(),
            sse_customer_key_md5: $object.encryption.customer_key.clone(),
            ssekms_key_id: $object.encryption.kms_key.clone(),
            bucket_key_enabled: $object.encryption.bucket_key,
            storage_class: shown_storage_class($object),
            object_lock_mode: $object
                .lock
                .retention
                .as_ref()
                .map(|retention| dto::ObjectLockMode::from_static(lock::mode_name(retention.compliance))),
            object_lock_retain_until_date: $object.lock.retention.as_ref().map(|retention| retention.until.clone()),
            object_lock_legal_hold_status: $object
                .lock
                .legal_hold
                .map(|on| dto::ObjectLockLegalHoldStatus::from_static(lock::legal_hold_name(on))),
            ..Default::default()
        }
    };
}

/// Responses do not tell the class STANDARD.
fn shown_storage_class(object: &Object) -> Option<dto::StorageClass> {
    (object.storage_class != "STANDARD").then(|| object.storage_class.clone().into())
}

/// What GetObject and HeadObject are asked alike.
struct Wanted {
    operation: &'static str,
    bucket: String,
    key: String,
    version: Option<String>,
    expected_owner: Option<String>,
    conditions: ReadConditions,
    range: Option<dto::Range>,
    part: Option<i32>,
    checksum_mode: bool,
    /// Whether the bytes are wanted, which an archived object does not give.
    bytes: bool,
    /// The MD5 of the customer's key.
    customer_key: Option<String>,
}

/// Builds a [`Wanted`] from the input of either.
macro_rules! wanted {
    ($operation:literal, $input:expr, $bytes:literal) => {
        Wanted {
            operation: $operation,
            customer_key: customer_key!($input).checked()?,
            conditions: read_conditions!($input),
            bucket: $input.bucket,
            key: $input.key,
            version: $input.version_id,
            expected_owner: $input.expected_bucket_owner,
            range: $input.range,
            part: $input.part_number,
            checksum_mode: $input.checksum_mode.is_some(),
            bytes: $bytes,
        }
    };
}

impl Backend {
    pub(crate) fn get_object(
        &self,
        context: &Context,
        mut input: dto::GetObjectInput,
    ) -> S3Result<dto::GetObjectOutput> {
        let wanted = wanted!("GetObject", input, true);
        let (output, body) = self.answer(context, wanted, |bucket, version, object, answer| {
            let output = dto::GetObjectOutput {
                tag_count: i32::try_from(object.tags.len()).ok().filter(|count| *count > 0),
                ..answered!(GetObjectOutput, bucket, version, object, answer)
            };
            (output, object.body.slice(answer.range))
        })?;
        // Read when the store is free for others again.
        let bytes = body.read().map_err(unreadable)?;
        Ok(dto::GetObjectOutput { body: Some(StreamingBlob::from(s3s::Body::from(bytes))), ..output })
    }

    pub(crate) fn head_object(
        &self,
        context: &Context,
        mut input: dto::HeadObjectInput,
    ) -> S3Result<dto::HeadObjectOutput> {
        let wanted = wanted!("HeadObject", input, false);
        self.answer(context, wanted, |bucket, version, object, answer| dto::HeadObjectOutput {
            archive_status: object.archive_status(answer.now),
            ..answered!(HeadObjectOutput, bucket, version, object, answer)
        })
    }

    /// The way to an object, past its conditions, to what `tell` makes of it.
    fn answer<T>(
        &self,
        context: &Context,
        wanted: Wanted,
        tell: impl FnOnce(&Bucket, &Version, &Object, Answer) -> T,
    ) -> S3Result<T> {
        let target = Target::Object(&wanted.bucket, &wanted.key);
        let version = wanted.version.as_deref();
        let owner = wanted.expected_owner.as_deref();
        let entered = self.enter(context, wanted.operation, target, owner, &[read_action(version)])?;
        let bucket = entered.bucket()?;
        let (version, object) = find(bucket, context, &wanted.key, version)?;
        object.encryption.check_customer_key(wanted.customer_key.as_deref())?;
        wanted.conditions.check(&object.etag, &version.modified, false)?;
        if wanted.bytes || wanted.checksum_mode {
            object.encryption.check_decrypt(&self.kms, bucket, context)?;
        }
        if wanted.bytes {
            object.check_readable(self.env.clock.now())?;
        }
        // That of sparse bytes is not one of the bytes that come with it: a client that checks it would refuse them.
        let checksum = wanted.checksum_mode && !(wanted.bytes && object.body.is_sparse());
        let answer = Answer::new(object, wanted.range, wanted.part, checksum, self.env.clock.now())?;
        if wanted.bytes && object.body.is_sparse() && answer.range.end - answer.range.start > MOST_SPARSE_READ {
            return Err(s3_error!(
                NotImplemented,
                "the twin gives at most {MOST_SPARSE_READ} sparse bytes in one answer: ask for ranges"
            ));
        }
        Ok(tell(bucket, version, object, answer))
    }
}
