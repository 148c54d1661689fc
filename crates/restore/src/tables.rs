//! The tables of a plan: from a snapshot that has them, to what is copied of each.

use std::sync::Arc;

use aws_sdk_s3::Client;
use levee_delta_log::{Described, Listing, Options, VersionFacts};
use levee_ledger::{
    history::Closed,
    receipt::Receipt,
    restore::{How, SnapshotRun, TableToRestore},
    state::COPY_LIMIT_BYTES,
};
use levee_stage::StageError;
use levee_tables::{BucketStore, Store, at_version, described};

use crate::{Objects, Stores, ToCopy, Wish, objects};

/// A table that was found as it is wished for.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Its root in the source and in the snapshot.
    pub path: String,
    /// The run whose snapshot has it.
    pub run: SnapshotRun,
    /// What is done with it.
    pub how: How,
    /// The version that is whole afterwards.
    pub version: u64,
    /// What the log says of that version.
    pub facts: VersionFacts,
    /// Schema, partitioning and properties at the version; none where its metadata cannot be read.
    pub described: Option<Described>,
}

/// The run as a plan has it.
#[must_use]
pub fn snapshot_run(closed: &Closed) -> SnapshotRun {
    let receipt = &closed.receipt.value;
    SnapshotRun {
        backup_date: receipt.run.backup_date,
        execution_name: receipt.run.execution_name.clone(),
        receipt_sha256: closed.sha256.clone(),
        bucket: receipt.snapshot.bucket.clone(),
        account: receipt.snapshot.account.clone(),
        storage_class: receipt.settings.snapshot.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned()),
    }
}

/// The snapshot of a run.
#[must_use]
pub fn snapshot(s3: &Client, receipt: &Receipt) -> BucketStore {
    BucketStore::new(s3, &receipt.snapshot.bucket, Some(receipt.snapshot.account.clone()))
}

/// The root of a table that is restored below a prefix: by its path, because a copy job can put something in front of keys and no more.
#[must_use]
pub fn root_below(prefix: &str, path: &str) -> String {
    let parts = [prefix, path].into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("/")
}

/// What a version says of its table; none where its metadata cannot be read.
///
/// # Errors
/// The place cannot be read.
pub async fn described_if_readable<S: Store>(
    store: &S,
    root: &str,
    listed: &Arc<Listing>,
    version: u64,
) -> Result<Option<Described>, StageError> {
    match described(store, root, listed, &Options::default(), version).await {
        Ok(described) => Ok(Some(described)),
        Err(error) if error.name == levee_tables::CANNOT_CHECK => Ok(None),
        Err(error) => Err(error),
    }
}

impl Chosen {
    /// A version of a table that a snapshot has whole, to be put in a new place; in the inner result, why it has not.
    ///
    /// # Errors
    /// The snapshot cannot be read.
    pub async fn of_snapshot<S: Store>(
        store: &S,
        run: SnapshotRun,
        path: &str,
        listed: &Arc<Listing>,
        version: u64,
    ) -> Result<Result<Self, String>, StageError> {
        let options = Options::default();
        let at = at_version(store, path, listed, &options, version).await?;
        if !at.unsupported.is_empty() {
            return Ok(Err(format!(
                "it has features that readers must know and that are not known here: {}; --prefix brings its objects back as they are",
                at.unsupported.join(", ")
            )));
        }
        let (Some(facts), true) = (at.facts, at.whole) else {
            return Ok(Err(format!("it lacks {} objects", at.missing_in_all.objects)));
        };
        let described = described_if_readable(store, path, listed, version).await?;
        Ok(Ok(Self { path: path.to_owned(), run, how: How::New, version, facts, described }))
    }

    /// The table as a plan has it, restored below a prefix of `target`; in the inner result, why it cannot be.
    ///
    /// # Errors
    /// A place cannot be listed or read.
    pub async fn planned(
        self,
        s3: &Client,
        target: &BucketStore,
        prefix: &str,
        overwrite: bool,
    ) -> Result<Result<TableToRestore, String>, StageError> {
        let root = root_below(prefix, &self.path);
        let snapshot = BucketStore::new(s3, &self.run.bucket, Some(self.run.account.clone()));
        let stores = Stores { snapshot: &snapshot, path: &self.path, target, root: &root };
        let wish = Wish { how: self.how, version: self.version, overwrite };
        let found = objects(&stores, wish, &Options::default()).await?;
        Ok(found.map(|objects| self.table(root, &objects)))
    }

    fn table(self, target: String, objects: &Objects) -> TableToRestore {
        let Self { path, run, how, version, facts, described } = self;
        let count = |wanted: &dyn Fn(&ToCopy) -> bool| objects.copy.iter().filter(|o| wanted(o)).count() as u64;
        TableToRestore {
            path,
            target,
            how,
            version,
            timestamp_ms: facts.timestamp_ms,
            run,
            files: facts.files,
            bytes: facts.bytes,
            rows: facts.rows,
            objects: objects.copy.len() as u64,
            object_bytes: objects.bytes(),
            large_objects: count(&|object| object.size > COPY_LIMIT_BYTES),
            archived_objects: count(&|object| object.archived),
            present_objects: objects.present,
            objects_sha256: objects.sha256(),
            described,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::root_below;

    #[rstest]
    #[case::below_a_prefix("back", "sales/orders", "back/sales/orders")]
    #[case::into_the_whole_bucket("", "sales/orders", "sales/orders")]
    #[case::the_table_at_the_root("back", "", "back")]
    fn tables_go_below_the_prefix_by_their_paths(#[case] prefix: &str, #[case] path: &str, #[case] root: &str) {
        assert_eq!(root_below(prefix, path), root);
    }
}
