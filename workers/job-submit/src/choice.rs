//! Which attempt comes next, and what it copies.

use levee_ledger::state::{
    Copy, CopyNext, Job, JobManifest, JobManifestKind, Manifest, Report, ReportNext, SnapshotCheck, SnapshotNext, Thaw,
};
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
/// to copy again, by themselves or after a redrive, else a job to make again, else archived objects that can be read now, else
/// copies that were missing in the snapshot bucket, else as attempt 1 what the plan has for a copy job, which is the inventory itself where there is no plan.
///
/// # Errors
/// The state asks for a retry without saying of what.
pub fn choose(
    manifest: &Manifest,
    job: Option<&Job>,
    copy: Option<&Copy>,
    report: Option<&Report>,
    thaw: Option<&Thaw>,
    snapshot: Option<&SnapshotCheck>,
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
    if let Some(thaw) = thaw.filter(|thaw| thaw.next_attempt > last) {
        let rows = thaw.copy.clone().unwrap_or_else(|| inventory(manifest, 0));
        return Ok(Attempt { number: thaw.next_attempt, manifest: rows });
    }
    if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.next == SnapshotNext::Retry)
        && let Some(number) = snapshot.next_attempt.filter(|next| *next > last)
    {
        let Some(manifest) = snapshot.retry_manifest.clone() else {
            let cause = "$.snapshot asks for a retry but has no `retry_manifest`; start a new execution for the date";
            return Err(StageError::permanent(StageError::INPUT_INVALID, cause));
        };
        return Ok(Attempt { number, manifest });
    }
    match job {
        None => Ok(Attempt { number: 1, manifest: first(manifest) }),
        // Nothing points beyond the last job: the same attempt once more, which finds the same job.
        Some(job) => Ok(Attempt { number: job.attempt, manifest: job.manifest.clone() }),
    }
}

/// What the first attempt copies.
fn first(manifest: &Manifest) -> JobManifest {
    match &manifest.plan {
        None => inventory(manifest, manifest.objects),
        Some(plan) => plan.batch.clone().unwrap_or_else(|| inventory(manifest, 0)),
    }
}

