//! S3 Inventory through the SDK's clients, from the configuration to the batch job that reads the report.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{
        BucketVersioningStatus, InventoryConfiguration, InventoryDestination, InventoryFilter, InventoryFormat,
        InventoryFrequency, InventoryIncludedObjectVersions, InventoryOptionalField, InventoryS3BucketDestination,
        InventorySchedule, ServerSideEncryption, StorageClass, VersioningConfiguration,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use levee_formats::inventory::{Column, DataReader, Manifest, Row, RowError};
use levee_twin::{
    Fact, FaultPlan, Twin,
    faults::{InventoryFault, InventoryFaultKind, When},
    inventory::{InventoryError, InventoryOptions},
    s3::ArchiveTier,
    service::Principal,
};
use md5::{Digest, Md5};

use super::common::{BACKUP, WAREHOUSE, builder};

const SOURCE: &str = "lake-src";
const DESTINATION: &str = "backup-manifests";

struct World {
    twin: Twin,
    source: Client,
    backup: Client,
}

/// One row: key, version as the file has it, latest, marker, size.
type Brief = (String, Option<String>, Option<bool>, Option<bool>, Option<u64>);

impl World {
    async fn new() -> Self {
        let options = InventoryOptions { rows_per_file: 2, ..InventoryOptions::default() };
        let twin = builder().inventories(options).build();
        let source = Client::new(&twin.sdk_config(WAREHOUSE, &Principal::Root));
        let backup = Client::new(&twin.sdk_config(BACKUP, &Principal::Root));
        source.create_bucket().bucket(SOURCE).send().await.unwrap();
        backup.create_bucket().bucket(DESTINATION).send().await.unwrap();
        let world = Self { twin, source, backup };
        world.allow_delivery().await;
        world
    }

    async fn allow_delivery(&self) {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"InventoryDelivery","Effect":"Allow",
              "Principal":{{"Service":"s3.amazonaws.com"}},"Action":"s3:PutObject",
              "Resource":"arn:aws:s3:::{DESTINATION}/*",
              "Condition":{{"ArnLike":{{"aws:SourceArn":"arn:aws:s3:::{SOURCE}"}},
               "StringEquals":{{"aws:SourceAccount":"{WAREHOUSE}","s3:x-amz-acl":"bucket-owner-full-control"}}}}}}]}}"#
        );
        self.backup.put_bucket_policy().bucket(DESTINATION).policy(policy).send().await.unwrap();
    }

    async fn put(&self, key: &str) {
        let body = ByteStream::from(key.as_bytes().to_vec());
        self.source.put_object().bucket(SOURCE).key(key).body(body).send().await.unwrap();
    }

    async fn configure(&self, change: impl FnOnce(Configuration) -> Configuration) {
        let Configuration { versions, frequency, prefix, owner, fields, enabled } = change(Configuration::default());
        let target = InventoryS3BucketDestination::builder()
            .account_id(owner)
            .bucket(format!("arn:aws:s3:::{DESTINATION}"))
            .format(InventoryFormat::Csv)
            .prefix("inv")
            .build()
            .unwrap();
        let filter = prefix.map(|prefix| InventoryFilter::builder().prefix(prefix).build().unwrap());
        let configuration = InventoryConfiguration::builder()
            .id("daily")
            .is_enabled(enabled)
            .included_object_versions(versions)
            .schedule(InventorySchedule::builder().frequency(frequency).build().unwrap())
            .destination(InventoryDestination::builder().s3_bucket_destination(target).build())
            .set_filter(filter)
            .set_optional_fields(Some(fields))
            .build()
            .unwrap();
        let put = self.source.put_bucket_inventory_configuration().bucket(SOURCE).id("daily");
        put.inventory_configuration(configuration).send().await.unwrap();
    }

    async fn keys(&self) -> Vec<String> {
        let page = self.backup.list_objects_v2().bucket(DESTINATION).send().await.unwrap();
        page.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    async fn read(&self, key: &str) -> Vec<u8> {
        let object = self.backup.get_object().bucket(DESTINATION).key(key).send().await.unwrap();
        object.body.collect().await.unwrap().to_vec()
    }

    async fn manifest(&self, stamp: &str) -> Manifest {
        let folder = format!("inv/{SOURCE}/daily/{stamp}");
        let manifest = self.read(&format!("{folder}/manifest.json")).await;
        let checksum = self.read(&format!("{folder}/manifest.checksum")).await;
        Manifest::verify_checksum(&manifest, &checksum).unwrap();
        Manifest::parse(&manifest).unwrap()
    }

    /// Some columns of a report, by key.
    async fn columns(&self, stamp: &str, columns: &[Column]) -> BTreeMap<String, Vec<String>> {
        let manifest = self.manifest(stamp).await;
        let mut found = BTreeMap::new();
        for file in &manifest.files {
            let body = self.read(&file.key).await;
            let mut sink = |row: Result<Row<'_>, RowError<'_>>| {
                let row = row.unwrap();
                let text = |column| row.text(column).map(|text| text.to_string()).unwrap_or_default();
                found.insert(row.key.to_string(), columns.iter().map(text).collect());
            };
            let mut reader = DataReader::new(&file.key, &manifest.schema, SOURCE).unwrap();
            reader.push(&body, &mut sink).unwrap();
            reader.finish(&mut sink).unwrap();
        }
        found
    }

    /// The rows of a report in order of key and version, after every checksum has been checked.
    async fn rows(&self, stamp: &str) -> Vec<Brief> {
        let manifest = self.manifest(stamp).await;
        let mut rows = Vec::new();
        for file in &manifest.files {
            let body = self.read(&file.key).await;
            let mut sink = |row: Result<Row<'_>, RowError<'_>>| {
                let row = row.unwrap();
                let version = row.text(&Column::VersionId).map(|id| id.to_string());
                rows.push((row.key.to_string(), version, row.is_latest, row.is_delete_marker, row.size));
            };
            let mut reader = DataReader::new(&file.key, &manifest.schema, SOURCE).unwrap();
            reader.push(&body, &mut sink).unwrap();
            let totals = reader.finish(&mut sink).unwrap();
            assert_eq!((totals.compressed_bytes, &totals.md5), (file.size, &file.md5));
        }
        rows.sort();
        rows
    }

    async fn row_keys(&self, stamp: &str) -> Vec<String> {
        self.rows(stamp).await.into_iter().map(|row| row.0).collect()
    }
}

