//! The objects of the plan that are known to be gone from the source.

use levee_ledger::{Ledger, state::ObjectPointer};
use levee_stage::StageError;
use serde::Deserialize;

use crate::pass::key_id;

/// Keys that are remembered by their ids, 16 bytes each.
const REMEMBERED: usize = 4_000_000;

/// The keys that have vanished.
#[derive(Debug, Default)]
pub(crate) struct Vanished {
    ids: Vec<u128>,
}

/// A line of any list of vanished objects; what else it has does not matter here.
#[derive(Deserialize)]
struct Line {
    key: String,
}

impl Vanished {
    /// Reads the lists; none when they have more keys than are remembered.
    ///
    /// # Errors
    /// A list is gone or does not read as one; AWS errors.
    pub(crate) async fn read(ledger: &Ledger, lists: &[&ObjectPointer]) -> Result<Option<Self>, StageError> {
        let mut ids = Vec::new();
        for list in lists {
            let mut lines = open(ledger, list).await?;
            while let Some(line) = lines.next::<Line>().await? {
                if ids.len() == REMEMBERED {
                    return Ok(None);
                }
                ids.push(key_id(&line.key));
            }
        }
        ids.sort_unstable();
        Ok(Some(Self { ids }))
    }

    /// Whether the key with this id has vanished.
    pub(crate) fn has(&self, id: u128) -> bool {
        self.ids.binary_search(&id).is_ok()
    }
}

/// Gives every key of the lists to `take`.
///
/// # Errors
/// As [`Vanished::read`].
pub(crate) async fn each(
    ledger: &Ledger,
    lists: &[&ObjectPointer],
    mut take: impl FnMut(&str),
) -> Result<(), StageError> {
    for list in lists {
        let mut lines = open(ledger, list).await?;
        while let Some(line) = lines.next::<Line>().await? {
            take(&line.key);
        }
    }
    Ok(())
}

async fn open(ledger: &Ledger, list: &ObjectPointer) -> Result<levee_ledger::JsonLines, StageError> {
    ledger.json_lines(&list.key).await?.ok_or_else(|| {
        let cause = format!(
            "the list of vanished objects s3://{}/{} is gone. Look at who changes the ledger; then start a new execution for \
             the date.",
            list.bucket, list.key
        );
        StageError::permanent(crate::SNAPSHOT_DIFFERS, cause)
    })
}
