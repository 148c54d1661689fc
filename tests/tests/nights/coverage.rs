//! `levee coverage` on the ledgers of one night and of two.

use clap::Parser;
use jiff::Timestamp;
use levee::coverage::{Backup, Coverage, CoverageSettings, CoveredTable, Standing, survey};
use levee_delta_log::Verdict;
use levee_tests::Rig;
use levee_twin::{faults::FaultAnswer, gate::CallFilter};
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    restore_plans::{TABLE, night, two_nights},
    restores::{lose, planned, restored},
    support::{SOURCE, assert_succeeded, day, fault},
    tables::{Commit, commit, data, delete, drop_table, orders, rig},
};

const OTHER: &str = "sales/other";
const FIRST_SCAN: &str = "2026-04-02T01:00:00Z";
const SECOND_SCAN: &str = "2026-04-03T01:00:00Z";
/// Two days after the second scan.
const NOW: &str = "2026-04-05T01:00:00Z";

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: CoverageSettings,
}

async fn asked(rig: &Rig, arguments: &[&str]) -> anyhow::Result<Coverage> {
    let common = ["coverage", "--ledger", &rig.plan.ledger_bucket];
    let arguments = Arguments::try_parse_from(common.iter().chain(arguments)).unwrap_or_else(|error| panic!("{error}"));
    let (s3, sources) = (&rig.accounts.backup.s3, &rig.accounts.warehouse.s3);
    survey(s3, sources, &arguments.settings, time(NOW)).await
}

