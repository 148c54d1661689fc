//! The commit that gives a table in its own place the state of an older version.
//!
//! It is the commit behind the version that was the newest when the plan was made, and it is put with `If-None-Match`, as every
//! writer of Delta on S3 puts commits. What is going to be put is written down first: so whoever comes later knows whether the commit
//! that is there is this one, and no table is rolled back twice.

use std::sync::Arc;

use aws_sdk_s3::Client;
use jiff::Timestamp;
use levee_delta_log::{Listing, Options, RestoreFacts, RestoreSummary};
use levee_ledger::{Ledger, RunKey, restore::TableToRestore, state::Bucket};
use levee_stage::{StageError, aws::is_taken, aws_error};
use levee_tables::{BucketStore, Store, prefix, restore_commit};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::restored::Problem;

/// The error of a table that somebody else has written to since the plan was made.
pub const RESTORE_CONFLICT: &str = "Levee.RestoreConflict";

/// Rolls tables back.
pub(crate) struct Rollback<'a> {
    pub(crate) s3: &'a Client,
    pub(crate) ledger: &'a Ledger,
    pub(crate) run: &'a RunKey,
    pub(crate) options: &'a Options,
    pub(crate) now: Timestamp,
}

/// What is going to be put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Intent {
    path: String,
    timestamp_ms: i64,
    /// Of the commit, in hexadecimal; absent when there is nothing to put.
    sha256: Option<String>,
    summary: RestoreSummary,
}

impl Rollback<'_> {
    /// Rolls the table back, unless that was done before; what the commit does.
    ///
    /// # Errors
    /// AWS errors. In the inner result: the table has moved on, or cannot be rolled back.
    pub(crate) async fn settle(
        &self,
        store: &BucketStore,
        target: &Bucket,
        table: &TableToRestore,
        there: &Arc<Listing>,
        from: u64,
    ) -> Result<Result<RestoreSummary, Problem>, StageError> {
        let commit = format!("{}_delta_log/{:020}.json", prefix(&table.target), from.saturating_add(1));
        let record = self.record(&table.path);
        let known = self.ledger.read::<Intent>(&record).await?.map(|intent| intent.value);
        if there.latest_version() != Some(from) {
            return self.after(store, table, &commit, known).await;
        }
        let timestamp_ms = known.as_ref().map_or_else(|| self.now.as_millisecond(), |intent| intent.timestamp_ms);
        let facts = RestoreFacts { timestamp_ms, engine_info: format!("Levee/{}", env!("CARGO_PKG_VERSION")) };
        let versions = (from, table.version);
        let (bytes, summary) = match restore_commit(store, &table.target, there, self.options, versions, facts).await {
            Ok(made) => made,
            Err(error) if error.name == levee_tables::CANNOT_CHECK => return Ok(Err(conflict(error.cause))),
            Err(error) => return Err(error),
        };
        let sha256 = summary.version.map(|_| hex::encode(Sha256::digest(&bytes)));
        let intent = Intent { path: table.path.clone(), timestamp_ms, sha256, summary };
        let intent = self.ledger.write_once(&record, &intent).await?.into_stored(intent).value;
        if intent.sha256.is_none() || self.put(target, &commit, bytes).await? {
            return Ok(Ok(intent.summary));
        }
        self.after(store, table, &commit, Some(intent)).await
    }

    /// What is to be said of a table that has a commit behind the planned one: that it is this restore's, or a conflict.
    async fn after(
        &self,
        store: &BucketStore,
        table: &TableToRestore,
        commit: &str,
        known: Option<Intent>,
    ) -> Result<Result<RestoreSummary, Problem>, StageError> {
        let there = store.read(commit).await?;
        let sha256 = there.map(|bytes| hex::encode(Sha256::digest(&bytes)));
        match known {
            Some(intent) if sha256.is_some() && intent.sha256 == sha256 => Ok(Ok(intent.summary)),
            _ => Ok(Err(conflict(format!(
                "{} was written to since the plan was made, and is not rolled back to version {}: make a new plan, which \
                 sees what was written",
                store.place(&table.target),
                table.version
            )))),
        }
    }

    /// Puts the commit. False when there is one.
    async fn put(&self, target: &Bucket, key: &str, bytes: Vec<u8>) -> Result<bool, StageError> {
        let call = self.s3.put_object().bucket(&target.name).key(key).expected_bucket_owner(&target.account);
        let call = call.if_none_match("*").content_type("application/json").body(bytes.into());
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_taken(&error) => Ok(false),
            Err(error) => Err(aws_error(&format!("PutObject of s3://{}/{key}", target.name), error)),
        }
    }

    /// The record of the intent, which all executions of the restore share.
    fn record(&self, path: &str) -> String {
        let digest: String = hex::encode(Sha256::digest(path)).chars().take(16).collect();
        format!("{}08-table-verify-rollback-{digest}.json", self.run.day_prefix())
    }
}

fn conflict(why: String) -> Problem {
    Problem { name: RESTORE_CONFLICT, why }
}