struct Configuration {
    versions: InventoryIncludedObjectVersions,
    frequency: InventoryFrequency,
    prefix: Option<&'static str>,
    owner: &'static str,
    fields: Vec<InventoryOptionalField>,
    enabled: bool,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            versions: InventoryIncludedObjectVersions::Current,
            frequency: InventoryFrequency::Daily,
            prefix: None,
            owner: BACKUP,
            fields: vec![InventoryOptionalField::Size, InventoryOptionalField::ETag],
            enabled: true,
        }
    }
}

fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

#[tokio::test(start_paused = true)]
async fn a_daily_report_is_scanned_at_one_and_delivered_after_the_lag() {
    let world = World::new().await;
    for key in ["a b", "date=1/x+y", "ä"] {
        world.put(key).await;
    }
    world.configure(|configuration| configuration).await;
    tokio::time::sleep(hours(2)).await;
    world.put("after the scan").await;
    tokio::time::sleep(hours(18)).await;
    assert!(world.keys().await.is_empty(), "at 20:00 nothing is delivered yet");
    tokio::time::sleep(hours(2)).await;
    let manifest = world.manifest("2026-04-02T01-00Z").await;
    assert_eq!(manifest.created.to_string(), "2026-04-02T01:00:00Z");
    assert_eq!(manifest.schema.as_str(), "Bucket, Key, Size, ETag");
    assert_eq!(manifest.files.len(), 2, "two rows in a file");
    assert!(manifest.files.iter().all(|file| file.key.starts_with("inv/lake-src/daily/data/")));
    assert_eq!(world.row_keys("2026-04-02T01-00Z").await, ["a b", "date=1/x+y", "ä"]);
    let symlink = world.read("inv/lake-src/daily/hive/dt=2026-04-02-01-00/symlink.txt").await;
    let expected: String = manifest.files.iter().map(|file| format!("s3://{DESTINATION}/{}\n", file.key)).collect();
    assert_eq!(String::from_utf8(symlink).unwrap(), expected);
    tokio::time::sleep(hours(24)).await;
    assert_eq!(world.rows("2026-04-03T01-00Z").await.len(), 4, "the next day's report follows");
}

