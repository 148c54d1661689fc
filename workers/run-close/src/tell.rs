//! What is told of a run that is closed.

use levee_ledger::{
    RunKey,
    receipt::{Closed, Receipt},
};
use serde_json::{Value, json};

use crate::headline;

/// The detail of `Run Completed`: what a person reads first stands first.
pub(crate) fn event(run: &RunKey, receipt: &Receipt, closed: &Closed) -> Value {
    let (objects, snapshot) = (&receipt.objects, &receipt.snapshot);
    let tables = &receipt.tables.tables;
    json!({
        "headline": receipt.headline,
        "outcome": receipt.outcome,
        "reasons": headline::reasons(receipt),
        "source": run.source,
        "backup_date": run.backup_date,
        "execution": run.execution_arn,
        "tables": tables.tables,
        "verdicts": tables.verdicts,
        "repaired": tables.repaired,
        "objects": {
            "inventory": receipt.inventory.objects,
            "copied": objects.copied,
            "vanished": objects.vanished,
            "skipped": objects.skipped,
            "excluded": objects.excluded,
            "changed": snapshot.changed,
            "unexpected": snapshot.unexpected,
        },
        "bytes": snapshot.bytes,
        "snapshot_bucket": snapshot.bucket,
        "receipt": closed,
        "table_list": tables.list,
        "findings": snapshot.findings,
        "ledger": run.prefix(),
    })
}
