//! The object that is copied, looked at in the source bucket.

use aws_sdk_s3::{
    operation::head_object::HeadObjectOutput,
    types::{ChecksumMode, ServerSideEncryption, StorageClass},
};
use futures::{StreamExt, TryStreamExt, stream};
use levee_formats::KeyCodec;
use levee_ledger::state::FailureClass;
use serde::{Deserialize, Serialize};

use crate::{
    attributes::{Attributes, tagging},
    calls::Calls,
    checksum::{ObjectChecksum, told},
    layout::Layout,
    trouble::{Failure, Refusal, Trouble},
};

/// The source bucket.
pub(crate) struct SourceBucket<'a> {
    pub(crate) calls: &'a Calls,
    pub(crate) name: &'a str,
    pub(crate) owner: &'a str,
}

/// What makes an object the same as before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pin {
    /// Bytes.
    pub(crate) size: u64,
    /// The entity tag, without quotes.
    pub(crate) etag: String,
    /// The version, where the bucket is versioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version_id: Option<String>,
}

impl Pin {
    /// The entity tag in the form of a condition.
    pub(crate) fn condition(&self) -> String {
        format!("\"{}\"", self.etag)
    }
}

/// An object in either bucket, as a HEAD tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Looked {
    pub(crate) pin: Pin,
    pub(crate) checksum: Option<ObjectChecksum>,
    /// Whether it is encrypted with a key of S3's (SSE-S3): then the entity tags of its parts are their MD5s.
    pub(crate) sse_s3: bool,
    pub(crate) attributes: Attributes,
}

impl Looked {
    /// The object of a HEAD.
    ///
    /// # Errors
    /// The answer lacks the size or the entity tag.
    pub(crate) fn of(head: &HeadObjectOutput) -> Result<Self, Failure> {
        let size = head.content_length().and_then(|length| u64::try_from(length).ok());
        let (Some(size), Some(etag)) = (size, head.e_tag()) else {
            return Err(Failure::found(
                FailureClass::Other,
                "S3 answered a HEAD of the object without its size or entity tag",
            ));
        };
        let version = head.version_id().filter(|version| *version != "null");
        Ok(Self {
            pin: Pin { size, etag: etag.trim_matches('"').to_owned(), version_id: version.map(str::to_owned) },
            checksum: ObjectChecksum::of(told!(head), head.checksum_type()),
            sse_s3: head.server_side_encryption() == Some(&ServerSideEncryption::Aes256),
            attributes: Attributes::of(head),
        })
    }
}