#[tokio::test(start_paused = true)]
async fn a_weekly_report_comes_first_soon_and_then_on_sundays() {
    let world = World::new().await;
    world.configure(|base| Configuration { frequency: InventoryFrequency::Weekly, ..base }).await;
    tokio::time::sleep(hours(24 * 12)).await;
    let scans: Vec<String> = world.twin.inventory().deliveries().iter().map(|one| one.scan.to_string()).collect();
    assert_eq!(scans, ["2026-04-02T01:00:00Z", "2026-04-05T01:00:00Z", "2026-04-12T01:00:00Z"]);
}

#[tokio::test(start_paused = true)]
async fn a_disabled_or_deleted_configuration_makes_no_report() {
    let world = World::new().await;
    world.configure(|base| Configuration { enabled: false, ..base }).await;
    tokio::time::sleep(hours(72)).await;
    world.configure(|base| base).await;
    world.source.delete_bucket_inventory_configuration().bucket(SOURCE).id("daily").send().await.unwrap();
    tokio::time::sleep(hours(72)).await;
    assert_eq!(world.twin.inventory().deliveries(), []);
}

#[tokio::test(start_paused = true)]
async fn all_versions_have_their_columns_and_the_field_of_the_null_version_is_empty() {
    let world = World::new().await;
    world.put("old").await;
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    world.source.put_bucket_versioning().bucket(SOURCE).versioning_configuration(enabled).send().await.unwrap();
    world.put("new").await;
    world.source.delete_object().bucket(SOURCE).key("old").send().await.unwrap();
    world.configure(|base| Configuration { versions: InventoryIncludedObjectVersions::All, ..base }).await;
    let scan = "2026-04-02T01:00:00Z".parse().unwrap();
    world.twin.inventory().deliver_now(SOURCE, "daily", scan).await.unwrap();
    let schema = world.manifest("2026-04-02T01-00Z").await.schema;
    assert_eq!(schema.as_str(), "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag");
    let rows = world.rows("2026-04-02T01-00Z").await;
    let brief: Vec<_> = rows.iter().map(|row| (row.0.as_str(), row.2, row.3, row.4)).collect();
    assert_eq!(rows.len(), 3);
    assert!(brief.contains(&("new", Some(true), Some(false), Some(3))));
    assert!(brief.contains(&("old", Some(true), Some(true), None)));
    assert!(brief.contains(&("old", Some(false), Some(false), Some(3))));
    let delivered: Vec<_> =
        world.twin.calls().into_iter().filter(|call| call.principal == "s3.amazonaws.com").collect();
    let facts = [
        Fact::new("aws:SourceArn", format!("arn:aws:s3:::{SOURCE}")),
        Fact::new("aws:SourceAccount", WAREHOUSE),
        Fact::new("s3:x-amz-acl", "bucket-owner-full-control"),
    ];
    assert!(!delivered.is_empty() && delivered.iter().all(|call| call.facts == facts), "{delivered:?}");
    let null = rows.iter().find(|row| row.2 == Some(false)).unwrap();
    assert_eq!(null.1, None, "the field is empty, not the word null");
}

