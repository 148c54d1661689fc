//! Jobs that copy, and what they report.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3control::types::{JobOperation, JobStatus, S3CopyObjectOperation, S3StorageClass, S3Tag};

use super::{REPORTS, SOURCE, TARGET, World, counts, failure_code};

#[tokio::test(start_paused = true)]
async fn a_job_copies_every_object_with_metadata_and_tags_and_reports_each() {
    let world = World::new().await;
    world
        .source
        .put_object()
        .bucket(SOURCE)
        .key("t/date=2026-03-31/a b+c.parquet")
        .metadata("writer", "spark")
        .content_type("application/x-parquet")
        .tagging("class=gold&x=y%20z")
        .body(ByteStream::from_static(b"data"))
        .send()
        .await
        .unwrap();
    world.put("t/_delta_log/00000000000000000000.json", "{}").await;
    let manifest = "lake-src,t/date%3D2026-03-31/a%20b%2Bc.parquet\nlake-src,t/_delta_log/00000000000000000000.json\n";
    let job = world.run_csv(manifest, false).await;
    assert_eq!(job.status(), Some(&JobStatus::Complete));
    assert_eq!(counts(&job), (2, 0, 2));
    assert!(job.termination_date().is_some());
    assert!(job.failure_reasons().is_empty());

    let key = "t/date=2026-03-31/a b+c.parquet";
    let copy = world.backup.get_object().bucket(TARGET).key(key).send().await.unwrap();
    assert_eq!(copy.metadata().unwrap()["writer"], "spark");
    assert_eq!(copy.content_type(), Some("application/x-parquet"));
    assert_eq!(copy.body.collect().await.unwrap().to_vec(), b"data");
    let tags = world.backup.get_object_tagging().bucket(TARGET).key(key).send().await.unwrap();
    let tags: Vec<_> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    assert_eq!(tags, [("class", "gold"), ("x", "y z")]);

    let rows = world.report(job.job_id().unwrap()).await;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.succeeded && row.http_status == Some(200) && row.message == "Successful"));
    assert_eq!(rows[1].raw_key, "t/date%3D2026-03-31/a%20b%2Bc.parquet", "the manifest's own bytes");
    assert_eq!(rows[1].key, key);
    assert_eq!(world.keys(REPORTS).await.len(), 3, "manifest, checksum and one result file");
}

#[tokio::test(start_paused = true)]
async fn failed_tasks_have_the_error_of_s3_and_the_job_is_complete_all_the_same() {
    let world = World::new().await;
    world.put("small", "x").await;
    world.put("large", &"x".repeat(1_001)).await;
    let job = world.run_csv("lake-src,small\nlake-src,large\nlake-src,gone\n", false).await;
    assert_eq!(job.status(), Some(&JobStatus::Complete));
    assert_eq!(counts(&job), (1, 2, 3));
    let rows = world.report(job.job_id().unwrap()).await;
    let brief: Vec<_> = rows.iter().map(|row| (row.key.as_str(), row.http_status, row.code.as_str())).collect();
    let expected = [("gone", Some(404), "NoSuchKey"), ("large", Some(400), "InvalidRequest"), ("small", Some(200), "")];
    assert_eq!(brief, expected);
    let start = "The specified copy source is larger than the maximum allowable size for a copy source: ";
    assert!(rows[1].message.starts_with(start), "{}", rows[1].message);
    assert!(
        rows[1].message.contains("(Service: Amazon S3; Status Code: 400; Error Code: InvalidRequest; Request ID: ")
    );
}

