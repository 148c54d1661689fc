//! The closed runs of a source, newest first.

use anyhow::Result;
use aws_sdk_s3::Client;
use jiff::civil::Date;
use levee_ledger::{
    Ledger,
    history::{Closed, End},
    receipt::Receipt,
    restore::SnapshotRun,
};
use levee_tables::BucketStore;

/// The closed runs of one day, or of all.
///
/// # Errors
/// The ledger cannot be read.
pub(super) async fn closed(ledger: &Ledger, source: &str, day: Option<Date>) -> Result<Vec<Closed>> {
    let days = match day {
        Some(day) => vec![day],
        None => ledger.days(source).await?,
    };
    let mut closed = Vec::new();
    for day in days {
        for run in ledger.runs_of(source, day).await? {
            if let End::Closed(run) = run.end {
                closed.push(*run);
            }
        }
    }
    Ok(closed)
}

/// The run as a plan has it.
pub(super) fn snapshot_run(closed: &Closed) -> SnapshotRun {
    let receipt = &closed.receipt.value;
    SnapshotRun {
        backup_date: receipt.run.backup_date,
        execution_name: receipt.run.execution_name.clone(),
        receipt_sha256: closed.sha256.clone(),
        bucket: receipt.snapshot.bucket.clone(),
        account: receipt.snapshot.account.clone(),
        storage_class: receipt.settings.snapshot.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned()),
    }
}

/// The snapshot of a run.
pub(super) fn snapshot(s3: &Client, receipt: &Receipt) -> BucketStore {
    BucketStore::new(s3, &receipt.snapshot.bucket, Some(receipt.snapshot.account.clone()))
}
