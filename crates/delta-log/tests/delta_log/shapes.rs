//! Every shape of a log, and every way in which a copy of it tears.

use bytes::Bytes;
use levee_delta_log::{Listing, MissingObject, MissingWhy, Options, TableVerdict, Verdict, at_version, verdict};
use rstest::rstest;
use serde_json::json;

use super::support::{
    Table,
    checkpoints::{Row, parquet},
    log::{
        VECTOR_FILE, add, checkpoint, classic_key, commit_key, features, head, lines, metadata, part_key, protocol,
        remove, uuid_key, vector,
    },
};

pub fn judge(table: &Table) -> TableVerdict {
    verdict("t", &table.listing(), table, &Options::default()).unwrap()
}

fn hint(version: u64) -> Bytes {
    json!({"version": version, "size": 3}).to_string().into()
}

/// A table of six versions with a checkpoint of some kind at version 3, and the log before it cleaned.
fn with_checkpoint(write: fn(&mut Table)) -> Table {
    let mut table = Table::plain(5).without_commits(0..=3);
    write(&mut table);
    table
}

fn classic(table: &mut Table) {
    table.put(&classic_key(3), checkpoint(&Table::plain_files(3)));
}

fn in_parts(table: &mut Table) {
    let files = Table::plain_files(3);
    table.put(&part_key(3, 1, 2), checkpoint(&files[..1]));
    table.put(&part_key(3, 2, 2), parquet(&files[1..].iter().cloned().map(Row::Add).collect::<Vec<_>>()));
}

fn sidecars(table: &mut Table) -> Vec<(String, u64)> {
    let files = Table::plain_files(3);
    let mut named = Vec::new();
    for (number, half) in files.chunks(2).enumerate() {
        let bytes = parquet(&half.iter().cloned().map(Row::Add).collect::<Vec<_>>());
        let name = format!("s{number} x.parquet");
        named.push((name.replace(' ', "%20"), bytes.len() as u64));
        table.put(&format!("_delta_log/_sidecars/{name}"), bytes);
    }
    named
}

fn v2_json(table: &mut Table) {
    let mut actions = vec![json!({"checkpointMetadata": {"version": 3}}), features(&["v2Checkpoint"]), metadata("t")];
    for (path, size) in sidecars(table) {
        actions.push(json!({"sidecar": {"path": path, "sizeInBytes": size, "modificationTime": 1}}));
    }
    table.put(&uuid_key(3, "json"), lines(&actions));
}

fn v2_rows(table: &mut Table) -> Bytes {
    let mut rows = head();
    for (path, size) in sidecars(table) {
        rows.push(Row::Sidecar(format!("s3://elsewhere/t/_delta_log/_sidecars/{path}"), i64::try_from(size).unwrap()));
    }
    parquet(&rows)
}

fn v2_parquet(table: &mut Table) {
    let bytes = v2_rows(table);
    table.put(&uuid_key(3, "parquet"), bytes);
}

fn v2_under_the_classic_name(table: &mut Table) {
    let bytes = v2_rows(table);
    table.put(&classic_key(3), bytes);
}

fn v2_without_sidecars(table: &mut Table) {
    let mut actions = vec![json!({"checkpointMetadata": {"version": 3}}), features(&["v2Checkpoint"]), metadata("t")];
    actions.extend(Table::plain_files(3).iter().map(super::support::log::Add::json));
    table.put(&uuid_key(3, "json"), lines(&actions));
}

#[rstest]
#[case::classic(classic)]
#[case::in_parts(in_parts)]
#[case::v2_json(v2_json)]
#[case::v2_parquet(v2_parquet)]
#[case::v2_classic_name(v2_under_the_classic_name)]
#[case::v2_inline(v2_without_sidecars)]
fn checkpoint_of_any_kind_stands_in_for_the_log_before_it(#[case] write: fn(&mut Table)) {
    let answer = judge(&with_checkpoint(write));
    let facts = answer.newest_whole.clone().unwrap();
    assert_eq!((answer.verdict, answer.newest_whole_version), (Verdict::Whole, Some(5)), "{answer:#?}");
    assert_eq!((facts.files, facts.bytes, facts.rows, facts.checkpoint), (6, 60, Some(42), Some(3)));
    assert!(answer.opens_in_place.yes, "{answer:#?}");
    assert_eq!(answer.table_id.as_deref(), Some("t"));
    assert_eq!(answer.file_retention_seconds, Some(604_800));
}

