//! What the rows of a report add up to, and whether the numbers agree.

use std::collections::BTreeMap;

use levee_formats::report::{ResultFile, ResultTotals};
use levee_ledger::state::{Copy, FailureClass, Job};

/// Failed keys and unreadable rows that a cause names; all are counted.
const NAMED: usize = 10;

/// The sum over all result files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) unreadable: u64,
    pub(crate) strangers: u64,
    pub(crate) by_class: BTreeMap<FailureClass, u64>,
    pub(crate) first_failed: Vec<String>,
    pub(crate) first_unreadable: Vec<String>,
}

impl Tally {
    pub(crate) fn rows(&self) -> u64 {
        self.succeeded + self.failed + self.unreadable
    }

    pub(crate) fn failed_row(&mut self, key: &str, class: FailureClass) {
        *self.by_class.entry(class).or_default() += 1;
        if self.first_failed.len() < NAMED {
            self.first_failed.push(format!("{key:?} ({})", class_name(class)));
        }
    }

    pub(crate) fn unreadable_row(&mut self, problem: String) {
        if self.first_unreadable.len() < NAMED {
            self.first_unreadable.push(problem);
        }
    }

    pub(crate) fn file(&mut self, totals: &ResultTotals) {
        self.succeeded += totals.succeeded;
        self.failed += totals.failed;
        self.unreadable += totals.unreadable;
    }

    /// The classes and their counts, for people.
    pub(crate) fn classes(&self) -> String {
        let classes = self.by_class.iter().map(|(class, count)| format!("{count} {}", class_name(*class)));
        classes.collect::<Vec<_>>().join(", ")
    }
}

/// The class in an operator's words; the same as in the ledger.
pub(crate) const fn class_name(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Vanished => "vanished",
        FailureClass::TooLarge => "too_large",
        FailureClass::Archived => "archived",
        FailureClass::Denied => "denied",
        FailureClass::Key => "key",
        FailureClass::Throttled => "throttled",
        FailureClass::Changed => "changed",
        FailureClass::Other => "other",
    }
}

/// Whether a file is what the report's manifest says.
pub(crate) fn check_file(file: &ResultFile, totals: &ResultTotals) -> Result<(), String> {
    if totals.md5 == file.md5 {
        return Ok(());
    }
    Err(format!(
        "the MD5 of s3://{}/{} is {}, the report's manifest says {}",
        file.bucket, file.key, totals.md5, file.md5
    ))
}

/// Whether the report, the job's own count and the manifest agree.
///
/// # Errors
/// Everything that does not agree, with its numbers.
pub(crate) fn reconcile(tally: &Tally, copy: &Copy, job: &Job) -> Result<(), String> {
    let mut problems = Vec::new();
    let rows = tally.rows();
    if rows != copy.tasks || rows != job.manifest.rows || copy.succeeded.saturating_add(copy.failed) != copy.tasks {
        problems.push(format!(
            "the report has {rows} rows, the job counts {} tasks ({} succeeded, {} failed), the manifest has {} rows",
            copy.tasks, copy.succeeded, copy.failed, job.manifest.rows
        ));
    }
    if tally.succeeded != copy.succeeded || tally.failed != copy.failed {
        problems.push(format!(
            "the report has {} rows that succeeded and {} that failed, the job counts {} and {}",
            tally.succeeded, tally.failed, copy.succeeded, copy.failed
        ));
    }
    if tally.unreadable > 0 {
        let first = tally.first_unreadable.join(" | ");
        problems.push(format!("{} rows cannot be read, the first ones: {first}", tally.unreadable));
    }
    if tally.strangers > 0 {
        problems.push(format!("{} rows are of another bucket than the source", tally.strangers));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// Whether the objects that all attempts have copied are the objects of the inventory. For the attempt after which no row is
/// left: what it was given is only known to be what was missing if the sum is right.
///
/// # Errors
/// The sum and the count, when they differ.
pub(crate) fn reconcile_all(copied_in_all: u64, objects: u64) -> Result<(), String> {
    if copied_in_all == objects {
        return Ok(());
    }
    Err(format!("over all attempts {copied_in_all} objects were copied, the inventory has {objects}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use levee_ledger::state::{CopyNext, JobManifest, JobManifestKind, ObjectPointer};
    use rstest::rstest;

    use super::*;

    fn copy(tasks: u64, succeeded: u64, failed: u64) -> Copy {
        let next = CopyNext::Report;
        Copy {
            attempt: 1,
            job_id: "id".into(),
            status: "Complete".into(),
            tasks,
            succeeded,
            failed,
            next,
            next_attempt: None,
        }
    }

    fn job(rows: u64) -> Job {
        let pointer = ObjectPointer { bucket: "b".into(), key: "k".into(), etag: "e".into(), version_id: None };
        let manifest = JobManifest { kind: JobManifestKind::Inventory, pointer, rows };
        Job { attempt: 1, id: Some("id".into()), manifest, report_bucket: "r".into(), report_prefix: "p".into() }
    }

    fn tally(succeeded: u64, failed: u64, unreadable: u64, strangers: u64) -> Tally {
        Tally { succeeded, failed, unreadable, strangers, ..Tally::default() }
    }

    #[test]
    fn numbers_that_agree_reconcile() {
        assert_eq!(reconcile(&tally(5, 2, 0, 0), &copy(7, 5, 2), &job(7)), Ok(()));
    }

    #[rstest]
    #[case::retry_of_too_few(11, 12, false)]
    #[case::retry_of_too_many(13, 12, false)]
    #[case::all(12, 12, true)]
    fn attempts_must_add_up_to_the_inventory(#[case] copied: u64, #[case] objects: u64, #[case] agrees: bool) {
        let result = reconcile_all(copied, objects);
        assert_eq!(result.is_ok(), agrees, "{result:?}");
        if let Err(problem) = result {
            assert!(problem.contains(&copied.to_string()) && problem.contains(&objects.to_string()), "{problem}");
        }
    }

    #[rstest]
    #[case::row_missing_in_the_report(tally(4, 2, 0, 0), copy(7, 5, 2), job(7), "6 rows")]
    #[case::row_missing_in_the_job(tally(5, 2, 0, 0), copy(7, 5, 2), job(8), "has 8 rows")]
    #[case::job_counts_less(tally(5, 2, 0, 0), copy(6, 4, 2), job(7), "6 tasks")]
    #[case::job_does_not_add_up(tally(5, 2, 0, 0), copy(7, 5, 1), job(7), "1 failed")]
    #[case::failed_rows_taken_for_succeeded(tally(7, 0, 0, 0), copy(7, 5, 2), job(7), "7 rows that succeeded")]
    #[case::unreadable_row(tally(5, 1, 1, 0), copy(7, 5, 2), job(7), "1 rows cannot be read")]
    #[case::row_of_another_bucket(tally(5, 2, 0, 1), copy(7, 5, 2), job(7), "another bucket")]
    fn numbers_that_disagree_are_told(#[case] tally: Tally, #[case] copy: Copy, #[case] job: Job, #[case] told: &str) {
        let problem = reconcile(&tally, &copy, &job).unwrap_err();
        assert!(problem.contains(told), "{problem}");
    }
}
