//! What the state of a copy job means, and how long to wait before the next look.

use std::time::Duration;

use aws_sdk_s3control::types::{JobDescriptor, JobStatus};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// AWS asks not to look at a job more often.
const SHORTEST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// The wait before the next look, after `waits` earlier ones: from 30 seconds by halves to 5 minutes.
#[must_use]
pub fn wait_after(waits: u32) -> Duration {
    let steps = i32::try_from(waits.min(16)).unwrap_or(16);
    SHORTEST_WAIT.mul_f64(1.5_f64.powi(steps)).min(LONGEST_WAIT)
}

/// What to do about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Running,
    /// Every task was tried; says nothing about their success.
    Complete(Tally),
    /// It ended without trying every task.
    Ended {
        /// `Failed` or `Cancelled`.
        status: String,
        /// AWS's reasons, for people.
        reasons: String,
    },
}

/// A job's own count of its tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Tasks in all.
    pub tasks: u64,
    /// Tasks that succeeded.
    pub succeeded: u64,
    /// Tasks that failed.
    pub failed: u64,
}

impl Tally {
    /// The job's count; nothing where it gives none or only a part, which means unknown and not zero.
    #[must_use]
    pub fn of(job: &JobDescriptor) -> Option<Self> {
        let summary = job.progress_summary()?;
        let count = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        Some(Self {
            tasks: count(summary.total_number_of_tasks())?,
            succeeded: count(summary.number_of_tasks_succeeded())?,
            failed: count(summary.number_of_tasks_failed())?,
        })
    }
}

/// Judges a job. Only `Complete`, `Failed` and `Cancelled` are ends; a status that is not known here is not one. A
/// `Complete` job without a count is looked at again, because the count is needed to reconcile the report.
#[must_use]
pub fn judge(job: &JobDescriptor) -> Verdict {
    match (job.status(), Tally::of(job)) {
        (Some(JobStatus::Complete), Some(tally)) => Verdict::Complete(tally),
        (Some(status @ (JobStatus::Failed | JobStatus::Cancelled)), _) => {
            Verdict::Ended { status: status.as_str().to_owned(), reasons: reasons(job) }
        }
        _ => Verdict::Running,
    }
}

fn reasons(job: &JobDescriptor) -> String {
    let failures = job.failure_reasons().iter().map(|failure| {
        format!("{}: {}", failure.failure_code().unwrap_or("no code"), failure.failure_reason().unwrap_or("no reason"))
    });
    let all: Vec<String> = failures.chain(job.status_update_reason().map(str::to_owned)).collect();
    if all.is_empty() { "AWS gives no reason".to_owned() } else { all.join("; ") }
}

/// What was last seen of a job, and since when it looks like that: the memo between two looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The job's status.
    pub status: String,
    /// Its count, where it gives one.
    pub tally: Option<Tally>,
    /// Since when both are as they are.
    pub since: Timestamp,
}

impl Seen {
    /// What is seen now: the earlier `since` is kept while nothing changes.
    #[must_use]
    pub fn now(job: &JobDescriptor, now: Timestamp, earlier: Option<Self>) -> Self {
        let status = job.status().map_or("unknown", JobStatus::as_str).to_owned();
        let tally = Tally::of(job);
        match earlier {
            Some(earlier) if earlier.status == status && earlier.tally == tally => earlier,
            _ => Self { status, tally, since: now },
        }
    }

    /// Whether the job has stood still for `limit`.
    #[must_use]
    pub fn stalled(&self, now: Timestamp, limit: SignedDuration) -> bool {
        now.duration_since(self.since) >= limit
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_sdk_s3control::types::{JobFailure, JobProgressSummary};
    use rstest::rstest;

    use super::*;

    fn job(status: &str, tally: Option<(i64, i64, i64)>) -> JobDescriptor {
        let summary = tally.map(|(tasks, succeeded, failed)| {
            JobProgressSummary::builder()
                .total_number_of_tasks(tasks)
                .number_of_tasks_succeeded(succeeded)
                .number_of_tasks_failed(failed)
                .build()
        });
        JobDescriptor::builder().status(JobStatus::from(status)).set_progress_summary(summary).build()
    }

    #[rstest]
    #[case("Active")]
    #[case("Cancelling")]
    #[case("Completing")]
    #[case("Failing")]
    #[case("New")]
    #[case("Paused")]
    #[case("Pausing")]
    #[case("Preparing")]
    #[case("Ready")]
    #[case("Suspended")]
    #[case("AStatusOfNextYear")]
    fn job_goes_on_in_every_status_that_is_no_end(#[case] status: &str) {
        assert_eq!(judge(&job(status, Some((3, 3, 0)))), Verdict::Running);
    }

    #[test]
    fn complete_job_gives_its_count_and_without_one_is_looked_at_again() {
        let tally = Tally { tasks: 5, succeeded: 3, failed: 2 };
        assert_eq!(judge(&job("Complete", Some((5, 3, 2)))), Verdict::Complete(tally));
        assert_eq!(judge(&job("Complete", None)), Verdict::Running);
    }

    #[rstest]
    #[case("Failed")]
    #[case("Cancelled")]
    fn ended_job_gives_the_reasons(#[case] status: &str) {
        let failure = JobFailure::builder().failure_code("InvalidManifestContent").failure_reason("bad ETag").build();
        let mut job = job(status, None);
        job.failure_reasons = Some(vec![failure]);
        let reasons = "InvalidManifestContent: bad ETag".to_owned();
        assert_eq!(judge(&job), Verdict::Ended { status: status.to_owned(), reasons });
    }

    #[test]
    fn waits_grow_from_30_seconds_to_5_minutes() {
        let waits: Vec<u64> = [0, 1, 2, 3, 4, 5, 6, 7, 1000].map(|n| wait_after(n).as_secs()).to_vec();
        assert_eq!(waits, [30, 45, 67, 101, 151, 227, 300, 300, 300]);
    }

    #[test]
    fn job_stalls_when_nothing_moves_for_the_limit_and_progress_starts_it_anew() {
        let start: Timestamp = "2026-04-02T00:00:00Z".parse().unwrap();
        let hours = |hours| start.checked_add(SignedDuration::from_hours(hours)).unwrap();
        let limit = SignedDuration::from_hours(6);
        let seen = Seen::now(&job("Active", Some((9, 1, 0))), start, None);
        let same = Seen::now(&job("Active", Some((9, 1, 0))), hours(5), Some(seen));
        assert_eq!(same.since, start);
        assert!(!same.stalled(hours(5), limit));
        assert!(same.stalled(hours(6), limit));
        let moved = Seen::now(&job("Active", Some((9, 2, 0))), hours(6), Some(same));
        assert!(!moved.stalled(hours(6), limit));
    }
}
