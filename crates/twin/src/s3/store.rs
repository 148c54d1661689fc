//! What the twin's S3 remembers: buckets, versions of objects, unfinished uploads.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use s3s::dto::{self, Timestamp};

use super::{checksum::StoredChecksum, policy::Policy};

/// The version id of objects that were written while versioning was not enabled.
pub(crate) const NULL_VERSION: &str = "null";

/// All buckets of all accounts: bucket names are global.
#[derive(Default)]
pub(crate) struct Store(Mutex<State>);

impl Store {
    /// The state, locked. Handlers hold it for one call and never across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) buckets: BTreeMap<String, Bucket>,
}

/// A bucket with its settings and contents.
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) created: Timestamp,
    pub(crate) versioning: Versioning,
    pub(crate) settings: Settings,
    /// The versions of each key, oldest first. A key without versions is not in the map.
    pub(crate) objects: BTreeMap<String, Vec<Version>>,
    pub(crate) uploads: BTreeMap<String, Upload>,
}

/// Whether new objects get versions of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Versioning {
    #[default]
    Never,
    Enabled,
    Suspended,
}

/// Settings that are kept as they were put.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) policy: Option<Policy>,
    pub(crate) public_access_block: Option<dto::PublicAccessBlockConfiguration>,
    pub(crate) ownership: Option<dto::OwnershipControls>,
    pub(crate) encryption: Option<dto::ServerSideEncryptionConfiguration>,
    pub(crate) lifecycle: Option<(dto::BucketLifecycleConfiguration, Option<dto::TransitionDefaultMinimumObjectSize>)>,
    pub(crate) tags: Option<Vec<(String, String)>>,
    pub(crate) inventories: BTreeMap<String, dto::InventoryConfiguration>,
    pub(crate) object_lock: bool,
    pub(crate) default_retention: Option<dto::DefaultRetention>,
}

/// One version of a key.
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) modified: Timestamp,
    pub(crate) content: Content,
}

/// What a version holds.
pub(crate) enum Content {
    Marker,
    Object(Box<Object>),
}

/// An object's bytes and what is said of them.
#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) body: Bytes,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) checksum: Option<StoredChecksum>,
    /// Sizes and checksums of the parts of a multipart upload; empty for an object put whole.
    pub(crate) parts: Arc<[FinishedPart]>,
    pub(crate) headers: Headers,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) storage_class: String,
    pub(crate) encryption: Encryption,
    pub(crate) lock: Lock,
}

/// A part of a finished multipart upload.
pub(crate) struct FinishedPart {
    pub(crate) number: i32,
    pub(crate) size: u64,
    pub(crate) checksum: Option<StoredChecksum>,
}

/// Headers and user metadata that are kept and returned as they came.
#[derive(Clone, Default)]
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
#[derive(Clone)]
pub(crate) struct Encryption {
    pub(crate) algorithm: String,
    pub(crate) kms_key: Option<String>,
    pub(crate) bucket_key: Option<bool>,
}

/// Object Lock of one version.
#[derive(Clone, Default)]
pub(crate) struct Lock {
    pub(crate) retention: Option<Retention>,
    pub(crate) legal_hold: Option<bool>,
}

/// How long and how firmly a version is kept.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Retention {
    /// `COMPLIANCE` (nobody may shorten it), else `GOVERNANCE`.
    pub(crate) compliance: bool,
    pub(crate) until: Timestamp,
}

/// An unfinished multipart upload. What it will become is settled at its start, as on AWS.
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) initiated: Timestamp,
    pub(crate) initiator: String,
    pub(crate) template: Object,
    pub(crate) checksum_algorithm: Option<super::checksum::Algorithm>,
    pub(crate) full_object_checksum: bool,
    pub(crate) parts: BTreeMap<i32, UploadedPart>,
}

/// A part that was uploaded or copied.
#[derive(Clone)]
pub(crate) struct UploadedPart {
    pub(crate) body: Bytes,
    pub(crate) etag: String,
    pub(crate) checksum: Option<StoredChecksum>,
    pub(crate) modified: Timestamp,
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

    pub(crate) fn is_marker(&self) -> bool {
        matches!(self.content, Content::Marker)
    }
}

impl Bucket {
    /// The ARN of the bucket.
    pub(crate) fn arn(&self) -> String {
        bucket_arn(&self.name)
    }

    /// The newest version of `key`, delete markers included.
    pub(crate) fn newest(&self, key: &str) -> Option<&Version> {
        self.objects.get(key).and_then(|versions| versions.last())
    }

    /// The newest version of `key` if it is an object.
    pub(crate) fn current(&self, key: &str) -> Option<(&Version, &Object)> {
        let version = self.newest(key)?;
        version.object().map(|object| (version, object))
    }

    /// The version that a request names, the newest without a name.
    pub(crate) fn version(&self, key: &str, id: Option<&str>) -> Option<&Version> {
        match id {
            None => self.newest(key),
            Some(id) => self.objects.get(key)?.iter().find(|version| version.id == id),
        }
    }

    /// As [`Bucket::version`], to be changed.
    pub(crate) fn version_mut(&mut self, key: &str, id: Option<&str>) -> Option<&mut Version> {
        let versions = self.objects.get_mut(key)?;
        match id {
            None => versions.last_mut(),
            Some(id) => versions.iter_mut().find(|version| version.id == id),
        }
    }

    /// Adds a version as the newest. A `null` version takes the place of the one before.
    pub(crate) fn add(&mut self, key: &str, version: Version) {
        let versions = self.objects.entry(key.to_owned()).or_default();
        if version.id == NULL_VERSION {
            versions.retain(|other| other.id != NULL_VERSION);
        }
        versions.push(version);
    }

    /// Takes a version away for good.
    pub(crate) fn remove(&mut self, key: &str, id: &str) -> Option<Version> {
        let versions = self.objects.get_mut(key)?;
        let at = versions.iter().position(|version| version.id == id)?;
        let removed = versions.remove(at);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        Some(removed)
    }

    /// The version id as responses tell it: none for a bucket that never had versioning.
    pub(crate) fn shown_version(&self, id: &str) -> Option<String> {
        (self.versioning != Versioning::Never).then(|| id.to_owned())
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
