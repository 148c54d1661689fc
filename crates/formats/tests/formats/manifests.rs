use levee_formats::{inventory, report};
use rstest::rstest;

const INVENTORY: &str = r#"{"sourceBucket":"lake-src","destinationBucket":"arn:aws:s3:::manifests",
"version":"2016-11-30","creationTimestamp":"1795222800000","fileFormat":"CSV","fileSchema":"Bucket, Key",
"files":[{"key":"inv/data/1.csv.gz","size":5,"MD5checksum":"F11166069f1990abeb9c97ace9cdfabc"}]}"#;

const REPORT: &str = r#"{"Format":"Report_CSV_20180820","ReportCreationDate":"2026-08-27T09:49:46.474712072Z",
"Results":[{"TaskExecutionStatus":"failed","Bucket":"reports","MD5Checksum":"83b1c4cbe93fc893f54053697e10fd6e",
"Key":"job-1/results/2.csv"}],
"ReportSchema":"Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"}"#;

#[test]
fn an_inventory_manifest_is_read_and_written_back() {
    let manifest = inventory::Manifest::parse(INVENTORY.as_bytes()).unwrap();
    assert_eq!(manifest.destination_bucket, "manifests");
    assert_eq!(manifest.created.as_millisecond(), 1_795_222_800_000);
    assert_eq!(manifest.files[0].md5, "f11166069f1990abeb9c97ace9cdfabc");
    assert_eq!(inventory::Manifest::parse(&manifest.to_json()).unwrap(), manifest);
}

#[rstest]
#[case::no_json("\"files\"", "files", "not an inventory manifest")]
#[case::no_files("\"files\"", "\"other\"", "no member \"files\"")]
#[case::files_null(
    "[{\"key\":\"inv/data/1.csv.gz\",\"size\":5,\"MD5checksum\":\"F11166069f1990abeb9c97ace9cdfabc\"}]",
    "null",
    "no member \"files\""
)]
#[case::no_arn("arn:aws:s3:::manifests", "manifests", "destinationBucket")]
#[case::no_time("1795222800000", "yesterday", "creationTimestamp")]
#[case::negative_time("1795222800000", "-5", "creationTimestamp")]
#[case::no_key_column("Bucket, Key", "Bucket, Size", "no column Key")]
#[case::twice("Bucket, Key", "Bucket, Key, Key", "Key twice")]
#[case::unnamed("Bucket, Key", "Bucket, Key,", "column without a name")]
#[case::md5("F11166069f", "X11166069f", "files[0].MD5checksum")]
#[case::size("\"size\":5", "\"size\":-5", "not an inventory manifest")]
fn a_broken_inventory_manifest_is_refused_by_name(#[case] from: &str, #[case] to: &str, #[case] reason: &str) {
    let broken = INVENTORY.replace(from, to);
    assert_ne!(broken, INVENTORY);
    let error = inventory::Manifest::parse(broken.as_bytes()).unwrap_err().to_string();
    assert!(error.contains(reason), "{error}");
}

#[rstest]
#[case::as_it_is("", true)]
#[case::with_a_line_end("\n", true)]
#[case::with_white_space(" \r\n", true)]
#[case::with_a_digit_more("0", false)]
fn a_checksum_is_compared_without_white_space(#[case] after: &str, #[case] matches: bool) {
    let checksum = format!("{}{after}", inventory::Manifest::checksum(b"{}"));
    assert_eq!(inventory::Manifest::verify_checksum(b"{}", checksum.as_bytes()).is_ok(), matches);
    assert_eq!(report::Manifest::verify_checksum(b"{}", checksum.as_bytes()).is_ok(), matches);
    assert!(inventory::Manifest::verify_checksum(b"{} ", checksum.as_bytes()).is_err());
}

#[test]
fn a_report_manifest_is_read_and_written_back() {
    let manifest = report::Manifest::parse(REPORT.as_bytes()).unwrap();
    assert_eq!(manifest.created.to_string(), "2026-08-27T09:49:46.474712072Z");
    assert_eq!(manifest.results[0].status, report::TaskStatus::Failed);
    assert_eq!(report::Manifest::parse(&manifest.to_json()).unwrap(), manifest);
}

#[rstest]
#[case::format("Report_CSV_20180820", "Report_CSV_20990101", "Format")]
#[case::date("2026-08-27T09", "2026-08-32T09", "ReportCreationDate")]
#[case::status("\"failed\"", "\"lost\"", "TaskExecutionStatus")]
#[case::schema("Bucket, Key, VersionId", "Bucket, Key", "ReportSchema")]
#[case::md5("83b1c4", "xyz", "MD5Checksum")]
#[case::results("\"Results\"", "\"Result\"", "missing field")]
fn a_broken_report_manifest_is_refused_by_name(#[case] from: &str, #[case] to: &str, #[case] reason: &str) {
    let broken = REPORT.replace(from, to);
    assert_ne!(broken, REPORT);
    let error = report::Manifest::parse(broken.as_bytes()).unwrap_err().to_string();
    assert!(error.contains(reason), "{error}");
}
