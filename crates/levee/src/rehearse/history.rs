//! What the objects of a bucket were, and when.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_s3::Client;
use sha2::{Digest, Sha256};

/// How exactly times in listings are taken, in milliseconds.
const TOLERANCE: i64 = 1000;

/// Every version of every object of a versioned bucket.
pub(super) struct History {
    /// By key, oldest first.
    pub(super) keys: BTreeMap<String, Vec<Version>>,
}

/// One version of a key.
pub(super) struct Version {
    /// Its id; none for a delete marker.
    pub(super) id: Option<String>,
    /// When it was written, in milliseconds since 1970.
    pub(super) written: i64,
    /// SHA-256 of its bytes; none for a delete marker.
    pub(super) sha256: Option<[u8; 32]>,
}

impl History {
    /// Reads the whole bucket. None when there is no such bucket.
    pub(super) async fn read(s3: &Client, bucket: &str) -> Result<Option<Self>> {
        let mut keys: BTreeMap<String, Vec<Version>> = BTreeMap::new();
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            let list = s3.list_object_versions().bucket(bucket);
            let page = match list.set_key_marker(key_marker).set_version_id_marker(version_marker).send().await {
                Ok(page) => page,
                Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => return Ok(None),
                Err(error) => return Err(error).with_context(|| format!("cannot list {bucket}")),
            };
            for found in page.versions() {
                let (key, id) = (found.key().unwrap_or_default(), found.version_id().unwrap_or_default());
                let sha256 = Some(digest(s3, bucket, key, id).await?);
                let (id, written) = (Some(id.to_owned()), millis(found.last_modified()));
                keys.entry(key.to_owned()).or_default().push(Version { id, written, sha256 });
            }
            for marker in page.delete_markers() {
                let version = Version { id: None, written: millis(marker.last_modified()), sha256: None };
                keys.entry(marker.key().unwrap_or_default().to_owned()).or_default().push(version);
            }
            if page.is_truncated() != Some(true) {
                break;
            }
            key_marker = page.next_key_marker().map(str::to_owned);
            version_marker = page.next_version_id_marker().map(str::to_owned);
        }
        for versions in keys.values_mut() {
            // Listings are newest first; the sort is stable, so that versions of one moment keep their order.
            versions.reverse();
            versions.sort_by_key(|version| version.written);
        }
        Ok(Some(Self { keys }))
    }

    /// Whether the key's newest version is an object.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.get(key).and_then(|versions| versions.last()).is_some_and(|version| version.sha256.is_some())
    }

    /// Whether the key had no object at some moment between two times.
    pub(super) fn was_absent(&self, key: &str, from: i64, until: i64) -> bool {
        let Some(versions) = self.keys.get(key) else { return true };
        let before_the_first = versions.first().is_none_or(|first| first.written > from);
        before_the_first
            || versions.iter().enumerate().any(|(index, version)| {
                let next = versions.get(index + 1).map_or(i64::MAX, |next| next.written);
                version.sha256.is_none() && version.written <= until.saturating_add(TOLERANCE) && next >= from
            })
    }

    /// Whether the key held these bytes at a time.
    pub(super) fn held(&self, key: &str, sha256: &[u8; 32], at: i64) -> bool {
        let Some(versions) = self.keys.get(key) else { return false };
        versions.iter().enumerate().any(|(index, version)| {
            let until = versions.get(index + 1).map_or(i64::MAX, |next| next.written);
            let then = version.written <= at.saturating_add(TOLERANCE) && until >= at.saturating_sub(TOLERANCE);
            then && version.sha256.as_ref() == Some(sha256)
        })
    }
}

async fn digest(s3: &Client, bucket: &str, key: &str, version: &str) -> Result<[u8; 32]> {
    let what = || format!("cannot read version {version} of {key:?} in {bucket}");
    let got = s3.get_object().bucket(bucket).key(key).version_id(version).send().await.with_context(what)?;
    let body = got.body.collect().await.with_context(what)?;
    Ok(Sha256::digest(body.into_bytes()).into())
}

fn millis(time: Option<&aws_sdk_s3::primitives::DateTime>) -> i64 {
    time.and_then(|time| (*time).to_millis().ok()).unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn key_held_the_version_that_was_newest_then() {
        let version =
            |written, sha256: Option<u8>| Version { id: None, written, sha256: sha256.map(|byte| [byte; 32]) };
        let versions = vec![version(10_000, Some(1)), version(20_000, Some(2)), version(30_000, None)];
        let history = History { keys: [("k".to_owned(), versions)].into() };
        let held = |byte: u8, at: i64| history.held("k", &[byte; 32], at);
        assert!(held(1, 15_000) && !held(2, 15_000));
        assert!(held(1, 20_000) && held(2, 20_000), "both, at the moment of the change");
        assert!(!held(1, 25_000) && held(2, 25_000));
        assert!(!held(1, 5_000), "nothing before the first version");
        assert!(!held(1, 35_000) && !held(2, 35_000), "nothing after the removal");
        assert!(!history.was_absent("k", 10_000, 28_000) && history.was_absent("k", 15_000, 31_000));
        assert!(history.was_absent("k", 40_000, 50_000) && history.was_absent("k", 5_000, 9_000));
        assert!(history.was_absent("another", 10_000, 20_000));
        assert!(!history.has("k") && !history.has("another"));
    }
}
