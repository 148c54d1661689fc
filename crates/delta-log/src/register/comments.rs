//! What the comments of a statement say.

use super::Engine;
use crate::{
    described::Described,
    features::is_catalog,
    schema::{DataType, Primitive, StructType},
};

/// Features of readers that the documentation of Athena names ("Query Linux Foundation Delta Lake tables").
const ATHENA: &[&str] = &["columnMapping", "timestampNtz"];

/// Comments, a line each.
pub(super) fn lines(engine: Engine, name: &[&str], location: &str, described: &Described) -> String {
    let mut lines = vec![format!("Version {} of the Delta table at {location}.", described.version)];
    lines.extend(described.name.as_ref().map(|name| format!("Name: {name}")));
    lines.extend(described.id.as_ref().map(|id| format!("Id: {id}")));
    lines.extend(described.description.as_ref().map(|description| format!("Description: {description}")));
    lines.push("Columns, which the engine reads from the log:".to_owned());
    for field in &described.schema.fields {
        let null = if field.nullable { "" } else { " NOT NULL" };
        let comment = field.comment.as_ref().map(|comment| format!(" -- {comment}")).unwrap_or_default();
        lines.push(format!("  {} {}{null}{comment}", shown(&field.name), type_name(&field.data_type)));
    }
    if described.partition_columns.is_empty() {
        lines.push("It is not partitioned.".to_owned());
    } else {
        let columns: Vec<String> = described.partition_columns.iter().map(|column| shown(column)).collect();
        lines.push(format!("Partitioned by: {}", columns.join(", ")));
    }
    let protocol = &described.protocol;
    lines.push(format!(
        "Protocol: reader version {}{}, writer version {}{}",
        protocol.min_reader_version,
        list(protocol.reader_features.as_deref()),
        protocol.min_writer_version,
        list(protocol.writer_features.as_deref()),
    ));
    lines.extend(cautions(engine, name, described));
    lines.into_iter().map(|line| format!("-- {}\n", escaped(&line))).collect()
}

fn list(features: Option<&[String]>) -> String {
    features
        .filter(|features| !features.is_empty())
        .map_or_else(String::new, |names| format!(" ({})", names.join(", ")))
}

/// What the engine may not be able to do.
fn cautions(engine: Engine, name: &[&str], described: &Described) -> Vec<String> {
    let mut cautions = match engine {
        Engine::Databricks => {
            vec!["The location must be in an external location of Unity Catalog that you may create tables in.".to_owned()]
        }
        Engine::Spark => vec!["On EMR, s3:// reads the same place as s3a://.".to_owned()],
        Engine::AthenaGlue => athena(name, described),
        Engine::DuckDb => vec![
            "The extension delta is loaded on first use. CREATE SECRET (TYPE s3, PROVIDER credential_chain) gives it the AWS \
             credentials of this machine."
                .to_owned(),
        ],
    };
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if engine == Engine::Spark && !name.iter().all(|part| plain(part)) {
        cautions.push("The session catalog of Spark takes names of letters, digits and underscores alone.".to_owned());
    }
    let features = described.protocol.reader_features.iter().chain(&described.protocol.writer_features).flatten();
    if features.into_iter().any(|name| is_catalog(name)) {
        cautions.push(
            "CAUTION: a catalog managed the commits of this table. It does not know this copy, and readers may refuse the \
             table without it."
                .to_owned(),
        );
    }
    cautions
}

