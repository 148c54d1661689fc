//! Runs that are started by hand, with the settings of their source's schedule.

use jiff::civil::date;
use levee::{doctor::Source, start::start};
use levee_tests::Rig;

use super::support::Ward;

async fn started(ward: &Ward, day: Option<jiff::civil::Date>, now: &str) -> levee::start::Started {
    let source = ward.deployment.source("lake-events").unwrap();
    start(&ward.backup, &ward.deployment, source, day, now.parse().unwrap()).await.unwrap()
}

async fn input(rig: &Rig, arn: &str) -> serde_json::Value {
    let seen = rig.accounts.backup.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
    serde_json::from_str(seen.input().unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn run_by_hand_has_the_settings_of_the_schedule_and_the_date_that_a_tick_would_have() {
    let mut ward = Ward::new().await;
    let started = started(&ward, None, "2026-04-02T03:00:00Z").await;
    assert_eq!(started.backup_date, date(2026, 3, 31));
    assert!(started.execution_arn.ends_with(":lake-events-2026-03-31"), "{}", started.execution_arn);
    let run = &input(&ward.rig, &started.execution_arn).await["run"];
    assert_eq!(run["backup_date"], "2026-03-31");
    assert!(run.get("scheduled_time").is_none(), "{run}");
    assert_eq!(run["inventory"]["bucket"], ward.deployment.manifest_bucket.as_str());
    ward.rig.start_workers();
    let ended = ward.rig.until_ended(&started.execution_arn).await.unwrap();
    assert_eq!(ended.error, None, "{:?}", ended.cause);
    assert_eq!(ended.output["report"]["failed"], 0);
}

#[tokio::test(start_paused = true)]
async fn date_that_is_given_is_taken_and_a_further_run_of_it_gets_a_name_of_its_own() {
    let ward = Ward::new().await;
    let first = started(&ward, Some(date(2026, 3, 30)), "2026-04-02T03:00:00Z").await;
    let stop = ward.rig.accounts.backup.sfn.stop_execution().execution_arn(&first.execution_arn);
    stop.send().await.unwrap();
    let second = started(&ward, Some(date(2026, 3, 30)), "2026-04-02T03:00:00Z").await;
    assert_eq!(first.backup_date, date(2026, 3, 30));
    assert!(first.execution_arn.ends_with(":lake-events-2026-03-30"), "{}", first.execution_arn);
    assert!(second.execution_arn.ends_with(":lake-events-2026-03-30-2"), "{}", second.execution_arn);
}

#[tokio::test(start_paused = true)]
async fn source_and_schedule_that_are_not_there_are_named() {
    let ward = Ward::new().await;
    let error = ward.deployment.source("lake-sales").unwrap_err().to_string();
    assert!(error.contains("lake-sales") && error.contains("lake-events"), "{error}");
    let source = ward.deployment.source("lake-events").unwrap();
    let gone = Source { schedule: "levee-gone".to_owned(), ..source.clone() };
    let now = "2026-04-02T03:00:00Z".parse().unwrap();
    let error = start(&ward.backup, &ward.deployment, &gone, None, now).await.unwrap_err();
    assert!(format!("{error:#}").contains("levee-gone"), "{error:#}");
}
