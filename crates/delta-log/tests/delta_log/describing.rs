//! What versions say of their tables.

use levee_delta_log::{CannotCheck, DataType, Described, Options, Primitive, described, version_as_of};
use serde_json::{Value, json};

use super::{
    fixtures,
    support::{
        Table,
        checkpoints::{Row, parquet},
        log::{add, classic_key, features, lines, protocol, uuid_key},
    },
};

fn metadata(schema: &Value) -> Value {
    json!({"metaData": {"id": "t", "name": "a table", "description": "of things", "format": {"provider": "parquet", "options": {}},
        "schemaString": schema.to_string(), "partitionColumns": ["day"], "createdTime": 1,
        "configuration": {"delta.columnMapping.mode": "name", "nothing": null}}})
}

fn schema(columns: &[&str]) -> Value {
    let field = |name: &&str| json!({"name": name, "type": "long", "nullable": true, "metadata": {}});
    json!({"type": "struct", "fields": columns.iter().map(field).collect::<Vec<_>>()})
}

fn at(table: &Table, version: u64) -> Result<Described, CannotCheck> {
    described(&table.listing(), table, &Options::default(), version)
}

fn columns(described: &Described) -> Vec<&str> {
    described.schema.fields.iter().map(|field| field.name.as_str()).collect()
}

/// Four versions, of which each but the second says something new.
fn table() -> Table {
    let mut table = Table::default();
    table.commit(0, &[protocol(), metadata(&schema(&["a", "day"]))]);
    table.commit(1, &[add("f").json()]);
    table.commit(2, &[metadata(&schema(&["a", "b", "day"])), features(&["columnMapping"])]);
    table.commit(3, &[metadata(&schema(&["b", "day"]))]);
    table
}

#[test]
fn each_version_has_what_was_said_last() {
    let table = table();
    for (version, expected) in
        [vec!["a", "day"], vec!["a", "day"], vec!["a", "b", "day"], vec!["b", "day"]].iter().enumerate()
    {
        let described = at(&table, version as u64).unwrap();
        assert_eq!(&columns(&described), expected, "{version}");
        assert_eq!(described.version, version as u64);
        assert_eq!(described.partition_columns, ["day"]);
        assert_eq!(described.protocol.lists("columnMapping"), version >= 2);
        assert_eq!(described.protocol.min_reader_version, if version >= 2 { 3 } else { 1 });
        assert!(described.maps_columns());
        assert_eq!(described.configuration.len(), 1, "a property without a value says nothing");
        assert_eq!((described.name.as_deref(), described.description.as_deref()), (Some("a table"), Some("of things")));
    }
}

#[test]
fn json_checkpoints_are_read_and_their_sidecars_are_not() {
    let mut table = table();
    let sidecar = parquet(&[Row::Add(add("f"))]);
    let name = "_delta_log/_sidecars/3a0d65cd-4056-49b8-937b-95f9e3ee90e5.parquet";
    table.put(name, sidecar.clone());
    let top = [
        features(&["columnMapping", "v2Checkpoint"]),
        metadata(&schema(&["of", "the", "checkpoint"])),
        json!({"sidecar": {"path": name.rsplit('/').next(), "sizeInBytes": sidecar.len(), "modificationTime": 1}}),
    ];
    table.put(&uuid_key(3, "json"), lines(&top));
    let table = table.without_commits(0..=2);
    assert_eq!(columns(&at(&table, 3).unwrap()), ["of", "the", "checkpoint"]);
    let read = table.read.borrow().iter().filter(|path| *path == name).count();
    assert_eq!(read, 1, "by the replay alone");
}

#[test]
fn fixtures_have_the_schema_that_their_writer_gave_them() {
    for (name, table, versions) in fixtures::fixtures() {
        for version in versions.keys() {
            let described = at(&table, *version).unwrap();
            assert!(!described.schema.fields.is_empty(), "{name} at {version}");
            assert!(described.id.is_some() && described.protocol.min_writer_version >= 2, "{name} at {version}");
            let known = |name: &String| described.schema.field(name).is_some();
            assert!(described.partition_columns.iter().all(known), "{name} at {version}: {described:?}");
            assert!(described.schema.fields.iter().all(|field| match &field.data_type {
                DataType::Primitive(primitive) => !matches!(primitive, Primitive::Other(_)),
                _ => true,
            }));
        }
    }
}

#[test]
fn broken_schemas_and_versions_that_are_not_there_are_errors() {
    let mut table = table();
    table.commit(4, &[json!({"metaData": {"id": "t", "schemaString": "{\"type\":", "partitionColumns": []}})]);
    table.commit(5, &[json!({"metaData": {"id": "t", "partitionColumns": []}})]);
    table.commit(
        6,
        &[json!({"metaData": {"id": "t", "schemaString": schema(&["a"]).to_string(), "partitionColumns": "a"}})],
    );
    let why = |version| match at(&table, version) {
        Err(CannotCheck::Metadata { version: of, why }) if of == version => why,
        other => panic!("{other:?}"),
    };
    assert!(why(4).starts_with("the schema: EOF"), "{}", why(4));
    assert_eq!(why(5), "it has no schemaString");
    assert!(why(6).starts_with("partitionColumns: "), "{}", why(6));
    assert!(matches!(at(&table, 7), Err(CannotCheck::NotLoadable { version: 7, .. })));
    let mut table = Table::default();
    table.put(&classic_key(3), parquet(&super::support::log::head()));
    assert!(matches!(at(&table, 3), Err(CannotCheck::Metadata { .. })), "the checkpoint has no column of schemas");
}

#[test]
fn the_version_of_a_time_is_the_last_that_was_committed_until_then() {
    let mut table = Table::plain(1);
    (2..=5).for_each(|version| table.commit(version, &[json!({"commitInfo": {"timestamp": 10 * version}})]));
    let as_of = |ms| version_as_of(&table.listing(), &table, &Options::default(), ms).unwrap();
    assert_eq!([19, 20, 29, 30, 49, 50, i64::MAX].map(as_of), [1, 2, 2, 3, 4, 5, 5].map(Some));
    let mut later = Table::default();
    later.commit(7, &[json!({"commitInfo": {"timestamp": 70}})]);
    assert_eq!(version_as_of(&later.listing(), &later, &Options::default(), 69).unwrap(), None);
}
