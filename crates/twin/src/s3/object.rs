//! How objects are made: PutObject, and what it shares with copies and multipart uploads.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, UNIX_EPOCH},
};

use http::StatusCode;
use percent_encoding::percent_decode_str;
use s3s::{
    S3Error, S3Result,
    dto::{self, ETag, Timestamp},
    s3_error,
};

use super::{
    Backend,
    access::{self, Target},
    body::Body,
    checksum::{Algorithm, Stated, StoredChecksum, md5_hex, md5_hex_of, tell_checksum, verify_content_md5},
    conditions::check_write,
    context::Context,
    keys::customer_key,
    lock,
    store::{Bucket, Content, Encryption, Headers, Lock, NULL_VERSION, Object, Version, Versioning, version_id},
};

/// The largest object of one PutObject, in bytes. Sparse ones may be larger: they are not sent.
const LARGEST_PUT: usize = 5 * 1024 * 1024 * 1024;
/// The most user metadata of an object, in bytes of names and values.
const MOST_METADATA: usize = 2048;

const STORAGE_CLASSES: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
];

/// What a request says of a new object besides its bytes.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) headers: Headers,
    pub(crate) tagging: Option<String>,
    pub(crate) storage_class: Option<dto::StorageClass>,
    pub(crate) encryption: Option<dto::ServerSideEncryption>,
    pub(crate) kms_key: Option<String>,
    pub(crate) bucket_key: Option<bool>,
    /// The MD5 of a customer's key.
    pub(crate) customer_key: Option<String>,
    pub(crate) lock: LockRequest,
}

/// The Object Lock headers of a request.
#[derive(Default)]
pub(crate) struct LockRequest {
    pub(crate) mode: Option<String>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) legal_hold: Option<String>,
}

/// Builds a [`Draft`] from any input that has the members of a PutObject.
macro_rules! draft {
    ($input:expr) => {
        $crate::s3::object::Draft {
            headers: $crate::s3::object::headers!($input),
            tagging: $input.tagging.take(),
            storage_class: $input.storage_class.take(),
            encryption: $input.server_side_encryption.take(),
            kms_key: $input.ssekms_key_id.take(),
            bucket_key: $input.bucket_key_enabled.take(),
            customer_key: None,
            lock: $crate::s3::object::LockRequest {
                mode: $input.object_lock_mode.take().map(|mode| mode.as_str().to_owned()),
                until: $input.object_lock_retain_until_date.take(),
                legal_hold: $input.object_lock_legal_hold_status.take().map(|status| status.as_str().to_owned()),
            },
        }
    };
}
/// Builds the [`Headers`] from any input that has them.
macro_rules! headers {
    ($input:expr) => {
        $crate::s3::store::Headers {
            content_type: $input.content_type.take(),
            content_encoding: $input.content_encoding.take(),
            content_language: $input.content_language.take(),
            content_disposition: $input.content_disposition.take(),
            cache_control: $input.cache_control.take(),
            expires: $input.expires.take(),
            website_redirect_location: $input.website_redirect_location.take(),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
        }
    };
}
/// Collects the checksums that an input states.
macro_rules! stated {
    ($input:expr) => {
        $crate::s3::checksum::Stated::new(
            $input.checksum_crc32.take(),
            $input.checksum_crc32c.take(),
            $input.checksum_crc64nvme.take(),
            $input.checksum_sha1.take(),
            $input.checksum_sha256.take(),
        )
    };
}
pub(crate) use {draft, headers, stated};

