//! The files of a commit that rolls back.

use levee_delta_log::{Options, RestoredFiles, at_version, restore_commit};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Map, Value, json};

use super::{NOW, commit, commit_with, facts, legacy, live, metadata, of_kind, roll_back, table};
use crate::delta_log::support::{
    Table,
    log::{Add, Vector, add, classic_key, lines, remove, uuid_key, vector},
    shred::{CHECKPOINT, parquet_of},
};

/// An `add` with every member there is.
fn full(path: &str, vector: Option<Vector>) -> Value {
    let mut add = Add { vector, ..add(path) }.json();
    let more = json!({
        "partitionValues": {"day": null, "caf\u{e9}": "a\"b\\c\u{1}"}, "modificationTime": 1_700_000_000_123_i64,
        "stats": r#"{"numRecords":7,"minValues":{"a":-1},"tightBounds":false}"#, "tags": {"ZCUBE_ID": "x", "none": null},
        "baseRowId": 12, "defaultRowCommitVersion": 3, "clusteringProvider": "liquid",
    });
    add["add"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    add["add"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    add
}

#[test]
fn files_come_back_as_the_log_has_them_and_the_others_go() {
    let mut odd = full("odd%20%2B name/\u{e4}", None);
    odd["add"]["dataChange"] = false.into();
    odd["add"]["unknown"] = json!({"x": [1, 2.5, 1e30, null]});
    let line = odd.to_string().replace("2.5", "2.50");
    let mut table = table(&[vec![legacy(1, 2), metadata(&json!({})), add("stays").json()], vec![], vec![]]);
    table.put("_delta_log/00000000000000000001.json", format!("{line}\n"));
    table.commit(2, &[remove("odd%20+%20name/\u{e4}", None), remove("odd%20+ name/%C3%A4", None), full("new", None)]);
    let (actions, summary) = roll_back(&mut table, 2, 1);
    assert_eq!(summary.added, RestoredFiles { files: 1, bytes: 10 });
    assert_eq!(summary.removed, RestoredFiles { files: 1, bytes: 10 });
    assert_eq!((summary.without_statistics, summary.metadata_changed, summary.protocol_raised), (0, false, false));
    let text = std::str::from_utf8(&table.objects["_delta_log/00000000000000000003.json"]).unwrap();
    assert!(text.lines().any(|added| added == line.replace("\"dataChange\":false", "\"dataChange\":true")), "{text}");
    assert_eq!(actions.len(), 3);
    assert_eq!(
        of_kind(&actions, "remove"),
        [json!({"path": "new", "deletionTimestamp": NOW, "dataChange": true, "extendedFileMetadata": true,
            "partitionValues": {"day": null, "caf\u{e9}": "a\"b\\c\u{1}"}, "size": 10, "tags": {"ZCUBE_ID": "x", "none": null},
            "baseRowId": 12, "defaultRowCommitVersion": 3})]
    );
    assert_eq!(
        actions[0],
        json!({"commitInfo": {"timestamp": NOW, "operation": "RESTORE", "operationParameters": {"version": 1, "timestamp": null},
            "readVersion": 2, "isolationLevel": "Serializable", "isBlindAppend": false, "operationMetrics": {
                "numRestoredFiles": "1", "restoredFilesSize": "10", "numRemovedFiles": "1", "removedFilesSize": "10",
                "numOfFilesAfterRestore": "2", "tableSizeAfterRestore": "20"}, "engineInfo": "Levee/test"}})
    );
}

#[rstest]
#[case::another_vector(Some(vector(1)), Some(vector(42)))]
#[case::first_vector(None, Some(vector(1)))]
#[case::no_vector_any_more(Some(vector(1)), None)]
fn deletion_vectors_tell_files_apart(#[case] older: Option<Vector>, #[case] newer: Option<Vector>) {
    let mut table = table(&[
        vec![legacy(1, 2), metadata(&json!({})), full("f", older.clone())],
        vec![remove("f", older.as_ref()), full("f", newer.clone())],
    ]);
    let (actions, _) = roll_back(&mut table, 1, 0);
    assert_eq!(of_kind(&actions, "add"), [full("f", older)["add"].clone()]);
    let removed = of_kind(&actions, "remove");
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0].get("deletionVector"), full("f", newer)["add"].get("deletionVector"));
    assert_eq!(live(&table, 2), live(&table, 0));
}

