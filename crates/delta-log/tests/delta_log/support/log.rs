//! Logs, action by action.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Table,
    checkpoints::{Row, parquet},
};

/// An `add`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    pub path: String,
    pub size: u64,
    pub records: Option<u64>,
    pub vector: Option<Vector>,
}

/// A descriptor of a deletion vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    pub storage: String,
    pub path: String,
    pub offset: Option<i64>,
    pub size: i64,
    pub cardinality: i64,
}

/// The vector of the protocol's examples, at an offset: 40 bytes, 6 rows.
pub fn vector(offset: i64) -> Vector {
    Vector {
        storage: "u".into(),
        path: "ab^-aqEH.-t@S}K{vb[*k^".into(),
        offset: Some(offset),
        size: 40,
        cardinality: 6,
    }
}

/// Its file.
pub const VECTOR_FILE: &str = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";

pub fn add(path: &str) -> Add {
    Add { path: path.into(), size: 10, records: Some(7), vector: None }
}

impl Add {
    pub fn with(mut self, vector: Vector) -> Self {
        self.vector = Some(vector);
        self
    }

    pub fn json(&self) -> Value {
        json!({"add": {
            "path": self.path, "partitionValues": {}, "size": self.size, "modificationTime": 1, "dataChange": true,
            "stats": self.records.map(|records| format!(r#"{{"numRecords":{records}}}"#)),
            "deletionVector": self.vector.as_ref().map(Vector::json),
        }})
    }
}

impl Vector {
    fn json(&self) -> Value {
        json!({"storageType": self.storage, "pathOrInlineDv": self.path, "offset": self.offset, "sizeInBytes": self.size,
            "cardinality": self.cardinality})
    }
}

pub fn remove(path: &str, vector: Option<&Vector>) -> Value {
    json!({"remove": {"path": path, "deletionTimestamp": 1, "dataChange": true, "deletionVector": vector.map(Vector::json)}})
}

pub fn protocol() -> Value {
    json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
}

pub fn features(names: &[&str]) -> Value {
    json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": names, "writerFeatures": names}})
}

pub fn metadata(id: &str) -> Value {
    json!({"metaData": {"id": id, "format": {"provider": "parquet", "options": {}}, "schemaString": "{}", "partitionColumns": [],
        "configuration": {"delta.deletedFileRetentionDuration": "interval 7 days"}, "createdTime": 1}})
}

pub fn commit_key(version: u64) -> String {
    format!("_delta_log/{version:020}.json")
}

pub fn classic_key(version: u64) -> String {
    format!("_delta_log/{version:020}.checkpoint.parquet")
}

pub fn part_key(version: u64, part: u32, of: u32) -> String {
    format!("_delta_log/{version:020}.checkpoint.{part:010}.{of:010}.parquet")
}

pub fn uuid_key(version: u64, extension: &str) -> String {
    format!("_delta_log/{version:020}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.{extension}")
}

/// Lines of JSON.
pub fn lines(actions: &[Value]) -> Bytes {
    actions.iter().map(|action| format!("{action}\n")).collect::<String>().into()
}

/// The rows that a checkpoint begins with.
pub fn head() -> Vec<Row> {
    vec![
        Row::Protocol(1, None),
        Row::Metadata { id: "t".into(), name: Some("a table".into()), retention: Some("interval 1 week".into()) },
    ]
}

/// A checkpoint of these files.
pub fn checkpoint(adds: &[Add]) -> Bytes {
    let mut rows = head();
    rows.push(Row::Remove("long-gone".into()));
    rows.extend(adds.iter().cloned().map(Row::Add));
    parquet(&rows)
}

impl Table {
    pub fn put(&mut self, key: &str, bytes: impl Into<Bytes>) {
        self.objects.insert(key.into(), bytes.into());
    }

    pub fn delete(&mut self, key: &str) {
        assert!(self.objects.remove(key).is_some(), "{key} is not there");
    }

    pub fn truncate(&mut self, key: &str, to: usize) {
        let bytes = self.objects.get_mut(key).unwrap();
        assert!(to < bytes.len());
        bytes.truncate(to);
    }

    pub fn commit(&mut self, version: u64, actions: &[Value]) {
        self.put(&commit_key(version), lines(actions));
    }

    /// Versions 0 to `latest`, of which each adds the file `fN`; with the files there.
    pub fn plain(latest: u64) -> Self {
        let mut table = Self::default();
        for version in 0..=latest {
            let mut actions = if version == 0 { vec![protocol(), metadata("t")] } else { Vec::new() };
            actions.push(add(&format!("f{version}")).json());
            table.commit(version, &actions);
            table.put(&format!("f{version}"), vec![0; 10]);
        }
        table
    }

    /// The files that a plain table has at a version.
    pub fn plain_files(version: u64) -> Vec<Add> {
        (0..=version).map(|version| add(&format!("f{version}"))).collect()
    }

    /// Takes the commits of these versions away.
    pub fn without_commits(mut self, versions: std::ops::RangeInclusive<u64>) -> Self {
        versions.for_each(|version| self.delete(&commit_key(version)));
        self
    }
}
