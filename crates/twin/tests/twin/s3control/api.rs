//! The calls of the API apart from what jobs do.

use std::time::Duration;

use aws_sdk_s3control::{
    error::ProvideErrorMetadata,
    operation::create_job::builders::CreateJobFluentBuilder,
    types::{
        JobManifestGenerator, JobOperation, JobReport, JobStatus, RequestedJobStatus, S3CopyObjectOperation,
        S3JobManifestGenerator, S3MetadataDirective, S3SetObjectTaggingOperation, S3Tag,
    },
};
use levee_twin::s3control::ControlOptions;

use super::{ROLE, TARGET, World, counts, failure_code};
use crate::twin::common::BACKUP;

#[tokio::test(start_paused = true)]
async fn the_same_token_and_request_give_the_same_job_and_another_request_is_refused() {
    let world = World::new().await;
    let etag = world.put_manifest("m.csv", b"lake-src,a\n").await;
    let first = world.create(world.job("m.csv", &etag, false)).await;
    assert_eq!(world.create(world.job("m.csv", &etag, false)).await, first);
    world.finish(&first).await;
    assert_eq!(world.create(world.job("m.csv", &etag, false)).await, first, "after its end, too");
    let other = world.job("m.csv", &etag, false).priority(11).send().await.unwrap_err();
    assert_eq!(other.code(), Some("IdempotencyException"));
    let second = world.create(world.job("m.csv", &etag, false).client_request_token("token-2")).await;
    assert_ne!(second, first);
}

type Change = fn(CreateJobFluentBuilder) -> CreateJobFluentBuilder;

fn copy_with(change: fn(&mut aws_sdk_s3control::types::builders::S3CopyObjectOperationBuilder)) -> JobOperation {
    let mut copy = S3CopyObjectOperation::builder().target_resource(format!("arn:aws:s3:::{TARGET}"));
    change(&mut copy);
    JobOperation::builder().s3_put_object_copy(copy.build()).build()
}

#[rstest::rstest]
#[case::token_too_long(|r: CreateJobFluentBuilder| r.client_request_token("x".repeat(65)), "BadRequestException", "ClientRequestToken")]
#[case::no_role(|r: CreateJobFluentBuilder| r.set_role_arn(None), "BadRequestException", "RoleArn")]
#[case::role_of_another_account(
    |r: CreateJobFluentBuilder| r.role_arn(ROLE.replace("222222222222", "111111111111")), "AccessDeniedException", "Cross-account pass role")]
#[case::priority_below_zero(|r: CreateJobFluentBuilder| r.priority(-1), "BadRequestException", "Priority")]
#[case::description_too_long(|r: CreateJobFluentBuilder| r.description("x".repeat(257)), "BadRequestException", "Description")]
#[case::no_report(|r: CreateJobFluentBuilder| r.set_report(None), "BadRequestException", "Report")]
#[case::report_without_bucket(
    |r: CreateJobFluentBuilder| r.report(JobReport::builder().enabled(true).build()), "BadRequestException", "is required")]
#[case::no_manifest(|r: CreateJobFluentBuilder| r.set_manifest(None), "BadRequestException", "Manifest")]
#[case::two_operations(
    |r: CreateJobFluentBuilder| r.operation(JobOperation::builder()
        .s3_put_object_copy(S3CopyObjectOperation::builder().target_resource("arn:aws:s3:::x").build())
        .s3_put_object_tagging(S3SetObjectTaggingOperation::builder().build()).build()),
    "BadRequestException", "exactly one")]
#[case::other_operation(
    |r: CreateJobFluentBuilder| r.operation(JobOperation::builder()
        .s3_put_object_tagging(S3SetObjectTaggingOperation::builder().build()).build()),
    "NotImplemented", "S3PutObjectTagging")]
#[case::target_is_no_bucket(
    |r: CreateJobFluentBuilder| r.operation(copy_with(|c| *c = c.clone().target_resource("lake"))), "BadRequestException", "TargetResource")]
#[case::metadata_replaced(
    |r: CreateJobFluentBuilder| r.operation(copy_with(|c| *c = c.clone().metadata_directive(S3MetadataDirective::Replace))),
    "NotImplemented", "MetadataDirective")]
