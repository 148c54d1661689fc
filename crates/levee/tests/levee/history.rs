//! `levee runs`, `levee show` and `levee coverage`, on a ledger in the twin.

use std::process::Output;

use jiff::{Timestamp, ToSpan, civil::Date};
use levee_ledger::{
    Claim, canonical_json,
    receipt::Receipt,
    state::{ObjectPointer, TableLine},
};
use rstest::rstest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::support::{Served, run};

const LEDGER: &str = "levee-ledger";
/// What a failure says, with what would colour a terminal.
const CAUSE: &str = "the job failed\u{1b}[31m: look at it";

/// A ledger, and the command on it.
struct World {
    served: Served,
}

impl World {
    async fn new() -> Self {
        let served = Served::new().await;
        served.s3().create_bucket().bucket(LEDGER).send().await.unwrap();
        Self { served }
    }

    /// Of two sources: a good run, one with tables that are not whole, one that failed and was taken over, one under way.
    async fn filled() -> Self {
        let world = Self::new().await;
        world.closed("lake-events", "2026-03-30", "events-30", "complete", &[table("sales/orders", "whole")]).await;
        let tables = [table("sales/orders", "whole"), table("sales/refunds", "torn"), table("web/clicks", "behind")];
        world.closed("lake-events", "2026-03-31", "events-31", "degraded", &tables).await;
        world.closed("lake-sales", "2026-03-31", "sales-31", "complete", &[]).await;
        world.claim("lake-events", "2026-04-01", 1, "events-01").await;
        let failure = json!({ "attempt": 1, "cause": format!("{CAUSE}{}", " and so on".repeat(40)) });
        world.put("runs/lake-events/2026-04-01/events-01/04-job-poll-attempt-1-failed.json", failure.to_string()).await;
        world.claim("lake-sales", "2026-04-01", 1, "sales-01").await;
        world.claim("lake-sales", "2026-04-01", 2, "sales-01-2").await;
        world.put("runs/lake-sales/2026-04-01/sales-01/01-manifest-ready.json", "{}").await;
        world.put("runs/lake-sales/2026-04-01/sales-01-2/02-bucket-provision.json", "{}").await;
        world
    }

    async fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.served.s3().put_object().bucket(LEDGER).key(key).body(bytes.into().into()).send().await.unwrap();
    }

    async fn claim(&self, source: &str, day: &str, number: u32, execution: &str) {
        let claim = Claim {
            execution_arn: format!("arn:aws:states:us-east-1:222222222222:execution:levee-backup:{execution}"),
            execution_name: execution.to_owned(),
            claimed_at: "2026-04-03T02:00:00Z".parse().unwrap(),
        };
        self.put(&format!("runs/{source}/{day}/claim-{number:04}.json"), canonical_json(&claim).unwrap()).await;
    }

    async fn closed(&self, source: &str, day: &str, execution: &str, outcome: &str, tables: &[TableLine]) {
        self.claim(source, day, 1, execution).await;
        let folder = format!("runs/{source}/{day}/{execution}/");
        let list: Vec<u8> = tables.iter().flat_map(|line| canonical_json(line).unwrap()).collect();
        let mut receipt = receipt(source, day, execution, outcome);
        tables.iter().for_each(|line| receipt.tables.tables.verdicts.add(line.verdict.verdict));
        receipt.tables.tables.tables = tables.len() as u64;
        if !tables.is_empty() {
            let key = format!("{folder}08-table-verify.jsonl");
            receipt.tables.list_sha256 = Some(hex::encode(Sha256::digest(&list)));
            let etag = String::new();
            receipt.tables.tables.list =
                Some(ObjectPointer { bucket: LEDGER.to_owned(), key: key.clone(), etag, version_id: None });
            self.put(&key, list).await;
        }
        self.put(&format!("{folder}report.html"), "<!doctype html>").await;
        self.put(&format!("{folder}receipt.json"), canonical_json(&receipt).unwrap()).await;
    }

    fn levee(&self, arguments: &[&str]) -> Output {
        let mut command = self.served.levee(arguments);
        command.env("LEVEE_LEDGER_BUCKET", LEDGER);
        run(command)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let done = self.levee(&[arguments, &["--json"]].concat());
        assert_eq!((done.status.code(), told(&done).as_str()), (Some(0), ""));
        serde_json::from_slice(&done.stdout).unwrap()
    }
}

