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
