//! What large-copy says of the objects that were too large for a batch copy, and the rows of its lists.

use serde::{Deserialize, Serialize};

use super::{FailureClass, ObjectPointer};

/// `$.large`, by large-copy: every row of [`Plan::large`](super::Plan::large) accounted for. `copied` + `vanished` = `objects`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeCopied {
    /// Rows of the plan's list.
    pub objects: u64,
    /// Objects that are in the snapshot bucket now.
    pub copied: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Parts of those.
    pub parts: u64,
    /// Those of them that are another object than the inventory had: of another size or entity tag, or changed meanwhile.
    pub changed: u64,
    /// Objects that are gone from the source.
    pub vanished: u64,
    /// The first in full, as lines of [`LargeCopy`]; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_list: Option<ObjectPointer>,
    /// The second in full, as lines of [`LargeVanished`]; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vanished_list: Option<ObjectPointer>,
}

/// What shows that a copy is what its source was, besides its size. Entity tags and checksums are of S3's making: none of them
/// was calculated outside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Checksums of the whole object are the same.
    Checksum,
    /// Checksums over the checksums of the parts are the same.
    CompositeChecksum,
    /// Entity tags over the parts are the same.
    Etag,
    /// Nothing that can be compared: the source has no checksum of a kind that a multipart upload can have, and its entity tag
    /// is not one over the same parts, or of another encryption.
    SizeOnly,
}

/// A copy in the snapshot bucket: a line of [`LargeCopied::copied_list`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LargeCopy {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// The copy's entity tag, without quotes.
    pub etag: String,
    /// The copy's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The source's entity tag when it was copied, without quotes.
    pub source_etag: String,
    /// The source's version, where that bucket is versioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version_id: Option<String>,
    /// Parts.
    pub parts: u64,
    /// Whether the source was another object than the inventory had.
    pub changed: bool,
    /// What shows that the copy is right.
    pub proof: Proof,
}

/// An object that is gone from the source: a line of [`LargeCopied::vanished_list`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LargeVanished {
    /// The key.
    pub key: String,
    /// Bytes, as the inventory had it.
    pub size: u64,
}

/// An object that was not copied: a line of the list of failures that `Levee.LargeCopyIncomplete` names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LargeFailure {
    /// The source bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Bytes, as the inventory had it.
    pub size: u64,
    /// Why.
    pub class: FailureClass,
    /// The call that was refused, by its name in the S3 API; absent when it was no call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The HTTP status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// The error code; answers to HEAD have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// What S3 or the worker says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
