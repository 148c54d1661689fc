//! ListObjectsV2, ListObjects and ListObjectVersions.

mod page;
mod versions;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use s3s::{
    S3Result,
    dto::{self, ETag},
    s3_error,
};
use sha2::{Digest, Sha256};

use self::page::{Page, Scope};
use super::{
    Backend,
    access::Target,
    checksum::StoredChecksum,
    context::Context,
    store::{Bucket, Object, Version},
};

/// The most entries of one page.
const MOST: i32 = 1000;

/// The canonical user id of an account: 64 hexadecimal digits.
pub(crate) fn canonical_user(account: &str) -> String {
    hex::encode(Sha256::digest(account.as_bytes()))
}

/// The owner of everything in a bucket.
pub(crate) fn owner(bucket: &Bucket) -> dto::Owner {
    dto::Owner { id: Some(canonical_user(&bucket.account)), display_name: None }
}

/// How keys are written in a listing: as they are, or form-encoded with `encoding-type=url`.
pub(crate) struct Encoding(bool);

impl Encoding {
    pub(crate) fn new(encoding: Option<&dto::EncodingType>) -> S3Result<Self> {
        match encoding.map(dto::EncodingType::as_str) {
            None => Ok(Self(false)),
            Some("url") => Ok(Self(true)),
            Some(_) => Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request")),
        }
    }

    pub(crate) fn text(&self, text: impl Into<String>) -> String {
        let text = text.into();
        if !self.0 {
            return text;
        }
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                    encoded.push(char::from(byte));
                }
                b' ' => encoded.push('+'),
                other => encoded.push_str(&format!("%{other:02X}")),
            }
        }
        encoded
    }

    pub(crate) fn prefixes(&self, prefixes: Vec<String>) -> Option<Vec<dto::CommonPrefix>> {
        let common = |prefix| dto::CommonPrefix { prefix: Some(self.text(prefix)) };
        (!prefixes.is_empty()).then(|| prefixes.into_iter().map(common).collect())
    }
}

/// The page size asked for, at most 1,000.
pub(crate) fn page_size(asked: Option<i32>) -> S3Result<usize> {
    usize::try_from(asked.unwrap_or(MOST).min(MOST))
        .map_err(|_| s3_error!(InvalidArgument, "Argument maxKeys must be an integer between 0 and 2147483647"))
}

fn entry(key: &str, version: &Version, object: &Object, encoding: &Encoding, owner: Option<dto::Owner>) -> dto::Object {
    let (algorithms, kind) = checksum_members(object.checksum.as_ref());
    dto::Object {
        key: Some(encoding.text(key)),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(version.modified.clone()),
        size: i64::try_from(object.body.len()).ok(),
        storage_class: Some(object.storage_class.clone().into()),
        checksum_algorithm: algorithms,
        checksum_type: kind,
        owner,
        restore_status: None,
    }
}

fn checksum_members(
    checksum: Option<&StoredChecksum>,
) -> (Option<Vec<dto::ChecksumAlgorithm>>, Option<dto::ChecksumType>) {
    let algorithms = checksum.map(|checksum| vec![dto::ChecksumAlgorithm::from_static(checksum.algorithm.as_str())]);
    (algorithms, checksum.map(StoredChecksum::kind))
}

/// The page of current objects that a request asks for.
fn objects<'a>(bucket: &'a Bucket, scope: &Scope<'_>, size: usize) -> Page<(&'a str, &'a Version, &'a Object)> {
    let current = |key: &'a String, versions: &'a Vec<Version>| {
        let version = versions.last()?;
        version.object().map(|object| (key.as_str(), version, object))
    };
    scope.page(&bucket.objects, size, |key, versions| current(key, versions).into_iter().collect())
}

impl Backend {
    pub(crate) fn list_objects_v2(
        &self,
        context: &Context,
        input: dto::ListObjectsV2Input,
    ) -> S3Result<dto::ListObjectsV2Output> {
        let owner_expected = input.expected_bucket_owner.as_deref();
        let entered =
            self.enter(context, "ListObjectsV2", Target::Bucket(&input.bucket), owner_expected, &["s3:ListBucket"])?;
        let bucket = entered.bucket()?;
        let encoding = Encoding::new(input.encoding_type.as_ref())?;
        let token = input.continuation_token.as_deref().map(read_token).transpose()?;
        let after = token.as_deref().or(input.start_after.as_deref());
        let scope = Scope::new(input.prefix.as_deref(), input.delimiter.as_deref(), after);
        let size = page_size(input.max_keys)?;
        let page = objects(bucket, &scope, size);
        let owner = (input.fetch_owner == Some(true)).then(|| owner(bucket));
        let contents: Vec<_> = page
            .entries
            .iter()
            .map(|(key, version, object)| entry(key, version, object, &encoding, owner.clone()))
            .collect();
        Ok(dto::ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encoding.text(input.prefix.unwrap_or_default())),
            max_keys: i32::try_from(size).ok(),
            key_count: i32::try_from(contents.len() + page.prefixes.len()).ok(),
            is_truncated: Some(page.truncated),
            next_continuation_token: page.last.filter(|_| page.truncated).map(|last| URL_SAFE_NO_PAD.encode(last)),
            contents: (!contents.is_empty()).then_some(contents),
            common_prefixes: encoding.prefixes(page.prefixes),
            continuation_token: input.continuation_token,
            delimiter: input.delimiter.map(|delimiter| encoding.text(delimiter)),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(|after| encoding.text(after)),
            request_charged: None,
        })
    }

    pub(crate) fn list_objects(
        &self,
        context: &Context,
        input: dto::ListObjectsInput,
    ) -> S3Result<dto::ListObjectsOutput> {
        let owner_expected = input.expected_bucket_owner.as_deref();
        let target = Target::Bucket(&input.bucket);
        let entered = self.enter(context, "ListObjects", target, owner_expected, &["s3:ListBucket"])?;
        let bucket = entered.bucket()?;
        let encoding = Encoding::new(input.encoding_type.as_ref())?;
        let scope = Scope::new(input.prefix.as_deref(), input.delimiter.as_deref(), input.marker.as_deref());
        let size = page_size(input.max_keys)?;
        let page = objects(bucket, &scope, size);
        let owner = owner(bucket);
        let contents: Vec<_> = page
            .entries
            .iter()
            .map(|(key, version, object)| entry(key, version, object, &encoding, Some(owner.clone())))
            .collect();
        // Without a delimiter the client takes the last key as the marker, as on AWS.
        let next = page.last.filter(|_| page.truncated && input.delimiter.is_some());
        Ok(dto::ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encoding.text(input.prefix.unwrap_or_default())),
            marker: Some(encoding.text(input.marker.unwrap_or_default())),
            max_keys: i32::try_from(size).ok(),
            is_truncated: Some(page.truncated),
            next_marker: next.map(|next| encoding.text(next)),
            contents: (!contents.is_empty()).then_some(contents),
            common_prefixes: encoding.prefixes(page.prefixes),
            delimiter: input.delimiter.map(|delimiter| encoding.text(delimiter)),
            encoding_type: input.encoding_type,
            request_charged: None,
        })
    }
}

fn read_token(token: &str) -> S3Result<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}
