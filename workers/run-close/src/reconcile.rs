//! Whether every object of the inventory has come to exactly one end.

use levee_ledger::{RunKey, receipt::ObjectFacts, state::Decision};
use levee_stage::StageError;

use crate::{Input, RECEIPT_DOES_NOT_ADD_UP};

/// The objects by what became of them, without what lists and failed rows say.
pub(crate) fn objects(input: &Input) -> ObjectFacts {
    let (report, large) = (input.report.as_ref(), input.large.as_ref());
    let large_copied = large.map_or(0, |large| large.copied);
    ObjectFacts {
        copied: report.map_or(0, |report| report.copied_in_all).saturating_add(large_copied),
        copied_large: large_copied,
        vanished: report
            .map_or(0, |report| report.vanished_in_all)
            .saturating_add(large.map_or(0, |large| large.vanished)),
        skipped: input.decided(&[Decision::SkippedArchived, Decision::Unsupported]),
        excluded: input.decided(&[Decision::Excluded]),
        ..ObjectFacts::default()
    }
}

/// Makes sure that the counts agree: those of the inventory with what became of its objects, and those of the copies with what
/// is in the snapshot bucket.
///
/// # Errors
/// `Levee.ReceiptDoesNotAddUp` with every sum that does not add up.
pub(crate) fn check(run: &RunKey, input: &Input, objects: &ObjectFacts) -> Result<(), StageError> {
    let (inventory, snapshot) = (input.manifest.objects, &input.snapshot);
    let ended = [objects.copied, objects.vanished, objects.skipped, objects.excluded];
    let mut problems = Vec::new();
    if ended.into_iter().try_fold(0_u64, u64::checked_add) != Some(inventory) {
        let [copied, vanished, skipped, excluded] = ended;
        problems.push(format!(
            "{copied} copied, {vanished} vanished, {skipped} skipped and {excluded} excluded objects are not the {inventory} of the inventory"
        ));
    }
    if snapshot.planned != objects.copied {
        problems.push(format!(
            "{} objects were looked for in the snapshot bucket, {} were copied",
            snapshot.planned, objects.copied
        ));
    }
    if snapshot.missing > 0 {
        problems.push(format!("{} objects are missing in the snapshot bucket", snapshot.missing));
    }
    if snapshot.planned.checked_add(snapshot.unexpected) != Some(snapshot.objects) {
        problems.push(format!(
            "the snapshot bucket has {} objects, which are not the {} that were looked for and {} unexpected ones",
            snapshot.objects, snapshot.planned, snapshot.unexpected
        ));
    }
    let outstanding = input.report.as_ref().map_or(0, levee_ledger::state::Report::outstanding_rows);
    if outstanding > 0 {
        problems.push(format!("{outstanding} rows of completion reports are outstanding"));
    }
    if problems.is_empty() {
        return Ok(());
    }
    let cause = format!(
        "{run} is not closed: {}. No receipt was written. The records in {} have the counts of each stage: see which one is \
         wrong, and who writes the ledger and the snapshot bucket besides Levee. A redrive counts again what the state has, and \
         comes to the same; start a new execution for the date, which counts anew.",
        problems.join("; "),
        run.prefix(),
    );
    Err(StageError::permanent(RECEIPT_DOES_NOT_ADD_UP, cause))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use jiff::civil::date;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    /// The state of a run of 20 objects: 12 copied by jobs, 2 part by part, 1 vanished of each, 1 skipped, 1 unsupported, 2 excluded.
    fn state() -> Value {
        let pointer = json!({ "bucket": "ledger", "key": "summary.json", "etag": "e" });
        let amount = |rows: u64| json!({ "rows": rows, "bytes": rows });
        json!({
            "run": { "source": "lake", "source_account": "111111111111", "inventory": { "bucket": "b", "id": "i" } },
            "manifest": {
                "backup_date": "2026-03-31", "bucket": "b", "key": "k", "etag": "e", "scan_started": "2026-04-02T01:00:00Z",
                "schema": ["Bucket", "Key"], "files": 1, "objects": 20, "bytes": null, "too_large": null, "archived": null,
                "plan": { "summary": pointer, "decisions": {
                    "batch": amount(13), "large": amount(3), "skipped_archived": amount(1), "unsupported": amount(1),
                    "excluded": amount(2),
                } },
            },
            "bucket": { "name": "lake-31-mar-2026", "account": "222222222222", "region": "us-east-1" },
            "job": {
                "attempt": 1, "id": "job", "report_bucket": "r", "report_prefix": "p",
                "manifest": { "kind": "csv", "bucket": "b", "key": "k", "etag": "e", "rows": 13 },
            },
            "report": {
                "attempt": 1, "rows": 13, "succeeded": 12, "failed": 1, "failed_by_class": { "vanished": 1 },
                "copied_in_all": 12, "vanished_in_all": 1, "next": "done",
            },
            "large": { "objects": 3, "copied": 2, "bytes": 2, "parts": 2, "changed": 0, "vanished": 1 },
            "snapshot": {
                "attempt": 1, "objects": 15, "bytes": 15, "planned": 14, "missing": 0, "changed": 0, "unexpected": 1,
                "sizes_compared": true, "next": "done",
            },
            "tables": { "tables": 0, "verdicts": {}, "repaired": 0, "repaired_objects": 0, "repaired_bytes": 0 },
        })
    }

    fn checked(state: Value) -> Result<(), StageError> {
        let run = RunKey {
            source: "lake".to_owned(),
            backup_date: date(2026, 3, 31),
            execution_arn: "arn".to_owned(),
            execution_name: "night".to_owned(),
            restore: None,
        };
        let input: Input = serde_json::from_value(state).unwrap();
        check(&run, &input, &objects(&input))
    }

    #[test]
    fn counts_that_agree_close_a_run_with_a_plan_and_without() {
        assert_eq!(checked(state()), Ok(()));
        let mut empty = state();
        empty["manifest"]["plan"] = Value::Null;
        empty["manifest"]["objects"] = json!(0);
        for absent in ["report", "large"] {
            empty[absent] = Value::Null;
        }
        for none in ["objects", "planned", "unexpected"] {
            empty["snapshot"][none] = json!(0);
        }
        assert_eq!(checked(empty), Ok(()));
    }

    #[rstest]
    #[case::object_without_an_end("/manifest/objects", 21, "are not the 21 of the inventory")]
    #[case::object_with_two_ends("/report/vanished_in_all", 2, "are not the 20 of the inventory")]
    #[case::skipped_twice("/manifest/plan/decisions/unsupported/rows", 2, "3 skipped")]
    #[case::copied_too_often("/large/copied", 3, "14 objects were looked for in the snapshot bucket, 15 were copied")]
    #[case::missing("/snapshot/missing", 1, "1 objects are missing")]
    #[case::more_in_the_bucket("/snapshot/objects", 16, "the snapshot bucket has 16 objects")]
    #[case::outstanding("/report/outstanding", 0, "7 rows of completion reports are outstanding")]
    #[case::sums_beyond_all_bounds("/report/copied_in_all", u64::MAX, "of the inventory")]
    fn counts_that_contradict_each_other_close_nothing(#[case] at: &str, #[case] count: u64, #[case] told: &str) {
        let mut state = state();
        match at.strip_prefix("/report/outstanding") {
            Some(_) => state["report"]["outstanding"] = json!({ "denied": 7 }),
            None => *state.pointer_mut(at).unwrap() = json!(count),
        }
        let error = checked(state).unwrap_err();
        assert_eq!(error.name, RECEIPT_DOES_NOT_ADD_UP);
        for part in [told, "start a new execution", "runs/lake/2026-03-31/night/"] {
            assert!(error.cause.contains(part), "{part:?} is not in: {}", error.cause);
        }
    }
}
