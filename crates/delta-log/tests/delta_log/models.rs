//! Random logs, against a model that tries every version from every base, and against themselves in shards.

use std::collections::{BTreeMap, BTreeSet};

use levee_delta_log::{
    CannotCheck, Listing, Need, NeedKind, Options, at_version, lacking, needs, verdict, verdict_by_shards,
};
use proptest::prelude::*;

use super::support::{
    Table,
    log::{Add, VECTOR_FILE, Vector, add, checkpoint, classic_key, commit_key, metadata, protocol, remove, vector},
};

/// What a commit does with one of a few files.
#[derive(Clone, Debug)]
enum Step {
    Add(u8),
    AddWithVector(u8, i64),
    Remove(u8),
}

/// A table, and what the model needs to know of it.
#[derive(Clone, Debug)]
struct Made {
    table: Table,
    /// The live files of each version.
    live: Vec<BTreeMap<(u8, Option<i64>), Add>>,
    checkpoints: BTreeSet<u64>,
    latest: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let file = 0..12_u8;
    prop_oneof![
        4 => file.clone().prop_map(Step::Add),
        1 => (file.clone(), prop_oneof![Just(4_i64), Just(52)]).prop_map(|(file, offset)| Step::AddWithVector(file, offset)),
        3 => file.prop_map(Step::Remove),
    ]
}

fn made() -> impl Strategy<Value = Made> {
    let commits = prop::collection::vec(prop::collection::vec(step(), 0..6), 1..9);
    let gone = prop::collection::btree_set(0..40_usize, 0..6);
    let absolute = prop::option::weighted(0.1, 0..12_u8);
    (commits, prop::collection::btree_set(0..9_u64, 0..4), gone, absolute)
        .prop_map(|(commits, checkpoints, gone, absolute)| make(&commits, &checkpoints, &gone, absolute))
}

fn path(file: u8, absolute: Option<u8>) -> String {
    if absolute == Some(file) { format!("s3://other/t/f{file}") } else { format!("f{file}") }
}

fn make(commits: &[Vec<Step>], checkpoints: &BTreeSet<u64>, gone: &BTreeSet<usize>, absolute: Option<u8>) -> Made {
    let mut table = Table::default();
    let mut live: BTreeMap<(u8, Option<i64>), Add> = BTreeMap::new();
    let mut versions = Vec::new();
    let mut kept = BTreeSet::new();
    for (version, steps) in (0_u64..).zip(commits) {
        let mut actions = if version == 0 { vec![protocol(), metadata("t")] } else { Vec::new() };
        for step in steps {
            let (Step::Add(file) | Step::AddWithVector(file, _) | Step::Remove(file)) = step;
            let name = path(*file, absolute);
            // What there is of the file goes, as the protocol asks; then it comes back, perhaps with a vector.
            let before: Vec<_> = live.keys().filter(|(known, _)| known == file).copied().collect();
            let repeated = actions.iter().any(|action| action.to_string().contains(&format!("\"{name}\"")));
            if repeated {
                continue;
            }
            for key in before {
                live.remove(&key);
                actions.push(remove(&name, key.1.map(vector).as_ref()));
            }
            let made = match step {
                Step::Add(_) => add(&name),
                Step::AddWithVector(_, offset) => add(&name).with(vector(*offset)),
                Step::Remove(_) => continue,
            };
            actions.push(made.json());
            live.insert((*file, made.vector.as_ref().and_then(|vector: &Vector| vector.offset)), made);
        }
        table.commit(version, &actions);
        if checkpoints.contains(&version) {
            table.put(&classic_key(version), checkpoint(&live.values().cloned().collect::<Vec<_>>()));
            kept.insert(version);
        }
        versions.push(live.clone());
    }
    for file in 0..12 {
        table.put(&format!("f{file}"), vec![0; 10]);
    }
    table.put(VECTOR_FILE, vec![0; if gone.contains(&39) { 60 } else { 100 }]);
    let keys: Vec<String> = table.objects.keys().cloned().collect();
    for at in gone.iter().filter(|at| **at < 39) {
        if let Some(key) = keys.get(*at) {
            table.delete(key);
        }
    }
    kept.retain(|version| table.objects.contains_key(&classic_key(*version)));
    let names = table.objects.keys().filter_map(|key| key.strip_prefix("_delta_log/")?.get(..20)?.parse().ok());
    Made { latest: names.max().unwrap_or(0), live: versions, checkpoints: kept, table }
}

impl Made {
    /// Whether there is a way to a version, by the rule.
    fn is_loadable(&self, version: u64) -> bool {
        let run = |from: u64| (from..=version).all(|version| self.table.objects.contains_key(&commit_key(version)));
        run(0) || self.checkpoints.iter().any(|base| *base <= version && run(base + 1))
    }

