//! What the twin's S3 remembers: buckets, versions of objects, unfinished uploads.

mod bucket;
mod log;
mod serial;
mod state;

use std::{collections::BTreeMap, sync::Arc};

use s3s::dto::{self, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    bucket::{Bucket, BucketData},
    log::{Log, Pending},
    state::{Locked, State, Store},
};
use super::{
    archive::{ArchiveTier, Restore},
    body::Body,
    checksum::StoredChecksum,
    policy::Policy,
};

/// The version id of objects that were written while versioning was not enabled.
pub(crate) const NULL_VERSION: &str = "null";

/// Whether new objects get versions of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) enum Versioning {
    #[default]
    Never,
    Enabled,
    Suspended,
}

/// Settings that are kept as they were put.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// A policy is read with the bucket's name, so a folder keeps its text beside the settings.
    #[serde(skip)]
    pub(crate) policy: Option<Policy>,
    pub(crate) public_access_block: Option<dto::PublicAccessBlockConfiguration>,
    #[serde(with = "serial::ownership")]
    pub(crate) ownership: Option<dto::OwnershipControls>,
    pub(crate) encryption: Option<dto::ServerSideEncryptionConfiguration>,
    #[serde(with = "serial::lifecycle")]
    pub(crate) lifecycle: Option<(dto::BucketLifecycleConfiguration, Option<dto::TransitionDefaultMinimumObjectSize>)>,
    pub(crate) tags: Option<Vec<(String, String)>>,
    pub(crate) inventories: BTreeMap<String, dto::InventoryConfiguration>,
    pub(crate) object_lock: bool,
    pub(crate) default_retention: Option<dto::DefaultRetention>,
}

/// One version of a key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) modified: Timestamp,
    pub(crate) content: Content,
}

/// What a version holds.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Content {
    Marker,
    Object(Box<Object>),
}

/// An object's bytes and what is said of them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Object {
    /// A folder keeps it beside the object: it is in files of its own.
    #[serde(skip)]
    pub(crate) body: Body,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) checksum: Option<StoredChecksum>,
    /// Sizes and checksums of the parts of a multipart upload; empty for an object put whole.
    #[serde(with = "serial::shared")]
    pub(crate) parts: Arc<[FinishedPart]>,
    pub(crate) headers: Headers,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) storage_class: String,
    /// The tier of an object of `INTELLIGENT_TIERING` that has been archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) archive_tier: Option<ArchiveTier>,
    /// The last restore that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restore: Option<Restore>,
    pub(crate) encryption: Encryption,
    pub(crate) lock: Lock,
}

/// A part of a finished multipart upload.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinishedPart {
    pub(crate) number: i32,
    pub(crate) size: u64,
    pub(crate) checksum: Option<StoredChecksum>,
}

/// Headers and user metadata that are kept and returned as they came.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Headers {
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) website_redirect_location: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Encryption at rest, as the headers tell it; the twin keeps the bytes plain.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Encryption {
    pub(crate) algorithm: String,
    pub(crate) kms_key: Option<String>,
    pub(crate) bucket_key: Option<bool>,
    /// The MD5 of the customer's key under SSE-C, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) customer_key: Option<String>,
}

/// Object Lock of one version.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    pub(crate) retention: Option<Retention>,
    pub(crate) legal_hold: Option<bool>,
}

/// How long and how firmly a version is kept.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retention {
    /// `COMPLIANCE` (nobody may shorten it), else `GOVERNANCE`.
    pub(crate) compliance: bool,
    pub(crate) until: Timestamp,
}

/// An unfinished multipart upload. What it will become is settled at its start, as on AWS.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) initiated: Timestamp,
    pub(crate) initiator: String,
    pub(crate) template: Object,
    pub(crate) checksum_algorithm: Option<super::checksum::Algorithm>,
    pub(crate) full_object_checksum: bool,
    /// A folder keeps each part by itself.
    #[serde(skip)]
    pub(crate) parts: BTreeMap<i32, UploadedPart>,
}

/// A part that was uploaded or copied.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadedPart {
    #[serde(skip)]
    pub(crate) body: Body,
    pub(crate) etag: String,
    pub(crate) checksum: Option<StoredChecksum>,
    pub(crate) modified: Timestamp,
}

impl Default for Encryption {
    /// SSE-S3, which objects have without being asked for.
    fn default() -> Self {
        Self { algorithm: "AES256".to_owned(), kms_key: None, bucket_key: None, customer_key: None }
    }
}

impl Version {
    pub(crate) fn object(&self) -> Option<&Object> {
        match &self.content {
            Content::Object(object) => Some(object),
            Content::Marker => None,
        }
    }

    pub(crate) fn object_mut(&mut self) -> Option<&mut Object> {
        match &mut self.content {
            Content::Object(object) => Some(object),
            Content::Marker => None,
        }
    }

    pub(crate) fn into_object(self) -> Option<Object> {
        match self.content {
            Content::Object(object) => Some(*object),
            Content::Marker => None,
        }
    }

    pub(crate) fn is_marker(&self) -> bool {
        matches!(self.content, Content::Marker)
    }
}

/// A version id whose age can be told: listings go on behind a version that is gone meanwhile.
pub(crate) fn version_id(sequence: u64, random: &str) -> String {
    format!("{sequence:08X}{random}")
}

/// When, in the order of all versions, one with this id was made; `None` for `null` and foreign ids.
pub(crate) fn sequence_of(version_id: &str) -> Option<u64> {
    version_id.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok())
}

/// The ARN of a bucket.
pub(crate) fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// The ARN of an object.
pub(crate) fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}