#[case::manifest_generator(
    |r: CreateJobFluentBuilder| r.set_manifest(None).manifest_generator(JobManifestGenerator::S3JobManifestGenerator(
        S3JobManifestGenerator::builder().source_bucket("arn:aws:s3:::x").enable_manifest_output(false)
            .build().unwrap())),
    "NotImplemented", "ManifestGenerator")]
#[tokio::test(start_paused = true)]
async fn a_request_that_breaks_a_rule_makes_no_job(#[case] change: Change, #[case] code: &str, #[case] names: &str) {
    let world = World::new().await;
    let error = change(world.job("m.csv", "x", false)).send().await.unwrap_err();
    assert_eq!(error.code(), Some(code), "{error:?}");
    assert!(error.message().unwrap().contains(names), "{error:?}");
    let jobs = world.control.list_jobs().account_id(BACKUP).send().await.unwrap();
    assert!(jobs.jobs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_passes_through_its_statuses_in_time() {
    let world = World::new().await;
    world.put("a", "x").await;
    let etag = world.put_manifest("m.csv", b"lake-src,a\n").await;
    let id = world.create(world.job("m.csv", &etag, false)).await;
    let mut seen: Vec<JobStatus> = Vec::new();
    for _ in 0..120 {
        let job = world.describe(&id).await;
        let status = job.status().unwrap().clone();
        let known = job.progress_summary().is_some();
        assert_eq!(known, !matches!(status, JobStatus::New | JobStatus::Preparing), "{status}");
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    use JobStatus::{Complete, Completing, New, Preparing, Ready};
    assert_eq!(seen, [New, Preparing, Ready, Completing, Complete]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_wants_confirmation_waits_for_it() {
    let world = World::new().await;
    world.put("a", "x").await;
    let etag = world.put_manifest("m.csv", b"lake-src,a\n").await;
    let id = world.create(world.job("m.csv", &etag, false).set_confirmation_required(None)).await;
    let job = world.reach(&id, JobStatus::Suspended).await;
    assert!(job.suspended_date().is_some());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(world.keys(TARGET).await.is_empty());
    let confirm = world.control.update_job_status().account_id(BACKUP).job_id(&id);
    confirm.requested_job_status(RequestedJobStatus::Ready).send().await.unwrap();
    assert_eq!(counts(&world.finish(&id).await), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_nobody_confirms_fails_after_thirty_days() {
    let world = World::new().await;
    let etag = world.put_manifest("m.csv", b"lake-src,a\n").await;
    let id = world.create(world.job("m.csv", &etag, false).confirmation_required(true)).await;
    tokio::time::sleep(Duration::from_secs(31 * 24 * 3600)).await;
    let job = world.describe(&id).await;
    assert_eq!((job.status(), failure_code(&job)), (Some(&JobStatus::Failed), "JobNotConfirmed"));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_ends_and_cannot_be_cancelled_again() {
    let world = World::with(ControlOptions { tasks_per_second: 1, concurrency: 1, ..ControlOptions::default() }).await;
    let manifest: String = (0..100).map(|number| format!("lake-src,{number}\n")).collect();
    let etag = world.put_manifest("m.csv", manifest.as_bytes()).await;
    let id = world.create(world.job("m.csv", &etag, false)).await;
    world.reach(&id, JobStatus::Active).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let cancel = || {
        let call = world.control.update_job_status().account_id(BACKUP).job_id(&id);
        call.requested_job_status(RequestedJobStatus::Cancelled).status_update_reason("wrong target").send()
    };
    assert_eq!(cancel().await.unwrap().status(), Some(&JobStatus::Cancelling));
    let job = world.finish(&id).await;
    assert_eq!((job.status(), job.status_update_reason()), (Some(&JobStatus::Cancelled), Some("wrong target")));
    let (_, failed, total) = counts(&job);
    assert!(failed < 20 && total == 100, "{failed} of {total}");
    assert_eq!(i64::try_from(world.report(&id).await.len()).unwrap(), failed, "what ran has its row");
    assert_eq!(cancel().await.unwrap_err().code(), Some("JobStatusException"));
}

#[tokio::test(start_paused = true)]
async fn a_job_of_higher_priority_makes_another_pause() {
    let options =
        ControlOptions { running_jobs: Some(1), tasks_per_second: 1, concurrency: 1, ..ControlOptions::default() };
    let world = World::with(options).await;
    let manifest: String = (0..200).map(|number| format!("lake-src,{number}\n")).collect();
    let etag = world.put_manifest("m.csv", manifest.as_bytes()).await;
    let low = world.create(world.job("m.csv", &etag, false)).await;
    world.reach(&low, JobStatus::Active).await;
    let small = world.put_manifest("s.csv", b"lake-src,a\n").await;
    let high = world.create(world.job("s.csv", &small, false).client_request_token("2").priority(99)).await;
    world.reach(&low, JobStatus::Paused).await;
    assert_eq!(world.finish(&high).await.status(), Some(&JobStatus::Complete));
    assert_eq!(counts(&world.finish(&low).await), (0, 200, 200));
}

#[tokio::test(start_paused = true)]
async fn jobs_are_listed_by_status_in_pages_from_the_newest() {
    let world = World::new().await;
    let etag = world.put_manifest("m.csv", b"").await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(world.create(world.job("m.csv", &etag, false).client_request_token(number.to_string())).await);
    }
    world.finish(&ids[4]).await;
    let mut pages = world.control.list_jobs().account_id(BACKUP).job_statuses(JobStatus::Complete).max_results(2);
    let mut listed = Vec::new();
    loop {
        let page = pages.send().await.unwrap();
        assert!(page.jobs().len() <= 2);
        listed.extend(page.jobs().iter().map(|job| job.job_id().unwrap().to_owned()));
        let Some(token) = page.next_token() else { break };
        pages = world.control.list_jobs().account_id(BACKUP).job_statuses(JobStatus::Complete).max_results(2);
        pages = pages.next_token(token);
    }
    ids.reverse();
    assert_eq!(listed, ids);
    let active = world.control.list_jobs().account_id(BACKUP).job_statuses(JobStatus::Active).send().await.unwrap();
    assert!(active.jobs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn tags_and_priority_can_be_changed() {
    let world = World::new().await;
    let etag = world.put_manifest("m.csv", b"lake-src,a\n").await;
    let tag = S3Tag::builder().key("run").value("r1").build().unwrap();
    let id = world.create(world.job("m.csv", &etag, false).confirmation_required(true).tags(tag)).await;
    let tags = || world.control.get_job_tagging().account_id(BACKUP).job_id(&id).send();
    assert_eq!(tags().await.unwrap().tags()[0].value(), "r1");
    let other = S3Tag::builder().key("k").value("<v>").build().unwrap();
    world.control.put_job_tagging().account_id(BACKUP).job_id(&id).tags(other).send().await.unwrap();
    assert_eq!(tags().await.unwrap().tags()[0].value(), "<v>");
    world.control.delete_job_tagging().account_id(BACKUP).job_id(&id).send().await.unwrap();
    assert!(tags().await.unwrap().tags().is_empty());
    world.control.update_job_priority().account_id(BACKUP).job_id(&id).priority(77).send().await.unwrap();
    assert_eq!(world.describe(&id).await.priority(), 77);
}

#[tokio::test(start_paused = true)]
async fn jobs_are_hidden_at_first_if_asked_and_forgotten_after_ninety_days() {
    let world = World::with(ControlOptions { hidden: Duration::from_secs(3), ..ControlOptions::default() }).await;
    let etag = world.put_manifest("m.csv", b"lake-src,a\n").await;
    let id = world.create(world.job("m.csv", &etag, false)).await;
    let describe = || world.control.describe_job().account_id(BACKUP).job_id(&id).send();
    assert_eq!(describe().await.unwrap_err().code(), Some("NoSuchJob"));
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.finish(&id).await;
    tokio::time::sleep(Duration::from_secs(89 * 24 * 3600)).await;
    assert!(describe().await.is_ok());
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(describe().await.unwrap_err().code(), Some("NoSuchJob"));
}

#[tokio::test(start_paused = true)]
async fn another_account_sees_no_jobs() {
    let world = World::new().await;
    let etag = world.put_manifest("m.csv", b"lake-src,a\n").await;
    let id = world.create(world.job("m.csv", &etag, false)).await;
    let foreign = world.twin.sdk_config(crate::twin::common::WAREHOUSE, &levee_twin::service::Principal::Root);
    let foreign = aws_sdk_s3control::Client::new(&foreign);
    let error = foreign.describe_job().account_id(BACKUP).job_id(&id).send().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"));
    let error = foreign.describe_job().account_id(crate::twin::common::WAREHOUSE).job_id(&id).send().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchJob"));
}
