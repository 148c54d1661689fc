//! Planned faults of batch jobs, for tests and rehearsals.
//!
//! Every decision is taken when the job comes to the point in question, with the plan that holds then.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    env::Ids,
    faults::{FaultPlan, When, fits, glob, rate},
};

/// Tasks that fail by key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowFault {
    /// Which keys, decoded: `*` stands for any run of characters, `?` for one, all else for itself.
    pub keys: String,
    /// How they fail.
    pub class: RowClass,
    /// Only this share of them (0 to 1), drawn for each job and key; all without one.
    #[serde(default, deserialize_with = "rate", skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Only in jobs that copy into buckets of this name (with `*` and `?`); in every job without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// In which of these jobs.
    #[serde(default)]
    pub when: When,
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
    #[serde(rename = "error_with_200")]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFault {
    /// What happens to it.
    pub kind: JobFaultKind,
    /// How many of its tasks run before that.
    #[serde(default)]
    pub after_tasks: u64,
    /// Only jobs that copy into buckets of this name (with `*` and `?`); every job without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Which of these jobs.
    #[serde(default)]
    pub when: When,
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
    /// It is `Pausing`, then `Paused` for so long, then goes on, as one that gives way to a job of higher priority.
    Paused {
        /// How long it is `Paused`.
        seconds: u64,
    },
    /// Its tasks take longer.
    Slow {
        /// How long each task takes, one after the other.
        seconds_per_task: u64,
    },
}

/// A completion report that is not what it should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportFault {
    /// What is wrong with it.
    pub kind: ReportFaultKind,
    /// Only of jobs that copy into buckets of this name (with `*` and `?`); of every job without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Of which of these jobs.
    #[serde(default)]
    pub when: When,
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
    /// One row stands twice in its result file; its checksum agrees.
    RowDuplicated,
    /// The first result file does not have the checksum that the manifest says.
    ChecksumWrong,
}

/// Objects that are not what the inventory says when their job comes to them: the writer of the warehouse, which is the
/// account of the source bucket, has deleted or overwritten them. It does so when the job begins to run tasks, before the
/// first one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectFault {
    /// Which keys of the job's manifest, decoded: `*` stands for any run of characters, `?` for one, all else for itself.
    pub keys: String,
    /// What has happened to them.
    pub kind: ObjectFaultKind,
    /// Only this share of them (0 to 1), drawn for each job and key; all without one.
    #[serde(default, deserialize_with = "rate", skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// At most so many of each job, in the order of its manifest; no limit without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Only in jobs that copy into buckets of this name (with `*` and `?`); in every job without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// In which of these jobs.
    #[serde(default)]
    pub when: When,
}

/// What has happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectFaultKind {
    /// It was deleted.
    Vanishes,
    /// It was overwritten with other bytes.
    Changes,
}

impl RowFault {
    /// A rule that strikes these keys in every job.
    pub fn new(keys: impl Into<String>, class: RowClass) -> Self {
        Self { keys: keys.into(), class, rate: None, target: None, when: When::Always }
    }
}

impl JobFault {
    /// A rule that strikes every job before its first task.
    #[must_use]
    pub fn new(kind: JobFaultKind) -> Self {
        Self { kind, after_tasks: 0, target: None, when: When::Always }
    }
}

impl ReportFault {
    /// A rule that strikes the report of every job.
    #[must_use]
    pub fn new(kind: ReportFaultKind) -> Self {
        Self { kind, target: None, when: When::Always }
    }
}

impl ObjectFault {
    /// A rule that strikes these keys in every job.
    pub fn new(keys: impl Into<String>, kind: ObjectFaultKind) -> Self {
        Self { keys: keys.into(), kind, rate: None, limit: None, target: None, when: When::Always }
    }
}

/// The rules about jobs, with their places in the plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobRules {
    jobs: Vec<JobFault>,
    rows: Vec<RowFault>,
    reports: Vec<ReportFault>,
    objects: Vec<ObjectFault>,
}

/// The rules that strike one job, each with its place in the plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    pub(crate) jobs: Vec<(usize, JobFault)>,
    pub(crate) rows: Vec<(usize, RowFault)>,
    pub(crate) reports: Vec<(usize, ReportFault)>,
    pub(crate) objects: Vec<(usize, ObjectFault)>,
    /// The job's number since the plan was set, for draws.
    number: usize,
}

impl From<&FaultPlan> for JobRules {
    fn from(plan: &FaultPlan) -> Self {
        let FaultPlan { jobs, rows, reports, objects, .. } = plan.clone();
        Self { jobs, rows, reports, objects }
    }
}

