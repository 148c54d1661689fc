//! Every line of any text gets a fate.
#![no_main]

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use levee_formats::inventory::{DataReader, Row, RowError, Schema};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let schema = Schema::parse("Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, Future")
        .expect("a schema");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(data).expect("memory");
    let mut seen = 0;
    let mut sink = |row: Result<Row<'_>, RowError<'_>>| {
        seen += 1;
        match row {
            Ok(row) => assert_eq!(row.fields().count(), 8),
            Err(error) => assert!(!error.problems.is_empty() && !error.to_string().is_empty()),
        }
    };
    let mut reader = DataReader::new("data.csv.gz", &schema, "b").expect("a CSV schema");
    reader.push(&gzip.finish().expect("memory"), &mut sink).expect("no row is too long");
    let totals = reader.finish(&mut sink).expect("the gzip data is whole");
    let lines = data.split(|&byte| byte == b'\n').count() - usize::from(data.is_empty() || data.ends_with(b"\n"));
    assert_eq!(totals.rows + totals.bad_rows, seen);
    assert_eq!(seen + totals.blank_lines, lines as u64);
});
