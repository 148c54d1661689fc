//! Readers that fail, hints that are written, and files that lie.

use bytes::Bytes;
use levee_delta_log::{CannotCheck, LogReader, Options, ReadError, Verdict, at_version, last_checkpoint_for, verdict};
use parquet::{
    basic::Encoding,
    file::properties::{WriterProperties, WriterVersion},
};
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{
    Table,
    checkpoints::{Row, parquet, parquet_with},
    log::{add, checkpoint, classic_key, commit_key, head, lines, metadata, part_key, protocol, uuid_key, vector},
};

/// Fails at one file.
struct Failing<'a>(&'a Table, String);

impl LogReader for Failing<'_> {
    fn read(&self, path: &str) -> Result<Bytes, ReadError> {
        if path == self.1 { Err(ReadError::Failed("503 SlowDown".into())) } else { self.0.read(path) }
    }
}

#[test]
fn file_that_cannot_be_read_ends_the_verdict_and_tears_nothing() {
    let mut table = Table::plain(5);
    table.put(&classic_key(3), checkpoint(&Table::plain_files(3)));
    table.put("_delta_log/_last_checkpoint", r#"{"version":3,"size":5}"#);
    for path in [classic_key(3), commit_key(4), commit_key(5), "_delta_log/_last_checkpoint".to_owned()] {
        let answer = verdict("t", &table.listing(), &Failing(&table, path.clone()), &Options::default());
        assert_eq!(answer.unwrap_err(), CannotCheck::Read { path, cause: "503 SlowDown".into() });
    }
    let at = at_version(&table.listing(), &Failing(&table, commit_key(4)), &Options::default(), 5);
    assert!(matches!(at, Err(CannotCheck::Read { .. })));
}

#[rstest]
#[case::classic(|table: &mut Table| table.put(&classic_key(3), checkpoint(&Table::plain_files(3))), json!({"version": 3, "size": 7}))]
#[case::in_parts(|table: &mut Table| {
    table.put(&part_key(3, 1, 2), parquet(&head()));
    table.put(&part_key(3, 2, 2), parquet(&[Row::Add(add("f0"))]));
}, json!({"version": 3, "size": 3, "parts": 2}))]
#[case::v2(|table: &mut Table| table.put(&uuid_key(3, "json"), lines(&[protocol(), metadata("t")])),
    json!({"version": 3, "size": 2, "v2Checkpoint": {
        "path": "00000000000000000003.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", "sizeInBytes": 325}}))]
fn hint_names_the_checkpoint_and_what_readers_ask_for(#[case] write: fn(&mut Table), #[case] expected: Value) {
    let mut table = Table::plain(5);
    write(&mut table);
    let hint = last_checkpoint_for(&table.listing(), &table, 3).unwrap().unwrap();
    let mut found: Value = serde_json::from_slice(&hint).unwrap();
    if let Some(size) = found.pointer_mut("/v2Checkpoint/sizeInBytes") {
        assert_eq!(size.take(), json!(table.objects[&uuid_key(3, "json")].len()));
        *size = json!(325);
    }
    assert_eq!(found, expected);
    table.put("_delta_log/_last_checkpoint", hint);
    let answer = verdict("t", &table.listing(), &table, &Options::default()).unwrap();
    assert_eq!(answer.opens_in_place.yes, answer.verdict == Verdict::Whole);
    assert_eq!(last_checkpoint_for(&table.listing(), &table, 4).unwrap(), None);
}

/// A checkpoint of many files, in a way of writing.
fn written(properties: WriterProperties) -> (Table, u64) {
    let mut rows = head();
    let mut table = Table::default();
    for number in 0..9000_u64 {
        let mut file =
            add(&format!("date={}/part-{number:05}-{:x}", number % 31, number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        file.size = number % 100;
        table.put(&file.path, vec![0; usize::try_from(file.size).unwrap()]);
        rows.push(Row::Add(if number % 3 == 0 { file.with(vector(4)) } else { file }));
    }
    table.put(super::support::log::VECTOR_FILE, vec![0; 52]);
    table.put(&classic_key(7), parquet_with(&rows, properties));
    (table, 9000)
}

#[rstest]
#[case::plain(WriterProperties::builder().set_dictionary_enabled(false).build())]
#[case::dictionaries(WriterProperties::builder().set_dictionary_enabled(true).build())]
#[case::second_version(WriterProperties::builder().set_writer_version(WriterVersion::PARQUET_2_0).build())]
#[case::delta_encodings(WriterProperties::builder().set_writer_version(WriterVersion::PARQUET_2_0).set_dictionary_enabled(false).build())]
#[case::delta_lengths(WriterProperties::builder().set_dictionary_enabled(false)
    .set_column_encoding("add.path".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
    .set_column_encoding("add.size".into(), Encoding::DELTA_BINARY_PACKED).build())]
#[case::delta_prefixes(WriterProperties::builder().set_dictionary_enabled(false)
    .set_column_encoding("add.path".into(), Encoding::DELTA_BYTE_ARRAY).build())]
#[case::small_pages(WriterProperties::builder().set_data_page_row_count_limit(100).set_write_batch_size(50).build())]
#[case::small_groups(WriterProperties::builder().set_data_page_size_limit(500).set_write_batch_size(7).build())]
fn every_way_of_writing_a_checkpoint_is_read_alike(
    #[case] properties: WriterProperties,
    #[values(1, 2, 5)] threads: usize,
) {
    let (table, files) = written(properties);
    let answer = verdict("t", &table.listing(), &table, &Options::default().with_threads(threads)).unwrap();
    assert_eq!(answer.verdict, Verdict::Whole, "{answer:#?}");
    let facts = answer.newest_whole.unwrap();
    assert_eq!((facts.files, facts.deletion_vectors, facts.rows), (files, 3000, Some(3000 + 6000 * 7)));
    assert_eq!(facts.bytes, (0..files).map(|number| number % 100).sum::<u64>());
}

