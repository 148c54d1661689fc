//! One multipart upload into the bucket that is copied into.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    future::ready,
    sync::atomic::{AtomicBool, Ordering},
};

use aws_sdk_s3::types::{ChecksumMode, CompletedMultipartUpload, CompletedPart, EncodingType, StorageClass};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use levee_formats::KeyCodec;
use levee_ledger::state::FailureClass;
use md5::{Digest, Md5};

use crate::{
    attributes::Attributes,
    calls::Calls,
    checksum::{Checksum, ObjectChecksum, UploadChecksum, state, told},
    layout::Part,
    records::Begun,
    source::{Looked, SourceBucket, moved},
    trouble::{Failure, Refusal, Trouble},
};

/// The bucket that is copied into: a snapshot bucket, or the target of a restore.
pub(crate) struct Target<'a> {
    pub(crate) calls: &'a Calls,
    pub(crate) bucket: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) storage_class: &'a str,
    /// What keys get in front, without a slash at the end; empty but in a restore.
    pub(crate) prefix: &'a str,
    /// Uploads that were begun before are not of this run.
    pub(crate) run_began: Timestamp,
}

/// A part that S3 has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DonePart {
    pub(crate) etag: String,
    checksum: Option<Checksum>,
}

/// The parts of an upload by number.
pub(crate) type DoneParts = BTreeMap<i32, DonePart>;

