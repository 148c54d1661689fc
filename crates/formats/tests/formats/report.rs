use levee_formats::{
    FileError, KeyCodec,
    report::{LineEnd, ResultWriter, TaskResult, TaskStatus},
};
use proptest::prelude::*;
use rstest::rstest;

use super::support::{Seen, read_results, text};

fn read(rows: &str) -> Vec<Seen> {
    read_results(rows.as_bytes(), 7, KeyCodec::Form).0
}

fn codes(rows: &[Seen]) -> Vec<Result<String, String>> {
    let code = |row: &Seen| row.as_ref().map(|row| row[1].clone().unwrap()).map_err(|codes| codes.join("+"));
    rows.iter().map(code).collect()
}

#[rstest]
#[case::real_order("failed,403,AccessDenied,no", "403", "AccessDenied")]
#[case::documented_order("failed,AccessDenied,403,no", "403", "AccessDenied")]
#[case::failed_with_200("failed,200,PermanentFailure,no", "200", "PermanentFailure")]
#[case::code_of_three_digits("failed,200,404,no", "200", "404")]
fn status_and_code_are_told_apart_by_content(#[case] end: &str, #[case] http: &str, #[case] code: &str) {
    let rows = read(&format!("lake-src,k,v,{end}\n"));
    let expected = ["lake-src", "k", "v", "failed", http, code, "no"].map(text);
    assert_eq!(rows, [Ok(expected.to_vec())]);
}

#[rstest]
#[case::empty("", None)]
#[case::empty_in_the_manifest("\\N", None)]
#[case::null("null", Some("null"))]
#[case::id("v1", Some("v1"))]
fn versions_are_echoed(#[case] field: &str, #[case] version: Option<&str>) {
    let rows = read(&format!("lake-src,k,{field},succeeded,200,,Successful\n"));
    assert_eq!(rows[0].as_ref().unwrap()[2].as_deref(), version);
}

#[test]
fn keys_are_decoded_by_the_codec_of_the_manifest() {
    let row = b"lake-src,a+b%2B,,succeeded,200,,Successful\n";
    assert_eq!(read_results(row, 9, KeyCodec::Form).0[0].as_ref().unwrap()[1], text("a b+"));
    assert_eq!(read_results(row, 9, KeyCodec::Percent).0[0].as_ref().unwrap()[1], text("a+b+"));
}

#[rstest]
#[case::short("lake-src,bad,v1", "short-row")]
#[case::long("lake-src,bad,,failed,403,AccessDenied,no, really", "long-row")]
#[case::unknown_status("lake-src,bad,,canceled,,,", "unknown-status")]
#[case::no_http_status("lake-src,bad,,failed,Access,Denied,no", "no-http-status")]
#[case::empty_key("lake-src,,,failed,403,AccessDenied,no", "empty-field")]
#[case::broken_escape("lake-src,bad%4,,failed,403,AccessDenied,no", "bad-escape")]
#[case::quotes_in_the_message(r#"lake-src,bad,,failed,200,P,"x: {""a"":"b", ""c"": "4"}""#, "malformed-quotes")]
#[case::quote_not_closed("lake-src,bad,,failed,200,P,\"cut off", "malformed-quotes")]
#[case::quote_not_closed_and_another_follows("lake-src,bad,,failed,200,P,\"cut\nlake-src,short", "malformed-quotes")]
#[case::malformed_over_two_lines("lake-src,bad,,failed,200,P,\"a \"b\" c\nd\"", "malformed-quotes")]
fn a_bad_row_is_named_and_spoils_no_other(#[case] bad: &str, #[case] code: &str) {
    let good = "lake-src,good,,failed,403,AccessDenied,\"say \"\"no\"\"\"";
    for end in ["\n", "\r\n"] {
        let seen = read(&[good, bad, good, good, ""].join(end));
        let mut expected =
            vec![Ok("good".to_owned()), Err(code.to_owned()), Ok("good".to_owned()), Ok("good".to_owned())];
        if bad.ends_with("short") {
            expected.insert(2, Err("short-row".to_owned()));
        }
        assert_eq!(codes(&seen), expected);
    }
}

#[test]
fn a_message_that_holds_a_row_is_malformed_because_it_cannot_be_told_from_a_missing_quote() {
    let rows = read("lake-src,a,,failed,200,P,\"x\nlake-src,b,,succeeded,200,,fine\"\nlake-src,c,,succeeded,200,,\n");
    assert_eq!(codes(&rows)[0], Err("malformed-quotes".to_owned()));
    assert_eq!(codes(&rows).last().unwrap(), &Ok("c".to_owned()));
}

