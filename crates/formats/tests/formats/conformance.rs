//! The published samples, where they are at hand: `$LEVEE_SHARED` or the folder `shared` beside the repository.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use levee_formats::{
    KeyCodec,
    batch_manifest::{Fields, ManifestWriter},
    event::{self, Notification},
    inventory, report,
};
use serde_json::Value;

use super::support::{read_inventory, read_manifest, read_results, text};

/// The cases of a kind that has some; none where the samples are absent.
fn cases(kind: &str) -> Vec<(PathBuf, Value)> {
    let cases = cases_of(kind);
    assert!(!cases.is_empty() || !samples().is_dir(), "there is no case of the kind {kind}");
    cases
}

fn samples() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::env::var_os("LEVEE_SHARED").map_or_else(beside, PathBuf::from).join("conformance/s3/cases")
}

fn cases_of(kind: &str) -> Vec<(PathBuf, Value)> {
    let Ok(folder) = fs::read_dir(samples()) else {
        println!("skipped: there are no samples in {}", samples().display());
        return Vec::new();
    };
    let case = |path: PathBuf| {
        let expect: Value = serde_json::from_slice(&fs::read(path.join("expect.json")).unwrap()).unwrap();
        (expect["kind"] == kind).then_some((path, expect))
    };
    folder.filter_map(|entry| case(entry.unwrap().path())).collect()
}

fn string(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(value) => text(value),
        other => Some(other.to_string()),
    }
}

fn check_inventory_manifest(manifest: &inventory::Manifest, expected: &Value) {
    assert_eq!(manifest.source_bucket, expected["source_bucket"]);
    assert_eq!(manifest.destination_bucket, expected["destination_bucket"]);
    assert_eq!(manifest.version, expected["version"]);
    assert_eq!(manifest.created.as_millisecond(), expected["created_ms"]);
    assert_eq!(manifest.format.name(), expected["format"]);
    let columns: Vec<&str> = manifest.schema.columns().iter().map(inventory::Column::name).collect();
    assert_eq!(serde_json::json!(columns), expected["columns"]);
    let files = manifest.files.iter();
    let files: Vec<Value> =
        files.map(|file| serde_json::json!({"key": file.key, "size": file.size, "md5": file.md5})).collect();
    assert_eq!(Value::Array(files), expected["files"]);
}

#[test]
fn inventory_manifests_of_the_documentation_give_their_facts() {
    for (path, expect) in cases("inventory-manifest") {
        let manifest = inventory::Manifest::parse(&fs::read(path.join("manifest.json")).unwrap()).unwrap();
        check_inventory_manifest(&manifest, &expect["decoded"]["manifest"]);
        assert_eq!(inventory::Manifest::parse(&manifest.to_json()).unwrap(), manifest);
    }
}

#[test]
fn inventories_without_errors_give_their_rows() {
    for (path, expect) in cases("inventory") {
        if expect["decoded"]["errors"] != serde_json::json!([]) {
            continue;
        }
        let bytes = fs::read(path.join("manifest.json")).unwrap();
        inventory::Manifest::verify_checksum(&bytes, &fs::read(path.join("manifest.checksum")).unwrap()).unwrap();
        let manifest = inventory::Manifest::parse(&bytes).unwrap();
        check_inventory_manifest(&manifest, &expect["decoded"]["manifest"]);
        let mut rows = expect["decoded"]["rows"].as_array().unwrap().iter();
        for file in &manifest.files {
            let schema = &manifest.schema;
            let bucket = &manifest.source_bucket;
            let mut reader = inventory::DataReader::new(&file.key, schema, bucket).unwrap();
            let mut sink = |row: Result<inventory::Row<'_>, inventory::RowError<'_>>| {
                let (row, expected) = (row.unwrap(), rows.next().expect("a row too many"));
                assert_eq!(*row.bucket, expected["bucket"]);
                assert_eq!(*row.key, expected["key"]);
                assert_eq!(row.version_id.as_deref(), expected["version_id"].as_str());
                assert_eq!(row.size, expected["size"].as_u64());
                let modified = row.last_modified.map(|time| time.as_millisecond());
                assert_eq!(modified, expected["last_modified_ms"].as_i64());
                assert_eq!(row.etag.as_deref(), expected["etag"].as_str());
                assert_eq!(row.storage_class.as_deref(), expected["storage_class"].as_str());
                assert_eq!(row.is_current_object(), expected["selected"]);
            };
            reader.push(&fs::read(path.join("objects").join(&file.key)).unwrap(), &mut sink).unwrap();
            let totals = reader.finish(&mut sink).unwrap();
            assert_eq!((totals.compressed_bytes, &totals.md5), (file.size, &file.md5));
        }
        assert_eq!(rows.next(), None, "{}", path.display());
    }
}

