//! What a rollback does to the table as a whole.

use levee_delta_log::{CannotCheck, Options, described};
use rstest::rstest;
use serde_json::{Value, json};

use super::{NOW, commit, legacy, listed, metadata, metadata_of, of_kind, roll_back, schema, table};
use crate::delta_log::support::{
    Table,
    log::{add, classic_key, remove},
    shred::{CHECKPOINT, parquet_of},
};

fn plain() -> Vec<Value> {
    vec![legacy(1, 2), metadata(&json!({}))]
}

fn info(members: &Value) -> Value {
    json!({"commitInfo": members})
}

#[test]
fn metadata_comes_back_where_it_differs() {
    let older = json!({"metaData": {"id": "t", "name": "n", "description": "d", "format": {"provider": "parquet", "options": {}},
        "schemaString": schema(&["a", "b"]), "partitionColumns": ["b"], "configuration": {"x": "1", "y": null}, "createdTime": 5}});
    let newer = metadata_of(&schema(&["a"]), &json!({"x": "2"}));
    let rows = [legacy(1, 2), older.clone()];
    let mut from_commit = table(&[rows.to_vec(), vec![newer.clone()]]);
    let mut from_checkpoint = Table::default();
    from_checkpoint.put(&classic_key(0), parquet_of(CHECKPOINT, &rows));
    from_checkpoint.commit(1, &[newer]);
    for table in [&mut from_commit, &mut from_checkpoint] {
        let (actions, summary) = roll_back(table, 1, 0);
        assert!(summary.metadata_changed);
        assert_eq!(of_kind(&actions, "metaData"), [older["metaData"].clone()]);
        assert_eq!(actions.len(), 2);
        let at = |version| described(&table.listing(), table, &Options::default(), version).unwrap();
        assert_eq!(at(2), levee_delta_log::Described { version: 2, ..at(0) });
    }
}

#[test]
fn metadata_that_is_only_written_differently_is_no_change() {
    let one = json!({"metaData": {"id": "t", "name": null, "format": {"provider": "parquet"}, "schemaString": schema(&["a"]),
        "partitionColumns": [], "configuration": {"a": "1", "b": "2", "c": null}, "createdTime": 1}});
    let other = metadata(&json!({"b": "2", "a": "1"}));
    let table = table(&[vec![legacy(1, 2), one], vec![other]]);
    assert_eq!(commit(&table, 1, 0).unwrap().1.version, None);
}

#[rstest]
#[case::lower("2", "5", Some("5"))]
#[case::higher("7", "5", Some("7"))]
fn the_greatest_column_id_never_goes_down(#[case] older: &str, #[case] newer: &str, #[case] expected: Option<&str>) {
    let of = |max: &str, x: &str| json!({"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": max, "x": x});
    let mut table = table(&[vec![legacy(2, 5), metadata(&of(older, "1"))], vec![metadata(&of(newer, "2"))]]);
    let (actions, _) = roll_back(&mut table, 1, 0);
    let configuration = &of_kind(&actions, "metaData")[0]["configuration"];
    assert_eq!(configuration["delta.columnMapping.maxColumnId"].as_str(), expected);
    assert_eq!(configuration["x"], "1");
}

#[test]
fn identity_columns_go_on_from_where_they_were() {
    let of = |mark: i64, columns: &[&str]| {
        let mut schema: Value = serde_json::from_str(&schema(columns)).unwrap();
        schema["fields"][0]["metadata"] =
            json!({"delta.identity.start": 1, "delta.identity.step": 1, "delta.identity.highWaterMark": mark});
        schema.to_string()
    };
    let older = metadata_of(&of(10, &["a"]), &json!({}));
    let mut grown = table(&[vec![legacy(1, 6), older], vec![metadata_of(&of(50, &["a", "b"]), &json!({}))]]);
    let (actions, _) = roll_back(&mut grown, 1, 0);
    assert_eq!(of_kind(&actions, "metaData")[0]["schemaString"], of(50, &["a"]));
    assert_eq!(commit(&grown, 2, 0).unwrap().1.version, None);
}

#[rstest]
#[case::same(legacy(1, 2), legacy(1, 2), None)]
#[case::newer_has_more(legacy(1, 2), listed(&["deletionVectors"], &["appendOnly", "invariants"]), None)]
#[case::unused_features_of_a_version(legacy(1, 4), listed(&["deletionVectors"], &[]), None)]
#[case::dropped_feature(
    listed(&["deletionVectors"], &["domainMetadata"]), listed(&[], &["domainMetadata"]),
    Some(listed(&["deletionVectors"], &["domainMetadata"]))
)]
#[case::dropped_to_a_version(
    listed(&["timestampNtz"], &[]), legacy(1, 2), Some(listed(&["timestampNtz"], &["appendOnly", "invariants"]))
)]
#[case::writers_alone(
    listed(&[], &["domainMetadata"]), legacy(1, 2),
    Some(json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["appendOnly", "domainMetadata", "invariants"]}}))
)]
fn the_protocol_is_raised_and_never_lowered(
    #[case] older: Value,
    #[case] newer: Value,
    #[case] expected: Option<Value>,
) {
    let mut table = table(&[vec![older, metadata(&json!({}))], vec![newer, add("g").json()]]);
    let (actions, summary) = roll_back(&mut table, 1, 0);
    assert_eq!(summary.protocol_raised, expected.is_some());
    let sorted = |mut protocol: Value| {
        for list in ["readerFeatures", "writerFeatures"] {
            if let Some(names) = protocol.get_mut(list).and_then(Value::as_array_mut) {
                names.sort_by_key(Value::to_string);
            }
        }
        protocol
    };
    let found: Vec<Value> = of_kind(&actions, "protocol").into_iter().map(sorted).collect();
    assert_eq!(found, Vec::from_iter(expected.map(|protocol| sorted(protocol["protocol"].clone()))));
}