fn athena(name: &[&str], described: &Described) -> Vec<String> {
    let mut cautions = vec![
        "Athena engine version 3 reads the table and does not write it. The statement may have no columns and no other \
         properties."
            .to_owned(),
    ];
    let protocol = &described.protocol;
    let features = protocol.reader_features.iter().flatten();
    let unnamed: Vec<&str> = features.map(String::as_str).filter(|name| !ATHENA.contains(name)).collect();
    if !unnamed.is_empty() || protocol.min_reader_version > 3 {
        cautions.push(format!(
            "CAUTION: the documentation of Athena names reader versions up to 3, column mapping and timestampNtz. It does not \
             name what this table needs{}: compare a count of rows before you rely on it.",
            list(Some(&unnamed.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()))
        ));
    }
    let mut without = Vec::new();
    types_without(&described.schema, "", &mut without);
    if !without.is_empty() {
        cautions.push(format!("CAUTION: Athena has no type for: {}", without.join(", ")));
    }
    if name.iter().any(|part| part.contains(|character: char| character.is_ascii_uppercase())) {
        cautions.push("Athena keeps names in lower case.".to_owned());
    }
    cautions
}

/// The columns whose type Athena does not list ("Data types in Amazon Athena").
fn types_without(fields: &StructType, path: &str, found: &mut Vec<String>) {
    for field in &fields.fields {
        let path = format!("{path}{}", shown(&field.name));
        types_without_in(&field.data_type, &path, found);
    }
}

fn types_without_in(data_type: &DataType, path: &str, found: &mut Vec<String>) {
    match data_type {
        DataType::Primitive(Primitive::Variant | Primitive::Void | Primitive::Other(_)) => found.push(path.to_owned()),
        DataType::Primitive(_) => {}
        DataType::Struct(fields) => types_without(fields, &format!("{path}."), found),
        DataType::Array { element, .. } => types_without_in(element, &format!("{path}.element"), found),
        DataType::Map { key, value, .. } => {
            types_without_in(key, &format!("{path}.key"), found);
            types_without_in(value, &format!("{path}.value"), found);
        }
    }
}

/// A type as SQL names it.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Primitive(primitive) => primitive_name(primitive),
        DataType::Struct(fields) => {
            let member = |field: &crate::schema::StructField| {
                let null = if field.nullable { "" } else { " NOT NULL" };
                format!("{}: {}{null}", shown(&field.name), type_name(&field.data_type))
            };
            format!("STRUCT<{}>", fields.fields.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        DataType::Array { element, .. } => format!("ARRAY<{}>", type_name(element)),
        DataType::Map { key, value, .. } => format!("MAP<{}, {}>", type_name(key), type_name(value)),
    }
}

fn primitive_name(primitive: &Primitive) -> String {
    match primitive {
        Primitive::String => "STRING",
        Primitive::Long => "BIGINT",
        Primitive::Integer => "INT",
        Primitive::Short => "SMALLINT",
        Primitive::Byte => "TINYINT",
        Primitive::Float => "FLOAT",
        Primitive::Double => "DOUBLE",
        Primitive::Decimal { precision, scale } => return format!("DECIMAL({precision}, {scale})"),
        Primitive::Boolean => "BOOLEAN",
        Primitive::Binary => "BINARY",
        Primitive::Date => "DATE",
        Primitive::Timestamp => "TIMESTAMP",
        Primitive::TimestampNtz => "TIMESTAMP_NTZ",
        Primitive::Void => "VOID",
        Primitive::Variant => "VARIANT",
        Primitive::Other(name) => return shown(name),
    }
    .to_owned()
}

/// A name, in backticks where it would otherwise not be one word.
fn shown(name: &str) -> String {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    if !name.is_empty() && name.chars().all(is_word) {
        name.to_owned()
    } else {
        format!("`{}`", name.replace('`', "``"))
    }
}

/// Text that stays in its line: what ends a line for anybody, what may hide the rest of it, a backslash, with which Spark goes on
/// in the next line, a semicolon, at which tools cut, and a dollar sign before a brace, which tools replace.
fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let hides = matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let variable = character == '$' && characters.peek() == Some(&'{');
        if character.is_control() || hides || variable || matches!(character, '\\' | ';' | '\u{feff}') {
            line.extend(character.escape_unicode());
        } else {
            line.push(character);
        }
    }
    line
}