#[rstest]
#[case::classic(classic)]
#[case::in_parts(in_parts)]
#[case::v2_json(v2_json)]
#[case::v2_parquet(v2_parquet)]
#[case::v2_classic_name(v2_under_the_classic_name)]
#[case::v2_inline(v2_without_sidecars)]
fn checkpoint_of_which_any_file_is_gone_or_cut_does_not_count(#[case] write: fn(&mut Table)) {
    let whole = with_checkpoint(write);
    let files = whole.objects.keys().filter(|key| key.contains(".checkpoint.") || key.contains("_sidecars"));
    for key in files.cloned().collect::<Vec<_>>() {
        let mut gone = whole.clone();
        gone.delete(&key);
        assert_eq!(judge(&gone).verdict, Verdict::Torn, "{key} gone");
        assert_eq!(judge(&gone).latest_loadable_version, None, "{key} gone");
        let mut listed = whole.clone();
        listed.gone.push(key.clone());
        assert_eq!(judge(&listed).verdict, Verdict::Torn, "{key} gone when it is read");
        let mut cut = whole.clone();
        cut.truncate(&key, whole.objects[&key].len() / 2);
        let answer = judge(&cut);
        assert_eq!((answer.verdict, answer.latest_loadable_version), (Verdict::Torn, None), "{key} cut: {answer:#?}");
        assert!(!answer.opens_in_place.yes);
    }
}

fn commit_before_data(table: &mut Table) {
    table.delete("f5");
}

fn size_differs(table: &mut Table) {
    table.put("f5", vec![0; 11]);
}

fn last_commit_gone(table: &mut Table) {
    table.delete(&commit_key(5));
}

fn gap(table: &mut Table) {
    table.delete(&commit_key(3));
}

fn cut_commit(table: &mut Table) {
    table.truncate(&commit_key(4), 40);
}

fn commit_gone_when_read(table: &mut Table) {
    table.gone.push(commit_key(4));
}

fn old_file_gone(table: &mut Table) {
    table.delete("f2");
}

fn first_commit_gone(table: &mut Table) {
    table.delete(&commit_key(0));
}

fn first_file_gone(table: &mut Table) {
    table.delete("f0");
}

fn healed(table: &mut Table) {
    table.delete("f2");
    table.commit(6, &[remove("f2", None)]);
}

fn readded_without_vector(table: &mut Table) {
    table.commit(6, &[remove("f2", None), add("f2").json()]);
}

fn orphan(table: &mut Table) {
    table.put("orphan.parquet", vec![0; 3]);
    table.put("_change_data/cdc", vec![0; 3]);
    table.put("_delta_log/00000000000000000005.crc", vec![0; 3]);
    table.put("_delta_log/_staged_commits/00000000000000000006.80a083e8-7026-4e79-81be-64bd76c43a11.json", vec![0; 3]);
    table.put("_delta_log/00000000000000000000.00000000000000000007.compacted.json", vec![0; 3]);
}

fn last_commit_gone_but_for_its_checksum(table: &mut Table) {
    last_commit_gone(table);
    table.put("_delta_log/00000000000000000005.crc", vec![0; 3]);
}

fn future_checkpoint_in_part(table: &mut Table) {
    table.put(&part_key(9, 1, 2), checkpoint(&[]));
}

fn dangling_hint(table: &mut Table) {
    table.put("_delta_log/_last_checkpoint", hint(5));
}

fn broken_hint(table: &mut Table) {
    table.put("_delta_log/_last_checkpoint", "{");
}

fn broken_checkpoint_beside_the_log(table: &mut Table) {
    table.put(&classic_key(3), "no parquet");
}

fn checkpoint_without_metadata(table: &mut Table) {
    table.put(&classic_key(3), parquet(&[Row::Add(add("f0"))]));
}