    fn is_whole(&self, version: u64) -> bool {
        let size = |key: &str| self.table.objects.get(key).map_or(0, |bytes| bytes.len() as u64);
        let Some(live) = self.live.get(usize::try_from(version).unwrap()) else { return false };
        self.is_loadable(version)
            && live.values().all(|add| {
                let end = add.vector.as_ref().map_or(0, |vector| vector.offset.unwrap().unsigned_abs() + 48);
                size(&add.path) == add.size && size(VECTOR_FILE) >= end
            })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(120) })]

    #[test]
    fn newest_whole_version_is_that_of_the_model(made in made()) {
        let listing = made.table.listing();
        let answer = verdict("t", &listing, &made.table, &Options::default()).unwrap();
        let newest = |is: &dyn Fn(u64) -> bool| (0..made.live.len() as u64).rev().find(|version| is(*version));
        prop_assert_eq!(answer.newest_whole_version, newest(&|version| made.is_whole(version)), "{:#?}", answer);
        prop_assert_eq!(answer.latest_loadable_version, newest(&|version| made.is_loadable(version)));
        if let Some(facts) = &answer.newest_whole {
            let live = &made.live[usize::try_from(answer.newest_whole_version.unwrap()).unwrap()];
            prop_assert_eq!(facts.files, live.len() as u64);
            prop_assert_eq!(facts.bytes, live.len() as u64 * 10);
            let rows = live.values().map(|add| if add.vector.is_some() { 1 } else { 7 }).sum::<u64>();
            prop_assert_eq!(facts.rows, Some(rows));
        }
        for version in 0..made.live.len() as u64 {
            let at = at_version(&listing, &made.table, &Options::default(), version).unwrap();
            prop_assert_eq!(at.whole, made.is_whole(version), "version {}", version);
            prop_assert_eq!(at.facts.is_some(), made.is_loadable(version), "version {}", version);
        }
    }

    #[test]
    fn shards_answer_as_the_whole_does(made in made(), size in 1..9_usize, count in 1..6_u32, limit in 0..5_usize) {
        let options = Options::default().with_missing_limit(limit);
        let listing = made.table.listing();
        let whole = verdict("t", &listing, &made.table, &options).unwrap();
        let sharded = verdict("t", &listing, &made.table, &options.clone().with_shard_objects(size)).unwrap();
        prop_assert_eq!(&whole, &sharded);
        let mut of_shard = |index: u32| {
            let mut listing = Listing::for_shard(index, count);
            made.table.list_into(&mut listing);
            Ok(listing)
        };
        let given = verdict_by_shards("t", count, &mut of_shard, &made.table, &options).unwrap();
        prop_assert_eq!(&whole, &given);
        let on_threads = options.clone().with_threads(3);
        prop_assert_eq!(&whole, &verdict("t", &listing, &made.table, &on_threads).unwrap());
        prop_assert_eq!(&whole, &verdict("t", &listing, &made.table, &on_threads.with_shard_objects(size)).unwrap());
        let at = |options: &Options| at_version(&listing, &made.table, options, made.latest).unwrap();
        prop_assert_eq!(at(&options), at(&options.clone().with_shard_objects(size)));
        prop_assert_eq!(at(&options), at(&options.clone().with_threads(2)));
    }

    /// What is asked for makes the version whole in an empty place, and nothing of it can be left out.
    #[test]
    fn needs_of_a_version_are_enough_and_none_too_many(made in made(), size in 1..50_usize) {
        let listing = made.table.listing();
        let options = Options::default().with_shard_objects(size);
        for version in (0..=made.latest).filter(|version| made.is_whole(*version)) {
            let mut given = Vec::new();
            let mut take = |need: Need<'_>| {
                given.push((need.kind, need.path.to_owned(), need.size));
                Ok(())
            };
            let all = needs(&listing, &made.table, &options, version, &mut take).unwrap();
            let mut copy = Table::default();
            for (kind, path, size) in &given {
                let bytes = made.table.objects[path].clone();
                let enough = if *kind == NeedKind::DeletionVectors { bytes.len() as u64 >= size.unwrap() } else { Some(bytes.len() as u64) == *size };
                prop_assert!(enough, "{path}");
                prop_assert!(copy.objects.insert(path.clone(), bytes).is_none(), "{path} was given twice");
            }
            let answer = verdict("t", &copy.listing(), &copy, &Options::default()).unwrap();
            prop_assert_eq!(answer.newest_whole_version, Some(version));
            prop_assert_eq!(&answer.newest_whole.unwrap(), &all.facts);
            for (kind, path, _) in &given {
                let mut less = copy.clone();
                less.delete(path);
                let whole = verdict("t", &less.listing(), &less, &Options::default()).unwrap().newest_whole_version == Some(version);
                // The checkpoint's own commit tells only the time; and where that is commit 0, it and the checkpoint stand in for each other.
                let base = all.facts.checkpoint;
                let spare = *kind == NeedKind::Commit && base.is_some_and(|base| *path == commit_key(base))
                    || *kind == NeedKind::Checkpoint && base == Some(0);
                prop_assert!(!whole || spare, "{path}");
            }
        }
    }

    /// What a copy lacks is what the version needs and the copy has not in its size, by however many shares it is asked for.
    #[test]
    fn lacking_objects_are_those_that_are_needed_and_not_there(
        made in made(),
        gone in prop::collection::btree_set(0..40_usize, 0..20),
        cut in prop::collection::btree_set(0..40_usize, 0..4),
        shares in 1..6_u32,
    ) {
        let (listing, options) = (made.table.listing(), Options::default());
        let mut copy = made.table.clone();
        for (number, key) in made.table.objects.keys().enumerate() {
            if gone.contains(&number) {
                copy.delete(key);
            } else if cut.contains(&number) {
                copy.put(key, "");
            }
        }
        for version in (0..=made.latest).filter(|version| made.is_whole(*version)) {
            let mut expected = BTreeSet::new();
            let mut take = |need: Need<'_>| {
                if copy.objects.get(need.path).map(|bytes| bytes.len()) != made.table.objects.get(need.path).map(|bytes| bytes.len()) {
                    expected.insert((need.kind, need.path.to_owned(), need.size));
                }
                Ok(())
            };
            needs(&listing, &made.table, &options, version, &mut take).unwrap();
            let mut found = BTreeSet::new();
            for index in 0..shares {
                let mut share = Listing::for_shard(index, shares);
                copy.list_into(&mut share);
                let mut log = Vec::new();
                let mut take = |need: Need<'_>| {
                    let lacks = (need.kind, need.path.to_owned(), need.size);
                    match need.kind {
                        NeedKind::Data | NeedKind::DeletionVectors => assert!(found.insert(lacks), "{} was given twice", need.path),
                        _ => log.push(lacks),
                    }
                    Ok(())
                };
                lacking(&listing, &share, &made.table, &options, version, &mut take).unwrap();
                prop_assert!(log.is_sorted());
                if index + 1 == shares {
                    found.extend(log);
                }
            }
            prop_assert_eq!(found, expected, "version {}", version);
        }
    }
}

