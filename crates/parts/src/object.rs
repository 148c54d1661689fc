//! The way of one object to its end. All that is known of it is local to this way, so that nothing of one object can reach
//! another.

use levee_ledger::state::{FailureClass, LargeCopy, LargeRow, LargeVanished, Proof};
use levee_stage::StageError;

use crate::{
    checksum::UploadChecksum,
    proof::{same, verify},
    records::{Begun, End, Records, Whole},
    source::{Looked, SourceBucket},
    trouble::{Failure, Trouble},
    upload::{DoneParts, Target, etag_of},
};

/// How often an object is begun again because it has changed, or because another worker was there.
const AGAIN: u32 = 4;

/// The two buckets and the ledger, as the way of an object sees them.
pub(crate) struct Way<'a> {
    pub(crate) source: SourceBucket<'a>,
    pub(crate) target: Target<'a>,
    pub(crate) records: Records<'a>,
}

/// An upload under way.
struct Upload {
    number: u32,
    begun: Begun,
    done: DoneParts,
}

impl Way<'_> {
    /// See [`Copier::bring`](crate::Copier::bring).
    ///
    /// # Errors
    /// Nothing can be done for any object.
    pub(crate) async fn bring(&self, row: &LargeRow) -> Result<Result<End, Failure>, StageError> {
        let mut again = 0;
        loop {
            if let Some(end) = self.records.end(&row.key).await? {
                return Ok(Ok(end));
            }
            match self.attempt(row, &mut again).await? {
                Some(Ok(end)) => return self.records.write_end(end).await.map(Ok),
                Some(Err(failure)) => return Ok(Err(failure)),
                None => {}
            }
        }
    }

    /// See [`Copier::bring_anew`](crate::Copier::bring_anew).
    ///
    /// # Errors
    /// Nothing can be done for any object.
    pub(crate) async fn bring_anew(&self, row: &LargeRow) -> Result<Result<End, Failure>, StageError> {
        let mut again = 0;
        loop {
            if let Some(brought) = self.attempt(row, &mut again).await? {
                return Ok(brought);
            }
        }
    }

    /// Looks at an object and copies it, if it is not copied yet. None when it has to be begun again, which `again` counts.
    async fn attempt(&self, row: &LargeRow, again: &mut u32) -> Result<Option<Result<End, Failure>>, StageError> {
        let failure = match self.copy(row).await {
            Ok(copy) => return Ok(Some(Ok(End::Copied(copy)))),
            Err(Trouble::Vanished) => {
                self.give_up(row).await;
                let vanished = LargeVanished { key: row.key.clone(), size: row.size };
                return Ok(Some(Ok(End::Vanished(vanished))));
            }
            Err(Trouble::Changed(refusal) | Trouble::Lost(refusal)) if *again < AGAIN => {
                tracing::info!(key = row.key, %refusal, "the object, or its upload, is not what it was: it is begun again");
                *again += 1;
                return Ok(None);
            }
            Err(Trouble::Changed(refusal)) => Failure::meaning(FailureClass::Changed, refusal),
            Err(Trouble::Lost(refusal)) => Failure::meaning(FailureClass::Throttled, refusal),
            Err(Trouble::Failed(failure)) => failure,
            Err(Trouble::Broken(error)) => return Err(error),
        };
        if !failure.is_transient() {
            self.give_up(row).await;
        }
        Ok(Some(Err(failure)))
    }

    /// Aborts the upload of an object that is not copied. The failure is told, whatever comes of this: the bucket's lifecycle
    /// rule removes what is left.
    async fn give_up(&self, row: &LargeRow) {
        let upload = match self.records.last_upload(&row.key).await {
            Ok((_, Some(begun))) => begun,
            Ok((_, None)) => return,
            Err(error) => {
                tracing::warn!(key = row.key, %error, "an upload may be left to the bucket's lifecycle rule");
                return;
            }
        };
        if let Err(refusal) = self.target.abort(&row.key, &upload.upload_id).await {
            tracing::warn!(key = row.key, %refusal, "an upload is left to the bucket's lifecycle rule");
        }
    }

    async fn copy(&self, row: &LargeRow) -> Result<LargeCopy, Trouble> {
        let source = self.source.look(&row.key).await?;
        let there = self.target.look(&row.key).await?;
        let (number, last) = self.records.last_upload(&row.key).await?;
        if let Some(begun) = last {
            if begun.source == source.pin && begun.bucket == self.target.bucket {
                if let Some(done) = self.target.parts(&begun).await? {
                    return self.finish(row, &source, there.is_none(), Upload { number, begun, done }).await;
                }
                if let Some(there) = &there
                    && let Some(copy) = self.finished_before(row, &source, there, (number, &begun)).await?
                {
                    return Ok(copy);
                }
            } else {
                self.target.abort(&row.key, &begun.upload_id).await.map_err(Failure::refused)?;
            }
        }
        if let Some(there) = &there
            && there.attributes == source.attributes
            && let Some(proof) = same(&source, there)
        {
            tracing::info!(key = row.key, "the snapshot bucket has the object already");
            return Ok(copied(row, &source, there, proof));
        }
        let upload = self.begin(row, &source, number + 1).await?;
        self.finish(row, &source, there.is_none(), upload).await
    }

    /// The copy that an earlier worker has completed without living to write it down: the object at the key has the entity tag
    /// that the upload was going to have. One that is not what the source is, is none.
    async fn finished_before(
        &self,
        row: &LargeRow,
        source: &Looked,
        there: &Looked,
        (number, begun): (u32, &Begun),
    ) -> Result<Option<LargeCopy>, Trouble> {
        let whole = self.records.whole(&row.key, number).await?;
        if whole.is_none_or(|whole| whole.etag != there.pin.etag) {
            return Ok(None);
        }
        let proof = verify(source, there, begun.own_layout);
        Ok(proof.ok().map(|proof| copied(row, source, there, proof)))
    }

    async fn begin(&self, row: &LargeRow, source: &Looked, number: u32) -> Result<Upload, Trouble> {
        let (layout, own_layout) = self.source.layout(&row.key, &source.pin).await?;
        let tagging = self.source.tags(&row.key, &source.pin).await?;
        let checksum = UploadChecksum::like(source.checksum.as_ref());
        let create = self.target.create(&row.key, &source.attributes, tagging.as_deref(), &checksum);
        let begun = Begun {
            key: row.key.clone(),
            bucket: self.target.bucket.to_owned(),
            upload_id: create.await?,
            source: source.pin.clone(),
            layout,
            own_layout,
            checksum,
        };
        if let Some(other) = self.records.write_upload(number, &begun).await? {
            self.target.abort(&row.key, &begun.upload_id).await.map_err(Failure::refused)?;
            let done = self.target.parts(&other).await?;
            return match done.filter(|_| other.source == source.pin && other.bucket == self.target.bucket) {
                Some(done) => Ok(Upload { number, begun: other, done }),
                None => Err(Failure::found(FailureClass::Throttled, "another worker copies the object, too").into()),
            };
        }
        self.target.sweep(&begun).await.map_err(Failure::refused)?;
        Ok(Upload { number, begun, done: DoneParts::new() })
    }

    /// Copies what an upload lacks, and completes it.
    async fn finish(&self, row: &LargeRow, source: &Looked, new: bool, upload: Upload) -> Result<LargeCopy, Trouble> {
        let Upload { number, begun, done } = upload;
        let done = self.target.copy_parts(&self.source, &begun, done).await?;
        if let Some(etag) = etag_of(&done) {
            self.records.write_whole(&row.key, number, &Whole { etag }).await?;
        }
        let etag = self.target.complete(&begun, &done, source.checksum.as_ref(), new).await?;
        match self.target.look(&row.key).await? {
            Some(there) if there.pin.etag == etag => checked(row, source, &there, &begun),
            _ => {
                let why = "the upload was completed, and another object, or none, is at its key: somebody else writes to the \
                           snapshot bucket";
                Err(Failure::found(FailureClass::Other, why).into())
            }
        }
    }
}

