//! Tables brought back: the five situations of docs/restore.md, each through the commands as documented, and what keeps a restore
//! from being wrong.

use std::collections::BTreeMap;

use levee::restore::{Followed, follow, start};
use levee_ledger::restore::{How, RestorePlan, RestoreReceipt, RestoredTable};
use levee_stage::Aws;
use levee_tests::Rig;
use levee_twin::{gate::RecordedCall, service::Principal};
use rstest::rstest;

use super::{
    restore_plans::{TABLE, asked, asked_of, two_nights},
    support::SOURCE,
    tables::{Commit, commit, data, delete},
};

/// The objects below a prefix with their bytes.
async fn objects(rig: &Rig, aws: &Aws, bucket: &str, prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let listed = aws.s3.list_objects_v2().bucket(bucket).prefix(prefix).send().await.unwrap();
    let mut objects = BTreeMap::new();
    for object in listed.contents() {
        let key = object.key().unwrap();
        let bytes = rig.object(aws, bucket, key).await.unwrap().unwrap();
        objects.insert(key.strip_prefix(prefix).unwrap().to_owned(), bytes);
    }
    objects
}

/// Makes the plan.
pub(crate) async fn planned(rig: &Rig, arguments: &[&str]) -> RestorePlan {
    let arguments = [&["--table", TABLE], arguments].concat();
    asked(rig, &arguments).await.unwrap_or_else(|refusals| panic!("{refusals:?}"))
}

/// Applies the plan, and follows it to its end.
async fn applied(rig: &mut Rig, plan: &RestorePlan) -> Followed {
    rig.start_workers();
    let started = start(&rig.accounts.backup, plan).await.unwrap();
    let [execution] = started.as_slice() else { panic!("{started:?}") };
    let followed = follow(&rig.accounts.backup, &execution.execution_arn, &rig.clock, |_| {}).await.unwrap();
    rig.kill_workers();
    followed
}

pub(crate) async fn restored(rig: &mut Rig, plan: &RestorePlan) -> (RestoreReceipt, RestoredTable) {
    let followed = applied(rig, plan).await;
    assert!(followed.succeeded(), "{followed:?}");
    let key = rig
        .ledger_keys()
        .await
        .unwrap()
        .into_iter()
        .rfind(|key| key.starts_with("restores/") && key.ends_with("/receipt.json"));
    let bytes = rig.object(&rig.accounts.backup, &rig.plan.ledger_bucket, &key.unwrap()).await.unwrap().unwrap();
    let receipt: RestoreReceipt = serde_json::from_slice(&bytes).unwrap();
    let list = receipt.tables.list.clone().unwrap();
    let lines = rig.object(&rig.accounts.backup, &list.bucket, &list.key).await.unwrap().unwrap();
    let line = serde_json::from_slice(&lines).unwrap();
    (receipt, line)
}

/// What a restored table needs, out of the one that was lost: everything but what only other versions need.
fn without(mut objects: BTreeMap<String, Vec<u8>>, keys: &[&str]) -> BTreeMap<String, Vec<u8>> {
    for key in keys {
        assert!(objects.remove(*key).is_some(), "{key}");
    }
    objects
}