#[test]
fn files_that_were_written_down_again_meanwhile_stay_unless_their_size_differs() {
    let again = |size: u64, stats: &str| {
        let mut add = full("f", None);
        add["add"]["size"] = size.into();
        add["add"]["stats"] = stats.into();
        add
    };
    let first = again(10, r#"{"numRecords":1}"#);
    let same =
        table(&[vec![legacy(1, 2), metadata(&json!({})), first.clone()], vec![again(10, r#"{"numRecords":1,"x":2}"#)]]);
    assert_eq!(commit(&same, 1, 0).unwrap().1.version, None);
    let mut other = table(&[vec![legacy(1, 2), metadata(&json!({})), first.clone()], vec![again(11, "{}")]]);
    let (actions, _) = roll_back(&mut other, 1, 0);
    assert_eq!(of_kind(&actions, "add"), [first["add"].clone()]);
    assert!(of_kind(&actions, "remove").is_empty());
}

fn checkpointed(extension: &str) -> (Table, Value) {
    let mut plain = full("plain", None);
    plain["add"]
        .as_object_mut()
        .unwrap()
        .retain(|key, _| ["path", "size", "partitionValues", "modificationTime", "dataChange"].contains(&key.as_str()));
    let mut struct_only = full("struct%20only", Some(vector(7)));
    struct_only["add"].as_object_mut().unwrap().remove("stats");
    let mut in_struct = struct_only.clone();
    in_struct["add"]["stats_parsed"] = json!({"numRecords": 9, "minValues": {"a": 3}});
    in_struct["add"]["partitionValues_parsed"] = json!({"day": 3});
    struct_only["add"]["stats"] = r#"{"numRecords":9}"#.into();
    let rows =
        [legacy(1, 2), metadata(&json!({"x": "y"})), full("all", Some(vector(1))), plain.clone(), in_struct, json!({})];
    let mut table = Table::default();
    if extension == "json" {
        table.put(&uuid_key(4, "json"), lines(&rows));
    } else {
        table.put(&classic_key(4), parquet_of(CHECKPOINT, &rows));
    }
    let removes = [remove("all", Some(&vector(1))), remove("plain", None), remove("struct%20only", Some(&vector(7)))];
    table.commit(5, &removes);
    (table, json!([full("all", Some(vector(1)))["add"], plain["add"], struct_only["add"]]))
}

#[rstest]
#[case("json")]
#[case("parquet")]
fn files_come_back_whole_from_checkpoints(#[case] extension: &str) {
    let (mut table, expected) = checkpointed(extension);
    let (actions, summary) = roll_back(&mut table, 5, 4);
    assert_eq!(Value::Array(of_kind(&actions, "add")), expected);
    assert_eq!(summary.without_statistics, 2);
    assert!(!summary.metadata_changed && actions.len() == 4, "{actions:#?}");
    let at = |version| at_version(&table.listing(), &table, &Options::default(), version).unwrap().facts.unwrap();
    assert_eq!((at(4).files, at(4).bytes), (3, 30));
    assert_eq!((at(6).files, at(6).bytes), (3, 30));
    assert_eq!(at(5).files, 0);
}

#[test]
fn versions_of_the_same_state_need_no_commit() {
    let table = table(&[
        vec![legacy(1, 2), metadata(&json!({})), add("f").json()],
        vec![json!({"commitInfo": {"operation": "OPTIMIZE"}})],
        vec![add("g").json()],
        vec![remove("g", None), legacy(1, 2), metadata(&json!({}))],
    ]);
    for to in [0, 1] {
        let (bytes, summary) = commit(&table, 3, to).unwrap();
        assert_eq!((bytes.len(), summary.version), (0, None));
        assert_eq!((summary.added, summary.removed), Default::default());
    }
    assert_eq!(commit(&table, 3, 2).unwrap().1.version, Some(4));
}

#[test]
fn what_the_taker_of_the_bytes_returns_ends_it() {
    let table = table(&[vec![legacy(1, 2), metadata(&json!({})), add("f").json()], vec![add("g").json()]]);
    for fails_at in 0..2 {
        let mut calls = 0;
        let mut out = |_: &[u8]| {
            calls += 1;
            if calls > fails_at { Err(levee_delta_log::CannotCheck::Caller("full".into())) } else { Ok(()) }
        };
        let error =
            restore_commit(&table.listing(), &table, &Options::default(), 1, 0, &facts(), &mut out).unwrap_err();
        assert_eq!(error.to_string(), "full");
    }
}

#[test]
fn actions_that_cannot_be_written_again_are_errors() {
    let table = table(&[
        vec![legacy(1, 2), metadata(&json!({}))],
        vec![json!({"add": {"path": "f", "size": 10, "stats": 7}})],
        vec![remove("f", None)],
    ]);
    let error = commit(&table, 2, 1).unwrap_err().to_string();
    assert!(error.starts_with("_delta_log/00000000000000000001.json cannot be used: stats"), "{error}");
}

/// What a commit of a random log does to a file.
#[derive(Clone, Debug)]
enum Step {
    Put(u8, Option<i64>),
    Drop(u8),
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = prop_oneof![
        3 => (0..12_u8, prop::option::weighted(0.4, 1..4_i64)).prop_map(|(file, vector)| Step::Put(file, vector)),
        1 => (0..12_u8).prop_map(Step::Drop),
    ];
    prop::collection::vec(prop::collection::vec(step, 0..6), 2..7)
}

/// Applies the steps as a writer would: a file has at most one deletion vector, and occurs once in a commit.
fn log_of(commits: &[Vec<Step>], checkpoint_at: Option<usize>) -> Table {
    let mut now: std::collections::BTreeMap<u8, Option<Vector>> = std::collections::BTreeMap::new();
    let mut table = Table::default();
    for (version, steps) in commits.iter().enumerate() {
        let mut actions = if version == 0 { vec![legacy(1, 2), metadata(&json!({}))] } else { Vec::new() };
        let mut touched = std::collections::BTreeSet::new();
        for step in steps {
            let (Step::Put(file, _) | Step::Drop(file)) = step;
            if !touched.insert(*file) {
                continue;
            }
            let path = format!("d%3D1/f%20{file}");
            if let Some(before) = now.remove(file) {
                actions.push(remove(&path, before.as_ref()));
            }
            if let Step::Put(_, offset) = step {
                let vector = offset.map(vector);
                now.insert(*file, vector.clone());
                actions.push(full(&path, vector));
            }
        }
        table.commit(version as u64, &actions);
        if checkpoint_at == Some(version) {
            let mut rows = vec![legacy(1, 2), metadata(&json!({}))];
            rows.extend(now.iter().map(|(file, vector)| full(&format!("d%3D1/f%20{file}"), vector.clone())));
            table.put(&classic_key(version as u64), parquet_of(CHECKPOINT, &rows));
        }
    }
    table
}

proptest! {
    #[test]
    fn any_version_comes_back(commits in steps(), checkpoint in prop::option::of(0..7_usize), to in 0..6_u64) {
        let newest = commits.len() as u64 - 1;
        let to = to % newest;
        let mut table = log_of(&commits, checkpoint);
        let sharded = Options::default().with_shard_objects(1);
        let mut whole: Vec<_> = commit(&table, newest, to).unwrap().0.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let mut parts: Vec<_> =
            commit_with(&table, &sharded, newest, to).unwrap().0.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        whole.sort();
        parts.sort();
        prop_assert_eq!(whole, parts);
        let (bytes, summary) = commit(&table, newest, to).unwrap();
        if summary.version.is_some() {
            table.put(&format!("_delta_log/{:020}.json", newest + 1), bytes);
            let (before, after) = (live(&table, to), live(&table, newest + 1));
            prop_assert_eq!(&before, &after);
            let kept = live(&table, newest);
            prop_assert_eq!(summary.added.files as usize, before.keys().filter(|key| !kept.contains_key(*key)).count());
            prop_assert_eq!(summary.removed.files as usize, kept.keys().filter(|key| !before.contains_key(*key)).count());
            let again = commit(&table, newest + 1, to).unwrap().1;
            prop_assert_eq!(again.version, None, "a second time there is nothing to do");
        } else {
            prop_assert_eq!(live(&table, to), live(&table, newest));
        }
    }
}

#[test]
fn values_with_nothing_in_them_are_kept_apart_from_those_that_are_not_there() {
    let mut rows = vec![legacy(1, 2), metadata(&json!({}))];
    for (number, values) in
        [json!({}), json!({"day": null}), json!({"day": ""}), json!({"a": "1", "b": null})].iter().enumerate()
    {
        let mut add = full(&format!("f{number}"), None);
        add["add"]["partitionValues"] = values.clone();
        add["add"]["tags"] = Value::Object(Map::new());
        rows.push(add);
    }
    let mut table = Table::default();
    table.put(&classic_key(1), parquet_of(CHECKPOINT, &rows));
    table.commit(2, &(0..4).map(|number| remove(&format!("f{number}"), None)).collect::<Vec<_>>());
    let (actions, _) = roll_back(&mut table, 2, 1);
    let expected: Vec<Value> = rows[2..].iter().map(|row| row["add"].clone()).collect();
    assert_eq!(of_kind(&actions, "add"), expected);
}