#[tokio::test(start_paused = true)]
async fn versions_are_copied_as_the_manifest_pins_them() {
    let world = World::new().await;
    world.put("old", "before versioning").await;
    let enabled = aws_sdk_s3::types::VersioningConfiguration::builder()
        .status(aws_sdk_s3::types::BucketVersioningStatus::Enabled)
        .build();
    world.source.put_bucket_versioning().bucket(SOURCE).versioning_configuration(enabled).send().await.unwrap();
    world.put("old", "newer").await;
    let put = world.source.put_object().bucket(SOURCE).key("pinned").body(ByteStream::from_static(b"first"));
    let version = put.send().await.unwrap().version_id().unwrap().to_owned();
    world.put("pinned", "second").await;
    let manifest = format!("lake-src,old,null\nlake-src,pinned,{version}\nlake-src,empty,\n");
    let job = world.run_csv(&manifest, true).await;
    assert_eq!(counts(&job), (2, 1, 3));
    assert_eq!(world.read(TARGET, "old").await, b"before versioning");
    assert_eq!(world.read(TARGET, "pinned").await, b"first");
    let rows = world.report(job.job_id().unwrap()).await;
    assert_eq!((rows[0].code.as_str(), rows[0].http_status), ("SrcObjectNotFound", Some(500)));
    assert_eq!(rows[0].message, "Object versionID is invalid");
    assert_eq!(rows[2].version.as_deref(), Some(version.as_str()));
}

#[tokio::test(start_paused = true)]
async fn options_of_the_copy_reach_the_target() {
    let world = World::new().await;
    world.put("a", "x").await;
    let etag = world.put_manifest("m.csv", b"lake-src,a\n").await;
    let copy = S3CopyObjectOperation::builder()
        .target_resource(format!("arn:aws:s3:::{TARGET}"))
        .target_key_prefix("Folder1")
        .storage_class(S3StorageClass::StandardIa)
        .new_object_tagging(S3Tag::builder().key("k").value("v &").build().unwrap())
        .build();
    let request = world.job("m.csv", &etag, false);
    let id = world.create(request.operation(JobOperation::builder().s3_put_object_copy(copy).build())).await;
    assert_eq!(counts(&world.finish(&id).await), (1, 0, 1));
    let head = world.backup.head_object().bucket(TARGET).key("Folder1/a").send().await.unwrap();
    assert_eq!(head.storage_class().unwrap().as_str(), "STANDARD_IA");
    let tags = world.backup.get_object_tagging().bucket(TARGET).key("Folder1/a").send().await.unwrap();
    assert_eq!(tags.tag_set()[0].value(), "v &");
}

#[tokio::test(start_paused = true)]
async fn objects_that_the_role_may_not_read_are_denied_row_by_row() {
    let world = World::new().await;
    world.put("a", "x").await;
    world.source.delete_bucket_policy().bucket(SOURCE).send().await.unwrap();
    let job = world.run_csv("lake-src,a\n", false).await;
    assert_eq!((job.status(), counts(&job)), (Some(&JobStatus::Complete), (0, 1, 1)));
    let rows = world.report(job.job_id().unwrap()).await;
    assert_eq!((rows[0].http_status, rows[0].code.as_str()), (Some(403), "AccessDenied"));
}

#[tokio::test(start_paused = true)]
async fn a_job_fails_once_a_thousand_tasks_ran_and_more_than_half_failed() {
    let world = World::new().await;
    let manifest: String = (0..1_500).map(|number| format!("lake-src,gone-{number}\n")).collect();
    let job = world.run_csv(&manifest, false).await;
    assert_eq!(job.status(), Some(&JobStatus::Failed));
    assert_eq!(failure_code(&job), "FailureThresholdExceeded");
    let (succeeded, failed, total) = counts(&job);
    assert_eq!((succeeded, total), (0, 1_500));
    assert!((1_000..1_100).contains(&failed), "{failed}");
    assert_eq!(i64::try_from(world.report(job.job_id().unwrap()).await.len()).unwrap(), failed);
}

#[tokio::test(start_paused = true)]
async fn below_a_thousand_tasks_a_job_without_one_success_is_complete() {
    let world = World::new().await;
    let manifest: String = (0..999).map(|number| format!("lake-src,gone-{number}\n")).collect();
    let job = world.run_csv(&manifest, false).await;
    assert_eq!((job.status(), counts(&job)), (Some(&JobStatus::Complete), (0, 999, 999)));
}

#[tokio::test(start_paused = true)]
async fn an_empty_manifest_is_complete_and_has_no_report() {
    let world = World::new().await;
    let job = world.run_csv("", false).await;
    assert_eq!((job.status(), counts(&job)), (Some(&JobStatus::Complete), (0, 0, 0)));
    assert_eq!(world.keys(REPORTS).await, Vec::<String>::new());
}