fn told(done: &Output) -> String {
    String::from_utf8_lossy(&done.stderr).into_owned()
}

fn shown(done: &Output) -> String {
    assert_eq!((done.status.code(), told(done).as_str()), (Some(0), ""));
    String::from_utf8(done.stdout.clone()).unwrap()
}

/// A text without the frames of its tables, so that a sentence in several lines is one.
fn flat(text: &str) -> String {
    text.replace(['│', '┆'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn receipt(source: &str, day: &str, execution: &str, outcome: &str) -> Receipt {
    let date: Date = day.parse().unwrap();
    let started: Timestamp = date.checked_add(2.days()).unwrap().in_tz("UTC").unwrap().timestamp();
    let document = json!({
        "version": 1, "sequence": 7, "previous_sha256": "ab".repeat(32), "outcome": outcome,
        "headline": format!("{source} {day}: as the receipt says"),
        "run": { "source": source, "source_account": "111111111111", "backup_date": day,
            "execution_arn": format!("arn:aws:states:us-east-1:222222222222:execution:levee-backup:{execution}"),
            "execution_name": execution, "started": started, "closed": started.checked_add(2.hours()).unwrap(), "redrives": 1 },
        "inventory": { "bucket": "manifests", "key": "lake/daily/manifest.json", "etag": "e", "scan_started": started,
            "objects": 1_204_334, "bytes": 3_000_000 },
        "objects": { "copied": 1_204_331, "copied_large": 0, "vanished": 3, "skipped": 0, "failed_rows": { "vanished": 3 } },
        "jobs": [],
        "snapshot": { "bucket": format!("{source}-snapshot"), "account": "222222222222", "region": "us-east-1",
            "objects": 1_204_331, "bytes": 5_u64 << 30, "changed": 2, "unexpected": 0 },
        "tables": { "tables": 0, "verdicts": {}, "repaired": 0, "repaired_objects": 0, "repaired_bytes": 0 },
        "stages": [{ "state": "ManifestReady", "entered": started, "left": started.checked_add(90.seconds()).unwrap() },
            { "state": "RunClose", "entered": started.checked_add(7_190.seconds()).unwrap() }],
        "settings": { "source": source, "source_account": "111111111111", "inventory": { "bucket": "manifests", "id": "daily" } },
        "levee_version": "0.1.0",
    });
    serde_json::from_value(document).unwrap()
}

fn table(path: &str, verdict: &str) -> TableLine {
    let whole = if verdict == "torn" { Value::Null } else { json!(7) };
    let facts =
        json!({ "timestamp_ms": 1_774_915_200_000_i64, "files": 1_200, "bytes": 5_u64 << 30, "deletion_vectors": 0 });
    let document = json!({
        "path": path, "verdict": verdict, "latest_version": if verdict == "whole" { 7 } else { 9 }, "latest_loadable_version": 7,
        "newest_whole_version": whole, "newest_whole": if verdict == "torn" { Value::Null } else { facts }, "missing": [],
        "missing_in_all": { "objects": if verdict == "whole" { 0 } else { 31 }, "bytes": 0 },
        "self_contained": true, "unsupported": [], "opens_in_place": { "yes": true },
        "explanation": if verdict == "whole" { Value::Null } else { json!("vacuumed since\u{202e}") },
    });
    serde_json::from_value(document).unwrap()
}

/// Date, source, execution and state of each run.
fn lines(document: &Value) -> Vec<String> {
    let text = |run: &Value, name: &str| run[name].as_str().unwrap().to_owned();
    let line = |run: &Value| ["backup_date", "execution_name", "state"].map(|name| text(run, name)).join(" ");
    document["runs"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_newest_first_with_what_came_of_them() {
    let world = World::filled().await;
    let all = world.json(&["runs"]);
    assert_eq!(
        lines(&all),
        [
            "2026-04-01 events-01 failed",
            "2026-04-01 sales-01-2 open",
            "2026-04-01 sales-01 superseded",
            "2026-03-31 events-31 degraded",
            "2026-03-31 sales-31 complete",
            "2026-03-30 events-30 complete",
        ]
    );
    assert_eq!(all["runs"][0]["last_record"]["stage"], "job-poll");
    assert_eq!(
        all["runs"][3]["counts"],
        json!({ "tables": 3, "tables_whole": 1, "objects": 1_204_331, "bytes": 5_u64 << 30, "seconds": 7_200 })
    );
    assert_eq!(lines(&world.json(&["runs", "--limit", "4"])), lines(&all)[..4]);
    let of_one = lines(&world.json(&["runs", "--source", "lake-events", "--limit", "2"]));
    assert_eq!(of_one, ["2026-04-01 events-01 failed", "2026-03-31 events-31 degraded"]);
    let text = shown(&world.levee(&["runs"]));
    for part in [
        "1 of 3",
        "1,204,331",
        "5.00 GiB",
        "2 h 00 min",
        "job-poll has failed: 04-job-poll-attempt-1-failed.json at",
        "taken over by sales-01-2",
    ] {
        assert!(flat(&text).contains(part), "{part:?} is not in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_are_not_asked_for_are_not_read() {
    let world = World::new().await;
    for day in 1..=28 {
        world.closed("lake-events", &format!("2026-02-{day:02}"), "x", "complete", &[]).await;
    }
    let before = world.served.twin.calls().len();
    assert_eq!(lines(&world.json(&["runs", "--limit", "1"])), ["2026-02-28 x complete"]);
    let calls = world.served.twin.calls().split_off(before);
    let reads = calls.iter().filter(|call| call.operation == "GetObject").count();
    assert_eq!((calls.len(), reads), (5, 2), "sources, days, the day, its claim, its receipt: {calls:?}");
    assert!(calls.iter().all(|call| ["GetObject", "ListObjectsV2"].contains(&call.operation.as_str())), "{calls:?}");
}

#[rstest]
#[case::day(&["lake-events/2026-03-31"], "events-31")]
#[case::execution(&["lake-sales/2026-04-01/sales-01"], "sales-01")]
#[case::newest_execution_of_a_day(&["lake-sales/2026-04-01"], "sales-01-2")]
#[case::latest(&["latest", "--source", "lake-sales"], "sales-01-2")]
#[tokio::test(flavor = "multi_thread")]
async fn run_is_found_by_its_name(#[case] name: &[&str], #[case] execution: &str) {
    let world = World::filled().await;
    let document = world.json(&[&["show"], name].concat());
    assert_eq!(document["run"]["execution_name"], execution);
}

#[rstest]
#[case::no_such_day(&["lake-events/2026-03-28"], "lake-events has no run for 2026-03-28; the nearest are lake-events/2026-03-30, lake-events/2026-03-31, lake-events/2026-04-01")]
#[case::no_such_execution(&["lake-sales/2026-04-01/x"], "it has lake-sales/2026-04-01/sales-01-2, lake-sales/2026-04-01/sales-01")]
#[case::no_such_source(&["lake/2026-03-31"], "it has those of lake-events, lake-sales")]
#[case::latest_of_which(&["latest"], "latest needs --source, because there are several: lake-events, lake-sales")]
#[case::latest_of_nobody(&["latest", "--source", "lake"], "it has those of lake-events, lake-sales")]
#[case::contradiction(&["lake-sales/2026-04-01", "--source", "lake"], "--source says \"lake\"")]
#[case::no_name(&["yesterday"], "names no run")]
#[case::no_tables(&["lake-sales/2026-04-01", "--tables"], "has no receipt that this release can read")]
#[case::unknown_verdict(&["lake-sales/2026-03-31", "--tables", "--verdict", "broken"], "the verdicts are whole, catalog-managed, behind")]
#[tokio::test(flavor = "multi_thread")]
async fn run_that_is_not_there_is_refused_with_what_there_is(#[case] arguments: &[&str], #[case] part: &str) {
    let world = World::filled().await;
    let done = world.levee(&[&["show"], arguments].concat());
    assert!(done.status.code() == Some(2) && told(&done).contains(part), "{:?}: {}", done.status, told(&done));
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_run_is_shown_with_its_receipt_and_its_stages() {
    let world = World::filled().await;
    let document = world.json(&["show", "lake-events/2026-03-31"]);
    let body = world.served.s3().get_object().bucket(LEDGER).key("runs/lake-events/2026-03-31/events-31/receipt.json");
    let bytes = body.send().await.unwrap().body.collect().await.unwrap().into_bytes();
    assert_eq!(document["receipt"], serde_json::from_slice::<Value>(&bytes).unwrap());
    assert_eq!(document["receipt_sha256"], hex::encode(Sha256::digest(&bytes)));
    assert_eq!(document["page"], "s3://levee-ledger/runs/lake-events/2026-03-31/events-31/report.html");
    let text = shown(&world.levee(&["show", "lake-events/2026-03-31"]));
    for part in [
        "lake-events 2026-03-31: as the receipt says",
        "degraded",
        "1,204,334: 1,204,331 copied, 3 vanished",
        "2 of another size",
        "3: 1 whole, 1 behind, 1 torn",
        "1 min 30 s",
        "levee show lake-events/2026-03-31/events-31 --ledger levee-ledger --tables --verdict torn --verdict behind",
    ] {
        assert!(flat(&text).contains(part), "{part:?} is not in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_run_is_shown_with_its_cause_and_nothing_that_a_terminal_obeys() {
    let world = World::filled().await;
    let text = shown(&world.levee(&["show", "lake-events/2026-04-01"]));
    for part in [
        "lake-events 2026-04-01: failed",
        "the job failed⟨U+001B⟩[31m: look at it",
        "04-job-poll-attempt-1-failed.json",
        "There is no receipt.",
    ] {
        assert!(flat(&text).contains(part), "{part:?} is not in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "an escape sequence of a record");
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest < Some(130), "{widest:?} characters in a line:\n{text}");
    let cause = world.json(&["show", "lake-events/2026-04-01"])["cause"].clone();
    assert!(cause.as_str().unwrap().starts_with(CAUSE), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_listed_by_verdict() {
    let world = World::filled().await;
    let paths = |options: &[&str]| -> Vec<String> {
        let document = world.json(&[&["show", "lake-events/2026-03-31", "--tables"], options].concat());
        document["tables"].as_array().unwrap().iter().map(|line| line["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(paths(&[]), ["sales/orders", "sales/refunds", "web/clicks"]);
    assert_eq!(paths(&["--verdict", "torn"]), ["sales/refunds"]);
    assert_eq!(paths(&["--verdict", "behind", "--verdict", "whole"]), ["sales/orders", "web/clicks"]);
    assert!(paths(&["--verdict", "not-self-contained"]).is_empty());
    let text = shown(&world.levee(&["show", "lake-events/2026-03-31", "--tables"]));
    for part in
        ["none of 9", "7 of 9", "1,200", "5.00 GiB", "2026-03-31 00:00", "31", "vacuumed since⟨U+202E⟩", "3 tables"]
    {
        assert!(flat(&text).contains(part), "{part:?} is not in:\n{text}");
    }
}

#[rstest]
#[case::changed(Some("{}\n"), "is not the one that the receipt pins")]
#[case::gone(None, "is gone")]
#[tokio::test(flavor = "multi_thread")]
async fn list_of_tables_that_is_not_the_pinned_one_is_no_answer(#[case] bytes: Option<&str>, #[case] part: &str) {
    let world = World::filled().await;
    let key = "runs/lake-events/2026-03-31/events-31/08-table-verify.jsonl";
    match bytes {
        Some(bytes) => world.put(key, bytes).await,
        None => drop(world.served.s3().delete_object().bucket(LEDGER).key(key).send().await.unwrap()),
    }
    let done = world.levee(&["show", "lake-events/2026-03-31", "--tables"]);
    assert!(done.status.code() == Some(1) && told(&done).contains(part), "{:?}: {}", done.status, told(&done));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_slices_are_told_in_one_line_and_are_all_in_the_document() {
    let world = World::filled().await;
    world.claim("lake-events", "2026-04-02", 1, "events-02").await;
    for slice in 1..=3 {
        let key = format!("runs/lake-events/2026-04-02/events-02/01-manifest-ready-slice-{slice:03}-count.json");
        world.put(&key, "{}").await;
    }
    let text = shown(&world.levee(&["show", "lake-events/2026-04-02"]));
    assert!(text.contains("3 records of slices") && !text.contains("slice-00"), "{text}");
    let document = world.json(&["show", "lake-events/2026-04-02"]);
    assert_eq!(document["records"].as_array().unwrap().len(), 3, "{document}");
}

#[tokio::test(flavor = "multi_thread")]
async fn receipt_that_cannot_be_read_is_told_and_hides_no_other_run() {
    let world = World::filled().await;
    world.put("runs/lake-events/2026-03-31/events-31/receipt.json", "{\"version\": 2").await;
    let done = world.levee(&["runs", "--source", "lake-events", "--json"]);
    assert_eq!(done.status.code(), Some(1), "{}", told(&done));
    let document: Value = serde_json::from_slice(&done.stdout).unwrap();
    let expected = ["2026-04-01 events-01 failed", "2026-03-31 events-31 unreadable", "2026-03-30 events-30 complete"];
    assert_eq!(lines(&document), expected);
    let done = world.levee(&["show", "lake-events/2026-03-31"]);
    let text = flat(&String::from_utf8_lossy(&done.stdout));
    assert!(
        done.status.code() == Some(1) && text.contains("is no receipt that") && !text.contains("There is no receipt"),
        "{text}"
    );
}

#[rstest]
#[case::nothing(&["runs"], 0, "s3://levee-ledger/runs/ has no runs")]
#[case::latest(&["show", "latest"], 2, "the ledger levee-ledger has no runs")]
#[case::source(&["runs", "--source", "lake"], 2, "it has none of any source")]
#[case::no_ledger(&["runs", "--ledger", "other-ledger"], 1, "other-ledger")]
#[case::bad_limit(&["runs", "--limit", "0"], 2, "--limit")]
#[tokio::test(flavor = "multi_thread")]
async fn empty_ledger_is_told(#[case] arguments: &[&str], #[case] code: i32, #[case] part: &str) {
    let done = World::new().await.levee(arguments);
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), told(&done));
    assert!(done.status.code() == Some(code) && text.contains(part), "{:?}: {text}", done.status);
}

#[rstest]
#[case::tables_without_a_whole_backup(&[], 1, "1 of 3 tables have a whole backup;")]
#[case::what_a_restore_would_take_of_one(&[], 1, "version 7 of 2026-03-31 is whole")]
#[case::nothing_to_be_covered(&["--source", "lake-sales"], 0, "0 of 0 tables have a whole backup")]
#[case::no_such_source(&["--source", "lake"], 2, "it has those of lake-events, lake-sales")]
#[case::no_ledger(&["--ledger", "other-ledger"], 2, "other-ledger")]
#[case::bad_limit(&["--limit", "0"], 2, "--limit")]
#[tokio::test(flavor = "multi_thread")]
async fn coverage_ends_with_the_code_of_what_it_says(
    #[case] arguments: &[&str],
    #[case] code: i32,
    #[case] part: &str,
) {
    let done = World::filled().await.levee(&[&["coverage"], arguments].concat());
    let text = flat(&format!("{}{}", String::from_utf8_lossy(&done.stdout), told(&done)));
    assert!(done.status.code() == Some(code) && text.contains(part), "{:?}: {text}", done.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn coverage_by_a_list_that_is_not_the_pinned_one_is_none() {
    let world = World::filled().await;
    world.put("runs/lake-events/2026-03-31/events-31/08-table-verify.jsonl", "{}\n").await;
    let done = world.levee(&["coverage", "--source", "lake-events", "--json"]);
    assert_eq!((done.status.code(), told(&done).as_str()), (Some(2), ""));
    let document: Value = serde_json::from_slice(&done.stdout).unwrap();
    let problem = document["sources"][0]["problems"][0].as_str().unwrap();
    assert!(problem.contains("is not the one that the receipt pins"), "{problem}");
    let table = &document["tables"][0];
    let found = [&table["path"], &table["state"], &table["whole_backup"]["backup_date"], &table["verdict"]];
    assert_eq!(found, [&json!("sales/orders"), &json!("covered"), &json!("2026-03-30"), &Value::Null], "not gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn coverage_of_an_empty_ledger_is_told() {
    let done = World::new().await.levee(&["coverage"]);
    assert!(done.status.code() == Some(2) && told(&done).contains("has no runs"), "{}", told(&done));
}

#[tokio::test(flavor = "multi_thread")]
async fn ledger_must_be_named() {
    let done = run(World::new().await.served.levee(&["runs"]));
    assert!(done.status.code() == Some(2) && told(&done).contains("--ledger <BUCKET>"), "{}", told(&done));
}
