//! SQL that makes tables known to engines.

use std::collections::BTreeMap;

use levee_delta_log::{
    DataType, Described, Engine, Primitive, RegisterError, StructField, StructType, TableProtocol, register_sql,
};
use proptest::prelude::*;
use rstest::rstest;

fn field(name: &str, data_type: DataType) -> StructField {
    StructField { name: name.into(), data_type, nullable: true, physical_name: None, id: None, comment: None }
}

fn table(fields: Vec<StructField>) -> Described {
    Described {
        version: 7,
        id: Some("5a8f".into()),
        name: None,
        description: None,
        schema: StructType { fields },
        partition_columns: Vec::new(),
        configuration: BTreeMap::new(),
        protocol: TableProtocol {
            min_reader_version: 1,
            min_writer_version: 2,
            reader_features: None,
            writer_features: None,
        },
    }
}

fn long() -> DataType {
    DataType::Primitive(Primitive::Long)
}

/// The statement behind the comments.
fn statement(sql: &str) -> &str {
    let comments = sql.lines().take_while(|line| line.starts_with("-- ")).map(|line| line.len() + 1).sum::<usize>();
    &sql[comments..]
}

fn comments(engine: Engine, table: &Described) -> String {
    let sql = register_sql(engine, &["t"], "s3://lake/t", table).unwrap();
    sql.strip_suffix(statement(&sql)).unwrap().to_owned()
}

#[rstest]
#[case(Engine::Databricks, "CREATE TABLE `main`.`t`\nUSING DELTA\nLOCATION 's3://lake/a b/t';\n")]
#[case(Engine::Spark, "CREATE TABLE `main`.`t`\nUSING DELTA\nLOCATION 's3a://lake/a b/t';\n")]
#[case(
    Engine::AthenaGlue,
    "CREATE EXTERNAL TABLE `main`.`t`\nLOCATION 's3://lake/a b/t/'\nTBLPROPERTIES ('table_type' = 'DELTA');\n"
)]
#[case(Engine::DuckDb, "CREATE VIEW \"main\".\"t\" AS\nSELECT * FROM delta_scan('s3://lake/a b/t');\n")]
fn each_engine_has_its_statement(#[case] engine: Engine, #[case] expected: &str) {
    let sql = register_sql(engine, &["main", "t"], "s3://lake/a b/t", &table(vec![field("a", long())])).unwrap();
    assert_eq!(statement(&sql), expected);
    assert!(sql.starts_with("-- Version 7 of the Delta table at s3://lake/a b/t.\n-- Id: 5a8f\n"), "{sql}");
}

#[rstest]
#[case(Primitive::String, "STRING")]
#[case(Primitive::Long, "BIGINT")]
#[case(Primitive::Integer, "INT")]
#[case(Primitive::Short, "SMALLINT")]
#[case(Primitive::Byte, "TINYINT")]
#[case(Primitive::Float, "FLOAT")]
#[case(Primitive::Double, "DOUBLE")]
#[case(Primitive::Decimal { precision: 38, scale: 9 }, "DECIMAL(38, 9)")]
#[case(Primitive::Boolean, "BOOLEAN")]
#[case(Primitive::Binary, "BINARY")]
#[case(Primitive::Date, "DATE")]
#[case(Primitive::Timestamp, "TIMESTAMP")]
#[case(Primitive::TimestampNtz, "TIMESTAMP_NTZ")]
#[case(Primitive::Void, "VOID")]
#[case(Primitive::Variant, "VARIANT")]
#[case(Primitive::Other("geometry(4326)".into()), "`geometry(4326)`")]
fn types_are_listed_as_sql_has_them(#[case] primitive: Primitive, #[case] expected: &str) {
    let is_of_athena = !matches!(primitive, Primitive::Void | Primitive::Variant | Primitive::Other(_));
    let data_type = DataType::Primitive(primitive);
    let inner = StructField { nullable: false, ..field("x.y", data_type.clone()) };
    let nested = DataType::Map {
        key: Box::new(DataType::Primitive(Primitive::String)),
        value: Box::new(DataType::Array {
            element: Box::new(DataType::Struct(StructType { fields: vec![inner] })),
            contains_null: true,
        }),
        value_contains_null: false,
    };
    let described = table(vec![StructField { nullable: false, ..field("a", data_type) }, field("n", nested)]);
    for engine in Engine::ALL {
        let comments = comments(engine, &described);
        assert!(comments.contains(&format!("--   a {expected} NOT NULL\n")), "{comments}");
        let nested = format!("--   n MAP<STRING, ARRAY<STRUCT<`x.y`: {expected} NOT NULL>>>\n");
        assert!(comments.contains(&nested), "{comments}");
        let caution = comments.contains("CAUTION: Athena has no type for: a, n.value.element.`x.y`\n");
        assert_eq!(caution, engine == Engine::AthenaGlue && !is_of_athena, "{comments}");
    }
}

