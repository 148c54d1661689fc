//! What is written down of each object: enough for whoever goes on after a crash. The names are those of the stage large-copy,
//! whoever copies.
//!
//! ```text
//! 06-large-copy/<id>-upload-<n>.json          an upload was begun
//! 06-large-copy/<id>-upload-<n>-whole.json    all its parts are there; it is about to be completed
//! 06-large-copy/<id>.json                     the object came to its end
//! ```

use levee_ledger::{
    Ledger, RunKey, Written,
    state::{LargeCopy, LargeVanished},
};
use levee_stage::StageError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{calls::Calls, checksum::UploadChecksum, layout::Layout, source::Pin};

/// Hexadecimal digits of an object's id.
const ID: usize = 32;

/// The record of an upload that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begun {
    pub(crate) key: String,
    pub(crate) bucket: String,
    pub(crate) upload_id: String,
    /// The source that the upload copies.
    pub(crate) source: Pin,
    pub(crate) layout: Layout,
    /// Whether the layout is the source's own.
    pub(crate) own_layout: bool,
    pub(crate) checksum: UploadChecksum,
}

/// The record of an upload whose parts are all there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whole {
    /// The entity tag that the parts give: the MD5 over theirs, and their number.
    pub(crate) etag: String,
}

/// How an object ended, and the record of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It is in the bucket that it is copied into.
    Copied(LargeCopy),
    /// It is gone from the source.
    Vanished(LargeVanished),
}

impl End {
    fn key(&self) -> &str {
        match self {
            Self::Copied(copy) => &copy.key,
            Self::Vanished(vanished) => &vanished.key,
        }
    }
}

/// The records of a run's large objects.
pub(crate) struct Records<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) run: &'a RunKey,
    pub(crate) calls: &'a Calls,
}

impl Records<'_> {
    /// The end of an object, if it has come to one.
    ///
    /// # Errors
    /// AWS errors; the record is about another key.
    pub(crate) async fn end(&self, key: &str) -> Result<Option<End>, StageError> {
        let at = self.at(key, "");
        let found = self.calls.record(|| self.ledger.read::<End>(&at)).await?;
        found.map(|found| self.about(key, &at, found.value, End::key)).transpose()
    }

    /// Writes down the end of an object; answers the one that was written first.
    ///
    /// # Errors
    /// AWS errors; the record is about another key.
    pub(crate) async fn write_end(&self, end: End) -> Result<End, StageError> {
        let at = self.at(end.key(), "");
        let written = self.calls.record(|| self.ledger.write_once(&at, &end)).await?;
        let key = end.key().to_owned();
        let stored = written.into_stored(end).value;
        self.about(&key, &at, stored, End::key)
    }

    /// The last upload that was begun for an object, and its number; number 0 when there is none.
    ///
    /// # Errors
    /// AWS errors; the record is about another key.
    pub(crate) async fn last_upload(&self, key: &str) -> Result<(u32, Option<Begun>), StageError> {
        let (mut number, mut last) = (0, None);
        loop {
            let at = self.at(key, &format!("-upload-{}", number + 1));
            let found = self.calls.record(|| self.ledger.read::<Begun>(&at)).await?;
            let Some(found) = found else { return Ok((number, last)) };
            last = Some(self.about(key, &at, found.value, |begun| &begun.key)?);
            number += 1;
        }
    }

    /// Writes down that an upload was begun. The one that has the number when somebody was faster.
    ///
    /// # Errors
    /// AWS errors; the record is about another key.
    pub(crate) async fn write_upload(&self, number: u32, begun: &Begun) -> Result<Option<Begun>, StageError> {
        let at = self.at(&begun.key, &format!("-upload-{number}"));
        match self.calls.record(|| self.ledger.write_once(&at, begun)).await? {
            Written::Created(_) => Ok(None),
            Written::AlreadyThere(stored) if stored.value == *begun => Ok(None),
            Written::AlreadyThere(stored) => self.about(&begun.key, &at, stored.value, |begun| &begun.key).map(Some),
        }
    }

    /// What an upload was when all its parts were there; none as long as they are not.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn whole(&self, key: &str, number: u32) -> Result<Option<Whole>, StageError> {
        let at = self.at(key, &format!("-upload-{number}-whole"));
        Ok(self.calls.record(|| self.ledger.read::<Whole>(&at)).await?.map(|found| found.value))
    }

    /// Writes down that all parts of an upload are there.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn write_whole(&self, key: &str, number: u32, whole: &Whole) -> Result<(), StageError> {
        let at = self.at(key, &format!("-upload-{number}-whole"));
        self.calls.record(|| self.ledger.write_once(&at, whole)).await.map(drop)
    }

    /// Keys have up to 1,024 bytes of any kind, and so has the ledger's prefix to share them with: records are named by a
    /// digest of the key.
    fn at(&self, key: &str, what: &str) -> String {
        let id: String = hex::encode(Sha256::digest(key)).chars().take(ID).collect();
        self.run.record(&format!("06-large-copy/{id}{what}.json"))
    }

    fn about<T>(&self, key: &str, at: &str, value: T, of: impl Fn(&T) -> &str) -> Result<T, StageError> {
        if of(&value) == key {
            return Ok(value);
        }
        let cause = format!(
            "the record s3://{}/{at} is about {:?} and not about {key:?}. Look at who changes the ledger; then start a new \
             execution for the date.",
            self.ledger.bucket(),
            of(&value)
        );
        Err(StageError::permanent("Levee.LedgerCorrupt", cause))
    }
}
