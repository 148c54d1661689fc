//! What is told of a snapshot bucket that lacks objects: the event, and the cause of the failure.

use levee_ledger::{
    RunKey,
    state::{Difference, Finding, SnapshotCheck},
};
use serde_json::{Value, json};

use crate::found::is_for_a_job;

/// Keys that are named.
const NAMED: usize = 10;

/// Findings of a kind.
pub(crate) fn count(findings: &[Finding], kind: Difference) -> u64 {
    findings.iter().filter(|finding| finding.finding == kind).count() as u64
}

/// The detail of `Copy Failures`.
pub(crate) fn event(run: &RunKey, snapshot: &SnapshotCheck, findings: &[Finding]) -> Value {
    json!({
        "source": run.source,
        "backup_date": run.backup_date,
        "execution": run.execution_arn,
        "attempt": snapshot.attempt,
        "rows": snapshot.planned,
        "succeeded": snapshot.planned.saturating_sub(snapshot.missing),
        "failed": snapshot.missing,
        "failed_by_class": { "missing": snapshot.missing },
        "first": first(findings),
        "failure_list": snapshot.findings,
        "ledger": run.prefix(),
    })
}

/// The cause of `Levee.SnapshotDiffers`.
pub(crate) fn cause(bucket: &str, snapshot: &SnapshotCheck, findings: &[Finding]) -> String {
    let list = snapshot.findings.as_ref().map_or_else(String::new, |list| format!("s3://{}/{}", list.bucket, list.key));
    let for_a_job = findings.iter().filter(|finding| is_for_a_job(finding)).count() as u64;
    let too_large = match snapshot.missing.saturating_sub(for_a_job) {
        0 => String::new(),
        rows => format!(
            " {rows} of them are too large for a copy job and are not copied again: have a break-glass principal remove their \
             delete markers."
        ),
    };
    format!(
        "{} of {} objects that were reported as copied are not in snapshot bucket {bucket}: {}. All differences are in {list}. \
         See who deletes there, by CloudTrail or the access log: a delete marker hides a copy that is still there as an earlier \
         version, and a lifecycle rule may be at work. Then redrive the execution: it lists the bucket anew, and what is still \
         missing is copied again as attempt {}.{too_large}",
        snapshot.missing,
        snapshot.planned,
        first(findings).join(", "),
        snapshot.attempt.saturating_add(1),
    )
}

fn first(findings: &[Finding]) -> Vec<String> {
    let missing = findings.iter().filter(|finding| finding.finding == Difference::Missing);
    missing.take(NAMED).map(|finding| format!("{:?}", finding.key)).collect()
}
