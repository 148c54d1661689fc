//! Things to do to a bucket `lake`, each with what a photo must show afterwards.

use std::{future::Future, pin::Pin};

use aws_sdk_s3::{
    Client,
    primitives::{ByteStream, DateTime},
    types::*,
};

use super::super::{bucket, put};

pub(crate) type Deed = Pin<Box<dyn Future<Output = ()>>>;

const PART: usize = 5 * 1024 * 1024;

/// Headers, user metadata, tags, storage class.
pub(crate) fn attributes(s3: Client) -> Deed {
    Box::pin(async move {
        bucket(&s3, "lake", false).await;
        let put = s3.put_object().bucket("lake").key("grüße/a=1/%:\n").body(ByteStream::from_static(b"0123456789"));
        let put =
            put.content_type("text/plain").content_encoding("gzip").content_language("de").cache_control("no-store");
        let put = put.content_disposition("inline").expires(DateTime::from_secs(1_800_000_000));
        let put = put.metadata("origin", "händisch").metadata("empty", "").tagging("team=data+lake&k%26=%C3%A4");
        put.storage_class(StorageClass::StandardIa).send().await.unwrap();
        put_empty(&s3).await;
    })
}

async fn put_empty(s3: &Client) {
    put(s3, "lake", "nothing in it", "").await;
}

/// Versions, delete markers, null versions from before and after, one version removed.
pub(crate) fn versions(s3: Client) -> Deed {
    Box::pin(async move {
        bucket(&s3, "lake", false).await;
        put(&s3, "lake", "key", "before versioning").await;
        versioning(&s3, BucketVersioningStatus::Enabled).await;
        let first = put(&s3, "lake", "key", "first").await.unwrap();
        put(&s3, "lake", "key", "second").await;
        s3.delete_object().bucket("lake").key("key").send().await.unwrap();
        put(&s3, "lake", "key", "behind the marker").await;
        versioning(&s3, BucketVersioningStatus::Suspended).await;
        put(&s3, "lake", "key", "null again").await;
        s3.delete_object().bucket("lake").key("key").version_id(first).send().await.unwrap();
        s3.delete_object().bucket("lake").key("never there").send().await.unwrap();
    })
}

async fn versioning(s3: &Client, status: BucketVersioningStatus) {
    let configuration = VersioningConfiguration::builder().status(status).build();
    s3.put_bucket_versioning().bucket("lake").versioning_configuration(configuration).send().await.unwrap();
}

/// Tags that were changed later, retention that was made longer, a legal hold, the bucket's default retention.
pub(crate) fn locks(s3: Client) -> Deed {
    Box::pin(async move {
        s3.create_bucket().bucket("lake").object_lock_enabled_for_bucket(true).send().await.unwrap();
        let rule = DefaultRetention::builder().mode(ObjectLockRetentionMode::Compliance).days(30).build();
        let rule = ObjectLockRule::builder().default_retention(rule).build();
        let lock =
            ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).rule(rule).build();
        s3.put_object_lock_configuration().bucket("lake").object_lock_configuration(lock).send().await.unwrap();
        let version = put(&s3, "lake", "key", "kept").await.unwrap();
        let longer = ObjectLockRetention::builder()
            .mode(ObjectLockRetentionMode::Compliance)
            .retain_until_date(DateTime::from_secs(1_900_000_000))
            .build();
        let retain = s3.put_object_retention().bucket("lake").key("key").version_id(&version).retention(longer);
        retain.send().await.unwrap();
        let hold = ObjectLockLegalHold::builder().status(ObjectLockLegalHoldStatus::On).build();
        s3.put_object_legal_hold().bucket("lake").key("key").legal_hold(hold).send().await.unwrap();
        let tags = Tagging::builder().tag_set(Tag::builder().key("later").value("yes").build().unwrap());
        s3.put_object_tagging().bucket("lake").key("key").tagging(tags.build().unwrap()).send().await.unwrap();
    })
}

