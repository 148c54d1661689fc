//! What a run comes to, in a line.

use jiff::civil::Date;
use levee_ledger::{
    receipt::{ObjectFacts, Outcome, Receipt, SnapshotFacts},
    state::{Tables, VerdictCounts},
};
use levee_page::text::{count as grouped, counted, day};

/// What a headline is made of.
pub(crate) struct Told<'a> {
    pub(crate) source: &'a str,
    pub(crate) date: Date,
    pub(crate) objects: &'a ObjectFacts,
    pub(crate) snapshot: &'a SnapshotFacts,
    pub(crate) tables: &'a Tables,
}

/// What is to be looked at of a run that is closed, a phrase each.
pub(crate) fn reasons(receipt: &Receipt) -> Vec<String> {
    let (objects, snapshot, tables) = (&receipt.objects, &receipt.snapshot, &receipt.tables.tables);
    Told { source: &receipt.run.source, date: receipt.run.backup_date, objects, snapshot, tables }.reasons()
}

impl Told<'_> {
    /// Whether anything is to be looked at.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.reasons().is_empty() { Outcome::Complete } else { Outcome::Degraded }
    }

    /// What is to be looked at, a phrase each.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let of_tables = verdicts(&self.tables.verdicts);
        let tables = of_tables.into_iter().map(|(count, name)| format!("{} {name}", counted(count, "table", "tables")));
        let not_checked = self.tables.not_checked.as_ref().map(|why| format!("no table was checked: {why}"));
        let of_objects =
            self.to_look_at().map(|(count, what)| format!("{} {what}", counted(count, "object", "objects")));
        tables.chain(not_checked).chain(of_objects).collect()
    }

    /// `lake-events 31 Mar 2026: 412 of 412 tables whole, 1,204,331 objects, 3 vanished`; what is none is left out.
    pub(crate) fn headline(&self) -> String {
        let mut parts = Vec::new();
        if self.tables.tables > 0 {
            let good = self.tables.verdicts.good();
            parts.push(format!("{} of {} whole", grouped(good), counted(self.tables.tables, "table", "tables")));
        }
        if self.tables.not_checked.is_some() {
            parts.push("tables not checked".to_owned());
        }
        let bad = verdicts(&self.tables.verdicts);
        parts.extend(bad.into_iter().map(|(count, name)| format!("{} {name}", grouped(count))));
        parts.push(counted(self.objects.copied, "object", "objects"));
        let vanished = Some((self.objects.vanished, "vanished")).filter(|(count, _)| *count > 0);
        parts.extend(
            vanished
                .into_iter()
                .chain(self.changed())
                .chain(self.to_look_at())
                .map(|(count, what)| format!("{} {what}", grouped(count))),
        );
        format!("{} {}: {}", self.source, day(self.date), parts.join(", "))
    }

    /// Objects that were overwritten between inventory and copy. Each night has some, `_last_checkpoint` above all: what they
    /// do to a table, its verdict says.
    fn changed(&self) -> Option<(u64, &'static str)> {
        Some((self.snapshot.changed, "changed")).filter(|(count, _)| *count > 0)
    }

    fn to_look_at(&self) -> impl Iterator<Item = (u64, &'static str)> + use<> {
        let counts = [(self.objects.skipped, "skipped"), (self.snapshot.unexpected, "unexpected")];
        counts.into_iter().filter(|(count, _)| *count > 0)
    }
}

/// The verdicts that are not good, worst first.
fn verdicts(counts: &VerdictCounts) -> Vec<(u64, &'static str)> {
    let bad = [
        (counts.torn, "torn"),
        (counts.not_checked, "not checked"),
        (counts.unsupported, "unsupported"),
        (counts.not_self_contained, "not self-contained"),
        (counts.behind, "behind"),
    ];
    bad.into_iter().filter(|(count, _)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::all_well(json!({ "whole": 410, "catalog_managed": 2 }), [1_204_331, 3, 0], [0, 0], "412 of 412 tables whole, 1,204,331 objects, 3 vanished", &[])]
    #[case::no_tables(json!({}), [12, 0, 0], [0, 0], "12 objects", &[])]
    #[case::one_of_each(json!({ "whole": 1 }), [1, 0, 0], [0, 0], "1 of 1 table whole, 1 object", &[])]
    #[case::overwritten_meanwhile(json!({ "whole": 1 }), [9, 0, 0], [2, 0], "1 of 1 table whole, 9 objects, 2 changed", &[])]
    #[case::nothing_at_all(json!({}), [0, 0, 0], [0, 0], "0 objects", &[])]
    #[case::bad_tables(
        json!({ "whole": 1000, "behind": 2, "torn": 1, "not_self_contained": 4, "unsupported": 3, "not_checked": 5 }), [999, 0, 0], [0, 0],
        "1,000 of 1,015 tables whole, 1 torn, 5 not checked, 3 unsupported, 4 not self-contained, 2 behind, 999 objects",
        &["1 table torn", "5 tables not checked", "3 tables unsupported", "4 tables not self-contained", "2 tables behind"]
    )]
    #[case::objects_to_look_at(
        json!({ "whole": 1 }), [1_000, 1, 5], [1, 7],
        "1 of 1 table whole, 1,000 objects, 1 vanished, 1 changed, 5 skipped, 7 unexpected",
        &["5 objects skipped", "7 objects unexpected"]
    )]
    fn headline_has_the_tables_first_and_nothing_that_is_none(
        #[case] verdicts: Value,
        #[case] objects: [u64; 3],
        #[case] differing: [u64; 2],
        #[case] headline: &str,
        #[case] reasons: &[&str],
    ) {
        let ([copied, vanished, skipped], [changed, unexpected]) = (objects, differing);
        let tables = verdicts.as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>();
        let tables: Tables = serde_json::from_value(json!({
            "tables": tables, "verdicts": verdicts, "repaired": 0, "repaired_objects": 0, "repaired_bytes": 0,
        }))
        .unwrap();
        let snapshot: SnapshotFacts = serde_json::from_value(json!({
            "bucket": "b", "account": "222222222222", "region": "us-east-1", "objects": copied, "bytes": 0,
            "changed": changed, "unexpected": unexpected,
        }))
        .unwrap();
        let objects = ObjectFacts { copied, vanished, skipped, ..ObjectFacts::default() };
        let date = jiff::civil::date(2026, 3, 1);
        let told = Told { source: "lake-events", date, objects: &objects, snapshot: &snapshot, tables: &tables };
        assert_eq!(told.headline(), format!("lake-events 1 Mar 2026: {headline}"));
        assert_eq!(told.reasons(), reasons);
        let outcome = if reasons.is_empty() { Outcome::Complete } else { Outcome::Degraded };
        assert_eq!(told.outcome(), outcome);
    }
}
