//! Schedules.

use aws_sdk_scheduler::{
    operation::update_schedule::builders::UpdateScheduleFluentBuilder,
    types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target},
};
use rstest::rstest;
use serde_json::Value;

use super::assert_found;
use crate::doctor::support::{SOURCE, Ward};

const SCHEDULE: &str = "levee-lake-events";

/// A call that changes nothing yet, with the target that it has.
async fn update(ward: &Ward) -> (UpdateScheduleFluentBuilder, Target) {
    let found = ward.backup.scheduler.get_schedule().name(SCHEDULE).send().await.unwrap();
    let target = found.target.clone().unwrap();
    let call = ward.backup.scheduler.update_schedule().name(SCHEDULE);
    let call = call
        .set_schedule_expression(found.schedule_expression)
        .set_schedule_expression_timezone(found.schedule_expression_timezone)
        .set_flexible_time_window(found.flexible_time_window)
        .set_state(found.state)
        .target(target.clone());
    (call, target)
}

#[tokio::test(start_paused = true)]
async fn schedule_that_is_off_is_found_unless_it_should_be() {
    let mut ward = Ward::new().await;
    update(&ward).await.0.state(ScheduleState::Disabled).send().await.unwrap();
    assert_found(&ward, "schedule/enabled", "backup module").await;
    ward.deployment.sources[0].enabled = false;
    assert_eq!(ward.examined().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn schedule_that_is_gone_is_found() {
    let ward = Ward::new().await;
    ward.backup.scheduler.delete_schedule().name(SCHEDULE).send().await.unwrap();
    assert_found(&ward, "schedule/exists", "terraform apply").await;
}

#[tokio::test(start_paused = true)]
async fn flexible_window_is_found() {
    let ward = Ward::new().await;
    let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Flexible).maximum_window_in_minutes(15);
    update(&ward).await.0.flexible_time_window(window.build().unwrap()).send().await.unwrap();
    assert_found(&ward, "schedule/window", "backup module").await;
}

/// A change of a target.
type Edit = fn(&mut Target);

fn start(target: &mut Target, member: &str, change: impl Fn(&str) -> String) {
    let mut start: Value = serde_json::from_str(target.input.as_deref().unwrap()).unwrap();
    start[member] = change(start[member].as_str().unwrap()).into();
    target.input = Some(start.to_string());
}

#[rstest]
#[case::no_dead_letters(|it: &mut Target| it.dead_letter_config = None, "schedule/dead-letters", "")]
#[case::role(|it: &mut Target| it.role_arn = "arn:aws:iam::222222222222:role/admin".to_owned(), "schedule/target", "")]
#[case::machine(|it: &mut Target| start(it, "StateMachineArn", |arn| format!("{arn}-old")), "schedule/target", "")]
#[case::name(|it: &mut Target| start(it, "Name", |_| "always-the-same".to_owned()), "schedule/execution-name", "")]
#[case::long_name(|it: &mut Target| start(it, "Name", |name| "a".repeat(65) + name), "schedule/execution-name", "")]
#[case::other_source(|it: &mut Target| start(it, "Input", |run| run.replace(SOURCE, "lake-other")), "schedule/input", "")]
#[case::other_inventory(|it: &mut Target| start(it, "Input", |run| run.replace("daily", "weekly")), "schedule/input", "")]
#[case::other_version(|it: &mut Target| start(it, "Input", |run| run.replace("settle_days", "settling")), "schedule/input", "")]
#[case::escaped_keyword(
    |it: &mut Target| start(it, "Input", |run| run.replace('<', "\\u003c").replace('>', "\\u003e")),
    "schedule/input",
    "jsonencode"
)]
#[case::always_the_same_date(
    |it: &mut Target| start(it, "Input", |run| run.replace("scheduled_time\":\"<aws.scheduler.scheduled-time>", "backup_date\":\"2026-03-31")),
    "schedule/input",
    ""
)]
#[tokio::test(start_paused = true)]
async fn target_that_starts_something_else_is_found(#[case] edit: Edit, #[case] check: &str, #[case] more: &str) {
    let ward = Ward::new().await;
    let (call, mut target) = update(&ward).await;
    edit(&mut target);
    call.target(target).send().await.unwrap();
    assert_found(&ward, check, "backup module").await;
    assert_found(&ward, check, more).await;
}
