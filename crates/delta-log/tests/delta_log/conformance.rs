//! The conformance data: tables of the Delta projects, whole and torn, with answers that two other replays agree on.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::read::GzDecoder;
use levee_delta_log::{MissingObject, Options, Verdict, at_version, verdict};
use serde_json::Value;

use super::support::Table;

/// The folder of the data: that of the variable, or the one in the folder that the other samples are in.
fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = || std::env::var_os("LEVEE_SHARED").map_or_else(beside, PathBuf::from).join("conformance");
    let folder = std::env::var_os("LEVEE_CONFORMANCE").map_or_else(shared, PathBuf::from).join("delta");
    if folder.join("tables.tar.gz").is_file() {
        return Some(folder);
    }
    eprintln!(
        "skipped: {} has no tables.tar.gz; set LEVEE_CONFORMANCE to the folder that holds delta",
        folder.display()
    );
    None
}

/// Every object of the archive, by table: `table/…`, and `expect.json`.
fn tables(folder: &Path) -> BTreeMap<String, Table> {
    let archive = fs::File::open(folder.join("tables.tar.gz")).unwrap();
    Table::all_from_tar(GzDecoder::new(archive), |path| path.strip_prefix("tables/")?.split_once('/'))
}

/// Every table as it was, with the greatest version that can be loaded when it is the newest; none where the data is not there.
pub fn whole_tables() -> Option<BTreeMap<String, (Table, Option<u64>)>> {
    let tables = tables(&folder()?);
    let whole = tables.into_iter().map(|(name, table)| {
        let (table, expected) = take(&table);
        let newest =
            expected["versions"][1].as_u64().filter(|_| expected["latest_loadable"] == expected["versions"][1]);
        (name, (table, newest))
    });
    Some(whole.collect())
}

/// A table without its `expect.json`.
fn take(table: &Table) -> (Table, Value) {
    let objects =
        table.objects.iter().filter_map(|(key, bytes)| Some((key.strip_prefix("table/")?.to_owned(), bytes.clone())));
    let expected = serde_json::from_slice(&table.objects["expect.json"]).unwrap();
    (Table { objects: objects.collect(), ..Table::default() }, expected)
}

/// What `apply.py` of the data does.
fn apply(table: &mut Table, op: &Value) {
    let text = |member: &str| op[member].as_str().unwrap().to_owned();
    let objects = &mut table.objects;
    match text("op").as_str() {
        "delete" => assert!(objects.remove(&text("key")).is_some()),
        "truncate" => {
            let to = usize::try_from(op["to"].as_u64().unwrap()).unwrap();
            let bytes = objects.get_mut(&text("key")).unwrap();
            assert!(bytes.len() >= to);
            bytes.truncate(to);
        }
        "append" | "append_text" => {
            let bytes = objects.get_mut(&text("key")).unwrap();
            let more = match op["bytes"].as_u64() {
                Some(count) => vec![0; usize::try_from(count).unwrap()],
                None => text("text").into_bytes(),
            };
            *bytes = [bytes.as_ref(), &more].concat().into();
        }
        "write" => {
            let bytes = op["base64"].as_str().map_or_else(
                || op["text"].as_str().unwrap().as_bytes().to_vec(),
                |encoded| BASE64_STANDARD.decode(encoded).unwrap(),
            );
            objects.insert(text("key"), bytes.into());
        }
        "move" => {
            let bytes = objects.remove(&text("from")).unwrap();
            objects.insert(text("to"), bytes);
        }
        "copy" => {
            let bytes = objects[&text("from")].clone();
            objects.insert(text("to"), bytes);
        }
        "scramble" => {
            let bytes = objects.get_mut(&text("key")).unwrap();
            *bytes = bytes.iter().map(|byte| byte ^ 0x5a).collect::<Vec<u8>>().into();
        }
        other => panic!("{other}"),
    }
}

