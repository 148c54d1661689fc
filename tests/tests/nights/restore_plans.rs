//! `levee restore plan` on the snapshots of two nights, of which the second has lost what older versions need.

use clap::Parser;
use jiff::civil::date;
use levee::{
    deploy::Plan,
    restore::{PlanSettings, make, plan},
};
use levee_ledger::restore::RestorePlan;
use levee_tests::{Rig, RigBuilder};
use levee_twin::gate::CallFilter;
use rstest::rstest;

use super::{
    support::{SOURCE, assert_succeeded},
    tables::{Commit, commit, data, delete, orders},
};

pub(crate) const TABLE: &str = "sales/orders";

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: PlanSettings,
}

fn settings(rig: &Rig, arguments: &[&str]) -> PlanSettings {
    let common = ["plan", "--ledger", &rig.plan.ledger_bucket, "--source", SOURCE];
    Arguments::try_parse_from(common.iter().chain(arguments)).unwrap_or_else(|error| panic!("{error}")).settings
}

/// Version 2 is whole in the snapshot of 31 March. That of 1 April has version 3, and lacks a file of all older ones.
pub(crate) async fn two_nights() -> Rig {
    let rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap()).plan(Plan::with_restores);
    let mut rig = rig.build().await.unwrap();
    rig.fill(orders()).await.unwrap();
    rig.deliver("2026-04-02T01:00:00Z".parse().unwrap()).await.unwrap();
    night(&mut rig, "first", 3, 31).await;
    let third = Commit { adds: &["d.parquet"], removes: &["a.parquet"], at: 1_003, ..Commit::default() };
    rig.fill([commit(3, &third), data("d.parquet")]).await.unwrap();
    delete(&rig.accounts.warehouse, SOURCE, &data("a.parquet").0).await;
    rig.deliver("2026-04-03T01:00:00Z".parse().unwrap()).await.unwrap();
    night(&mut rig, "second", 4, 1).await;
    rig.kill_workers();
    rig
}

pub(crate) async fn night(rig: &mut Rig, name: &str, month: i8, day: i8) {
    let input = rig.plan.execution_input(date(2026, month, day), 2);
    let execution = rig.start_with(name, &input).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
}

pub(crate) async fn asked(rig: &Rig, arguments: &[&str]) -> Result<RestorePlan, Vec<String>> {
    asked_of(rig, &rig.accounts.warehouse.s3, arguments).await
}

/// The plan for a target that belongs to somebody else than the warehouse.
pub(crate) async fn asked_of(
    rig: &Rig,
    target: &aws_sdk_s3::Client,
    arguments: &[&str],
) -> Result<RestorePlan, Vec<String>> {
    let s3 = &rig.accounts.backup.s3;
    make(s3, target, &settings(rig, arguments), "2026-04-05T00:00:00Z".parse().unwrap()).await.unwrap()
}

#[rstest]
#[case::the_newest(&[], 3, "second", 3)]
#[case::of_a_day(&["--backup-date", "2026-03-31"], 2, "first", 3)]
#[case::a_version_that_only_the_older_snapshot_has_whole(&["--at-version", "2"], 2, "first", 3)]
#[case::a_version_before_the_newest_of_a_snapshot(&["--at-version", "1"], 1, "first", 2)]
#[case::as_of_a_moment(&["--as-of", "1970-01-01T00:00:01.001Z"], 1, "first", 2)]
#[case::as_of_now(&["--as-of", "2026-04-05T00:00:00Z"], 3, "second", 3)]
#[tokio::test(start_paused = true)]
async fn plan_takes_the_newest_snapshot_that_has_the_table_as_it_is_wished_for(
    #[case] wish: &[&str],
    #[case] version: u64,
    #[case] night: &str,
    #[case] files: u64,
) {
    let rig = two_nights().await;
    let to = ["--table", TABLE, "--to", "s3://lake-events/back/"];
    let before = rig.twin.gate().calls_where(&CallFilter::default()).last().unwrap().number;
    let plan = asked(&rig, &[&to, wish].concat()).await.unwrap();
    let [table] = plan.tables.as_slice() else { panic!("{plan:?}") };
    assert_eq!((table.version, table.run.execution_name.as_str(), table.files), (version, night, files));
    assert_eq!((table.path.as_str(), table.target.as_str()), (TABLE, "back/sales/orders"));
    // Data files are nine bytes each; commits come beside them, up to the version and not beyond.
    assert_eq!((table.bytes, table.objects), (9 * files, files + version + 1), "{table:?}");
    assert_eq!(table.timestamp_ms, Some(1_000 + i64::try_from(version).unwrap()));
    assert_eq!(table.described.as_ref().and_then(|described| described.id.as_deref()), Some("orders-1"));
    // The workers may still be at their long polls, under their own roles.
    let own = CallFilter { after: before, principal: Some("root".to_owned()), ..CallFilter::default() };
    let calls = rig.twin.gate().calls_where(&own);
    let writes: Vec<_> = calls
        .iter()
        .filter(|call| !["GetObject", "HeadBucket", "ListObjectsV2"].contains(&call.operation.as_str()))
        .collect();
    assert!(writes.is_empty() && !calls.is_empty(), "a plan changes nothing: {writes:?}");
}

