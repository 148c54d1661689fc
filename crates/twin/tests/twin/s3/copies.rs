//! CopyObject.

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{StorageClass, TaggingDirective},
};
use rstest::rstest;

use super::{bucket, code, get, put, root};
use crate::twin::common::{WAREHOUSE, builder, twin};

#[tokio::test(start_paused = true)]
async fn a_copy_keeps_bytes_metadata_and_tags_but_not_the_storage_class() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    let put = client.put_object().bucket("lake").key("a").body(ByteStream::from_static(b"x")).metadata("m", "1");
    put.tagging("t=2").storage_class(StorageClass::StandardIa).send().await.unwrap();
    client.copy_object().bucket("lake").key("b").copy_source("lake/a").send().await.unwrap();
    let head = client.head_object().bucket("lake").key("b").send().await.unwrap();
    assert_eq!(head.metadata().unwrap().get("m").map(String::as_str), Some("1"));
    assert_eq!(head.storage_class(), None);
    let tags = client.get_object_tagging().bucket("lake").key("b").send().await.unwrap();
    assert_eq!((tags.tag_set()[0].key(), tags.tag_set()[0].value()), ("t", "2"));
    let replaced = client.copy_object().bucket("lake").key("c").copy_source("lake/a");
    replaced.tagging_directive(TaggingDirective::Replace).tagging("n=3").send().await.unwrap();
    let tags = client.get_object_tagging().bucket("lake").key("c").send().await.unwrap();
    assert_eq!(tags.tag_set()[0].key(), "n");
}

#[tokio::test(start_paused = true)]
async fn what_is_larger_than_the_limit_is_refused() {
    let twin = builder().copy_limit_bytes(4).build();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    put(&client, "lake", "fits", "1234").await;
    put(&client, "lake", "large", "12345").await;
    client.copy_object().bucket("lake").key("b").copy_source("lake/fits").send().await.unwrap();
    let refused = client.copy_object().bucket("lake").key("b").copy_source("lake/large").send().await;
    assert_eq!(code(refused), "InvalidRequest");
}

#[rstest]
#[case(StorageClass::Glacier, Some("InvalidObjectState"))]
#[case(StorageClass::DeepArchive, Some("InvalidObjectState"))]
#[case(StorageClass::GlacierIr, None)]
#[tokio::test(start_paused = true)]
async fn an_archived_source_is_refused(#[case] class: StorageClass, #[case] refused: Option<&str>) {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    let put = client.put_object().bucket("lake").key("a").body(ByteStream::from_static(b"x"));
    put.storage_class(class).send().await.unwrap();
    let copy = client.copy_object().bucket("lake").key("b").copy_source("lake/a").send().await;
    match refused {
        Some(expected) => assert_eq!(code(copy), expected),
        None => assert_eq!(get(&client, "lake", "b").await, b"x"),
    }
}

#[tokio::test(start_paused = true)]
async fn writing_only_where_nothing_is_refuses_a_second_time() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    let once = || client.put_object().bucket("lake").key("a").if_none_match("*").send();
    once().await.unwrap();
    assert_eq!(code(once().await), "PreconditionFailed");
}
