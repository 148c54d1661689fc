//! Commits that roll tables back.

mod heads;
mod refusals;
mod rolled;
mod tables;

use std::collections::BTreeMap;

use levee_delta_log::{CannotCheck, Options, RestoreFacts, RestoreSummary, restore_commit};
use serde_json::{Value, json};

use super::support::{Table, log::commit_key};

const NOW: i64 = 1_800_000_000_000;

fn facts() -> RestoreFacts {
    RestoreFacts { timestamp_ms: NOW, engine_info: "Levee/test".into() }
}

/// The commit, and what it says of itself.
fn commit_with(table: &Table, options: &Options, from: u64, to: u64) -> Result<(Vec<u8>, RestoreSummary), CannotCheck> {
    let mut bytes = Vec::new();
    let mut out = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    let summary = restore_commit(&table.listing(), table, options, from, to, &facts(), &mut out)?;
    assert_eq!(bytes.is_empty(), summary.version.is_none());
    Ok((bytes, summary))
}

fn commit(table: &Table, from: u64, to: u64) -> Result<(Vec<u8>, RestoreSummary), CannotCheck> {
    commit_with(table, &Options::default(), from, to)
}

/// Rolls a table back; gives its actions.
fn roll_back(table: &mut Table, from: u64, to: u64) -> (Vec<Value>, RestoreSummary) {
    let (bytes, summary) = commit(table, from, to).unwrap();
    assert_eq!(summary.version, Some(from + 1));
    let actions = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let actions = actions.map(|line| serde_json::from_slice(line).unwrap()).collect();
    table.put(&commit_key(from + 1), bytes);
    (actions, summary)
}

/// The actions of a kind, without what names it.
fn of_kind(actions: &[Value], kind: &str) -> Vec<Value> {
    actions.iter().filter_map(|action| action.get(kind)).cloned().collect()
}

/// The live files of a version by path and deletion vector, out of commits in JSON alone.
fn live(table: &Table, version: u64) -> BTreeMap<(String, String), Value> {
    let mut live = BTreeMap::new();
    for version in 0..=version {
        let bytes = &table.objects[&commit_key(version)];
        let lines = std::str::from_utf8(bytes).unwrap().lines().filter(|line| !line.is_empty());
        let actions: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        let key = |action: &Value| {
            let vector = &action["deletionVector"];
            let vector = [&vector["storageType"], &vector["pathOrInlineDv"], &vector["offset"]].map(Value::to_string);
            (action["path"].as_str().unwrap().to_owned(), vector.join(" "))
        };
        for remove in of_kind(&actions, "remove") {
            live.remove(&key(&remove));
        }
        for add in of_kind(&actions, "add") {
            live.insert(key(&add), add);
        }
    }
    live
}

/// A schema of whole numbers.
fn schema(columns: &[&str]) -> String {
    let field = |name: &&str| json!({"name": name, "type": "long", "nullable": true, "metadata": {}});
    json!({"type": "struct", "fields": columns.iter().map(field).collect::<Vec<_>>()}).to_string()
}

fn metadata_of(schema: &str, configuration: &Value) -> Value {
    json!({"metaData": {"id": "t", "format": {"provider": "parquet", "options": {}}, "schemaString": schema,
        "partitionColumns": [], "configuration": configuration, "createdTime": 1}})
}

fn metadata(configuration: &Value) -> Value {
    metadata_of(&schema(&["a"]), configuration)
}

fn legacy(reader: u64, writer: u64) -> Value {
    json!({"protocol": {"minReaderVersion": reader, "minWriterVersion": writer}})
}

fn listed(readers: &[&str], writers: &[&str]) -> Value {
    let all: Vec<&&str> = readers.iter().chain(writers).collect();
    json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": readers, "writerFeatures": all}})
}

/// Versions of a table, from 0 on.
fn table(commits: &[Vec<Value>]) -> Table {
    let mut table = Table::default();
    for (version, actions) in (0..).zip(commits) {
        table.commit(version, actions);
    }
    table
}
