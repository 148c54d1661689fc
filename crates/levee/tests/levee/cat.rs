//! `levee inventory cat` and `levee report cat`.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::Stdio,
};

use levee_formats::{
    inventory::{DataFile, DataWriter, FileFormat, Manifest, Record, Schema},
    md5_hex,
    report::{LineEnd, ResultWriter, TaskResult, TaskStatus},
};
use serde_json::{Value, json};

use super::support::{Served, levee, run};

const DATA: &str = "inv/data/1.csv.gz";

/// The files of an inventory with rows for `keys`, by their keys.
fn inventory(keys: impl Iterator<Item = String>) -> [(String, Vec<u8>); 3] {
    let schema = Schema::parse("Bucket, Key, Size").unwrap();
    let mut writer = DataWriter::inventory(Vec::new(), &schema).unwrap();
    for key in keys {
        writer.row(&Record { bucket: "lake", key: key.as_bytes(), size: Some(3), ..Record::default() }).unwrap();
    }
    let written = writer.finish().unwrap();
    let manifest = Manifest {
        source_bucket: "lake".to_owned(),
        destination_bucket: "reports".to_owned(),
        version: "2016-11-30".to_owned(),
        created: "2026-04-02T01:00:00Z".parse().unwrap(),
        format: FileFormat::Csv,
        schema,
        files: vec![DataFile { key: DATA.to_owned(), size: written.size, md5: written.md5.clone() }],
    };
    let manifest = manifest.to_json();
    let checksum = md5_hex(&manifest).into_bytes();
    [
        ("inv/2026/manifest.json".to_owned(), manifest),
        ("inv/2026/manifest.checksum".to_owned(), checksum),
        (DATA.to_owned(), written.writer),
    ]
}

/// The files of a report with a row that succeeded and two that failed.
fn report() -> [(String, Vec<u8>); 3] {
    let write = |status: TaskStatus, code: &str, keys: &[&str]| {
        let mut writer = ResultWriter::new(Vec::new(), LineEnd::Lf);
        for key in keys {
            let http_status = Some(if status == TaskStatus::Succeeded { 200 } else { 403 });
            let (bucket, raw_key, message) = ("lake", key.as_bytes(), "");
            let row = TaskResult { bucket, raw_key, version_id: "", status, http_status, error_code: code, message };
            writer.row(&row).unwrap();
        }
        writer.finish().unwrap()
    };
    let succeeded = write(TaskStatus::Succeeded, "", &["a"]);
    let failed = write(TaskStatus::Failed, "AccessDenied", &["b%20b", "c"]);
    let result = |status: &str, md5: &str| {
        let key = format!("job/results/{status}.csv");
        json!({"TaskExecutionStatus": status, "Bucket": "reports", "Key": key, "MD5Checksum": md5})
    };
    let manifest = json!({
        "Format": "Report_CSV_20180820",
        "ReportCreationDate": "2026-04-02T02:00:00.000Z",
        "Results": [result("succeeded", &succeeded.md5), result("failed", &failed.md5)],
        "ReportSchema": "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"
    });
    [
        ("job/manifest.json".to_owned(), manifest.to_string().into_bytes()),
        ("job/results/succeeded.csv".to_owned(), succeeded.writer),
        ("job/results/failed.csv".to_owned(), failed.writer),
    ]
}

async fn served(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Served {
    let served = Served::new().await;
    let s3 = served.s3();
    s3.create_bucket().bucket("reports").send().await.unwrap();
    for (key, bytes) in files {
        s3.put_object().bucket("reports").key(key).body(bytes.into()).send().await.unwrap();
    }
    served
}

fn write(root: &Path, files: impl IntoIterator<Item = (String, Vec<u8>)>) {
    for (key, bytes) in files {
        let path = root.join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn rows(output: &[u8]) -> Vec<Value> {
    output
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn inventory_in_s3_is_printed_row_by_row_and_as_totals() {
    let served = served(inventory(["a b", "ä"].map(str::to_owned).into_iter())).await;
    let url = "s3://reports/inv/2026/manifest.json";
    let done = run(served.levee(&["inventory", "cat", url]));
    assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(0), ""));
    let row = |key: &str| json!({"bucket": "lake", "key": key, "size": 3});
    assert_eq!(rows(&done.stdout), [row("a b"), row("ä")]);
    let done = run(served.levee(&["inventory", "cat", "--stats", url]));
    let [totals] = rows(&done.stdout).try_into().unwrap();
    assert_eq!((&totals["rows"], &totals["objects"], &totals["bytes"]), (&json!(2), &json!(2), &json!(6)));
    assert_eq!(
        (&totals["source_bucket"], &totals["bad_rows"], done.status.code()),
        (&json!("lake"), &json!(0), Some(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn report_in_s3_is_printed_row_by_row_and_as_totals() {
    let served = served(report()).await;
    let url = "s3://reports/job/manifest.json";
    let done = run(served.levee(&["report", "cat", "--tasks", "3", url]));
    assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(0), ""));
    let printed = rows(&done.stdout);
    assert_eq!(printed.iter().map(|row| &row["key"]).collect::<Vec<_>>(), ["a", "b b", "c"]);
    assert_eq!((&printed[1]["error_code"], &printed[1]["http_status"]), (&json!("AccessDenied"), &json!(403)));
    let done = run(served.levee(&["report", "cat", "--stats", "--tasks", "4", url]));
    let [totals] = rows(&done.stdout).try_into().unwrap();
    assert_eq!((&totals["succeeded"], &totals["failed"]), (&json!(1), &json!(2)));
    assert_eq!(totals["failed_by_error_code"], json!({"AccessDenied": 2}));
    assert_eq!((&totals["failed_with_other_error_codes"], done.status.code()), (&json!(0), Some(1)));
    assert!(String::from_utf8_lossy(&done.stderr).contains("3 rows for 4 tasks"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_in_s3_is_named() {
    let [manifest, checksum, _data] = inventory(["a".to_owned()].into_iter());
    let served = served([manifest, checksum]).await;
    for (url, missing) in
        [("s3://reports/inv/2026/manifest.json", DATA), ("s3://reports/none.json", "s3://reports/none.json")]
    {
        let done = run(served.levee(&["inventory", "cat", url]));
        let problems = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!((done.status.code(), done.stdout.len()), (Some(1), 0), "{problems}");
        assert!(problems.contains(missing) && problems.contains("does not exist"), "{problems}");
    }
}

#[test]
fn reader_that_goes_away_ends_the_command_quietly() {
    let folder = tempfile::tempdir().unwrap();
    // Far more than a pipe holds.
    write(folder.path(), inventory((0..50_000).map(|n| format!("events/part-{n:08}"))));
    let manifest = folder.path().join("inv/2026/manifest.json");
    let mut command = levee(&["inventory", "cat", manifest.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    // The pipe is closed with the reader, at the end of this statement.
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("part-00000000"), "{first}");
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!((child.wait().unwrap().code(), told.as_str()), (Some(0), ""));
}