#[test]
fn a_quoted_field_over_several_lines_reads_alike_whether_or_not_its_end_is_there() {
    let data = b"lake-src,\n\"\nlake-src,k,,failed,403,A,\"";
    let whole = read_results(data, data.len(), KeyCodec::Form);
    assert_eq!(codes(&whole.0)[1..], [Err("malformed-quotes".to_owned()), Err("malformed-quotes".to_owned())]);
    for piece in 1..data.len() {
        assert_eq!(read_results(data, piece, KeyCodec::Form), whole, "in pieces of {piece}");
    }
}

#[test]
fn blank_lines_are_counted_and_rows_are_told_from_them() {
    let (rows, totals) = read_results(b"\nlake-src,a,,succeeded,200,,ok\r\n\r\n\n", 3, KeyCodec::Form);
    let totals = totals.unwrap();
    assert_eq!((rows.len(), totals.succeeded, totals.unreadable, totals.blank_lines), (1, 1, 0, 3));
}

#[test]
fn a_quote_that_never_closes_does_not_fill_the_memory() {
    let mut data = b"lake-src,a,,failed,200,P,\"".to_vec();
    data.extend(b"line\n".repeat(1 << 19));
    let (_, ended) = read_results(&data, 1 << 16, KeyCodec::Form);
    assert!(matches!(ended, Err(FileError::RowTooLong { line: 1, .. })), "{ended:?}");
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof!["[\"a,\\n\\r{}: ]{0,30}", "\\PC{0,30}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_written_is_read_in_pieces_of_any_size(
        rows in prop::collection::vec(("\\PC{1,20}", "[a-zA-Z0-9._-]{1,32}", any::<bool>(), 100u16..600, "[A-Za-z.]{4,20}", field()), 0..30),
        piece in 1usize..500, crlf: bool,
    ) {
        let mut writer = ResultWriter::new(Vec::new(), if crlf { LineEnd::CrLf } else { LineEnd::Lf });
        let mut expected: Vec<Seen> = Vec::new();
        for (key, version, succeeded, http, code, message) in &rows {
            let raw_key = KeyCodec::Form.encode(key.as_bytes());
            let status = if *succeeded { TaskStatus::Succeeded } else { TaskStatus::Failed };
            let result = TaskResult {
                bucket: "lake-src", raw_key: raw_key.as_bytes(), version_id: version, status,
                http_status: Some(*http), error_code: code, message,
            };
            writer.row(&result).unwrap();
            let message = Some(message.clone()).filter(|message| !message.is_empty());
            expected.push(Ok(vec![
                text("lake-src"), text(key), text(version), text(status.name()), text(&http.to_string()), text(code), message,
            ]));
        }
        let written = writer.finish().unwrap();
        let (seen, totals) = read_results(&written.writer, piece, KeyCodec::Form);
        prop_assert_eq!(seen, expected);
        let totals = totals.unwrap();
        prop_assert_eq!((totals.rows, totals.md5), (rows.len() as u64, written.md5));
    }

    #[test]
    fn any_bytes_read_alike_in_pieces_of_any_size(data in "(lake-src,k,,failed,403,A,|other,k,,failed,403,A,|[\"a,\\n\\r]|\"?(lake-src|other)\"?,){0,40}", piece in 1usize..20) {
        let whole = read_results(data.as_bytes(), data.len(), KeyCodec::Form);
        prop_assert_eq!(read_results(data.as_bytes(), piece, KeyCodec::Form), whole);
    }
}

proptest! {
    /// Rows that repeat the form of earlier ones are read by another way than those that do not.
    #[test]
    fn rows_after_others_read_as_they_do_alone(
        rows in prop::collection::vec(
            (
                "a|lake-src|\"lake-src\"",
                "[a-z]{1,3}|a%20b|c\\+d|%|%FF||\"q\"|q\"r|a\nb",
                "succeeded,200,,Successful|failed,404,NoSuchKey,\"gone, \"\"really\"\"\"|failed,AccessDenied,403,no|failed,200,P,x|short",
                "\n|\r\n",
            ),
            1..30,
        ),
        codec in prop::sample::select(vec![KeyCodec::Form, KeyCodec::Percent]),
    ) {
        let rows: Vec<String> = rows.into_iter().map(|(bucket, key, rest, end)| format!("{bucket},{key},,{rest}{end}")).collect();
        // A malformed row ends where a bucket begins that was read before: only what is well formed reads the same alone.
        let alone: Vec<Seen> = rows.iter().flat_map(|row| read_results(row.as_bytes(), 9, codec).0).collect();
        if alone.len() == rows.len() && alone.iter().all(Result::is_ok) {
            prop_assert_eq!(read_results(rows.concat().as_bytes(), 1 << 16, codec).0, alone);
        }
        let all = rows.concat();
        let (at_once, ended) = read_results(all.as_bytes(), all.len(), codec);
        prop_assert_eq!((at_once, ended), read_results(all.as_bytes(), 1, codec));
    }
}
