//! Which manifests a job takes, and how it fails on the others.

use aws_sdk_s3::{primitives::ByteStream, types::ServerSideEncryption};
use aws_sdk_s3control::types::{JobDescriptor, JobStatus};
use levee_formats::inventory::{DataFile, DataWriter, FileFormat, Manifest, ManifestError, Record, Schema};

use super::{MANIFESTS, REPORTS, SOURCE, TARGET, World, counts, failure_code};

#[rstest::rstest]
#[case::byte_order_mark("\u{feff}lake-src,a\n", false)]
#[case::blank_line("lake-src,a\n\nlake-src,b\n", false)]
#[case::too_few_columns("lake-src,a\n", true)]
#[case::too_many_columns("lake-src,a,v\n", false)]
#[case::two_buckets("lake-src,a\nother,a\n", false)]
#[case::broken_escape("lake-src,a%zz\n", false)]
#[case::not_utf8_once_decoded("lake-src,a%ff\n", false)]
#[tokio::test(start_paused = true)]
async fn a_manifest_that_breaks_a_rule_fails_the_job_before_its_first_task(#[case] body: &str, #[case] versions: bool) {
    let world = World::new().await;
    world.put("a", "x").await;
    let job = world.run_csv(body, versions).await;
    assert_eq!((job.status(), failure_code(&job)), (Some(&JobStatus::Failed), "InvalidManifestContent"));
    assert!(job.progress_summary().is_none(), "unknown is not zero");
    assert!(world.keys(TARGET).await.is_empty() && world.keys(REPORTS).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_manifest_with_another_etag_than_the_pinned_one_fails_the_job() {
    let world = World::new().await;
    world.put_manifest("m.csv", b"lake-src,a\n").await;
    let id = world.create(world.job("m.csv", "60e460c9d1046e73f7dde5043ac3ae85", false)).await;
    let job = world.finish(&id).await;
    assert_eq!((job.status(), failure_code(&job)), (Some(&JobStatus::Failed), "PreconditionFailed"));
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_is_not_there_fails_the_job() {
    let world = World::new().await;
    let id = world.create(world.job("none.csv", "x", false)).await;
    let job = world.finish(&id).await;
    assert_eq!((job.status(), failure_code(&job)), (Some(&JobStatus::Failed), "NoSuchKey"));
}

#[tokio::test(start_paused = true)]
async fn a_csv_manifest_under_kms_fails_the_job() {
    let world = World::new().await;
    let put = world.backup.put_object().bucket(MANIFESTS).key("m.csv").body(ByteStream::from_static(b"lake-src,a\n"));
    let put = put.server_side_encryption(ServerSideEncryption::AwsKms).send().await.unwrap();
    let etag = put.e_tag().unwrap().trim_matches('"').to_owned();
    let job = world.finish(&world.create(world.job("m.csv", &etag, false)).await).await;
    assert_eq!(failure_code(&job), "InvalidManifestContent");
}

/// How a data file is written.
type Make = fn(Vec<u8>, &Schema) -> Result<DataWriter<Vec<u8>>, ManifestError>;

/// Puts an inventory of one row in each data file and runs a job on it.
async fn run_inventory(world: &World, make: Make, schema: &str, records: &[Record<'_>]) -> JobDescriptor {
    let schema = Schema::parse(schema).unwrap();
    let mut files = Vec::new();
    for (number, record) in records.iter().enumerate() {
        let mut writer = make(Vec::new(), &schema).unwrap();
        writer.row(record).unwrap();
        let written = writer.finish().unwrap();
        let name = format!("elsewhere/{number}.csv.gz");
        world.put_manifest(&name, &written.writer).await;
        // S3 does not check these checksums, so neither does the twin.
        files.push(DataFile { key: name, size: written.size, md5: "0".repeat(32) });
    }
    let manifest = Manifest {
        source_bucket: SOURCE.to_owned(),
        destination_bucket: MANIFESTS.to_owned(),
        version: "2016-11-30".to_owned(),
        created: "2026-04-02T01:00:00Z".parse().unwrap(),
        format: FileFormat::Csv,
        schema,
        files,
    };
    let etag = world.put_manifest("inv/manifest.json", &manifest.to_json()).await;
    world.finish(&world.create(world.inventory_job("inv/manifest.json", &etag)).await).await
}

#[tokio::test(start_paused = true)]
async fn an_inventory_is_read_through_the_keys_that_its_manifest_names() {
    let world = World::new().await;
    let keys = ["a b", "date=1/x+y", "ä"];
    let record = |key: &'static str| Record { bucket: SOURCE, key: key.as_bytes(), size: Some(1), ..Record::default() };
    for key in keys {
        world.put(key, "x").await;
    }
    let job = run_inventory(&world, DataWriter::inventory, "Bucket, Key, Size", &keys.map(record)).await;
    assert_eq!((job.status(), counts(&job)), (Some(&JobStatus::Complete), (3, 0, 3)));
    assert_eq!(world.keys(TARGET).await, keys);
    let raw: Vec<_> = world.report(job.job_id().unwrap()).await.into_iter().map(|row| row.raw_key).collect();
    assert_eq!(raw, ["a+b", "date%3D1/x%2By", "%C3%A4"], "keys are echoed as the inventory has them");
}

#[tokio::test(start_paused = true)]
async fn an_inventory_of_all_versions_fails_the_tasks_of_null_versions() {
    let world = World::new().await;
    world.put("before versioning", "x").await;
    let record = Record { bucket: SOURCE, key: b"before versioning", is_latest: true, ..Record::default() };
    let schema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker";
    let job = run_inventory(&world, DataWriter::inventory, schema, &[record]).await;
    assert_eq!((job.status(), counts(&job)), (Some(&JobStatus::Complete), (0, 1, 1)));
    let rows = world.report(job.job_id().unwrap()).await;
    assert_eq!((rows[0].http_status, rows[0].code.as_str()), (Some(500), "SrcObjectNotFound"));
}

#[tokio::test(start_paused = true)]
async fn an_inventory_that_was_made_for_jobs_names_the_null_version() {
    let world = World::new().await;
    world.put("before versioning", "x").await;
    let record = Record { bucket: SOURCE, key: b"before versioning", is_latest: true, ..Record::default() };
    let schema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker";
    let job = run_inventory(&world, DataWriter::batch_manifest, schema, &[record]).await;
    assert_eq!((job.status(), counts(&job)), (Some(&JobStatus::Complete), (1, 0, 1)));
}
