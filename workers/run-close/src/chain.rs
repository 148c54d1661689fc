//! The receipt's place in the chain of its source, and its copy among the records of the run.

use jiff::{SignedDuration, Timestamp};
use levee_ledger::{
    Ledger, RunKey, canonical_json,
    chain::{FileKind, digest, prefix, receipt_key},
    receipt::Receipt,
    state::ObjectPointer,
};
use levee_stage::StageError;
use serde::Deserialize;

/// By how much the clocks of two workers may differ.
const SKEW: SignedDuration = SignedDuration::from_hours(1);

/// A receipt that is in the chain.
pub(crate) struct Chained {
    pub(crate) receipt: Receipt,
    pub(crate) bytes: Vec<u8>,
    pub(crate) pointer: ObjectPointer,
}

impl Chained {
    /// SHA-256 of its bytes, in hexadecimal.
    pub(crate) fn sha256(&self) -> String {
        digest(&self.bytes)
    }
}

/// The last receipt of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// Its number; 0 when there is none.
    sequence: u64,
    sha256: Option<String>,
}

/// What a chain has for a run.
pub(crate) enum Found {
    /// The run's own receipt.
    Own(Box<Chained>),
    /// None; the chain ends there.
    End(End),
}

/// The part of a receipt that tells whose it is. Receipts of other releases have it, too.
#[derive(Deserialize)]
struct Head {
    run: HeadOfRun,
}

#[derive(Deserialize)]
struct HeadOfRun {
    execution_arn: String,
    closed: Timestamp,
}

/// The receipt among the run's own records: `receipt.json`.
fn beside_the_run(run: &RunKey) -> String {
    run.record("receipt.json")
}

/// The run's receipt as it is in the chain, when it is among the run's records already.
pub(crate) async fn of_run(ledger: &Ledger, run: &RunKey) -> Result<Option<Chained>, StageError> {
    let Some(stored) = ledger.read::<Receipt>(&beside_the_run(run)).await? else { return Ok(None) };
    let key = receipt_key(&run.source, stored.value.sequence);
    match ledger.get(&key).await? {
        Some((bytes, pointer)) => own(ledger, run, &key, bytes, pointer).map(Some),
        None => {
            let cause = format!(
                "{run} has a receipt among its records, but s3://{}/{key}, where it was written first, is gone. Look at who \
                 removes records, and restore the object from its earlier version; then redrive the execution.",
                ledger.bucket()
            );
            Err(StageError::permanent("Levee.LedgerCorrupt", cause))
        }
    }
}

/// Looks from the end of the chain for the receipt of the run, back to those that were closed before the run started.
pub(crate) async fn find(ledger: &Ledger, run: &RunKey, started: Timestamp) -> Result<Found, StageError> {
    let prefix = prefix(&run.source);
    let kinds = ledger.list(&prefix).await?.into_iter().filter_map(|key| FileKind::of(key.strip_prefix(&prefix)?));
    let mut numbers: Vec<u64> = kinds
        .filter_map(|kind| match kind {
            FileKind::Receipt(number) => Some(number),
            FileKind::Signature(_) => None,
        })
        .collect();
    numbers.sort_unstable();
    let mut end = End::default();
    for number in numbers.into_iter().rev() {
        let key = receipt_key(&run.source, number);
        let Some((bytes, pointer)) = ledger.get(&key).await? else { continue };
        let head = head(ledger, &key, &bytes)?;
        if head.execution_arn == run.execution_arn {
            return own(ledger, run, &key, bytes, pointer).map(|own| Found::Own(Box::new(own)));
        }
        if end.sequence == 0 {
            end = End { sequence: number, sha256: Some(digest(&bytes)) };
        }
        if head.closed.saturating_add(SKEW).unwrap_or(Timestamp::MAX) < started {
            break;
        }
    }
    Ok(Found::End(end))
}

/// Puts the receipt behind the end of the chain, or, when others are faster, behind theirs.
pub(crate) async fn append(
    ledger: &Ledger,
    run: &RunKey,
    mut receipt: Receipt,
    mut end: End,
) -> Result<Chained, StageError> {
    loop {
        receipt.sequence = end.sequence.saturating_add(1);
        receipt.previous_sha256.clone_from(&end.sha256);
        let key = receipt_key(&run.source, receipt.sequence);
        let bytes = canonical_json(&receipt).map_err(|error| {
            StageError::permanent(StageError::OUTPUT_INVALID, format!("the receipt of {run} is no JSON: {error}"))
        })?;
        if let Some(pointer) = ledger.put_new(&key, bytes.clone(), "application/json").await? {
            return Ok(Chained { receipt, bytes, pointer });
        }
        // The number is taken. It may be gone again only by an operator's hand; then it is tried once more.
        let Some((bytes, pointer)) = ledger.get(&key).await? else { continue };
        // By this run itself, when the answer to an earlier try was lost.
        if head(ledger, &key, &bytes)?.execution_arn == run.execution_arn {
            return own(ledger, run, &key, bytes, pointer);
        }
        tracing::info!(sequence = receipt.sequence, "another run has taken the number: the next one is tried");
        end = End { sequence: receipt.sequence, sha256: Some(digest(&bytes)) };
    }
}

/// Writes the same bytes among the records of the run.
pub(crate) async fn write_beside_the_run(
    ledger: &Ledger,
    run: &RunKey,
    chained: &Chained,
) -> Result<ObjectPointer, StageError> {
    let key = beside_the_run(run);
    loop {
        if let Some(pointer) = ledger.put_new(&key, chained.bytes.clone(), "application/json").await? {
            return Ok(pointer);
        }
        match ledger.get(&key).await? {
            Some((bytes, pointer)) if bytes == chained.bytes => return Ok(pointer),
            Some(_) => {
                let cause = format!(
                    "s3://{}/{key} is not the receipt of {run} that is in the chain as {}. One of the two is not what Levee \
                     wrote: look at who writes the ledger, and at the earlier versions of both.",
                    ledger.bucket(),
                    chained.pointer.key
                );
                return Err(StageError::permanent("Levee.LedgerCorrupt", cause));
            }
            None => {}
        }
    }
}

fn own(
    ledger: &Ledger,
    run: &RunKey,
    key: &str,
    bytes: Vec<u8>,
    pointer: ObjectPointer,
) -> Result<Chained, StageError> {
    let receipt: Receipt = serde_json::from_slice(&bytes).map_err(|error| unreadable(ledger, key, &error))?;
    if receipt.run.execution_arn == run.execution_arn {
        return Ok(Chained { receipt, bytes, pointer });
    }
    let cause = format!(
        "s3://{}/{key} is where the receipt of {run} was written first, but it is one of the execution {}. Look at who writes \
         the ledger, and at the object's earlier versions.",
        ledger.bucket(),
        receipt.run.execution_name
    );
    Err(StageError::permanent("Levee.LedgerCorrupt", cause))
}

fn head(ledger: &Ledger, key: &str, bytes: &[u8]) -> Result<HeadOfRun, StageError> {
    serde_json::from_slice::<Head>(bytes).map(|head| head.run).map_err(|error| unreadable(ledger, key, &error))
}

fn unreadable(ledger: &Ledger, key: &str, error: &serde_json::Error) -> StageError {
    let cause = format!(
        "s3://{}/{key} does not read as a receipt: {error}. The chain is not continued behind it: `levee receipts verify` names \
         what is wrong; restore the object from its earlier version, then redrive the execution.",
        ledger.bucket()
    );
    StageError::permanent("Levee.LedgerCorrupt", cause)
}