async fn covered(rig: &Rig, arguments: &[&str]) -> Coverage {
    asked(rig, arguments).await.unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn states(coverage: &Coverage) -> Vec<(&str, Standing)> {
    coverage.tables.iter().map(|table| (table.path.as_str(), table.state)).collect()
}

fn only(coverage: &Coverage) -> &CoveredTable {
    let [table] = coverage.tables.as_slice() else { panic!("{coverage:?}") };
    table
}

/// The night and the version of a backup.
fn place(backup: Option<&Backup>) -> Option<(&str, u64)> {
    backup.map(|backup| (backup.execution_name.as_str(), backup.version))
}

fn other() -> Vec<(String, Vec<u8>)> {
    orders().into_iter().map(|(key, bytes)| (key.replace(TABLE, OTHER), bytes)).collect()
}

/// The number of the last call so far.
fn calls_so_far(rig: &Rig) -> u64 {
    rig.twin.gate().calls_where(&CallFilter::default()).last().unwrap().number
}

/// Operations and resources of the calls that were made by hand after that one; workers have roles of their own.
fn own_calls(rig: &Rig, after: u64) -> Vec<(String, String)> {
    let own = CallFilter { after, principal: Some("root".to_owned()), ..CallFilter::default() };
    rig.twin
        .gate()
        .calls_where(&own)
        .into_iter()
        .map(|call| (call.operation.to_string(), call.resource.to_string()))
        .collect()
}

async fn put_into_ledger(rig: &Rig, key: &str) {
    let put = rig.accounts.backup.s3.put_object().bucket(&rig.plan.ledger_bucket).key(key);
    put.body(b"{}".to_vec().into()).send().await.unwrap();
}

#[rstest]
#[case::without_a_limit(&[], Standing::Covered, 0)]
#[case::as_old_as_the_limit(&["--limit", "48"], Standing::Covered, 0)]
#[case::older_than_the_limit(&["--limit", "47"], Standing::TooOld, 1)]
#[tokio::test(start_paused = true)]
async fn age_of_a_whole_table_is_counted_from_the_scan_of_its_newest_snapshot(
    #[case] arguments: &[&str],
    #[case] state: Standing,
    #[case] code: u8,
) {
    let rig = two_nights().await;
    let before = calls_so_far(&rig);
    let coverage = covered(&rig, &[arguments, &["--look", "--source", SOURCE]].concat()).await;
    let table = only(&coverage);
    assert_eq!((table.path.as_str(), table.state, coverage.code()), (TABLE, state, code), "{coverage:?}");
    let whole = table.whole_backup.as_ref().unwrap();
    assert_eq!((place(Some(whole)), whole.backup_date.to_string().as_str()), (Some(("second", 3)), "2026-04-01"));
    assert_eq!((whole.stands_for, whole.age_seconds), (time(SECOND_SCAN), 48 * 3600));
    assert_eq!((table.restorable.as_ref(), table.verdict), (Some(whole), Some(Verdict::Whole)));
    assert_eq!((table.in_source, &table.last_restore), (Some(true), &None));
    let calls = own_calls(&rig, before);
    let writes: Vec<_> =
        calls.iter().filter(|(operation, _)| !["GetObject", "ListObjectsV2"].contains(&operation.as_str())).collect();
    assert!(writes.is_empty() && !calls.is_empty(), "coverage only reads: {writes:?}");
}

#[rstest]
#[case::behind(None, Verdict::Behind, Some(("second", 2)))]
#[case::torn(Some("a.parquet"), Verdict::Torn, Some(("first", 2)))]
#[tokio::test(start_paused = true)]
async fn table_whose_newest_copy_is_not_whole_is_covered_by_the_older_night(
    #[case] lost: Option<&str>,
    #[case] verdict: Verdict,
    #[case] restorable: Option<(&str, u64)>,
) {
    let mut rig = rig().await;
    rig.fill(orders()).await.unwrap();
    rig.deliver(time(FIRST_SCAN)).await.unwrap();
    night(&mut rig, "first", 3, 31).await;
    // A file that the source itself does not have, so that no copy can be mended.
    rig.fill([commit(3, &Commit { adds: &["d.parquet"], at: 1_003, ..Commit::default() })]).await.unwrap();
    if let Some(lost) = lost {
        delete(&rig.accounts.warehouse, SOURCE, &data(lost).0).await;
    }
    rig.deliver(time(SECOND_SCAN)).await.unwrap();
    night(&mut rig, "second", 4, 1).await;
    rig.kill_workers();

    let coverage = covered(&rig, &[]).await;
    let table = only(&coverage);
    assert_eq!((table.state, table.verdict, coverage.code()), (Standing::Covered, Some(verdict), 0), "{table:?}");
    assert_eq!(place(table.whole_backup.as_ref()), Some(("first", 2)));
    assert_eq!(
        table.whole_backup.as_ref().unwrap().age_seconds,
        72 * 3600,
        "it counts from the night that has it whole"
    );
    assert_eq!(place(table.restorable.as_ref()), restorable);
    let limited = covered(&rig, &["--limit", "71"]).await;
    assert_eq!((only(&limited).state, limited.code()), (Standing::TooOld, 1));
    assert_eq!(covered(&rig, &["--limit", "72"]).await.code(), 0);

    // Without the older night nothing whole is left, and a run that cannot be read could have it.
    let newest = covered(&rig, &["--days", "0"]).await;
    assert_eq!((only(&newest).state, newest.code()), (Standing::NoWholeBackup, 1));
    put_into_ledger(&rig, "runs/lake-events/2026-04-01/another/receipt.json").await;
    let unproved = covered(&rig, &["--days", "0"]).await;
    assert_eq!((only(&unproved).state, unproved.code()), (Standing::NoWholeBackup, 2), "{unproved:?}");
    assert_eq!(unproved.sources[0].unread_runs.len(), 1);
    let proved = covered(&rig, &[]).await;
    assert_eq!((proved.sources[0].unread_runs.len(), proved.code()), (1, 0), "nothing depends on what cannot be read");
}

#[tokio::test(start_paused = true)]
async fn dropped_table_is_gone_and_raises_no_alarm() {
    let mut rig = rig().await;
    rig.fill(orders().into_iter().chain(other())).await.unwrap();
    rig.deliver(time(FIRST_SCAN)).await.unwrap();
    night(&mut rig, "first", 3, 31).await;
    drop_table(&rig).await;
    rig.deliver(time(SECOND_SCAN)).await.unwrap();
    night(&mut rig, "second", 4, 1).await;
    rig.kill_workers();

    let coverage = covered(&rig, &["--limit", "48"]).await;
    assert_eq!(states(&coverage), [(OTHER, Standing::Covered), (TABLE, Standing::Gone)]);
    assert_eq!(coverage.code(), 0, "{}", coverage.headline);
    let gone = &coverage.tables[1];
    assert_eq!((place(gone.whole_backup.as_ref()), gone.verdict), (Some(("first", 2)), None));
    assert!(coverage.headline.starts_with("1 of 1 table has a whole backup of the last 48 hours"), "{coverage:?}");
    assert!(coverage.headline.contains("1 gone from the source"), "{}", coverage.headline);

    let looked = covered(&rig, &["--look"]).await;
    let gone = &looked.tables[1];
    assert_eq!((gone.state, gone.in_source), (Standing::Gone, Some(false)));
    // Made again since, it is a table of the source, and what there is of it is the old backup.
    rig.fill(orders()).await.unwrap();
    let again = covered(&rig, &["--look", "--limit", "48"]).await;
    assert_eq!(states(&again), [(TABLE, Standing::TooOld), (OTHER, Standing::Covered)]);
    assert_eq!(again.code(), 1);

    for (days, tables) in [("0", 1), ("1", 2)] {
        let before = calls_so_far(&rig);
        assert_eq!(covered(&rig, &["--days", days]).await.tables.len(), tables);
        let older =
            own_calls(&rig, before).into_iter().filter(|(_, resource)| resource.contains("/2026-03-31/")).count();
        assert_eq!(older > 0, tables == 2, "with --days {days} the older night was read {older} times");
    }
}

#[tokio::test(start_paused = true)]
async fn look_names_a_new_table_and_does_not_count_one_that_is_left_out() {
    let mut rig = rig().await;
    let scratch = |(key, bytes): (String, Vec<u8>)| (key.replace(TABLE, "tmp/scratch"), bytes);
    rig.fill(orders().into_iter().chain(orders().into_iter().map(scratch))).await.unwrap();
    rig.deliver(time(FIRST_SCAN)).await.unwrap();
    let mut input = rig.plan.execution_input(day(), 2);
    input["run"]["selection"] = json!({ "exclude": [{ "prefix": "tmp/" }] });
    let execution = rig.start_with("first", &input).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    rig.kill_workers();

    let looked = covered(&rig, &["--look"]).await;
    assert_eq!(states(&looked), [(TABLE, Standing::Covered), ("tmp/scratch", Standing::LeftOut)]);
    assert_eq!(looked.code(), 0, "{}", looked.headline);
    rig.fill(other()).await.unwrap();
    let looked = covered(&rig, &["--look"]).await;
    let expected = [(OTHER, Standing::Uncovered), (TABLE, Standing::Covered), ("tmp/scratch", Standing::LeftOut)];
    assert_eq!((states(&looked), looked.code()), (expected.to_vec(), 1));
    let document = serde_json::to_value(&looked).unwrap();
    let table = &document["tables"][0];
    let nothing = ["whole_backup", "restorable", "verdict", "last_restore"].map(|name| table[name].clone());
    assert_eq!((&table["state"], nothing), (&json!("uncovered"), [const { Value::Null }; 4]), "{table}");
    assert_eq!((&document["counts"]["uncovered"], &document["counts"]["left_out"]), (&json!(1), &json!(1)));
    let by_ledger = covered(&rig, &[]).await;
    assert_eq!((states(&by_ledger), by_ledger.code()), (vec![(TABLE, Standing::Covered)], 0));
}

#[tokio::test(start_paused = true)]
async fn last_restore_of_a_table_is_named() {
    let mut rig = two_nights().await;
    let beside = planned(&rig, &["--to", "s3://lake-events/back", "--at-version", "2"]).await;
    let (first, _) = restored(&mut rig, &beside).await;
    let named = |coverage: &Coverage| {
        let restore = only(coverage).last_restore.clone().unwrap();
        (restore.id, restore.closed, restore.version, restore.target, restore.backup_date.to_string())
    };
    let place = |root: &str| format!("s3://lake-events/{root}sales/orders");
    let expected = (first.id.clone(), first.closed, 2, place("back/"), "2026-03-31".to_owned());
    assert_eq!(named(&covered(&rig, &[]).await), expected);

    lose(&rig, "sales/orders/").await;
    let in_place = planned(&rig, &["--to", "s3://lake-events"]).await;
    restored(&mut rig, &in_place).await;
    let (id, closed, version, target, backup_date) = named(&covered(&rig, &[]).await);
    assert!(id != first.id && closed > first.closed, "{id} of {closed} after {first:?}");
    assert_eq!((version, target, backup_date.as_str()), (3, place(""), "2026-04-01"));
    put_into_ledger(&rig, "restores/lake-events/0123456789ab-2026-04-01/restore/receipt.json").await;
    let unread = covered(&rig, &[]).await;
    assert_eq!((unread.sources[0].unread_restores.len(), unread.code()), (1, 0), "{unread:?}");
    assert_eq!(only(&unread).last_restore.as_ref().unwrap().version, 3);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_found_out_is_told_and_is_no_success() {
    let rig = two_nights().await;
    let unknown = asked(&rig, &["--source", "lake-sales"]).await.unwrap_err();
    assert!(unknown.to_string().contains("has no runs of \"lake-sales\"; it has those of lake-events"), "{unknown}");

    rig.set_faults(fault("s3", "ListObjectsV2", Some(SOURCE), None, FaultAnswer::Denied));
    let denied = covered(&rig, &["--look"]).await;
    assert_eq!((denied.code(), states(&denied)), (2, vec![(TABLE, Standing::Covered)]), "{denied:?}");
    let problem = &denied.sources[0].problems[0];
    assert!(problem.contains("lake-events could not be listed") && problem.contains("s3:ListBucket"), "{problem}");
    rig.set_faults(levee_twin::FaultPlan::default());

    put_into_ledger(&rig, "runs/lake-new/2026-04-01/night/01-manifest-ready.json").await;
    let new = covered(&rig, &[]).await;
    assert_eq!((new.code(), new.sources.len()), (1, 2), "{new:?}");
    assert!(new.headline.contains("1 source without a receipt"), "{}", new.headline);
    assert_eq!(covered(&rig, &["--source", SOURCE]).await.code(), 0);

    put_into_ledger(&rig, "runs/lake-events/2026-04-02/third/receipt.json").await;
    let unreadable = covered(&rig, &["--source", SOURCE]).await;
    assert_eq!((unreadable.code(), states(&unreadable)), (2, vec![(TABLE, Standing::Covered)]), "{unreadable:?}");
    assert!(unreadable.sources[0].problems[0].contains("is no receipt that this release can read"), "{unreadable:?}");
}
