//! Sparse objects: large ones that cost nothing.

use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, ObjectAttributes},
};
use rstest::rstest;

use super::{bucket, code, root};
use crate::twin::common::{WAREHOUSE, builder, twin};

const GB_60: u64 = 60_000_000_000;

/// Puts a sparse object of that many bytes, which begin there in the pattern.
async fn put(client: &Client, key: &str, length: u64, offset: u64) {
    let put = client.put_object().bucket("lake").key(key).metadata("m", "1");
    let put = put.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).customize();
    let put = put.mutate_request(move |request| {
        request.headers_mut().insert("x-levee-twin-sparse-length", length.to_string());
        request.headers_mut().insert("x-levee-twin-sparse-offset", offset.to_string());
    });
    put.send().await.unwrap();
}

async fn range(client: &Client, key: &str, range: &str) -> Vec<u8> {
    let got = client.get_object().bucket("lake").key(key).range(range).send().await.unwrap();
    got.body.collect().await.unwrap().to_vec()
}

/// Copies the object by parts of these sizes; the ETags of the parts.
async fn copy_by_parts(client: &Client, from: &str, to: &str, sizes: &[u64]) -> Vec<String> {
    let create = client.create_multipart_upload().bucket("lake").key(to);
    let create = create.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).send().await.unwrap();
    let upload = create.upload_id().unwrap();
    let (mut first, mut parts, mut etags) = (0, CompletedMultipartUpload::builder(), Vec::new());
    for (number, size) in (1..).zip(sizes) {
        let range = format!("bytes={first}-{}", first + size - 1);
        first += size;
        let copy = client.upload_part_copy().bucket("lake").key(to).upload_id(upload).part_number(number);
        let copied = copy.copy_source(format!("lake/{from}")).copy_source_range(range).send().await.unwrap();
        let etag = copied.copy_part_result().unwrap().e_tag().unwrap().to_owned();
        parts = parts.parts(CompletedPart::builder().part_number(number).e_tag(&etag).build());
        etags.push(etag);
    }
    let complete = client.complete_multipart_upload().bucket("lake").key(to).upload_id(upload);
    complete.multipart_upload(parts.build()).send().await.unwrap();
    etags
}

async fn checksum(client: &Client, key: &str) -> String {
    let head = client.head_object().bucket("lake").key(key).checksum_mode(ChecksumMode::Enabled);
    head.send().await.unwrap().checksum_crc64_nvme().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn object_of_60_gb_is_made_by_one_put_and_tells_its_length_everywhere() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    put(&client, "a", GB_60, 0).await;
    let length = i64::try_from(GB_60).unwrap();
    let head = client.head_object().bucket("lake").key("a").send().await.unwrap();
    assert_eq!(head.content_length(), Some(length));
    assert_eq!(head.metadata().unwrap().get("m").map(String::as_str), Some("1"));
    let list = client.list_objects_v2().bucket("lake").send().await.unwrap();
    assert_eq!(list.contents()[0].size(), Some(length));
    let attributes = client.get_object_attributes().bucket("lake").key("a");
    let attributes = attributes.object_attributes(ObjectAttributes::ObjectSize).send().await.unwrap();
    assert_eq!(attributes.object_size(), Some(length));
}

#[tokio::test(start_paused = true)]
async fn ranges_of_sparse_objects_are_those_of_the_pattern() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    put(&client, "a", GB_60, 0).await;
    put(&client, "b", 100, 8 * 7_000_000_000).await;
    let word = 7_000_000_000_u64.to_le_bytes();
    assert_eq!(range(&client, "a", "bytes=56000000000-56000000007").await, word);
    assert_eq!(range(&client, "b", "bytes=0-7").await, word);
    let whole = client.get_object().bucket("lake").key("b").checksum_mode(ChecksumMode::Enabled);
    let whole = whole.send().await.unwrap().body.collect().await.unwrap().to_vec();
    assert_eq!(whole, range(&client, "a", "bytes=56000000000-56000000099").await);
    assert_eq!(code(client.get_object().bucket("lake").key("a").send().await), "NotImplemented");
}