/// The inventory itself; with 0 rows, for which no job is made, it stands for nothing.
fn inventory(manifest: &Manifest, rows: u64) -> JobManifest {
    JobManifest {
        kind: JobManifestKind::Inventory,
        pointer: manifest.pointer.clone(),
        rows,
        keys: manifest.keys.filter(|_| rows > 0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use jiff::{Timestamp, civil::date};
    use levee_ledger::state::{ObjectPointer, Plan};
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
            keys: None,
            plan: None,
        }
    }

    fn rows(key: &str, rows: u64) -> JobManifest {
        JobManifest { kind: JobManifestKind::Csv, pointer: pointer(key), rows, keys: None }
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
        let attempt = choose(&manifest(), None, None, None, None, None).unwrap();
        assert_eq!(attempt.number, 1);
        assert_eq!(attempt.manifest.kind, JobManifestKind::Inventory);
        assert_eq!(attempt.manifest.rows, 7);
    }

    #[test]
    fn failed_job_is_made_again_with_its_own_manifest() {
        let job = job(1, rows("first.csv", 7));
        let attempt =
            choose(&manifest(), Some(&job), Some(&copy(1, CopyNext::Resubmit, Some(2))), None, None, None).unwrap();
        assert_eq!(attempt, Attempt { number: 2, manifest: rows("first.csv", 7) });
    }

    #[rstest]
    #[case::by_themselves(ReportNext::RetryLater)]
    #[case::after_a_redrive(ReportNext::Retry)]
    fn failed_rows_are_submitted_as_the_next_attempt(#[case] next: ReportNext) {
        let job = job(1, rows("first.csv", 7));
        let report = report(next, 2, Some(rows("retry.csv", 2)));
        let attempt =
            choose(&manifest(), Some(&job), Some(&copy(1, CopyNext::Report, None)), Some(&report), None, None).unwrap();
        assert_eq!(attempt, Attempt { number: 2, manifest: rows("retry.csv", 2) });
    }

    #[test]
    fn job_that_failed_after_a_retry_is_made_again_with_the_rows_of_the_retry() {
        let job = job(2, rows("retry.csv", 2));
        let old_report = report(ReportNext::RetryLater, 2, Some(rows("retry.csv", 2)));
        let copy = copy(2, CopyNext::Resubmit, Some(3));
        let attempt = choose(&manifest(), Some(&job), Some(&copy), Some(&old_report), None, None).unwrap();
        assert_eq!(attempt, Attempt { number: 3, manifest: rows("retry.csv", 2) });
    }

    #[test]
    fn old_answers_do_not_make_another_attempt() {
        let job = job(2, rows("first.csv", 7));
        let old_copy = copy(1, CopyNext::Resubmit, Some(2));
        let attempt = choose(&manifest(), Some(&job), Some(&old_copy), None, None, None).unwrap();
        assert_eq!(attempt.number, 2);
    }

    fn planned(batch: Option<JobManifest>) -> Manifest {
        let plan = Plan {
            summary: pointer("summary.json"),
            decisions: BTreeMap::new(),
            batch,
            large: None,
            restore: None,
            skipped: None,
        };
        Manifest { plan: Some(plan), ..manifest() }
    }

    fn thaw(next_attempt: u32, copy: Option<JobManifest>) -> Thaw {
        Thaw { job_ids: vec!["restore".into()], rows: 3, failed: 0, next_attempt, copy }
    }

    #[rstest]
    #[case::rows_for_a_job(Some(rows("plan.json", 4)), rows("plan.json", 4))]
    #[case::nothing_for_a_job(None, inventory(&manifest(), 0))]
    fn first_attempt_copies_what_the_plan_has_for_a_job(
        #[case] batch: Option<JobManifest>,
        #[case] copied: JobManifest,
    ) {
        let attempt = choose(&planned(batch), None, None, None, None, None).unwrap();
        assert_eq!(attempt, Attempt { number: 1, manifest: copied });
    }

    #[rstest]
    #[case::after_the_first_attempt(1, 2, Some(rows("thawed.json", 3)), 2, rows("thawed.json", 3))]
    #[case::after_retries(3, 4, Some(rows("thawed.json", 3)), 4, rows("thawed.json", 3))]
    #[case::all_are_too_large(1, 2, None, 2, inventory(&manifest(), 0))]
    #[case::asked_for_again(2, 2, Some(rows("thawed.json", 3)), 2, rows("last.csv", 2))]
    #[case::long_ago(3, 2, Some(rows("thawed.json", 3)), 3, rows("last.csv", 2))]
    fn archived_objects_that_can_be_read_are_the_attempt_after_the_last(
        #[case] last: u32,
        #[case] next: u32,
        #[case] copy: Option<JobManifest>,
        #[case] number: u32,
        #[case] copied: JobManifest,
    ) {
        let (job, thaw) = (job(last, rows("last.csv", 2)), thaw(next, copy));
        let done = Report { next_attempt: None, ..report(ReportNext::Done, last + 1, None) };
        let attempt = choose(&planned(None), Some(&job), None, Some(&done), Some(&thaw), None).unwrap();
        assert_eq!(attempt, Attempt { number, manifest: copied });
    }

    #[test]
    fn archived_objects_are_attempt_2_where_the_plan_had_nothing_for_a_job() {
        let job = Job { id: None, ..job(1, inventory(&manifest(), 0)) };
        let thaw = thaw(2, Some(rows("thawed.json", 3)));
        let attempt = choose(&planned(None), Some(&job), None, None, Some(&thaw), None).unwrap();
        assert_eq!(attempt, Attempt { number: 2, manifest: rows("thawed.json", 3) });
    }

    #[rstest]
    #[case::failed_rows(
        Some(report(ReportNext::RetryLater, 3, Some(rows("retry.csv", 1)))),
        None,
        rows("retry.csv", 1)
    )]
    #[case::failed_job(None, Some(copy(2, CopyNext::Resubmit, Some(3))), rows("thawed.json", 3))]
    fn what_failed_of_the_archived_objects_goes_first(
        #[case] report: Option<Report>,
        #[case] copy: Option<Copy>,
        #[case] copied: JobManifest,
    ) {
        let (job, thaw) = (job(2, rows("thawed.json", 3)), thaw(2, Some(rows("thawed.json", 3))));
        let attempt = choose(&planned(None), Some(&job), copy.as_ref(), report.as_ref(), Some(&thaw), None).unwrap();
        assert_eq!(attempt, Attempt { number: 3, manifest: copied });
    }

    fn missing(next: SnapshotNext, next_attempt: u32) -> SnapshotCheck {
        SnapshotCheck {
            attempt: next_attempt - 1,
            objects: 5,
            bytes: 5,
            planned: 7,
            missing: 2,
            changed: 0,
            unexpected: 0,
            sizes_compared: true,
            findings: None,
            next,
            next_attempt: Some(next_attempt),
            retry_manifest: Some(rows("missing.csv", 2)),
        }
    }

    #[rstest]
    #[case::after_the_last(2, SnapshotNext::Retry, 3, rows("missing.csv", 2))]
    #[case::asked_for_again(3, SnapshotNext::Retry, 3, rows("last.csv", 2))]
    #[case::nothing_is_missing(2, SnapshotNext::Done, 2, rows("last.csv", 2))]
    fn copies_that_were_missing_in_the_bucket_are_the_attempt_after_the_last(
        #[case] last: u32,
        #[case] next: SnapshotNext,
        #[case] number: u32,
        #[case] copied: JobManifest,
    ) {
        let (job, done) = (job(last, rows("last.csv", 2)), report(ReportNext::Done, last + 1, None));
        let (thaw, snapshot) = (thaw(2, Some(rows("thawed.json", 3))), missing(next, 3));
        let attempt = choose(&planned(None), Some(&job), None, Some(&done), Some(&thaw), Some(&snapshot)).unwrap();
        assert_eq!(attempt, Attempt { number, manifest: copied });
    }

    #[test]
    fn retry_without_rows_is_refused() {
        let job = job(1, rows("first.csv", 7));
        let error =
            choose(&manifest(), Some(&job), None, Some(&report(ReportNext::Retry, 2, None)), None, None).unwrap_err();
        assert_eq!(error.name, StageError::INPUT_INVALID);
    }
}
