//! Proves the snapshot: every object of the source against the same key of the snapshot, read through the S3 API.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aws_sdk_s3::Client;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Objects read at a time.
const AT_A_TIME: usize = 16;

/// How two buckets compare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Objects in the source.
    pub source_objects: u64,
    /// Objects in the snapshot.
    pub snapshot_objects: u64,
    /// Bytes of the source's objects that are equal in the snapshot.
    pub equal_bytes: u64,
    /// Every key that is not in both with the same content, user metadata and tags.
    pub differences: Vec<Difference>,
}

/// One key that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The key.
    pub key: String,
    /// What differs, for people.
    pub what: String,
}

impl Comparison {
    /// Whether both hold the same objects.
    #[must_use]
    pub fn identical(&self) -> bool {
        self.differences.is_empty() && self.source_objects == self.snapshot_objects
    }
}

/// A bucket as one account sees it.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    /// The account's client.
    pub s3: &'a Client,
    /// The bucket.
    pub bucket: &'a str,
}

/// Compares all objects of both; `done` hears how many keys of how many are compared.
pub(super) async fn compare(source: Side<'_>, snapshot: Side<'_>, done: &dyn Fn(u64, u64)) -> Result<Comparison> {
    let (here, there) = (keys(source).await?, keys(snapshot).await?);
    let mut result =
        Comparison { source_objects: here.len() as u64, snapshot_objects: there.len() as u64, ..Comparison::default() };
    for key in here.symmetric_difference(&there) {
        let what = if here.contains(key) { "is not in the snapshot" } else { "is not in the source" };
        result.differences.push(Difference { key: key.clone(), what: what.to_owned() });
    }
    let mut reads = stream::iter(here.intersection(&there).map(|key| async move {
        let (a, b) = (Object::read(source, key).await?, Object::read(snapshot, key).await?);
        anyhow::Ok((key, a, b))
    }))
    .buffer_unordered(AT_A_TIME);
    let mut count = 0;
    while let Some((key, a, b)) = reads.try_next().await? {
        count += 1;
        done(count, result.source_objects);
        match a.difference(&b) {
            Some(what) => result.differences.push(Difference { key: key.clone(), what: what.to_owned() }),
            None => result.equal_bytes += a.bytes,
        }
    }
    result.differences.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(result)
}

/// All keys of a bucket, page by page.
pub(super) async fn keys(side: Side<'_>) -> Result<BTreeSet<String>> {
    let mut pages = side.s3.list_objects_v2().bucket(side.bucket).into_paginator().send();
    let mut keys = BTreeSet::new();
    while let Some(page) = pages.next().await {
        let page = page.with_context(|| format!("cannot list {}", side.bucket))?;
        keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
    }
    Ok(keys)
}

struct Object {
    bytes: u64,
    sha256: [u8; 32],
    metadata: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
}

impl Object {
    async fn read(side: Side<'_>, key: &str) -> Result<Self> {
        let context = || format!("cannot read {key:?} of {}", side.bucket);
        let answer = side.s3.get_object().bucket(side.bucket).key(key).send().await.with_context(context)?;
        let metadata = answer.metadata().cloned().unwrap_or_default().into_iter().collect();
        let body = answer.body.collect().await.with_context(context)?.into_bytes();
        let tagging = side.s3.get_object_tagging().bucket(side.bucket).key(key).send().await.with_context(context)?;
        let tags = tagging.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
        Ok(Self { bytes: body.len() as u64, sha256: Sha256::digest(&body).into(), metadata, tags })
    }

    fn difference(&self, other: &Self) -> Option<&'static str> {
        if self.bytes != other.bytes {
            Some("has another size in the snapshot")
        } else if self.sha256 != other.sha256 {
            Some("has other bytes in the snapshot")
        } else if self.metadata != other.metadata {
            Some("has other user metadata in the snapshot")
        } else if self.tags != other.tags {
            Some("has other tags in the snapshot")
        } else {
            None
        }
    }
}
