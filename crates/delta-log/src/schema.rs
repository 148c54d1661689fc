//! The schema of a table.
//!
//! PROTOCOL.md of delta-io/delta, "Schema Serialization Format" and "Column Mapping".

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Fields, in their order: the columns of a table, or the members of a struct.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StructType {
    /// The fields.
    pub fields: Vec<StructField>,
}

/// A column, or a member of a struct.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StructField {
    /// Its name, as people know it.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Its name in data files, statistics and partition values, where columns are mapped (`delta.columnMapping.physicalName`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical_name: Option<String>,
    /// Its id in data files, where columns are mapped (`delta.columnMapping.id`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// What its author says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataType {
    /// A type without parts.
    Primitive(Primitive),
    /// Fields side by side.
    Struct(StructType),
    /// Any number of elements.
    Array {
        /// The type of the elements.
        element: Box<DataType>,
        /// Whether elements may be null.
        contains_null: bool,
    },
    /// Keys with values.
    Map {
        /// The type of the keys.
        key: Box<DataType>,
        /// The type of the values.
        value: Box<DataType>,
        /// Whether values may be null.
        value_contains_null: bool,
    },
}

/// The types without parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Primitive {
    /// `string`
    String,
    /// `long`: 8 bytes.
    Long,
    /// `integer`: 4 bytes.
    Integer,
    /// `short`: 2 bytes.
    Short,
    /// `byte`
    Byte,
    /// `float`: 4 bytes.
    Float,
    /// `double`: 8 bytes.
    Double,
    /// `decimal(precision,scale)`
    Decimal {
        /// Digits in all, 38 at most.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// `boolean`
    Boolean,
    /// `binary`
    Binary,
    /// `date`
    Date,
    /// `timestamp`: a point in time.
    Timestamp,
    /// `timestamp_ntz`: a time of day on a date, without a time zone.
    TimestampNtz,
    /// `void`: nothing but null.
    Void,
    /// `variant`
    Variant,
    /// A type that the protocol does not have, as the log names it.
    Other(String),
}

impl StructType {
    /// Reads a `schemaString`. `serde_json` refuses what is nested more than 127 deep, which is some 40 structs in one another,
    /// so that neither reading nor walking through the types can exhaust the stack. A type that has a name but is not known is
    /// kept by its name.
    ///
    /// # Errors
    /// What is wrong, and where, in words that finish "the schema cannot be read: ".
    pub(crate) fn parse(schema: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
        match value {
            Value::Object(object) if text(&object, "type") == Some("struct") => struct_type(&object, ""),
            _ => Err("it is no struct".to_owned()),
        }
    }

    /// The field of a name, in the case that it has.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&StructField> {
        self.fields.iter().find(|field| field.name == name)
    }
}

fn text<'a>(object: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    object.get(member).and_then(Value::as_str)
}

fn struct_type(object: &Map<String, Value>, path: &str) -> Result<StructType, String> {
    let fields = object.get("fields").and_then(Value::as_array);
    let fields = fields.ok_or_else(|| format!("{} has no list of fields", shown(path)))?;
    let fields = fields.iter().map(|value| field(value, path)).collect::<Result<_, _>>()?;
    Ok(StructType { fields })
}

fn field(value: &Value, path: &str) -> Result<StructField, String> {
    let object = value.as_object().ok_or_else(|| format!("{} has a field that is no object", shown(path)))?;
    let name = text(object, "name").ok_or_else(|| format!("{} has a field without a name", shown(path)))?;
    let path = join(path, name);
    let data_type = object.get("type").ok_or_else(|| format!("{} has no type", shown(&path)))?;
    let nullable = match object.get("nullable") {
        Some(Value::Bool(nullable)) => *nullable,
        None | Some(Value::Null) => true,
        Some(_) => return Err(format!("{} is neither nullable nor not", shown(&path))),
    };
    let empty = Map::new();
    let metadata = match object.get("metadata") {
        Some(Value::Object(metadata)) => metadata,
        None | Some(Value::Null) => &empty,
        Some(_) => return Err(format!("the metadata of {} is no object", shown(&path))),
    };
    Ok(StructField {
        data_type: self::data_type(data_type, &path)?,
        name: name.to_owned(),
        nullable,
        physical_name: text(metadata, "delta.columnMapping.physicalName").map(str::to_owned),
        id: metadata.get("delta.columnMapping.id").and_then(Value::as_i64),
        comment: text(metadata, "comment").map(str::to_owned),
    })
}