impl JobRules {
    /// The rules that strike the last of `targets`: the buckets that jobs copy into, in the order of the jobs.
    pub(crate) fn fate(&self, targets: &[String], ids: &Ids) -> Fate {
        let strikes = |list: &str, place: usize, target: Option<&str>, when: When| {
            let about = |bucket: &&String| fits(target, bucket);
            let number = targets.iter().filter(about).count() as u64;
            targets.last().filter(about).is_some() && when.strikes(number, ids, &format!("{list} {place}"))
        };
        let mut fate = Fate { number: targets.len(), ..Fate::default() };
        macro_rules! pick {
            ($($list:ident),*) => {
                $(for (place, rule) in self.$list.iter().enumerate() {
                    if strikes(stringify!($list), place, rule.target.as_deref(), rule.when) {
                        fate.$list.push((place, rule.clone()));
                    }
                })*
            };
        }
        pick!(jobs, rows, reports, objects);
        fate
    }
}

impl Fate {
    /// How the task for `key` fails, and the place of the rule that says so.
    pub(crate) fn row(&self, key: &str, ids: &Ids) -> Option<(usize, RowClass)> {
        let fits = |(place, rule): &&(usize, RowFault)| {
            glob(&rule.keys, key) && self.drawn("row", *place, rule.rate, key, ids)
        };
        self.rows.iter().find(fits).map(|(place, rule)| (*place, rule.class))
    }

    /// What happens to the object of `key`, and the place of the rule that says so; `spent` knows the rules that have reached
    /// their limits.
    pub(crate) fn object(
        &self,
        key: &str,
        ids: &Ids,
        spent: impl Fn(usize, &ObjectFault) -> bool,
    ) -> Option<&(usize, ObjectFault)> {
        let fits = |(place, rule): &&(usize, ObjectFault)| {
            glob(&rule.keys, key) && !spent(*place, rule) && self.drawn("object", *place, rule.rate, key, ids)
        };
        self.objects.iter().find(fits)
    }

    /// The place of the rule that gives the report that fault.
    pub(crate) fn report(&self, kind: &ReportFaultKind) -> Option<usize> {
        self.reports.iter().find(|(_, rule)| rule.kind == *kind).map(|(place, _)| *place)
    }

    /// How late the report is, and the place of the rule that says so.
    pub(crate) fn report_delay(&self) -> Option<(usize, Duration)> {
        self.reports.iter().find_map(|(place, rule)| match rule.kind {
            ReportFaultKind::Late { seconds } => Some((*place, Duration::from_secs(seconds))),
            _ => None,
        })
    }

    fn drawn(&self, list: &str, place: usize, rate: Option<f64>, key: &str, ids: &Ids) -> bool {
        rate.is_none_or(|rate| ids.share(&format!("{list} {place} {} {key}", self.number)) < rate)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn rule(rate: Option<f64>, target: Option<&str>, when: When) -> JobRules {
        let target = target.map(str::to_owned);
        let rows = vec![RowFault { keys: "a*".to_owned(), class: RowClass::TooLarge, rate, target, when }];
        JobRules { rows, ..JobRules::default() }
    }

    fn targets(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[rstest::rstest]
    #[case::first(None, When::First(1), &["x"], true)]
    #[case::second(None, When::First(1), &["x", "x"], false)]
    #[case::first_of_its_kind(Some("y*"), When::First(1), &["x", "y1"], true)]
    #[case::of_another_kind(Some("y*"), When::Always, &["y1", "x"], false)]
    fn jobs_are_numbered_for_each_rule(
        #[case] target: Option<&str>,
        #[case] when: When,
        #[case] jobs: &[&str],
        #[case] struck: bool,
    ) {
        let (ids, rules) = (Ids::new(1), rule(None, target, when));
        let fate = rules.fate(&targets(jobs), &ids);
        assert_eq!(fate.row("abc", &ids).is_some(), struck);
        assert_eq!(fate.row("b", &ids), None);
    }

    #[test]
    fn rows_are_drawn_by_key_and_job_whatever_the_order() {
        let (ids, rules) = (Ids::new(1), rule(Some(0.5), None, When::Always));
        let keys: Vec<String> = (0..200).map(|n| format!("a{n}")).collect();
        let failing = |fate: &Fate, keys: &mut dyn Iterator<Item = &String>| -> std::collections::BTreeSet<String> {
            keys.filter(|key| fate.row(key, &ids).is_some()).cloned().collect()
        };
        let first = rules.fate(&targets(&["x"]), &ids);
        let forth = failing(&first, &mut keys.iter());
        assert_eq!(forth, failing(&first, &mut keys.iter().rev()));
        assert!((70..130).contains(&forth.len()), "{}", forth.len());
        assert_ne!(forth, failing(&rules.fate(&targets(&["x", "x"]), &ids), &mut keys.iter()));
    }
}
