//! Every line of any text gets a fate, alike however the text is cut.
#![no_main]

use levee_formats::{
    KeyCodec,
    batch_manifest::{Fields, ManifestReader, ManifestTotals, Row, RowError},
};
use libfuzzer_sys::fuzz_target;

fn read(data: &[u8], piece: usize) -> ManifestTotals {
    let mut reader = ManifestReader::new("manifest.csv", &Fields::written(true), KeyCodec::Percent);
    let mut sink = |_: Result<Row<'_>, RowError<'_>>| {};
    for piece in data.chunks(piece) {
        reader.push(piece, &mut sink).expect("no row is too long");
    }
    reader.finish(&mut sink).expect("no row is too long")
}

fuzz_target!(|data: &[u8]| {
    let totals = read(data, data.len().max(1));
    assert_eq!(read(data, 1), totals);
    let lines = data.split(|&byte| byte == b'\n').count() - usize::from(data.is_empty() || data.ends_with(b"\n"));
    assert_eq!(totals.rows + totals.bad_rows, lines as u64);
});