#[rstest]
#[case::a_version_that_nobody_has(&["--at-version", "9"], &["\"sales/orders\" is not whole at version 9", "the newest version of 2026-04-01 is 3", "The nearest that are whole: version 3 of 2026-04-01, version 2 of 2026-03-31"])]
#[case::a_moment_before_the_table(&["--as-of", "1970-01-01T00:00:00.5Z"], &["the log of 2026-04-01 begins after", "version 2 of 2026-03-31"])]
#[case::a_day_without_a_run(&["--backup-date", "2026-03-15"], &["is in no snapshot of lake-events that was looked at"])]
#[tokio::test(start_paused = true)]
async fn what_no_snapshot_has_whole_is_refused_with_the_nearest_that_are(#[case] wish: &[&str], #[case] told: &[&str]) {
    let rig = two_nights().await;
    let to = ["--table", TABLE, "--to", "s3://lake-events/back"];
    let refused = asked(&rig, &[&to, wish].concat()).await.unwrap_err().join("\n");
    for words in told {
        assert!(refused.contains(words), "{words:?} is not in {refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn objects_in_the_way_are_named_and_replaced_only_where_the_place_is_named_again() {
    let rig = two_nights().await;
    let globbed = ["--table", "sales/*", "--to", "s3://lake-events/back"];
    assert_eq!(asked(&rig, &globbed).await.unwrap().tables[0].target, "back/sales/orders");
    rig.fill([("back/sales/orders/old.parquet".to_owned(), b"x".to_vec())]).await.unwrap();
    rig.fill([("back/sales/orders2/other.parquet".to_owned(), b"x".to_vec())]).await.unwrap();
    let refused = asked(&rig, &globbed).await.unwrap_err();
    assert!(refused[0].contains("\"back/sales/orders/old.parquet\"") && !refused[0].contains("orders2"), "{refused:?}");
    let other = asked(&rig, &[&globbed[..], &["--overwrite", "s3://lake-events/bac"]].concat()).await.unwrap_err();
    assert!(other[0].contains("--overwrite names s3://lake-events/bac"), "{other:?}");
    assert!(asked(&rig, &[&globbed[..], &["--overwrite", "s3://lake-events/back"]].concat()).await.unwrap().overwrite);
}

#[tokio::test(start_paused = true)]
async fn plan_is_a_file_that_is_written_once() {
    let rig = two_nights().await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("plan.json");
    let arguments = ["--table", TABLE, "--to", "s3://lake-events/back", "--out", out.to_str().unwrap()];
    let (s3, target) = (&rig.accounts.backup.s3, &rig.accounts.warehouse.s3);
    let now = "2026-04-05T00:00:00Z".parse().unwrap();
    plan(s3, target, &settings(&rig, &arguments), now).await.unwrap();
    let written: RestorePlan = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(written, asked(&rig, &arguments).await.unwrap());
    let again = plan(s3, target, &settings(&rig, &arguments), now).await.unwrap_err();
    assert!(format!("{again:#}").contains("is there already"), "{again:#}");
}
