//! Planned faults of batch jobs, for tests and rehearsals.
//!
//! A plan is data: it can be kept in a JSON file, set before a run, and changed while jobs run. Every decision is taken
//! when the job comes to the point in question, with the plan that holds then.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Everything that is to go wrong with batch jobs. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobFaults {
    /// Tasks that fail, whatever the store would say. The first one that fits decides.
    pub rows: Vec<RowFault>,
    /// Jobs that go wrong as a whole. The first one that fits decides.
    pub jobs: Vec<JobFault>,
    /// Reports that are not what they should be. All that fit are done.
    pub reports: Vec<ReportFault>,
}

/// Tasks that fail by key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowFault {
    /// Which keys, decoded: `*` stands for any run of characters, `?` for one, all else for itself.
    pub keys: String,
    /// How they fail.
    pub class: RowClass,
    /// Only in the first so many jobs made since the plan was set; in every job when absent.
    #[serde(default)]
    pub first_jobs: Option<u64>,
}

/// How a task fails: the error that S3 gives in that situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowClass {
    /// 403 AccessDenied.
    Denied,
    /// 404 NoSuchKey: the object vanished between the inventory and the copy.
    Vanished,
    /// 400 InvalidRequest: larger than a copy allows.
    TooLarge,
    /// 403 InvalidObjectState: archived and not restored.
    Archived,
    /// 400 KMS.DisabledException: the key cannot be used.
    Kms,
    /// 503 SlowDown.
    Throttled,
    /// 500 InternalError.
    Internal,
    /// 200 with an error in the body: failed although the status says otherwise.
    ErrorWith200,
}

impl RowClass {
    /// HTTP status, error code and message of the row.
    pub(crate) fn error(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Denied => (403, "AccessDenied", "Access Denied"),
            Self::Vanished => (404, "NoSuchKey", "The specified key does not exist."),
            Self::TooLarge => (
                400,
                "InvalidRequest",
                "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
            ),
            Self::Archived => (403, "InvalidObjectState", "The operation is not valid for the object's storage class"),
            Self::Kms => (400, "KMS.DisabledException", "The KMS key that the object is encrypted with is disabled."),
            Self::Throttled => (503, "SlowDown", "Please reduce your request rate."),
            Self::Internal => (500, "InternalError", "We encountered an internal error. Please try again."),
            Self::ErrorWith200 => (200, "InternalError", "We encountered an internal error. Please try again."),
        }
    }
}

/// A job that goes wrong as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFault {
    /// What happens to it.
    pub kind: JobFaultKind,
    /// How many of its tasks run before that.
    #[serde(default)]
    pub after_tasks: u64,
    /// Only the first so many jobs made since the plan was set; every job when absent.
    #[serde(default)]
    pub first_jobs: Option<u64>,
}

/// What happens to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum JobFaultKind {
    /// It ends as `Failed` with this failure code and reason.
    Fails {
        /// `FailureReasons[].FailureCode`.
        code: String,
        /// `FailureReasons[].FailureReason`.
        reason: String,
    },
    /// It stays `Active` and runs no further task until it is cancelled or the fault is taken away.
    Stalls,
    /// It waits as `Suspended` before its first task, although no confirmation was asked for.
    Suspended,
}

/// A completion report that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportFault {
    /// What is wrong with it.
    pub kind: ReportFaultKind,
    /// Only in the first so many jobs made since the plan was set; in every job when absent.
    #[serde(default)]
    pub first_jobs: Option<u64>,
}

/// What is wrong with a completion report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ReportFaultKind {
    /// Nothing is written.
    Missing,
    /// The first result file is named in the manifest and not there.
    PartMissing,
    /// Everything appears so many seconds after the job is `Complete`.
    Late {
        /// The delay.
        seconds: u64,
    },
    /// One result file has one more row that nobody can read; its checksum agrees.
    BadRow,
    /// One row is left out of its result file; its checksum agrees.
    RowDropped,
    /// The first result file does not have the checksum that the manifest says.
    ChecksumWrong,
}

