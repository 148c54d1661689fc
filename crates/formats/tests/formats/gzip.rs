use levee_formats::{FileError, inventory::Schema};
use rstest::rstest;

use super::support::{gzip, read_inventory};

const ROW: &[u8] = b"\"lake-src\",\"k\"\n";

fn schema() -> Schema {
    Schema::parse("Bucket, Key").unwrap()
}

#[rstest]
#[case(1)]
#[case(3)]
#[case(4096)]
fn members_are_read_one_after_another_and_rows_may_span_them(#[case] piece: usize) {
    let mut data = gzip(b"\"lake-src\",\"a\"\n\"lake-");
    data.extend(gzip(b""));
    data.extend(gzip(b"src\",\"b\"\n"));
    let (rows, totals) = read_inventory(&schema(), &data, piece);
    let totals = totals.unwrap();
    assert_eq!((rows.len(), totals.rows, totals.bad_rows), (2, 2, 0));
    assert_eq!((totals.compressed_bytes, totals.md5), (data.len() as u64, levee_formats::md5_hex(&data)));
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let mut data = gzip(ROW);
    let first = data.len();
    data.extend(gzip(ROW));
    for length in (0..data.len()).filter(|length| *length != first) {
        let (_, ended) = read_inventory(&schema(), &data[..length], 5);
        assert!(matches!(ended, Err(FileError::Gzip { .. })), "{length}: {ended:?}");
    }
}

#[test]
fn a_changed_check_value_and_trailing_bytes_are_refused() {
    let mut changed = gzip(ROW);
    let check_value = changed.len() - 8;
    changed[check_value] ^= 1;
    let mut trailing = gzip(ROW);
    trailing.extend(b"rest of something else");
    for data in [changed, trailing, b"\"lake-src\",\"k\"\n".to_vec()] {
        assert!(matches!(read_inventory(&schema(), &data, 64).1, Err(FileError::Gzip { .. })));
    }
}

#[test]
fn a_row_without_end_is_refused_before_it_fills_the_memory() {
    let data = gzip(&vec![b'a'; 4 << 20]);
    assert!(data.len() < 1 << 13, "packed well, so that one piece holds all of it");
    let (_, ended) = read_inventory(&schema(), &data, data.len());
    assert!(matches!(ended, Err(FileError::RowTooLong { line: 1, .. })), "{ended:?}");
}