pub(crate) async fn lose(rig: &Rig, prefix: &str) {
    for key in objects(rig, &rig.accounts.warehouse, SOURCE, prefix).await.into_keys() {
        delete(&rig.accounts.warehouse, SOURCE, &format!("{prefix}{key}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn table_purged_by_a_vacuum_gets_back_what_it_lacks_and_nothing_else_is_touched() {
    let mut rig = two_nights().await;
    let before = objects(&rig, &rig.accounts.warehouse, SOURCE, "sales/orders/").await;
    for name in ["b.parquet", "d.parquet"] {
        delete(&rig.accounts.warehouse, SOURCE, &data(name).0).await;
    }
    let plan = planned(&rig, &["--in-place"]).await;
    let [table] = plan.tables.as_slice() else { panic!("{plan:?}") };
    assert_eq!((table.how, table.version, table.objects, table.object_bytes), (How::PutBack, 3, 2, 18));
    assert_eq!(table.present_objects, 5, "four commits and c.parquet");
    let (receipt, line) = restored(&mut rig, &plan).await;
    assert_eq!((receipt.objects, receipt.bytes), (table.objects, table.object_bytes));
    assert_eq!((line.version, line.latest_version, line.files, line.opens), (3, 3, 3, true));
    assert_eq!(objects(&rig, &rig.accounts.warehouse, SOURCE, "sales/orders/").await, before);
    let again = asked(&rig, &["--table", TABLE, "--in-place"]).await.unwrap_err();
    assert!(again[0].contains("lacks nothing at version 3"), "{again:?}");
}

#[rstest]
#[case::in_its_own_place("s3://lake-events", "")]
#[case::beside_it("s3://lake-events/back", "back/")]
#[tokio::test(start_paused = true)]
async fn dropped_table_is_brought_back_from_the_newest_snapshot(#[case] to: &str, #[case] prefix: &str) {
    let mut rig = two_nights().await;
    let before = objects(&rig, &rig.accounts.warehouse, SOURCE, "sales/orders/").await;
    lose(&rig, "sales/orders/").await;
    let plan = planned(&rig, &["--to", to]).await;
    let (receipt, line) = restored(&mut rig, &plan).await;
    assert_eq!((line.version, line.latest_version, line.files, line.bytes, line.opens), (3, 3, 3, 27, true));
    assert_eq!((receipt.objects, receipt.bytes), (plan.tables[0].objects, plan.tables[0].object_bytes));
    assert!(
        receipt.headline.contains("1 of 1 table whole at the version of the plan, 7 objects"),
        "{}",
        receipt.headline
    );
    let root = format!("{prefix}sales/orders/");
    assert_eq!(objects(&rig, &rig.accounts.warehouse, SOURCE, &root).await, before);
}

#[tokio::test(start_paused = true)]
async fn older_version_is_brought_back_without_later_files_of_the_log() {
    let mut rig = two_nights().await;
    let before = objects(&rig, &rig.accounts.backup, "lake-events-31-mar-2026", "sales/orders/").await;
    let plan = planned(&rig, &["--to", "s3://lake-events/back", "--at-version", "1"]).await;
    let (_, line) = restored(&mut rig, &plan).await;
    assert_eq!((line.version, line.latest_version, line.files), (1, 1, 2));
    let expected = without(before, &["c.parquet", "_delta_log/00000000000000000002.json"]);
    assert_eq!(objects(&rig, &rig.accounts.warehouse, SOURCE, "back/sales/orders/").await, expected);
}

#[tokio::test(start_paused = true)]
async fn bad_write_is_rolled_back_by_a_commit_and_the_history_stays() {
    let mut rig = two_nights().await;
    let bad = Commit {
        adds: &["bad.parquet"],
        removes: &["b.parquet", "c.parquet", "d.parquet"],
        at: 1_004,
        ..Commit::default()
    };
    rig.fill([commit(4, &bad), data("bad.parquet")]).await.unwrap();
    let before = objects(&rig, &rig.accounts.warehouse, SOURCE, "sales/orders/").await;
    // The version before the bad write needs a file that was vacuumed meanwhile.
    delete(&rig.accounts.warehouse, SOURCE, &data("c.parquet").0).await;
    let plan = planned(&rig, &["--in-place", "--at-version", "3"]).await;
    assert_eq!((plan.tables[0].how, plan.tables[0].objects), (How::RollBack { from: 4 }, 1));
    let (_, line) = restored(&mut rig, &plan).await;
    assert_eq!((line.version, line.latest_version, line.opens), (3, 5, true));
    let summary = line.rolled_back.unwrap();
    assert_eq!((summary.from, summary.to, summary.version), (4, 3, Some(5)));
    assert_eq!((summary.added.files, summary.removed.files), (3, 1));
    let mut after = objects(&rig, &rig.accounts.warehouse, SOURCE, "sales/orders/").await;
    let commit = after.remove("_delta_log/00000000000000000005.json").unwrap();
    assert_eq!(after, before, "history stays as it was");
    assert!(String::from_utf8(commit).unwrap().contains("RESTORE"));
}

#[tokio::test(start_paused = true)]
async fn lost_prefix_is_brought_back_with_all_its_tables() {
    let mut rig = two_nights().await;
    let before = objects(&rig, &rig.accounts.warehouse, SOURCE, "sales/").await;
    lose(&rig, "sales/").await;
    let plan = asked(&rig, &["--table", "sales/**", "--to", "s3://lake-events"]).await.unwrap();
    let (receipt, _) = restored(&mut rig, &plan).await;
    assert_eq!(receipt.tables.tables, plan.tables.len() as u64);
    assert_eq!(objects(&rig, &rig.accounts.warehouse, SOURCE, "sales/").await, before);
}

#[tokio::test(start_paused = true)]
async fn tables_of_a_lost_account_are_brought_back_into_a_bucket_of_another_one() {
    let mut rig = two_nights().await;
    let before = objects(&rig, &rig.accounts.warehouse, SOURCE, "sales/orders/").await;
    let rescue = Aws::new(&rig.twin.sdk_config("333333333333", &Principal::Root));
    rescue.s3.create_bucket().bucket("rescue").send().await.unwrap();
    let policy = levee::deploy::restore_bucket_policy(&rig.plan, "rescue").unwrap();
    rescue.s3.put_bucket_policy().bucket("rescue").policy(policy.to_string()).send().await.unwrap();
    let arguments = ["--table", TABLE, "--to", "s3://rescue/lake", "--to-account", "333333333333"];
    let plan = asked_of(&rig, &rescue.s3, &arguments).await.unwrap_or_else(|refusals| panic!("{refusals:?}"));
    let (receipt, line) = restored(&mut rig, &plan).await;
    assert_eq!(receipt.target.account, "333333333333");
    assert_eq!((line.target.as_str(), line.version), ("lake/sales/orders", 3));
    assert_eq!(objects(&rig, &rescue, "rescue", "lake/sales/orders/").await, before);
}

#[tokio::test(start_paused = true)]
async fn table_that_was_written_to_since_the_plan_is_not_rolled_back() {
    let mut rig = two_nights().await;
    let plan = planned(&rig, &["--in-place", "--at-version", "2"]).await;
    rig.fill([commit(4, &Commit { adds: &["e.parquet"], at: 1_004, ..Commit::default() }), data("e.parquet")])
        .await
        .unwrap();
    let followed = applied(&mut rig, &plan).await;
    assert!(!followed.succeeded());
    assert!(followed.lines.iter().any(|line| line.contains("Levee.RestoreConflict")), "{followed:?}");
    assert!(followed.told().contains("was written to since the plan was made"), "{}", followed.told());
    let there = objects(&rig, &rig.accounts.warehouse, SOURCE, "sales/orders/_delta_log/").await;
    assert_eq!(there.len(), 5, "no commit was added");
}

#[tokio::test(start_paused = true)]
async fn plan_whose_target_has_something_by_now_is_not_carried_out() {
    let mut rig = two_nights().await;
    let plan = planned(&rig, &["--to", "s3://lake-events/back"]).await;
    rig.fill([("back/sales/orders/mine.parquet".to_owned(), b"x".to_vec())]).await.unwrap();
    let followed = applied(&mut rig, &plan).await;
    let told = followed.told();
    assert!(told.contains("Levee.RestorePlanStale") && told.contains("back/sales/orders/mine.parquet"), "{told}");
    assert_eq!(objects(&rig, &rig.accounts.warehouse, SOURCE, "back/").await.len(), 1, "nothing was copied");
}

#[tokio::test(start_paused = true)]
async fn restore_is_refused_while_restores_are_not_enabled() {
    let mut rig = two_nights().await;
    let plan = planned(&rig, &["--to", "s3://lake-events/back"]).await;
    rig.plan.restore_role_arn = None;
    let told = applied(&mut rig, &plan).await.told();
    assert!(told.contains("Levee.RestoreNotEnabled") && told.contains("variable `restores`"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn plan_that_was_carried_out_is_not_carried_out_twice() {
    let mut rig = two_nights().await;
    let plan = planned(&rig, &["--to", "s3://lake-events/back"]).await;
    restored(&mut rig, &plan).await;
    let jobs = rig.jobs().await.unwrap().len();
    let again = start(&rig.accounts.backup, &plan).await.unwrap();
    assert!(again.iter().all(|applied| applied.done_before), "{again:?}");
    assert_eq!(rig.jobs().await.unwrap().len(), jobs);
}

/// The calls that workers have made so far, beside asking for messages.
fn calls(rig: &Rig) -> usize {
    let of_worker =
        |call: &&RecordedCall| call.principal.contains(":role/levee-worker-") && call.operation != "ReceiveMessage";
    rig.twin.calls().iter().filter(of_worker).count()
}

/// Stops the restore after a number of its workers' calls, as if all of it died there. Whether it was still under way.
async fn killed(rig: &mut Rig, plan: &RestorePlan, after: usize) -> bool {
    let started = start(&rig.accounts.backup, plan).await.unwrap();
    let arn = started[0].execution_arn.clone();
    let before = calls(rig);
    rig.start_workers();
    while calls(rig) < before + after {
        let seen = rig.accounts.backup.sfn.describe_execution().execution_arn(&arn).send().await.unwrap();
        if seen.status().as_str() != "RUNNING" {
            return false;
        }
        rig.clock.sleep(std::time::Duration::from_millis(500)).await;
    }
    rig.kill_workers();
    rig.accounts.backup.sfn.stop_execution().execution_arn(&arn).send().await.unwrap();
    true
}

#[rstest]
#[case::beside_it(&["--to", "s3://lake-events/back", "--at-version", "2"], 1)]
#[case::rolled_back(&["--in-place", "--at-version", "2"], 2)]
#[tokio::test(start_paused = true)]
async fn restore_killed_at_random_points_ends_right_when_it_is_applied_again(#[case] wish: &[&str], #[case] seed: u64) {
    let mut whole = two_nights().await;
    let plan = planned(&whole, wish).await;
    let before = calls(&whole);
    restored(&mut whole, &plan).await;
    let of_all = calls(&whole) - before;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut ends = Vec::new();
    for _ in 0..10 {
        let mut rig = two_nights().await;
        let plan = planned(&rig, wish).await;
        let after = random.usize(1..of_all);
        ends.push((after, killed(&mut rig, &plan, after).await));
        let (receipt, line) = restored(&mut rig, &plan).await;
        assert_eq!((line.version, line.files, line.opens), (2, 3, true), "killed after {after} calls");
        assert_eq!((receipt.objects, receipt.bytes), (plan.tables[0].objects, plan.tables[0].object_bytes));
        let root = if seed == 1 { "back/sales/orders/" } else { "sales/orders/" };
        let there = objects(&rig, &rig.accounts.warehouse, SOURCE, root).await;
        let commits = there.keys().filter(|key| key.starts_with("_delta_log/")).count();
        assert_eq!(commits, if seed == 1 { 3 } else { 5 }, "killed after {after} calls: {there:?}");
    }
    assert!(ends.iter().filter(|(_, killed)| *killed).count() >= 8, "too few were killed on their way: {ends:?}");
}

/// Objects that belong to no table, in the nights of two tables' worth.
async fn with_other_objects() -> Rig {
    let mut rig = two_nights().await;
    let others =
        ["logs/a ä.txt", "logs/b.txt", "logs2/c.txt", "readme"].map(|key| (key.to_owned(), key.as_bytes().to_vec()));
    rig.fill(others).await.unwrap();
    rig.deliver("2026-04-04T01:00:00Z".parse().unwrap()).await.unwrap();
    super::restore_plans::night(&mut rig, "third", 4, 2).await;
    rig.kill_workers();
    rig
}

#[rstest]
#[case::prefix(&["--prefix", "logs/"], "logs/", 2)]
#[case::prefix_without_a_slash(&["--prefix", "logs"], "logs", 3)]
#[case::single_object(&["--object", "readme"], "readme", 1)]
#[case::whole_bucket(&["--prefix", ""], "", 11)]
#[tokio::test(start_paused = true)]
async fn prefixes_and_objects_are_brought_back_whatever_they_are(
    #[case] wish: &[&str],
    #[case] lost: &str,
    #[case] count: u64,
) {
    let mut rig = with_other_objects().await;
    let before = objects(&rig, &rig.accounts.warehouse, SOURCE, "").await;
    lose(&rig, lost).await;
    let plan = asked(&rig, &[&["--to", "s3://lake-events"], wish].concat()).await.unwrap();
    let bytes: u64 = before.iter().filter(|(key, _)| key.starts_with(lost)).map(|(_, bytes)| bytes.len() as u64).sum();
    assert_eq!((plan.prefixes[0].objects, plan.prefixes[0].object_bytes), (count, bytes));
    let followed = applied(&mut rig, &plan).await;
    assert!(followed.succeeded(), "{followed:?}");
    assert!(followed.lines[0].contains(&format!("2 Apr 2026: {count} object")), "{followed:?}");
    assert_eq!(objects(&rig, &rig.accounts.warehouse, SOURCE, "").await, before);
}

#[tokio::test(start_paused = true)]
async fn objects_that_are_in_the_way_of_a_prefix_are_named_and_replaced_only_where_that_is_asked_for() {
    let mut rig = with_other_objects().await;
    rig.fill([("logs/b.txt".to_owned(), b"newer".to_vec())]).await.unwrap();
    let wish = ["--prefix", "logs/", "--to", "s3://lake-events"];
    let refused = asked(&rig, &wish).await.unwrap_err();
    assert!(refused[0].contains("2 of its objects are there already: \"logs/a ä.txt\", \"logs/b.txt\""), "{refused:?}");
    let none = asked(&rig, &["--object", "logs/b.tx", "--to", "s3://lake-events"]).await.unwrap_err();
    assert!(none[0].contains("has nothing at \"logs/b.tx\""), "{none:?}");
    let plan = asked(&rig, &[&wish[..], &["--overwrite", "s3://lake-events"]].concat()).await.unwrap();
    assert!(applied(&mut rig, &plan).await.succeeded());
    assert_eq!(rig.object(&rig.accounts.warehouse, SOURCE, "logs/b.txt").await.unwrap().unwrap(), b"logs/b.txt");
}
