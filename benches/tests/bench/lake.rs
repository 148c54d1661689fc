//! Listings are in order, and any part of one can be made by itself.

use std::ops::Range;

use levee_bench::make::{Lake, Object, Size};

fn keys(size: &Size, rows: Range<u64>) -> Vec<String> {
    let mut keys = Vec::new();
    let mut take = |object: &Object<'_>| {
        keys.push(object.key.to_owned());
        Ok(())
    };
    Lake::new(size).objects(rows, &mut take).unwrap();
    keys
}

#[test]
fn keys_are_distinct_and_in_order() {
    let keys = keys(&Size::of(100_000, 1), 0..100_000);
    assert_eq!(keys.len(), 100_000);
    assert!(keys.is_sorted_by(|a, b| a < b));
}

#[test]
fn ranges_are_pieces_of_the_whole() {
    let size = Size::of(30_000, 2);
    let pieces = [keys(&size, 0..7), keys(&size, 7..19_999), keys(&size, 19_999..30_000)].concat();
    assert_eq!(pieces, keys(&size, 0..30_000));
}
