//! Planned faults of jobs.

use aws_sdk_s3control::types::{JobStatus, RequestedJobStatus};
use levee_twin::{
    FaultPlan,
    faults::{
        JobFault, JobFaultKind, ObjectFault, ObjectFaultKind, ReportFault, ReportFaultKind, RowClass, RowFault, When,
    },
};

use super::{REPORTS, TARGET, World, counts, failure_code};
use crate::twin::common::{BACKUP, WAREHOUSE};

async fn world(plan: impl Into<FaultPlan>) -> World {
    let world = World::new().await;
    for key in ["a/1", "a/2", "b/1"] {
        world.put(key, "x").await;
    }
    world.twin.set_faults(plan.into());
    world
}

const MANIFEST: &str = "lake-src,a/1\nlake-src,a/2\nlake-src,b/1\n";

fn job(kind: JobFaultKind, after_tasks: u64) -> JobFault {
    JobFault { after_tasks, when: When::First(1), ..JobFault::new(kind) }
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
    let world = world(RowFault { when: When::First(1), ..RowFault::new("a/*", class) }).await;
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
    world.twin.set_faults(FaultPlan::default());
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
    let world = world(ReportFault::new(ReportFaultKind::Missing)).await;
    assert_eq!(world.run_csv(MANIFEST, false).await.status(), Some(&JobStatus::Complete));
    assert!(world.keys(REPORTS).await.is_empty());
}

#[rstest::rstest]
#[case(ReportFaultKind::PartMissing, 2)]
#[case(ReportFaultKind::BadRow, 3)]
#[case(ReportFaultKind::ChecksumWrong, 3)]
#[tokio::test(start_paused = true)]
async fn a_spoiled_report_is_not_a_whole_one(#[case] kind: ReportFaultKind, #[case] objects: usize) {
    let world = world(ReportFault::new(kind)).await;
    let ended = world.run_csv(MANIFEST, false).await;
    assert_eq!(world.keys(REPORTS).await.len(), objects);
    let id = ended.job_id().unwrap().to_owned();
    // The reader of these tests insists on whole reports.
    assert!(tokio::spawn(async move { world.report(&id).await }).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_row_is_missing_although_every_checksum_agrees() {
    let world = world(ReportFault::new(ReportFaultKind::RowDropped)).await;
    let ended = world.run_csv(MANIFEST, false).await;
    assert_eq!(counts(&ended), (3, 0, 3));
    assert_eq!(world.report(ended.job_id().unwrap()).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_report_comes_after_the_job_is_complete() {
    let world = world(ReportFault::new(ReportFaultKind::Late { seconds: 3_600 })).await;
    let ended = world.run_csv(MANIFEST, false).await;
    assert!(world.keys(REPORTS).await.is_empty());
    tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
    assert_eq!(world.report(ended.job_id().unwrap()).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_duplicated_row_stands_twice_although_every_checksum_agrees() {
    let world = world(ReportFault::new(ReportFaultKind::RowDuplicated)).await;
    let ended = world.run_csv(MANIFEST, false).await;
    assert_eq!(counts(&ended), (3, 0, 3));
    let rows = world.report(ended.job_id().unwrap()).await;
    assert_eq!(rows.iter().filter(|row| row.key == "b/1").count(), 2);
    assert_eq!(rows.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_paused_job_is_paused_once_for_its_time_and_then_goes_on() {
    let world = world(job(JobFaultKind::Paused { seconds: 3_600 }, 2)).await;
    let etag = world.put_manifest("m.csv", MANIFEST.as_bytes()).await;
    let id = world.create(world.job("m.csv", &etag, false)).await;
    let paused = world.reach(&id, JobStatus::Paused).await;
    assert_eq!(counts(&paused), (2, 0, 3));
    tokio::time::sleep(std::time::Duration::from_secs(3_500)).await;
    assert_eq!(world.describe(&id).await.status(), Some(&JobStatus::Paused));
    assert_eq!(counts(&world.finish(&id).await), (3, 0, 3));
    assert_eq!(world.twin.struck()["jobs[0]"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_job_takes_its_time_for_each_task() {
    let world = world(job(JobFaultKind::Slow { seconds_per_task: 600 }, 0)).await;
    let began = world.twin.clock().now();
    assert_eq!(counts(&world.run_csv(MANIFEST, false).await), (3, 0, 3));
    let took = world.twin.clock().now().duration_since(began).as_secs();
    assert!((1_800..2_000).contains(&took), "{took} s");
}

#[tokio::test(start_paused = true)]
async fn only_jobs_of_the_target_are_struck_and_they_are_numbered_by_themselves() {
    let fails = JobFaultKind::Fails { code: "InternalError".to_owned(), reason: "planned".to_owned() };
    let other = JobFault { target: Some("another-*".to_owned()), ..JobFault::new(fails.clone()) };
    let second = JobFault { target: Some(TARGET.to_owned()), when: When::Nth(2), ..JobFault::new(fails) };
    let world = world(FaultPlan::from(other).and(second.into())).await;
    let mut ends = Vec::new();
    for token in ["1", "2", "3"] {
        let etag = world.put_manifest("m.csv", MANIFEST.as_bytes()).await;
        let id = world.create(world.job("m.csv", &etag, false).client_request_token(token)).await;
        ends.push(world.finish(&id).await.status().cloned().unwrap());
    }
    assert_eq!(ends, [JobStatus::Complete, JobStatus::Failed, JobStatus::Complete]);
}

#[tokio::test(start_paused = true)]
async fn objects_vanish_and_change_by_the_hand_of_their_owner_before_the_first_task() {
    let vanishes = ObjectFault { limit: Some(1), ..ObjectFault::new("a/*", ObjectFaultKind::Vanishes) };
    let changes = ObjectFault::new("b/*", ObjectFaultKind::Changes);
    let world = world(FaultPlan::from(vanishes).and(changes.into())).await;
    let ended = world.run_csv(MANIFEST, false).await;
    assert_eq!(counts(&ended), (2, 1, 3));
    let rows = world.report(ended.job_id().unwrap()).await;
    let failed: Vec<_> =
        rows.iter().filter(|row| !row.succeeded).map(|row| (row.key.as_str(), row.http_status)).collect();
    assert_eq!(failed, [("a/1", Some(404))]);
    assert_eq!(world.read(TARGET, "b/1").await, b"changed after the inventory: b/1");
    assert_eq!((world.twin.struck()["objects[0]"], world.twin.struck()["objects[1]"]), (1, 1));
    let calls = world.twin.calls();
    let deleted = calls.iter().find(|call| call.operation == "DeleteObject").unwrap();
    assert_eq!((deleted.account.as_str(), deleted.principal.as_str()), (WAREHOUSE, "root"));
}
