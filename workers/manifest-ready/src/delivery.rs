//! Finds the inventory that stands for a backup date among the deliveries of an inventory configuration.

use aws_sdk_s3::Client;
use jiff::Timestamp;
use levee_ledger::state::Run;
use levee_stage::{StageError, aws_error};

use crate::stamp;

/// Where deliveries of one inventory configuration arrive.
#[derive(Clone, Debug)]
pub(crate) struct Deliveries<'a> {
    s3: &'a Client,
    /// The manifest bucket.
    pub(crate) bucket: &'a str,
    owner: &'a str,
    /// `[prefix/]SOURCE/ID/`
    pub(crate) base: String,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The folder of the inventory, with a slash at its end.
    Complete { folder: String, scan: Timestamp },
    /// None is complete yet; the folders that have begun to arrive.
    Nothing { begun: Vec<String> },
}

impl<'a> Deliveries<'a> {
    /// The deliveries that the run asks for, in a bucket that `owner` must own.
    pub(crate) fn of(s3: &'a Client, run: &'a Run, owner: &'a str) -> Self {
        let prefix = if run.inventory.prefix.is_empty() { String::new() } else { format!("{}/", run.inventory.prefix) };
        let base = format!("{prefix}{}/{}/", run.source, run.inventory.id);
        Self { s3, bucket: &run.inventory.bucket, owner, base }
    }

    /// The earliest complete delivery whose scan began at or after `threshold`. The listing starts there, so that a year
    /// of older folders costs nothing.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn first_since(&self, threshold: Timestamp) -> Result<Found, StageError> {
        let mut begun = Vec::new();
        for (folder, scan) in self.dated_folders(Some(threshold)).await? {
            if self.is_complete(&folder).await? {
                return Ok(Found::Complete { folder, scan });
            }
            begun.push(folder);
        }
        Ok(Found::Nothing { begun })
    }

    /// The newest delivery there is, complete or not.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn newest(&self) -> Result<Option<String>, StageError> {
        Ok(self.dated_folders(None).await?.pop().map(|(folder, _)| folder))
    }

    /// The dated folders in the order of their scans; `data/`, `hive/` and whatever else there is are left out.
    async fn dated_folders(&self, since: Option<Timestamp>) -> Result<Vec<(String, Timestamp)>, StageError> {
        let request = self
            .s3
            .list_objects_v2()
            .bucket(self.bucket)
            .expected_bucket_owner(self.owner)
            .prefix(&self.base)
            .delimiter("/")
            .set_start_after(since.map(|since| format!("{}{}", self.base, stamp::at_or_after(since))));
        let mut pages = request.into_paginator().send();
        let mut folders = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws_error(&self.listing(), error))?;
            let names = page.common_prefixes().iter().filter_map(|common| common.prefix());
            folders.extend(names.filter_map(|folder| Some((folder.to_owned(), self.scan_of(folder)?))));
        }
        folders.retain(|(_, scan)| since.is_none_or(|since| *scan >= since));
        folders.sort_by_key(|(_, scan)| *scan);
        Ok(folders)
    }

    fn scan_of(&self, folder: &str) -> Option<Timestamp> {
        stamp::parse(folder.strip_prefix(&self.base)?.strip_suffix('/')?)
    }

    /// `manifest.checksum` is written last, but events and listings know no order: both files must be there.
    async fn is_complete(&self, folder: &str) -> Result<bool, StageError> {
        let request = self.s3.list_objects_v2().bucket(self.bucket).expected_bucket_owner(self.owner);
        let page = request.prefix(format!("{folder}manifest.")).send().await;
        let page = page.map_err(|error| aws_error(&self.listing(), error))?;
        let has = |name: &str| page.contents().iter().any(|object| object.key() == Some(&format!("{folder}{name}")));
        Ok(has("manifest.json") && has("manifest.checksum"))
    }

    fn listing(&self) -> String {
        format!("ListObjectsV2 on s3://{}/{}", self.bucket, self.base)
    }
}