impl SourceBucket<'_> {
    /// Looks at the newest version of an object.
    ///
    /// # Errors
    /// It is gone, or cannot be copied.
    pub(crate) async fn look(&self, key: &str) -> Result<Looked, Trouble> {
        let s3 = &self.calls.s3;
        let call = || {
            let head = s3.head_object().bucket(self.name).key(key).expected_bucket_owner(self.owner);
            head.checksum_mode(ChecksumMode::Enabled).send()
        };
        let head = match self.calls.make("HeadObject", call).await {
            Ok(head) => head,
            Err(refusal) if refusal.status == Some(404) => {
                self.check().await?;
                return Err(Trouble::Vanished);
            }
            Err(refusal) if matches!(refusal.status, Some(400 | 403)) => return Err(self.explain(key, refusal).await),
            Err(refusal) => return Err(Failure::refused(refusal).into()),
        };
        if let Some(missing) = head.missing_meta().filter(|missing| *missing > 0) {
            let why = format!(
                "{missing} entries of its user metadata cannot be sent over HTTP, so that a copy would lack them"
            );
            return Err(Failure::found(FailureClass::Other, why).into());
        }
        if is_archived(&head) {
            let why = "it is in an archive class or tier and not restored";
            return Err(Failure::found(FailureClass::Archived, why).into());
        }
        Ok(Looked::of(&head)?)
    }

    /// Makes sure that the bucket is there: in one that is gone every object seems to be.
    async fn check(&self) -> Result<(), Failure> {
        let call = || self.calls.s3.head_bucket().bucket(self.name).expected_bucket_owner(self.owner).send();
        let found = self.calls.make("HeadBucket", call).await;
        found.map(drop).map_err(|refusal| Failure::meaning(gone_or(&refusal), refusal))
    }

    /// Why a HEAD was refused: its answer has no body and so no code, that of a GET has.
    async fn explain(&self, key: &str, head: Refusal) -> Trouble {
        let call = || {
            let get = self.calls.s3.get_object().bucket(self.name).key(key).expected_bucket_owner(self.owner);
            get.range("bytes=0-0").send()
        };
        let Err(refusal) = self.calls.make("GetObject", call).await else {
            return Failure::refused(head).into();
        };
        // S3 answers 400 to whoever does not send the customer's key with SSE-C.
        let sse_c = head.status == Some(400) && refusal.is("InvalidRequest");
        let class = if sse_c { FailureClass::Unsupported } else { refusal.class() };
        Failure::meaning(class, refusal).into()
    }

    /// The tags of the object, in the form of `x-amz-tagging`.
    ///
    /// # Errors
    /// They may not be read; the object is gone.
    pub(crate) async fn tags(&self, key: &str, pin: &Pin) -> Result<Option<String>, Trouble> {
        let call = || {
            let get = self.calls.s3.get_object_tagging().bucket(self.name).key(key).expected_bucket_owner(self.owner);
            get.set_version_id(pin.version_id.clone()).send()
        };
        let tags = self.calls.make("GetObjectTagging", call).await.map_err(moved)?;
        Ok(tagging(tags.tag_set().iter().map(|tag| (tag.key(), tag.value()))))
    }

    /// The layout of the copy, and whether it is the object's own: then a copy has the same entity tag over its parts, and the
    /// same composite checksum.
    ///
    /// # Errors
    /// No upload can hold the object; a HEAD of a part is refused.
    pub(crate) async fn layout(&self, key: &str, pin: &Pin) -> Result<(Layout, bool), Trouble> {
        // Whether an object without bytes has a part to look at is not documented.
        let sizes = if pin.size == 0 { None } else { self.part_sizes(key, pin).await? };
        if let Some(own) = sizes.and_then(Layout::of_parts) {
            return Ok((own, true));
        }
        let computed = Layout::computed(pin.size).ok_or_else(|| {
            let why = "it has more bytes than 10,000 parts of 5 GiB, the most that an upload can have";
            Failure::found(FailureClass::TooLarge, why)
        })?;
        Ok((computed, false))
    }

    /// The sizes of the object's parts; none of an object that was put whole. S3 tells them all at once only of objects with a
    /// composite checksum ("GetObjectAttributes" in the S3 API Reference), and to whoever has one more permission; a HEAD of
    /// each part tells them of all objects.
    async fn part_sizes(&self, key: &str, pin: &Pin) -> Result<Option<Vec<u64>>, Trouble> {
        let (first, count) = self.part(key, pin, 1).await?;
        let Some(count) = count.filter(|count| *count >= 1) else { return Ok(None) };
        let between: Vec<u64> = stream::iter(2..count)
            .map(|number| async move { self.part(key, pin, number).await.map(|(size, _)| size) })
            .buffered(self.calls.at_a_time)
            .try_collect()
            .await?;
        let told = between.iter().try_fold(first, |sum, size| sum.checked_add(*size));
        let last = told.and_then(|told| pin.size.checked_sub(told));
        let sizes = [first].into_iter().chain(between);
        if count == 1 {
            return Ok((first == pin.size).then(|| vec![first]));
        }
        Ok(last.map(|last| sizes.chain([last]).collect()))
    }

    /// Bytes of a part, and the number of parts.
    async fn part(&self, key: &str, pin: &Pin, number: i32) -> Result<(u64, Option<i32>), Trouble> {
        let call = || {
            let head = self.calls.s3.head_object().bucket(self.name).key(key).expected_bucket_owner(self.owner);
            let head = head.set_version_id(pin.version_id.clone()).if_match(pin.condition());
            head.part_number(number).send()
        };
        let head = self.calls.make_in_turn("HeadObject", call).await.map_err(moved)?;
        let size = head.content_length().and_then(|length| u64::try_from(length).ok());
        let size =
            size.ok_or_else(|| Failure::found(FailureClass::Other, "S3 answered a HEAD of a part without its size"))?;
        Ok((size, head.parts_count()))
    }

    /// The object in the form of `x-amz-copy-source`.
    pub(crate) fn copy_source(&self, key: &str, pin: &Pin) -> String {
        let encode = |text: &str| KeyCodec::Percent.encode(text.as_bytes());
        let version = pin.version_id.as_deref().map(|version| format!("?versionId={}", encode(version)));
        format!("{}/{}{}", self.name, encode(key), version.unwrap_or_default())
    }
}

/// What a refusal of something means that was there a moment ago.
pub(crate) fn moved(refusal: Refusal) -> Trouble {
    match refusal.class() {
        FailureClass::Vanished | FailureClass::Changed => Trouble::Changed(refusal),
        _ => Failure::refused(refusal).into(),
    }
}

/// A bucket that is gone explains nothing of its objects.
fn gone_or(refusal: &Refusal) -> FailureClass {
    if refusal.status == Some(404) { FailureClass::Other } else { refusal.class() }
}

/// Whether the bytes cannot be read before they are restored. "Restoring an archived object" in the S3 User Guide: HEAD tells
/// the class or, with Intelligent-Tiering, the archive status, and in `x-amz-restore` whether a restored copy is there.
fn is_archived(head: &HeadObjectOutput) -> bool {
    let class = head.storage_class();
    let archived =
        matches!(class, Some(StorageClass::Glacier | StorageClass::DeepArchive)) || head.archive_status().is_some();
    archived && !head.restore().is_some_and(|restore| restore.contains("ongoing-request=\"false\""))
}
