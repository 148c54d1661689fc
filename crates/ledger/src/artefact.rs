//! Large artefacts, written in pieces.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use levee_stage::{StageError, aws::is_taken, aws_error};

use crate::{Ledger, part::Part, records::encryption_of, state::ObjectPointer};

/// A finished artefact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artefact {
    /// The object.
    pub pointer: ObjectPointer,
    /// Whether this call wrote it; otherwise the key already had an object, which stays as it is.
    pub created: bool,
}

/// Writes one artefact. Nothing appears at the key before [`finish`](Self::finish). A writer that is dropped may leave an
/// unfinished multipart upload behind; [`abort`](Self::abort) removes it, as does the bucket's lifecycle rule.
pub struct ArtefactWriter {
    ledger: Ledger,
    key: String,
    content_type: &'static str,
    part: Part,
    upload: Option<Upload>,
}

/// A multipart upload under way.
struct Upload {
    id: String,
    parts: Vec<CompletedPart>,
}

impl ArtefactWriter {
    pub(crate) fn new(ledger: Ledger, key: String, content_type: &'static str) -> Self {
        let part = ledger.parts.part();
        Self { ledger, key, content_type, part, upload: None }
    }

    /// Adds bytes; sends a part when one is full.
    ///
    /// # Errors
    /// AWS errors; the artefact is then of no use: abort it.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StageError> {
        while !bytes.is_empty() {
            bytes = self.part.fill(bytes);
            if self.part.is_full() {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    /// Makes the artefact appear, unless the key has an object already.
    ///
    /// # Errors
    /// AWS errors; what was sent of it is removed as far as possible.
    pub async fn finish(mut self) -> Result<Artefact, StageError> {
        let created = match self.upload {
            None => {
                let bytes = self.part.lend();
                let put = self.ledger.put_new(&self.key, bytes.clone(), self.content_type).await;
                self.part.give_back(bytes);
                put?
            }
            Some(_) => match self.complete().await {
                Ok(Some(pointer)) => Some(pointer),
                Ok(None) => {
                    self.remove_parts().await?;
                    None
                }
                Err(error) => {
                    if let Err(left) = self.remove_parts().await {
                        tracing::warn!(error = %left, key = self.key, "an unfinished upload is left to the bucket's lifecycle rule");
                    }
                    return Err(error);
                }
            },
        };
        if let Some(pointer) = created {
            return Ok(Artefact { pointer, created: true });
        }
        let there = self.ledger.find(&self.key).await?.ok_or_else(|| {
            let cause = format!("{} was there and is gone again", self.ledger.place(&self.key));
            StageError::transient(StageError::AWS_UNAVAILABLE, cause)
        })?;
        Ok(Artefact { pointer: there, created: false })
    }

    /// Gives up and removes what was sent.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn abort(self) -> Result<(), StageError> {
        self.remove_parts().await
    }

    async fn send_part(&mut self) -> Result<(), StageError> {
        let what = |operation: &str| format!("{operation} of {}", self.ledger.place(&self.key));
        let (s3, bucket) = (&self.ledger.s3, &self.ledger.bucket);
        if self.upload.is_none() {
            let create = s3.create_multipart_upload().bucket(bucket).key(&self.key).content_type(self.content_type);
            let create = create.set_server_side_encryption(encryption_of(self.content_type));
            let created = create.send().await.map_err(|error| aws_error(&what("CreateMultipartUpload"), error))?;
            let id = created.upload_id.ok_or_else(|| {
                StageError::permanent(
                    StageError::AWS_REFUSED,
                    format!("{} gave no upload id", what("CreateMultipartUpload")),
                )
            })?;
            self.upload = Some(Upload { id, parts: Vec::new() });
        }
        let Some(upload) = self.upload.as_mut() else { return Ok(()) };
        let number = i32::try_from(upload.parts.len()).unwrap_or(i32::MAX).saturating_add(1);
        // The bytes are kept until S3 has them, so that a failed part can be sent again by a further write or finish. They are
        // many: the request shares them.
        let bytes = self.part.lend();
        let sent = s3.upload_part().bucket(bucket).key(&self.key).upload_id(&upload.id).part_number(number);
        let sent = sent.body(bytes.clone().into()).send().await;
        self.part.give_back(bytes);
        let sent = sent.map_err(|error| aws_error(&what("UploadPart"), error))?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
        let part = part.set_checksum_crc32(sent.checksum_crc32).set_checksum_crc64_nvme(sent.checksum_crc64_nvme);
        upload.parts.push(part.build());
        self.part.clear();
        Ok(())
    }

    /// None when the key has an object already.
    async fn complete(&mut self) -> Result<Option<ObjectPointer>, StageError> {
        if !self.part.is_empty() {
            self.send_part().await?;
        }
        let Some(upload) = &self.upload else { return Ok(None) };
        let parts = CompletedMultipartUpload::builder().set_parts(Some(upload.parts.clone())).build();
        let call = self.ledger.s3.complete_multipart_upload().bucket(&self.ledger.bucket).key(&self.key);
        match call.upload_id(&upload.id).if_none_match("*").multipart_upload(parts).send().await {
            Ok(output) => Ok(Some(self.ledger.pointer_to(&self.key, output.e_tag, output.version_id))),
            Err(error) if is_taken(&error) => Ok(None),
            Err(error) => {
                Err(aws_error(&format!("CompleteMultipartUpload of {}", self.ledger.place(&self.key)), error))
            }
        }
    }

    async fn remove_parts(&self) -> Result<(), StageError> {
        let Some(upload) = &self.upload else { return Ok(()) };
        let call = self.ledger.s3.abort_multipart_upload().bucket(&self.ledger.bucket).key(&self.key);
        match call.upload_id(&upload.id).send().await {
            Ok(_) => Ok(()),
            Err(error) if levee_stage::aws::error_code(&error) == Some("NoSuchUpload") => Ok(()),
            Err(error) => Err(aws_error(&format!("AbortMultipartUpload of {}", self.ledger.place(&self.key)), error)),
        }
    }
}