impl Draft {
    /// The actions that the extras of the request need besides `s3:PutObject`.
    pub(crate) fn actions(&self) -> Vec<&'static str> {
        let mut actions = vec!["s3:PutObject"];
        if self.tagging.is_some() {
            actions.push("s3:PutObjectTagging");
        }
        if self.lock.mode.is_some() || self.lock.until.is_some() {
            actions.push("s3:PutObjectRetention");
        }
        if self.lock.legal_hold.is_some() {
            actions.push("s3:PutObjectLegalHold");
        }
        actions
    }

    /// The object without its bytes, with the defaults of the bucket filled in.
    pub(crate) fn settle(self, bucket: &Bucket, now: &Timestamp) -> S3Result<Object> {
        let size: usize = self.headers.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > MOST_METADATA {
            return Err(s3_error!(MetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size"));
        }
        let storage_class = self.storage_class.map_or_else(|| "STANDARD".to_owned(), |class| class.as_str().to_owned());
        if !STORAGE_CLASSES.contains(&storage_class.as_str()) {
            return Err(s3_error!(InvalidStorageClass, "The storage class you specified is not valid"));
        }
        let encryption = match self.customer_key {
            None => settle_encryption(bucket, self.encryption, self.kms_key, self.bucket_key)?,
            Some(_) if self.encryption.is_some() => return Err(two_encryptions()),
            customer_key => Encryption { customer_key, ..Encryption::default() },
        };
        Ok(Object {
            body: Body::default(),
            etag: String::new(),
            checksum: None,
            parts: Arc::new([]),
            headers: self.headers,
            tags: self.tagging.as_deref().map(parse_tagging).transpose()?.unwrap_or_default(),
            storage_class,
            archive_tier: None,
            restore: None,
            encryption,
            lock: settle_lock(bucket, &self.lock, now)?,
        })
    }
}

impl Object {
    /// Gives the object its bytes, whose MD5 is `md5`, and the ETag of an object put whole. Under SSE-KMS the ETag is not
    /// the MD5.
    pub(crate) fn fill(&mut self, body: Body, md5: String, checksum: StoredChecksum) {
        self.etag = if self.encryption.etag_is_md5() { md5 } else { md5_hex(format!("kms {md5}").as_bytes()) };
        self.checksum = Some(checksum);
        self.body = body;
    }
}

/// The bytes of PutObject or UploadPart, whose digests are what the request stated.
pub(crate) struct Received {
    pub(crate) body: Body,
    /// In hexadecimal.
    pub(crate) md5: String,
    pub(crate) checksum: StoredChecksum,
}

impl Received {
    /// Checks what was sent against what the request states of it. Sparse bytes were not sent: their digests are their own.
    pub(crate) fn check(
        context: &Context,
        body: Body,
        stated: &Stated,
        asked: Option<Algorithm>,
        content_md5: Option<&str>,
    ) -> S3Result<Self> {
        let checksum = stated.verify(asked, &context.body)?;
        verify_content_md5(content_md5, &context.body)?;
        if body.is_sparse() {
            let (md5, checksum) = (md5_hex_of(&body)?, checksum.algorithm.of_body(&body)?);
            return Ok(Self { body, md5, checksum });
        }
        Ok(Self { body, md5: md5_hex(&context.body), checksum })
    }
}

fn two_encryptions() -> S3Error {
    s3_error!(
        InvalidArgument,
        "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
    )
}

/// The encryption that the request or else the bucket asks for.
fn settle_encryption(
    bucket: &Bucket,
    asked: Option<dto::ServerSideEncryption>,
    kms_key: Option<String>,
    bucket_key: Option<bool>,
) -> S3Result<Encryption> {
    if let Some(asked) = asked {
        let algorithm = asked.as_str().to_owned();
        return match algorithm.as_str() {
            "AES256" if kms_key.is_none() => Ok(Encryption::default()),
            "aws:kms" | "aws:kms:dsse" => Ok(Encryption { algorithm, kms_key, bucket_key, customer_key: None }),
            _ => Err(s3_error!(InvalidArgument, "The encryption method specified is not supported")),
        };
    }
    let rule = bucket.settings.encryption.as_ref().and_then(|encryption| encryption.rules.first());
    let default = rule.and_then(|rule| rule.apply_server_side_encryption_by_default.as_ref());
    Ok(match default {
        Some(default) => Encryption {
            algorithm: default.sse_algorithm.as_str().to_owned(),
            kms_key: default.kms_master_key_id.clone(),
            bucket_key: rule.and_then(|rule| rule.bucket_key_enabled).filter(|enabled| *enabled),
            customer_key: None,
        },
        None => Encryption::default(),
    })
}

/// The lock that the request asks for; without one, the bucket's default retention.
fn settle_lock(bucket: &Bucket, request: &LockRequest, now: &Timestamp) -> S3Result<Lock> {
    let explicit = lock::requested(request.mode.as_deref(), request.until.as_ref(), now)?;
    let legal_hold = request.legal_hold.as_deref().map(lock::parse_legal_hold).transpose()?;
    if (explicit.is_some() || legal_hold.is_some()) && !bucket.settings.object_lock {
        return Err(s3_error!(InvalidRequest, "Bucket is missing Object Lock Configuration"));
    }
    let default = || bucket.settings.default_retention.as_ref().map(|default| lock::default_retention(default, now));
    Ok(Lock { retention: explicit.or_else(default), legal_hold })
}

/// Reads `x-amz-tagging`: form-encoded pairs.
fn parse_tagging(header: &str) -> S3Result<Vec<(String, String)>> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().map(String::from).map_err(|error| {
            s3_error!(error, InvalidArgument, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
        })
    };
    let tags: S3Result<Vec<_>> = header
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        })
        .collect();
    check_tags(tags?, 10)
}

