//! What the ledger knows of runs, found by listing the twin's S3.

use jiff::civil::{Date, date};
use levee_ledger::{
    Ledger, OwnerState, RunKey, canonical_json,
    history::{End, KnownRun},
    receipt::Receipt,
};
use levee_stage::Aws;
use levee_twin::{Twin, service::Principal};
use serde_json::json;

const BUCKET: &str = "backup-ledger";

/// The twin must outlive the clients.
struct World {
    twin: Twin,
    aws: Aws,
    ledger: Ledger,
}

async fn world() -> World {
    let twin = Twin::builder().build();
    let aws = Aws::new(&twin.sdk_config("222222222222", &Principal::Root));
    aws.s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    World { twin, ledger: Ledger::new(aws.s3.clone(), BUCKET), aws }
}

impl World {
    async fn put(&self, key: &str, bytes: Vec<u8>) {
        self.aws.s3.put_object().bucket(BUCKET).key(key).body(bytes.into()).send().await.unwrap();
        // Objects have whole seconds.
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
    }

    async fn claim(&self, backup_date: Date, name: &str) {
        let run = run(backup_date, name);
        let now = self.twin.clock().now();
        self.ledger.claim(&run, now, async |_| Ok(OwnerState::Ended)).await.unwrap();
    }

    async fn record(&self, backup_date: Date, name: &str, record: &str) {
        self.put(&run(backup_date, name).record(record), b"{}\n".to_vec()).await;
    }
}

fn run(backup_date: Date, name: &str) -> RunKey {
    RunKey {
        source: "lake-events".to_owned(),
        backup_date,
        execution_arn: format!("arn:aws:states:us-east-1:222222222222:execution:backup:{name}"),
        execution_name: name.to_owned(),
        restore: None,
    }
}

/// A receipt of the form `version`.
fn receipt(version: u32) -> Vec<u8> {
    let receipt = json!({
        "version": version, "sequence": 1, "headline": "lake-events 31 Mar 2026: no tables, 3 objects", "outcome": "complete",
        "run": { "source": "lake-events", "source_account": "111111111111", "backup_date": "2026-03-31", "execution_arn": "arn",
            "execution_name": "first", "started": "2026-04-02T00:00:00Z", "closed": "2026-04-02T01:00:00Z", "redrives": 0 },
        "inventory": { "bucket": "manifests", "key": "manifest.json", "etag": "e", "scan_started": "2026-04-02T00:00:00Z",
            "objects": 3, "bytes": 9 },
        "objects": { "copied": 3, "copied_large": 0, "vanished": 0, "skipped": 0, "failed_rows": {} },
        "jobs": [], "stages": [],
        "snapshot": { "bucket": "lake-events-31-mar-2026", "account": "222222222222", "region": "us-east-1", "objects": 3,
            "bytes": 9, "changed": 0, "unexpected": 0 },
        "tables": { "tables": 0, "verdicts": {}, "repaired": 0, "repaired_objects": 0, "repaired_bytes": 0 },
        "settings": { "source": "lake-events", "source_account": "111111111111",
            "inventory": { "bucket": "manifests", "id": "daily" } },
        "levee_version": "0.1.0",
    });
    let receipt: Receipt = serde_json::from_value(receipt).unwrap();
    canonical_json(&receipt).unwrap()
}

fn last(run: &KnownRun) -> (&'static str, String) {
    match &run.end {
        End::Closed(closed) => ("closed", closed.receipt.value.headline.clone()),
        End::Failed(record) => ("failed", record.name.clone()),
        End::Open(record) => ("open", record.as_ref().map(|record| record.name.clone()).unwrap_or_default()),
        End::Unreadable(why) => ("unreadable", why.clone()),
    }
}

