//! Delta tables whose copies are not whole: each gets its verdict, and is mended from the source where the source can.

use levee_ledger::state::TableLine;
use levee_stage::Aws;
use levee_tests::{Ended, Hands, Rig, RigBuilder};
use levee_twin::faults::FaultAnswer;
use serde_json::{Value, json};

use super::support::{SNAPSHOT, SOURCE, assert_failed, assert_succeeded, day, fault, others, stage_named, worker_of};

const TABLE: &str = "sales/orders";

/// What a commit does to a table: files that it adds and removes, by name. A file's bytes are its name, where nothing else is said.
#[derive(Clone, Copy, Default)]
pub(crate) struct Commit<'a> {
    /// The table's id, where the commit makes the table.
    pub(crate) makes: Option<&'a str>,
    pub(crate) adds: &'a [&'a str],
    /// Further files that it adds, with the bytes that they have.
    pub(crate) adds_of: &'a [(&'a str, u64)],
    pub(crate) removes: &'a [&'a str],
    /// `commitInfo.timestamp`.
    pub(crate) at: i64,
}

pub(crate) fn log(version: u64) -> String {
    format!("{TABLE}/_delta_log/{version:020}.json")
}

pub(crate) fn commit(version: u64, commit: &Commit<'_>) -> (String, Vec<u8>) {
    let mut lines = vec![json!({ "commitInfo": { "timestamp": commit.at, "operation": "WRITE" } })];
    if let Some(id) = commit.makes {
        lines.push(json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }));
        lines.push(json!({ "metaData": { "id": id, "format": { "provider": "parquet", "options": {} },
            "schemaString": "{\"type\":\"struct\",\"fields\":[]}", "partitionColumns": [], "configuration": {} } }));
    }
    for name in commit.removes {
        lines.push(json!({ "remove": { "path": name, "dataChange": true, "deletionTimestamp": commit.at } }));
    }
    let named = commit.adds.iter().map(|name| (*name, name.len() as u64));
    for (name, bytes) in named.chain(commit.adds_of.iter().copied()) {
        lines.push(json!({ "add": { "path": name, "partitionValues": {}, "size": bytes,
            "modificationTime": commit.at, "dataChange": true } }));
    }
    let text: Vec<_> = lines.iter().map(Value::to_string).collect();
    (log(version), text.join("\n").into_bytes())
}

pub(crate) fn data(name: &str) -> (String, Vec<u8>) {
    (format!("{TABLE}/{name}"), name.as_bytes().to_vec())
}

/// Commits 0 to 2 of a table, each with a file, and the files.
pub(crate) fn orders() -> Vec<(String, Vec<u8>)> {
    let adds = [["a.parquet"], ["b.parquet"], ["c.parquet"]];
    let mut objects = Vec::new();
    for (version, adds) in (0..).zip(&adds) {
        let makes = (version == 0).then_some("orders-1");
        objects.push(commit(
            version,
            &Commit { makes, adds, at: 1_000 + i64::try_from(version).unwrap(), ..Commit::default() },
        ));
        objects.push(data(adds[0]));
    }
    objects
}

pub(crate) async fn rig() -> Rig {
    RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap()).build().await.unwrap()
}

pub(crate) async fn inventory(rig: &Rig) {
    rig.deliver("2026-04-02T01:00:00Z".parse().unwrap()).await.unwrap();
}

pub(crate) async fn delete(aws: &Aws, bucket: &str, key: &str) {
    aws.s3.delete_object().bucket(bucket).key(key).send().await.unwrap();
}

async fn night(rig: &mut Rig) -> Ended {
    let execution = rig.start(day()).await.unwrap();
    rig.until_ended(&execution).await.unwrap()
}

