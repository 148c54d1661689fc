//! Multipart uploads.

use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};

use super::{bucket, code, get, root};
use crate::twin::common::{WAREHOUSE, twin};

const PART: usize = 5 * 1024 * 1024;

async fn start(client: &Client, key: &str) -> String {
    let created = client.create_multipart_upload().bucket("lake").key(key).metadata("m", "1").send().await.unwrap();
    created.upload_id().unwrap().to_owned()
}

async fn part(client: &Client, upload: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let put = client.upload_part().bucket("lake").key("large").upload_id(upload).part_number(number);
    let put = put.body(ByteStream::from(body)).send().await.unwrap();
    CompletedPart::builder().part_number(number).e_tag(put.e_tag().unwrap()).build()
}

fn completed(parts: Vec<CompletedPart>) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts)).build()
}

#[tokio::test(start_paused = true)]
async fn parts_uploaded_and_copied_become_one_object() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    let upload = start(&client, "large").await;
    let first = part(&client, &upload, 1, vec![b'a'; PART]).await;
    super::put(&client, "lake", "source", "0123456789").await;
    let copied = client.upload_part_copy().bucket("lake").key("large").upload_id(&upload).part_number(2);
    let copied = copied.copy_source("lake/source").copy_source_range("bytes=2-4").send().await.unwrap();
    let etag = copied.copy_part_result().unwrap().e_tag().unwrap().to_owned();
    let second = CompletedPart::builder().part_number(2).e_tag(etag).build();
    let listed = client.list_parts().bucket("lake").key("large").upload_id(&upload).send().await.unwrap();
    assert_eq!(listed.parts().iter().map(|part| part.size()).collect::<Vec<_>>(), [Some(PART as i64), Some(3)]);
    let complete = client.complete_multipart_upload().bucket("lake").key("large").upload_id(&upload);
    let done = complete.multipart_upload(completed(vec![first, second])).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""), "{done:?}");
    let body = get(&client, "lake", "large").await;
    assert_eq!((body.len(), &body[PART..]), (PART + 3, &b"234"[..]));
    let head = client.head_object().bucket("lake").key("large").part_number(2).send().await.unwrap();
    assert_eq!((head.parts_count(), head.content_length()), (Some(2), Some(3)));
    assert_eq!(head.metadata().unwrap().get("m").map(String::as_str), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn small_unknown_and_unordered_parts_are_refused() {
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    let upload = start(&client, "large").await;
    let (one, two) = (part(&client, &upload, 1, vec![1; 10]).await, part(&client, &upload, 2, vec![2; 10]).await);
    let unknown = CompletedPart::builder().part_number(1).e_tag("0123").build();
    for (parts, expected) in [
        (vec![two.clone(), one.clone()], "InvalidPartOrder"),
        (vec![one.clone(), two], "EntityTooSmall"),
        (vec![unknown], "InvalidPart"),
    ] {
        let complete = client.complete_multipart_upload().bucket("lake").key("large").upload_id(&upload);
        assert_eq!(code(complete.multipart_upload(completed(parts)).send().await), expected);
    }
    client.abort_multipart_upload().bucket("lake").key("large").upload_id(&upload).send().await.unwrap();
    let complete = client.complete_multipart_upload().bucket("lake").key("large").upload_id(&upload);
    assert_eq!(code(complete.multipart_upload(completed(vec![one])).send().await), "NoSuchUpload");
}

#[tokio::test(start_paused = true)]
async fn attributes_tell_size_checksum_and_the_parts_page_by_page() {
    use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, ObjectAttributes};
    let twin = twin();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", true).await;
    let create = client.create_multipart_upload().bucket("lake").key("large");
    let upload = create.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
    let upload = upload.upload_id().unwrap();
    let mut parts = Vec::new();
    for (number, length) in [(1, PART), (2, PART), (3, 7)] {
        let put = client.upload_part().bucket("lake").key("large").upload_id(upload).part_number(number);
        let put = put.checksum_algorithm(ChecksumAlgorithm::Sha256).body(ByteStream::from(vec![b'x'; length]));
        let put = put.send().await.unwrap();
        let done = CompletedPart::builder().part_number(number).e_tag(put.e_tag().unwrap());
        parts.push(done.checksum_sha256(put.checksum_sha256().unwrap()).build());
    }
    let complete = client.complete_multipart_upload().bucket("lake").key("large").upload_id(upload);
    let done = complete.multipart_upload(completed(parts)).send().await.unwrap();
    let ask = |marker: Option<String>| {
        let ask = client.get_object_attributes().bucket("lake").key("large").version_id(done.version_id().unwrap());
        ask.set_object_attributes(Some(
            ObjectAttributes::values().iter().map(|name| ObjectAttributes::from(*name)).collect(),
        ))
        .max_parts(2)
        .set_part_number_marker(marker)
    };
    let first = ask(None).send().await.unwrap();
    assert_eq!(
        (first.object_size(), first.e_tag()),
        (Some(2 * PART as i64 + 7), Some(done.e_tag().unwrap().trim_matches('"')))
    );
    let checksum = first.checksum().unwrap();
    assert_eq!(
        (checksum.checksum_sha256(), checksum.checksum_type()),
        (done.checksum_sha256(), Some(&ChecksumType::Composite))
    );
    let told = first.object_parts().unwrap();
    assert_eq!((told.total_parts_count(), told.is_truncated(), told.parts().len()), (Some(3), Some(true), 2));
    let rest = ask(told.next_part_number_marker().map(str::to_owned)).send().await.unwrap();
    let rest = rest.object_parts().unwrap();
    assert_eq!(
        (rest.is_truncated(), rest.parts()[0].part_number(), rest.parts()[0].size()),
        (Some(false), Some(3), Some(7))
    );
    let missing = client.get_object_attributes().bucket("lake").key("none").object_attributes(ObjectAttributes::Etag);
    assert_eq!(code(missing.send().await), "NoSuchKey");
}
