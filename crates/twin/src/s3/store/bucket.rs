//! A bucket: read freely, changed only in ways that a folder can write down.

use std::{collections::BTreeMap, ops::Deref};

use s3s::dto::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Log, NULL_VERSION, Object, Settings, Upload, UploadedPart, Version, Versioning, bucket_arn};
use crate::s3::folder::Change;

/// A bucket with its settings and contents. It derefs to its data for reading only: every change goes through a method
/// here, so that none is missing in the journal of a folder.
pub(crate) struct Bucket {
    data: BucketData,
    log: Log,
}

/// What a bucket is and holds.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BucketData {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) created: Timestamp,
    pub(crate) versioning: Versioning,
    pub(crate) settings: Settings,
    /// The versions of each key, oldest first. A key without versions is not in the map.
    #[serde(skip)]
    pub(crate) objects: BTreeMap<String, Vec<Version>>,
    #[serde(skip)]
    pub(crate) uploads: BTreeMap<String, Upload>,
}

impl Deref for Bucket {
    type Target = BucketData;

    fn deref(&self) -> &BucketData {
        &self.data
    }
}

impl BucketData {
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

    /// The version id as responses tell it: none for a bucket that never had versioning.
    pub(crate) fn shown_version(&self, id: &str) -> Option<String> {
        (self.versioning != Versioning::Never).then(|| id.to_owned())
    }
}

impl Bucket {
    /// A bucket with this data, whose later changes go to `log`.
    pub(crate) fn new(data: BucketData, log: Log) -> Self {
        Self { data, log }
    }

    /// Sends later changes to `log`.
    pub(super) fn log_to(&mut self, log: Log) {
        self.log = log;
    }

    /// The settings, to be changed.
    pub(crate) fn settings_mut(&mut self) -> &mut Settings {
        self.log.note_bucket(&self.data.name);
        &mut self.data.settings
    }

    /// Turns versioning on or off.
    pub(crate) fn set_versioning(&mut self, versioning: Versioning) {
        self.log.note_bucket(&self.data.name);
        self.data.versioning = versioning;
    }

    /// Adds a version as the newest. A `null` version takes the place of the one before.
    pub(crate) fn add(&mut self, key: &str, version: Version) {
        let bucket = &self.data.name;
        self.log.note(|| Change::added(bucket, key, &version));
        let versions = self.data.objects.entry(key.to_owned()).or_default();
        if version.id == NULL_VERSION {
            for replaced in versions.extract_if(.., |other| other.id == NULL_VERSION) {
                release(&self.log, &replaced);
            }
        }
        versions.push(version);
    }

    /// Takes a version away for good.
    pub(crate) fn remove(&mut self, key: &str, id: &str) -> Option<Version> {
        let versions = self.data.objects.get_mut(key)?;
        let at = versions.iter().position(|version| version.id == id)?;
        let removed = versions.remove(at);
        if versions.is_empty() {
            self.data.objects.remove(key);
        }
        release(&self.log, &removed);
        self.log.note(|| Change::Removed { bucket: self.data.name.clone(), key: key.to_owned(), id: id.to_owned() });
        Some(removed)
    }

    /// Changes what is said of the object that a request names; not its bytes.
    pub(crate) fn change_object(&mut self, key: &str, id: Option<&str>, change: impl FnOnce(&mut Object)) {
        let Some(versions) = self.data.objects.get_mut(key) else { return };
        let version = match id {
            None => versions.last_mut(),
            Some(id) => versions.iter_mut().find(|version| version.id == id),
        };
        let Some(version) = version else { return };
        let Some(object) = version.object_mut() else { return };
        change(object);
        let bucket = &self.data.name;
        self.log.note(|| Change::altered(bucket, key, version));
    }

    /// Begins a multipart upload.
    pub(crate) fn start_upload(&mut self, id: String, upload: Upload) {
        self.log.note(|| Change::UploadStarted {
            bucket: self.data.name.clone(),
            id: id.clone(),
            upload: Box::new(upload.clone()),
        });
        self.data.uploads.insert(id, upload);
    }

    /// Keeps a part of an upload, in place of an earlier one of its number.
    pub(crate) fn keep_part(&mut self, upload: &str, number: i32, part: UploadedPart) {
        let Some(found) = self.data.uploads.get_mut(upload) else { return };
        self.log.note(|| Change::PartKept {
            bucket: self.data.name.clone(),
            upload: upload.to_owned(),
            number,
            body: part.body.clone(),
            part: part.clone(),
        });
        if let Some(replaced) = found.parts.insert(number, part) {
            self.log.release(&replaced.body);
        }
    }

    /// Ends a multipart upload, whatever became of it.
    pub(crate) fn end_upload(&mut self, id: &str) {
        let Some(ended) = self.data.uploads.remove(id) else { return };
        ended.parts.values().for_each(|part| self.log.release(&part.body));
        self.log.note(|| Change::UploadEnded { bucket: self.data.name.clone(), id: id.to_owned() });
    }
}

fn release(log: &Log, version: &Version) {
    if let Some(object) = version.object() {
        log.release(&object.body);
    }
}
