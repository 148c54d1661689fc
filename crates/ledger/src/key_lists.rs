//! Lists of keys in the ledger, such as those of vanished objects.

use levee_stage::StageError;
use serde::Deserialize;
use twox_hash::XxHash3_128;

use crate::{
    JsonLines, Ledger,
    state::{LargeCopied, ObjectPointer, Report},
};

/// Keys that a [`KeySet`] remembers, 16 bytes each.
const REMEMBERED: usize = 4_000_000;

/// Stands for a key. Two of 2^40 keys agree with a probability of less than 2^-48.
#[must_use]
pub fn key_id(key: &str) -> u128 {
    XxHash3_128::oneshot(key.as_bytes())
}

/// Keys by their ids.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    ids: Vec<u128>,
}

impl KeySet {
    /// Whether the key with this id is among them, see [`key_id`].
    #[must_use]
    pub fn has_id(&self, id: u128) -> bool {
        self.ids.binary_search(&id).is_ok()
    }

    /// Whether the key is among them.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.has_id(key_id(key))
    }
}

/// Lists of JSON lines that each have a `key`; what else a line has does not matter here.
#[derive(Clone, Debug)]
pub struct KeyLists<'a> {
    ledger: &'a Ledger,
    lists: Vec<&'a ObjectPointer>,
    error: &'static str,
}

#[derive(Deserialize)]
struct Line {
    key: String,
}

impl<'a> KeyLists<'a> {
    /// The lists of what was gone from the source when it was to be copied, by jobs and part by part; a stage that finds one of
    /// them gone fails with `error`.
    #[must_use]
    pub fn of_vanished(
        ledger: &'a Ledger,
        report: Option<&'a Report>,
        large: Option<&'a LargeCopied>,
        error: &'static str,
    ) -> Self {
        let reported = report.and_then(|report| report.vanished_list.as_ref());
        let large = large.and_then(|large| large.vanished_list.as_ref());
        Self { ledger, lists: reported.into_iter().chain(large).collect(), error }
    }

    /// All keys; none when there are more than four million.
    ///
    /// # Errors
    /// A list is gone or does not read as one; AWS errors.
    pub async fn set(&self) -> Result<Option<KeySet>, StageError> {
        let mut ids = Vec::new();
        for list in &self.lists {
            let mut lines = self.open(list).await?;
            while let Some(line) = lines.next::<Line>().await? {
                if ids.len() == REMEMBERED {
                    return Ok(None);
                }
                ids.push(key_id(&line.key));
            }
        }
        ids.sort_unstable();
        Ok(Some(KeySet { ids }))
    }

    /// Gives every key to `take`.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn each(&self, mut take: impl FnMut(&str)) -> Result<(), StageError> {
        for list in &self.lists {
            let mut lines = self.open(list).await?;
            while let Some(line) = lines.next::<Line>().await? {
                take(&line.key);
            }
        }
        Ok(())
    }

    async fn open(&self, list: &ObjectPointer) -> Result<JsonLines, StageError> {
        self.ledger.json_lines(&list.key).await?.ok_or_else(|| {
            let cause = format!(
                "the list of keys s3://{}/{} is gone. Look at who changes the ledger; then start a new execution for the date.",
                list.bucket, list.key
            );
            StageError::permanent(self.error, cause)
        })
    }
}
