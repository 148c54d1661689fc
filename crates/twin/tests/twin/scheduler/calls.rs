//! The calls on schedules, groups and tags.

use aws_sdk_scheduler::{
    error::ProvideErrorMetadata,
    types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Tag},
};
use rstest::rstest;

use super::super::common::twin;
use super::{World, off, target};

const QUEUE: &str = "arn:aws:sqs:us-east-1:222222222222:q";

#[tokio::test(start_paused = true)]
async fn schedule_is_described_with_the_defaults_of_aws() {
    let world = World::new(twin());
    let made = world.create("a.b_c-1", "cron(0 2 ? * MON *)", target(QUEUE, "x").build().unwrap());
    let arn = made.description("nightly").send().await.unwrap().schedule_arn;
    assert_eq!(arn, "arn:aws:scheduler:us-east-1:222222222222:schedule/default/a.b_c-1");
    let seen = world.scheduler.get_schedule().name("a.b_c-1").send().await.unwrap();
    assert_eq!(
        (seen.arn(), seen.group_name(), seen.description()),
        (Some(arn.as_str()), Some("default"), Some("nightly"))
    );
    assert_eq!(
        (seen.schedule_expression(), seen.schedule_expression_timezone()),
        (Some("cron(0 2 ? * MON *)"), Some("UTC"))
    );
    assert_eq!(seen.state(), Some(&ScheduleState::Enabled));
    assert_eq!(seen.action_after_completion().unwrap().as_str(), "NONE");
    let retries = seen.target().unwrap().retry_policy().unwrap();
    assert_eq!((retries.maximum_retry_attempts(), retries.maximum_event_age_in_seconds()), (Some(185), Some(86_400)));
    assert_eq!(seen.creation_date().unwrap().secs(), 1_775_088_000);
    assert!(seen.start_date().is_none() && seen.end_date().is_none());
}

#[tokio::test(start_paused = true)]
async fn names_are_taken_once_and_absent_ones_are_not_found() {
    let world = World::new(twin());
    let create = || world.create("a", "rate(1 day)", target(QUEUE, "x").build().unwrap());
    create().send().await.unwrap();
    assert!(create().send().await.unwrap_err().into_service_error().is_conflict_exception());
    let no_group = create().group_name("none").send().await.unwrap_err();
    assert!(no_group.into_service_error().is_resource_not_found_exception());
    let change = world.scheduler.update_schedule().name("b").schedule_expression("rate(1 day)");
    let change = change.flexible_time_window(off()).target(target(QUEUE, "x").build().unwrap());
    assert!(change.send().await.unwrap_err().into_service_error().is_resource_not_found_exception());
    world.scheduler.delete_schedule().name("a").send().await.unwrap();
    let gone = world.scheduler.delete_schedule().name("a").send().await.unwrap_err();
    assert!(gone.into_service_error().is_resource_not_found_exception());
}

#[tokio::test(start_paused = true)]
async fn client_token_makes_a_call_count_once() {
    let world = World::new(twin());
    let create =
        |name: &str| world.create(name, "rate(1 day)", target(QUEUE, "x").build().unwrap()).client_token("token-1");
    let first = create("a").send().await.unwrap().schedule_arn;
    assert_eq!(create("a").send().await.unwrap().schedule_arn, first);
    let other = create("b").send().await.unwrap_err();
    assert!(other.into_service_error().is_conflict_exception());
    let delete = || world.scheduler.delete_schedule().name("a").client_token("token-2");
    delete().send().await.unwrap();
    delete().send().await.unwrap();
}

#[rstest]
#[case::expression("cron(0 2 * * * *)", "UTC", "must be ?")]
#[case::past("at(2026-04-01T23:59:59)", "UTC", "has passed")]
#[case::zone("rate(1 day)", "Mars/Olympus", "Mars/Olympus")]
#[tokio::test(start_paused = true)]
async fn expression_that_is_not_understood_is_refused(
    #[case] expression: &str,
    #[case] zone: &str,
    #[case] part: &str,
) {
    let world = World::new(twin());
    let call = world.create("a", expression, target(QUEUE, "x").build().unwrap());
    let error = call.schedule_expression_timezone(zone).send().await.unwrap_err();
    assert!(error.message().unwrap().contains(part), "{error:?}");
    assert!(error.into_service_error().is_validation_exception());
}

