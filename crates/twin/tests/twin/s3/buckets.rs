//! Buckets: names, owners, location.

use rstest::rstest;

use super::{bucket, code, put, root};
use crate::twin::common::{BACKUP, WAREHOUSE, twin};

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_says_by_whom() {
    let twin = twin();
    let (warehouse, backup) = (root(&twin, WAREHOUSE), root(&twin, BACKUP));
    bucket(&warehouse, "lake", false).await;
    assert_eq!(code(warehouse.create_bucket().bucket("lake").send().await), "BucketAlreadyOwnedByYou");
    assert_eq!(code(backup.create_bucket().bucket("lake").send().await), "BucketAlreadyExists");
}

#[rstest]
#[case("ab")]
#[case("Lake")]
#[case("a..b")]
#[case("192.168.1.1")]
#[case("xn--lake")]
#[case("lake-s3alias")]
#[case("amzn-s3-demo-lake")]
#[case("a-name-that-is-one-character-longer-than-the-sixty-three-allowed")]
#[tokio::test(start_paused = true)]
async fn a_name_against_the_rules_is_refused(#[case] name: &str) {
    let twin = twin();
    assert_eq!(code(root(&twin, BACKUP).create_bucket().bucket(name).send().await), "InvalidBucketName");
}

#[tokio::test(start_paused = true)]
async fn an_unexpected_owner_is_refused() {
    let twin = twin();
    let backup = root(&twin, BACKUP);
    bucket(&backup, "vault", false).await;
    backup.head_bucket().bucket("vault").expected_bucket_owner(BACKUP).send().await.unwrap();
    let refused = backup.list_objects_v2().bucket("vault").expected_bucket_owner(WAREHOUSE).send().await;
    assert_eq!(code(refused), "AccessDenied");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_deleted_only_when_it_is_empty() {
    let twin = twin();
    let client = root(&twin, BACKUP);
    bucket(&client, "vault", true).await;
    let version = put(&client, "vault", "a", "x").await.unwrap();
    assert_eq!(code(client.delete_bucket().bucket("vault").send().await), "BucketNotEmpty");
    client.delete_object().bucket("vault").key("a").version_id(version).send().await.unwrap();
    client.delete_bucket().bucket("vault").send().await.unwrap();
    assert_eq!(code(client.list_objects_v2().bucket("vault").send().await), "NoSuchBucket");
}

#[tokio::test(start_paused = true)]
async fn accounts_see_their_own_buckets_only() {
    let twin = twin();
    let (warehouse, backup) = (root(&twin, WAREHOUSE), root(&twin, BACKUP));
    bucket(&warehouse, "lake", false).await;
    bucket(&backup, "vault", false).await;
    let listed = backup.list_buckets().send().await.unwrap();
    let names: Vec<_> = listed.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert_eq!(names, ["vault"]);
    assert_eq!(code(backup.list_objects_v2().bucket("lake").send().await), "AccessDenied");
}
