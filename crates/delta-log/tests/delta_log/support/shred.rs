//! Parquet of any schema, from rows in JSON.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use parquet::{
    basic::{ConvertedType, Repetition, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::{parser::parse_message_type, types::Type},
};
use serde_json::Value;

#[derive(Default)]
struct Column {
    defs: Vec<i16>,
    reps: Vec<i16>,
    values: Vec<Value>,
}

type Columns = BTreeMap<String, Column>;

/// Where a value is.
#[derive(Clone, Copy, Default)]
struct At {
    def: i16,
    rep: i16,
    /// Repeated fields around it.
    depth: i16,
}

/// Takes a value apart, as the paper on Dremel has it. A map is an object.
fn shred(field: &Type, value: &Value, at: At, path: &str, columns: &mut Columns) {
    let path = format!("{path}.{}", field.name());
    let optional = field.get_basic_info().repetition() == Repetition::OPTIONAL;
    if value.is_null() && optional {
        return leave_out(field, at, &path, columns);
    }
    let at = At { def: at.def + i16::from(optional), ..at };
    if field.is_primitive() {
        assert!(!value.is_null(), "{path} must not be null");
        let column = columns.entry(path).or_default();
        column.defs.push(at.def);
        column.reps.push(at.rep);
        column.values.push(value.clone());
        return;
    }
    let entries: Vec<Vec<Value>> = match field.get_basic_info().converted_type() {
        ConvertedType::LIST => value.as_array().unwrap().iter().map(|element| vec![element.clone()]).collect(),
        ConvertedType::MAP => {
            value.as_object().unwrap().iter().map(|(key, value)| vec![key.clone().into(), value.clone()]).collect()
        }
        _ => {
            for child in field.get_fields() {
                shred(child, value.get(child.name()).unwrap_or(&Value::Null), at, &path, columns);
            }
            return;
        }
    };
    let repeated = &field.get_fields()[0];
    let inner = format!("{path}.{}", repeated.name());
    if entries.is_empty() {
        return leave_out(repeated, at, &inner, columns);
    }
    for (number, entry) in entries.iter().enumerate() {
        let depth = at.depth + 1;
        let at = At { def: at.def + 1, rep: if number == 0 { at.rep } else { depth }, depth };
        for (child, value) in repeated.get_fields().iter().zip(entry) {
            shred(child, value, at, &inner, columns);
        }
    }
}

fn leave_out(field: &Type, at: At, path: &str, columns: &mut Columns) {
    if field.is_primitive() {
        let column = columns.entry(path.to_owned()).or_default();
        column.defs.push(at.def);
        column.reps.push(at.rep);
        return;
    }
    for child in field.get_fields() {
        leave_out(child, at, &format!("{path}.{}", child.name()), columns);
    }
}

/// A file of these rows.
pub fn parquet_of(schema: &str, rows: &[Value]) -> Bytes {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut columns = Columns::new();
    for row in rows {
        for field in schema.get_fields() {
            shred(field, row.get(field.name()).unwrap_or(&Value::Null), At::default(), "", &mut columns);
        }
    }
    let mut out = Vec::new();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(&mut out, schema.clone(), properties).unwrap();
    let descriptor = parquet::schema::types::SchemaDescriptor::new(schema);
    let mut group = writer.next_row_group().unwrap();
    for place in 0..descriptor.num_columns() {
        let leaf = descriptor.column(place);
        let mut column = group.next_column().unwrap().unwrap();
        let values = &columns[&format!(".{}", leaf.path().string())];
        let (defs, reps) = (Some(values.defs.as_slice()), Some(values.reps.as_slice()));
        let as_i64 = |value: &Value| value.as_i64().unwrap();
        match leaf.physical_type() {
            Physical::BOOLEAN => {
                column.typed::<BoolType>().write_batch(&of::<BoolType>(values, |v| v.as_bool().unwrap()), defs, reps)
            }
            Physical::INT32 => {
                let narrow = of::<Int32Type>(values, |v| i32::try_from(as_i64(v)).unwrap());
                column.typed::<Int32Type>().write_batch(&narrow, defs, reps)
            }
            Physical::INT64 => column.typed::<Int64Type>().write_batch(&of::<Int64Type>(values, as_i64), defs, reps),
            _ => {
                let texts = of::<ByteArrayType>(values, |v| ByteArray::from(v.as_str().unwrap()));
                column.typed::<ByteArrayType>().write_batch(&texts, defs, reps)
            }
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    out.into()
}

fn of<T: DataType>(column: &Column, value: impl Fn(&Value) -> T::T) -> Vec<T::T> {
    column.values.iter().map(value).collect()
}

/// The schema of a checkpoint as delta-io/delta writes it, with statistics and partition values both as text and as structs.
pub const CHECKPOINT: &str = "message checkpoint {
  optional group txn { required binary appId (UTF8); required int64 version; }
  optional group add {
    required binary path (UTF8);
    optional group partitionValues (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
    required int64 size;
    required int64 modificationTime;
    required boolean dataChange;
    optional binary stats (UTF8);
    optional group tags (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
    optional group deletionVector {
      required binary storageType (UTF8);
      required binary pathOrInlineDv (UTF8);
      optional int32 offset;
      required int32 sizeInBytes;
      required int64 cardinality;
      optional int64 maxRowIndex;
    }
    optional int64 baseRowId;
    optional int64 defaultRowCommitVersion;
    optional binary clusteringProvider (UTF8);
    optional group partitionValues_parsed { optional int32 day; }
    optional group stats_parsed {
      optional int64 numRecords;
      optional group minValues { optional int64 a; }
    }
  }
  optional group remove { required binary path (UTF8); optional int64 deletionTimestamp; }
  optional group metaData {
    required binary id (UTF8);
    optional binary name (UTF8);
    optional binary description (UTF8);
    required group format {
      required binary provider (UTF8);
      optional group options (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
    }
    required binary schemaString (UTF8);
    required group partitionColumns (LIST) { repeated group list { required binary element (UTF8); } }
    required group configuration (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
    optional int64 createdTime;
  }
  optional group protocol {
    required int32 minReaderVersion;
    required int32 minWriterVersion;
    optional group readerFeatures (LIST) { repeated group list { required binary element (UTF8); } }
    optional group writerFeatures (LIST) { repeated group list { required binary element (UTF8); } }
  }
  optional group domainMetadata {
    required binary domain (UTF8);
    required binary configuration (UTF8);
    required boolean removed;
  }
}";
