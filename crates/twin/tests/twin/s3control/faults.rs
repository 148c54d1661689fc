//! Planned faults of jobs.

use aws_sdk_s3control::types::{JobStatus, RequestedJobStatus};
use levee_twin::s3control::faults::{
    JobFault, JobFaultKind, JobFaults, ReportFault, ReportFaultKind, RowClass, RowFault,
};

use super::{REPORTS, TARGET, World, counts, failure_code};
use crate::twin::common::BACKUP;

async fn world(plan: JobFaults) -> World {
    let world = World::new().await;
    for key in ["a/1", "a/2", "b/1"] {
        world.put(key, "x").await;
    }
    world.twin.jobs().set_faults(plan);
    world
}

const MANIFEST: &str = "lake-src,a/1\nlake-src,a/2\nlake-src,b/1\n";

fn report(kind: ReportFaultKind) -> JobFaults {
    JobFaults { reports: vec![ReportFault { kind, first_jobs: None }], ..JobFaults::default() }
}

fn job(kind: JobFaultKind, after_tasks: u64) -> JobFaults {
    JobFaults { jobs: vec![JobFault { kind, after_tasks, first_jobs: Some(1) }], ..JobFaults::default() }
}

#[rstest::rstest]
#[case(RowClass::Denied, 403, "AccessDenied")]
#[case(RowClass::Vanished, 404, "NoSuchKey")]
#[case(RowClass::TooLarge, 400, "InvalidRequest")]
#[case(RowClass::Archived, 403, "InvalidObjectState")]
#[case(RowClass::Kms, 400, "KMS.DisabledException")]
#[case(RowClass::Throttled, 503, "SlowDown")]
#[case(RowClass::Internal, 500, "InternalError")]
#[case(RowClass::ErrorWith200, 200, "InternalError")]
#[tokio::test(start_paused = true)]
async fn planned_rows_fail_in_the_first_job_and_not_in_the_second(
    #[case] class: RowClass,
    #[case] http_status: u16,
    #[case] code: &str,
) {
    let row = RowFault { keys: "a/*".to_owned(), class, first_jobs: Some(1) };
    let world = world(JobFaults { rows: vec![row], ..JobFaults::default() }).await;
    let first = world.run_csv(MANIFEST, false).await;
    assert_eq!(counts(&first), (1, 2, 3));
    let rows = world.report(first.job_id().unwrap()).await;
    let failed: Vec<_> =
        rows.iter().filter(|row| !row.succeeded).map(|row| (row.http_status, row.code.as_str())).collect();
    assert_eq!(failed, [(Some(http_status), code); 2]);
    assert_eq!(world.keys(TARGET).await, ["b/1"]);
    let etag = world.put_manifest("m.csv", MANIFEST.as_bytes()).await;
    let second = world.create(world.job("m.csv", &etag, false).client_request_token("2")).await;
    assert_eq!(counts(&world.finish(&second).await), (3, 0, 3));
}

#[tokio::test(start_paused = true)]
async fn a_job_fails_as_planned_after_so_many_tasks() {
    let kind = JobFaultKind::Fails { code: "InternalError".to_owned(), reason: "planned".to_owned() };
    let world = world(job(kind, 2)).await;
    let ended = world.run_csv(MANIFEST, false).await;
    assert_eq!(
        (ended.status(), failure_code(&ended), counts(&ended)),
        (Some(&JobStatus::Failed), "InternalError", (2, 0, 3))
    );
}

#[tokio::test(start_paused = true)]
async fn a_stalled_job_stays_active_until_the_plan_changes() {
    let world = world(job(JobFaultKind::Stalls, 1)).await;
    let etag = world.put_manifest("m.csv", MANIFEST.as_bytes()).await;
    let id = world.create(world.job("m.csv", &etag, false)).await;
    tokio::time::sleep(std::time::Duration::from_secs(24 * 3600)).await;
    let stalled = world.describe(&id).await;
    assert_eq!((stalled.status(), counts(&stalled)), (Some(&JobStatus::Active), (1, 0, 3)));
    world.twin.jobs().set_faults(JobFaults::default());
    assert_eq!(counts(&world.finish(&id).await), (3, 0, 3));
}

#[tokio::test(start_paused = true)]
async fn a_job_is_suspended_as_planned_and_runs_when_confirmed() {
    let world = world(job(JobFaultKind::Suspended, 0)).await;
    let etag = world.put_manifest("m.csv", MANIFEST.as_bytes()).await;
    let id = world.create(world.job("m.csv", &etag, false)).await;
    world.reach(&id, JobStatus::Suspended).await;
    let confirm = world.control.update_job_status().account_id(BACKUP).job_id(&id);
    confirm.requested_job_status(RequestedJobStatus::Ready).send().await.unwrap();
    assert_eq!(counts(&world.finish(&id).await), (3, 0, 3));
}

#[tokio::test(start_paused = true)]
async fn a_missing_report_leaves_nothing() {
    let world = world(report(ReportFaultKind::Missing)).await;
    assert_eq!(world.run_csv(MANIFEST, false).await.status(), Some(&JobStatus::Complete));
    assert!(world.keys(REPORTS).await.is_empty());
}

#[rstest::rstest]
#[case(ReportFaultKind::PartMissing, 2)]
#[case(ReportFaultKind::BadRow, 3)]
#[case(ReportFaultKind::ChecksumWrong, 3)]
#[tokio::test(start_paused = true)]
async fn a_spoiled_report_is_not_a_whole_one(#[case] kind: ReportFaultKind, #[case] objects: usize) {
    let world = world(report(kind)).await;
    let ended = world.run_csv(MANIFEST, false).await;
    assert_eq!(world.keys(REPORTS).await.len(), objects);
    let id = ended.job_id().unwrap().to_owned();
    // The reader of these tests insists on whole reports.
    assert!(tokio::spawn(async move { world.report(&id).await }).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_row_is_missing_although_every_checksum_agrees() {
    let world = world(report(ReportFaultKind::RowDropped)).await;
    let ended = world.run_csv(MANIFEST, false).await;
    assert_eq!(counts(&ended), (3, 0, 3));
    assert_eq!(world.report(ended.job_id().unwrap()).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_report_comes_after_the_job_is_complete() {
    let world = world(report(ReportFaultKind::Late { seconds: 3_600 })).await;
    let ended = world.run_csv(MANIFEST, false).await;
    assert!(world.keys(REPORTS).await.is_empty());
    tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
    assert_eq!(world.report(ended.job_id().unwrap()).await.len(), 3);
}