#[rstest]
#[case::constraint(json!({"delta.constraints.positive": "a > 0"}), "checkConstraints")]
#[case::change_data(json!({"delta.enableChangeDataFeed": "true"}), "changeDataFeed")]
fn features_of_a_version_that_were_in_use_are_asked_for(#[case] configuration: Value, #[case] feature: &str) {
    let mut table = table(&[
        vec![legacy(1, 4), metadata(&configuration)],
        vec![listed(&["deletionVectors"], &[]), metadata(&json!({}))],
    ]);
    let (actions, _) = roll_back(&mut table, 1, 0);
    assert_eq!(of_kind(&actions, "protocol")[0]["writerFeatures"], json!([feature, "deletionVectors"]));
}

const ICT: &str = "delta.enableInCommitTimestamps";
const SINCE: &str = "delta.inCommitTimestampEnablementVersion";
const SINCE_TIME: &str = "delta.inCommitTimestampEnablementTimestamp";

#[rstest]
#[case::behind(NOW - 10, NOW)]
#[case::same(NOW, NOW + 1)]
#[case::ahead(NOW + 1000, NOW + 1001)]
fn in_commit_timestamps_only_ever_grow(#[case] last: i64, #[case] expected: i64) {
    let on = json!({ICT: "true"});
    let mut table = table(&[
        vec![info(&json!({"inCommitTimestamp": 5})), listed(&[], &["inCommitTimestamp"]), metadata(&on)],
        vec![info(&json!({"inCommitTimestamp": last, "timestamp": 7})), add("f").json()],
    ]);
    let (actions, summary) = roll_back(&mut table, 1, 0);
    assert_eq!(actions[0]["commitInfo"]["inCommitTimestamp"], expected);
    assert_eq!(summary.in_commit_timestamp_ms, Some(expected));
    assert!(!summary.metadata_changed);
}

#[test]
fn in_commit_timestamps_that_cannot_be_read_are_refused() {
    let on = json!({ICT: "true"});
    let mut table = table(&[
        vec![info(&json!({"inCommitTimestamp": 5})), listed(&[], &["inCommitTimestamp"]), metadata(&on)],
        vec![add("f").json()],
    ]);
    assert!(matches!(commit(&table, 1, 0), Err(CannotCheck::Refused { why }) if why.contains("commit 1 has none")));
    table.put(&classic_key(1), super::tables::checkpoint(&table, 1));
    table.delete("_delta_log/00000000000000000001.json");
    assert!(matches!(commit(&table, 1, 0), Err(CannotCheck::Refused { .. })));
}

#[rstest]
#[case::stays_on(json!({ICT: "true"}), json!({ICT: "true", SINCE: "1", SINCE_TIME: "9"}), json!({ICT: "true", SINCE: "1", SINCE_TIME: "9"}))]
#[case::on_since_the_beginning(json!({ICT: "true", SINCE: "0", SINCE_TIME: "3"}), json!({ICT: "true"}), json!({ICT: "true"}))]
#[case::on_again(json!({ICT: "true"}), json!({}), json!({ICT: "true", SINCE: "2", SINCE_TIME: NOW.to_string()}))]
#[case::off_again(json!({}), json!({ICT: "true", SINCE: "1", SINCE_TIME: "9"}), json!({}))]
fn in_commit_timestamps_say_since_when(#[case] older: Value, #[case] newer: Value, #[case] expected: Value) {
    let with = |configuration: &Value, x: &str| {
        let mut configuration = configuration.clone();
        configuration["x"] = x.into();
        metadata(&configuration)
    };
    let mut table = table(&[
        vec![listed(&[], &["inCommitTimestamp"]), with(&older, "1")],
        vec![info(&json!({"inCommitTimestamp": 9, "timestamp": 9})), with(&newer, "2")],
    ]);
    let (actions, summary) = roll_back(&mut table, 1, 0);
    assert_eq!(of_kind(&actions, "metaData")[0], with(&expected, "1")["metaData"]);
    assert_eq!(actions[0]["commitInfo"]["inCommitTimestamp"], NOW);
    assert_eq!(summary.in_commit_timestamp_ms, Some(NOW));
}

fn domain(name: &str, configuration: &Value, removed: bool) -> Value {
    json!({"domainMetadata": {"domain": name, "configuration": configuration.to_string(), "removed": removed}})
}

