//! All tables of a snapshot, settled side by side, and the list of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{Stream, StreamExt, TryStreamExt, stream};
use levee_delta_log::Listing;
use levee_ledger::{
    ArtefactWriter, Ledger,
    state::{ObjectPointer, TableLine, Tables},
};
use levee_stage::StageError;
use tokio_util::task::AbortOnDropHandle;

use crate::{mend::Mender, tell::Told};

/// Tables that are looked at at the same time.
const AT_ONCE: usize = 16;
/// As [`AT_ONCE`], where each is listed by itself and takes memory of its own.
pub(crate) const LARGE_AT_ONCE: usize = 4;

/// What a look at all tables came to.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    pub(crate) tables: Tables,
    pub(crate) told: Told,
}

/// Settles every table and writes the list, which is written once: whoever does the stage again goes by it.
///
/// # Errors
/// A bucket cannot be listed or read; AWS errors.
pub(crate) async fn survey(
    ledger: &Ledger,
    key: &str,
    mender: &Mender,
    tables: BTreeMap<String, Option<Arc<Listing>>>,
) -> Result<Survey, StageError> {
    if let Some(pointer) = ledger.find(key).await? {
        return read(ledger, pointer).await;
    }
    let roots: BTreeSet<String> = tables.keys().cloned().collect();
    let at_once = if tables.values().all(Option::is_some) { AT_ONCE } else { LARGE_AT_ONCE };
    let settled = stream::iter(tables).map(|(root, listing)| {
        let mender = mender.clone();
        let task = tokio::spawn(async move { mender.settle(&root, listing).await });
        async move { AbortOnDropHandle::new(task).await.unwrap_or_else(|error| Err(panicked(&error))) }
    });
    let mut settled = std::pin::pin!(settled.buffered(at_once));
    let mut list = ledger.artefact(key.to_owned(), "application/x-ndjson");
    if let Err(error) = write(&mut list, settled.as_mut(), &roots).await {
        if let Err(left) = list.abort().await {
            tracing::warn!(error = %left, key, "an unfinished upload is left to the bucket's lifecycle rule");
        }
        return Err(error);
    }
    let pointer = list.finish().await?.pointer;
    read(ledger, pointer).await
}

async fn write(
    list: &mut ArtefactWriter,
    mut settled: impl Stream<Item = Result<TableLine, StageError>> + Unpin,
    roots: &BTreeSet<String>,
) -> Result<(), StageError> {
    while let Some(mut line) = settled.try_next().await? {
        line.verdict.notes.extend(nested(&line.verdict.path, roots));
        let mut bytes = serde_json::to_vec(&line).map_err(|error| {
            StageError::permanent(StageError::OUTPUT_INVALID, format!("a verdict is no JSON: {error}"))
        })?;
        bytes.push(b'\n');
        list.write(&bytes).await?;
    }
    Ok(())
}

/// Counts what a list says.
async fn read(ledger: &Ledger, pointer: ObjectPointer) -> Result<Survey, StageError> {
    let mut tables = Tables::default();
    let mut told = Told::default();
    let mut lines = ledger.json_lines(&pointer.key).await?.ok_or_else(|| {
        let cause = format!("the list of tables s3://{}/{} is gone", pointer.bucket, pointer.key);
        StageError::permanent(crate::TABLES_TORN, cause)
    })?;
    while let Some(line) = lines.next::<TableLine>().await? {
        tables.tables += 1;
        tables.verdicts.add(line.verdict.verdict);
        if let Some(repair) = &line.repair {
            tables.repaired += 1;
            tables.repaired_objects += repair.objects;
            tables.repaired_bytes += repair.bytes;
        }
        told.take(&line);
    }
    tables.list = (tables.tables > 0).then_some(pointer);
    Ok(Survey { tables, told })
}

/// That other tables are below the root.
fn nested(root: &str, roots: &BTreeSet<String>) -> Option<String> {
    let below = levee_tables::prefix(root);
    let after = (std::ops::Bound::Excluded(root.to_owned()), std::ops::Bound::Unbounded);
    // A root that begins with the other one and a slash need not be next to it: `a b` is between `a` and `a/b`.
    let inner: Vec<_> = roots
        .range(after)
        .take_while(|other| other.starts_with(root))
        .filter(|other| other.starts_with(&below))
        .take(2)
        .collect();
    let more = if inner.len() > 1 { " and others" } else { "" };
    inner.first().map(|first| {
        format!(
            "the table {first}{more} is below the root of this one: a vacuum of this table deletes the other's files"
        )
    })
}

fn panicked(error: &tokio::task::JoinError) -> StageError {
    StageError::transient(StageError::STAGE_PANICKED, format!("the look at a table broke off: {error}"))
}