fn stale_checkpoint_beside_a_gap(table: &mut Table) {
    table.delete(&commit_key(2));
    table.put(&classic_key(3), checkpoint(&Table::plain_files(3)));
    table.put("_delta_log/_last_checkpoint", hint(3));
}

#[rstest]
#[case::nothing(|_: &mut Table| {}, Verdict::Whole, Some(5), Some(5), Some(5), true)]
#[case(commit_before_data, Verdict::Behind, Some(4), Some(5), Some(5), false)]
#[case(size_differs, Verdict::Behind, Some(4), Some(5), Some(5), false)]
#[case(last_commit_gone, Verdict::Whole, Some(4), Some(4), Some(4), true)]
#[case(last_commit_gone_but_for_its_checksum, Verdict::Whole, Some(4), Some(4), Some(4), false)]
#[case(gap, Verdict::Behind, Some(2), Some(2), Some(5), false)]
#[case(cut_commit, Verdict::Behind, Some(3), Some(3), Some(5), false)]
#[case(commit_gone_when_read, Verdict::Behind, Some(3), Some(3), Some(5), false)]
#[case(old_file_gone, Verdict::Behind, Some(1), Some(5), Some(5), false)]
#[case(first_commit_gone, Verdict::Torn, None, None, Some(5), false)]
#[case(first_file_gone, Verdict::Torn, None, Some(5), Some(5), false)]
#[case(healed, Verdict::Whole, Some(6), Some(6), Some(6), true)]
#[case(readded_without_vector, Verdict::Whole, Some(6), Some(6), Some(6), true)]
#[case(orphan, Verdict::Whole, Some(5), Some(5), Some(5), true)]
#[case(future_checkpoint_in_part, Verdict::Behind, Some(5), Some(5), Some(9), true)]
#[case(dangling_hint, Verdict::Whole, Some(5), Some(5), Some(5), false)]
#[case(broken_hint, Verdict::Whole, Some(5), Some(5), Some(5), true)]
#[case(broken_checkpoint_beside_the_log, Verdict::Whole, Some(5), Some(5), Some(5), false)]
#[case(checkpoint_without_metadata, Verdict::Whole, Some(5), Some(5), Some(5), false)]
#[case(stale_checkpoint_beside_a_gap, Verdict::Whole, Some(5), Some(5), Some(5), true)]
fn torn_copies_are_judged_by_what_is_there(
    #[case] tear: fn(&mut Table),
    #[case] expected: Verdict,
    #[case] newest: Option<u64>,
    #[case] loadable: Option<u64>,
    #[case] latest: Option<u64>,
    #[case] opens: bool,
) {
    let mut table = Table::plain(5);
    tear(&mut table);
    let answer = judge(&table);
    let found = (answer.verdict, answer.newest_whole_version, answer.latest_loadable_version, answer.latest_version);
    assert_eq!(found, (expected, newest, loadable, latest), "{answer:#?}");
    assert_eq!(answer.opens_in_place.yes, opens, "{answer:#?}");
    assert_eq!(answer.opens_in_place.why_not.is_none(), opens);
    assert_eq!(answer.newest_whole.is_some(), newest.is_some());
    let behind = newest.zip(latest).map(|(newest, latest)| latest - newest).filter(|versions| *versions > 0);
    assert_eq!(answer.behind.map(|behind| behind.versions), behind, "{answer:#?}");
}

#[rstest]
#[case(gap, "Commit 3 is not there, so that no version above 2 can be loaded; the log goes to 5.")]
#[case(cut_commit, "Commit 4 cannot be used and counts as absent: line 1: EOF while parsing")]
#[case(commit_gone_when_read, "Commit 4 cannot be used and counts as absent: it was listed, but is not there.")]
#[case(first_commit_gone, "No version can be loaded")]
#[case(broken_checkpoint_beside_the_log, "Checkpoint 3 cannot be used and was passed over")]
fn what_was_passed_over_is_noted(#[case] tear: fn(&mut Table), #[case] note: &str) {
    let mut table = Table::plain(5);
    tear(&mut table);
    let answer = judge(&table);
    assert!(answer.notes.iter().any(|found| found.starts_with(note)), "{:#?}", answer.notes);
}

