//! The scratch bucket is emptied: the only place where Levee deletes anything.

use std::collections::BTreeMap;

use aws_sdk_s3::{
    Client,
    types::{Delete, ObjectIdentifier},
};
use jiff::{Timestamp, ToSpan};
use levee_ledger::{OwnerState, drill::scratch_of, execution_state, state::Bucket};
use levee_stage::{StageError, aws_error};
use levee_tables::{BucketStore, Store};

/// Leftovers of another execution are deleted when all of them are older than this.
const HOURS_OF_LEFTOVERS: i64 = 24;

/// The scratch bucket, for one source.
pub(crate) struct Scratch<'a> {
    pub(crate) s3: &'a Client,
    pub(crate) sfn: &'a aws_sdk_sfn::Client,
    pub(crate) bucket: &'a Bucket,
    pub(crate) source: &'a str,
    /// The execution that empties it.
    pub(crate) execution_arn: &'a str,
    pub(crate) execution_name: &'a str,
}

/// What an execution has in the bucket.
#[derive(Default)]
struct Left {
    objects: u64,
    newest_ms: Option<i64>,
}

/// What is deleted: prefixes with a slash at the end, and the objects below them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Emptying {
    pub(crate) prefixes: Vec<String>,
    pub(crate) objects: u64,
}

impl Scratch<'_> {
    /// What the execution itself has there, and what executions have left that do not run any more.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn look(&self, now: Timestamp) -> Result<Emptying, StageError> {
        let below = scratch_of(self.source);
        let store = BucketStore::new(self.s3, &self.bucket.name, Some(self.bucket.account.clone()));
        let mut all: BTreeMap<String, Left> = BTreeMap::new();
        let take = |object: levee_tables::Object<'_>| {
            let execution = object.key.strip_prefix(below.as_str()).and_then(|rest| rest.split_once('/'));
            let Some((execution, _)) = execution else { return };
            if !all.contains_key(execution) {
                all.insert(execution.to_owned(), Left::default());
            }
            if let Some(left) = all.get_mut(execution) {
                left.objects += 1;
                left.newest_ms = left.newest_ms.max(object.modified_ms);
            }
        };
        store.list(&below, take).await?;
        let limit = now.checked_sub(HOURS_OF_LEFTOVERS.hours()).map_or(i64::MIN, Timestamp::as_millisecond);
        let mut emptying = Emptying::default();
        for (execution, left) in all {
            if execution == self.execution_name || self.is_left_over(&execution, &left, limit).await? {
                emptying.prefixes.push(format!("{below}{execution}/"));
                emptying.objects += left.objects;
            }
        }
        Ok(emptying)
    }

    /// Whether what another execution has there is of no use to it any more: a drill that thaws its copies may run for days.
    async fn is_left_over(&self, execution: &str, left: &Left, limit: i64) -> Result<bool, StageError> {
        if left.newest_ms.is_none_or(|newest| newest >= limit) {
            return Ok(false);
        }
        let Some((machine, _)) = self.execution_arn.rsplit_once(':') else { return Ok(false) };
        Ok(execution_state(self.sfn, &format!("{machine}:{execution}")).await? != OwnerState::Running)
    }

    /// Deletes what was found, page by page.
    ///
    /// # Errors
    /// AWS errors, of single objects too.
    pub(crate) async fn empty(&self, emptying: &Emptying) -> Result<(), StageError> {
        for prefix in &emptying.prefixes {
            self.empty_prefix(prefix).await?;
        }
        Ok(())
    }

    async fn empty_prefix(&self, prefix: &str) -> Result<(), StageError> {
        let place = format!("s3://{}/{prefix}", self.bucket.name);
        let list = self.s3.list_objects_v2().bucket(&self.bucket.name).prefix(prefix);
        let mut pages = list.expected_bucket_owner(&self.bucket.account).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws_error(&format!("ListObjectsV2 of {place}"), error))?;
            // A page has no more keys than one call deletes: 1,000 each (ListObjectsV2, DeleteObjects of the S3 API Reference).
            let keys: Vec<_> = page.contents().iter().filter_map(|object| object.key()).collect();
            if !keys.is_empty() {
                self.delete(&place, &keys).await?;
            }
        }
        Ok(())
    }

    async fn delete(&self, place: &str, keys: &[&str]) -> Result<(), StageError> {
        let invalid = |error: aws_sdk_s3::error::BuildError| {
            StageError::permanent(
                StageError::OUTPUT_INVALID,
                format!("what is deleted of {place} is no request: {error}"),
            )
        };
        let objects: Result<Vec<_>, _> = keys.iter().map(|key| ObjectIdentifier::builder().key(*key).build()).collect();
        let delete =
            Delete::builder().set_objects(Some(objects.map_err(invalid)?)).quiet(true).build().map_err(invalid)?;
        let call = self.s3.delete_objects().bucket(&self.bucket.name).delete(delete);
        let answer = call.expected_bucket_owner(&self.bucket.account).send().await;
        let answer = answer.map_err(|error| aws_error(&format!("DeleteObjects of {place}"), error))?;
        let Some(first) = answer.errors().first() else { return Ok(()) };
        let (code, key) = (first.code().unwrap_or("no code"), first.key().unwrap_or_default());
        let cause = format!(
            "DeleteObjects of {place} failed for {} of {} objects, first {key:?}: {code}: {}",
            answer.errors().len(),
            keys.len(),
            first.message().unwrap_or("no message")
        );
        // Codes of single objects are those of DeleteObject.
        Err(match code {
            "AccessDenied" => {
                let remedy = "let the role of the worker delete there (s3:DeleteObject), and redrive the execution: the tables are proved";
                StageError::permanent(StageError::AWS_REFUSED, format!("{cause}; {remedy}"))
            }
            _ => StageError::transient(StageError::AWS_UNAVAILABLE, cause),
        })
    }
}
