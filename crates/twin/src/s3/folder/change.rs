//! The changes that a journal consists of.

use serde::{Deserialize, Serialize};

use super::super::{
    body::Body,
    store::{BucketData, State, Upload, UploadedPart, Version},
};

/// A change, with a body as it is in memory (to be written) or as pieces of files (as read).
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Change<B> {
    /// A twin was started on the folder.
    Opened(Lives),
    /// A bucket is new, or has other settings.
    Bucket {
        bucket: Box<BucketData>,
        policy: Option<String>,
    },
    BucketRemoved {
        bucket: String,
    },
    /// A version became the newest of its key.
    Added {
        bucket: String,
        key: String,
        version: Box<Version>,
        body: B,
    },
    /// Other things are said of a version; its bytes are the same.
    Altered {
        bucket: String,
        key: String,
        version: Box<Version>,
    },
    Removed {
        bucket: String,
        key: String,
        id: String,
    },
    UploadStarted {
        bucket: String,
        id: String,
        upload: Box<Upload>,
    },
    PartKept {
        bucket: String,
        upload: String,
        number: i32,
        part: UploadedPart,
        body: B,
    },
    UploadEnded {
        bucket: String,
        id: String,
    },
}

/// A piece of a file of bytes, or of the pattern of sparse bodies.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Piece {
    /// None for a piece of the pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<u64>,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// What twins that follow each other on a folder must not repeat.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lives {
    /// How many twins were started on the folder before this one.
    pub(crate) before: u64,
    /// The highest number of a version so far.
    pub(crate) sequence: u64,
    /// The highest number of a body so far.
    pub(crate) body: u64,
}

impl Change<Body> {
    /// The bucket as it is now, without its contents.
    pub(crate) fn bucket(bucket: &BucketData) -> Self {
        let data = BucketData {
            name: bucket.name.clone(),
            account: bucket.account.clone(),
            region: bucket.region.clone(),
            created: bucket.created.clone(),
            versioning: bucket.versioning,
            settings: bucket.settings.clone(),
            objects: Default::default(),
            uploads: Default::default(),
        };
        let policy = bucket.settings.policy.as_ref().map(|policy| policy.text.clone());
        Self::Bucket { bucket: Box::new(data), policy }
    }

    /// A version that became the newest.
    pub(crate) fn added(bucket: &str, key: &str, version: &Version) -> Self {
        Self::Added {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            body: version.object().map(|object| object.body.clone()).unwrap_or_default(),
            version: Box::new(version.clone()),
        }
    }

    /// A version of which other things are said.
    pub(crate) fn altered(bucket: &str, key: &str, version: &Version) -> Self {
        Self::Altered { bucket: bucket.to_owned(), key: key.to_owned(), version: Box::new(version.clone()) }
    }

    /// The changes that make `state` out of nothing.
    pub(super) fn all(state: &State) -> impl Iterator<Item = Self> {
        state.buckets().values().flat_map(|bucket| {
            let versions = bucket
                .objects
                .iter()
                .flat_map(|(key, versions)| versions.iter().map(|version| Self::added(&bucket.name, key, version)));
            let uploads = bucket.uploads.iter().flat_map(|(id, upload)| {
                let started = Self::UploadStarted {
                    bucket: bucket.name.clone(),
                    id: id.clone(),
                    upload: Box::new(Upload { parts: Default::default(), ..upload.clone() }),
                };
                let parts = upload.parts.iter().map(|(number, part)| Self::PartKept {
                    bucket: bucket.name.clone(),
                    upload: id.clone(),
                    number: *number,
                    body: part.body.clone(),
                    part: part.clone(),
                });
                std::iter::once(started).chain(parts)
            });
            std::iter::once(Self::bucket(bucket)).chain(versions).chain(uploads)
        })
    }
}