#[tokio::test(start_paused = true)]
async fn same_bytes_cut_differently_have_one_checksum_and_the_same_range_one_etag() {
    let twin = builder().copy_limit_bytes(40_000_000_000).build();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    put(&client, "a", GB_60, 0).await;
    let first = copy_by_parts(&client, "a", "b", &[20_000_000_000; 3]).await;
    let again = copy_by_parts(&client, "b", "c", &[20_000_000_000, 40_000_000_000]).await;
    assert_eq!(checksum(&client, "b").await, checksum(&client, "a").await);
    assert_eq!(checksum(&client, "c").await, checksum(&client, "a").await);
    assert_eq!(first[0], again[0]);
    assert_ne!(first[1], again[1]);
    put(&client, "other", GB_60, 8).await;
    assert_ne!(checksum(&client, "other").await, checksum(&client, "a").await);
    let etag = client.head_object().bucket("lake").key("b").send().await.unwrap().e_tag().unwrap().to_owned();
    assert!(etag.ends_with("-3\""), "{etag}");
}

#[tokio::test(start_paused = true)]
async fn copy_of_a_sparse_object_above_the_limit_is_refused_and_below_it_keeps_all() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    put(&client, "fits", 5_368_709_120, 0).await;
    put(&client, "large", 5_368_709_121, 0).await;
    let copy = |key: &str| client.copy_object().bucket("lake").key("copy").copy_source(format!("lake/{key}")).send();
    assert_eq!(code(copy("large").await), "InvalidRequest");
    copy("fits").await.unwrap();
    assert_eq!(checksum(&client, "copy").await, checksum(&client, "fits").await);
    assert_eq!(range(&client, "copy", "bytes=-1").await, range(&client, "fits", "bytes=-1").await);
}

#[tokio::test(start_paused = true)]
async fn object_is_made_of_sparse_parts_and_real_ones() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    let create = client.create_multipart_upload().bucket("lake").key("a").send().await.unwrap();
    let upload = create.upload_id().unwrap();
    let part = |number: i32, body: &'static [u8]| {
        let part = client.upload_part().bucket("lake").key("a").upload_id(upload).part_number(number);
        part.body(ByteStream::from_static(body))
    };
    let sparse = part(1, b"").customize().mutate_request(|request| {
        request.headers_mut().insert("x-levee-twin-sparse-length", "10000000000");
    });
    let sparse = sparse.send().await.unwrap().e_tag().unwrap().to_owned();
    let real = part(2, b"end").send().await.unwrap().e_tag().unwrap().to_owned();
    let parts = [(1, &sparse), (2, &real)].map(|(n, etag)| CompletedPart::builder().part_number(n).e_tag(etag).build());
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.into())).build();
    let complete = client.complete_multipart_upload().bucket("lake").key("a").upload_id(upload);
    complete.multipart_upload(parts).send().await.unwrap();
    let head = client.head_object().bucket("lake").key("a").send().await.unwrap();
    assert_eq!(head.content_length(), Some(10_000_000_003));
    assert_eq!(range(&client, "a", "bytes=-3").await, b"end");
}

#[rstest]
#[case::with_bytes("5", "", b"x", "InvalidRequest")]
#[case::no_number("many", "", b"", "InvalidArgument")]
#[case::too_many("53687091200001", "", b"", "InvalidArgument")]
#[case::offset_alone("", "8", b"", "InvalidArgument")]
#[tokio::test(start_paused = true)]
async fn sparse_puts_that_make_no_sense_are_refused(
    #[case] length: &'static str,
    #[case] offset: &'static str,
    #[case] body: &'static [u8],
    #[case] refused: &str,
) {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    let put = client.put_object().bucket("lake").key("a").body(ByteStream::from_static(body)).customize();
    let put = put.mutate_request(move |request| {
        for (name, value) in [("x-levee-twin-sparse-length", length), ("x-levee-twin-sparse-offset", offset)] {
            if !value.is_empty() {
                request.headers_mut().insert(name, value);
            }
        }
    });
    assert_eq!(code(put.send().await), refused);
}