#[rstest]
#[case(dangling_hint, "_last_checkpoint names checkpoint 5, which is not there")]
#[case(broken_checkpoint_beside_the_log, "Readers start from checkpoint 3, which cannot be used")]
#[case(checkpoint_without_metadata, "Readers start from checkpoint 3, which lacks protocol or metadata")]
#[case(gap, "Commit 3 is not there while 4 is")]
#[case(cut_commit, "Commit 4 cannot be read")]
#[case(commit_before_data, "A reader gets version 5, which is not wholly there; restore version 4")]
#[case(last_commit_gone_but_for_its_checksum, "00000000000000000005.crc is there and commit 5 is not")]
#[case(first_commit_gone, "No version can be loaded: readers refuse")]
#[case(first_file_gone, "No version is wholly there")]
fn reader_at_the_root_is_told_what_it_meets(#[case] tear: fn(&mut Table), #[case] why: &str) {
    let mut table = Table::plain(5);
    tear(&mut table);
    let found = judge(&table).opens_in_place.why_not.unwrap();
    assert!(found.starts_with(why), "{found}");
}

#[test]
fn lost_commits_before_a_restated_protocol_are_told_from_a_table() {
    let mut table = Table::plain(5).without_commits(0..=2);
    table.commit(4, &[protocol(), metadata("t"), add("f4").json()]);
    let answer = judge(&table);
    assert_eq!((answer.verdict, answer.newest_whole_version), (Verdict::Torn, None));
    assert!(answer.opens_in_place.why_not.unwrap().contains("a reader opens version 5 without an error"));
}

#[test]
fn log_without_any_version_is_torn() {
    let mut table = Table::default();
    table.put("_delta_log/_last_checkpoint", hint(3));
    table.put("f0", vec![0; 10]);
    let answer = judge(&table);
    assert_eq!((answer.verdict, answer.latest_version), (Verdict::Torn, None));
}

#[test]
fn older_base_is_tried_when_the_newer_one_leads_to_no_whole_version() {
    let mut table = Table::plain(9);
    table.put(&classic_key(3), checkpoint(&Table::plain_files(3)));
    table.put(&classic_key(6), checkpoint(&Table::plain_files(6)));
    table.delete("f5");
    let answer = judge(&table);
    assert_eq!(answer.newest_whole_version, Some(4));
    assert_eq!(answer.newest_whole.unwrap().checkpoint, Some(3));
    assert_eq!(
        answer.missing,
        [MissingObject { path: "f5".into(), why: MissingWhy::Absent, want: Some(10), have: None }]
    );
    let read = table.read.borrow();
    let commits = read.iter().filter(|path| !path.contains("checkpoint")).collect::<Vec<_>>();
    // The three behind the newer base, twice since one file had to be named; two behind the older one; the one of the answer again.
    assert!(commits.iter().all(|path| **path >= commit_key(4)), "{commits:?}");
    assert!(read.len() <= 12, "{read:?}");
}

#[test]
fn whole_table_is_read_once() {
    let mut table = Table::plain(9);
    table.put(&classic_key(6), checkpoint(&Table::plain_files(6)));
    table.put("_delta_log/_last_checkpoint", hint(6));
    assert_eq!(judge(&table).verdict, Verdict::Whole);
    let expected = [classic_key(6), commit_key(7), commit_key(8), commit_key(9), "_delta_log/_last_checkpoint".into()];
    assert_eq!(*table.read.borrow(), expected);
}

fn with_vectors() -> Table {
    let mut table = Table::default();
    table.commit(0, &[features(&["deletionVectors"]), metadata("t"), add("f0").json(), add("f1").json()]);
    table.commit(1, &[remove("f0", None), add("f0").with(vector(4)).json()]);
    let (second, first) = (vector(52), vector(4));
    table.commit(2, &[remove("f0", Some(&first)), add("f0").with(second).json()]);
    table.put("f0", vec![0; 10]);
    table.put("f1", vec![0; 10]);
    table.put(VECTOR_FILE, vec![0; 100]);
    table
}

