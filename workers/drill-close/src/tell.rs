//! What is told of a drill.

use levee_ledger::{RunKey, drill::Drill, restore::RestoreReceipt, state::ObjectPointer};
use levee_page::text::{counted, day, duration};
use serde_json::{Value, json};

use crate::compare::Problem;

/// Tables that a cause names.
const NAMED: usize = 10;

/// What it comes to, in a line that a person reads first.
pub(crate) fn headline(drill: &Drill) -> String {
    format!(
        "drill of {} from {}: {} open as their backup says, {} in {}",
        drill.source,
        day(drill.backup_date),
        counted(drill.tables.len() as u64, "table", "tables"),
        counted(drill.objects, "object", "objects"),
        duration(drill.seconds()),
    )
}

/// The detail of `Drill Completed`.
pub(crate) fn event(headline: &str, drill: &Drill, record: &ObjectPointer, run: &RunKey) -> Value {
    json!({
        "headline": headline,
        "source": drill.source,
        "backup_date": drill.backup_date,
        "execution": drill.execution_arn,
        "tables": drill.tables.len(),
        "objects": drill.objects,
        "bytes": drill.bytes,
        "seconds": drill.seconds(),
        "objects_per_second": drill.objects_per_second(),
        "bytes_per_second": drill.bytes_per_second(),
        "emptied": drill.emptied,
        "record": record,
        "receipt": drill.receipt,
        "ledger": run.prefix(),
    })
}

/// Which tables are not as their backup was, and what differs.
pub(crate) fn cause(run: &RunKey, scratch: &str, receipt: &RestoreReceipt, problems: &[Problem]) -> String {
    let named: Vec<_> = problems
        .iter()
        .take(NAMED)
        .map(|problem| format!("{:?}: {}", problem.path, problem.differs.join("; ").trim_end_matches('.')))
        .collect();
    let more = if problems.len() > NAMED { ", and others" } else { "" };
    format!(
        "{} of the {} tables of {run} are not what their backup's receipt says: {}{more}. The restore found them whole, so look at \
         who else writes to s3://{scratch}/{}, where they are left to be looked at, and at the snapshot s3://{}. A redrive looks at \
         them again; the next drill takes the same tables, and empties what is older than a day.",
        problems.len(),
        receipt.tables.tables,
        named.join(". "),
        receipt.target_prefix,
        receipt.snapshot_bucket,
    )
}
