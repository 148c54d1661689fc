//! CopyObject.

use s3s::{
    S3Error, S3Result,
    dto::{self, ETag},
    s3_error,
};

use super::{
    Backend,
    access::{self, Target},
    checksum::{Algorithm, StoredChecksum, md5_hex_of, tell_checksum},
    conditions::{ReadConditions, check_write},
    context::Context,
    get,
    keys::refuse_customer_key,
    object::draft,
    store::{Object, State, object_arn},
};

/// What is copied: the object, its version and when it was made.
pub(crate) struct Source {
    pub(crate) object: Object,
    pub(crate) version_id: Option<String>,
}

/// The members of a copy's source.
pub(crate) struct SourceRequest<'a> {
    pub(crate) source: &'a dto::CopySource,
    pub(crate) expected_owner: Option<&'a str>,
    pub(crate) conditions: ReadConditions,
    pub(crate) with_tags: bool,
    /// The MD5 of the customer's key.
    pub(crate) customer_key: Option<String>,
}

/// Builds a [`SourceRequest`] from the input of any copy.
macro_rules! source_request {
    ($input:expr, $with_tags:expr) => {
        $crate::s3::copy::SourceRequest {
            customer_key: $crate::s3::keys::CustomerKey {
                algorithm: $input.copy_source_sse_customer_algorithm.take(),
                key: $input.copy_source_sse_customer_key.take(),
                md5: $input.copy_source_sse_customer_key_md5.take(),
            }
            .checked()?,
            conditions: $crate::s3::conditions::ReadConditions {
                if_match: $input.copy_source_if_match.take(),
                if_none_match: $input.copy_source_if_none_match.take(),
                if_modified_since: $input.copy_source_if_modified_since.take(),
                if_unmodified_since: $input.copy_source_if_unmodified_since.take(),
            },
            source: &$input.copy_source,
            expected_owner: $input.expected_source_bucket_owner.as_deref(),
            with_tags: $with_tags,
        }
    };
}
pub(crate) use source_request;

/// Notes that the call reads the source.
pub(crate) fn need_source(context: &Context, source: &dto::CopySource) {
    if let dto::CopySource::Bucket { bucket, key, version_id } = source {
        context.flight.need(get::read_action(version_id.as_deref()), &object_arn(bucket, key));
    }
}

impl Backend {
    /// Reads the source of a copy with the caller's own rights. [`need_source`] has been called.
    pub(crate) fn read_source(
        &self,
        context: &Context,
        state: &State,
        request: &SourceRequest<'_>,
    ) -> S3Result<Source> {
        let dto::CopySource::Bucket { bucket, key, version_id } = request.source else {
            return Err(s3_error!(NotImplemented, "the twin does not model copies from access points"));
        };
        let bucket = access::find(state, bucket)?;
        access::expect_owner(bucket, request.expected_owner)?;
        let version_id = version_id.as_deref();
        let arn = object_arn(&bucket.name, key);
        access::permit(bucket, context, get::read_action(version_id), &arn)?;
        let (version, object) = get::find(bucket, context, key, version_id).map_err(as_source_error)?;
        if request.with_tags && !object.tags.is_empty() {
            let action = if version_id.is_some() { "s3:GetObjectVersionTagging" } else { "s3:GetObjectTagging" };
            access::authorize(bucket, context, action, &arn)?;
        }
        object.encryption.check_customer_key(request.customer_key.as_deref())?;
        request.conditions.check(&object.etag, &version.modified, true)?;
        object.encryption.check_decrypt(&self.kms, bucket, context)?;
        object.check_readable(self.env.clock.now())?;
        Ok(Source { object: object.clone(), version_id: bucket.shown_version(&version.id) })
    }

    /// Refuses a copy of more bytes than one call copies.
    pub(crate) fn check_copy_limit(&self, bytes: u64) -> S3Result<()> {
        let limit = self.options.copy_limit_bytes;
        if bytes > limit {
            return Err(s3_error!(
                InvalidRequest,
                "The specified copy source is larger than the maximum allowable size for a copy source: {limit}"
            ));
        }
        Ok(())
    }

