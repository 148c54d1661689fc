//! The tables of a run, from the list that its receipt pins.

use levee_stage::StageError;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::{
    Ledger,
    receipt::Receipt,
    state::{ObjectPointer, TableLine},
};

impl Ledger {
    /// The tables of a run, in the order of the list; none where the receipt has no list.
    ///
    /// # Errors
    /// As [`each_pinned`](Self::each_pinned).
    pub async fn tables_of(&self, receipt: &Receipt) -> Result<Vec<TableLine>, StageError> {
        let mut lines = Vec::new();
        self.each_table_of(receipt, |line| lines.push(line)).await?;
        Ok(lines)
    }

    /// Gives every table of a run to `take`. Memory holds the bytes of the list and one line.
    ///
    /// # Errors
    /// As [`each_pinned`](Self::each_pinned).
    pub async fn each_table_of(&self, receipt: &Receipt, take: impl FnMut(TableLine)) -> Result<(), StageError> {
        let facts = &receipt.tables;
        match &facts.tables.list {
            Some(list) => self.each_pinned(list, facts.list_sha256.as_deref(), take).await,
            None => Ok(()),
        }
    }

    /// The lines of a list of tables that a receipt pins by its SHA-256. Memory holds all of it.
    ///
    /// # Errors
    /// As [`each_pinned`](Self::each_pinned).
    pub async fn pinned_lines<T: DeserializeOwned>(
        &self,
        list: &ObjectPointer,
        sha256: Option<&str>,
    ) -> Result<Vec<T>, StageError> {
        let mut lines = Vec::new();
        self.each_pinned(list, sha256, |line| lines.push(line)).await?;
        Ok(lines)
    }

    /// Gives every line of a list of tables that a receipt pins to `take`, once the whole list is known to be the pinned one. Memory holds
    /// the bytes of the list and one line.
    ///
    /// # Errors
    /// `Levee.LedgerCorrupt` when the list is gone, is not the one that the receipt pins, or has a line that is none; AWS errors.
    pub async fn each_pinned<T: DeserializeOwned>(
        &self,
        list: &ObjectPointer,
        sha256: Option<&str>,
        mut take: impl FnMut(T),
    ) -> Result<(), StageError> {
        let corrupt = |cause: String| StageError::permanent("Levee.LedgerCorrupt", cause);
        let place = format!("s3://{}/{}", list.bucket, list.key);
        if list.bucket != self.bucket() {
            return Err(corrupt(format!(
                "the list of tables {place} is not in the ledger {}: give the ledger that it is in",
                self.bucket()
            )));
        }
        let Some((bytes, _)) = self.get(&list.key).await? else {
            return Err(corrupt(format!("the list of tables {place} is gone; see who can remove objects there")));
        };
        let digest = hex::encode(Sha256::digest(&bytes));
        if sha256 != Some(digest.as_str()) {
            return Err(corrupt(format!(
                "the list of tables {place} is not the one that the receipt pins: its SHA-256 is {digest}, the receipt has {}. Look at the versions of the object, and at who can write there",
                sha256.unwrap_or("none")
            )));
        }
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            take(serde_json::from_slice(line).map_err(|error| {
                corrupt(format!("line {} of {place} is no table that this release knows: {error}", number + 1))
            })?);
        }
        Ok(())
    }
}
