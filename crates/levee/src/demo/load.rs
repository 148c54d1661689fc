//! Puts a warehouse into the source bucket.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_s3::Client;
use futures::{StreamExt, TryStreamExt, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::lake::LakeFile;

/// Uploads at a time.
const AT_A_TIME: usize = 16;

/// Uploads all files, with user metadata and tags on most of them; `done` hears how many are there.
pub(super) async fn upload(s3: &Client, bucket: &str, files: Vec<LakeFile>, done: &dyn Fn(u64)) -> Result<()> {
    let uploads = files.into_iter().enumerate().map(|(index, file)| put(s3, bucket, index, file));
    let mut finished = stream::iter(uploads).buffer_unordered(AT_A_TIME);
    let mut count = 0;
    while finished.try_next().await?.is_some() {
        count += 1;
        done(count);
    }
    Ok(())
}

async fn put(s3: &Client, bucket: &str, index: usize, file: LakeFile) -> Result<()> {
    let tagging = tags(index, &file.key);
    s3.put_object()
        .bucket(bucket)
        .key(&file.key)
        .set_metadata(Some(metadata(index, &file.key)))
        .set_tagging((!tagging.is_empty()).then_some(tagging))
        .body(file.bytes.into())
        .send()
        .await
        .with_context(|| format!("cannot upload {:?} to {bucket}", file.key))?;
    Ok(())
}

/// User metadata as a writer may leave it; every seventh object has none.
fn metadata(index: usize, key: &str) -> std::collections::HashMap<String, String> {
    if index.is_multiple_of(7) {
        return Default::default();
    }
    let folder = key.split('/').next().unwrap_or_default();
    let name = utf8_percent_encode(folder, NON_ALPHANUMERIC).to_string();
    [("folder".to_owned(), name), ("sequence".to_owned(), index.to_string())].into()
}

/// Tags in the form of the request header; every fifth object has none.
fn tags(index: usize, key: &str) -> String {
    if index.is_multiple_of(5) {
        return String::new();
    }
    let kind = if key.contains("/_delta_log/") { "log" } else { "data" };
    let tags: BTreeMap<_, _> = [("kind", kind), ("owner", "data platform")].into();
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    tags.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}