impl Target<'_> {
    /// The key of the copy of an object.
    fn at<'k>(&self, key: &'k str) -> Cow<'k, str> {
        if self.prefix.is_empty() { Cow::Borrowed(key) } else { Cow::Owned(format!("{}/{key}", self.prefix)) }
    }

    /// The object that is at the key now; none when there is none.
    ///
    /// # Errors
    /// It may not be looked at.
    pub(crate) async fn look(&self, key: &str) -> Result<Option<Looked>, Trouble> {
        let call = || {
            let head =
                self.calls.s3.head_object().bucket(self.bucket).key(self.at(key)).expected_bucket_owner(self.owner);
            head.checksum_mode(ChecksumMode::Enabled).send()
        };
        match self.calls.make("HeadObject", call).await {
            Ok(head) => Ok(Some(Looked::of(&head)?)),
            Err(refusal) if refusal.status == Some(404) => Ok(None),
            Err(refusal) => Err(Failure::refused(refusal).into()),
        }
    }

    /// Begins an upload that carries the attributes and tags over; answers its id.
    ///
    /// # Errors
    /// S3 refuses it.
    pub(crate) async fn create(
        &self,
        key: &str,
        attributes: &Attributes,
        tagging: Option<&str>,
        checksum: &UploadChecksum,
    ) -> Result<String, Trouble> {
        let call = || {
            let create = self.calls.s3.create_multipart_upload().bucket(self.bucket).key(self.at(key));
            let create = attributes.put_into(create).expected_bucket_owner(self.owner);
            let create = create.set_tagging(tagging.map(str::to_owned));
            let create = create.storage_class(StorageClass::from(self.storage_class));
            let create = create.checksum_algorithm(checksum.algorithm()).checksum_type(checksum.kind());
            let expires = attributes.expires.clone();
            let create = create.customize().mutate_request(move |request| {
                if let Some(expires) = expires.clone() {
                    request.headers_mut().insert("expires", expires);
                }
            });
            create.send()
        };
        let created = self.calls.make("CreateMultipartUpload", call).await.map_err(Failure::refused)?;
        let id = created.upload_id.filter(|id| !id.is_empty());
        Ok(id.ok_or_else(|| Failure::found(FailureClass::Other, "S3 began an upload without an upload id"))?)
    }

    /// The parts that an upload has; those of another size than the layout's are left out. None when the upload is gone.
    ///
    /// # Errors
    /// They may not be listed.
    pub(crate) async fn parts(&self, begun: &Begun) -> Result<Option<DoneParts>, Trouble> {
        let sizes: BTreeMap<i32, u64> = begun.layout.parts().map(|part| (part.number, part.size)).collect();
        let (mut done, mut marker) = (DoneParts::new(), None::<String>);
        loop {
            let call = || {
                let list =
                    self.calls.s3.list_parts().bucket(self.bucket).key(self.at(&begun.key)).upload_id(&begun.upload_id);
                list.expected_bucket_owner(self.owner).set_part_number_marker(marker.clone()).send()
            };
            let page = match self.calls.make("ListParts", call).await {
                Ok(page) => page,
                Err(refusal) if refusal.is("NoSuchUpload") => return Ok(None),
                Err(refusal) => return Err(Failure::refused(refusal).into()),
            };
            for part in page.parts() {
                let (Some(number), Some(etag)) = (part.part_number(), part.e_tag()) else { continue };
                let size = part.size().and_then(|size| u64::try_from(size).ok());
                if size.is_some() && sizes.get(&number).copied() == size {
                    done.insert(number, DonePart { etag: etag.to_owned(), checksum: told!(part) });
                }
            }
            marker = page.next_part_number_marker().map(str::to_owned);
            if page.is_truncated() != Some(true) || marker.is_none() {
                return Ok(Some(done));
            }
        }
    }

    /// Copies the parts that are missing, as many at once as there is room for. When one fails, those under way are waited
    /// for, so that what S3 has copied is known; no further one is begun.
    ///
    /// # Errors
    /// The first trouble of a part.
    pub(crate) async fn copy_parts(
        &self,
        source: &SourceBucket<'_>,
        begun: &Begun,
        mut done: DoneParts,
    ) -> Result<DoneParts, Trouble> {
        let stop = AtomicBool::new(false);
        let missing: Vec<Part> = begun.layout.parts().filter(|part| !done.contains_key(&part.number)).collect();
        let from = source.copy_source(&begun.key, &begun.source);
        let copies = stream::iter(missing).take_while(|_| ready(!stop.load(Ordering::Relaxed))).map(|part| {
            let from = from.as_str();
            async move { (part.number, self.copy_part(source, from, begun, part).await) }
        });
        let mut copies = std::pin::pin!(copies.buffer_unordered(self.calls.at_a_time));
        let mut trouble = None;
        while let Some((number, copied)) = copies.next().await {
            match copied {
                Ok(part) => drop(done.insert(number, part)),
                Err(first) => {
                    stop.store(true, Ordering::Relaxed);
                    trouble.get_or_insert(first);
                }
            }
        }
        trouble.map_or(Ok(done), Err)
    }

    async fn copy_part(
        &self,
        source: &SourceBucket<'_>,
        from: &str,
        begun: &Begun,
        part: Part,
    ) -> Result<DonePart, Trouble> {
        if part.size == 0 {
            return self.empty_part(begun, part).await;
        }
        // "UploadPartCopy" in the S3 API Reference: of a source of 5 MB or less no range can be copied.
        let range = part.range().filter(|_| begun.layout.count() > 1);
        let call = || {
            let copy = self
                .calls
                .s3
                .upload_part_copy()
                .bucket(self.bucket)
                .key(self.at(&begun.key))
                .upload_id(&begun.upload_id);
            let copy = copy.part_number(part.number).copy_source(from).set_copy_source_range(range.clone());
            let copy = copy.copy_source_if_match(begun.source.condition());
            let copy = copy.expected_bucket_owner(self.owner).expected_source_bucket_owner(source.owner);
            copy.customize().config_override(self.calls.patient()).send()
        };
        let copied = self.calls.make_in_turn("UploadPartCopy", call).await.map_err(lost_or(moved))?;
        let result = copied.copy_part_result();
        let etag = result.and_then(|result| result.e_tag());
        let etag =
            etag.ok_or_else(|| Failure::found(FailureClass::Other, "S3 copied a part and told no entity tag"))?;
        Ok(DonePart { etag: etag.to_owned(), checksum: result.and_then(|result| told!(result)) })
    }

    /// The part of an object without bytes, of which there is no range to copy.
    async fn empty_part(&self, begun: &Begun, part: Part) -> Result<DonePart, Trouble> {
        let call = || {
            let put =
                self.calls.s3.upload_part().bucket(self.bucket).key(self.at(&begun.key)).upload_id(&begun.upload_id);
            let put = put.part_number(part.number).checksum_algorithm(begun.checksum.algorithm());
            put.expected_bucket_owner(self.owner).send()
        };
        let refused = |refusal| Failure::refused(refusal).into();
        let sent = self.calls.make_in_turn("UploadPart", call).await.map_err(lost_or(refused))?;
        let etag = sent.e_tag().unwrap_or_default().to_owned();
        Ok(DonePart { etag, checksum: told!(sent) })
    }

    /// Makes the object appear, `new` only when the key has none; answers its entity tag, without quotes.
    ///
    /// # Errors
    /// The upload is gone, the key is taken, or S3 refuses the parts.
    pub(crate) async fn complete(
        &self,
        begun: &Begun,
        parts: &DoneParts,
        source: Option<&ObjectChecksum>,
        new: bool,
    ) -> Result<String, Trouble> {
        let parts = parts.iter().map(|(number, part)| {
            let completed = CompletedPart::builder().part_number(*number).e_tag(&part.etag);
            state!(completed, part.checksum.as_ref()).build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let expected = begun.checksum.expected(source);
        let call = || {
            let complete = self.calls.s3.complete_multipart_upload().bucket(self.bucket).key(self.at(&begun.key));
            let complete = complete.upload_id(&begun.upload_id).multipart_upload(parts.clone());
            let complete = complete.expected_bucket_owner(self.owner).set_if_none_match(new.then(|| "*".to_owned()));
            let complete = complete.mpu_object_size(i64::try_from(begun.layout.size()).unwrap_or(i64::MAX));
            let complete = state!(complete, expected).checksum_type(begun.checksum.kind());
            complete.customize().config_override(self.calls.patient()).send()
        };
        // The key is taken meanwhile, or a part was copied once more: another worker has been there.
        let taken = |refusal: Refusal| match refusal.class() {
            FailureClass::Changed => Trouble::Lost(refusal),
            _ if refusal.is("InvalidPart") => Trouble::Lost(refusal),
            _ => Failure::refused(refusal).into(),
        };
        let completed = self.calls.make("CompleteMultipartUpload", call).await.map_err(lost_or(taken))?;
        Ok(completed.e_tag().unwrap_or_default().trim_matches('"').to_owned())
    }

    /// Aborts an upload; one that is gone is done with.
    ///
    /// # Errors
    /// S3 refuses it.
    pub(crate) async fn abort(&self, key: &str, upload_id: &str) -> Result<(), Refusal> {
        let call = || {
            let abort =
                self.calls.s3.abort_multipart_upload().bucket(self.bucket).key(self.at(key)).upload_id(upload_id);
            abort.expected_bucket_owner(self.owner).send()
        };
        match self.calls.make("AbortMultipartUpload", call).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.is("NoSuchUpload") => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Aborts what a worker of this run has begun for the same key and not written down, because it died between the two.
    /// Such an upload cannot be gone on with: S3 does not tell the attributes that it was begun with. It is of this run when
    /// it was begun since the run began, by whoever has begun `begun`.
    ///
    /// # Errors
    /// S3 refuses it.
    pub(crate) async fn sweep(&self, begun: &Begun) -> Result<(), Refusal> {
        let call = || {
            let list = self.calls.s3.list_multipart_uploads().bucket(self.bucket).prefix(self.at(&begun.key));
            list.encoding_type(EncodingType::Url).expected_bucket_owner(self.owner).send()
        };
        // Uploads are listed by key, so that those of the key itself come first.
        let listed = self.calls.make("ListMultipartUploads", call).await?;
        let at = self.at(&begun.key);
        let same_key =
            |key: &str| KeyCodec::Form.decode(key.as_bytes()).is_ok_and(|decoded| decoded.as_ref() == at.as_bytes());
        let of_key: Vec<_> = listed.uploads().iter().filter(|upload| upload.key().is_some_and(same_key)).collect();
        let own = of_key.iter().find(|upload| upload.upload_id() == Some(begun.upload_id.as_str()));
        let Some(own) = own.and_then(|own| own.initiator()?.id()) else { return Ok(()) };
        for upload in of_key {
            let since = upload.initiated().is_some_and(|time| time.secs() >= self.run_began.as_second());
            let ours = upload.initiator().and_then(|initiator| initiator.id()).is_some_and(|id| same_caller(id, own));
            if let Some(id) = upload.upload_id().filter(|id| since && ours && *id != begun.upload_id) {
                tracing::info!(key = begun.key, "aborting an upload of this run that was begun and not recorded");
                self.abort(&begun.key, id).await?;
            }
        }
        Ok(())
    }
}

/// The entity tag of the object that the parts make under SSE-S3: the MD5 over theirs, and their number. None when a part's is
/// no MD5.
pub(crate) fn etag_of(parts: &DoneParts) -> Option<String> {
    let mut over = Md5::new();
    for part in parts.values() {
        over.update(hex::decode(part.etag.trim_matches('"')).ok().filter(|md5| md5.len() == 16)?);
    }
    Some(format!("{}-{}", hex::encode(over.finalize()), parts.len()))
}

/// An upload that is gone was completed or aborted by another worker.
fn lost_or(otherwise: impl Fn(Refusal) -> Trouble) -> impl Fn(Refusal) -> Trouble {
    move |refusal| if refusal.is("NoSuchUpload") { Trouble::Lost(refusal) } else { otherwise(refusal) }
}

/// Whether two initiators are the same role: `arn:aws:sts::<account>:assumed-role/<role>/<session>` has another session for
/// each worker.
fn same_caller(one: &str, other: &str) -> bool {
    let role = |arn: &str| match arn.rsplit_once('/') {
        Some((role, _)) if arn.contains(":assumed-role/") => role.to_owned(),
        _ => arn.to_owned(),
    };
    role(one) == role(other)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parts(etags: &[&str]) -> DoneParts {
        let part = |etag: &&str| DonePart { etag: (*etag).to_owned(), checksum: None };
        (1..).zip(etags.iter().map(part)).collect()
    }

    #[rstest]
    // The MD5 of the 32 bytes that two MD5s of nothing are.
    #[case::two(&["\"d41d8cd98f00b204e9800998ecf8427e\"", "d41d8cd98f00b204e9800998ecf8427e"], Some("5873dd45edd01f09c1ef2e7819369e8e-2"))]
    #[case::no_md5(&["0123"], None)]
    #[case::no_hex(&["kms"], None)]
    fn entity_tag_is_the_md5_over_those_of_the_parts(#[case] etags: &[&str], #[case] etag: Option<&str>) {
        assert_eq!(etag_of(&parts(etags)).as_deref(), etag);
    }

    #[rstest]
    #[case::sessions_of_a_role("arn:aws:sts::1:assumed-role/levee/a", "arn:aws:sts::1:assumed-role/levee/b", true)]
    #[case::other_role("arn:aws:sts::1:assumed-role/levee/a", "arn:aws:sts::1:assumed-role/other/a", false)]
    #[case::same("arn:aws:iam::1:role/levee", "arn:aws:iam::1:role/levee", true)]
    #[case::other_user("arn:aws:iam::1:user/x/a", "arn:aws:iam::1:user/x/b", false)]
    fn callers_are_the_same_whatever_their_session(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        assert_eq!(same_caller(one, other), same);
    }
}
