//! Objects: what is put comes back.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, EncodingType};
use rstest::rstest;

use super::{bucket, code, get, put, root};
use crate::twin::common::{WAREHOUSE, twin};

#[tokio::test(start_paused = true)]
async fn bytes_headers_metadata_and_tags_come_back() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"0123456789");
    let put = client
        .put_object()
        .bucket("lake")
        .key("a b/c")
        .body(body)
        .content_type("text/plain")
        .cache_control("no-store")
        .metadata("origin", "händisch")
        .tagging("team=data+lake&k%26=%C3%A4")
        .send()
        .await
        .unwrap();
    assert_eq!(put.e_tag(), Some("\"781e5e245d69b566979b86e28d23f2c7\""));
    let got = client.get_object().bucket("lake").key("a b/c").send().await.unwrap();
    assert_eq!(got.content_type(), Some("text/plain"));
    assert_eq!(got.cache_control(), Some("no-store"));
    // Values outside US-ASCII come back encoded by RFC 2047, as the user guide has it.
    assert_eq!(got.metadata().unwrap().get("origin").map(String::as_str), Some("=?UTF-8?B?aMOkbmRpc2No?="));
    assert_eq!(got.tag_count(), Some(2));
    assert_eq!(got.last_modified().unwrap().secs(), 1_775_088_000);
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"0123456789");
}

#[rstest]
#[case("line\nbreak")]
#[case("carriage\rreturn")]
#[case("quote\"s and 'apostrophes'")]
#[case("plus+percent%2B and space")]
#[case("a=1/b:2&c;d,e")]
#[case("grüße/日本/🦀")]
#[case("/leading//double/")]
#[case("a/../b/./c")]
#[tokio::test(start_paused = true)]
async fn keys_round_trip(#[case] key: &str) {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    put(&client, "lake", key, "x").await;
    assert_eq!(get(&client, "lake", key).await, b"x");
    let source =
        percent_encoding::utf8_percent_encode(&format!("lake/{key}"), percent_encoding::NON_ALPHANUMERIC).to_string();
    client.copy_object().bucket("lake").key(format!("{key}!")).copy_source(source).send().await.unwrap();
    let plain = client.list_objects_v2().bucket("lake").send().await.unwrap();
    let keys: Vec<_> = plain.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, [key.to_owned(), format!("{key}!")]);
    let url = client.list_objects_v2().bucket("lake").encoding_type(EncodingType::Url).send().await.unwrap();
    let encoded = url.contents()[0].key().unwrap().replace('+', " ");
    assert_eq!(percent_encoding::percent_decode_str(&encoded).decode_utf8().unwrap(), key);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_1024_bytes_is_taken_and_a_longer_one_refused() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    let longest = "ü".repeat(512);
    put(&client, "lake", &longest, "x").await;
    assert_eq!(get(&client, "lake", &longest).await, b"x");
    let refused = client.put_object().bucket("lake").key(format!("{longest}x")).send().await;
    assert_eq!(code(refused), "KeyTooLongError");
}

#[rstest]
#[case(ChecksumAlgorithm::Crc32)]
#[case(ChecksumAlgorithm::Crc32C)]
#[case(ChecksumAlgorithm::Crc64Nvme)]
#[case(ChecksumAlgorithm::Sha1)]
#[case(ChecksumAlgorithm::Sha256)]
#[tokio::test(start_paused = true)]
async fn checksums_are_verified_kept_and_returned(#[case] algorithm: ChecksumAlgorithm) {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"checked");
    client.put_object().bucket("lake").key("k").body(body).checksum_algorithm(algorithm.clone()).send().await.unwrap();
    let head = client.head_object().bucket("lake").key("k").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    let kept = match algorithm {
        ChecksumAlgorithm::Crc32 => head.checksum_crc32(),
        ChecksumAlgorithm::Crc32C => head.checksum_crc32_c(),
        ChecksumAlgorithm::Crc64Nvme => head.checksum_crc64_nvme(),
        ChecksumAlgorithm::Sha1 => head.checksum_sha1(),
        _ => head.checksum_sha256(),
    };
    assert!(kept.is_some(), "{head:?}");
    // The SDK itself verifies what it reads.
    assert_eq!(get(&client, "lake", "k").await, b"checked");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_checksum_stores_nothing() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    let put = client.put_object().bucket("lake").key("k").checksum_crc32("AAAAAA==");
    let refused = put.body(aws_sdk_s3::primitives::ByteStream::from_static(b"x")).send().await;
    assert_eq!(code(refused), "BadDigest");
    assert_eq!(code(client.get_object().bucket("lake").key("k").send().await), "NoSuchKey");
}
