//! A new execution for a date whose first one ended without success.

use std::time::Duration;

use aws_sdk_s3control::types::RequestedJobStatus;
use levee_tests::{Ended, Rig};
use levee_twin::{
    FaultPlan,
    faults::{FaultAnswer, JobFault, JobFaultKind, When},
};

use super::support::{assert_failed, assert_succeeded, assert_whole, day, fault, objects, ready};

/// Lets another execution take the date over, and plays it to its end.
async fn take_over(rig: &mut Rig) -> Ended {
    let input = rig.plan.execution_input(day(), 2);
    let name = format!("{}-again", rig.plan.execution_name(day()));
    let execution = rig.start_with(&name, &input).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    let keys = rig.ledger_keys().await.unwrap();
    assert!(keys.iter().any(|key| key.ends_with("claim-0002.json")), "{keys:?}");
    ended
}

fn first_jobs(kind: JobFaultKind, count: u64) -> FaultPlan {
    JobFault { after_tasks: 3, when: When::First(count), ..JobFault::new(kind) }.into()
}

#[tokio::test(start_paused = true)]
async fn job_of_the_first_execution_that_copied_is_not_made_again() {
    let mut rig = ready().await;
    rig.set_faults(fault("s3", "GetObject", Some("levee-reports"), None, FaultAnswer::access_denied()));
    let execution = rig.start(day()).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.AwsRefused", &["AccessDenied"]);
    rig.set_faults(FaultPlan::default());
    let ended = take_over(&mut rig).await;
    assert_succeeded(&ended);
    assert_eq!((&ended.output["job"]["attempt"], &ended.output["report"]["copied_in_all"]), (&1.into(), &12.into()));
    assert_whole(&rig, &objects(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn job_of_the_first_execution_that_failed_is_made_again_without_a_redrive() {
    let mut rig = ready().await;
    rig.set_faults(first_jobs(JobFaultKind::Fails { code: "Internal".to_owned(), reason: "planned".to_owned() }, 1));
    let execution = rig.start(day()).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.CopyJobFailed", &["planned"]);
    let ended = take_over(&mut rig).await;
    assert_succeeded(&ended);
    assert_eq!((&ended.output["job"]["attempt"], &ended.output["report"]["copied_in_all"]), (&2.into(), &12.into()));
    assert_whole(&rig, &objects(), 2).await;
}

#[tokio::test(start_paused = true)]
async fn job_that_was_cancelled_after_its_execution_was_stopped_is_made_again() {
    let mut rig = ready().await;
    rig.set_faults(first_jobs(JobFaultKind::Stalls, 1));
    let execution = rig.start(day()).await.unwrap();
    rig.clock.sleep(Duration::from_secs(3600)).await;
    rig.accounts.backup.sfn.stop_execution().execution_arn(&execution).send().await.unwrap();
    let jobs = rig.jobs().await.unwrap();
    let update = rig.accounts.backup.s3control.update_job_status().account_id(&rig.plan.backup_account);
    update.job_id(&jobs[0]).requested_job_status(RequestedJobStatus::Cancelled).send().await.unwrap();
    rig.clock.sleep(Duration::from_secs(600)).await;
    let ended = take_over(&mut rig).await;
    assert_succeeded(&ended);
    assert_eq!(ended.output["job"]["attempt"], 2);
    assert_whole(&rig, &objects(), 2).await;
}

#[tokio::test(start_paused = true)]
async fn own_job_that_failed_waits_for_a_redrive_in_the_new_execution_too() {
    let mut rig = ready().await;
    let fails = JobFaultKind::Fails { code: "Internal".to_owned(), reason: "planned".to_owned() };
    rig.set_faults(first_jobs(fails, 2));
    let execution = rig.start(day()).await.unwrap();
    assert_failed(&rig.until_ended(&execution).await.unwrap(), "Levee.CopyJobFailed", &["attempt 1"]);
    assert_failed(&take_over(&mut rig).await, "Levee.CopyJobFailed", &["attempt 2"]);
    assert_eq!(rig.jobs().await.unwrap().len(), 2);
}
