//! The run that a name means, or the runs nearest to it.

use anyhow::{Result, anyhow};
use jiff::civil::Date;
use levee_ledger::{Ledger, history::KnownRun};

use crate::{
    history::RunName,
    runs::{newest, no_source},
};

/// Days that are named in place of one that has no run.
const NEAREST: usize = 3;

/// The run, or that there is none and what there is.
pub(super) async fn find(
    ledger: &Ledger,
    name: &RunName,
    source: Option<&str>,
) -> Result<Result<KnownRun, anyhow::Error>> {
    match name {
        RunName::Latest => latest(ledger, source).await,
        RunName::Of { source: named, .. } if source.is_some_and(|source| source != named) => {
            Ok(Err(anyhow!("the run is one of {named:?}, and --source says {:?}", source.unwrap_or_default())))
        }
        RunName::Of { source, backup_date, execution } => {
            of_day(ledger, source, *backup_date, execution.as_deref()).await
        }
    }
}

async fn latest(ledger: &Ledger, source: Option<&str>) -> Result<Result<KnownRun, anyhow::Error>> {
    let sources = ledger.sources().await?;
    let source = match (source, sources.as_slice()) {
        (Some(source), _) => source,
        (None, [only]) => only,
        (None, []) => return Ok(Err(anyhow!("the ledger {} has no runs", ledger.bucket()))),
        (None, several) => {
            return Ok(Err(anyhow!("latest needs --source, because there are several: {}", several.join(", "))));
        }
    };
    let found = match sources.iter().any(|known| known == source) {
        true => newest(ledger, &[source.to_owned()], 1).await?.pop(),
        false => None,
    };
    Ok(found.ok_or_else(|| no_source(ledger, source, &sources)))
}

async fn of_day(
    ledger: &Ledger,
    source: &str,
    backup_date: Date,
    execution: Option<&str>,
) -> Result<Result<KnownRun, anyhow::Error>> {
    let runs = ledger.runs_of(source, backup_date).await?;
    let names: Vec<_> = runs.iter().map(|run| format!("{source}/{backup_date}/{}", run.execution_name)).collect();
    let mut meant = runs.into_iter().filter(|run| execution.is_none_or(|name| run.execution_name == name));
    if let Some(run) = meant.next() {
        return Ok(Ok(run));
    }
    if let (Some(execution), false) = (execution, names.is_empty()) {
        let known = names.join(", ");
        return Ok(Err(anyhow!("{source} has no execution {execution:?} for {backup_date}; it has {known}")));
    }
    let mut days = ledger.days(source).await?;
    if days.is_empty() {
        return Ok(Err(no_source(ledger, source, &ledger.sources().await?)));
    }
    days.sort_by_key(|day| backup_date.since(*day).map_or(i32::MAX, |span| span.get_days().saturating_abs()));
    days.truncate(NEAREST);
    let nearest: Vec<_> = days.iter().map(|day| format!("{source}/{day}")).collect();
    Ok(Err(anyhow!("{source} has no run for {backup_date}; the nearest are {}", nearest.join(", "))))
}