#[tokio::test(start_paused = true)]
async fn what_the_twin_does_not_invoke_is_refused_by_name() {
    let world = World::new(twin());
    let lambda = "arn:aws:lambda:us-east-1:222222222222:function:f";
    let error = world.create("a", "rate(1 day)", target(lambda, "{}").build().unwrap()).send().await.unwrap_err();
    assert_eq!(error.code(), Some("NotImplemented"));
    assert!(error.message().unwrap().contains(lambda), "{error:?}");
    let flexible = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Flexible).build().unwrap();
    let call = world.create("a", "rate(1 day)", target(QUEUE, "x").build().unwrap());
    let error = call.flexible_time_window(flexible).send().await.unwrap_err();
    assert!(error.message().unwrap().contains("MaximumWindowInMinutes"), "{error:?}");
    let old = aws_sdk_scheduler::primitives::DateTime::from_secs(1_775_088_000 - 301);
    let call = world.create("a", "rate(1 day)", target(QUEUE, "x").build().unwrap()).start_date(old);
    let error = call.send().await.unwrap_err();
    assert_eq!(error.message(), Some("The StartDate you specify cannot be earlier than 5 minutes ago."));
}

#[tokio::test(start_paused = true)]
async fn lists_come_in_pages_and_by_group_prefix_and_state() {
    let world = World::new(twin());
    world.scheduler.create_schedule_group().name("nights").send().await.unwrap();
    for name in ["lake-a", "lake-b", "lake-c"] {
        let call = world.create(name, "rate(1 day)", target(QUEUE, "x").build().unwrap());
        call.group_name("nights").send().await.unwrap();
    }
    let off = world.create("other", "rate(1 day)", target(QUEUE, "x").build().unwrap());
    off.state(ScheduleState::Disabled).send().await.unwrap();
    let pages = world.scheduler.list_schedules().group_name("nights").into_paginator().page_size(2).send();
    let pages: Vec<_> = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    let names: Vec<Vec<_>> = pages.iter().map(|p| p.schedules().iter().map(|s| s.name().unwrap()).collect()).collect();
    assert_eq!(names, [vec!["lake-a", "lake-b"], vec!["lake-c"]]);
    let disabled = world.scheduler.list_schedules().state(ScheduleState::Disabled).send().await.unwrap();
    assert_eq!(disabled.schedules().iter().map(|s| s.name().unwrap()).collect::<Vec<_>>(), ["other"]);
    let named = world.scheduler.list_schedules().name_prefix("lake-b").send().await.unwrap();
    assert_eq!(named.schedules()[0].target().unwrap().arn(), QUEUE);
    assert_eq!(named.schedules().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn groups_hold_tags_and_take_their_schedules_with_them() {
    let world = World::new(twin());
    let scheduler = &world.scheduler;
    let tag = |key: &str| Tag::builder().key(key).value("v").build().unwrap();
    let arn = scheduler.create_schedule_group().name("nights").tags(tag("a")).send().await.unwrap().schedule_group_arn;
    assert_eq!(arn, "arn:aws:scheduler:us-east-1:222222222222:schedule-group/nights");
    assert!(
        scheduler
            .create_schedule_group()
            .name("nights")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_conflict_exception()
    );
    scheduler.tag_resource().resource_arn(&arn).tags(tag("b")).tags(tag("c d")).send().await.unwrap();
    scheduler.untag_resource().resource_arn(&arn).tag_keys("a").tag_keys("c d").send().await.unwrap();
    let tags = scheduler.list_tags_for_resource().resource_arn(&arn).send().await.unwrap();
    assert_eq!(tags.tags().iter().map(Tag::key).collect::<Vec<_>>(), ["b"]);
    let call = world.create("lake", "rate(1 day)", target(QUEUE, "x").build().unwrap());
    call.group_name("nights").send().await.unwrap();
    let groups = scheduler.list_schedule_groups().send().await.unwrap();
    let names: Vec<_> = groups.schedule_groups().iter().map(|group| group.name().unwrap()).collect();
    assert_eq!(names, ["default", "nights"]);
    scheduler.delete_schedule_group().name("nights").send().await.unwrap();
    assert!(scheduler.get_schedule().name("lake").group_name("nights").send().await.is_err());
    assert!(scheduler.get_schedule_group().name("nights").send().await.is_err());
    assert!(
        scheduler
            .delete_schedule_group()
            .name("default")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_validation_exception()
    );
    assert_eq!(
        scheduler.get_schedule_group().name("default").send().await.unwrap().state().unwrap().as_str(),
        "ACTIVE"
    );
}
