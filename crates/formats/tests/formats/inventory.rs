use jiff::Timestamp;
use levee_formats::inventory::{Column, DataReader, DataWriter, Manifest, Record, Row, RowError, Schema};
use proptest::prelude::*;
use rstest::rstest;

use super::support::{Seen, gzip, read_inventory, text};

const ALL: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass";
const GOOD: &str = r#""lake-src","a+b","v1","true","false","5","2026-11-20T03:04:05.000Z","e1","STANDARD""#;

fn all() -> Schema {
    Schema::parse(ALL).unwrap()
}

fn good() -> Seen {
    let fields = ["lake-src", "a b", "v1", "true", "false", "5", "2026-11-20T03:04:05Z", "e1", "STANDARD"].map(text);
    Ok(fields.to_vec())
}

fn read(lines: &str) -> Vec<Seen> {
    read_inventory(&all(), &gzip(lines.as_bytes()), 16).0
}

#[rstest]
#[case::lf(format!("{GOOD}\n{GOOD}\n"))]
#[case::crlf(format!("{GOOD}\r\n{GOOD}\r\n"))]
#[case::no_final_line_end(format!("{GOOD}\n{GOOD}"))]
#[case::blank_lines_at_the_end(format!("{GOOD}\n{GOOD}\n\n\r\n\n"))]
#[case::without_quotes(format!("{}\n{GOOD}\n", GOOD.replace('"', "")))]
#[case::booleans_in_capitals(format!("{}\n{GOOD}\n", GOOD.replace("true", "True").replace("false", "FALSE")))]
fn dialects_that_have_been_seen_are_read_alike(#[case] lines: String) {
    assert_eq!(read(&lines), [good(), good()]);
}

#[test]
fn an_empty_version_is_the_null_version_and_a_delete_marker_has_no_size() {
    let rows = read(r#""lake-src","k","","true","true","","2026-11-20T03:04:05.000Z","","""#);
    let row = rows[0].as_ref().unwrap();
    assert_eq!((row[2].as_deref(), &row[5], &row[7], &row[8]), (Some("null"), &None, &None, &None));
}

#[test]
fn columns_that_are_not_known_are_kept_by_name() {
    let schema = Schema::parse("Key, Future, Bucket").unwrap();
    let mut reader = DataReader::new("f", &schema, "lake-src").unwrap();
    let mut seen = Vec::new();
    let mut sink = |row: Result<Row<'_>, RowError<'_>>| {
        seen.push(row.unwrap().text(&Column::Other("Future".into())).unwrap().into_owned());
    };
    reader.push(&gzip(b"\"k\",\"x,\"\"y\"\" z\",\"lake-src\"\n"), &mut sink).unwrap();
    reader.finish(&mut sink).unwrap();
    assert_eq!(seen, ["x,\"y\" z"]);
}

#[rstest]
#[case::too_few(r#""lake-src","k""#, "row-columns")]
#[case::too_many(&format!(r#"{GOOD},"x""#), "row-columns")]
#[case::quote_not_closed(&GOOD.replace("e1\"", "e1"), "quotes")]
#[case::quote_within(&GOOD.replace("e1", "e\"1"), "quotes")]
#[case::other_bucket(&GOOD.replace("lake-src", "lake-other"), "other-bucket")]
#[case::empty_key(&GOOD.replace("a+b", ""), "empty-key")]
#[case::broken_escape(&GOOD.replace("a+b", "a%4"), "bad-escape")]
#[case::key_not_utf8(&GOOD.replace("a+b", "a%FF"), "key-not-utf8")]
#[case::boolean(&GOOD.replace("true", "yes"), "bad-bool")]
#[case::empty_boolean(&GOOD.replace("true", ""), "bad-bool")]
#[case::negative_size(&GOOD.replace("\"5\"", "\"-5\""), "bad-size")]
#[case::signed_size(&GOOD.replace("\"5\"", "\"+5\""), "bad-size")]
#[case::huge_size(&GOOD.replace("\"5\"", "\"18446744073709551616\""), "bad-size")]
#[case::object_without_size(&GOOD.replace("\"5\"", "\"\""), "bad-size")]
#[case::time(&GOOD.replace("2026-11-20T", "2026-13-20T"), "bad-time")]
fn a_bad_row_is_named_and_spoils_no_other(#[case] bad: &str, #[case] code: &str) {
    let rows = read(&format!("{GOOD}\n{bad}\n{GOOD}\n"));
    assert_eq!(rows, [good(), Err(vec![code.to_owned()]), good()]);
}

#[test]
fn an_error_names_file_line_every_reason_and_the_row() {
    let mut reader = DataReader::new("inv/data.csv.gz", &all(), "lake-src").unwrap();
    let mut seen = String::new();
    let mut sink = |row: Result<Row<'_>, RowError<'_>>| seen += &row.map_or_else(|e| e.to_string(), |_| String::new());
    let bad = GOOD.replace("true", "yes").replace("\"5\"", "\"five\"");
    reader.push(&gzip(format!("{GOOD}\n{bad}\n").as_bytes()), &mut sink).unwrap();
    reader.finish(&mut sink).unwrap();
    for part in ["inv/data.csv.gz line 2", "IsLatest is \"yes\"", "Size is \"five\"", "lake-src"] {
        assert!(seen.contains(part), "{part} is not in {seen}");
    }
}

#[rstest]
#[case::orc("ORC", "struct<bucket:string,key:string>")]
#[case::parquet("Parquet", "message s3.inventory { required binary bucket (STRING); }")]
fn rows_of_other_formats_are_refused_by_name(#[case] format: &str, #[case] schema: &str) {
    let json = format!(
        r#"{{"sourceBucket":"s","destinationBucket":"arn:aws:s3:::d","version":"1","creationTimestamp":"0",
        "fileFormat":"{format}","fileSchema":"{schema}","files":[]}}"#
    );
    let manifest = Manifest::parse(json.as_bytes()).unwrap();
    assert_eq!(manifest.format.name(), format);
    let refused = DataReader::new("f", &manifest.schema, "s").err().unwrap().to_string();
    assert!(refused.contains("not CSV"), "{refused}");
}

