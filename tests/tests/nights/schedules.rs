//! Nights that the schedule starts, on time, twice, late or not at all.

use std::time::Duration;

use levee::deploy::{Timetable, schedule};
use levee_tests::Rig;
use levee_twin::{
    FaultPlan,
    faults::{ScheduleFault, ScheduleFaultKind},
    service::Principal,
};
use rstest::rstest;

use super::support::{assert_succeeded, assert_whole, objects, ready};

/// A rig whose source is backed up at 3 o'clock of 2 April alone: the executions that there are a day later.
async fn scheduled(faults: FaultPlan) -> (Rig, Vec<String>) {
    let mut rig = ready().await;
    rig.set_faults(faults);
    rig.start_workers();
    let scheduler = aws_sdk_scheduler::Client::new(&rig.twin.sdk_config(&rig.plan.backup_account, &Principal::Root));
    let timetable = Timetable {
        expression: "cron(0 3 * * ? *)".to_owned(),
        time_zone: "UTC".to_owned(),
        settle_days: 2,
        between: Some(("2026-04-02T02:30:00Z".parse().unwrap(), "2026-04-02T12:00:00Z".parse().unwrap())),
    };
    schedule(&scheduler, &rig.accounts.backup, &rig.plan, &rig.deployed, &timetable).await.unwrap();
    rig.sleep_until("2026-04-02T08:00:00Z".parse().unwrap()).await;
    let machine = &rig.deployed.state_machine_arn;
    let listed = rig.accounts.backup.sfn.list_executions().state_machine_arn(machine).send().await.unwrap();
    let arns = listed.executions().iter().map(|execution| execution.execution_arn().to_owned()).collect();
    (rig, arns)
}

#[rstest]
#[case::on_time(FaultPlan::default())]
#[case::twice(ScheduleFault::new(ScheduleFaultKind::Duplicate { after_seconds: 600 }).into())]
#[case::late(ScheduleFault::new(ScheduleFaultKind::Late { seconds: 7200 }).into())]
#[tokio::test(start_paused = true)]
async fn tick_makes_one_night_of_the_date_that_it_stands_for(#[case] faults: FaultPlan) {
    let (rig, executions) = scheduled(faults).await;
    let [execution] = executions.as_slice() else { panic!("one execution is expected: {executions:?}") };
    let ended = rig.until_ended(execution).await.unwrap();
    assert_succeeded(&ended);
    assert_eq!(ended.output["manifest"]["backup_date"], "2026-03-31");
    assert_whole(&rig, &objects(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn tick_that_is_missed_makes_no_night_and_one_by_hand_makes_up_for_it() {
    let (mut rig, executions) = scheduled(ScheduleFault::new(ScheduleFaultKind::Missed).into()).await;
    assert_eq!(executions, Vec::<String>::new());
    rig.clock.sleep(Duration::from_secs(3600)).await;
    let execution = rig.start(super::support::day()).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_whole(&rig, &objects(), 1).await;
}
