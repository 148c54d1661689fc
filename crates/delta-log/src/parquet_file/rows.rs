//! Whole actions out of checkpoints and sidecars in Parquet.
//!
//! Rows are put together by the crate `parquet`, over pages that are held against the file as always. Partition values in a struct
//! (`partitionValues_parsed`) are passed over, since they are there as a map too; of statistics in a struct (`stats_parsed`) the
//! number of records is read.

use std::sync::Arc;

use bytes::Bytes;
use parquet::{
    bloom_filter::Sbbf,
    column::page::PageReader,
    errors::{ParquetError, Result},
    file::{metadata::RowGroupMetaData, reader::RowGroupReader},
    record::{Field, Row, reader::RowIter},
    schema::types::Type,
};
use serde_json::{Map, Value};

use super::{
    budget, footer, guarded,
    pages::{Budget, Pages},
};
use crate::{
    actions::Unusable,
    commit::with_add,
    whole::{Object, Whole},
};

/// The members of `add` that a commit has: PROTOCOL.md, "Add File and Remove File". `dataChange` is set by who writes.
const ADD: &[&str] = &[
    "path",
    "partitionValues",
    "size",
    "modificationTime",
    "stats",
    "tags",
    "deletionVector",
    "baseRowId",
    "defaultRowCommitVersion",
    "clusteringProvider",
];
/// Members that are maps, with what they are members of; files that do not say so cannot be told from structs otherwise.
const MAPS: &[(&str, &str)] =
    &[("add", "partitionValues"), ("add", "tags"), ("metaData", "configuration"), ("format", "options")];

/// Gives the whole actions of a checkpoint, or of one of its sidecars; `add`s when they are looked at.
pub(crate) fn read_whole_parquet(file: &Bytes, adds: bool, whole: &mut dyn Whole) -> std::result::Result<(), Unusable> {
    guarded(|| {
        let metadata = footer(file)?;
        let budget = budget(file);
        let Some(projection) = projection(metadata.file_metadata().schema(), adds)? else { return Ok(()) };
        for group in metadata.row_groups() {
            let group = WholeGroup { file, metadata: group, budget: &budget };
            for row in RowIter::from_row_group(Some(projection.clone()), &group)? {
                give(row?, whole).map_err(|Unusable(why)| ParquetError::General(why))?;
            }
        }
        Ok(())
    })
}

/// The columns that are read; none when the file has none of them.
fn projection(schema: &Type, adds: bool) -> Result<Option<Type>> {
    let mut fields = Vec::new();
    for field in schema.get_fields().iter().filter(|field| field.is_group()) {
        match field.name() {
            "protocol" | "metaData" | "domainMetadata" => fields.push(field.clone()),
            "add" if adds => fields.push(Arc::new(part(field, ADD)?)),
            _ => {}
        }
    }
    if fields.iter().all(|field| field.get_fields().is_empty()) {
        return Ok(None);
    }
    Type::group_type_builder(schema.name()).with_fields(fields).build().map(Some)
}

/// A struct with some of its members; of statistics, the number of records is one.
fn part(of: &Type, names: &[&str]) -> Result<Type> {
    let mut members = Vec::new();
    for member in of.get_fields() {
        match member.name() {
            "stats_parsed" if member.is_group() => members.push(Arc::new(part(member, &["numRecords"])?)),
            name if names.contains(&name) => members.push(member.clone()),
            _ => {}
        }
    }
    members.retain(|member| !member.is_group() || !member.get_fields().is_empty());
    let repetition = of.get_basic_info().repetition();
    Type::group_type_builder(of.name()).with_repetition(repetition).with_fields(members).build()
}

/// A row group whose pages are read within bounds.
struct WholeGroup<'a> {
    file: &'a Bytes,
    metadata: &'a RowGroupMetaData,
    budget: &'a Budget,
}

impl RowGroupReader for WholeGroup<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.metadata
    }

    fn num_columns(&self) -> usize {
        self.metadata.num_columns()
    }

    fn get_column_page_reader(&self, place: usize) -> Result<Box<dyn PageReader>> {
        Ok(Box::new(Pages::new(self.file, self.metadata.column(place), self.budget.clone())?))
    }

    fn get_column_bloom_filter(&self, _: usize) -> Option<&Sbbf> {
        None
    }

    fn get_row_iter(&self, projection: Option<Type>) -> Result<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}

fn give(row: Row, whole: &mut dyn Whole) -> std::result::Result<(), Unusable> {
    for (name, field) in row.into_columns() {
        let Field::Group(row) = field else { continue };
        let object = object(&name, row)?;
        let text = Value::Object(object).to_string();
        let parsed = |text: &str| serde_json::from_str::<Object>(text);
        let broken = |error: serde_json::Error| Unusable::new(format!("{name}: {error}"));
        match name.as_str() {
            "protocol" => whole.protocol(parsed(&text).map_err(broken)?)?,
            "metaData" => whole.metadata(parsed(&text).map_err(broken)?)?,
            "domainMetadata" => whole.domain(parsed(&text).map_err(broken)?)?,
            _ => {
                let raw = serde_json::from_str(&text).map_err(broken)?;
                if with_add(raw, |add| whole.wants(add)).map_err(broken)?? {
                    whole.add(parsed(&text).map_err(broken)?)?;
                }
            }
        }
    }
    Ok(())
}

/// The members of a struct that are not null.
fn object(of: &str, row: Row) -> std::result::Result<Map<String, Value>, Unusable> {
    let mut object = Map::new();
    for (name, field) in row.into_columns() {
        let value = match field {
            Field::Null => continue,
            Field::MapInternal(map) => map_value(map.entries())?,
            _ if MAPS.contains(&(of, name.as_str())) => return Err(Unusable::new(format!("{name} is no map"))),
            field => value(&name, &field)?,
        };
        object.insert(name, value);
    }
    Ok(object)
}

/// A map from texts to texts, or to nothing.
fn map_value(entries: &[(Field, Field)]) -> std::result::Result<Value, Unusable> {
    let mut map = Map::new();
    for (key, field) in entries {
        let Value::String(key) = value("a key of a map", key)? else {
            return Err(Unusable::new("a key of a map is no text"));
        };
        map.insert(key, value("a value of a map", field)?);
    }
    Ok(Value::Object(map))
}

fn value(name: &str, field: &Field) -> std::result::Result<Value, Unusable> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => Value::Bool(*value),
        Field::Int(value) => Value::from(*value),
        Field::Long(value) => Value::from(*value),
        Field::Str(value) => Value::from(value.as_str()),
        // Writers that do not annotate their texts.
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Value::from(text),
            Err(_) => return Err(Unusable::new(format!("{name} is no UTF-8"))),
        },
        Field::Group(row) => Value::Object(object(name, row.clone())?),
        Field::ListInternal(list) => {
            Value::Array(list.elements().iter().map(|field| value(name, field)).collect::<std::result::Result<_, _>>()?)
        }
        Field::TimestampMillis(value) => Value::from(*value),
        _ => return Err(Unusable::new(format!("{name} has a type that no member of an action has"))),
    })
}