#[test]
fn partitioning_and_protocol_are_told() {
    let mut described = table(vec![field("day", long()), field("a b", long())]);
    described.partition_columns = vec!["day".into(), "a b".into()];
    described.protocol = TableProtocol {
        min_reader_version: 3,
        min_writer_version: 7,
        reader_features: Some(vec!["columnMapping".into(), "deletionVectors".into()]),
        writer_features: Some(vec!["columnMapping".into(), "deletionVectors".into(), "rowTracking".into()]),
    };
    let comments = comments(Engine::AthenaGlue, &described);
    for line in [
        "-- Partitioned by: day, `a b`\n",
        "-- Protocol: reader version 3 (columnMapping, deletionVectors), writer version 7 (columnMapping, deletionVectors, rowTracking)\n",
        "name what this table needs (deletionVectors): compare",
    ] {
        assert!(comments.contains(line), "{comments}");
    }
}

#[rstest]
#[case("catalogManaged", true)]
#[case("deletionVectors", false)]
fn copies_of_catalog_managed_tables_are_cautioned_about(#[case] feature: &str, #[case] expected: bool) {
    let mut described = table(Vec::new());
    described.protocol.reader_features = Some(vec![feature.into()]);
    for engine in Engine::ALL {
        assert_eq!(comments(engine, &described).contains("CAUTION: a catalog managed"), expected, "{engine:?}");
    }
}

#[rstest]
#[case::none(Engine::Spark, &[], "0 parts")]
#[case::four(Engine::DuckDb, &["a", "b", "c", "d"], "4 parts")]
#[case::athena_has_no_catalogs(Engine::AthenaGlue, &["a", "b", "c"], "3 parts")]
#[case::empty(Engine::DuckDb, &["a", ""], "empty")]
#[case::line(Engine::Spark, &["a\nb"], "control")]
#[case::nul(Engine::DuckDb, &["a\0"], "control")]
#[case::dot(Engine::Databricks, &["a.b"], "dot")]
#[case::space(Engine::Databricks, &["a b"], "space")]
#[case::variable(Engine::Spark, &["${system:user.name}"], "variable")]
#[case::variable(Engine::Databricks, &["a${b}"], "variable")]
#[case::quote(Engine::AthenaGlue, &["a`b"], "another character")]
#[case::unicode(Engine::AthenaGlue, &["\u{e4}"], "another character")]
fn names_that_an_engine_cannot_have_are_refused(#[case] engine: Engine, #[case] name: &[&str], #[case] why: &str) {
    let error = register_sql(engine, name, "s3://lake/t", &table(Vec::new())).unwrap_err();
    assert!(matches!(error, RegisterError::Name { .. }) && error.to_string().contains(why), "{error}");
}

#[rstest]
#[case::scheme(Engine::Spark, "s3a://lake/t", "s3://")]
#[case::file(Engine::DuckDb, "/tmp/t", "s3://")]
#[case::no_bucket(Engine::DuckDb, "s3:///t", "no bucket")]
#[case::bucket(Engine::Spark, "s3://la'ke/t", "no bucket")]
#[case::line(Engine::Databricks, "s3://lake/t\n;", "control")]
#[case::quote(Engine::AthenaGlue, "s3://lake/o'clock", "quote")]
#[case::query(Engine::DuckDb, "s3://lake/t?x", "URL")]
#[case::escape(Engine::DuckDb, "s3://lake/a%20b", "URL")]
fn locations_that_an_engine_cannot_read_are_refused(#[case] engine: Engine, #[case] location: &str, #[case] why: &str) {
    let error = register_sql(engine, &["t"], location, &table(Vec::new())).unwrap_err();
    assert!(matches!(error, RegisterError::Location { .. }) && error.to_string().contains(why), "{error}");
}