    pub(crate) fn copy_object(
        &self,
        context: &Context,
        mut input: dto::CopyObjectInput,
    ) -> S3Result<dto::CopyObjectOutput> {
        refuse_customer_key(input.sse_customer_algorithm.as_deref(), "copies")?;
        let replace_metadata = directive(input.metadata_directive.as_ref().map(dto::MetadataDirective::as_str))?;
        let replace_tags = directive(input.tagging_directive.as_ref().map(dto::TaggingDirective::as_str))?;
        let mut draft = draft!(input);
        draft.tagging = draft.tagging.take().filter(|_| replace_tags);
        let actions = draft.actions();
        let changes = replace_metadata || replace_tags || draft.storage_class.is_some() || draft.encryption.is_some();
        let target = Target::Object(&input.bucket, &input.key);
        let owner = input.expected_bucket_owner.as_deref();
        need_source(context, &input.copy_source);
        let mut entered = self.enter(context, "CopyObject", target, owner, &actions)?;
        let request = source_request!(input, !replace_tags);
        let source = self.read_source(context, entered.state(), &request)?;
        self.check_copy_limit(source.object.body.len())?;
        if is_same(&input) && !changes {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
            ));
        }
        if !replace_metadata {
            let redirect = draft.headers.website_redirect_location.take();
            draft.headers = source.object.headers.clone();
            draft.headers.website_redirect_location = redirect;
        }
        let bucket = entered.bucket_mut()?;
        let (if_match, if_none_match) =
            (condition(context.if_match.as_ref())?, condition(context.if_none_match.as_ref())?);
        check_write(bucket, &input.key, if_match.as_ref(), if_none_match.as_ref())?;
        let mut object = draft.settle(bucket, &self.now())?;
        if !replace_tags && !source.object.tags.is_empty() {
            access::authorize(bucket, context, "s3:PutObjectTagging", &object_arn(&bucket.name, &input.key))?;
            object.tags = source.object.tags.clone();
        }
        let asked = input.checksum_algorithm.as_ref().map(Algorithm::parse).transpose()?;
        let checksum = copied_checksum(&source.object, asked)?;
        object.fill(source.object.body.clone(), md5_of(&source.object)?, checksum);
        let mut output = copy_output(&object, source.version_id, self.now());
        output.version_id = self.store_object(bucket, &input.key, object);
        Ok(output)
    }
}

fn condition(header: Option<&http::HeaderValue>) -> S3Result<Option<dto::ETagCondition>> {
    let parse = |value: &http::HeaderValue| dto::ETagCondition::parse_http_header(value.as_bytes());
    header.map(parse).transpose().map_err(|error| s3_error!(error, InvalidArgument, "The ETag condition is not valid"))
}

/// A delete marker as the source answers 400 where a read answers 405.
fn as_source_error(error: S3Error) -> S3Error {
    match error.code() {
        s3s::S3ErrorCode::MethodNotAllowed => {
            s3_error!(
                InvalidRequest,
                "The source of a copy request may not specifically refer to a delete marker by version id."
            )
        }
        _ => error,
    }
}

/// Whether a directive says REPLACE; without one it is COPY.
fn directive(value: Option<&str>) -> S3Result<bool> {
    match value {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(s3_error!(InvalidArgument, "Unknown directive: COPY and REPLACE are valid")),
    }
}

fn is_same(input: &dto::CopyObjectInput) -> bool {
    matches!(&input.copy_source, dto::CopySource::Bucket { bucket, key, version_id: None }
        if **bucket == *input.bucket && **key == *input.key)
}

/// The copy keeps the source's algorithm and gets a checksum of the whole, unless another algorithm is asked for.
fn copied_checksum(source: &Object, asked: Option<Algorithm>) -> S3Result<StoredChecksum> {
    match (&source.checksum, asked) {
        (Some(kept), None) if !kept.composite => Ok(kept.clone()),
        (Some(kept), Some(algorithm)) if kept.algorithm == algorithm && !kept.composite => Ok(kept.clone()),
        (kept, asked) => {
            let algorithm = asked.or(kept.as_ref().map(|kept| kept.algorithm)).unwrap_or(Algorithm::Crc64Nvme);
            algorithm.of_body(&source.body)
        }
    }
}

/// The MD5 of the bytes: the ETag of an object put whole says it, of any other the bytes are read.
fn md5_of(source: &Object) -> S3Result<String> {
    if source.parts.is_empty() && source.encryption.etag_is_md5() {
        return Ok(source.etag.clone());
    }
    md5_hex_of(&source.body)
}

fn copy_output(object: &Object, source_version: Option<String>, modified: dto::Timestamp) -> dto::CopyObjectOutput {
    let mut result = dto::CopyObjectResult {
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(modified),
        ..Default::default()
    };
    tell_checksum!(result, object.checksum.as_ref(), typed);
    dto::CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: source_version,
        server_side_encryption: Some(object.encryption.algorithm.clone().into()),
        ssekms_key_id: object.encryption.kms_key.clone(),
        bucket_key_enabled: object.encryption.bucket_key,
        ..Default::default()
    }
}