impl JobFaults {
    /// How the task for `key` fails in the job with that `ordinal` (jobs made since the plan was set, from 0).
    pub(crate) fn row(&self, key: &str, ordinal: u64) -> Option<RowClass> {
        let fits = |fault: &&RowFault| within(fault.first_jobs, ordinal) && glob(&fault.keys, key);
        self.rows.iter().find(fits).map(|fault| fault.class)
    }

    /// The fault of the job as a whole, among those that `wanted` picks.
    pub(crate) fn job(&self, ordinal: u64, wanted: impl Fn(&JobFault) -> bool) -> Option<&JobFault> {
        self.jobs.iter().find(|fault| within(fault.first_jobs, ordinal) && wanted(fault))
    }

    /// Whether the report has that fault.
    pub(crate) fn report(&self, ordinal: u64, kind: &ReportFaultKind) -> bool {
        self.reports.iter().any(|fault| fault.kind == *kind && within(fault.first_jobs, ordinal))
    }

    /// How late the report is.
    pub(crate) fn report_delay(&self, ordinal: u64) -> Option<Duration> {
        self.reports.iter().filter(|fault| within(fault.first_jobs, ordinal)).find_map(|fault| match fault.kind {
            ReportFaultKind::Late { seconds } => Some(Duration::from_secs(seconds)),
            _ => None,
        })
    }
}

fn within(first_jobs: Option<u64>, ordinal: u64) -> bool {
    first_jobs.is_none_or(|count| ordinal < count)
}

/// Whether `text` fits `pattern`, where `*` is any run of characters and `?` any one.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (mut rest_p, mut rest_t) = (pattern.chars(), text.chars());
    // Where to go on when the present attempt fails: behind the last `*`, one character further in the text.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (mut next_p, mut next_t) = (rest_p.clone(), rest_t.clone());
        match (next_p.next(), next_t.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                retry = Some((next_p.clone(), rest_t.clone()));
                rest_p = next_p;
                continue;
            }
            (Some('?'), Some(_)) => {
                (rest_p, rest_t) = (next_p, next_t);
                continue;
            }
            (Some(wanted), Some(found)) if wanted == found => {
                (rest_p, rest_t) = (next_p, next_t);
                continue;
            }
            _ => {}
        }
        match retry.take() {
            Some((after_star, mut from)) => {
                if from.next().is_none() {
                    return false;
                }
                (rest_p, rest_t) = (after_star.clone(), from.clone());
                retry = Some((after_star, from));
            }
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[rstest::rstest]
    #[case("*", "", true)]
    #[case("*", "a/b c", true)]
    #[case("a/*.parquet", "a/x/y.parquet", true)]
    #[case("a/*.parquet", "a/x/y.parquet.crc", false)]
    #[case("*_delta_log*", "t/_delta_log/0.json", true)]
    #[case("a*b*c", "axbxbxc", true)]
    #[case("a?c", "aéc", true)]
    #[case("a?c", "ac", false)]
    #[case("", "a", false)]
    fn a_pattern_fits_the_whole_key(#[case] pattern: &str, #[case] key: &str, #[case] fits: bool) {
        assert_eq!(glob(pattern, key), fits);
    }

    #[test]
    fn a_plan_reads_from_json_and_counts_jobs() {
        let plan: JobFaults = serde_json::from_str(
            r#"{"rows": [{"keys": "a*", "class": "too_large", "first_jobs": 1}],
                "jobs": [{"kind": {"fails": {"code": "X", "reason": "y"}}, "after_tasks": 3}],
                "reports": [{"kind": {"late": {"seconds": 60}}}, {"kind": "bad_row"}]}"#,
        )
        .unwrap();
        assert_eq!(plan.row("abc", 0), Some(RowClass::TooLarge));
        assert_eq!(plan.row("abc", 1), None);
        assert_eq!(plan.row("b", 0), None);
        assert_eq!(plan.job(7, |_| true).unwrap().after_tasks, 3);
        assert_eq!(plan.report_delay(9), Some(Duration::from_secs(60)));
        assert!(plan.report(9, &ReportFaultKind::BadRow));
        assert!(serde_json::from_str::<JobFaults>(r#"{"row": []}"#).is_err());
    }
}