#[test]
fn needs_come_in_the_order_in_which_they_may_be_written() {
    let mut table = Table::plain(3);
    table.commit(
        4,
        &[remove("f0", None), add("f0").with(vector(4)).json(), remove("f1", None), add("f1").with(vector(52)).json()],
    );
    table.put(&classic_key(2), checkpoint(&Table::plain_files(2)));
    let mut given = Vec::new();
    needs(&table.listing(), &table, &Options::default(), 4, &mut |need| {
        given.push((need.kind, need.path.to_owned(), need.size));
        Ok(())
    })
    .unwrap();
    assert!(given.is_sorted_by_key(|(kind, ..)| *kind), "{given:?}");
    let size = |key: &str| Some(table.objects[key].len() as u64);
    let log = given.iter().filter(|(kind, ..)| *kind >= NeedKind::Sidecar).map(|(_, path, size)| (path.clone(), *size));
    let expected = [classic_key(2), commit_key(2), commit_key(3), commit_key(4)].map(|key| (key.clone(), size(&key)));
    assert_eq!(log.collect::<Vec<_>>(), expected);
    assert!(given.contains(&(NeedKind::DeletionVectors, VECTOR_FILE.to_owned(), Some(100))));
    assert_eq!(given.iter().filter(|(kind, ..)| *kind == NeedKind::Data).count(), 4);
}

#[test]
fn needs_of_a_version_that_is_not_there_and_a_refusal_are_errors() {
    let mut table = Table::plain(3);
    table.put(&commit_key(2), "{");
    let ask = |version| needs(&table.listing(), &table, &Options::default(), version, &mut |_| Ok(()));
    let error = ask(3).unwrap_err().to_string();
    assert!(error.contains("version 3 cannot be loaded: commit 2: line 1"), "{error}");
    assert!(matches!(ask(9), Err(CannotCheck::NotLoadable { version: 9, .. })));
    let refuse =
        needs(&table.listing(), &table, &Options::default(), 1, &mut |_| Err(CannotCheck::Caller("full".into())));
    assert_eq!(refuse.unwrap_err(), CannotCheck::Caller("full".into()));
}
