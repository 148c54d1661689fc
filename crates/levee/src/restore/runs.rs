//! The closed runs of a source, newest first.

use anyhow::Result;
use jiff::civil::Date;
use levee_ledger::{
    Ledger,
    history::{Closed, End},
};

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