#[rstest]
#[case::exact(100, Some(2), None)]
#[case::longer(1000, Some(2), None)]
#[case::short_for_the_second(99, Some(1), Some((MissingWhy::DvShort, Some(99))))]
#[case::enough_for_the_first(52, Some(1), Some((MissingWhy::DvShort, Some(52))))]
#[case::short_for_both(51, Some(0), Some((MissingWhy::DvShort, Some(51))))]
fn files_of_deletion_vectors_reach_to_the_end_of_the_vector(
    #[case] size: usize,
    #[case] newest: Option<u64>,
    #[case] missing: Option<(MissingWhy, Option<u64>)>,
) {
    let mut table = with_vectors();
    table.put(VECTOR_FILE, vec![0; size]);
    let answer = judge(&table);
    assert_eq!(answer.newest_whole_version, newest);
    let expected = missing.map(|(why, have)| MissingObject { path: VECTOR_FILE.into(), why, want: Some(100), have });
    assert_eq!(answer.missing, Vec::from_iter(expected));
}

#[test]
fn rows_and_vectors_are_counted_as_the_log_has_them() {
    let facts = judge(&with_vectors()).newest_whole.unwrap();
    assert_eq!((facts.files, facts.rows, facts.deletion_vectors), (2, Some(8), 1));
    let mut table = with_vectors();
    table.commit(3, &[super::support::log::Add { records: None, ..add("f1") }.json()]);
    let facts = judge(&table).newest_whole.unwrap();
    assert_eq!((facts.files, facts.rows), (2, None), "a file without statistics");
}

#[rstest]
#[case::inline("i", "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", Verdict::Whole)]
#[case::absolute("p", "s3://other/x/y/dv.bin", Verdict::NotSelfContained)]
#[case::of_no_known_kind("q", "x", Verdict::Behind)]
fn vectors_that_are_in_no_file_of_the_table(#[case] storage: &str, #[case] path: &str, #[case] expected: Verdict) {
    let mut table = Table::plain(1);
    let mut vector = vector(4);
    vector.storage = storage.into();
    vector.path = path.into();
    table.commit(2, &[remove("f0", None), add("f0").with(vector).json()]);
    let answer = judge(&table);
    assert_eq!(answer.verdict, expected, "{answer:#?}");
    if expected == Verdict::NotSelfContained {
        assert_eq!(answer.absolute.unwrap().places, ["s3://other/x/y"]);
        assert_eq!((answer.newest_whole_version, answer.self_contained), (Some(1), false));
    }
}

#[rstest]
#[case::known(&["deletionVectors", "v2Checkpoint"], Verdict::Whole)]
#[case::catalog(&["catalogManaged"], Verdict::CatalogManaged)]
#[case::catalog_preview(&["catalogManaged-preview"], Verdict::CatalogManaged)]
#[case::unknown(&["adaptiveMetadata-preview"], Verdict::Unsupported)]
#[case::unknown_and_catalog(&["catalogManaged", "zzz"], Verdict::Unsupported)]
fn features_decide_what_can_be_said(#[case] names: &[&str], #[case] expected: Verdict) {
    let mut table = Table::plain(1);
    table.commit(2, &[features(names)]);
    let answer = judge(&table);
    assert_eq!((answer.verdict, answer.newest_whole_version), (expected, Some(2)));
    assert_eq!(answer.opens_in_place.yes, expected == Verdict::Whole);
    assert_eq!(answer.unsupported.is_empty(), expected != Verdict::Unsupported);
}

