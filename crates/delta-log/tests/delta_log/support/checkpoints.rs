//! Checkpoints in Parquet, written column by column.

use std::sync::Arc;

use bytes::Bytes;
use parquet::{
    column::writer::ColumnWriter,
    data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use super::log::{Add, Vector};

/// A row.
#[derive(Clone, Debug)]
pub enum Row {
    Protocol(i32, Option<Vec<String>>),
    Metadata {
        id: String,
        name: Option<String>,
        retention: Option<String>,
    },
    Add(Add),
    Remove(String),
    Sidecar(String, i64),
    /// A row of which everything is null.
    Nothing,
}

const SCHEMA: &str = "message checkpoint {
  optional group protocol {
    required int32 minReaderVersion;
    optional group readerFeatures (LIST) { repeated group list { required binary element (UTF8); } }
  }
  optional group metaData {
    required binary id (UTF8);
    optional binary name (UTF8);
    optional group configuration (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
  }
  optional group add {
    required binary path (UTF8);
    required int64 size;
    optional binary stats (UTF8);
    optional group deletionVector {
      required binary storageType (UTF8);
      required binary pathOrInlineDv (UTF8);
      optional int32 offset;
      required int32 sizeInBytes;
      required int64 cardinality;
    }
  }
  optional group remove { required binary path (UTF8); }
  optional group sidecar { required binary path (UTF8); required int64 sizeInBytes; }
}";

#[derive(Default)]
struct Column {
    defs: Vec<i16>,
    reps: Vec<i16>,
    texts: Vec<ByteArray>,
    numbers: Vec<i64>,
}

impl Column {
    fn text(&mut self, rep: i16, def: i16, value: Option<&str>) {
        self.defs.push(def);
        self.reps.push(rep);
        self.texts.extend(value.map(ByteArray::from));
    }

    fn number(&mut self, def: i16, value: Option<i64>) {
        self.defs.push(def);
        self.reps.push(0);
        self.numbers.extend(value);
    }
}

fn features(column: &mut Column, row: &Row) {
    match row {
        Row::Protocol(_, None) => column.text(0, 1, None),
        Row::Protocol(_, Some(names)) if names.is_empty() => column.text(0, 2, None),
        Row::Protocol(_, Some(names)) => {
            for (at, name) in names.iter().enumerate() {
                column.text(i16::from(at > 0), 3, Some(name));
            }
        }
        _ => column.text(0, 0, None),
    }
}

/// A configuration of two entries, of which the first has no value.
fn configuration(column: &mut Column, row: &Row, is_key: bool) {
    let Row::Metadata { retention, .. } = row else { return column.text(0, 0, None) };
    let Some(retention) = retention else { return column.text(0, 2, None) };
    if is_key {
        column.text(0, 3, Some("delta.appendOnly"));
        column.text(1, 3, Some("delta.deletedFileRetentionDuration"));
    } else {
        column.text(0, 3, None);
        column.text(1, 4, Some(retention));
    }
}

fn of_vector(row: &Row) -> (i16, Option<&Vector>) {
    match row {
        Row::Add(Add { vector: Some(vector), .. }) => (2, Some(vector)),
        Row::Add(_) => (1, None),
        _ => (0, None),
    }
}

fn fill(column: &mut Column, path: &str, row: &Row) {
    let (vector_def, vector) = of_vector(row);
    let add = if let Row::Add(add) = row { Some(add) } else { None };
    let level = |there: bool| i16::from(there);
    match path {
        "protocol.minReaderVersion" => match row {
            Row::Protocol(version, _) => column.number(1, Some(i64::from(*version))),
            _ => column.number(0, None),
        },
        "protocol.readerFeatures.list.element" => features(column, row),
        "metaData.id" => match row {
            Row::Metadata { id, .. } => column.text(0, 1, Some(id)),
            _ => column.text(0, 0, None),
        },
        "metaData.name" => match row {
            Row::Metadata { name, .. } => column.text(0, 1 + level(name.is_some()), name.as_deref()),
            _ => column.text(0, 0, None),
        },
        "metaData.configuration.key_value.key" => configuration(column, row, true),
        "metaData.configuration.key_value.value" => configuration(column, row, false),
        "add.path" => column.text(0, level(add.is_some()), add.map(|add| add.path.as_str())),
        "add.size" => column.number(level(add.is_some()), add.map(|add| add.size.cast_signed())),
        "add.stats" => {
            let stats = add.and_then(|add| add.records).map(|records| format!(r#"{{"numRecords":{records}}}"#));
            column.text(0, level(add.is_some()) + level(stats.is_some()), stats.as_deref());
        }
        "add.deletionVector.storageType" => column.text(0, vector_def, vector.map(|vector| vector.storage.as_str())),
        "add.deletionVector.pathOrInlineDv" => column.text(0, vector_def, vector.map(|vector| vector.path.as_str())),
        "add.deletionVector.offset" => {
            let offset = vector.and_then(|vector| vector.offset);
            column.number(vector_def + level(offset.is_some()), offset);
        }
        "add.deletionVector.sizeInBytes" => column.number(vector_def, vector.map(|vector| vector.size)),
        "add.deletionVector.cardinality" => column.number(vector_def, vector.map(|vector| vector.cardinality)),
        "remove.path" => match row {
            Row::Remove(path) => column.text(0, 1, Some(path)),
            _ => column.text(0, 0, None),
        },
        "sidecar.path" => match row {
            Row::Sidecar(path, _) => column.text(0, 1, Some(path)),
            _ => column.text(0, 0, None),
        },
        "sidecar.sizeInBytes" => match row {
            Row::Sidecar(_, size) => column.number(1, Some(*size)),
            _ => column.number(0, None),
        },
        other => panic!("{other}"),
    }
}

/// A checkpoint, or a sidecar, of these rows.
pub fn parquet(rows: &[Row]) -> Bytes {
    parquet_with(rows, WriterProperties::builder().build())
}

/// As [`parquet`], written in a certain way.
pub fn parquet_with(rows: &[Row], properties: WriterProperties) -> Bytes {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let mut out = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    while let Some(mut column) = group.next_column().unwrap() {
        let mut values = Column::default();
        let path = match column.untyped() {
            ColumnWriter::Int32ColumnWriter(column) => column.get_descriptor().path().string(),
            ColumnWriter::Int64ColumnWriter(column) => column.get_descriptor().path().string(),
            ColumnWriter::ByteArrayColumnWriter(column) => column.get_descriptor().path().string(),
            _ => panic!("another type"),
        };
        rows.iter().for_each(|row| fill(&mut values, &path, row));
        let (defs, reps) = (Some(values.defs.as_slice()), Some(values.reps.as_slice()));
        let narrow: Vec<i32> = values.numbers.iter().map(|number| i32::try_from(*number).unwrap_or(i32::MAX)).collect();
        match column.untyped() {
            ColumnWriter::Int32ColumnWriter(_) => column.typed::<Int32Type>().write_batch(&narrow, defs, reps),
            ColumnWriter::Int64ColumnWriter(_) => column.typed::<Int64Type>().write_batch(&values.numbers, defs, reps),
            _ => column.typed::<ByteArrayType>().write_batch(&values.texts, defs, reps),
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    out.into()
}