fn clustered(columns: &[&str]) -> Value {
    domain("delta.clustering", &json!({"clusteringColumns": columns}), false)
}

#[rstest]
#[case::other_columns(Some(clustered(&["a"])), Some(clustered(&["b"])), Some(clustered(&["a"])))]
#[case::same_columns(Some(clustered(&["a"])), Some(domain("delta.clustering", &json!({"clusteringColumns": ["a"], "x": 1}), false)), None)]
#[case::not_clustered_then(None, Some(clustered(&["b"])),
    Some(domain("delta.clustering", &json!({"clusteringColumns": [], "domainName": "delta.clustering"}), false)))]
#[case::not_clustered_now(Some(clustered(&["a"])), Some(domain("delta.clustering", &json!({}), true)), None)]
fn clustering_comes_back(#[case] older: Option<Value>, #[case] newer: Option<Value>, #[case] expected: Option<Value>) {
    let protocol = listed(&[], &["clustering", "domainMetadata"]);
    let mut older: Vec<Value> = [protocol, metadata(&json!({}))].into_iter().chain(older).collect();
    older.push(domain("org.example", &json!({"kept": 1}), false));
    let newer: Vec<Value> =
        newer.into_iter().chain([add("f").json(), domain("org.example", &json!({"kept": 2}), false)]).collect();
    let mut from_checkpoint = Table::default();
    from_checkpoint.put(&classic_key(0), parquet_of(CHECKPOINT, &older));
    from_checkpoint.commit(1, &newer);
    for table in [&mut table(&[older, newer]), &mut from_checkpoint] {
        let (actions, _) = roll_back(table, 1, 0);
        let expected = expected.iter().map(|action| action["domainMetadata"].clone()).collect::<Vec<_>>();
        assert_eq!(of_kind(&actions, "domainMetadata"), expected);
        assert_eq!(commit(table, 2, 0).unwrap().1.version, None);
    }
}

fn mark(mark: i64) -> Value {
    domain("delta.rowTracking", &json!({"rowIdHighWaterMark": mark}), false)
}

#[test]
fn files_from_before_row_tracking_get_fresh_ids() {
    let protocol = || listed(&[], &["rowTracking", "domainMetadata"]);
    let mut with_ids = add("with").json();
    with_ids["add"]["baseRowId"] = 3.into();
    with_ids["add"]["defaultRowCommitVersion"] = 0.into();
    let mut table = table(&[
        vec![legacy(1, 2), metadata(&json!({})), with_ids.clone(), add("first").json(), add("second").json()],
        vec![protocol(), mark(99), remove("first", None), remove("second", None), remove("with", None)],
    ]);
    let (actions, _) = roll_back(&mut table, 1, 0);
    let adds = of_kind(&actions, "add");
    let ids: Vec<_> =
        adds.iter().map(|add| (&add["path"], &add["baseRowId"], &add["defaultRowCommitVersion"])).collect();
    let expected = [
        (json!("with"), json!(3), json!(0)),
        (json!("first"), json!(100), json!(2)),
        (json!("second"), json!(107), json!(2)),
    ];
    assert_eq!(ids, expected.iter().map(|(path, id, version)| (path, id, version)).collect::<Vec<_>>());
    assert_eq!(of_kind(&actions, "domainMetadata"), [mark(113)["domainMetadata"].clone()]);
}

#[test]
fn row_ids_need_to_know_the_number_of_rows() {
    let mut silent = add("f").json();
    silent["add"].as_object_mut().unwrap().remove("stats");
    let table = table(&[
        [plain(), vec![silent]].concat(),
        vec![listed(&[], &["rowTracking", "domainMetadata"]), remove("f", None)],
    ]);
    let error = commit(&table, 1, 0).unwrap_err().to_string();
    assert!(error.contains("does not say how many records"), "{error}");
}

#[test]
fn columns_of_row_tracking_keep_their_newest_names() {
    let [ids, versions] =
        ["delta.rowTracking.materializedRowIdColumnName", "delta.rowTracking.materializedRowCommitVersionColumnName"];
    let mut table = table(&[
        vec![listed(&[], &["rowTracking"]), metadata(&json!({"x": "1"}))],
        vec![metadata(&json!({ids: "_row-id", versions: "_row-version", "delta.enableRowTracking": "true"}))],
    ]);
    let (actions, _) = roll_back(&mut table, 1, 0);
    assert_eq!(
        of_kind(&actions, "metaData")[0]["configuration"],
        json!({"x": "1", ids: "_row-id", versions: "_row-version"})
    );
}

#[test]
fn transactions_of_applications_stay_as_they_are() {
    let mut table = table(&[
        [plain(), vec![json!({"txn": {"appId": "s", "version": 1}}), add("f").json()]].concat(),
        vec![json!({"txn": {"appId": "s", "version": 2}}), remove("f", None)],
    ]);
    let (actions, _) = roll_back(&mut table, 1, 0);
    assert_eq!(
        actions.iter().map(|action| action.as_object().unwrap().keys().next().unwrap()).collect::<Vec<_>>(),
        ["commitInfo", "add"]
    );
}
