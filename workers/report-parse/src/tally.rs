//! What the rows of a report add up to, and whether the numbers agree.

use levee_formats::{
    KeySum,
    report::{ResultFile, ResultTotals},
};
use levee_ledger::state::{Copy, Job, Report};

/// Unreadable rows that a cause names; all are counted.
const NAMED: usize = 10;

/// The sum over all result files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows of tasks that succeeded.
    pub succeeded: u64,
    /// Rows of tasks that failed.
    pub failed: u64,
    /// Rows that cannot be read.
    pub unreadable: u64,
    /// Rows of another bucket than the source.
    pub strangers: u64,
    /// The first rows that cannot be read, and why.
    pub first_unreadable: Vec<String>,
    /// The keys of all rows of the source.
    pub keys: KeySum,
}

impl Tally {
    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.succeeded + self.failed + self.unreadable
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

    /// Adds the next file.
    pub(crate) fn merge(&mut self, file: Self) {
        self.succeeded += file.succeeded;
        self.failed += file.failed;
        self.unreadable += file.unreadable;
        self.strangers += file.strangers;
        self.keys.merge(file.keys);
        let room = NAMED.saturating_sub(self.first_unreadable.len());
        self.first_unreadable.extend(file.first_unreadable.into_iter().take(room));
    }
}

/// Whether a file is what the report's manifest says.
pub(crate) fn check_file(file: &ResultFile, md5: &str) -> Result<(), String> {
    if md5 == file.md5 {
        return Ok(());
    }
    Err(format!("the MD5 of s3://{}/{} is {}, the report's manifest says {}", file.bucket, file.key, md5, file.md5))
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
    if let Some(keys) = job.manifest.keys.filter(|keys| problems.is_empty() && *keys != tally.keys) {
        problems.push(format!(
            "it has as many rows as the manifest, but not for the same objects: a row is there twice, or is of an object that the job was \
             not given, while another one is missing (the keys sum up to {} instead of {keys})",
            tally.keys
        ));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// Whether every object that copy jobs were given has come to one end over all attempts so far, `to_retry` rows being still on their way:
/// what an attempt was given is only known to be what was missing if the sum is right.
///
/// # Errors
/// The sum and the count, when they differ.
pub(crate) fn reconcile_all(report: &Report, to_retry: u64, objects: u64) -> Result<(), String> {
    let (copied, vanished, outstanding) = (report.copied_in_all, report.vanished_in_all, report.outstanding_rows());
    let sum = [copied, vanished, outstanding, to_retry].into_iter().fold(0_u64, u64::saturating_add);
    if sum == objects {
        return Ok(());
    }
    Err(format!(
        "over all attempts {sum} objects are accounted for ({copied} copied, {vanished} vanished, {outstanding} outstanding, \
         {to_retry} to be retried), the copy jobs were given {objects}"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use levee_ledger::state::{CopyNext, FailureClass, JobManifest, JobManifestKind, ObjectPointer, ReportNext};
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
        let manifest = JobManifest { kind: JobManifestKind::Inventory, pointer, rows, keys: None };
        Job { attempt: 1, id: Some("id".into()), manifest, report_bucket: "r".into(), report_prefix: "p".into() }
    }

    fn tally(succeeded: u64, failed: u64, unreadable: u64, strangers: u64) -> Tally {
        Tally { succeeded, failed, unreadable, strangers, ..Tally::default() }
    }

    fn report(copied_in_all: u64, vanished_in_all: u64, outstanding: BTreeMap<FailureClass, u64>) -> Report {
        Report {
            attempt: 2,
            rows: 12,
            succeeded: 5,
            failed: 7,
            failed_by_class: BTreeMap::new(),
            copied_in_all,
            vanished_in_all,
            vanished_list: None,
            outstanding,
            failure_list: None,
            retries: 0,
            next: ReportNext::Done,
            wait_seconds: None,
            next_attempt: None,
            retry_manifest: None,
        }
    }

    #[test]
    fn numbers_that_agree_reconcile() {
        assert_eq!(reconcile(&tally(5, 2, 0, 0), &copy(7, 5, 2), &job(7)), Ok(()));
    }

    #[rstest]
    #[case::same_in_another_order(Some(&["a", "b"][..]), &["b", "a"], true)]
    #[case::one_twice_and_one_missing(Some(&["a", "b"][..]), &["a", "a"], false)]
    #[case::of_another_object(Some(&["a", "b"][..]), &["a", "c"], false)]
    #[case::not_summed_up(None, &["a", "c"], true)]
    fn rows_are_those_of_the_manifest(#[case] given: Option<&[&str]>, #[case] reported: &[&str], #[case] agrees: bool) {
        let mut job = job(7);
        job.manifest.keys = given.map(|keys| keys.iter().copied().collect());
        let tally = Tally { keys: reported.iter().copied().collect(), ..tally(5, 2, 0, 0) };
        let result = reconcile(&tally, &copy(7, 5, 2), &job);
        assert_eq!(result.is_ok(), agrees, "{result:?}");
        assert!(result.err().is_none_or(|problem| problem.contains("not for the same objects")));
    }

    #[rstest]
    #[case::all_copied(12, 0, 0, 0, true)]
    #[case::some_vanished(9, 3, 0, 0, true)]
    #[case::some_outstanding(7, 2, 3, 0, true)]
    #[case::some_retried(5, 2, 3, 2, true)]
    #[case::retry_of_too_few(11, 0, 0, 0, false)]
    #[case::retry_of_too_many(13, 0, 0, 0, false)]
    #[case::vanished_and_copied(12, 1, 0, 0, false)]
    #[case::outstanding_row_lost(9, 0, 2, 0, false)]
    #[case::row_to_retry_lost(9, 0, 0, 2, false)]
    fn attempts_must_add_up_to_what_was_to_be_copied(
        #[case] copied: u64,
        #[case] vanished: u64,
        #[case] outstanding: u64,
        #[case] to_retry: u64,
        #[case] agrees: bool,
    ) {
        let outstanding = BTreeMap::from([(FailureClass::Denied, outstanding)]);
        let result = reconcile_all(&report(copied, vanished, outstanding), to_retry, 12);
        assert_eq!(result.is_ok(), agrees, "{result:?}");
        if let Err(problem) = result {
            assert!(problem.contains(&format!("{copied} copied")) && problem.contains("given 12"), "{problem}");
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