#[rstest]
#[case::no_path(json!({"add": {"size": 1}}))]
#[case::no_size(json!({"add": {"path": "x"}}))]
#[case::negative_size(json!({"add": {"path": "x", "size": -1}}))]
#[case::path_is_a_number(json!({"add": {"path": 1, "size": 1}}))]
#[case::protocol_without_a_version(json!({"protocol": {"minWriterVersion": 2}}))]
#[case::list(json!(["add"]))]
#[case::text(json!("add"))]
#[case::endless_path(json!({"add": {"path": "x".repeat(1 << 17), "size": 1}}))]
fn commit_with_an_action_that_is_not_understood_counts_as_absent(#[case] action: serde_json::Value) {
    let mut table = Table::plain(3);
    table.commit(2, &[add("f2").json(), action]);
    let answer = judge(&table);
    assert_eq!((answer.newest_whole_version, answer.latest_loadable_version), (Some(1), Some(1)), "{answer:#?}");
}

#[test]
fn unknown_actions_and_fields_are_passed_over() {
    let mut table = Table::plain(1);
    let commit = [
        json!({"somethingNew": {"path": 1}}),
        json!({"txn": {"appId": "a", "version": 1}}),
        json!({"commitInfo": {"timestamp": "not a number", "operation": []}}),
        json!({"cdc": {"path": "_change_data/x", "size": 5}}),
        json!({"add": {"path": "f0", "size": 10, "novel": {"x": [1, {"y": null}]}}}),
    ];
    table.put(&commit_key(2), [b"\n\r\n".as_slice(), &lines(&commit), b"  "].concat());
    assert_eq!(judge(&table).newest_whole_version, Some(2));
}

#[test]
fn keys_are_compared_decoded() {
    let mut table = Table::plain(0);
    table.commit(1, &[add("d=a%2520b/x%20+y").json()]);
    table.put("d=a%20b/x +y", vec![0; 10]);
    assert_eq!(judge(&table).verdict, Verdict::Whole);
    table.commit(2, &[remove("d=a%2520b/%78 +y", None)]);
    table.delete("d=a%20b/x +y");
    assert_eq!(judge(&table).newest_whole_version, Some(2), "removed under another spelling");
}

#[test]
fn first_missing_objects_are_named_by_key_and_all_are_counted() {
    let mut table = Table::plain(30);
    for version in 0..=29 {
        table.delete(&format!("f{version}"));
    }
    let options = Options::default().with_missing_limit(3);
    let answer = verdict("t", &table.listing(), &table, &options).unwrap();
    assert_eq!(answer.missing.iter().map(|missing| missing.path.as_str()).collect::<Vec<_>>(), ["f0", "f1", "f10"]);
    assert_eq!((answer.missing_in_all.objects, answer.missing_in_all.bytes), (30, 300));
}

#[test]
fn time_of_a_version_is_what_the_log_says_first() {
    let mut table = Table::plain(2);
    let time = |table: &Table, version| {
        let mut listing = Listing::new();
        for (key, bytes) in &table.objects {
            listing.push(key, bytes.len() as u64, Some(77));
        }
        at_version(&listing, table, &Options::default(), version).unwrap().facts.unwrap().timestamp_ms
    };
    assert_eq!(time(&table, 2), Some(77));
    table.commit(2, &[json!({"commitInfo": {"timestamp": 5}})]);
    assert_eq!(time(&table, 2), Some(5));
    table.commit(2, &[json!({"commitInfo": {"timestamp": 5, "inCommitTimestamp": 6}})]);
    assert_eq!(time(&table, 2), Some(6));
    table.put(&classic_key(2), checkpoint(&Table::plain_files(1)));
    assert_eq!(time(&table, 2), Some(6), "from the commit beside the checkpoint");
}

#[rstest]
#[case::ids(|table: &mut Table| table.commit(3, &[metadata("u")]), "metadata with the ids t and u")]
#[case::times(|table: &mut Table| {
    table.commit(2, &[json!({"commitInfo": {"timestamp": 200_000_000}})]);
    table.commit(3, &[json!({"commitInfo": {"timestamp": 100_000_000}})]);
}, "commit 3 says that it was made more than a day before")]
fn two_tables_in_one_log_are_suspected(#[case] mix: fn(&mut Table), #[case] sign: &str) {
    let mut table = Table::plain(3);
    mix(&mut table);
    let answer = judge(&table);
    assert_eq!(answer.verdict, Verdict::Whole);
    assert!(answer.notes.iter().any(|note| note.contains(sign)), "{:?}", answer.notes);
}
