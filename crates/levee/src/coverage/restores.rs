//! The restores that brought the tables of a source back last.

use std::collections::BTreeMap;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use levee_ledger::{
    Ledger,
    restore::{RestoreReceipt, RestoredTable},
};

use super::document::LastRestore;

/// Restores that are looked into at a time.
const AT_A_TIME: usize = 8;

/// What is known of the restores of a source.
#[derive(Debug, Default)]
pub(super) struct LastRestores {
    /// The last one of each table, by its path in the source.
    pub(super) by_path: BTreeMap<String, LastRestore>,
    /// Why restores could not be read.
    pub(super) unread: Vec<String>,
}

/// Reads the receipts of all restores of a source, because their ids are in no order. Memory holds the last restore of each table.
///
/// # Errors
/// The ledger cannot be listed or read.
pub(super) async fn last_restores(ledger: &Ledger, source: &str) -> Result<LastRestores> {
    let ids = ledger.restores(source).await?;
    let mut last = LastRestores::default();
    let mut read = stream::iter(&ids).map(|id| ledger.restore_receipts(source, id)).buffered(AT_A_TIME);
    while let Some(ends) = read.try_next().await? {
        for end in ends {
            let taken = match end.receipt {
                Ok(receipt) => last.take(ledger, &end.execution_name, &receipt).await,
                Err(why) => Err(anyhow::anyhow!(why)),
            };
            if let Err(error) = taken {
                last.unread.push(format!("{error:#}"));
            }
        }
    }
    Ok(last)
}

impl LastRestores {
    async fn take(&mut self, ledger: &Ledger, execution_name: &str, receipt: &RestoreReceipt) -> Result<()> {
        let Some(list) = &receipt.tables.list else { return Ok(()) };
        let by_path = &mut self.by_path;
        let take = |table: RestoredTable| {
            if by_path.get(&table.path).is_some_and(|known| known.closed >= receipt.closed) {
                return;
            }
            let restore = LastRestore {
                closed: receipt.closed,
                id: receipt.id.clone(),
                execution_name: execution_name.to_owned(),
                backup_date: receipt.backup_date,
                version: table.version,
                target: format!("s3://{}/{}", receipt.target.name, table.target),
            };
            by_path.insert(table.path, restore);
        };
        Ok(ledger.each_pinned(list, receipt.list_sha256.as_deref(), take).await?)
    }
}
