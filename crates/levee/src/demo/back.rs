//! The end of the demo: a table is purged by mistake, brought back from the night's snapshot, and compared row by row.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use aws_sdk_s3::Client;
use bytes::Bytes;
use levee_clock::Clock;
use levee_delta_log::Verdict;
use parquet::{
    errors::ParquetError,
    file::reader::{FileReader, SerializedFileReader},
};
use serde::Serialize;

use super::{TableOutcome, progress::Progress};
use crate::{
    deploy::{Accounts, Plan},
    restore::{PlanSettings, follow, make, start},
};

/// What became of the purged table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackOutcome {
    /// The table.
    pub table: String,
    /// The version that it has again.
    pub version: u64,
    /// Objects that were deleted.
    pub purged: u64,
    /// Objects that the restore has put back.
    pub restored: u64,
    /// Rows that were compared.
    pub rows: u64,
    /// Whether every row is what it was.
    pub identical: bool,
    /// What the receipt of the restore says first.
    pub headline: String,
}

/// The story.
pub(super) struct Story<'a> {
    pub(super) accounts: &'a Accounts,
    pub(super) plan: &'a Plan,
    pub(super) clock: &'a Clock,
    pub(super) progress: &'a Progress,
}

impl Story<'_> {
    /// Plays it with the first whole table that has files. None when there is no such table.
    ///
    /// # Errors
    /// The table cannot be purged or brought back.
    pub(super) async fn play(&self, tables: &[TableOutcome]) -> Result<Option<BackOutcome>> {
        let whole =
            |table: &&TableOutcome| table.verdict == Verdict::Whole && table.files.is_some_and(|files| files > 0);
        let Some(table) = tables.iter().filter(whole).max_by_key(|table| table.rows) else { return Ok(None) };
        let step = self.progress.step("restore", None);
        let before = self.data(&table.path).await?;
        for key in before.keys() {
            self.source().delete_object().bucket(&self.plan.source).key(key).send().await.context("cannot purge")?;
        }
        let backup = &self.accounts.backup;
        let settings = PlanSettings::in_place(&self.plan.ledger_bucket, &self.plan.source, &table.path);
        let planned = match make(&backup.s3, self.source(), &settings, self.clock.now()).await? {
            Ok(planned) => planned,
            Err(refusals) => bail!("the restore of {:?} was not planned: {}", table.path, refusals.join("; ")),
        };
        let mut headline = String::new();
        for execution in start(backup, &planned).await? {
            let followed = follow(backup, &execution.execution_arn, self.clock, |_| {}).await?;
            if !followed.succeeded() {
                bail!("the restore of {:?} failed: {}", table.path, followed.told());
            }
            headline = followed.lines.first().cloned().unwrap_or_default();
        }
        let (rows, identical) = compare(&before, &self.data(&table.path).await?);
        step.end(&format!("{} purged and brought back, {rows} rows compared", table.path));
        let planned = planned.tables.first();
        Ok(Some(BackOutcome {
            table: table.path.clone(),
            version: planned.map_or(0, |table| table.version),
            purged: before.len() as u64,
            restored: planned.map_or(0, |table| table.objects),
            rows,
            identical,
            headline,
        }))
    }

    fn source(&self) -> &Client {
        &self.accounts.warehouse.s3
    }

    /// The data files below a table's root, with their bytes.
    async fn data(&self, root: &str) -> Result<BTreeMap<String, Bytes>> {
        let below = levee_tables::prefix(root);
        let pages = self.source().list_objects_v2().bucket(&self.plan.source).prefix(&below);
        let mut keys = pages.into_paginator().send();
        let mut data = BTreeMap::new();
        while let Some(page) = keys.next().await {
            let page = page.context("cannot list the table")?;
            let keys = page.contents().iter().filter_map(|object| object.key());
            for key in keys.filter(|key| !key.contains("_delta_log/")) {
                let object = self.source().get_object().bucket(&self.plan.source).key(key).send().await;
                let body = object.with_context(|| format!("cannot read {key}"))?.body.collect().await?;
                data.insert(key.to_owned(), body.into_bytes());
            }
        }
        Ok(data)
    }
}

/// The rows of the files that are there again, and whether each is what it was. Files that only older versions need stay away; a file
/// whose rows cannot be read here, because of its compression for instance, is compared by its bytes.
fn compare(before: &BTreeMap<String, Bytes>, after: &BTreeMap<String, Bytes>) -> (u64, bool) {
    let (mut rows, mut identical) = (0, !after.is_empty());
    for (key, restored) in after {
        let Some(original) = before.get(key) else { return (rows, false) };
        match same_rows(original, restored) {
            Ok((compared, same)) => {
                rows += compared;
                identical &= same;
            }
            Err(_) => identical &= original == restored,
        }
    }
    (rows, identical)
}

fn same_rows(original: &Bytes, restored: &Bytes) -> Result<(u64, bool), ParquetError> {
    let (original, restored) =
        (SerializedFileReader::new(original.clone())?, SerializedFileReader::new(restored.clone())?);
    let (mut original, mut restored) = (original.get_row_iter(None)?, restored.get_row_iter(None)?);
    let (mut rows, mut same) = (0, true);
    loop {
        match (original.next().transpose()?, restored.next().transpose()?) {
            (None, None) => return Ok((rows, same)),
            (one, other) => {
                same &= one == other;
                rows += 1;
            }
        }
    }
}
