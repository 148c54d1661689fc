//! Jobs that ask for restores.

use std::time::Duration;

use aws_sdk_s3::{primitives::ByteStream, types::StorageClass};
use aws_sdk_s3control::types::{
    JobOperation, JobStatus, S3GlacierJobTier, S3InitiateRestoreObjectOperation as Restore,
};
use levee_twin::{
    faults::FaultPlan,
    s3::ArchiveTier,
    s3control::faults::{RowClass, RowFault},
};
use rstest::rstest;

use super::{ROLE, SOURCE, World, counts};

const MANIFEST: &str = "lake-src,cold\nlake-src,deep\nlake-src,tiered\nlake-src,warm\n";

/// Objects in every kind of archive, and a role that may restore them.
async fn world() -> World {
    let world = World::new().await;
    for (key, class) in [
        ("cold", StorageClass::Glacier),
        ("deep", StorageClass::DeepArchive),
        ("tiered", StorageClass::IntelligentTiering),
        ("warm", StorageClass::Standard),
    ] {
        let put = world.source.put_object().bucket(SOURCE).key(key).body(ByteStream::from_static(b"x"));
        put.storage_class(class).send().await.unwrap();
    }
    assert!(world.twin.s3().archive(SOURCE, "tiered", ArchiveTier::ArchiveAccess));
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{ROLE}"}},
          "Action":["s3:GetObject","s3:RestoreObject"],"Resource":"arn:aws:s3:::{SOURCE}/*"}}]}}"#
    );
    world.source.put_bucket_policy().bucket(SOURCE).policy(policy).send().await.unwrap();
    world
}

/// Runs a restore job over [`MANIFEST`]; the rows of its report in brief, and its counts.
async fn run(world: &World, token: &str, restore: Restore) -> (Vec<(String, u16, String)>, (i64, i64, i64)) {
    let etag = world.put_manifest("m.csv", MANIFEST.as_bytes()).await;
    let job = world.job("m.csv", &etag, false).client_request_token(token);
    let job = job.operation(JobOperation::builder().s3_initiate_restore_object(restore).build());
    let id = world.create(job).await;
    let job = world.finish(&id).await;
    assert_eq!(job.status(), Some(&JobStatus::Complete));
    let rows = world.report(&id).await;
    (rows.into_iter().map(|row| (row.key, row.http_status.unwrap(), row.code)).collect(), counts(&job))
}

fn restore(days: Option<i32>, tier: S3GlacierJobTier) -> Restore {
    Restore::builder().set_expiration_in_days(days).glacier_job_tier(tier).build()
}

fn brief(rows: &[(String, u16, String)]) -> Vec<(&str, u16, &str)> {
    rows.iter().map(|(key, status, code)| (key.as_str(), *status, code.as_str())).collect()
}

#[tokio::test(start_paused = true)]
async fn job_is_complete_when_everything_has_been_asked_for_and_hours_later_it_is_restored() {
    let world = world().await;
    let (rows, counts) = run(&world, "1", restore(Some(3), S3GlacierJobTier::Bulk)).await;
    let expected =
        [("cold", 200, ""), ("deep", 200, ""), ("tiered", 400, "InvalidArgument"), ("warm", 403, "InvalidObjectState")];
    assert_eq!(brief(&rows), expected);
    assert_eq!(counts, (2, 2, 4));
    let head = |key: &'static str| world.source.head_object().bucket(SOURCE).key(key).send();
    assert_eq!(head("cold").await.unwrap().restore(), Some(r#"ongoing-request="true""#));
    tokio::time::sleep(Duration::from_secs(12 * 3600)).await;
    assert!(head("cold").await.unwrap().restore().unwrap().contains("false"));
    assert!(head("deep").await.unwrap().restore().unwrap().contains("true"));
    let (rows, _) = run(&world, "2", restore(None, S3GlacierJobTier::Bulk)).await;
    assert_eq!(brief(&rows)[2], ("tiered", 200, ""));
}

/// Under way is asked for again in vain; restored, it is kept longer.
#[tokio::test(start_paused = true)]
async fn objects_that_are_being_restored_are_rows_that_failed_with_409() {
    let world = world().await;
    run(&world, "1", restore(Some(3), S3GlacierJobTier::Bulk)).await;
    let (rows, _) = run(&world, "2", restore(Some(3), S3GlacierJobTier::Bulk)).await;
    assert_eq!(
        brief(&rows)[..2],
        [("cold", 409, "RestoreAlreadyInProgress"), ("deep", 409, "RestoreAlreadyInProgress")]
    );
    tokio::time::sleep(Duration::from_secs(12 * 3600)).await;
    let (rows, _) = run(&world, "3", restore(Some(9), S3GlacierJobTier::Bulk)).await;
    assert_eq!(brief(&rows)[..2], [("cold", 200, ""), ("deep", 409, "RestoreAlreadyInProgress")]);
}

#[tokio::test(start_paused = true)]
async fn role_that_may_not_restore_is_denied_and_planned_faults_strike_rows_as_in_copies() {
    let world = world().await;
    world.source.delete_bucket_policy().bucket(SOURCE).send().await.unwrap();
    let rows = vec![RowFault::new("cold", RowClass::Throttled)];
    world.twin.set_faults(FaultPlan { rows, ..FaultPlan::default() });
    let (rows, counts) = run(&world, "1", restore(Some(3), S3GlacierJobTier::Standard)).await;
    assert_eq!(brief(&rows)[..2], [("cold", 503, "SlowDown"), ("deep", 403, "AccessDenied")]);
    assert_eq!(counts, (0, 4, 4));
}

#[rstest]
#[case::no_days(Some(0), S3GlacierJobTier::Bulk, "ExpirationInDays")]
#[case::expedited(Some(1), S3GlacierJobTier::from("EXPEDITED"), "GlacierJobTier")]
#[tokio::test(start_paused = true)]
async fn restore_jobs_that_aws_would_not_make_are_refused(
    #[case] days: Option<i32>,
    #[case] tier: S3GlacierJobTier,
    #[case] named: &str,
) {
    let world = World::new().await;
    let etag = world.put_manifest("m.csv", MANIFEST.as_bytes()).await;
    let operation = JobOperation::builder().s3_initiate_restore_object(restore(days, tier)).build();
    let refused = world.job("m.csv", &etag, false).operation(operation).send().await.unwrap_err();
    let text = format!("{refused:?}");
    assert!(text.contains("BadRequestException") && text.contains(named), "{text}");
}