/// Sparse bytes, put whole, and copied as a part.
pub(crate) fn sparse(s3: Client) -> Deed {
    Box::pin(async move {
        bucket(&s3, "lake", false).await;
        let put = s3.put_object().bucket("lake").key("sparse").customize().mutate_request(|request| {
            request.headers_mut().insert("x-levee-twin-sparse-length", "20000001");
            request.headers_mut().insert("x-levee-twin-sparse-offset", "4");
        });
        put.send().await.unwrap();
        let open = start(&s3, "open").await;
        let copy = s3.upload_part_copy().bucket("lake").key("open").upload_id(&open).part_number(1);
        copy.copy_source("lake/sparse").copy_source_range("bytes=10000000-20000000").send().await.unwrap();
    })
}

/// An object that is being restored.
pub(crate) fn restores(s3: Client) -> Deed {
    Box::pin(async move {
        bucket(&s3, "lake", false).await;
        let put = s3.put_object().bucket("lake").key("cold").body(ByteStream::from_static(b"ice"));
        put.storage_class(StorageClass::DeepArchive).send().await.unwrap();
        let request = RestoreRequest::builder().days(3).tier(Tier::Bulk).build();
        s3.restore_object().bucket("lake").key("cold").restore_request(request).send().await.unwrap();
    })
}

/// A checksum of every algorithm, and an object under a KMS key.
pub(crate) fn checksums(s3: Client) -> Deed {
    Box::pin(async move {
        bucket(&s3, "lake", false).await;
        for algorithm in ChecksumAlgorithm::values()
            .iter()
            .filter(|name| ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"].contains(name))
        {
            let put = s3.put_object().bucket("lake").key(*algorithm).body(ByteStream::from_static(b"sum"));
            put.checksum_algorithm(ChecksumAlgorithm::from(*algorithm)).send().await.unwrap();
        }
        let put = s3.put_object().bucket("lake").key("kms").body(ByteStream::from_static(b"secret"));
        let put = put.server_side_encryption(ServerSideEncryption::AwsKms).bucket_key_enabled(true);
        put.ssekms_key_id("arn:aws:kms:us-east-1:111111111111:user/key-of-k").send().await.unwrap();
    })
}

/// A finished multipart upload with composite checksums, copies of it and of an object that is gone, and an upload that
/// is not finished and has a part that was sent twice and one that was copied.
pub(crate) fn uploads(s3: Client) -> Deed {
    Box::pin(async move {
        bucket(&s3, "lake", false).await;
        let upload = start(&s3, "large").await;
        let parts = [
            part(&s3, "large", &upload, 1, vec![b'a'; PART]).await,
            part(&s3, "large", &upload, 2, vec![b'b'; 3]).await,
        ];
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.into())).build();
        let complete = s3.complete_multipart_upload().bucket("lake").key("large").upload_id(&upload);
        complete.multipart_upload(parts).send().await.unwrap();
        s3.copy_object().bucket("lake").key("large copy").copy_source("lake/large").send().await.unwrap();
        put(&s3, "lake", "gone", "0123456789").await;
        s3.copy_object().bucket("lake").key("copy of gone").copy_source("lake/gone").send().await.unwrap();
        let open = start(&s3, "open").await;
        part(&s3, "open", &open, 7, vec![b'x'; 10]).await;
        part(&s3, "open", &open, 7, vec![b'y'; 11]).await;
        let copy = s3.upload_part_copy().bucket("lake").key("open").upload_id(&open).part_number(8);
        copy.copy_source("lake/gone").copy_source_range("bytes=2-4").send().await.unwrap();
        s3.delete_object().bucket("lake").key("gone").send().await.unwrap();
        let aborted = start(&s3, "aborted").await;
        part(&s3, "aborted", &aborted, 1, vec![b'z'; 5]).await;
        s3.abort_multipart_upload().bucket("lake").key("aborted").upload_id(aborted).send().await.unwrap();
    })
}