#[test]
fn single_bad_rows_of_inventories_are_named_and_the_others_read() {
    let row_level = ["row-columns", "bad-bool", "bad-size", "bad-escape", "key-not-utf8", "other-bucket"];
    for (path, expect) in cases("inventory") {
        let errors: BTreeSet<&str> =
            expect["decoded"]["errors"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
        if errors.is_empty() || !errors.iter().all(|code| row_level.contains(code)) {
            continue;
        }
        let manifest = inventory::Manifest::parse(&fs::read(path.join("manifest.json")).unwrap()).unwrap();
        let mut seen = Vec::new();
        for file in &manifest.files {
            let data = fs::read(path.join("objects").join(&file.key)).unwrap();
            seen.extend(read_inventory(&manifest.schema, &data, 7).0);
        }
        let found: BTreeSet<&str> = seen.iter().filter_map(|row| row.as_ref().err()).flatten().map(|s| &**s).collect();
        assert_eq!(found, errors, "{}", path.display());
        assert_eq!(seen.len(), expect["decoded"]["rows"].as_array().unwrap().len());
    }
}

#[test]
fn reports_give_their_manifests_and_rows() {
    for (path, expect) in cases("report") {
        let bytes = fs::read(path.join("manifest.json")).unwrap();
        if let Ok(checksum) = fs::read(path.join("manifest.json.md5")) {
            report::Manifest::verify_checksum(&bytes, &checksum).unwrap();
        }
        let manifest = report::Manifest::parse(&bytes).unwrap();
        assert_eq!(report::Manifest::parse(&manifest.to_json()).unwrap(), manifest);
        let codec = if expect["key_codec"] == "percent" { KeyCodec::Percent } else { KeyCodec::Form };
        let mut rows = expect["decoded"]["rows"].as_array().unwrap().iter();
        let mut errors = BTreeSet::new();
        for file in &manifest.results {
            let Ok(data) = fs::read(path.join("objects").join(&file.key)) else {
                errors.insert("file-absent".to_owned());
                continue;
            };
            for row in read_results(&data, 11, codec).0 {
                let expected = rows.next().expect("a row too many");
                match row {
                    Ok(row) => assert_eq!(row, expected_result(expected, codec), "{}", path.display()),
                    Err(codes) => errors.extend(codes),
                }
            }
            let mut reader = report::ResultReader::of(file, codec);
            let mut sink = |row: Result<report::Row<'_>, report::RowError<'_>>| {
                let codes = row.err().into_iter().flat_map(|error| error.problems);
                errors.extend(codes.map(|problem| problem.code().to_owned()));
            };
            reader.push(&data, &mut sink).unwrap();
            if reader.finish(&mut sink).unwrap().md5 != file.md5 {
                errors.insert("file-md5".to_owned());
            }
        }
        assert_eq!(rows.next(), None, "{}", path.display());
        let expected = expect["decoded"]["errors"].as_array().unwrap();
        // The number of tasks is not part of a report.
        let clean = expected.iter().all(|code| code == "row-count");
        assert_eq!(errors.is_empty(), clean, "{}: {errors:?}", path.display());
    }
}

fn expected_result(expected: &Value, codec: KeyCodec) -> Vec<Option<String>> {
    let key = if codec == KeyCodec::Form { "key_if_form" } else { "key_if_percent" };
    ["bucket", key, "version", "status", "http", "code", "message"].map(|name| string(&expected[name])).to_vec()
}

#[test]
fn rows_of_completion_reports_are_read() {
    for (path, expect) in cases_of("report-rows") {
        let (seen, _) = read_results(&fs::read(path.join("rows.csv")).unwrap(), 5, KeyCodec::Form);
        let expected = expect["decoded"]["rows"].as_array().unwrap();
        assert_eq!(seen.len(), expected.len(), "{}", path.display());
        for (row, expected) in seen.into_iter().zip(expected) {
            if let Ok(row) = row {
                assert_eq!(row, expected_result(expected, KeyCodec::Form), "{}", path.display());
            }
        }
    }
}

#[test]
fn rows_of_batch_manifests_are_decoded_by_percent() {
    for (path, expect) in cases("batch-manifest-rows") {
        let seen = read_manifest(&fs::read(path.join("rows.csv")).unwrap(), 9, &Fields::written(true));
        let expected = expect["decoded"]["rows"].as_array().unwrap().iter();
        let expected: Vec<_> =
            expected.map(|row| Ok(["bucket", "key", "version"].map(|name| string(&row[name])).to_vec())).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn batch_manifests_are_written_byte_for_byte() {
    for (path, expect) in cases("batch-manifest-encode") {
        let input: Value = serde_json::from_slice(&fs::read(path.join("input.json")).unwrap()).unwrap();
        let mut writer = ManifestWriter::new(Vec::new(), input["versions"] == true);
        for row in input["rows"].as_array().unwrap() {
            let key = row["key"].as_str().unwrap().as_bytes();
            writer.row(input["bucket"].as_str().unwrap(), key, row["version"].as_str()).unwrap();
        }
        assert_eq!(String::from_utf8(writer.finish().unwrap().writer).unwrap(), expect["decoded"]["text"]);
    }
}

#[test]
fn event_notifications_give_their_objects() {
    for (path, expect) in cases("event") {
        let parsed = event::parse(&fs::read(path.join("event.json")).unwrap()).unwrap();
        let Notification::Objects(objects) = parsed else { panic!("{parsed:?}") };
        let objects = objects.iter().map(|object| {
            serde_json::json!({
                "bucket": object.bucket, "key": object.key, "version": object.version_id,
                "etag": object.etag, "size": object.size,
            })
        });
        assert_eq!(Value::Array(objects.collect()), expect["decoded"]["objects"]);
    }
}
