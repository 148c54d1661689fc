//! Listings: pages, delimiters, versions.

use super::{bucket, get, put, root};
use crate::twin::common::{WAREHOUSE, twin};

#[tokio::test(start_paused = true)]
async fn pages_with_a_delimiter_hold_every_key_and_prefix_once() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    for key in ["a/1", "a/2", "b", "c/1", "c/2/3", "d"] {
        put(&client, "lake", key, "x").await;
    }
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page = client.list_objects_v2().bucket("lake").delimiter("/").max_keys(1).set_continuation_token(token);
        let page = page.send().await.unwrap();
        found.extend(page.contents().iter().filter_map(|object| object.key()).map(str::to_owned));
        found.extend(page.common_prefixes().iter().filter_map(|prefix| prefix.prefix()).map(str::to_owned));
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(found, ["a/", "b", "c/", "d"]);
    let behind = client.list_objects_v2().bucket("lake").prefix("c/").start_after("c/1").send().await.unwrap();
    assert_eq!(behind.contents()[0].key(), Some("c/2/3"));
    assert_eq!(behind.key_count(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn versions_and_markers_are_paged_newest_first_even_while_they_are_deleted() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    put(&client, "lake", "a", "null version").await;
    let enabled = aws_sdk_s3::types::VersioningConfiguration::builder()
        .status(aws_sdk_s3::types::BucketVersioningStatus::Enabled)
        .build();
    client.put_bucket_versioning().bucket("lake").versioning_configuration(enabled).send().await.unwrap();
    let second = put(&client, "lake", "a", "second").await.unwrap();
    put(&client, "lake", "b", "other").await;
    let marker = client.delete_object().bucket("lake").key("a").send().await.unwrap();
    assert_eq!(marker.delete_marker(), Some(true));
    let gone = client.get_object().bucket("lake").key("a").send().await;
    assert_eq!(super::code(gone), "NoSuchKey");
    let old = client.get_object().bucket("lake").key("a").version_id("null").send().await.unwrap();
    assert_eq!(old.body.collect().await.unwrap().to_vec(), b"null version");
    let mut seen = Vec::new();
    let (mut key, mut version) = (None, None);
    loop {
        let page = client.list_object_versions().bucket("lake").max_keys(1);
        let page = page.set_key_marker(key).set_version_id_marker(version).send().await.unwrap();
        let versions = page.versions().iter().map(|entry| (entry.key(), entry.version_id()));
        let markers = page.delete_markers().iter().map(|entry| (entry.key(), entry.version_id()));
        for (key, version) in versions.chain(markers) {
            client.delete_object().bucket("lake").key(key.unwrap()).version_id(version.unwrap()).send().await.unwrap();
            seen.push((key.unwrap().to_owned(), version.unwrap().to_owned()));
        }
        if page.is_truncated() != Some(true) {
            break;
        }
        key = page.next_key_marker().map(str::to_owned);
        version = page.next_version_id_marker().map(str::to_owned);
    }
    let keys: Vec<_> = seen.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["a", "a", "a", "b"]);
    assert_eq!(seen[1].1, second);
    assert_eq!(seen[2].1, "null");
    client.delete_bucket().bucket("lake").send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_suspended_bucket_replaces_its_null_version() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", true).await;
    put(&client, "lake", "a", "versioned").await;
    let suspended = aws_sdk_s3::types::VersioningConfiguration::builder()
        .status(aws_sdk_s3::types::BucketVersioningStatus::Suspended)
        .build();
    client.put_bucket_versioning().bucket("lake").versioning_configuration(suspended).send().await.unwrap();
    put(&client, "lake", "a", "null 1").await;
    put(&client, "lake", "a", "null 2").await;
    assert_eq!(get(&client, "lake", "a").await, b"null 2");
    let versions = client.list_object_versions().bucket("lake").send().await.unwrap();
    assert_eq!(versions.versions().len(), 2);
}
