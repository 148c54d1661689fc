//! Tables that are not rolled back.

use levee_delta_log::CannotCheck;
use rstest::rstest;
use serde_json::{Value, json};

use super::{commit, legacy, listed, metadata, table};
use crate::delta_log::support::log::{Vector, add, remove};

fn two(older: Vec<Value>, newer: Vec<Value>) -> Result<(), CannotCheck> {
    let newer = [newer, vec![add("g").json()]].concat();
    commit(&table(&[older, newer]), 1, 0).map(|_| ())
}

fn refusal(result: Result<(), CannotCheck>) -> String {
    match result {
        Err(CannotCheck::Refused { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::icebergs(listed(&[], &["icebergCompatV2"]), "icebergCompatV2")]
#[case::unknown_writer(listed(&[], &["appendOnly", "zzz"]), "zzz")]
#[case::unknown_reader(listed(&["adaptiveMetadata-preview"], &[]), "adaptiveMetadata-preview")]
#[case::redirect(listed(&[], &["redirectWriterOnly-preview"]), "redirectWriterOnly-preview")]
#[case::coordinator(listed(&[], &["coordinatedCommits-preview"]), "coordinatedCommits-preview")]
#[case::case_counts(listed(&[], &["AppendOnly"]), "AppendOnly")]
#[case::future_writer(legacy(1, 8), "minWriterVersion 8")]
#[case::future_reader(legacy(4, 7), "minReaderVersion 4, readerFeatures (missing), writerFeatures (missing)")]
#[case::no_list(legacy(1, 7), "writerFeatures (missing)")]
#[case::catalog(listed(&["catalogManaged"], &[]), "a catalog decides")]
#[case::old_catalog(listed(&["catalogOwned-preview"], &[]), "a catalog decides")]
fn protocols_with_what_is_not_known_are_refused_at_either_version(#[case] protocol: Value, #[case] why: &str) {
    let plain = || vec![legacy(1, 2), metadata(&json!({}))];
    let newest = refusal(two(plain(), vec![protocol.clone()]));
    assert!(newest.contains(why), "{newest}");
    let older = refusal(two(vec![protocol, metadata(&json!({}))], vec![legacy(1, 2)]));
    assert!(older.contains(why), "{older}");
}

#[test]
fn every_safe_feature_is_let_through() {
    let protocol = listed(
        &[
            "columnMapping",
            "deletionVectors",
            "timestampNtz",
            "typeWidening",
            "v2Checkpoint",
            "vacuumProtocolCheck",
            "variantType",
        ],
        &[
            "allowColumnDefaults",
            "appendOnly",
            "changeDataFeed",
            "checkConstraints",
            "checkpointProtection",
            "clustering",
            "domainMetadata",
            "generatedColumns",
            "identityColumns",
            "inCommitTimestamp",
            "invariants",
            "rowTracking",
        ],
    );
    two(vec![protocol, metadata(&json!({}))], vec![]).unwrap();
    for writer in 1..=6 {
        two(vec![legacy(if writer >= 5 { 2 } else { 1 }, writer), metadata(&json!({}))], vec![]).unwrap();
    }
}

#[rstest]
#[case::on("true", true)]
#[case::shouted("TRUE", true)]
#[case::off("false", false)]
fn append_only_tables_are_refused(#[case] value: &str, #[case] expected: bool) {
    let newest = vec![metadata(&json!({"delta.appendOnly": value}))];
    let result = two(vec![legacy(1, 2), metadata(&json!({}))], newest);
    assert_eq!(result.is_err(), expected);
    if expected {
        assert!(refusal(result).contains("append-only"));
    }
    let was = two(vec![legacy(1, 2), metadata(&json!({"delta.appendOnly": value}))], vec![metadata(&json!({}))]);
    assert!(was.is_ok(), "it may be so again: {was:?}");
}

#[rstest]
#[case::on(json!({}), json!({"delta.columnMapping.mode": "name"}))]
#[case::off(json!({"delta.columnMapping.mode": "id"}), json!({"delta.columnMapping.mode": "none"}))]
#[case::another(json!({"delta.columnMapping.mode": "name"}), json!({"delta.columnMapping.mode": "id"}))]
fn other_mappings_of_columns_are_refused(#[case] older: Value, #[case] newer: Value) {
    let why = refusal(two(vec![legacy(2, 5), metadata(&older)], vec![metadata(&newer)]));
    assert!(why.starts_with("delta.columnMapping.mode is "), "{why}");
}

#[rstest]
#[case::dropped(listed(&[], &["rowTracking", "domainMetadata"]), listed(&[], &["domainMetadata"]), json!({}), "dropped")]
#[case::suspended(
    listed(&[], &["rowTracking"]), listed(&[], &["rowTracking"]), json!({"delta.rowTrackingSuspended": "true"}), "suspended"
)]
fn row_tracking_that_stopped_is_refused(
    #[case] older: Value,
    #[case] newer: Value,
    #[case] configuration: Value,
    #[case] why: &str,
) {
    let said = refusal(two(vec![older, metadata(&json!({}))], vec![newer, metadata(&configuration)]));
    assert!(said.contains(why), "{said}");
}

#[test]
fn row_tracking_without_its_columns_is_refused() {
    let older = vec![listed(&[], &["rowTracking"]), metadata(&json!({"delta.enableRowTracking": "true"}))];
    assert!(refusal(two(older, vec![])).contains("materializedRowIdColumnName"));
}

#[rstest]
#[case::not_older(2, 2, "not older")]
#[case::newer(1, 2, "not older")]
#[case::not_the_newest(1, 0, "not its newest version, which is 2")]
fn versions_must_be_in_order(#[case] from: u64, #[case] to: u64, #[case] why: &str) {
    let table = table(&[vec![legacy(1, 2), metadata(&json!({}))], vec![add("f").json()], vec![add("g").json()]]);
    let said = refusal(commit(&table, from, to).map(|_| ()));
    assert!(said.contains(why), "{said}");
}

#[test]
fn versions_that_cannot_be_loaded_are_errors() {
    let table = table(&[vec![legacy(1, 2), metadata(&json!({}))], vec![add("f").json()], vec![add("g").json()]]);
    let mut cleaned = table.clone().without_commits(0..=0);
    assert!(matches!(commit(&cleaned, 2, 1), Err(CannotCheck::NotLoadable { version: 2, .. })));
    cleaned.put("_delta_log/00000000000000000002.checkpoint.parquet", super::tables::checkpoint(&table, 2));
    assert!(matches!(commit(&cleaned, 2, 1), Err(CannotCheck::NotLoadable { version: 1, .. })));
}

fn absolute_vector() -> Vector {
    Vector { storage: "p".into(), path: "s3://other/x.bin".into(), offset: Some(1), size: 40, cardinality: 6 }
}

#[test]
fn files_elsewhere_may_stay_and_neither_come_nor_go() {
    let elsewhere = add("s3://other/f").json();
    let stays = table(&[vec![legacy(1, 2), metadata(&json!({})), elsewhere.clone()], vec![add("g").json()]]);
    let (bytes, _) = commit(&stays, 1, 0).unwrap();
    assert!(!String::from_utf8(bytes).unwrap().contains("s3://"));
    let comes = two(vec![legacy(1, 2), metadata(&json!({})), elsewhere.clone()], vec![remove("s3://other/f", None)]);
    assert!(refusal(comes).contains("get back 1 files at absolute paths and lose 0"));
    let goes = two(vec![legacy(1, 2), metadata(&json!({}))], vec![elsewhere]);
    assert!(refusal(goes).contains("get back 0 files at absolute paths and lose 1"));
    let vector = two(vec![legacy(1, 2), metadata(&json!({}))], vec![add("h").with(absolute_vector()).json()]);
    assert!(refusal(vector).contains("lose 1"));
}
