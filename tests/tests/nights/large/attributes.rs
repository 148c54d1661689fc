//! Every attribute of an object reaches its copy, and that of no other.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_s3::types::{ChecksumMode, StorageClass};
use rstest::rstest;

use super::*;

/// What is compared of an object in either bucket.
#[derive(Debug, PartialEq)]
struct Attributes {
    size: Option<i64>,
    metadata: BTreeMap<String, String>,
    headers: [Option<String>; 7],
    tags: BTreeMap<String, String>,
}

async fn attributes(aws: &Aws, bucket: &str, key: &str) -> Attributes {
    let head = aws.s3.head_object().bucket(bucket).key(key).send().await.unwrap();
    let tags = aws.s3.get_object_tagging().bucket(bucket).key(key).send().await.unwrap();
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Attributes {
        size: head.content_length(),
        metadata: head.metadata().cloned().unwrap_or_default().into_iter().collect(),
        headers: [
            owned(head.content_type()),
            owned(head.content_encoding()),
            owned(head.content_language()),
            owned(head.content_disposition()),
            owned(head.cache_control()),
            owned(head.expires_string()),
            owned(head.website_redirect_location()),
        ],
        tags: tags.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
    }
}

/// Puts an object with attributes of chance.
async fn put_any(rig: &Rig, chance: &mut fastrand::Rng, key: &str) {
    let word =
        |chance: &mut fastrand::Rng| -> String { std::iter::repeat_with(|| chance.alphanumeric()).take(8).collect() };
    let some = |chance: &mut fastrand::Rng| chance.bool().then(|| word(chance));
    let metadata: HashMap<_, _> =
        (0..chance.u8(0..4)).map(|n| (format!("m{n}"), format!("{} {key}", word(chance)))).collect();
    let metadata = metadata.into_iter().filter(|(_, value)| value.is_ascii()).collect();
    let tags: Vec<_> = (0..chance.u8(0..4)).map(|n| format!("t{n}={}%20%2B%C3%A4", word(chance))).collect();
    let put = rig.accounts.warehouse.s3.put_object().bucket(SOURCE).key(key).set_metadata(Some(metadata));
    let put = put.set_tagging((!tags.is_empty()).then(|| tags.join("&")));
    let put = put.set_content_type(some(chance)).set_content_encoding(some(chance));
    let put = put.set_content_language(some(chance)).set_content_disposition(some(chance));
    let put = put.set_cache_control(some(chance));
    let put = put.set_website_redirect_location(chance.bool().then(|| format!("/{}", word(chance))));
    let expires = chance.bool().then(|| aws_sdk_s3::primitives::DateTime::from_secs(chance.i64(0..2_000_000_000)));
    let size = chance.usize(0..40);
    put.set_expires(expires).body(ByteStream::from(vec![chance.u8(..); size])).send().await.unwrap();
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn attributes_of_many_objects_that_end_in_any_order_stay_apart(#[values(1, 2)] seed: u64) {
    let mut chance = fastrand::Rng::with_seed(seed);
    let builder = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap());
    let mut rig = builder.twin(move |twin| twin.seed(seed)).build().await.unwrap();
    let odd = ["a b", "a+b", "date=2026-03-31/x", "100%", "pct%20literal", "größe/日本", "q\"uote,comma", "~*'&?"];
    let keys: Vec<_> = odd.into_iter().map(str::to_owned).chain((0..40).map(|n| format!("part-{n}"))).collect();
    for key in &keys {
        put_any(&rig, &mut chance, key).await;
    }
    // Retries with waits of chance make the order.
    let throttled = |operation| CallFault::new(FaultAnswer::slow_down()).of("s3", operation).when(When::Rate(0.3));
    let faults = ["HeadObject", "GetObjectTagging", "CreateMultipartUpload", "UploadPartCopy"].map(throttled);
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let execution = rig.start_large("night", day(), &keys).await.unwrap();
    rig.set_faults(faults.map(FaultPlan::from).into_iter().fold(FaultPlan::default(), FaultPlan::and));
    rig.start_workers();
    let ended = rig.until_ended(&execution).await.unwrap();
    rig.set_faults(FaultPlan::default());
    assert_succeeded(&ended);
    let list = rows(&rig, &ended.output["large"]["copied_list"]).await;
    let order: Vec<_> = list.iter().map(|row| row["key"].as_str().unwrap()).collect();
    assert_eq!(order.len(), keys.len());
    assert_ne!(order, keys, "the objects came to their ends in the order of the list");
    for key in &keys {
        let source = attributes(&rig.accounts.warehouse, SOURCE, key).await;
        assert_eq!(attributes(&rig.accounts.backup, SNAPSHOT, key).await, source, "{key:?}");
    }
    assert_copied(&rig, &keys).await;
}

#[rstest]
#[case::of_the_whole(Some((ChecksumAlgorithm::Crc32, ChecksumType::FullObject)), &PARTS, "checksum", true)]
#[case::by_default(None, &PARTS, "checksum", true)]
#[case::over_the_parts(Some((ChecksumAlgorithm::Sha256, ChecksumType::Composite)), &[5 * MIB + 1, 5 * MIB, 7], "composite_checksum", true)]
#[case::one_part(Some((ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject)), &[9], "checksum", true)]
#[tokio::test(start_paused = true)]
async fn copy_has_the_layout_the_checksum_and_the_entity_tag_of_its_source(
    #[case] checksum: Checksum,
    #[case] sizes: &[usize],
    #[case] proof: &str,
    #[case] same_etag: bool,
) {
    let mut rig = rig().await;
    upload(&rig, "a", checksum, sizes).await;
    let (_, ended) = night(&mut rig, &["a"]).await;
    assert_succeeded(&ended);
    let [source, copy] = [(&rig.accounts.warehouse, SOURCE), (&rig.accounts.backup, SNAPSHOT)]
        .map(|(aws, bucket)| aws.s3.head_object().bucket(bucket).key("a").checksum_mode(ChecksumMode::Enabled).send());
    let (source, copy) = (source.await.unwrap(), copy.await.unwrap());
    assert_eq!(copy.e_tag() == source.e_tag(), same_etag, "{source:?} {copy:?}");
    assert_eq!((copy.checksum_type(), copy.checksum_sha256()), (source.checksum_type(), source.checksum_sha256()));
    assert_eq!(
        (copy.checksum_crc32(), copy.checksum_crc64_nvme()),
        (source.checksum_crc32(), source.checksum_crc64_nvme())
    );
    let listed = &rows(&rig, &ended.output["large"]["copied_list"]).await[0];
    assert_eq!((&listed["proof"], &listed["parts"]), (&json!(proof), &json!(sizes.len())), "{listed}");
    assert_eq!(listed["version_id"].as_str(), copy.version_id());
    assert_copied(&rig, &["a"]).await;
}

#[tokio::test(start_paused = true)]
async fn copy_has_the_storage_class_of_the_snapshot_and_not_of_its_source() {
    let mut rig = rig().await;
    let put = rig.accounts.warehouse.s3.put_object().bucket(SOURCE).key("a");
    put.storage_class(StorageClass::StandardIa).body(b"bytes"[..].to_vec().into()).send().await.unwrap();
    let (_, ended) = night(&mut rig, &["a"]).await;
    assert_succeeded(&ended);
    let head = rig.accounts.backup.s3.head_object().bucket(SNAPSHOT).key("a").send().await.unwrap();
    assert_eq!(head.storage_class(), None, "HEAD does not tell STANDARD");
}
