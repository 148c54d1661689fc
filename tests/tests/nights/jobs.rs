//! Copy jobs that fail, stall, or complete with failed rows; reports that are missing or do not add up.

use levee_twin::{
    FaultPlan,
    faults::{JobFault, JobFaultKind, ReportFault, ReportFaultKind, RowClass, RowFault, When},
};
use rstest::rstest;

use super::support::{SOURCE, assert_failed, assert_succeeded, assert_whole, copy_failures, day, objects, ready};

fn first_job(kind: JobFaultKind) -> FaultPlan {
    JobFault { after_tasks: 3, when: When::First(1), ..JobFault::new(kind) }.into()
}

#[tokio::test(start_paused = true)]
async fn failed_job_is_made_again_on_redrive_with_a_new_token() {
    let mut rig = ready().await;
    let kind = JobFaultKind::Fails { code: "ManifestNotFound".to_owned(), reason: "planned reason".to_owned() };
    rig.set_faults(first_job(kind));
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.CopyJobFailed", &["ManifestNotFound", "planned reason", "redrive"]);
    rig.redrive(&execution).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!(ended.output["job"]["attempt"], 2);
    assert_eq!(ended.output["report"]["copied_in_all"], objects().len());
    assert_whole(&rig, &objects(), 2).await;
    let list = rig.accounts.backup.s3control.list_jobs().account_id(&rig.plan.backup_account).send().await.unwrap();
    let tokens: std::collections::BTreeSet<_> = list.jobs().iter().map(|job| job.description()).collect();
    assert_eq!(tokens.len(), 2, "{tokens:?}");
    let scheduled = rig.scheduled(&execution).await.unwrap();
    assert_eq!((scheduled["manifest-ready"], scheduled["bucket-provision"]), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn stalled_job_fails_the_night_at_its_limit_and_goes_on_after_a_redrive() {
    let mut rig = ready().await;
    rig.set_faults(first_job(JobFaultKind::Stalls));
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.CopyJobStalled", &["6 hours", "3 of 12"]);
    rig.set_faults(FaultPlan::default());
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_whole(&rig, &objects(), 1).await;
}

#[rstest]
#[case::denied(RowClass::Denied, "denied")]
#[case::too_large(RowClass::TooLarge, "too_large")]
#[case::archived(RowClass::Archived, "archived")]
#[case::key(RowClass::Kms, "key")]
#[tokio::test(start_paused = true)]
async fn complete_job_with_failed_rows_is_no_success_and_a_redrive_copies_exactly_these(
    #[case] class: RowClass,
    #[case] name: &str,
) {
    let mut rig = ready().await;
    rig.set_faults(RowFault { when: When::First(1), ..RowFault::new("*/part-0*", class) }.into());
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.CopyIncomplete", &["10 of 12", name, "part-03"]);
    assert_eq!(copy_failures(&rig).len(), 1);
    rig.redrive(&execution).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!(ended.output["report"]["rows"], 10);
    assert_eq!(ended.output["report"]["copied_in_all"], 12);
    assert_whole(&rig, &objects(), 2).await;
}

#[tokio::test(start_paused = true)]
async fn source_policy_that_is_missing_denies_every_row_until_it_is_mended() {
    let mut rig = ready().await;
    let warehouse = rig.accounts.warehouse.s3.clone();
    let policy = warehouse.get_bucket_policy().bucket(SOURCE).send().await.unwrap().policy.unwrap();
    warehouse.delete_bucket_policy().bucket(SOURCE).send().await.unwrap();
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.CopyIncomplete", &["12 of 12", "denied", "bucket policy"]);
    warehouse.put_bucket_policy().bucket(SOURCE).policy(policy).send().await.unwrap();
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_whole(&rig, &objects(), 2).await;
}

#[rstest]
#[case::missing(ReportFaultKind::Missing, "Levee.ReportMissing")]
#[case::part_missing(ReportFaultKind::PartMissing, "Levee.ReportMissing")]
#[case::unreadable_row(ReportFaultKind::BadRow, "Levee.ReportDoesNotReconcile")]
#[case::row_dropped(ReportFaultKind::RowDropped, "Levee.ReportDoesNotReconcile")]
#[case::row_duplicated(ReportFaultKind::RowDuplicated, "Levee.ReportDoesNotReconcile")]
#[case::checksum(ReportFaultKind::ChecksumWrong, "Levee.ReportDoesNotReconcile")]
#[tokio::test(start_paused = true)]
async fn report_that_cannot_be_trusted_fails_closed_twice(#[case] kind: ReportFaultKind, #[case] error: &str) {
    let mut rig = ready().await;
    rig.set_faults(ReportFault::new(kind).into());
    let execution = rig.start(day()).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), error, &["report", "redrive"]);
    rig.redrive(&execution).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), error, &["report"]);
    assert_eq!(rig.jobs().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn late_report_is_waited_for() {
    let mut rig = ready().await;
    rig.set_faults(ReportFault::new(ReportFaultKind::Late { seconds: 1200 }).into());
    let execution = rig.start(day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_whole(&rig, &objects(), 1).await;
}
