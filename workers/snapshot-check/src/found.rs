//! What a look has found, in the ledger: the list of findings, the rows to copy again, and the record of a failure.

use levee_formats::{WriteError, batch_manifest::ManifestWriter};
use levee_ledger::{
    Ledger, RunKey,
    state::{COPY_LIMIT_BYTES, Difference, Finding, JobManifest, JobManifestKind, ObjectPointer, SnapshotCheck},
};
use levee_stage::StageError;
use serde::{Deserialize, Serialize};

/// Rows that are made into bytes at a time.
const ROWS: usize = 1_000;

/// The ledger's record of a look that missed objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incomplete {
    pub(crate) snapshot: SnapshotCheck,
    pub(crate) cause: String,
    /// The execution's redrive count when that was found: a higher one asks for another look.
    pub(crate) redrive_count: u32,
}

/// The record of a look after which the state machine goes on.
pub(crate) fn record(run: &RunKey, attempt: u32) -> String {
    format!("{}.json", stem(run, attempt))
}

/// The record of the first look after an attempt that missed objects.
pub(crate) fn incomplete_record(run: &RunKey, attempt: u32) -> String {
    format!("{}-incomplete.json", stem(run, attempt))
}

/// What the names of the records of a look begin with that comes after `attempt`.
pub(crate) fn stem(run: &RunKey, attempt: u32) -> String {
    run.record(&format!("07-snapshot-check-attempt-{attempt}"))
}

/// Whether a finding is a missing object that a copy job can copy again.
pub(crate) fn is_for_a_job(finding: &Finding) -> bool {
    finding.finding == Difference::Missing && finding.planned_bytes.is_none_or(|bytes| bytes <= COPY_LIMIT_BYTES)
}

/// Writes the findings as JSON lines; none where there are none.
///
/// # Errors
/// AWS errors.
pub(crate) async fn list(
    ledger: &Ledger,
    stem: &str,
    findings: &[Finding],
) -> Result<Option<ObjectPointer>, StageError> {
    if findings.is_empty() {
        return Ok(None);
    }
    let mut list = ledger.artefact(format!("{stem}-findings.jsonl"), "application/x-ndjson");
    for rows in findings.chunks(ROWS) {
        let mut bytes = Vec::new();
        for row in rows {
            let line = serde_json::to_writer(&mut bytes, row);
            line.map_err(|error| {
                StageError::permanent(StageError::OUTPUT_INVALID, format!("a finding is no JSON: {error}"))
            })?;
            bytes.push(b'\n');
        }
        list.write(&bytes).await?;
    }
    Ok(Some(list.finish().await?.pointer))
}

/// Writes the missing objects that a copy job can copy again as its manifest; none where there are none.
///
/// # Errors
/// AWS errors.
pub(crate) async fn manifest(
    ledger: &Ledger,
    stem: &str,
    source: &str,
    findings: &[Finding],
) -> Result<Option<JobManifest>, StageError> {
    let again: Vec<_> = findings.iter().filter(|finding| is_for_a_job(finding)).collect();
    if again.is_empty() {
        return Ok(None);
    }
    let mut list = ledger.artefact(format!("{stem}-missing.csv"), "text/csv");
    for rows in again.chunks(ROWS) {
        let mut csv = ManifestWriter::new(Vec::new(), false);
        for row in rows {
            csv.row(source, row.key.as_bytes(), None).map_err(refused)?;
        }
        list.write(&csv.finish().map_err(refused)?.writer).await?;
    }
    let pointer = list.finish().await?.pointer;
    Ok(Some(JobManifest { kind: JobManifestKind::Csv, pointer, rows: again.len() as u64, keys: None }))
}

fn refused(error: WriteError) -> StageError {
    StageError::permanent(StageError::OUTPUT_INVALID, format!("a missing key fits no manifest: {error}"))
}
