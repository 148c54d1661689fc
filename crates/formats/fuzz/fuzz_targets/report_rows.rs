//! Any bytes are read alike however they are cut, and no byte but a blank line's is outside of a row.
#![no_main]

use levee_formats::{
    KeyCodec,
    report::{ResultReader, ResultTotals, Row, RowError},
};
use libfuzzer_sys::fuzz_target;

fn read(data: &[u8], piece: usize) -> (ResultTotals, u64) {
    let mut reader = ResultReader::new("results.csv", KeyCodec::Form);
    let mut seen = 0;
    let mut sink = |row: Result<Row<'_>, RowError<'_>>| {
        seen += 1;
        if let Err(error) = row {
            assert!(!error.problems.is_empty() && !error.to_string().is_empty());
        }
    };
    for piece in data.chunks(piece) {
        reader.push(piece, &mut sink).expect("no row is too long");
    }
    (reader.finish(&mut sink).expect("no row is too long"), seen)
}

fuzz_target!(|data: &[u8]| {
    let (totals, seen) = read(data, data.len().max(1));
    assert_eq!(read(data, 1), (totals.clone(), seen));
    assert_eq!(totals.rows + totals.unreadable, seen);
});
