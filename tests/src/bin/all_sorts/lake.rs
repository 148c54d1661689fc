//! The objects that are of a sort of their own.

use anyhow::{Context, Result, ensure};
use aws_sdk_kms::types::GrantOperation;
use aws_sdk_s3::{
    operation::put_object::builders::PutObjectFluentBuilder,
    primitives::{ByteStream, DateTime},
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ServerSideEncryption, StorageClass},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use levee_tests::Rig;
use levee_twin::{s3::ArchiveTier, service::Principal};
use md5::{Digest, Md5};

use crate::SOURCE;

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The copy job copies it.
    Job,
    /// large-copy copies it.
    Large,
    /// It is restored, then a copy job copies it.
    Restored,
    /// It is restored, then large-copy copies it.
    RestoredInParts,
    /// It cannot be copied, and is named.
    Named,
}

/// An object of the lake.
pub(crate) struct Object {
    pub(crate) key: &'static str,
    pub(crate) fate: Fate,
}

const SIZES: [(&str, u64, Fate); 5] = [
    ("size/0", 0, Fate::Job),
    ("size/5000000000", 5_000_000_000, Fate::Job),
    ("size/5000000001", 5_000_000_001, Fate::Large),
    ("size/5368709120", 5_368_709_120, Fate::Large),
    ("size/5368709121", 5_368_709_121, Fate::Large),
];
/// 60 GB in parts of which the last is short.
const PARTS: (&str, u64, u64) = ("size/60 GB in parts.parquet", 60_000_000_000, 64_000_000);

/// Puts them into the source.
pub(crate) async fn fill(rig: &Rig) -> Result<Vec<Object>> {
    let mut objects: Vec<Object> = SIZES.into_iter().map(|(key, _, fate)| Object { key, fate }).collect();
    for (key, bytes, _) in SIZES {
        sparse(put(rig, key).metadata("bytes", bytes.to_string()).tagging("sort=size"), bytes).await?;
    }
    parts(rig).await?;
    objects.push(Object { key: PARTS.0, fate: Fate::Large });
    objects.extend(labelled(rig).await?);
    objects.extend(archived(rig).await?);
    objects.extend(under_keys(rig).await?);
    Ok(objects)
}

fn put(rig: &Rig, key: &str) -> PutObjectFluentBuilder {
    rig.accounts.warehouse.s3.put_object().bucket(SOURCE).key(key)
}

/// An object of so many bytes that nobody has to keep.
async fn sparse(put: PutObjectFluentBuilder, bytes: u64) -> Result<()> {
    let put = put.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).customize().mutate_request(move |request| {
        request.headers_mut().insert("x-levee-twin-sparse-length", bytes.to_string());
    });
    put.send().await?;
    Ok(())
}

async fn parts(rig: &Rig) -> Result<()> {
    let (key, bytes, part) = PARTS;
    let s3 = &rig.accounts.warehouse.s3;
    let create = s3.create_multipart_upload().bucket(SOURCE).key(key).metadata("written-by", "a writer in parts");
    let upload =
        create.content_type("application/vnd.apache.parquet").tagging("table=events&size=large").send().await?;
    let id = upload.upload_id().context("the upload has no id")?;
    let mut parts = CompletedMultipartUpload::builder();
    for (number, from) in (1..).zip((0..bytes).step_by(usize::try_from(part)?)) {
        let length = part.min(bytes - from);
        let upload = s3.upload_part().bucket(SOURCE).key(key).upload_id(id).part_number(number).customize();
        let upload = upload.mutate_request(move |request| {
            request.headers_mut().insert("x-levee-twin-sparse-length", length.to_string());
            request.headers_mut().insert("x-levee-twin-sparse-offset", from.to_string());
        });
        let sent = upload.send().await?;
        parts = parts.parts(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
    }
    let complete = s3.complete_multipart_upload().bucket(SOURCE).key(key).upload_id(id);
    complete.multipart_upload(parts.build()).send().await?;
    Ok(())
}

/// Objects with tags, with every header, and with keys that need encoding.
async fn labelled(rig: &Rig) -> Result<Vec<Object>> {
    let tags: Vec<_> = (0..10).map(|n| format!("t{n}=a%20b%2B{n}")).collect();
    put(rig, "label/ten tags").tagging(tags.join("&")).body(ByteStream::from_static(b"tags")).send().await?;
    put(rig, "label/every+header=%.parquet")
        .metadata("owner", "team a")
        .metadata("x", "y=z; \"q\"")
        .content_type("application/vnd.apache.parquet")
        .content_encoding("gzip")
        .content_language("de-DE, en")
        .content_disposition("attachment; filename=\"a.parquet\"")
        .cache_control("max-age=60, private")
        .expires(DateTime::from_secs(1_893_456_000))
        .body(ByteStream::from_static(b"headers"))
        .send()
        .await?;
    let large = put(rig, "label/large, every header")
        .metadata("owner", "team b")
        .content_type("text/csv")
        .content_encoding("br")
        .content_language("fr")
        .content_disposition("inline")
        .cache_control("no-store")
        .expires(DateTime::from_secs(1_900_000_000))
        .tagging("team=b");
    sparse(large, 7_000_000_000).await?;
    Ok(vec![
        Object { key: "label/ten tags", fate: Fate::Job },
        Object { key: "label/every+header=%.parquet", fate: Fate::Job },
        Object { key: "label/large, every header", fate: Fate::Large },
    ])
}

async fn archived(rig: &Rig) -> Result<Vec<Object>> {
    let classes = [
        ("archive/glacier", StorageClass::Glacier),
        ("archive/deep", StorageClass::DeepArchive),
        ("archive/tier", StorageClass::IntelligentTiering),
    ];
    for (key, class) in classes.clone() {
        put(rig, key).storage_class(class).tagging("cold=yes").body(ByteStream::from_static(b"ice")).send().await?;
    }
    ensure!(rig.twin.s3().archive(SOURCE, "archive/tier", ArchiveTier::ArchiveAccess), "archive/tier is not there");
    sparse(put(rig, "archive/large").storage_class(StorageClass::Glacier), 6_000_000_000).await?;
    let small = classes.into_iter().map(|(key, _)| Object { key, fate: Fate::Restored });
    Ok(small.chain([Object { key: "archive/large", fate: Fate::RestoredInParts }]).collect())
}

/// Objects under two keys of KMS, which let the copy role in, and under a key of the customer's own.
async fn under_keys(rig: &Rig) -> Result<Vec<Object>> {
    let kms = aws_sdk_kms::Client::new(&rig.twin.sdk_config(&rig.plan.warehouse_account, &Principal::Root));
    for key in ["key/one", "key/two"] {
        let made = kms.create_key().send().await?;
        let arn = made.key_metadata().and_then(|made| made.arn()).context("the key has no ARN")?;
        let grant = kms.create_grant().key_id(arn).grantee_principal(&rig.plan.copy_role_arn);
        grant.operations(GrantOperation::Decrypt).send().await?;
        let put = put(rig, key).server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(arn);
        put.body(ByteStream::from_static(b"secret")).send().await?;
    }
    let secret = [7; 32];
    let put = put(rig, "key/customer's own").sse_customer_algorithm("AES256").sse_customer_key(STANDARD.encode(secret));
    put.sse_customer_key_md5(STANDARD.encode(Md5::digest(secret))).body(ByteStream::from_static(b"own")).send().await?;
    Ok(vec![
        Object { key: "key/one", fate: Fate::Job },
        Object { key: "key/two", fate: Fate::Job },
        Object { key: "key/customer's own", fate: Fate::Named },
    ])
}