/// Checks tags against the limits of S3: at most `most`, keys of 1 to 128 and values of up to 256 characters, no key
/// twice.
pub(crate) fn check_tags(tags: Vec<(String, String)>, most: usize) -> S3Result<Vec<(String, String)>> {
    if tags.len() > most {
        return Err(access::custom("BadRequest", StatusCode::BAD_REQUEST, format!("Tags cannot be more than {most}")));
    }
    for (index, (key, value)) in tags.iter().enumerate() {
        if key.is_empty() || key.chars().count() > 128 {
            return Err(s3_error!(InvalidTag, "The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 {
            return Err(s3_error!(InvalidTag, "The TagValue you have provided is invalid"));
        }
        if tags.iter().skip(index + 1).any(|(other, _)| other == key) {
            return Err(s3_error!(InvalidTag, "Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(tags)
}

impl Backend {
    /// The time, to the second: S3 keeps no finer times.
    pub(crate) fn now(&self) -> Timestamp {
        let passed = self.env.clock.system_time().duration_since(UNIX_EPOCH).unwrap_or_default();
        (UNIX_EPOCH + Duration::from_secs(passed.as_secs())).into()
    }

    /// Puts the body of a request where the store has bytes. Before the store is locked, because it may write a file.
    pub(crate) fn keep(&self, context: &Context) -> S3Result<Body> {
        if let Some(range) = &context.sparse {
            return Ok(Body::sparse(range.clone()));
        }
        self.store
            .keep(context.body.clone())
            .map_err(|error| s3_error!(error, InternalError, "the twin cannot keep the bytes in its folder"))
    }

    /// Adds an object as the newest version of `key` and returns the version id that responses tell.
    pub(crate) fn store_object(&self, bucket: &mut Bucket, key: &str, object: Object) -> Option<String> {
        let id = self.new_version_id(bucket);
        let shown = bucket.shown_version(&id);
        bucket.add(key, Version { id, modified: self.now(), content: Content::Object(Box::new(object)) });
        shown
    }

    /// A version id for the bucket's state of versioning.
    pub(crate) fn new_version_id(&self, bucket: &Bucket) -> String {
        match bucket.versioning {
            Versioning::Enabled => {
                version_id(self.sequence.fetch_add(1, Ordering::Relaxed), &self.env.ids.alphanumeric(24))
            }
            Versioning::Never | Versioning::Suspended => NULL_VERSION.to_owned(),
        }
    }

    pub(crate) fn put_object(
        &self,
        context: &Context,
        mut input: dto::PutObjectInput,
    ) -> S3Result<dto::PutObjectOutput> {
        let customer_key = customer_key!(input).checked()?;
        let draft = Draft { customer_key, ..draft!(input) };
        let target = Target::Object(&input.bucket, &input.key);
        let owner = input.expected_bucket_owner.as_deref();
        let kept = self.keep(context)?;
        let mut entered = self.enter(context, "PutObject", target, owner, &draft.actions())?;
        if context.body.len() > LARGEST_PUT {
            return Err(s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size"));
        }
        let asked = input.checksum_algorithm.as_ref().map(Algorithm::parse).transpose()?;
        let received = Received::check(context, kept, &stated!(input)?, asked, input.content_md5.as_deref())?;
        let bucket = entered.bucket_mut()?;
        let mut object = draft.settle(bucket, &self.now())?;
        check_write(bucket, &input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        object.fill(received.body, received.md5, received.checksum);
        let mut output = dto::PutObjectOutput {
            e_tag: Some(ETag::Strong(object.etag.clone())),
            server_side_encryption: object.encryption.told(),
            sse_customer_algorithm: object.encryption.customer_algorithm(),
            sse_customer_key_md5: object.encryption.customer_key.clone(),
            ssekms_key_id: object.encryption.kms_key.clone(),
            bucket_key_enabled: object.encryption.bucket_key,
            ..Default::default()
        };
        tell_checksum!(output, object.checksum.as_ref(), typed);
        output.version_id = self.store_object(bucket, &input.key, object);
        Ok(output)
    }
}