#[tokio::test(start_paused = true)]
async fn runs_of_a_day_are_told_with_what_came_of_them_the_last_claim_first() {
    let (world, day) = (world().await, date(2026, 3, 31));
    world.claim(day, "first").await;
    assert_eq!(last(&world.ledger.runs_of("lake-events", day).await.unwrap()[0]), ("open", String::new()));
    world.record(day, "first", "01-manifest-ready.json").await;
    world.record(day, "first", "04-job-poll-attempt-1-failed.json").await;
    world.claim(day, "second").await;
    world.record(day, "second", "05-report-parse-attempt-1-incomplete.json").await;
    world.record(day, "second", "05-report-parse-attempt-2.json").await;
    world.record(day, "second", "05-report-parse-attempt-2-vanished.jsonl").await;
    world.record(day, "second", "06-large-copy/0000-end-failed.json").await;
    let runs = world.ledger.runs_of("lake-events", day).await.unwrap();
    let told: Vec<_> =
        runs.iter().map(|run| (run.execution_name.as_str(), last(run), run.superseded_by.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("second", ("open", "05-report-parse-attempt-2.json".to_owned()), None),
            ("first", ("failed", "04-job-poll-attempt-1-failed.json".to_owned()), Some("second")),
        ]
    );
    let names: Vec<_> =
        world.ledger.records_of(&runs[0]).await.unwrap().into_iter().map(|record| record.name).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    world.claim(day, "first").await;
    let runs = world.ledger.runs_of("lake-events", day).await.unwrap();
    assert_eq!((runs[0].execution_name.as_str(), runs[0].claims.len(), runs.len()), ("first", 2, 2));
}

#[tokio::test(start_paused = true)]
async fn receipt_closes_a_run_and_its_digest_is_that_of_its_bytes() {
    let (world, day) = (world().await, date(2026, 3, 31));
    world.record(day, "first", "04-job-poll-attempt-1-failed.json").await;
    let bytes = receipt(1);
    world.put(&run(day, "first").record("receipt.json"), bytes.clone()).await;
    let runs = world.ledger.runs_of("lake-events", day).await.unwrap();
    let End::Closed(closed) = &runs[0].end else { panic!("{runs:?}") };
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes));
    assert_eq!(
        (&closed.sha256, closed.receipt.pointer.key.as_str()),
        (&digest, "runs/lake-events/2026-03-31/first/receipt.json")
    );
    assert_eq!(runs[0].receipt(), Some(&closed.receipt.value));
}

#[tokio::test(start_paused = true)]
async fn receipt_of_another_form_or_none_at_all_is_told_and_hides_no_other_run() {
    let (world, day) = (world().await, date(2026, 3, 31));
    world.put(&run(day, "later").record("receipt.json"), receipt(2)).await;
    world.put(&run(day, "torn").record("receipt.json"), b"{\"version\":1".to_vec()).await;
    world.put(&run(day, "whole").record("receipt.json"), receipt(1)).await;
    let runs = world.ledger.runs_of("lake-events", day).await.unwrap();
    let told: Vec<_> = runs.iter().map(last).collect();
    assert!(told[0].0 == "unreadable" && told[0].1.contains("has the form 2, this release knows 1"), "{told:?}");
    assert!(told[1].0 == "unreadable" && told[1].1.contains("/torn/receipt.json"), "{told:?}");
    assert_eq!(told[2].0, "closed");
}

#[tokio::test(start_paused = true)]
async fn days_are_listed_newest_first_whatever_their_number_and_without_their_records() {
    let world = world().await;
    let first = date(2023, 1, 1);
    for n in 0..1_100_i64 {
        let day = first.checked_add(jiff::Span::new().days(n)).unwrap();
        for name in ["a.json", "b.json"] {
            world.aws.s3.put_object().bucket(BUCKET).key(run(day, "x").record(name)).send().await.unwrap();
        }
    }
    let before = world.twin.calls().len();
    let days = world.ledger.days("lake-events").await.unwrap();
    assert_eq!((days.len(), days[0], days[1_099]), (1_100, date(2026, 1, 4), first));
    let calls = world.twin.calls().split_off(before);
    assert_eq!(calls.len(), 2, "two pages of folders: {calls:?}");
    assert_eq!(world.ledger.sources().await.unwrap(), ["lake-events"]);
    assert!(world.ledger.days("lake").await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn folder_that_is_no_day_is_named() {
    let world = world().await;
    world.put("runs/lake-events/2026-3-31/x/receipt.json", Vec::new()).await;
    let error = world.ledger.days("lake-events").await.unwrap_err();
    assert!(error.name == "Levee.LedgerCorrupt" && error.cause.contains("lake-events/2026-3-31/"), "{error}");
}
