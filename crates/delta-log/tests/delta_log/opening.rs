//! The live files of a version, and the ends of data files.

use levee_delta_log::{CannotCheck, End, LiveFile, Options, live_files, rows_by_end};
use rstest::rstest;

use super::support::{
    Table,
    checkpoints::{Row, parquet},
    log::{add, checkpoint, classic_key, commit_key, head, lines, metadata, protocol, remove, vector},
};

fn live(table: &Table, version: u64, options: &Options) -> Result<Vec<LiveFile>, CannotCheck> {
    let mut files = Vec::new();
    let mut take = |file| {
        files.push(file);
        Ok(())
    };
    live_files(&table.listing(), table, options, version, &mut take)?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn file(path: &str, records: Option<u64>, deleted: u64) -> LiveFile {
    LiveFile { path: path.to_owned(), size: 10, records, deleted }
}

/// Files in a checkpoint and in commits behind it: one with a vector, one without statistics, one that was removed, one with a path
/// that needs decoding.
fn table() -> Table {
    let mut table = Table::default();
    let mut unknown = add("c");
    unknown.records = None;
    table.put(&classic_key(1), checkpoint(&[add("a"), add("b"), unknown]));
    let marked = add("b").with(vector(4));
    table.put(&commit_key(2), lines(&[remove("b", None), marked.json(), add("d%20e").json()]));
    table.put(&commit_key(3), lines(&[remove("a", None)]));
    table
}

#[test]
fn live_files_come_once_with_their_records_and_the_rows_that_vectors_take_away() {
    let expected = [file("b", Some(7), 6), file("c", None, 0), file("d e", Some(7), 0)];
    assert_eq!(live(&table(), 3, &Options::default()).unwrap(), expected);
    assert_eq!(live(&table(), 2, &Options::default()).unwrap().len(), 4);
}

#[test]
fn live_files_of_many_shards_are_those_of_one() {
    let files: Vec<_> = (0..500).map(|number| add(&format!("f{number:03}")).with(vector(4 + 50 * number))).collect();
    let mut table = Table::default();
    table.put(&classic_key(1), checkpoint(&files));
    let one = live(&table, 1, &Options::default()).unwrap();
    assert_eq!((one.len(), one.iter().map(|file| file.deleted).sum::<u64>()), (500, 3000));
    assert_eq!(live(&table, 1, &Options::default().with_shard_objects(20)).unwrap(), one);
}

#[test]
fn files_elsewhere_and_callers_that_give_up_end_it() {
    let mut table = Table::default();
    table.put(&commit_key(0), lines(&[protocol(), metadata("t"), add("s3://other/a").json()]));
    let error = live(&table, 0, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("is not below the table's root"), "{error}");
    assert!(matches!(live(&table, 1, &Options::default()), Err(CannotCheck::NotLoadable { .. })));
}

#[test]
fn end_of_a_file_tells_its_rows_and_how_much_of_it_is_needed() {
    let mut rows = head();
    rows.extend((0..40).map(|number| Row::Add(add(&format!("f{number}")))));
    let bytes = parquet(&rows);
    let size = bytes.len() as u64;
    assert_eq!(rows_by_end(&bytes, size), Ok(End::Rows(42)));
    let Ok(End::Longer(needed)) = rows_by_end(&bytes[bytes.len() - 8..], size) else { panic!("the footer is longer") };
    let cut = bytes.len() - usize::try_from(needed).unwrap();
    assert_eq!(rows_by_end(&bytes[cut..], size), Ok(End::Rows(42)));
    assert_eq!(rows_by_end(&bytes[cut + 1..], size), Ok(End::Longer(needed)));
}

#[rstest]
#[case::empty(Vec::new(), "no Parquet file, or is cut")]
#[case::cut(parquet(&head())[..300].to_vec(), "no Parquet file, or is cut")]
#[case::text(b"a.parquet and more".to_vec(), "no Parquet file, or is cut")]
#[case::encrypted([&parquet(&head())[..], b"xxxxPARE"].concat(), "its footer is encrypted")]
#[case::longer_than_the_file(b"PAR1\xff\0\0\0PAR1".to_vec(), "more bytes than it can have")]
#[case::footer_of_nonsense([&b"PAR1"[..], &[0xff; 64], &[64, 0, 0, 0], b"PAR1"].concat(), "its footer is broken")]
fn end_that_is_none_of_a_parquet_file_is_refused(#[case] bytes: Vec<u8>, #[case] why: &str) {
    let refused = rows_by_end(&bytes, bytes.len() as u64).unwrap_err();
    assert!(refused.contains(why), "{refused}");
}

#[test]
fn footer_that_is_broken_anywhere_is_refused_or_read_and_never_panics() {
    let bytes = parquet(&head()).to_vec();
    for at in bytes.len().saturating_sub(600)..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut broken = bytes.clone();
            broken[at] ^= flip;
            let _ = rows_by_end(&broken, broken.len() as u64);
        }
    }
}
