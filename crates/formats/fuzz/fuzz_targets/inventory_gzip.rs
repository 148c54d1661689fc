//! Any bytes are read as gzip or refused, alike however they are cut.
#![no_main]

use levee_formats::inventory::{DataReader, Row, RowError, Schema};
use libfuzzer_sys::fuzz_target;

fn read(schema: &Schema, data: &[u8], piece: usize) -> Option<(u64, u64)> {
    let mut reader = DataReader::new("data.csv.gz", schema, "b").expect("a CSV schema");
    let mut sink = |_: Result<Row<'_>, RowError<'_>>| {};
    for piece in data.chunks(piece) {
        reader.push(piece, &mut sink).ok()?;
    }
    reader.finish(&mut sink).ok().map(|totals| (totals.rows, totals.bad_rows))
}

fuzz_target!(|data: &[u8]| {
    let schema = Schema::parse("Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size").expect("a schema");
    assert_eq!(read(&schema, data, 1), read(&schema, data, data.len().max(1)));
});
