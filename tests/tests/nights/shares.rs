//! Tables with more objects than table-verify holds at once: judged and mended share by share.

use levee_tests::Rig;
use levee_twin::{faults::FaultAnswer, gate::RecordedCall};
use rstest::rstest;
use serde_json::json;

use super::{
    support::{SNAPSHOT, SOURCE, assert_failed, assert_succeeded, day, fault, others, stage_named, worker_of},
    tables::{Commit, assert_told, assert_whole_at, commit, data, delete, inventory, log, rig, verdict},
};

/// Shares of a quarter of it: four objects.
const HELD: u32 = 16;

fn names(of: &str) -> Vec<String> {
    (0..30).map(|number| format!("{of}-{number:02}.parquet")).collect()
}

/// A table of two commits with thirty files each.
fn table() -> Vec<(String, Vec<u8>)> {
    let (old, new) = (names("old"), names("new"));
    let adds: Vec<&str> = old.iter().map(String::as_str).collect();
    let first = Commit { makes: Some("many"), adds: &adds, at: 1_000, ..Commit::default() };
    let adds: Vec<&str> = new.iter().map(String::as_str).collect();
    let second = Commit { adds: &adds, at: 2_000, ..Commit::default() };
    let mut objects = vec![commit(0, &first), commit(1, &second)];
    objects.extend(old.iter().chain(&new).map(|name| data(name)));
    objects
}

/// A night that looks at its tables with little memory, of an inventory without what `late` takes.
async fn night(late: impl Fn(&str) -> bool) -> (Rig, String) {
    let rig = rig().await;
    let (later, sooner): (Vec<_>, Vec<_>) = table().into_iter().partition(|(key, _)| late(key));
    rig.fill(sooner).await.unwrap();
    inventory(&rig).await;
    rig.fill(later).await.unwrap();
    let execution = rig.start_alone(day()).await.unwrap();
    (rig, execution)
}

async fn ended(rig: &Rig, execution: &str) -> levee_tests::Ended {
    let _others = rig.hands(&others("table-verify"), &rig.accounts.backup);
    let stages = [stage_named("table-verify")];
    let _look = rig.hands_with(&stages, &worker_of(rig, "table-verify"), |hosted| hosted.with_objects_at_once(HELD));
    rig.until_ended(execution).await.unwrap()
}

async fn assert_copied(rig: &Rig) {
    for (key, bytes) in table() {
        assert_eq!(rig.object(&rig.accounts.backup, SNAPSHOT, &key).await.unwrap(), Some(bytes), "{key}");
    }
}

#[rstest]
#[case::behind(|key: &str| key.contains("new-"), "behind", 30)]
#[case::torn(|key: &str| key.contains("new-") || key == log(0), "torn", 31)]
#[tokio::test(start_paused = true)]
async fn a_table_of_more_objects_than_are_held_is_mended_data_first(
    #[case] late: fn(&str) -> bool,
    #[case] before: &str,
    #[case] objects: usize,
) {
    let (rig, execution) = night(late).await;
    assert_succeeded(&ended(&rig, &execution).await);
    let table = verdict(&rig).await;
    assert_whole_at(&table, 1);
    assert_eq!(table["newest_whole"]["files"], 60);
    assert_eq!((&table["repair"]["before"], &table["repair"]["objects"]), (&json!(before), &json!(objects)), "{table}");
    assert_copied(&rig).await;
    let (calls, role) = (rig.twin.calls(), rig.plan.worker_role_arn("table-verify"));
    let copies: Vec<_> =
        calls.iter().filter(|call| &*call.operation == "CopyObject" && *call.principal == *role).collect();
    assert_eq!(copies.len(), objects);
    let of_log = |call: &&RecordedCall| call.resource.contains("_delta_log");
    assert_eq!(copies.iter().rev().take_while(|call| of_log(call)).count(), objects - 30, "{copies:?}");
}

#[tokio::test(start_paused = true)]
async fn files_that_go_while_a_large_table_is_mended_are_explained_and_nothing_is_lost() {
    let (rig, execution) = night(|key| key.contains("new-")).await;
    let _others = rig.hands(&others("table-verify"), &rig.accounts.backup);
    rig.capture("table-verify").await.unwrap();
    for name in names("new") {
        delete(&rig.accounts.warehouse, SOURCE, &data(&name).0).await;
    }
    assert_succeeded(&ended(&rig, &execution).await);
    let table = verdict(&rig).await;
    assert_eq!((&table["verdict"], &table["newest_whole_version"]), (&json!("behind"), &json!(0)), "{table}");
    assert_eq!(table["missing_in_all"]["objects"], 30, "{table}");
    assert_told(&table, &["the source is no better"]);
}

#[tokio::test(start_paused = true)]
async fn a_large_table_that_cannot_be_mended_for_lack_of_rights_is_mended_by_a_redrive() {
    let (rig, execution) = night(|key| key.contains("new-")).await;
    rig.set_faults(fault("s3", "CopyObject", Some("new-17.parquet"), None, FaultAnswer::Denied));
    assert_failed(&ended(&rig, &execution).await, "Levee.TablesTorn", &["new-17.parquet", "redrive"]);
    rig.set_faults(levee_twin::FaultPlan::default());
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&ended(&rig, &execution).await);
    assert_whole_at(&verdict(&rig).await, 1);
    assert_copied(&rig).await;
}

#[tokio::test(start_paused = true)]
async fn a_dangling_hint_of_a_large_table_is_written_anew() {
    let lake = levee::lake::sample().unwrap().into_iter().map(|file| (file.key, file.bytes.to_vec()));
    let planes: Vec<_> = lake.filter(|(key, _)| key.starts_with("curated/planes/")).collect();
    let rig = rig().await;
    rig.fill(planes).await.unwrap();
    inventory(&rig).await;
    let hint = "curated/planes/_delta_log/_last_checkpoint";
    rig.fill([(hint.to_owned(), br#"{"version":99,"size":3}"#.to_vec())]).await.unwrap();
    let execution = rig.start_alone(day()).await.unwrap();
    assert_succeeded(&ended(&rig, &execution).await);
    let table = verdict(&rig).await;
    assert_whole_at(&table, 9);
    assert_eq!((&table["repair"]["objects"], &table["repair"]["last_checkpoint_written"]), (&json!(0), &json!(true)));
}