#[tokio::test(start_paused = true)]
async fn an_empty_bucket_has_a_manifest_without_files() {
    let world = World::new().await;
    world.configure(|base| base).await;
    world.twin.inventory().deliver_now(SOURCE, "daily", "2026-04-02T01:00:00Z".parse().unwrap()).await.unwrap();
    assert!(world.manifest("2026-04-02T01-00Z").await.files.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_prefix_filters_and_every_optional_field_has_its_column() {
    let world = World::new().await;
    world.put("t/a").await;
    world.put("u/a").await;
    use InventoryOptionalField as Field;
    let fields = vec![
        Field::Size,
        Field::LastModifiedDate,
        Field::StorageClass,
        Field::ETag,
        Field::IsMultipartUploaded,
        Field::ReplicationStatus,
        Field::EncryptionStatus,
        Field::ObjectLockRetainUntilDate,
        Field::ObjectLockMode,
        Field::ObjectLockLegalHoldStatus,
        Field::IntelligentTieringAccessTier,
        Field::BucketKeyStatus,
        Field::ChecksumAlgorithm,
        Field::ObjectAccessControlList,
        Field::ObjectOwner,
    ];
    world.configure(|base| Configuration { prefix: Some("t/"), fields, ..base }).await;
    world.twin.inventory().deliver_now(SOURCE, "daily", "2026-04-02T01:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!(world.row_keys("2026-04-02T01-00Z").await, ["t/a"]);
    assert_eq!(world.manifest("2026-04-02T01-00Z").await.schema.columns().len(), 17);
}

#[tokio::test(start_paused = true)]
async fn columns_tell_encryption_class_tier_and_true_length() {
    let world = World::new().await;
    let put = |key: &'static str| world.source.put_object().bucket(SOURCE).key(key);
    put("plain").send().await.unwrap();
    put("kms").server_side_encryption(ServerSideEncryption::AwsKms).send().await.unwrap();
    let key = [7; 32];
    let md5 = STANDARD.encode(Md5::digest(key));
    let secret = put("secret").sse_customer_algorithm("AES256").sse_customer_key(STANDARD.encode(key));
    secret.sse_customer_key_md5(md5).send().await.unwrap();
    put("cold").storage_class(StorageClass::Glacier).send().await.unwrap();
    put("tiered").storage_class(StorageClass::IntelligentTiering).send().await.unwrap();
    assert!(world.twin.s3().archive(SOURCE, "tiered", ArchiveTier::DeepArchiveAccess));
    let sparse = put("sparse").customize().mutate_request(|request| {
        request.headers_mut().insert("x-levee-twin-sparse-length", "60000000000");
    });
    sparse.send().await.unwrap();
    use InventoryOptionalField as Field;
    let fields = vec![Field::Size, Field::StorageClass, Field::EncryptionStatus, Field::IntelligentTieringAccessTier];
    world.configure(|base| Configuration { fields, ..base }).await;
    world.twin.inventory().deliver_now(SOURCE, "daily", "2026-04-02T01:00:00Z".parse().unwrap()).await.unwrap();
    let columns = [Column::Size, Column::StorageClass, Column::EncryptionStatus, Column::IntelligentTieringAccessTier];
    let found = world.columns("2026-04-02T01-00Z", &columns).await;
    let expected = [
        ("cold", ["0", "GLACIER", "SSE-S3", ""]),
        ("kms", ["0", "STANDARD", "SSE-KMS", ""]),
        ("plain", ["0", "STANDARD", "SSE-S3", ""]),
        ("secret", ["0", "STANDARD", "SSE-C", ""]),
        ("sparse", ["60000000000", "STANDARD", "SSE-S3", ""]),
        ("tiered", ["0", "INTELLIGENT_TIERING", "SSE-S3", "DEEP_ARCHIVE"]),
    ];
    let expected = expected.map(|(key, row)| (key.to_owned(), row.map(str::to_owned).to_vec()));
    assert_eq!(found, BTreeMap::from(expected));
}

#[tokio::test(start_paused = true)]
async fn a_destination_without_the_policy_gets_nothing_and_says_nothing() {
    let world = World::new().await;
    world.put("a").await;
    world.backup.delete_bucket_policy().bucket(DESTINATION).send().await.unwrap();
    world.configure(|base| base).await;
    tokio::time::sleep(hours(30)).await;
    assert!(world.keys().await.is_empty());
    let deliveries = world.twin.inventory().deliveries();
    let why = deliveries[0].result.as_ref().unwrap_err();
    assert!(matches!(why, InventoryError::Delivery { why, .. } if why.contains("AccessDenied")), "{why}");
    world.allow_delivery().await;
    tokio::time::sleep(hours(24)).await;
    assert_eq!(world.row_keys("2026-04-03T01-00Z").await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_destination_of_another_owner_than_the_named_one_gets_nothing() {
    let world = World::new().await;
    world.configure(|base| Configuration { owner: "333333333333", ..base }).await;
    let scan = "2026-04-02T01:00:00Z".parse().unwrap();
    let error = world.twin.inventory().deliver_now(SOURCE, "daily", scan).await.unwrap_err();
    assert!(matches!(error, InventoryError::Delivery { .. }), "{error}");
    assert!(world.keys().await.is_empty());
}

async fn with_fault(kind: InventoryFaultKind) -> World {
    let world = World::new().await;
    for key in ["a", "b", "c"] {
        world.put(key).await;
    }
    world.configure(|base| base).await;
    let other = InventoryFault { bucket: Some("another-*".to_owned()), ..InventoryFault::new(kind.clone()) };
    let first = InventoryFault { bucket: Some("lake-*".to_owned()), when: When::First(1), ..InventoryFault::new(kind) };
    world.twin.set_faults(FaultPlan::from(other).and(first.into()));
    world
}

#[rstest::rstest]
#[case(InventoryFaultKind::ChecksumMissing)]
#[case(InventoryFaultKind::ChecksumWrong)]
#[case(InventoryFaultKind::DataFileMissing)]
#[case(InventoryFaultKind::DataFileCorrupt)]
#[case(InventoryFaultKind::DataFileTruncated)]
#[case(InventoryFaultKind::Missing)]
#[tokio::test(start_paused = true)]
async fn a_spoiled_report_does_not_read_and_the_next_one_does(#[case] kind: InventoryFaultKind) {
    let world = with_fault(kind).await;
    tokio::time::sleep(hours(48)).await;
    assert_eq!(world.row_keys("2026-04-03T01-00Z").await, ["a", "b", "c"]);
    let spoiled = tokio::spawn(async move { world.rows("2026-04-02T01-00Z").await });
    assert!(spoiled.await.is_err(), "the reader of these tests insists on whole reports");
}

#[tokio::test(start_paused = true)]
async fn a_late_report_is_delivered_late_with_the_stamp_of_its_scan() {
    let world = with_fault(InventoryFaultKind::Late { seconds: 3 * 3600 }).await;
    tokio::time::sleep(hours(23)).await;
    assert!(world.keys().await.is_empty());
    tokio::time::sleep(hours(2)).await;
    assert_eq!(world.rows("2026-04-02T01-00Z").await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn listings_are_inconsistent_as_planned() {
    let world = with_fault(InventoryFaultKind::DeletedListed { keys: vec!["gone".to_owned()] }).await;
    tokio::time::sleep(hours(22)).await;
    assert_eq!(world.row_keys("2026-04-02T01-00Z").await, ["a", "b", "c", "gone"]);
    world.put("late").await;
    let recent = InventoryFaultKind::RecentMissing { seconds: 18 * 3600 };
    world.twin.set_faults(InventoryFault::new(recent).into());
    tokio::time::sleep(hours(24)).await;
    assert_eq!(world.row_keys("2026-04-03T01-00Z").await, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn an_overwritten_report_has_what_the_bucket_holds_by_then_under_the_same_stamp() {
    let world = with_fault(InventoryFaultKind::Overwritten { seconds: 3600 }).await;
    let half = Duration::from_secs(1800);
    tokio::time::sleep(hours(21) + half).await;
    let first = world.manifest("2026-04-02T01-00Z").await;
    world.put("later").await;
    assert_eq!(world.row_keys("2026-04-02T01-00Z").await, ["a", "b", "c"]);
    tokio::time::sleep(hours(1)).await;
    let second = world.manifest("2026-04-02T01-00Z").await;
    assert_eq!(world.row_keys("2026-04-02T01-00Z").await, ["a", "b", "c", "later"]);
    assert_eq!(second.created, first.created);
    let keys = world.keys().await;
    for file in first.files.iter().chain(&second.files) {
        assert!(keys.contains(&file.key), "{} is gone", file.key);
    }
    assert_eq!(world.twin.struck()["inventories[1]"], 1);
}