/// The copy of an upload, if it is what the source is.
fn checked(row: &LargeRow, source: &Looked, there: &Looked, begun: &Begun) -> Result<LargeCopy, Trouble> {
    let proof = verify(source, there, begun.own_layout).map_err(|difference| {
        let why = format!("the copy is not what the source is: {difference}");
        Failure::found(FailureClass::Other, why)
    })?;
    if proof == Proof::SizeOnly {
        tracing::warn!(key = row.key, "nothing but the sizes of the source and the copy can be compared");
    }
    Ok(copied(row, source, there, proof))
}

fn copied(row: &LargeRow, source: &Looked, there: &Looked, proof: Proof) -> LargeCopy {
    // The entity tag of a multipart upload ends with the number of its parts.
    let parts = there.pin.etag.rsplit_once('-').and_then(|(_, parts)| parts.parse().ok());
    let same_etag = row.etag.as_ref().is_none_or(|etag| *etag == source.pin.etag);
    LargeCopy {
        key: row.key.clone(),
        size: there.pin.size,
        etag: there.pin.etag.clone(),
        version_id: there.pin.version_id.clone(),
        source_etag: source.pin.etag.clone(),
        source_version_id: source.pin.version_id.clone(),
        parts: parts.unwrap_or(1),
        changed: row.size != source.pin.size || !same_etag,
        proof,
    }
}