fn data_type(value: &Value, path: &str) -> Result<DataType, String> {
    let object = match value {
        Value::String(name) => return primitive(name, path).map(DataType::Primitive),
        Value::Object(object) => object,
        _ => return Err(format!("the type of {} is neither a name nor an object", shown(path))),
    };
    let part = |member: &str, step: &str| {
        let part = object.get(member).ok_or_else(|| format!("the type of {} has no {member}", shown(path)))?;
        data_type(part, &join(path, step)).map(Box::new)
    };
    let flag = |member: &str| object.get(member).and_then(Value::as_bool).unwrap_or(true);
    match text(object, "type") {
        Some("struct") => struct_type(object, path).map(DataType::Struct),
        Some("array") => {
            Ok(DataType::Array { element: part("elementType", "element")?, contains_null: flag("containsNull") })
        }
        Some("map") => Ok(DataType::Map {
            key: part("keyType", "key")?,
            value: part("valueType", "value")?,
            value_contains_null: flag("valueContainsNull"),
        }),
        // A user-defined type of Spark is stored as another one.
        Some("udt") => part("sqlType", "sqlType").map(|stored| *stored),
        Some(name) if object.len() == 1 => primitive(name, path).map(DataType::Primitive),
        Some(name) => Err(format!("the type of {} is a {name} with parts, which is not known", shown(path))),
        None => Err(format!("the type of {} has no name", shown(path))),
    }
}

fn primitive(name: &str, path: &str) -> Result<Primitive, String> {
    if let Some(rest) = name.strip_prefix("decimal") {
        return decimal(rest).ok_or_else(|| format!("{} is of the type {name:?}, which no decimal has", shown(path)));
    }
    Ok(match name {
        "string" => Primitive::String,
        "long" => Primitive::Long,
        "integer" => Primitive::Integer,
        "short" => Primitive::Short,
        "byte" => Primitive::Byte,
        "float" => Primitive::Float,
        "double" => Primitive::Double,
        "boolean" => Primitive::Boolean,
        "binary" => Primitive::Binary,
        "date" => Primitive::Date,
        "timestamp" => Primitive::Timestamp,
        "timestamp_ntz" => Primitive::TimestampNtz,
        // Spark called it so before it was `void`.
        "void" | "null" => Primitive::Void,
        "variant" => Primitive::Variant,
        other => Primitive::Other(other.to_owned()),
    })
}