/// Where the answers of a table differ from the expected ones.
fn differences(table: &Table, expected: &Value) -> Vec<String> {
    let listing = table.listing();
    let options = Options::default().with_missing_limit(usize::MAX);
    let answer = verdict("t", &listing, table, &options).unwrap();
    let missing: Vec<MissingObject> = serde_json::from_value(expected["missing_at_latest"].clone()).unwrap();
    let mut pairs = vec![
        ("newest_whole", expected["newest_whole"].clone(), serde_json::json!(answer.newest_whole_version)),
        ("latest_loadable", expected["latest_loadable"].clone(), serde_json::json!(answer.latest_loadable_version)),
        ("self_contained", expected["self_contained"].clone(), serde_json::json!(answer.self_contained)),
        ("missing", serde_json::json!(missing), serde_json::json!(answer.missing)),
        ("latest", expected["versions"][1].clone(), serde_json::json!(answer.latest_version)),
    ];
    let mut whole = Vec::new();
    let mut loadable = Vec::new();
    for version in expected["versions"][0].as_u64().unwrap_or(0)..=expected["versions"][1].as_u64().unwrap_or(0) {
        let at = at_version(&listing, table, &options, version).unwrap();
        whole.extend(at.whole.then_some(version));
        loadable.extend(at.facts.is_some().then_some(version));
        if let Some(files) = expected["active"][version.to_string()]["files"].as_array() {
            let bytes = files.iter().map(|file| file[1].as_u64().unwrap()).sum::<u64>();
            let facts = at.facts.unwrap();
            let absolute = at.absolute.map_or(0, |absolute| absolute.files);
            if absolute == 0 {
                pairs.push((
                    "files",
                    serde_json::json!((files.len(), bytes)),
                    serde_json::json!((facts.files, facts.bytes)),
                ));
            }
        }
    }
    pairs.push(("whole", expected["whole"].clone(), serde_json::json!(whole)));
    pairs.push(("loadable", expected["loadable"].clone(), serde_json::json!(loadable)));
    let differ = pairs.into_iter().filter(|(_, expected, found)| expected != found);
    let notes = &answer.notes;
    differ.map(|(what, expected, found)| format!("{what}: expected {expected}, found {found}; {notes:?}")).collect()
}

#[test]
fn tables_of_the_delta_projects_have_the_newest_whole_version_that_others_find() {
    let Some(folder) = folder() else { return };
    let mut problems = Vec::new();
    let tables = tables(&folder);
    assert!(tables.len() > 40, "{}", tables.len());
    for (name, table) in &tables {
        let (table, expected) = take(table);
        problems.extend(differences(&table, &expected).into_iter().map(|what| format!("{name}: {what}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn torn_copies_have_the_newest_whole_version_that_others_find() {
    let Some(folder) = folder() else { return };
    let tables = tables(&folder);
    let mut problems = Vec::new();
    let mut count = 0;
    for recipe in fs::read_dir(folder.join("torn")).unwrap() {
        let recipe: Value = serde_json::from_slice(&fs::read(recipe.unwrap().path()).unwrap()).unwrap();
        let (mut table, _) = take(&tables[recipe["base"].as_str().unwrap()]);
        recipe["ops"].as_array().unwrap().iter().for_each(|op| apply(&mut table, op));
        problems.extend(
            differences(&table, &recipe["expect"]).into_iter().map(|what| format!("{}: {what}", recipe["name"])),
        );
        count += 1;
    }
    assert!(count > 60, "{count}");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Where the verdict is stricter than the newest whole version, for the doubts that the data's page lists.
#[test]
fn verdicts_are_strict_where_the_data_doubts() {
    let Some(folder) = folder() else { return };
    let tables = tables(&folder);
    let expected = [
        ("simple_table_features", Verdict::Unsupported, Some(4)),
        ("deltalog-invalid-protocol-version", Verdict::Unsupported, None),
        ("err-table_f", Verdict::Unsupported, None),
        ("basic_catalog_managed", Verdict::CatalogManaged, Some(1)),
        ("deltalog-state-reconstruction-without-protocol", Verdict::Torn, None),
        ("made-clone-abfss", Verdict::Whole, Some(3)),
        ("err-table_b", Verdict::Behind, Some(0)),
    ];
    for (name, verdict_expected, newest) in expected {
        let (table, _) = take(&tables[name]);
        let answer = verdict(name, &table.listing(), &table, &Options::default()).unwrap();
        assert_eq!((answer.verdict, answer.newest_whole_version), (verdict_expected, newest), "{name}: {answer:#?}");
    }
}

/// Sharded answers over real tables: the property test has made-up ones.
#[test]
fn shards_give_the_same_answers_on_real_tables() {
    let Some(folder) = folder() else { return };
    for (name, table) in &tables(&folder) {
        let (table, _) = take(table);
        let listing = table.listing();
        let whole = verdict(name, &listing, &table, &Options::default()).unwrap();
        let sharded = verdict(name, &listing, &table, &Options::default().with_shard_objects(3)).unwrap();
        assert_eq!(whole, sharded, "{name}");
    }
}
