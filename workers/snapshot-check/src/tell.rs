//! What is told of a snapshot bucket that lacks objects: the event, and the cause of the failure.

use levee_ledger::{
    RunKey,
    state::{Difference, Finding, ObjectPointer},
};
use serde_json::{Value, json};

use crate::compare::Compared;

/// Keys that are named.
const NAMED: usize = 10;

/// Findings of a kind.
pub(crate) fn count(findings: &[Finding], kind: Difference) -> u64 {
    findings.iter().filter(|finding| finding.finding == kind).count() as u64
}

/// The detail of `Copy Failures`.
pub(crate) fn event(run: &RunKey, attempt: u32, compared: &Compared, list: &ObjectPointer) -> Value {
    let missing = count(&compared.findings, Difference::Missing);
    json!({
        "source": run.source,
        "backup_date": run.backup_date,
        "execution": run.execution_arn,
        "attempt": attempt,
        "rows": compared.planned,
        "succeeded": compared.planned.saturating_sub(missing),
        "failed": missing,
        "failed_by_class": { "missing": missing },
        "first": first(&compared.findings),
        "failure_list": list,
        "ledger": run.prefix(),
    })
}

/// The cause of `Levee.SnapshotDiffers`.
pub(crate) fn cause(bucket: &str, compared: &Compared, list: &ObjectPointer) -> String {
    format!(
        "{} of {} objects that were reported as copied are not in snapshot bucket {bucket}: {}. All differences are in \
         s3://{}/{}. Look who deletes in that bucket (a delete marker hides the copy, which is still there as an earlier \
         version; the access log or CloudTrail has the caller), and whether a lifecycle rule does. Once the copies are to be \
         seen again, redrive the execution, which lists the bucket anew; if they are gone, start a new execution for the date.",
        count(&compared.findings, Difference::Missing),
        compared.planned,
        first(&compared.findings).join(", "),
        list.bucket,
        list.key,
    )
}

fn first(findings: &[Finding]) -> Vec<String> {
    let missing = findings.iter().filter(|finding| finding.finding == Difference::Missing);
    missing.take(NAMED).map(|finding| format!("{:?}", finding.key)).collect()
}