#[rstest]
#[case(Engine::Databricks, "t`; DROP TABLE x--", "s3://lake/o'clock\\$1", None)]
#[case(Engine::Spark, "t`; DROP TABLE x--", "s3://lake/o'clock\\$1", Some(("`t``; DROP TABLE x--`", r"'s3a://lake/o\'clock\\\u00241'")))]
#[case(Engine::DuckDb, "t\"; DROP TABLE x--", "s3://lake/o'clock$1", Some(("\"t\"\"; DROP TABLE x--\"", "'s3://lake/o''clock$1'")))]
fn quotes_in_names_and_locations_stay_in_them(
    #[case] engine: Engine,
    #[case] name: &str,
    #[case] location: &str,
    #[case] expected: Option<(&str, &str)>,
) {
    let sql = register_sql(engine, &[name], location, &table(Vec::new()));
    let Some((name, literal)) = expected else {
        return assert!(sql.is_err(), "a name with spaces is none of Databricks");
    };
    let sql = sql.unwrap();
    assert!(statement(&sql).contains(name) && statement(&sql).contains(literal), "{sql}");
}

/// Cuts a statement into words, quoted names and literals, by the rules of the engine.
fn tokens(engine: Engine, statement: &str) -> Vec<String> {
    let escapes = matches!(engine, Engine::Databricks | Engine::Spark);
    let (mut tokens, mut characters) = (Vec::new(), statement.chars().peekable());
    while let Some(first) = characters.next() {
        let mut token = String::from(first);
        if matches!(first, '`' | '"' | '\'') {
            loop {
                let next = characters.next().expect("it ends");
                if escapes && first == '\'' && next == '\\' {
                    let escaped = characters.next().unwrap();
                    if escaped == 'u' {
                        let digits: String = characters.by_ref().take(4).collect();
                        token.push(char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap());
                    } else {
                        token.push(escaped);
                    }
                } else if next != first {
                    token.push(next);
                } else if !(escapes && first == '\'') && characters.peek() == Some(&first) {
                    token.push(characters.next().unwrap());
                } else {
                    break;
                }
            }
        } else if first.is_whitespace() {
            continue;
        } else if first.is_alphanumeric() {
            while let Some(next) = characters.next_if(|next| next.is_alphanumeric() || *next == '_') {
                token.push(next);
            }
        }
        tokens.push(token);
    }
    tokens
}

proptest! {
    #[test]
    fn nothing_gets_out_of_its_place(
        name in "[a-z\"'`;\\\\$.{} \u{e4}\u{2028}-]{1,12}",
        path in "[a-z\"'`;\\\\${} \u{e4}-]{0,12}",
        column in "[a-z\"'`;\\\\${}\n\r\u{2028}\u{85} */-]{0,12}",
    ) {
        let mut described = table(vec![field(&column, long())]);
        described.name = Some(column.clone());
        described.description = Some(column.clone());
        described.partition_columns = vec![column];
        let location = format!("s3://lake/{path}");
        for engine in Engine::ALL {
            let Ok(sql) = register_sql(engine, &[&name], &location, &described) else { continue };
            let statement = statement(&sql);
            let comments = sql.strip_suffix(statement).unwrap();
            for end in ['\r', '\\', ';', '\u{2028}', '\u{85}'] {
                prop_assert!(comments.chars().zip(comments.chars().skip(1)).all(|(first, next)|
                    first != end || (end == '\\' && next == 'u')), "{:?}", comments);
            }
            prop_assert!(!comments.contains("${"), "{}", comments);
            let found = tokens(engine, statement);
            let quoted: Vec<_> = found.iter().filter(|token| token.starts_with(['`', '"'])).collect();
            prop_assert_eq!(quoted.len(), 1, "{}", sql);
            prop_assert_eq!(&quoted[0][1..], name.as_str());
            let literal = found.iter().find(|token| token.starts_with('\'')).unwrap();
            let expected = if engine == Engine::Spark { format!("s3a://lake/{path}") } else { location.clone() };
            prop_assert_eq!(literal[1..].trim_end_matches('/'), expected.trim_end_matches('/'));
            prop_assert_eq!(found.last().unwrap(), ";");
            prop_assert_eq!(found.iter().filter(|token| *token == ";").count(), 1);
        }
    }
}
