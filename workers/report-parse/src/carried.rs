//! The records of attempts, and what one takes over from those before it.

use levee_ledger::{
    Ledger, RunKey,
    state::{ObjectPointer, Report, ReportNext, SnapshotCheck, SnapshotNext},
};
use levee_stage::StageError;
use serde::{Deserialize, Serialize};

/// The ledger's record of an attempt after which nothing was left to retry and rows were outstanding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incomplete {
    pub(crate) report: Report,
    pub(crate) cause: String,
    /// The execution's redrive count when that was found: a higher one asks for the rows again.
    pub(crate) redrive_count: u32,
}

/// What earlier attempts have left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Which retry this attempt is.
    pub(crate) retries: u8,
    pub(crate) copied: u64,
    pub(crate) vanished: u64,
    pub(crate) vanished_list: Option<ObjectPointer>,
    /// Rows that are outstanding and not in this attempt's job.
    pub(crate) outstanding: u64,
    pub(crate) failure_list: Option<ObjectPointer>,
}

impl Carried {
    /// What the attempts before `attempt` have left: the record of the last one with a report has it all, but for what was
    /// missing in the `snapshot` bucket since. An attempt whose job failed has none.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn before(
        ledger: &Ledger,
        run: &RunKey,
        attempt: u32,
        snapshot: Option<&SnapshotCheck>,
    ) -> Result<Self, StageError> {
        for earlier in (1..attempt).rev() {
            if let Some(report) = ledger.read::<Report>(&record(run, earlier)).await? {
                return Ok(Self::after(report.value).without(snapshot, attempt, earlier));
            }
            if let Some(found) = ledger.read::<Incomplete>(&incomplete_record(run, earlier)).await? {
                return Ok(Self::after(found.value.report).without(snapshot, attempt, earlier));
            }
        }
        Ok(Self::default())
    }

    /// What was copied up to the attempt `earlier`, less the copies that were missing in the snapshot bucket after it: this
    /// attempt, or one since, makes them again.
    fn without(self, snapshot: Option<&SnapshotCheck>, attempt: u32, earlier: u32) -> Self {
        let again = snapshot.filter(|snapshot| {
            snapshot.next == SnapshotNext::Retry
                && snapshot.next_attempt.is_some_and(|next| earlier < next && next <= attempt)
        });
        let rows = again.and_then(|snapshot| snapshot.retry_manifest.as_ref()).map_or(0, |manifest| manifest.rows);
        Self { copied: self.copied.saturating_sub(rows), ..self }
    }

    fn after(report: Report) -> Self {
        let outstanding = report.outstanding_rows();
        let left = Self {
            copied: report.copied_in_all,
            vanished: report.vanished_in_all,
            vanished_list: report.vanished_list,
            ..Self::default()
        };
        match report.next {
            ReportNext::RetryLater => Self {
                retries: report.retries.saturating_add(1),
                outstanding,
                failure_list: report.failure_list,
                ..left
            },
            // After a redrive the outstanding rows are those of the job.
            ReportNext::Retry | ReportNext::Done => left,
        }
    }
}

/// What the names of an attempt's records begin with.
pub(crate) fn stem(run: &RunKey, attempt: u32) -> String {
    run.record(&format!("05-report-parse-attempt-{attempt}"))
}

/// The record of an attempt after which the state machine goes on.
pub(crate) fn record(run: &RunKey, attempt: u32) -> String {
    format!("{}.json", stem(run, attempt))
}

/// The record of an attempt that left rows outstanding.
pub(crate) fn incomplete_record(run: &RunKey, attempt: u32) -> String {
    format!("{}-incomplete.json", stem(run, attempt))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use levee_ledger::state::FailureClass;

    use super::*;

    fn pointer(key: &str) -> ObjectPointer {
        ObjectPointer { bucket: "ledger".into(), key: key.into(), etag: "e".into(), version_id: None }
    }

    fn report(next: ReportNext) -> Report {
        Report {
            attempt: 2,
            rows: 9,
            succeeded: 3,
            failed: 6,
            failed_by_class: BTreeMap::new(),
            copied_in_all: 40,
            vanished_in_all: 2,
            vanished_list: Some(pointer("vanished")),
            outstanding: BTreeMap::from([(FailureClass::Denied, 4), (FailureClass::Key, 1)]),
            failure_list: Some(pointer("failures")),
            retries: 1,
            next,
            wait_seconds: None,
            next_attempt: Some(3),
            retry_manifest: None,
        }
    }

    #[test]
    fn retry_takes_the_outstanding_rows_over_and_counts_up() {
        let carried = Carried::after(report(ReportNext::RetryLater));
        assert_eq!((carried.retries, carried.copied, carried.vanished, carried.outstanding), (2, 40, 2, 5));
        assert_eq!(carried.failure_list, Some(pointer("failures")));
        assert_eq!(carried.vanished_list, Some(pointer("vanished")));
    }

    #[test]
    fn redrive_has_the_outstanding_rows_in_its_job_and_its_retries_afresh() {
        let carried = Carried::after(report(ReportNext::Retry));
        assert_eq!((carried.retries, carried.copied, carried.vanished, carried.outstanding), (0, 40, 2, 0));
        assert_eq!(carried.failure_list, None);
        assert_eq!(carried.vanished_list, Some(pointer("vanished")));
    }
}
