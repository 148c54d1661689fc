use levee_formats::{
    WriteError,
    batch_manifest::{Fields, FieldsError, ManifestWriter},
};
use proptest::prelude::*;
use rstest::rstest;

use super::support::{read_manifest, text};

#[rstest]
#[case::two_buckets("other", "k", None, "one bucket")]
#[case::bad_bucket("a,b", "k", None, "not the name of a bucket")]
#[case::empty_key("lake-src", "", None, "at least one byte")]
#[case::version_without_column("lake-src", "k", Some("v1"), "no column")]
fn a_row_that_would_mean_something_else_is_refused(
    #[case] bucket: &str,
    #[case] key: &str,
    #[case] version: Option<&str>,
    #[case] reason: &str,
) {
    let mut writer = ManifestWriter::new(Vec::new(), false);
    writer.row("lake-src", b"first", None).unwrap();
    let error: WriteError = writer.row(bucket, key.as_bytes(), version).unwrap_err();
    assert!(error.to_string().contains(reason), "{error}");
    let written = writer.finish().unwrap();
    assert_eq!((written.rows, written.writer), (1, b"lake-src,first\n".to_vec()));
}

#[rstest]
#[case::blank_line("lake-src,a,null\n\nlake-src,b,null\n", "blank")]
#[case::byte_order_mark("\u{feff}lake-src,a,null\n", "byte order mark")]
#[case::field_missing("lake-src,a\n", "2 fields where the job expects 3")]
#[case::other_bucket("lake-src,a,null\nother,b,null\n", "not of the first row's")]
#[case::escape("lake-src,a%4,null\n", "hexadecimal")]
#[case::not_utf8("lake-src,a%FF,null\n", "not UTF-8")]
#[case::quote("lake-src,\"a,null\n", "quote")]
fn a_bad_row_is_named(#[case] rows: &str, #[case] reason: &str) {
    let errors: Vec<String> =
        read_manifest(rows.as_bytes(), 4, &Fields::written(true)).into_iter().filter_map(Result::err).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains(reason) && errors[0].contains("manifest.csv line"), "{errors:?}");
}

#[test]
fn fields_are_those_of_the_job() {
    let fields = Fields::parse(["Ignore", "Key", "Bucket"]).unwrap();
    let rows = read_manifest(b"x,\"a%20b\",lake-src\n", 3, &fields);
    assert_eq!(rows, [Ok(vec![text("lake-src"), text("a b"), None])]);
    assert!(matches!(Fields::parse(["Bucket"]), Err(FieldsError::Missing(_))));
    assert!(matches!(Fields::parse(["Bucket", "Key", "Key"]), Err(FieldsError::Duplicate(_))));
    assert!(matches!(Fields::parse(["Bucket", "Key", "Size"]), Err(FieldsError::Unknown(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(
        rows in prop::collection::vec(("\\PC{1,40}|[\\x00-\\x7f]{1,40}", prop::option::of("[a-zA-Z0-9._-]{1,32}")), 0..30),
        with_versions: bool, piece in 1usize..300,
    ) {
        let mut writer = ManifestWriter::new(Vec::new(), with_versions);
        let mut expected = Vec::new();
        for (key, version) in &rows {
            let version = version.as_deref().filter(|_| with_versions);
            writer.row("lake-src", key.as_bytes(), version).unwrap();
            let version = with_versions.then(|| version.unwrap_or("null").to_owned());
            expected.push(Ok(vec![text("lake-src"), text(key), version]));
        }
        let written = writer.finish().unwrap();
        prop_assert_eq!(read_manifest(&written.writer, piece, &Fields::written(with_versions)), expected);
    }
}
