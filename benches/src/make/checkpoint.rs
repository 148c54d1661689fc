//! Classic checkpoints: protocol, metadata, then the live files.

use std::{fs::File, path::Path, sync::Arc};

use anyhow::{Result, bail};
use parquet::{
    column::writer::ColumnWriter,
    data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type},
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::parser::parse_message_type,
};

use super::table::{Add, METADATA};

const SCHEMA: &str = "message checkpoint {
  optional group protocol { required int32 minReaderVersion; required int32 minWriterVersion; }
  optional group metaData {
    required binary id (UTF8);
    required group format {
      required binary provider (UTF8);
      optional group options (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
    }
    required binary schemaString (UTF8);
    required group partitionColumns (LIST) { repeated group list { required binary element (UTF8); } }
    optional group configuration (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
    optional int64 createdTime;
  }
  optional group add {
    required binary path (UTF8);
    optional group partitionValues (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
    required int64 size;
    required int64 modificationTime;
    required boolean dataChange;
    optional binary stats (UTF8);
  }
}";

enum Values {
    Flags(Vec<bool>),
    Narrow(Vec<i32>),
    Wide(Vec<i64>),
    Texts(Vec<ByteArray>),
}

/// Says whether a row has something.
type Rows = fn(usize) -> bool;

/// Writes the checkpoint of these files.
pub(super) fn write(to: &Path, files: &[Add]) -> Result<()> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(File::create(to)?, schema, properties)?;
    let rows = files.len() + 2;
    let reps = vec![0; rows];
    let mut group = writer.next_row_group()?;
    while let Some(mut column) = group.next_column()? {
        let (values, level, has) = values(&path(&mut column), files)?;
        let defs: Vec<i16> = (0..rows).map(|row| if has(row) { level } else { 0 }).collect();
        let (defs, reps) = (Some(defs.as_slice()), Some(reps.as_slice()));
        match values {
            Values::Flags(values) => column.typed::<BoolType>().write_batch(&values, defs, reps),
            Values::Narrow(values) => column.typed::<Int32Type>().write_batch(&values, defs, reps),
            Values::Wide(values) => column.typed::<Int64Type>().write_batch(&values, defs, reps),
            Values::Texts(values) => column.typed::<ByteArrayType>().write_batch(&values, defs, reps),
        }?;
        column.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

/// The values of a column, the definition level of the rows that have one, and which rows those are.
fn values(path: &str, files: &[Add]) -> Result<(Values, i16, Rows)> {
    let text = |text: &str| Values::Texts(vec![text.into()]);
    let texts = |text: fn(&Add) -> &str| Values::Texts(files.iter().map(|file| text(file).into()).collect());
    let wides = |wide: fn(&Add) -> u64| -> Result<Values> {
        Ok(Values::Wide(files.iter().map(|file| i64::try_from(wide(file))).collect::<Result<_, _>>()?))
    };
    let first: Rows = |row| row == 0;
    let second: Rows = |row| row == 1;
    let others: Rows = |row| row >= 2;
    Ok(match path {
        "protocol.minReaderVersion" => (Values::Narrow(vec![1]), 1, first),
        "protocol.minWriterVersion" => (Values::Narrow(vec![2]), 1, first),
        "metaData.id" => (text(METADATA.id), 1, second),
        "metaData.format.provider" => (text("parquet"), 1, second),
        "metaData.schemaString" => (text(METADATA.schema), 1, second),
        "metaData.partitionColumns.list.element" => (text(METADATA.partitioned_by), 2, second),
        "metaData.createdTime" => (Values::Wide(vec![i64::try_from(METADATA.created_ms)?]), 2, second),
        // Maps that are there and empty.
        map if map.starts_with("metaData.") => (Values::Texts(Vec::new()), 2, second),
        "add.partitionValues.key_value.key" => (texts(|_| METADATA.partitioned_by), 3, others),
        "add.partitionValues.key_value.value" => (texts(|file| &file.date), 4, others),
        "add.path" => (texts(|file| &file.path), 1, others),
        "add.stats" => (texts(|file| &file.stats), 2, others),
        "add.size" => (wides(|file| file.size)?, 1, others),
        "add.modificationTime" => (wides(|file| file.modified_ms)?, 1, others),
        "add.dataChange" => (Values::Flags(vec![true; files.len()]), 1, others),
        other => bail!("the schema has a column that has no values: {other}"),
    })
}

/// The name of a column, which the writer does not tell by itself.
fn path(column: &mut SerializedColumnWriter<'_>) -> String {
    match column.untyped() {
        ColumnWriter::BoolColumnWriter(column) => column.get_descriptor().path().string(),
        ColumnWriter::Int32ColumnWriter(column) => column.get_descriptor().path().string(),
        ColumnWriter::Int64ColumnWriter(column) => column.get_descriptor().path().string(),
        ColumnWriter::ByteArrayColumnWriter(column) => column.get_descriptor().path().string(),
        _ => String::new(),
    }
}
