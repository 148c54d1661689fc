//! The page of the run, beside its receipt.

use futures::{StreamExt, TryStreamExt, stream};
use levee_ledger::{
    Ledger, RunKey,
    chain::receipt_key,
    receipt::Receipt,
    state::{ObjectPointer, TableLine, VerdictCounts},
};
use levee_page::{RunPage, TREND_RUNS, TrendPoint, render};
use levee_stage::StageError;

use crate::chain::Chained;

/// Tables of one page: about 10 MB. Of more, those that are not whole go first.
const TABLES: usize = 20_000;
/// Receipts that are read at the same time.
const AT_ONCE: usize = 8;

/// Writes `report.html` once, and answers where it is. None when the page cannot be put together: the receipt says all that it
/// would have said, and no run fails over its page.
///
/// # Errors
/// AWS errors; the list of tables or a receipt of the chain does not parse.
pub(crate) async fn write(
    ledger: &Ledger,
    run: &RunKey,
    chained: &Chained,
) -> Result<Option<ObjectPointer>, StageError> {
    let key = run.record("report.html");
    if let Some(there) = ledger.find(&key).await? {
        return Ok(Some(there));
    }
    let receipt = &chained.receipt;
    let (tables, left_out) = tables(ledger, receipt).await?;
    let trend = trend(ledger, receipt).await?;
    let page = RunPage {
        receipt,
        receipt_pointer: Some(&chained.pointer),
        receipt_sha256: Some(&chained.sha256()),
        tables: &tables,
        left_out,
        trend: &trend,
    };
    let html = match render(&page) {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "the run has no page");
            return Ok(None);
        }
    };
    match ledger.put_new(&key, html.into_bytes(), "text/html; charset=utf-8").await? {
        Some(written) => Ok(Some(written)),
        None => ledger.find(&key).await,
    }
}

/// The lines of the tables, at most [`TABLES`] of them: first those that somebody should look at. The others are counted.
async fn tables(ledger: &Ledger, receipt: &Receipt) -> Result<(Vec<TableLine>, VerdictCounts), StageError> {
    let mut left_out = VerdictCounts::default();
    let Some(list) = &receipt.tables.tables.list else { return Ok((Vec::new(), left_out)) };
    let Some(mut lines) = ledger.json_lines(&list.key).await? else { return Ok((Vec::new(), left_out)) };
    let (mut findings, mut good) = (Vec::new(), Vec::new());
    while let Some(line) = lines.next::<TableLine>().await? {
        let is_finding = !line.verdict.verdict.is_good() || line.explanation.is_some();
        let kept = if is_finding { &mut findings } else { &mut good };
        if kept.len() < TABLES {
            kept.push(line);
        } else {
            left_out.add(line.verdict.verdict);
        }
    }
    for line in good.drain(good.len().min(TABLES.saturating_sub(findings.len()))..) {
        left_out.add(line.verdict.verdict);
    }
    findings.extend(good);
    findings.sort_by(|one, other| one.verdict.path.cmp(&other.verdict.path));
    Ok((findings, left_out))
}

/// The last receipts of the source, this one among them, oldest first. What is not a receipt of this release is left out.
async fn trend(ledger: &Ledger, receipt: &Receipt) -> Result<Vec<TrendPoint>, StageError> {
    let runs = u64::try_from(TREND_RUNS).unwrap_or(u64::MAX);
    let first = receipt.sequence.saturating_sub(runs - 1).max(1);
    let earlier = (first..receipt.sequence).map(|number| {
        let key = receipt_key(&receipt.run.source, number);
        async move { ledger.get(&key).await }
    });
    let mut points = Vec::new();
    let mut earlier = stream::iter(earlier).buffered(AT_ONCE);
    while let Some(found) = earlier.try_next().await? {
        let parsed = found.and_then(|(bytes, _)| serde_json::from_slice::<Receipt>(&bytes).ok());
        points.extend(parsed.as_ref().map(TrendPoint::from));
    }
    points.push(TrendPoint::from(receipt));
    Ok(points)
}