#[test]
fn the_writer_has_the_dialect_of_s3() {
    let record = Record {
        bucket: "lake-src",
        key: b"date=2026-11-20/a b",
        version_id: Some("null"),
        is_latest: true,
        size: Some(5),
        last_modified: "2026-11-20T03:04:05Z".parse().unwrap(),
        etag: Some("e1"),
        storage_class: Some("STANDARD"),
        ..Record::default()
    };
    let mut writer = DataWriter::inventory(Vec::new(), &all()).unwrap();
    writer.row(&record).unwrap();
    let written = writer.finish().unwrap();
    let mut plain = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(&written.writer[..]), &mut plain).unwrap();
    let expected =
        r#""lake-src","date%3D2026-11-20/a+b","","true","false","5","2026-11-20T03:04:05.000Z","e1","STANDARD""#;
    assert_eq!(String::from_utf8(plain).unwrap(), format!("{expected}\n"));
    assert_eq!((written.rows, written.size), (1, written.writer.len() as u64));
    assert_eq!(written.md5, levee_formats::md5_hex(&written.writer));
}

#[rstest]
#[case::absent(None)]
#[case::named(Some("null"))]
fn manifest_for_batch_operations_names_the_null_version(#[case] version_id: Option<&str>) {
    let schema = Schema::parse("Bucket, Key, VersionId").unwrap();
    let record = Record { bucket: "lake-src", key: b"a b", version_id, ..Record::default() };
    let mut writer = DataWriter::batch_manifest(Vec::new(), &schema).unwrap();
    writer.row(&record).unwrap();
    let marker = writer.row(&Record { is_delete_marker: true, ..record }).unwrap_err();
    assert!(marker.to_string().contains("delete marker"), "{marker}");
    let written = writer.finish().unwrap();
    let mut plain = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&written.writer[..]), &mut plain).unwrap();
    assert_eq!((plain.as_str(), written.rows), ("\"lake-src\",\"a+b\",\"null\"\n", 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_in_pieces_of_any_size(
        rows in prop::collection::vec(("\\PC{1,40}|[\\x00-\\x7f]{1,40}", "[a-zA-Z0-9._-]{0,32}", any::<bool>(), any::<u64>(), 0i64..4_000_000_000_000), 0..40),
        piece in 1usize..2000,
    ) {
        let mut writer = DataWriter::inventory(Vec::new(), &all()).unwrap();
        for (key, version, latest, size, millis) in &rows {
            let record = Record {
                bucket: "lake-src", key: key.as_bytes(), version_id: Some(version), is_latest: *latest, size: Some(*size),
                last_modified: Timestamp::from_millisecond(*millis).unwrap(), etag: Some("e"), ..Record::default()
            };
            writer.row(&record).unwrap();
        }
        let written = writer.finish().unwrap();
        let (seen, totals) = read_inventory(&all(), &written.writer, piece);
        let expected: Vec<Seen> = rows.iter().map(|(key, version, latest, size, millis)| {
            let version = if version.is_empty() { "null" } else { version };
            Ok(vec![
                text("lake-src"), text(key), text(version), text(&latest.to_string()), text("false"),
                text(&size.to_string()), text(&Timestamp::from_millisecond(*millis).unwrap().to_string()), text("e"), None,
            ])
        }).collect();
        prop_assert_eq!(seen, expected);
        let totals = totals.unwrap();
        prop_assert_eq!((totals.md5, totals.compressed_bytes), (written.md5, written.size));
    }

    #[test]
    fn any_text_gives_each_line_a_fate(lines in "[\"a,%\\n\\r ]{0,200}", piece in 1usize..50) {
        let (seen, totals) = read_inventory(&Schema::parse("Bucket, Key").unwrap(), &gzip(lines.as_bytes()), piece);
        let totals = totals.unwrap();
        prop_assert_eq!(totals.rows + totals.bad_rows, seen.len() as u64);
        let expected = lines.split_terminator('\n').count() as u64;
        prop_assert_eq!(totals.rows + totals.bad_rows + totals.blank_lines, expected);
    }
}
