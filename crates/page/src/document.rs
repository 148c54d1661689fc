//! The document as its template sees it: every text is ready to be read, and none can be mistaken for another.

use askama::Template;
use base64::{Engine, engine::general_purpose::STANDARD};
use levee_ledger::{
    receipt::{Outcome, Receipt},
    state::ObjectPointer,
};
use sha2::{Digest, Sha256};

use crate::{
    RunPage,
    facts::{Fact, facts},
    needs::{Need, needs},
    night::Night,
    sizes::Sizes,
    tables::Tables,
    text::{counted, day, duration, moment, seconds_between, visible},
    trend::{Trend, trend},
};

const STYLE: &str = include_str!("../templates/page.css");
const SCRIPT: &str = include_str!("../templates/page.js");

/// The page.
#[derive(Template)]
#[template(path = "page.html")]
pub(crate) struct Document {
    title: String,
    policy: String,
    style: &'static str,
    script: &'static str,
    complete: bool,
    headline: String,
    sentence: String,
    about: Vec<Row>,
    needs: Vec<Need>,
    tables: Tables,
    night: Night,
    sizes: Sizes,
    trend: Option<Trend>,
    facts: Vec<Fact>,
    places: Vec<Row>,
    console: Option<String>,
    levee_version: String,
}

/// A name and what there is to say about it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) text: String,
}

impl Row {
    fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into() }
    }
}

impl Document {
    pub(crate) fn new(page: &RunPage<'_>) -> Self {
        let receipt = page.receipt;
        let needs = needs(receipt, page.tables);
        let source = visible(&receipt.run.source);
        Self {
            title: format!("{source} {}", day(receipt.run.backup_date)),
            policy: policy(),
            style: STYLE,
            script: SCRIPT,
            complete: receipt.outcome == Outcome::Complete,
            headline: visible(&receipt.headline).into_owned(),
            sentence: sentence(receipt, needs.len()),
            about: about(receipt),
            needs,
            tables: Tables::new(page.tables, receipt.tables.tables.list.as_ref()),
            night: Night::new(receipt),
            sizes: Sizes::new(receipt),
            trend: trend(page.trend),
            facts: facts(receipt),
            places: places(page),
            console: console(receipt),
            levee_version: visible(&receipt.levee_version).into_owned(),
        }
    }
}

/// Lets nothing run but the page's own script, and nothing be reached at all.
fn policy() -> String {
    let of = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let (style, script) = (of(STYLE), of(SCRIPT));
    format!(
        "default-src 'none'; style-src {style}; script-src {script}; img-src data:; base-uri 'none'; form-action 'none'"
    )
}

fn sentence(receipt: &Receipt, needs: usize) -> String {
    match (receipt.outcome, needs) {
        (Outcome::Complete, 0) => {
            "Every object is copied or gone from the source, and every table is whole. There is nothing to do.".to_owned()
        }
        (Outcome::Complete, _) => {
            "Every object is copied or gone from the source, and every table is whole. What else somebody should know is below."
                .to_owned()
        }
        (Outcome::Degraded, 0) => {
            "The run has ended and is not complete. The receipt does not say why: read it, and look at the execution.".to_owned()
        }
        (Outcome::Degraded, _) => {
            let number = u64::try_from(needs).unwrap_or(u64::MAX);
            format!("The run has ended and is not complete: {} below.", counted(number, "thing is", "things are"))
        }
    }
}

fn about(receipt: &Receipt) -> Vec<Row> {
    let run = &receipt.run;
    let mut rows = vec![
        Row::new("source", format!("{} (account {})", visible(&run.source), visible(&run.source_account))),
        Row::new("backup date", day(run.backup_date)),
        Row::new("snapshot", format!("{} ({})", visible(&receipt.snapshot.bucket), visible(&receipt.snapshot.region))),
        Row::new("started", moment(run.started)),
        Row::new(
            "closed",
            format!("{}, after {}", moment(run.closed), duration(seconds_between(run.started, run.closed))),
        ),
    ];
    if run.redrives > 0 {
        rows.push(Row::new("redriven", counted(u64::from(run.redrives), "time", "times")));
    }
    rows
}

pub(crate) fn uri(pointer: &ObjectPointer) -> String {
    visible(&format!("s3://{}/{}", pointer.bucket, pointer.key)).into_owned()
}

fn places(page: &RunPage<'_>) -> Vec<Row> {
    let receipt = page.receipt;
    let mut rows = vec![Row::new("execution", visible(&receipt.run.execution_arn))];
    rows.extend(page.receipt_pointer.map(|pointer| Row::new("receipt", uri(pointer))));
    rows.extend(page.receipt_sha256.map(|digest| Row::new("its SHA-256", visible(digest))));
    rows.push(Row::new("place in the chain", receipt.sequence.to_string()));
    let previous = receipt.previous_sha256.as_deref();
    rows.extend(previous.map(|digest| Row::new("receipt before it, SHA-256", visible(digest))));
    rows.push(Row::new("inventory", uri(&receipt.inventory.pointer)));
    rows.push(Row::new("its ETag", visible(&receipt.inventory.pointer.etag)));
    rows.extend(receipt.inventory.plan.iter().map(|pointer| Row::new("plan", uri(pointer))));
    let reports = receipt.jobs.iter().filter_map(|job| job.report.as_ref());
    rows.extend(reports.map(|pointer| Row::new("completion report", uri(pointer))));
    rows.extend(receipt.objects.lists.iter().map(|pointer| Row::new("list of objects", uri(pointer))));
    rows.extend(receipt.snapshot.findings.iter().map(|pointer| Row::new("differences of the snapshot", uri(pointer))));
    rows.extend(receipt.tables.tables.list.iter().map(|pointer| Row::new("list of tables", uri(pointer))));
    rows
}

/// The execution in the console of the partition `aws`, by the form of address that `levee start` prints.
fn console(receipt: &Receipt) -> Option<String> {
    let arn = &receipt.run.execution_arn;
    let region = arn.strip_prefix("arn:aws:states:")?.split(':').next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_');
    if region.is_empty() || !arn.chars().all(plain) {
        return None;
    }
    Some(format!("https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{arn}"))
}