/// The verdicts of the newest look.
async fn verdicts(rig: &Rig) -> Vec<TableLine> {
    let ledger = rig.ledger().await.unwrap();
    let list = ledger.iter().rfind(|(key, _)| key.ends_with("-tables.jsonl")).unwrap().1;
    String::from_utf8(list.clone()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The only verdict.
pub(crate) async fn verdict(rig: &Rig) -> Value {
    let verdicts = verdicts(rig).await;
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    serde_json::to_value(&verdicts[0]).unwrap()
}

fn torn_events(rig: &Rig) -> Vec<Value> {
    let events = rig.twin.events().into_iter().map(|event| event.event);
    events.filter(|event| event["detail-type"] == "Tables Torn").map(|event| event["detail"].clone()).collect()
}

pub(crate) fn assert_whole_at(table: &Value, version: u64) {
    assert_eq!(table["verdict"], "whole", "{table}");
    assert_eq!(table["newest_whole_version"], version, "{table}");
    assert_eq!((&table["missing"], &table["opens_in_place"]["yes"]), (&json!([]), &json!(true)), "{table}");
}

pub(crate) fn assert_told(table: &Value, words: &[&str]) {
    let told = table["explanation"].as_str().unwrap_or_default();
    for word in words {
        assert!(told.contains(word), "{word:?} is not in {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_table_is_whole_and_nothing_is_done_to_it() {
    let mut rig = rig().await;
    rig.fill(orders()).await.unwrap();
    inventory(&rig).await;
    let ended = night(&mut rig).await;
    assert_succeeded(&ended);
    let table = verdict(&rig).await;
    assert_whole_at(&table, 2);
    assert_eq!((&table["path"], &table["repair"], &table["explanation"]), (&json!(TABLE), &Value::Null, &Value::Null));
    assert_eq!(table["newest_whole"]["files"], 3);
    assert_eq!(ended.output["tables"]["verdicts"]["whole"], 1);
    assert_eq!(torn_events(&rig), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn tables_whose_copies_are_archived_are_not_checked_and_it_is_said() {
    let mut rig = rig().await;
    rig.fill(orders()).await.unwrap();
    inventory(&rig).await;
    let mut input = rig.plan.execution_input(day(), 2);
    input["run"]["snapshot"]["storage_class"] = json!("DEEP_ARCHIVE");
    let execution = rig.start_with("night", &input).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_succeeded(&ended);
    let tables = &ended.output["tables"];
    assert!(tables["not_checked"].as_str().unwrap().contains("DEEP_ARCHIVE"), "{tables}");
    assert_eq!((&tables["tables"], &ended.output["receipt"]["outcome"]), (&json!(0), &json!("degraded")));
}

#[tokio::test(start_paused = true)]
async fn an_inventory_that_misses_the_newest_data_files_is_mended_from_the_source() {
    let mut rig = rig().await;
    let newest = ["c.parquet"].map(data);
    rig.fill(orders().into_iter().filter(|object| !newest.contains(object))).await.unwrap();
    inventory(&rig).await;
    rig.fill(newest).await.unwrap();
    assert_succeeded(&night(&mut rig).await);
    let table = verdict(&rig).await;
    assert_whole_at(&table, 2);
    assert_eq!((&table["repair"]["before"], &table["repair"]["objects"]), (&json!("behind"), &json!(1)), "{table}");
    assert_eq!(table["repair"]["version_before"], 1);
    assert_told(&table, &["was behind", "1 objects were copied from the source"]);
}

#[tokio::test(start_paused = true)]
async fn an_inventory_that_misses_a_commit_is_mended_from_the_source() {
    let mut rig = rig().await;
    rig.fill(orders().into_iter().filter(|(key, _)| *key != log(1))).await.unwrap();
    inventory(&rig).await;
    rig.fill(orders()).await.unwrap();
    assert_succeeded(&night(&mut rig).await);
    let table = verdict(&rig).await;
    assert_whole_at(&table, 2);
    assert_eq!((&table["repair"]["version_before"], &table["repair"]["objects"]), (&json!(0), &json!(1)), "{table}");
}

#[tokio::test(start_paused = true)]
async fn an_inventory_that_has_the_checksum_of_a_commit_and_not_the_commit_is_mended_from_the_source() {
    let mut rig = rig().await;
    rig.fill(orders().into_iter().filter(|(key, _)| *key != log(2))).await.unwrap();
    rig.fill([(log(2).replace(".json", ".crc"), b"{}".to_vec())]).await.unwrap();
    inventory(&rig).await;
    rig.fill(orders()).await.unwrap();
    assert_succeeded(&night(&mut rig).await);
    let table = verdict(&rig).await;
    assert_whole_at(&table, 2);
    assert_eq!((&table["repair"]["version_before"], &table["repair"]["objects"]), (&json!(1), &json!(1)), "{table}");
    assert_told(&table, &["nothing of commit 2 than its file of checksums"]);
}

#[tokio::test(start_paused = true)]
async fn a_vacuum_between_inventory_and_copy_is_mended_to_the_version_that_the_source_has() {
    let mut rig = rig().await;
    rig.fill(orders()).await.unwrap();
    inventory(&rig).await;
    let removes = ["a.parquet", "b.parquet", "c.parquet"];
    let compaction = Commit { adds: &["all.parquet"], removes: &removes, at: 2_000, ..Commit::default() };
    rig.fill([commit(3, &compaction), data("all.parquet")]).await.unwrap();
    for name in removes {
        delete(&rig.accounts.warehouse, SOURCE, &data(name).0).await;
    }
    let ended = night(&mut rig).await;
    assert_succeeded(&ended);
    assert_eq!(ended.output["report"]["vanished_in_all"], 3);
    let table = verdict(&rig).await;
    assert_whole_at(&table, 3);
    assert_eq!((&table["repair"]["before"], &table["repair"]["objects"]), (&json!("torn"), &json!(2)), "{table}");
    let gone =
        "all 3 were in the inventory of 2026-04-02T01:00:00Z and gone from the source when they were to be copied";
    assert_told(&table, &[gone, "newest whole version is 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_cleaned_up_between_inventory_and_copy_is_mended_and_it_is_said() {
    let mut rig = rig().await;
    let log = "curated/planes/_delta_log/";
    let checkpoint = format!("{log}00000000000000000008.checkpoint.parquet");
    let lake = levee::lake::sample().unwrap().into_iter().map(|file| (file.key, file.bytes.to_vec()));
    let planes = lake.filter(|(key, _)| key.starts_with("curated/planes/"));
    let (later, sooner): (Vec<_>, Vec<_>) =
        planes.partition(|(key, _)| *key == checkpoint || key.ends_with("/_last_checkpoint"));
    rig.fill(sooner).await.unwrap();
    inventory(&rig).await;
    rig.fill(later).await.unwrap();
    for version in 0..8 {
        delete(&rig.accounts.warehouse, SOURCE, &format!("{log}{version:020}.json")).await;
    }
    assert_succeeded(&night(&mut rig).await);
    let table = verdict(&rig).await;
    assert_whole_at(&table, 9);
    assert_eq!((&table["repair"]["before"], &table["repair"]["objects"]), (&json!("torn"), &json!(1)), "{table}");
    assert_told(&table, &["8 commits from 0 on were in the inventory", "its log was cleaned up meanwhile"]);
}

/// A night of a table without its newest file that has come as far as the look at the tables, which nobody takes yet.
async fn before_the_look() -> (Rig, Hands, String) {
    let rig = rig().await;
    let newest = data("c.parquet");
    rig.fill(orders().into_iter().filter(|object| *object != newest)).await.unwrap();
    inventory(&rig).await;
    rig.fill([newest]).await.unwrap();
    let others = rig.hands(&others("table-verify"), &rig.accounts.backup);
    let execution = rig.start_alone(day()).await.unwrap();
    rig.capture("table-verify").await.unwrap();
    (rig, others, execution)
}

async fn look(rig: &Rig, execution: &str) -> Ended {
    let _hands = rig.hands(&[stage_named("table-verify")], &worker_of(rig, "table-verify"));
    rig.until_ended(execution).await.unwrap()
}

pub(crate) async fn drop_table(rig: &Rig) {
    for (key, _) in orders() {
        delete(&rig.accounts.warehouse, SOURCE, &key).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_table_is_explained_and_does_not_fail_the_night() {
    let (rig, _others, execution) = before_the_look().await;
    drop_table(&rig).await;
    assert_succeeded(&look(&rig, &execution).await);
    let table = verdict(&rig).await;
    assert_eq!((&table["verdict"], &table["newest_whole_version"]), (&json!("behind"), &json!(1)), "{table}");
    assert_eq!(table["missing"], json!([{ "path": "c.parquet", "why": "absent", "want": 9 }]));
    assert_told(
        &table,
        &[
            "the table was dropped",
            "earlier backup",
            "none was gone from the source at the copy",
            "came after the inventory",
        ],
    );
    assert_eq!(table["behind"], json!({ "versions": 1, "ms": 1 }), "{table}");
    let age = "2026-04-02T01:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second() - 2;
    assert_eq!(table["age_seconds"], age, "{table}");
    let events = torn_events(&rig);
    assert_eq!((events.len(), &events[0]["verdicts"]["behind"]), (1, &json!(1)), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_cannot_be_checked_fails_the_night_by_name_and_the_others_have_their_verdicts() {
    let mut rig = rig().await;
    rig.fill(orders()).await.unwrap();
    let others = orders().into_iter().map(|(key, bytes)| (key.replace(TABLE, "sales/other"), bytes));
    rig.fill(others).await.unwrap();
    inventory(&rig).await;
    rig.set_faults(fault("s3", "GetObject", Some(&log(1)), None, FaultAnswer::Denied));
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(&ended, "Levee.TablesTorn", &["1 of 2 tables whole, 1 not checked", TABLE, "GetObject", "redrive"]);
    let found = verdicts(&rig).await;
    let found: Vec<_> = found.iter().map(|line| (line.verdict.path.as_str(), line.verdict.verdict.name())).collect();
    assert_eq!(found, [(TABLE, "not_checked"), ("sales/other", "whole")]);
    rig.set_faults(levee_twin::FaultPlan::default());
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn files_at_absolute_paths_are_told_with_whether_their_place_is_backed_up() {
    let mut rig = rig().await;
    let places =
        ["s3://known-lake/orders/a", "s3a://unknown-lake/orders/b", &format!("s3://{SOURCE}/other/c"), "abfss://x/d"];
    let clone = Commit { makes: Some("clone"), adds: &places, at: 1_000, ..Commit::default() };
    rig.fill([commit(0, &clone)]).await.unwrap();
    inventory(&rig).await;
    let known = rig
        .accounts
        .backup
        .s3
        .put_object()
        .bucket(&rig.plan.ledger_bucket)
        .key("runs/known-lake/2026-03-30/night/x.json");
    known.body(b"{}".to_vec().into()).send().await.unwrap();
    let ended = night(&mut rig).await;
    assert_succeeded(&ended);
    let table = verdict(&rig).await;
    assert_eq!((&table["verdict"], &table["self_contained"]), (&json!("not_self_contained"), &json!(false)), "{table}");
    assert_told(
        &table,
        &[
            "bucket known-lake has backups of its own",
            "bucket unknown-lake is not backed up",
            "in this backup, unless the selection leaves it out",
            "not a bucket of S3, so in no backup of Levee",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_table_that_was_dropped_and_made_again_is_named_and_left_as_it_is() {
    let (rig, _others, execution) = before_the_look().await;
    drop_table(&rig).await;
    let again = Commit { makes: Some("orders-2"), adds: &["new.parquet"], at: 9_000_000_000, ..Commit::default() };
    rig.fill([commit(0, &again), data("new.parquet")]).await.unwrap();
    assert_succeeded(&look(&rig, &execution).await);
    let table = verdict(&rig).await;
    assert_eq!((&table["verdict"], &table["newest_whole_version"]), (&json!("behind"), &json!(1)), "{table}");
    assert_eq!(table["repair"], Value::Null);
    assert_told(&table, &["dropped and made again at the same path"]);
    assert_eq!(rig.object(&rig.accounts.backup, SNAPSHOT, &data("new.parquet").0).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_mixes_two_tables_of_one_path_is_suspected_and_named() {
    let mut rig = rig().await;
    rig.fill(orders()).await.unwrap();
    inventory(&rig).await;
    let again = Commit { makes: Some("orders-2"), adds: &["a.parquet"], at: 9_000_000_000, ..Commit::default() };
    rig.fill([commit(0, &again)]).await.unwrap();
    let others = rig.hands(&others("table-verify"), &rig.accounts.backup);
    let execution = rig.start_alone(day()).await.unwrap();
    rig.capture("table-verify").await.unwrap();
    for version in [1, 2] {
        delete(&rig.accounts.warehouse, SOURCE, &log(version)).await;
    }
    assert_succeeded(&look(&rig, &execution).await);
    drop(others);
    let table = verdict(&rig).await;
    assert_eq!(table["suspected_incarnations"], true, "{table}");
    assert_told(&table, &["dropped and made again"]);
    rig.kill_workers();
}

#[tokio::test(start_paused = true)]
async fn a_last_checkpoint_newer_than_the_list_is_written_anew_so_that_the_copy_opens() {
    let mut rig = rig().await;
    let lake = levee::lake::sample().unwrap().into_iter().map(|file| (file.key, file.bytes.to_vec()));
    let planes: Vec<_> = lake.filter(|(key, _)| key.starts_with("curated/planes/")).collect();
    rig.fill(planes).await.unwrap();
    inventory(&rig).await;
    let hint = "curated/planes/_delta_log/_last_checkpoint";
    rig.fill([(hint.to_owned(), br#"{"version":99,"size":3}"#.to_vec())]).await.unwrap();
    assert_succeeded(&night(&mut rig).await);
    let table = verdict(&rig).await;
    assert_whole_at(&table, 9);
    assert_eq!((&table["repair"]["objects"], &table["repair"]["last_checkpoint_written"]), (&json!(0), &json!(true)));
    let written = rig.object(&rig.accounts.backup, SNAPSHOT, hint).await.unwrap().unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written["version"], 8);
}

#[tokio::test(start_paused = true)]
async fn tables_that_cannot_be_mended_for_lack_of_rights_fail_the_night_and_a_redrive_mends_them() {
    let mut rig = rig().await;
    let newest = ["c.parquet"].map(data);
    rig.fill(orders().into_iter().filter(|object| !newest.contains(object))).await.unwrap();
    inventory(&rig).await;
    rig.fill(newest).await.unwrap();
    rig.set_faults(fault("s3", "CopyObject", Some("c.parquet"), None, FaultAnswer::Denied));
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_failed(
        &ended,
        "Levee.TablesTorn",
        &["0 of 1 tables whole, 1 behind", "c.parquet", "s3:GetObject", "redrive"],
    );
    let events = torn_events(&rig);
    assert_eq!((events.len(), &events[0]["verdicts"]["behind"]), (1, &json!(1)), "{events:?}");
    rig.set_faults(levee_twin::FaultPlan::default());
    rig.redrive(&execution).await.unwrap();
    assert_succeeded(&rig.until_ended(&execution).await.unwrap());
    assert_whole_at(&verdict(&rig).await, 2);
    let copied = rig.object(&rig.accounts.backup, SNAPSHOT, &data("c.parquet").0).await.unwrap();
    assert_eq!(copied, Some(b"c.parquet".to_vec()));
}
