//! `levee plan`.

use std::{collections::BTreeSet, fs, path::Path};

use aws_sdk_s3::primitives::ByteStream;
use levee_formats::{
    inventory::{Column, DataFile, DataWriter, FileFormat, Manifest, Record, Schema},
    md5_hex,
};
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{Served, levee, run};

const GB: u64 = 1 << 30;

/// Key, size, storage class and further fields of an object.
type Listed<'a> = (&'a str, u64, &'a str, &'a [(Column, &'a str)]);

const FULL: &str = "Bucket, Key, Size, StorageClass, EncryptionStatus, IntelligentTieringAccessTier";

/// An inventory of two files: nine objects of every kind.
fn inventory(schema: &str) -> Vec<(String, Vec<u8>)> {
    let customer = [(Column::EncryptionStatus, "SSE-C")];
    let tiered = [(Column::IntelligentTieringAccessTier, "ARCHIVE")];
    let rows: [Listed<'_>; 9] = [
        ("sales/orders/a b", GB, "STANDARD", &[]),
        ("sales/orders/_delta_log/0.json", 100, "STANDARD", &[]),
        ("sales/orders/big", 10 * GB, "STANDARD", &[]),
        ("sales/refunds/ä", 2 * GB, "STANDARD_IA", &[]),
        ("sales/refunds/secret", 5, "STANDARD", &customer),
        ("cold/a", GB, "GLACIER", &[]),
        ("cold/big", 8 * GB, "DEEP_ARCHIVE", &[]),
        ("cold/tiered", GB, "INTELLIGENT_TIERING", &tiered),
        ("tmp/x", 7, "STANDARD", &[]),
    ];
    let schema = Schema::parse(schema).unwrap();
    let (mut objects, mut files) = (Vec::new(), Vec::new());
    for (index, rows) in rows.chunks(5).enumerate() {
        let mut writer = DataWriter::inventory(Vec::new(), &schema).unwrap();
        for (key, size, class, further) in rows {
            let record = Record {
                bucket: "lake",
                key: key.as_bytes(),
                size: Some(*size),
                storage_class: Some(class),
                ..Record::default()
            };
            writer.row(&Record { further, ..record }).unwrap();
        }
        let written = writer.finish().unwrap();
        let key = format!("inv/lake/daily/data/{index}.csv.gz");
        files.push(DataFile { key: key.clone(), size: written.size, md5: written.md5.clone() });
        objects.push((key, written.writer));
    }
    let manifest = Manifest {
        source_bucket: "lake".to_owned(),
        destination_bucket: "manifests".to_owned(),
        version: "2016-11-30".to_owned(),
        created: "2026-04-02T01:00:00Z".parse().unwrap(),
        format: FileFormat::Csv,
        schema,
        files,
    };
    let manifest = manifest.to_json();
    objects.push(("inv/lake/daily/2026-04-02T01-00Z/manifest.checksum".to_owned(), md5_hex(&manifest).into_bytes()));
    objects.push(("inv/lake/daily/2026-04-02T01-00Z/manifest.json".to_owned(), manifest));
    objects
}

fn write(folder: &Path, schema: &str) -> String {
    for (key, bytes) in inventory(schema) {
        let path = folder.join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder.join("inv/lake/daily/2026-04-02T01-00Z/manifest.json").to_str().unwrap().to_owned()
}

/// The exit code, the document and what was told of an inventory in a folder.
fn plan(schema: &str, options: &[&str]) -> (Option<i32>, Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write(folder.path(), schema);
    let done = levee(&[&["plan", &manifest, "--json"], options].concat()).output().unwrap();
    let document = serde_json::from_slice(&done.stdout).unwrap_or(Value::Null);
    (done.status.code(), document, String::from_utf8_lossy(&done.stderr).into_owned())
}

fn rows(document: &Value) -> Value {
    let decisions = document["decisions"].as_object().unwrap();
    decisions.iter().map(|(name, amount)| (name.clone(), amount["rows"].clone())).collect()
}

#[rstest]
#[case::nothing_asked(&[], json!({ "batch": 6, "large": 2, "unsupported": 1 }))]
#[case::prefix(&["--include-prefix", "sales/orders/"], json!({ "batch": 2, "large": 1, "excluded": 6 }))]
#[case::glob(&["--include-glob", "sales/*/*"], json!({ "batch": 2, "large": 1, "unsupported": 1, "excluded": 5 }))]
#[case::several(&["--include-glob", "sales/*/_delta_log/**", "--include-prefix", "tmp/"], json!({ "batch": 2, "excluded": 7 }))]
#[case::excluded(&["--exclude-prefix", "cold/", "--exclude-glob", "**/secret"], json!({ "batch": 4, "large": 1, "excluded": 4 }))]
#[case::class(&["--storage-class-only", "STANDARD_IA", "--storage-class-only", "GLACIER"], json!({ "batch": 2, "excluded": 7 }))]
#[case::skipped(&["--archived", "skip"], json!({ "batch": 4, "large": 1, "skipped_archived": 3, "unsupported": 1 }))]
#[case::restored(&["--archived", "restore"], json!({ "batch": 4, "large": 1, "restore": 3, "unsupported": 1 }))]
fn decisions_are_those_that_a_run_with_these_settings_makes(#[case] options: &[&str], #[case] decisions: Value) {
    let (code, document, told) = plan(FULL, options);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    assert_eq!(rows(&document), decisions);
    assert_eq!(
        (&document["objects"], &document["files"], &document["source_bucket"]),
        (&json!(9), &json!(2), &json!("lake"))
    );
}

#[test]
fn largest_objects_and_those_that_are_not_copied_are_named() {
    let (_, document, _) = plan(FULL, &["--archived", "skip"]);
    let largest: Vec<_> =
        document["largest"].as_array().unwrap().iter().map(|object| object["key"].as_str().unwrap()).collect();
    assert_eq!(
        largest,
        ["sales/orders/big", "sales/refunds/ä", "sales/orders/a b", "sales/orders/_delta_log/0.json", "tmp/x"]
    );
    let reasons: BTreeSet<_> = document["not_copied"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", row["key"].as_str().unwrap(), row["reason"].as_str().unwrap()))
        .collect();
    let named = [
        "cold/a skipped_archived",
        "cold/big skipped_archived",
        "cold/tiered skipped_archived",
        "sales/refunds/secret unsupported",
    ];
    assert_eq!(reasons, named.map(str::to_owned).into());
}

/// The amount of a line of an estimate.
fn amount(lines: &Value, what: &str) -> f64 {
    let line = lines.as_array().unwrap().iter().find(|line| line["what"] == what);
    line.unwrap_or_else(|| panic!("{what:?} is not in {lines:#}"))["amount"].as_f64().unwrap()
}

const PRICES: &str = r#"
region = "eu-north-9"
currency = "EUR"
date = "2026-11-01"
source = "a test"
batch = { per_job = 1000.0, per_million_objects = 1e6 }
inventory = { per_million_objects = 1e6 }
transfer = { to_another_region_per_gb = 0.5 }
[classes]
STANDARD = { storage_per_gb = 3.0, put_per_1000 = 2000.0, get_per_1000 = 100.0 }
STANDARD_IA = { storage_per_gb = 2.0, put_per_1000 = 1000.0, get_per_1000 = 100.0, retrieval_per_gb = 7.0, minimum_days = 30, minimum_bytes = 131072 }
ONEZONE_IA = { storage_per_gb = 2.0, put_per_1000 = 1000.0, get_per_1000 = 100.0 }
INTELLIGENT_TIERING = { storage_per_gb = 2.0, put_per_1000 = 1000.0, get_per_1000 = 100.0, monitoring_per_1000_objects = 1000.0 }
GLACIER_IR = { storage_per_gb = 2.0, put_per_1000 = 1000.0, get_per_1000 = 100.0 }
[classes.GLACIER]
storage_per_gb = 1.0
put_per_1000 = 5000.0
get_per_1000 = 100.0
minimum_days = 90
overhead_bytes = 1073741824
overhead_standard_bytes = 1073741824
restore.BULK = { per_1000 = 11000.0, per_gb = 13.0 }
restore.STANDARD = { per_1000 = 1.0, per_gb = 1.0 }
[classes.DEEP_ARCHIVE]
storage_per_gb = 1.0
put_per_1000 = 5000.0
get_per_1000 = 100.0
restore.BULK = { per_1000 = 17000.0, per_gb = 19.0 }
restore.STANDARD = { per_1000 = 1.0, per_gb = 1.0 }
"#;

#[test]
fn cost_follows_the_price_table() {
    let prices = tempfile::NamedTempFile::new().unwrap();
    fs::write(prices.path(), PRICES).unwrap();
    let table = prices.path().to_str().unwrap();
    let options = ["--archived", "restore", "--prices", table, "--cross-region", "--copies-storage-class", "GLACIER"];
    let (code, document, told) = plan(FULL, &options);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let (run, month) = (&document["cost"]["run"], &document["cost"]["month"]);
    let bytes = 23.0 + 107.0 / GB as f64;
    let near = |lines: &Value, what: &str, expected: f64| {
        let amount = amount(lines, what);
        assert!((amount - expected).abs() < 1e-3, "{what}: {amount}, expected {expected}");
    };
    near(run, "S3 Inventory", 9.0);
    // The copy job, the restore job, and the copy job of what is restored.
    near(run, "S3 Batch Operations, jobs", 3000.0);
    // Four to copy, three to restore, two of those to copy by a job.
    near(run, "S3 Batch Operations, objects", 9.0);
    near(run, "copies by jobs (COPY)", 6.0 * 5.0);
    // 10 GB and 8 GB in parts of 128 MB, and two calls beside for each.
    near(run, "copies in parts (PUT)", (80.0 + 64.0 + 4.0) * 5.0);
    near(run, "looks at large objects (GET)", 4.0 * 0.1);
    near(run, "retrieval from STANDARD_IA", 2.0 * 7.0);
    near(run, "restores from GLACIER", 11.0);
    near(run, "retrieval by restores from GLACIER", 13.0);
    near(run, "restores from DEEP_ARCHIVE", 17.0);
    near(run, "retrieval by restores from DEEP_ARCHIVE", 8.0 * 19.0);
    near(run, "restores from INTELLIGENT_TIERING", 0.0);
    near(run, "restored copies in the source", 10.0 * 3.0 * 7.0 / 30.0);
    near(run, "transfer to another Region", bytes * 0.5);
    near(month, "storage in GLACIER", bytes + 8.0);
    near(month, "names and attributes in STANDARD", 8.0 * 3.0);
    assert_eq!(document["cost"]["minimum_days"], 90);
    let sum =
        |lines: &Value| lines.as_array().unwrap().iter().map(|line| line["amount"].as_f64().unwrap()).sum::<f64>();
    assert!((sum(run) - document["cost"]["run_total"].as_f64().unwrap()).abs() < 1e-9);
    assert_eq!(
        (&document["prices"]["region"], &document["prices"]["date"], &document["prices"]["currency"]),
        (&json!("eu-north-9"), &json!("2026-11-01"), &json!("EUR"))
    );
    let (_, small, _) =
        plan(FULL, &["--include-prefix", "tmp/", "--prices", table, "--copies-storage-class", "STANDARD_IA"]);
    near(&small["cost"]["month"], "storage in STANDARD_IA", 2.0 * 131_072.0 / GB as f64);
    let (_, tiered, _) =
        plan(FULL, &["--include-prefix", "tmp/", "--prices", table, "--copies-storage-class", "INTELLIGENT_TIERING"]);
    near(&tiered["cost"]["month"], "monitoring", 1.0);
}

#[test]
fn text_says_what_is_done_what_it_costs_and_when_the_prices_held() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write(folder.path(), FULL);
    let done = levee(&["plan", &manifest, "--archived", "restore", "--exclude-prefix", "tmp/"]).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    for part in [
        "9 objects, 23.0 GiB of lake in 2 data files, scanned at 2026-04-02T01:00:00Z",
        "archived: restored first, then copied",
        "not selected",
        "DEEP_ARCHIVE 1, GLACIER 1, INTELLIGENT_TIERING 1",
        "10.0 GiB  \"sales/orders/big\"",
        "\"sales/refunds/secret\"",
        "S3 Batch Operations, jobs",
        "storage in STANDARD",
        "Prices of 2026-06-05 for us-east-1",
        "Not confirmed: requests;",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn settings_of_a_run_are_taken_from_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let run = json!({ "run": {
        "source": "lake", "source_account": "111111111111", "inventory": { "bucket": "manifests", "prefix": "inv", "id": "daily" },
        "scheduled_time": "<aws.scheduler.scheduled-time>", "time_zone": "UTC", "settle_days": 2,
        "selection": { "include": [{ "prefix": "cold/" }] }, "archived": { "restore": { "tier": "STANDARD" } },
        "snapshot": { "storage_class": "GLACIER_IR" },
    }});
    let file = folder.path().join("run.json");
    fs::write(&file, run.to_string()).unwrap();
    let (code, document, told) = plan(FULL, &["--run", file.to_str().unwrap()]);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    assert_eq!(rows(&document), json!({ "restore": 3, "excluded": 6 }));
    assert_eq!(document["copies_storage_class"], "GLACIER_IR");
    let (code, _, told) = plan(FULL, &["--run", file.to_str().unwrap(), "--archived", "skip"]);
    assert!(code == Some(2) && told.contains("cannot be used with"), "{told}");
}

#[rstest]
#[case::nothing_selected(FULL, &["--include-prefix", "sale/"], 1, "")]
#[case::bad_glob(FULL, &["--include-glob", "a[b"], 2, "run.selection.include[0]")]
#[case::unknown_class(FULL, &["--storage-class-only", "COLD"], 2, "COLD")]
#[case::unknown_class_of_copies(FULL, &["--copies-storage-class", "COLD"], 2, "COLD")]
#[case::no_prices(FULL, &["--prices", "/nowhere/prices.toml"], 2, "/nowhere/prices.toml")]
#[case::column_missing("Bucket, Key, Size", &["--archived", "skip"], 1, "add StorageClass")]
#[case::tier_missing("Bucket, Key, Size, StorageClass", &["--archived", "skip"], 1, "add IntelligentTieringAccessTier")]
fn what_a_run_would_fail_on_is_told(
    #[case] schema: &str,
    #[case] options: &[&str],
    #[case] code: i32,
    #[case] part: &str,
) {
    let (exit, document, told) = plan(schema, options);
    assert!(exit == Some(code) && told.contains(part), "{exit:?}: {told}");
    assert_eq!(document["nothing_selected"] == true, part.is_empty());
}

#[test]
fn missing_columns_are_named_with_what_they_leave_unknown() {
    let (code, document, _) = plan("Bucket, Key", &[]);
    assert_eq!((code, rows(&document)), (Some(0), json!({ "batch": 9 })));
    assert_eq!((&document["cost"], &document["one_job_for_all"]), (&Value::Null, &json!(true)));
    assert_eq!(document["unknown"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn inventory_in_s3_is_read_and_nothing_else_is_done() {
    let served = Served::new().await;
    served.s3().create_bucket().bucket("manifests").send().await.unwrap();
    for (key, bytes) in inventory(FULL) {
        served.s3().put_object().bucket("manifests").key(key).body(ByteStream::from(bytes)).send().await.unwrap();
    }
    let before = served.twin.calls().len();
    let url = "s3://manifests/inv/lake/daily/2026-04-02T01-00Z/manifest.json";
    let done = run(served.levee(&["plan", url, "--archived", "restore", "--include-prefix", "cold/"]));
    assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(0), ""));
    let calls: Vec<_> = served.twin.calls().split_off(before);
    assert_eq!(calls.len(), 4, "the manifest, its checksum and two data files: {calls:?}");
    for call in calls {
        assert!(
            call.service == "s3" && call.operation == "GetObject" && call.resource.contains("manifests"),
            "{call:?}"
        );
    }
}
