//! Tables that delta-rs wrote, with checkpoints in every form: `tests/fixtures/build.py`.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Cursor,
};

use flate2::read::GzDecoder;
use levee_delta_log::{MissingWhy, Options, Verdict, at_version, verdict};
use serde::Deserialize;

use super::support::Table;

#[derive(Deserialize)]
pub struct Expected {
    pub files: BTreeSet<(String, u64)>,
    pub rows: u64,
}

pub type Versions = BTreeMap<u64, Expected>;

pub fn fixtures() -> Vec<(String, Table, Versions)> {
    let archive = Cursor::new(include_bytes!("../fixtures/tables.tar.gz"));
    let tables = Table::all_from_tar(GzDecoder::new(archive), |path| path.split_once('/'));
    assert_eq!(tables.len(), 12);
    let take = |(name, all): (String, Table)| {
        let expected = serde_json::from_slice(&all.objects["expect.json"]).unwrap();
        let objects =
            all.objects.iter().filter_map(|(key, bytes)| Some((key.strip_prefix("table/")?.to_owned(), bytes.clone())));
        (name, Table { objects: objects.collect(), ..Table::default() }, expected)
    };
    tables.into_iter().map(take).collect()
}

#[test]
fn every_version_has_the_files_and_rows_that_its_writer_finds() {
    for (name, table, versions) in fixtures() {
        let listing = table.listing();
        let answer = verdict(&name, &listing, &table, &Options::default()).unwrap();
        assert_eq!(answer.verdict, Verdict::Whole, "{name}: {answer:#?}");
        assert_eq!(answer.newest_whole_version, versions.keys().last().copied(), "{name}");
        assert!(answer.opens_in_place.yes && answer.notes.is_empty(), "{name}: {answer:#?}");
        for (version, expected) in &versions {
            let at = at_version(&listing, &table, &Options::default(), *version).unwrap();
            let facts = at.facts.unwrap();
            let bytes = expected.files.iter().map(|(_, size)| size).sum::<u64>();
            assert_eq!((facts.files, facts.bytes), (expected.files.len() as u64, bytes), "{name} at {version}");
            assert_eq!(facts.rows, Some(expected.rows), "{name} at {version}");
            assert!(at.whole, "{name} at {version}: {:?}", at.missing);
        }
    }
}

#[test]
fn loss_of_any_data_file_leaves_the_newest_version_without_it() {
    for (name, table, versions) in fixtures() {
        let newest = &versions.values().last().unwrap().files;
        let data = table.objects.keys().filter(|key| !key.starts_with('_')).cloned().collect::<Vec<_>>();
        assert!(data.len() > 5);
        for key in data {
            for change in [MissingWhy::Absent, MissingWhy::Size] {
                let mut torn = table.clone();
                match change {
                    MissingWhy::Absent => torn.delete(&key),
                    _ => torn.truncate(&key, 1),
                }
                let answer = verdict(&name, &torn.listing(), &torn, &Options::default()).unwrap();
                let has = |expected: &Expected| expected.files.iter().any(|(path, _)| *path == key);
                let expected = versions.iter().rev().find(|(_, facts)| !has(facts)).map(|(version, _)| *version);
                assert_eq!(answer.newest_whole_version, expected, "{name} without {key}");
                let missing: Vec<_> =
                    answer.missing.iter().map(|missing| (missing.path.clone(), missing.why)).collect();
                let is_live = newest.iter().any(|(path, _)| *path == key);
                assert_eq!(missing, Vec::from_iter(is_live.then_some((key.clone(), change))), "{name}");
            }
        }
    }
}

#[test]
fn loss_or_cut_of_any_file_of_the_log_is_never_taken_for_a_newer_version() {
    for (name, table, versions) in fixtures() {
        let newest = *versions.keys().last().unwrap();
        for key in table.objects.keys().filter(|key| key.starts_with('_')) {
            for half in [false, true] {
                let mut torn = table.clone();
                if half {
                    torn.truncate(key, table.objects[key].len() / 2);
                } else {
                    torn.delete(key);
                }
                let answer = verdict(&name, &torn.listing(), &torn, &Options::default()).unwrap();
                let found = answer.newest_whole_version;
                assert!(found <= Some(newest), "{name} without {key}: {answer:#?}");
                if let (Some(version), Some(facts)) = (found, answer.newest_whole) {
                    assert_eq!(facts.files, versions[&version].files.len() as u64, "{name} without {key}");
                }
                let is_base = key.contains(".checkpoint.") || key.contains("_sidecars");
                if is_base && name != "plain" {
                    assert_eq!((answer.verdict, found), (Verdict::Torn, None), "{name} without {key}");
                }
            }
        }
    }
}
