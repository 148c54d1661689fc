//! Which tables are drilled.

use std::collections::BTreeMap;

use jiff::Timestamp;
use levee_delta_log::Verdict;
use levee_ledger::{drill::Drill, state::TableLine};

/// A table is small below this, in bytes of its live data files: 1 GiB.
const MEDIUM: u64 = 1 << 30;
/// And large from this on: 1 TiB.
const LARGE: u64 = 1 << 40;

/// Tables that take about as long as each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Small,
    Medium,
    Large,
}

impl Class {
    const fn of(bytes: u64) -> Self {
        match bytes {
            LARGE.. => Self::Large,
            MEDIUM.. => Self::Medium,
            _ => Self::Small,
        }
    }
}

/// A table that can be drilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its root in the snapshot.
    pub(crate) path: String,
    /// The version that the snapshot has whole.
    pub(crate) version: u64,
}

/// At most `wanted` of the whole tables: one of each size class in turn, and of a class those whose last drill is the longest ago,
/// or that had none. The class whose last drill is the longest ago begins, so that drills of one table come to every class. The same
/// answer for the same tables and drills; `drills` are newest first.
pub(crate) fn choose(lines: &[TableLine], drills: &[Drill], wanted: usize) -> Vec<Candidate> {
    let mut classes: BTreeMap<Class, Vec<(Option<Timestamp>, Candidate)>> = BTreeMap::new();
    for line in lines {
        let (Verdict::Whole, Some(version), Some(facts)) =
            (line.verdict.verdict, line.verdict.newest_whole_version, &line.verdict.newest_whole)
        else {
            continue;
        };
        let path = line.verdict.path.clone();
        let of_class = classes.entry(Class::of(facts.bytes)).or_default();
        of_class.push((last(drills, &path), Candidate { path, version }));
    }
    let mut classes: Vec<_> = classes.into_values().collect();
    for of_class in &mut classes {
        of_class.sort_by(|(one, a), (other, b)| one.cmp(other).then_with(|| a.path.cmp(&b.path)));
    }
    // Stable: classes that were drilled at the same time stay in the order of their sizes.
    classes.sort_by_key(|of_class| of_class.iter().filter_map(|(at, _)| *at).max());
    // Taken from the end.
    classes.iter_mut().for_each(|of_class| of_class.reverse());
    let mut chosen = Vec::new();
    while chosen.len() < wanted {
        let turn: Vec<_> = classes.iter_mut().filter_map(Vec::pop).map(|(_, table)| table).collect();
        if turn.is_empty() {
            break;
        }
        chosen.extend(turn);
    }
    chosen.truncate(wanted);
    chosen.sort_by(|one, other| one.path.cmp(&other.path));
    chosen
}

/// When a table was drilled last.
fn last(drills: &[Drill], path: &str) -> Option<Timestamp> {
    let of_table = drills.iter().filter(|drill| drill.tables.iter().any(|table| table.path == path));
    of_table.map(|drill| drill.closed).max()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn line((path, verdict, bytes): (&str, &str, u64)) -> TableLine {
        serde_json::from_value(json!({
            "path": path, "verdict": verdict, "latest_version": 3, "latest_loadable_version": 3, "newest_whole_version": 3,
            "newest_whole": { "files": 1, "bytes": bytes, "deletion_vectors": 0 }, "missing": [], "self_contained": true,
            "unsupported": [], "opens_in_place": { "yes": true },
        }))
        .unwrap()
    }

    /// A drill of these tables, closed at this second.
    fn drill(second: i64, paths: &[&str]) -> Drill {
        let at = Timestamp::from_second(second).unwrap();
        let tables: Vec<_> =
            paths.iter().map(|path| json!({ "path": path, "version": 3, "files": 1, "bytes": 1, "rows": 1 })).collect();
        serde_json::from_value(json!({
            "version": 1, "source": "lake", "backup_date": "2026-03-31", "execution_arn": "arn", "execution_name": "name",
            "started": at, "restored": at, "closed": at, "receipt": { "bucket": "b", "key": "k", "etag": "e" },
            "objects": 1, "bytes": 1, "tables": tables, "emptied": 1,
        }))
        .unwrap()
    }

    fn lake() -> Vec<TableLine> {
        [
            ("s/b", "whole", 1),
            ("s/a", "whole", GIB - 1),
            ("s/c", "whole", 5),
            ("m/a", "whole", GIB),
            ("m/b", "whole", 1024 * GIB - 1),
            ("l/a", "whole", 1024 * GIB),
            ("torn", "torn", 1),
            ("behind", "behind", 1),
        ]
        .map(line)
        .to_vec()
    }

    #[rstest]
    #[case::one_of_each_class(&[], 3, &["l/a", "m/a", "s/a"])]
    #[case::small_ones_go_first(&[], 1, &["s/a"])]
    #[case::classes_that_are_used_up_are_passed_over(&[], 5, &["l/a", "m/a", "m/b", "s/a", "s/b"])]
    #[case::all_that_are_whole_and_no_others(&[], 100, &["l/a", "m/a", "m/b", "s/a", "s/b", "s/c"])]
    #[case::those_that_were_not_drilled_yet(&[(7, "s/a m/a l/a")], 3, &["l/a", "m/b", "s/b"])]
    #[case::those_that_were_not_drilled_for_longest(&[(9, "s/a"), (8, "s/b"), (7, "s/c"), (6, "s/a")], 3, &["l/a", "m/a", "s/c"])]
    #[case::the_class_that_was_not_drilled_yet_begins(&[(7, "s/a")], 1, &["m/a"])]
    #[case::the_class_that_was_not_drilled_for_longest_begins(&[(9, "m/a"), (8, "s/a"), (7, "l/a")], 1, &["l/a"])]
    fn tables_are_chosen_by_class_and_by_their_last_drill(
        #[case] drills: &[(i64, &str)],
        #[case] wanted: usize,
        #[case] expected: &[&str],
    ) {
        let drills: Vec<_> =
            drills.iter().map(|(second, paths)| drill(*second, &paths.split(' ').collect::<Vec<_>>())).collect();
        let chosen = choose(&lake(), &drills, wanted);
        assert_eq!(chosen.iter().map(|table| table.path.as_str()).collect::<Vec<_>>(), expected);
        let mut other_way_round = lake();
        other_way_round.reverse();
        assert_eq!(choose(&other_way_round, &drills, wanted), chosen);
    }

    #[test]
    fn drills_of_one_table_come_to_every_table() {
        let mut drills = Vec::new();
        for second in 0..12 {
            let chosen = choose(&lake(), &drills, 1);
            let paths: Vec<_> = chosen.iter().map(|table| table.path.as_str()).collect();
            drills.insert(0, drill(second, &paths));
        }
        let drilled: std::collections::BTreeSet<_> =
            drills.iter().flat_map(|drill| &drill.tables).map(|table| table.path.as_str()).collect();
        assert_eq!(drilled.len(), 6, "{drilled:?}");
    }
}