async fn start(s3: &Client, key: &str) -> String {
    let create = s3.create_multipart_upload().bucket("lake").key(key).metadata("m", "1").tagging("t=1");
    let created = create.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
    created.upload_id().unwrap().to_owned()
}

async fn part(s3: &Client, key: &str, upload: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let put = s3.upload_part().bucket("lake").key(key).upload_id(upload).part_number(number);
    let put = put.checksum_algorithm(ChecksumAlgorithm::Sha256).body(ByteStream::from(body)).send().await.unwrap();
    let done = CompletedPart::builder().part_number(number).e_tag(put.e_tag().unwrap());
    done.checksum_sha256(put.checksum_sha256().unwrap()).build()
}

/// Every setting of a bucket, one of them taken back.
pub(crate) fn settings(s3: Client) -> Deed {
    Box::pin(async move {
        bucket(&s3, "lake", true).await;
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteBucket","Resource":"arn:aws:s3:::lake"}]}"#;
        s3.put_bucket_policy().bucket("lake").policy(policy).send().await.unwrap();
        let block = PublicAccessBlockConfiguration::builder().block_public_acls(true).build();
        s3.put_public_access_block().bucket("lake").public_access_block_configuration(block).send().await.unwrap();
        let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms);
        let default = default.kms_master_key_id("arn:aws:kms:us-east-1:111111111111:key/k").build().unwrap();
        let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default);
        let rules = ServerSideEncryptionConfiguration::builder().rules(rule.bucket_key_enabled(true).build());
        let encryption = s3.put_bucket_encryption().bucket("lake");
        encryption.server_side_encryption_configuration(rules.build().unwrap()).send().await.unwrap();
        lifecycle(&s3).await;
        inventory(&s3).await;
        let tags = Tagging::builder().tag_set(Tag::builder().key("owner").value("data platform").build().unwrap());
        s3.put_bucket_tagging().bucket("lake").tagging(tags.build().unwrap()).send().await.unwrap();
        bucket(&s3, "removed", false).await;
        s3.delete_bucket().bucket("removed").send().await.unwrap();
        bucket(&s3, "bare", false).await;
        s3.delete_public_access_block().bucket("bare").send().await.unwrap();
    })
}

async fn lifecycle(s3: &Client) {
    let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(7).build();
    let filter = LifecycleRuleFilter::builder().prefix("tmp/").build();
    let move_on = Transition::builder().days(30).storage_class(TransitionStorageClass::GlacierIr).build();
    let rule = LifecycleRule::builder().id("tidy").status(ExpirationStatus::Enabled).filter(filter);
    let rule = rule.abort_incomplete_multipart_upload(abort).transitions(move_on).build().unwrap();
    let rules = BucketLifecycleConfiguration::builder().rules(rule).build().unwrap();
    let put = s3.put_bucket_lifecycle_configuration().bucket("lake").lifecycle_configuration(rules);
    let size = TransitionDefaultMinimumObjectSize::VariesByStorageClass;
    put.transition_default_minimum_object_size(size).send().await.unwrap();
}

async fn inventory(s3: &Client) {
    let destination = InventoryS3BucketDestination::builder().bucket("arn:aws:s3:::reports").prefix("inv");
    let destination = destination.account_id("222222222222").format(InventoryFormat::Csv).build().unwrap();
    let configuration = InventoryConfiguration::builder()
        .id("daily")
        .is_enabled(true)
        .included_object_versions(InventoryIncludedObjectVersions::Current)
        .optional_fields(InventoryOptionalField::Size)
        .optional_fields(InventoryOptionalField::ETag)
        .schedule(InventorySchedule::builder().frequency(InventoryFrequency::Daily).build().unwrap())
        .destination(InventoryDestination::builder().s3_bucket_destination(destination).build())
        .build()
        .unwrap();
    let put = s3.put_bucket_inventory_configuration().bucket("lake").id("daily");
    put.inventory_configuration(configuration).send().await.unwrap();
}
