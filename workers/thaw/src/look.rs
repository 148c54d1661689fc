//! Looks whether objects can be read: HEADs decide, because a restore job ends when everything has been asked for, hours before
//! it is restored.

use aws_sdk_s3::{Client, operation::head_object::HeadObjectOutput};
use futures::{StreamExt, TryStreamExt, stream};
use levee_stage::{StageError, aws::http_status, aws_error};
use serde::{Deserialize, Serialize};

use crate::rows::{Object, Rows};

/// HEADs that are under way at once.
const AT_ONCE: usize = 16;
/// Objects that are not restored yet that a look names.
const NAMED: usize = 3;

/// What a HEAD says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Readable,
    /// A restore is under way.
    Restoring,
    /// It is archived and no restore is under way.
    Archived,
    Gone,
    Denied,
}

/// How far a look has come: rows that need not be asked again. The memo between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passed {
    /// Rows from the first one on that need no further look.
    pub(crate) rows: u64,
    /// Those of them that are archived still, and whose restore nobody has asked for.
    pub(crate) archived: u64,
    /// Those that are gone.
    pub(crate) gone: u64,
    /// Those that the worker may not look at.
    pub(crate) denied: u64,
}

/// The source bucket.
pub(crate) struct Source<'a> {
    pub(crate) s3: &'a Client,
    pub(crate) bucket: &'a str,
    pub(crate) owner: &'a str,
}

impl Passed {
    fn note(&mut self, standing: Standing) {
        self.rows += 1;
        match standing {
            Standing::Readable | Standing::Restoring => {}
            Standing::Archived => self.archived += 1,
            Standing::Gone => self.gone += 1,
            Standing::Denied => self.denied += 1,
        }
    }
}

impl Source<'_> {
    /// Looks at the objects of `rows`, of which the first is the one after `before` rows, from where `passed` ends. Stops at
    /// the first that is still being restored, and answers some such keys; none when all rows are passed.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn look(
        &self,
        rows: &mut Rows<'_>,
        before: u64,
        passed: &mut Passed,
    ) -> Result<Vec<String>, StageError> {
        let mut position = before;
        while let Some(piece) = rows.next().await? {
            let known = usize::try_from(passed.rows.saturating_sub(position)).unwrap_or(usize::MAX).min(piece.len());
            position = position.saturating_add(piece.len() as u64);
            for objects in piece.get(known..).unwrap_or_default().chunks(AT_ONCE) {
                let found = self.heads(objects).await?;
                let until = found.iter().position(|standing| *standing == Standing::Restoring);
                found.iter().take(until.unwrap_or(found.len())).for_each(|standing| passed.note(*standing));
                if until.is_some() {
                    let waiting = objects.iter().zip(&found).filter(|(_, standing)| **standing == Standing::Restoring);
                    return Ok(waiting.map(|(object, _)| object.key.clone()).take(NAMED).collect());
                }
            }
        }
        Ok(Vec::new())
    }

    async fn heads(&self, objects: &[Object]) -> Result<Vec<Standing>, StageError> {
        let calls: Vec<_> = objects.iter().cloned().map(|object| self.head(object)).collect();
        stream::iter(calls).buffered(AT_ONCE).try_collect().await
    }

    async fn head(&self, object: Object) -> Result<Standing, StageError> {
        let call = self.s3.head_object().bucket(self.bucket).key(&object.key).expected_bucket_owner(self.owner);
        match call.set_version_id(object.version_id).send().await {
            Ok(head) => Ok(standing(&head)),
            // Answers to HEAD have no body, so there is no code to go by (HeadObject of the S3 API Reference).
            Err(error) if http_status(&error) == Some(404) => Ok(Standing::Gone),
            Err(error) if http_status(&error) == Some(403) => Ok(Standing::Denied),
            Err(error) => Err(aws_error(&format!("HeadObject s3://{}/{}", self.bucket, object.key), error)),
        }
    }
}

/// Sorts by `x-amz-restore` ("Checking restore status" of the S3 user guide), the class, and `x-amz-archive-status`, which only
/// objects in an archive tier of `INTELLIGENT_TIERING` have.
fn standing(head: &HeadObjectOutput) -> Standing {
    let restore = head.restore().unwrap_or_default();
    let class = head.storage_class().map(aws_sdk_s3::types::StorageClass::as_str);
    let archived = matches!(class, Some("GLACIER" | "DEEP_ARCHIVE")) || head.archive_status().is_some();
    if restore.contains(r#"ongoing-request="true""#) {
        Standing::Restoring
    } else if !archived || restore.contains(r#"ongoing-request="false""#) {
        Standing::Readable
    } else {
        Standing::Archived
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{ArchiveStatus, StorageClass};
    use rstest::rstest;

    use super::*;

    const UNDER_WAY: &str = r#"ongoing-request="true""#;
    const RESTORED: &str = r#"ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT""#;

    #[rstest]
    #[case::never_archived(None, None, None, Standing::Readable)]
    #[case::instant(Some(StorageClass::GlacierIr), None, None, Standing::Readable)]
    #[case::archived(Some(StorageClass::Glacier), None, None, Standing::Archived)]
    #[case::deep(Some(StorageClass::DeepArchive), None, Some(UNDER_WAY), Standing::Restoring)]
    #[case::restored(Some(StorageClass::DeepArchive), None, Some(RESTORED), Standing::Readable)]
    #[case::tier(Some(StorageClass::IntelligentTiering), Some(ArchiveStatus::ArchiveAccess), None, Standing::Archived)]
    #[case::tier_under_way(
        Some(StorageClass::IntelligentTiering),
        Some(ArchiveStatus::DeepArchiveAccess),
        Some(UNDER_WAY),
        Standing::Restoring
    )]
    #[case::tier_left(Some(StorageClass::IntelligentTiering), None, None, Standing::Readable)]
    fn heads_say_whether_an_object_can_be_read(
        #[case] class: Option<StorageClass>,
        #[case] tier: Option<ArchiveStatus>,
        #[case] restore: Option<&str>,
        #[case] expected: Standing,
    ) {
        let head = HeadObjectOutput::builder().set_storage_class(class).set_archive_status(tier);
        assert_eq!(standing(&head.set_restore(restore.map(str::to_owned)).build()), expected);
    }
}