/// What follows `decimal`: a precision and a scale, or nothing for 10 and 0.
fn decimal(rest: &str) -> Option<Primitive> {
    if rest.is_empty() {
        return Some(Primitive::Decimal { precision: 10, scale: 0 });
    }
    let (precision, scale) = rest.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    let precision: u8 = precision.trim().parse().ok()?;
    let scale: u8 = scale.trim().parse().ok()?;
    ((1..=38).contains(&precision) && scale <= precision).then_some(Primitive::Decimal { precision, scale })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A path as errors show it; names may have anything in them.
fn shown(path: &str) -> String {
    if path.is_empty() { "it".to_owned() } else { format!("{path:?}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn of_type(data_type: &Value) -> Result<DataType, String> {
        let schema =
            json!({"type": "struct", "fields": [{"name": "a", "type": data_type, "nullable": false, "metadata": {}}]});
        StructType::parse(&schema.to_string()).map(|schema| schema.fields[0].data_type.clone())
    }

    #[rstest]
    #[case("string", Primitive::String)]
    #[case("long", Primitive::Long)]
    #[case("integer", Primitive::Integer)]
    #[case("short", Primitive::Short)]
    #[case("byte", Primitive::Byte)]
    #[case("float", Primitive::Float)]
    #[case("double", Primitive::Double)]
    #[case("decimal(38,18)", Primitive::Decimal { precision: 38, scale: 18 })]
    #[case("decimal(5, 0)", Primitive::Decimal { precision: 5, scale: 0 })]
    #[case("decimal", Primitive::Decimal { precision: 10, scale: 0 })]
    #[case("boolean", Primitive::Boolean)]
    #[case("binary", Primitive::Binary)]
    #[case("date", Primitive::Date)]
    #[case("timestamp", Primitive::Timestamp)]
    #[case("timestamp_ntz", Primitive::TimestampNtz)]
    #[case("void", Primitive::Void)]
    #[case("variant", Primitive::Variant)]
    #[case("geometry(4326)", Primitive::Other("geometry(4326)".to_owned()))]
    fn primitives_are_read_by_name(#[case] name: &str, #[case] expected: Primitive) {
        assert_eq!(of_type(&json!(name)).unwrap(), DataType::Primitive(expected.clone()));
        let element = Box::new(DataType::Primitive(expected.clone()));
        let array = json!({"type": "array", "elementType": name, "containsNull": false});
        assert_eq!(of_type(&array).unwrap(), DataType::Array { element: element.clone(), contains_null: false });
        let map = json!({"type": "map", "keyType": "string", "valueType": name, "valueContainsNull": true});
        let key = Box::new(DataType::Primitive(Primitive::String));
        assert_eq!(of_type(&map).unwrap(), DataType::Map { key, value: element, value_contains_null: true });
        let user = json!({"type": "udt", "class": "org.example.Point", "sqlType": name});
        assert_eq!(of_type(&user).unwrap(), DataType::Primitive(expected));
    }

    #[test]
    fn mapped_columns_have_their_physical_names_at_every_depth() {
        let inner = json!({"name": "x.y", "type": "long", "nullable": true,
            "metadata": {"delta.columnMapping.id": 2, "delta.columnMapping.physicalName": "col-2"}});
        let schema = json!({"type": "struct", "fields": [{"name": "a`b", "nullable": false,
            "type": {"type": "array", "elementType": {"type": "struct", "fields": [inner]}, "containsNull": true},
            "metadata": {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "col-1", "comment": "a \u{e4}"}}]});
        let schema = StructType::parse(&schema.to_string()).unwrap();
        let outer = schema.field("a`b").unwrap();
        assert_eq!((outer.id, outer.physical_name.as_deref(), outer.nullable), (Some(1), Some("col-1"), false));
        assert_eq!(outer.comment.as_deref(), Some("a \u{e4}"));
        let DataType::Array { element, .. } = &outer.data_type else { unreachable!() };
        let DataType::Struct(element) = element.as_ref() else { unreachable!() };
        let inner = element.field("x.y").unwrap();
        assert_eq!((inner.id, inner.physical_name.as_deref(), inner.nullable), (Some(2), Some("col-2"), true));
    }

    #[rstest]
    #[case::no_json("{", "EOF")]
    #[case::empty("", "EOF")]
    #[case::primitive("\"long\"", "it is no struct")]
    #[case::array(r#"{"type":"array","elementType":"long"}"#, "it is no struct")]
    #[case::no_fields(r#"{"type":"struct"}"#, "it has no list of fields")]
    #[case::no_name(r#"{"type":"struct","fields":[{"type":"long"}]}"#, "it has a field without a name")]
    #[case::no_type(r#"{"type":"struct","fields":[{"name":"a"}]}"#, "\"a\" has no type")]
    #[case::number(r#"{"type":"struct","fields":[{"name":"a","type":1}]}"#, "the type of \"a\" is neither")]
    #[case::decimal(r#"{"type":"struct","fields":[{"name":"a","type":"decimal(39,0)"}]}"#, "no decimal")]
    #[case::scale(r#"{"type":"struct","fields":[{"name":"a","type":"decimal(3,4)"}]}"#, "no decimal")]
    #[case::element(r#"{"type":"struct","fields":[{"name":"a","type":{"type":"array"}}]}"#, "has no elementType")]
    #[case::nested(
        r#"{"type":"struct","fields":[{"name":"a","type":{"type":"map","keyType":"long","valueType":{"type":"struct"}}}]}"#,
        "\"a.value\" has no list of fields"
    )]
    #[case::unknown(r#"{"type":"struct","fields":[{"name":"a","type":{"type":"tensor","of":"long"}}]}"#, "tensor")]
    #[case::nullable(r#"{"type":"struct","fields":[{"name":"a","type":"long","nullable":"no"}]}"#, "neither nullable")]
    fn what_is_no_schema_is_refused_with_its_place(#[case] schema: &str, #[case] why: &str) {
        let error = StructType::parse(schema).unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[rstest]
    #[case(30, true)]
    #[case(100_000, false)]
    fn depth_is_bounded(#[case] depth: usize, #[case] fits: bool) {
        let open = r#"{"type":"struct","fields":[{"name":"a","type":"#.repeat(depth);
        let schema = format!("{open}\"long\"{}", "}]}".repeat(depth));
        assert_eq!(StructType::parse(&schema).is_ok(), fits);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(schema in "[\\[\\]{}:,\"a-z0-9 ]{0,80}") {
            let _ = StructType::parse(&schema);
        }

        #[test]
        fn any_names_come_back(names in prop::collection::vec("\\PC{0,12}", 0..6)) {
            let fields: Vec<Value> = names.iter().map(|name| json!({"name": name, "type": "long", "nullable": true})).collect();
            let schema = StructType::parse(&json!({"type": "struct", "fields": fields}).to_string()).unwrap();
            prop_assert_eq!(schema.fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>(), names);
        }
    }
}
