//! Which attempt comes next, and what it copies.

use levee_ledger::state::{Copy, CopyNext, Job, JobManifest, JobManifestKind, Manifest, Report, ReportNext};
use levee_stage::StageError;

/// An attempt to submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// 1 for the first job of a run.
    pub number: u32,
    /// What it copies.
    pub manifest: JobManifest,
}

/// The attempt that the state asks for.
///
/// Results of earlier turns stay in the state, so that only an answer that points beyond the last job counts: failed rows
/// to copy again, by themselves or after a redrive, else a job to make again, else the inventory itself as attempt 1.
///
/// # Errors
/// The state asks for a retry without saying of what.
pub fn choose(
    manifest: &Manifest,
    job: Option<&Job>,
    copy: Option<&Copy>,
    report: Option<&Report>,
) -> Result<Attempt, StageError> {
    let last = job.map_or(0, |job| job.attempt);
    if let Some(report) = report.filter(|report| report.next != ReportNext::Done)
        && let Some(number) = report.next_attempt.filter(|next| *next > last)
    {
        let Some(manifest) = report.retry_manifest.clone() else {
            let cause = "$.report asks for a retry but has no `retry_manifest`; start a new execution for the date";
            return Err(StageError::permanent(StageError::INPUT_INVALID, cause));
        };
        return Ok(Attempt { number, manifest });
    }
    if let (Some(job), Some(copy)) = (job, copy.filter(|copy| copy.next == CopyNext::Resubmit))
        && let Some(number) = copy.next_attempt.filter(|next| *next > last)
    {
        return Ok(Attempt { number, manifest: job.manifest.clone() });
    }
    match job {
        None => Ok(Attempt { number: 1, manifest: whole_inventory(manifest) }),
        // Nothing points beyond the last job: the same attempt once more, which finds the same job.
        Some(job) => Ok(Attempt { number: job.attempt, manifest: job.manifest.clone() }),
    }
}

fn whole_inventory(manifest: &Manifest) -> JobManifest {
    JobManifest { kind: JobManifestKind::Inventory, pointer: manifest.pointer.clone(), rows: manifest.objects }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use jiff::{Timestamp, civil::date};
    use levee_ledger::state::ObjectPointer;
    use rstest::rstest;

    use super::*;

    fn pointer(key: &str) -> ObjectPointer {
        ObjectPointer { bucket: "manifests".into(), key: key.into(), etag: "e".into(), version_id: None }
    }

    fn manifest() -> Manifest {
        Manifest {
            backup_date: date(2026, 3, 31),
            pointer: pointer("inventory/manifest.json"),
            scan_started: Timestamp::UNIX_EPOCH,
            schema: vec!["Bucket".into(), "Key".into()],
            files: 1,
            objects: 7,
            bytes: None,
            too_large: None,
            archived: None,
            plan: None,
        }
    }

    fn rows(key: &str, rows: u64) -> JobManifest {
        JobManifest { kind: JobManifestKind::Csv, pointer: pointer(key), rows }
    }

    fn job(attempt: u32, manifest: JobManifest) -> Job {
        Job { attempt, id: Some("id".into()), manifest, report_bucket: "reports".into(), report_prefix: "p".into() }
    }

    fn copy(attempt: u32, next: CopyNext, next_attempt: Option<u32>) -> Copy {
        Copy {
            attempt,
            job_id: "id".into(),
            status: "Failed".into(),
            tasks: 7,
            succeeded: 0,
            failed: 7,
            next,
            next_attempt,
        }
    }

    fn report(next: ReportNext, next_attempt: u32, retry_manifest: Option<JobManifest>) -> Report {
        Report {
            attempt: next_attempt - 1,
            rows: 7,
            succeeded: 5,
            failed: 2,
            failed_by_class: BTreeMap::new(),
            copied_in_all: 5,
            vanished_in_all: 0,
            vanished_list: None,
            outstanding: BTreeMap::new(),
            failure_list: None,
            retries: 0,
            next,
            wait_seconds: None,
            next_attempt: Some(next_attempt),
            retry_manifest,
        }
    }

    #[test]
    fn first_attempt_copies_the_inventory() {
        let attempt = choose(&manifest(), None, None, None).unwrap();
        assert_eq!(attempt.number, 1);
        assert_eq!(attempt.manifest.kind, JobManifestKind::Inventory);
        assert_eq!(attempt.manifest.rows, 7);
    }

    #[test]
    fn failed_job_is_made_again_with_its_own_manifest() {
        let job = job(1, rows("first.csv", 7));
        let attempt = choose(&manifest(), Some(&job), Some(&copy(1, CopyNext::Resubmit, Some(2))), None).unwrap();
        assert_eq!(attempt, Attempt { number: 2, manifest: rows("first.csv", 7) });
    }

    #[rstest]
    #[case::by_themselves(ReportNext::RetryLater)]
    #[case::after_a_redrive(ReportNext::Retry)]
    fn failed_rows_are_submitted_as_the_next_attempt(#[case] next: ReportNext) {
        let job = job(1, rows("first.csv", 7));
        let report = report(next, 2, Some(rows("retry.csv", 2)));
        let attempt = choose(&manifest(), Some(&job), Some(&copy(1, CopyNext::Report, None)), Some(&report)).unwrap();
        assert_eq!(attempt, Attempt { number: 2, manifest: rows("retry.csv", 2) });
    }

    #[test]
    fn job_that_failed_after_a_retry_is_made_again_with_the_rows_of_the_retry() {
        let job = job(2, rows("retry.csv", 2));
        let old_report = report(ReportNext::RetryLater, 2, Some(rows("retry.csv", 2)));
        let copy = copy(2, CopyNext::Resubmit, Some(3));
        let attempt = choose(&manifest(), Some(&job), Some(&copy), Some(&old_report)).unwrap();
        assert_eq!(attempt, Attempt { number: 3, manifest: rows("retry.csv", 2) });
    }

    #[test]
    fn old_answers_do_not_make_another_attempt() {
        let job = job(2, rows("first.csv", 7));
        let old_copy = copy(1, CopyNext::Resubmit, Some(2));
        let attempt = choose(&manifest(), Some(&job), Some(&old_copy), None).unwrap();
        assert_eq!(attempt.number, 2);
    }

    #[test]
    fn retry_without_rows_is_refused() {
        let job = job(1, rows("first.csv", 7));
        let error = choose(&manifest(), Some(&job), None, Some(&report(ReportNext::Retry, 2, None))).unwrap_err();
        assert_eq!(error.name, StageError::INPUT_INVALID);
    }
}
