//! Tables of other writers, rolled back.

use std::collections::BTreeMap;

use bytes::Bytes;
use levee_delta_log::{CannotCheck, Options, at_version, described};
use serde_json::Value;

use super::{commit, live, of_kind};
use crate::delta_log::{
    conformance, fixtures,
    support::{
        Table,
        log::commit_key,
        shred::{CHECKPOINT, parquet_of},
    },
};

/// A checkpoint of a version, out of commits in JSON alone.
pub fn checkpoint(table: &Table, version: u64) -> Bytes {
    let mut head: BTreeMap<&str, Value> = BTreeMap::new();
    for version in 0..=version {
        let text = std::str::from_utf8(&table.objects[&commit_key(version)]).unwrap();
        let actions: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for kind in ["protocol", "metaData"] {
            head.extend(of_kind(&actions, kind).pop().map(|action| (kind, action)));
        }
    }
    let mut rows: Vec<Value> = head.into_iter().map(|(kind, action)| serde_json::json!({kind: action})).collect();
    rows.extend(live(table, version).into_values().map(|add| serde_json::json!({"add": add})));
    parquet_of(CHECKPOINT, &rows)
}

/// Without members that are null, and with `dataChange`.
fn normal(mut add: Value) -> Value {
    let members = add.as_object_mut().unwrap();
    members.retain(|_, value| !value.is_null());
    members.insert("dataChange".into(), true.into());
    members.sort_keys();
    add
}

#[test]
fn checkpoints_in_every_form_give_what_the_commits_had() {
    let fixtures = fixtures::fixtures();
    let (_, plain, versions) = fixtures.iter().find(|(name, ..)| name == "plain").unwrap();
    let newest = *versions.keys().last().unwrap();
    let every: BTreeMap<String, Value> =
        (0..=newest).flat_map(|version| live(plain, version)).map(|((path, _), add)| (path, normal(add))).collect();
    for (name, table, versions) in &fixtures {
        for to in versions.keys().filter(|to| **to < newest) {
            let mut table = table.clone();
            let (actions, summary) = super::roll_back(&mut table, newest, *to);
            let adds = of_kind(&actions, "add");
            assert_eq!(summary.added.files, adds.len() as u64, "{name} to {to}");
            for add in adds {
                let mut expected = every[add["path"].as_str().unwrap()].clone();
                if name == "struct-stats" && summary.without_statistics > 0 {
                    let stats: Value = serde_json::from_str(expected["stats"].as_str().unwrap()).unwrap();
                    if add["stats"] != expected["stats"] {
                        expected["stats"] = format!(r#"{{"numRecords":{}}}"#, stats["numRecords"]).into();
                    }
                }
                assert_eq!(normal(add), expected, "{name} to {to}");
            }
            assert_eq!(
                summary.without_statistics > 0,
                name == "struct-stats" && summary.added.files > 0,
                "{name} to {to}"
            );
            let at = |version| at_version(&table.listing(), &table, &Options::default(), version).unwrap();
            let (before, after) = (at(*to), at(newest + 1));
            assert!(after.whole, "{name} to {to}");
            let facts = |at: levee_delta_log::AtVersion| at.facts.map(|facts| (facts.files, facts.bytes, facts.rows));
            assert_eq!(facts(after), facts(before), "{name} to {to}");
        }
    }
}

/// Rolls a table back to each of its versions; says why some are refused.
fn roll_back_to_all(name: &str, table: &Table, newest: u64) -> (usize, Vec<String>) {
    let (mut done, mut refused) = (0, Vec::new());
    let at = |table: &Table, version| {
        let at = at_version(&table.listing(), table, &Options::default(), version).unwrap();
        at.facts.map(|facts| (facts.files, facts.bytes, facts.rows, facts.deletion_vectors))
    };
    for to in (0..newest).rev().take(12) {
        let before = at(table, to);
        match commit(table, newest, to) {
            Ok((bytes, summary)) => {
                let mut after = table.clone();
                if summary.version.is_some() {
                    after.put(&commit_key(newest + 1), bytes);
                }
                let now = summary.version.unwrap_or(newest);
                assert_eq!(at(&after, now), before, "{name} from {newest} to {to}");
                let of = |version| described(&after.listing(), &after, &Options::default(), version).unwrap();
                assert_eq!(of(now).schema, of(to).schema, "{name} from {newest} to {to}");
                assert_eq!(of(now).partition_columns, of(to).partition_columns, "{name} from {newest} to {to}");
                assert_eq!(commit(&after, now, to).unwrap().1.version, None, "{name} from {newest} to {to}, again");
                done += 1;
            }
            Err(CannotCheck::Refused { why }) => refused.push(format!("{name}: {why}")),
            Err(CannotCheck::NotLoadable { version, .. }) => {
                assert!(at(table, version).is_none(), "{name} at {version}")
            }
            Err(CannotCheck::Metadata { why, .. }) if why == "it has no schemaString" => {
                refused.push(format!("{name}: {why}"))
            }
            Err(error) => panic!("{name} from {newest} to {to}: {error}"),
        }
    }
    (done, refused)
}

#[test]
fn tables_of_the_delta_projects_are_rolled_back_or_refused_with_a_reason() {
    let Some(tables) = conformance::whole_tables() else { return };
    let (mut done, mut refused) = (0, Vec::new());
    for (name, (table, latest)) in &tables {
        let Some(newest) = latest.filter(|newest| *newest > 0) else { continue };
        let (more, reasons) = roll_back_to_all(name, table, newest);
        done += more;
        refused.extend(reasons);
    }
    refused.sort();
    refused.dedup();
    println!("{done} rolled back; refused:\n{}", refused.join("\n"));
    assert!(done > 100, "{done} of {} tables; refused: {refused:#?}", tables.len());
}
