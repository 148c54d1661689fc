//! The published samples of inventories and completion reports through the two `cat` commands, where they are at hand:
//! `$LEVEE_SHARED` or the folder `shared` beside the repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::support::levee;

fn samples() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::env::var_os("LEVEE_SHARED").map_or_else(beside, PathBuf::from).join("conformance/s3/cases")
}

/// Reads a sample with the command of its kind: exit code, rows, problems.
fn cat(case: &Path, kind: &str, expected: &Value) -> (Option<i32>, Vec<Value>, String) {
    let manifest = case.join("manifest.json");
    let mut command = levee(&[kind, "cat"]);
    command.arg(manifest);
    if kind == "report" {
        if let Some(codec) = expected["key_codec"].as_str() {
            command.args(["--key-codec", codec]);
        }
        if let Some(tasks) = expected["total_tasks"].as_u64() {
            command.args(["--tasks", &tasks.to_string()]);
        }
    }
    let done = command.output().unwrap();
    let lines = done.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let rows = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
    (done.status.code(), rows, String::from_utf8_lossy(&done.stderr).into_owned())
}

/// The members that differ, as (ours, theirs). Empty text and null are the same: the samples have either.
fn differences(kind: &str, want: &Value, got: &Value, expected: &Value) -> Vec<(String, Value, Value)> {
    let plain = |value: &Value| if value == "" { Value::Null } else { value.clone() };
    let mut pairs = Vec::new();
    if kind == "inventory" {
        for name in ["bucket", "key", "is_latest", "is_delete_marker", "size", "etag", "storage_class"] {
            pairs.push((name.to_owned(), got[name].clone(), want[name].clone()));
        }
        if want.get("version_id").is_some() {
            let version = if got["version_id"].is_null() { "null".into() } else { got["version_id"].clone() };
            pairs.push(("version_id".to_owned(), version, want["version_id"].clone()));
        }
        let stamp = got["last_modified"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let millis = stamp.map_or(Value::Null, |stamp| stamp.as_millisecond().into());
        pairs.push(("last_modified".to_owned(), millis, want["last_modified_ms"].clone()));
    } else {
        let key = if expected["key_codec"] == "percent" { "key_if_percent" } else { "key_if_form" };
        let names = [("bucket", "bucket"), ("key", key), ("version_id", "version"), ("status", "status")];
        let further = [("http_status", "http"), ("error_code", "code"), ("message", "message")];
        let malformed = want["malformed"].as_bool() == Some(true);
        for (ours, theirs) in names.into_iter().chain(further).filter(|(ours, _)| !(malformed && *ours == "message")) {
            pairs.push((ours.to_owned(), plain(&got[ours]), plain(&want[theirs])));
        }
    }
    pairs.retain(|(_, ours, theirs)| ours != theirs);
    pairs
}

#[test]
fn every_sample_gives_its_rows_and_its_verdict() {
    let Ok(folder) = fs::read_dir(samples()) else {
        println!("skipped: there are no samples in {}", samples().display());
        return;
    };
    let (mut played, mut failed) = (0, Vec::new());
    for case in folder.map(|entry| entry.unwrap().path()) {
        let expected: Value = serde_json::from_slice(&fs::read(case.join("expect.json")).unwrap()).unwrap();
        let Some(kind) = expected["kind"].as_str().filter(|kind| ["inventory", "report"].contains(kind)) else {
            continue;
        };
        played += 1;
        let (code, rows, problems) = cat(&case, kind, &expected);
        let none = Vec::new();
        let wanted = expected["decoded"]["rows"].as_array().unwrap_or(&none);
        let bad = expected["decoded"]["errors"].as_array().is_some_and(|errors| !errors.is_empty());
        let told: Vec<_> =
            wanted.iter().zip(&rows).flat_map(|(want, got)| differences(kind, want, got, &expected)).collect();
        let verdict = (code, problems.trim().is_empty()) == (Some(i32::from(bad)), !bad);
        if rows.len() != wanted.len() || !told.is_empty() || !verdict {
            failed.push(format!(
                "{}: {} rows of {}, {told:?}, {code:?}: {problems}",
                case.display(),
                rows.len(),
                wanted.len()
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(played > 0, "there is no inventory and no report in {}", samples().display());
}