#[test]
fn checkpoint_that_is_lacking_or_broken_somewhere_has_one_answer_on_any_number_of_threads() {
    let small = || WriterProperties::builder().set_data_page_row_count_limit(500).set_write_batch_size(100);
    for properties in [small().build(), small().set_writer_version(WriterVersion::PARQUET_2_0).build()] {
        let (mut table, _) = written(properties);
        let keys: Vec<String> = table.objects.keys().filter(|key| key.starts_with("date")).cloned().collect();
        keys.iter().step_by(1500).for_each(|key| table.delete(key));
        let checkpoint = table.objects[&classic_key(7)].clone();
        let mut broken = 0;
        for part in 0..40 {
            let mut bytes = checkpoint.to_vec();
            if part > 0 {
                bytes[checkpoint.len() * part / 40] ^= 0xff;
            }
            table.put(&classic_key(7), bytes);
            let ask =
                |threads| verdict("t", &table.listing(), &table, &Options::default().with_threads(threads)).unwrap();
            let alone = ask(1);
            broken += usize::from(alone.latest_loadable_version.is_none());
            assert!(alone.missing_in_all.objects > 0 || alone.latest_loadable_version.is_none());
            for threads in [0, 2, 3] {
                assert_eq!(ask(threads), alone, "part {part}, {threads} threads");
            }
        }
        assert!((1..40).contains(&broken), "{broken} of 40 are passed over");
    }
}

/// On several threads files are read ahead.
#[test]
fn commit_behind_a_broken_one_is_never_needed() {
    let mut table = Table::plain(9);
    table.put(&commit_key(4), "{");
    for threads in [1, 4] {
        let options = Options::default().with_threads(threads);
        let behind = verdict("t", &table.listing(), &Failing(&table, commit_key(5)), &options).unwrap();
        assert_eq!((behind.newest_whole_version, behind.latest_version), (Some(3), Some(9)));
        let before = verdict("t", &table.listing(), &Failing(&table, commit_key(3)), &options);
        assert!(matches!(before, Err(CannotCheck::Read { .. })), "{before:?}");
    }
}

/// Every byte of a small checkpoint changed, and every length of it.
#[test]
fn checkpoint_with_any_byte_changed_or_cut_off_is_read_or_passed_over() {
    let mut table = Table::plain(3).without_commits(0..=3);
    let sound = checkpoint(&Table::plain_files(3));
    let mut read = 0;
    for at in 0..sound.len() {
        let mut bytes = sound.to_vec();
        bytes[at] ^= [0x01, 0x80, 0xff][at % 3];
        table.put(&classic_key(3), bytes);
        let answer = verdict("t", &table.listing(), &table, &Options::default()).unwrap();
        read += usize::from(answer.latest_loadable_version.is_some());
        table.put(&classic_key(3), sound.slice(..at));
        let answer = verdict("t", &table.listing(), &table, &Options::default()).unwrap();
        assert_eq!(answer.verdict, Verdict::Torn, "cut to {at}");
    }
    assert!(read > 0 && read < sound.len(), "{read} of {}", sound.len());
}

#[test]
fn order_of_bases_is_the_readers_and_any_usable_one_will_do() {
    let mut table = Table::plain(3).without_commits(0..=2);
    table.put(&classic_key(3), checkpoint(&Table::plain_files(3)));
    table.put(&uuid_key(3, "json"), "broken");
    let answer = verdict("t", &table.listing(), &table, &Options::default()).unwrap();
    assert_eq!((answer.verdict, answer.opens_in_place.yes), (Verdict::Whole, false), "{answer:#?}");
}

/// Nulls cost nothing to write, and time to read.
#[test]
fn checkpoint_of_more_rows_than_bytes_is_passed_over() {
    let mut rows = head();
    rows.resize(300_000, Row::Nothing);
    let mut table = Table::default();
    table.put(&classic_key(7), parquet(&rows));
    let answer = verdict("t", &table.listing(), &table, &Options::default()).unwrap();
    assert_eq!(answer.latest_loadable_version, None);
    assert!(answer.notes.iter().any(|note| note.contains("it has more rows than bytes")), "{answer:#?}");
}

#[test]
fn line_above_the_limit_makes_a_commit_unusable() {
    let mut table = Table::plain(2);
    let mut options = Options::default();
    options.line_limit = table.objects[&commit_key(0)].len();
    table.commit(2, &[json!({"txn": {"appId": "a".repeat(options.line_limit)}})]);
    let answer = verdict("t", &table.listing(), &table, &options).unwrap();
    assert_eq!(answer.newest_whole_version, Some(1), "{answer:#?}");
}

/// The parser of JSON has no bound of its own for values that are passed over.
#[test]
fn endless_nesting_is_passed_over_or_refused_without_a_crash() {
    let mut table = Table::plain(2);
    let deep = format!(r#"{{"add":{{"path":"f0","size":10,"tags":{}1{}}}}}"#, "[".repeat(1 << 20), "]".repeat(1 << 20));
    table.put(&commit_key(2), deep);
    let answer = verdict("t", &table.listing(), &table, &Options::default()).unwrap();
    assert!(answer.newest_whole_version >= Some(1), "{answer:#?}");
}
