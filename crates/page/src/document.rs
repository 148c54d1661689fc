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
    word: &'static str,
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
        let mut lines: Vec<_> = page.tables.iter().collect();
        lines.sort_by(|a, b| a.verdict.path.cmp(&b.verdict.path));
        let needs = needs(receipt, &lines, &page.left_out);
        let source = visible(&receipt.run.source);
        Self {
            title: format!("{source} {}", day(receipt.run.backup_date)),
            policy: policy(),
            style: STYLE,
            script: SCRIPT,
            complete: receipt.outcome == Outcome::Complete && needs.iter().all(|need| !need.serious),
            word: match receipt.outcome {
                Outcome::Complete => "Complete",
                Outcome::Degraded => "Degraded",
            },
            headline: visible(&receipt.headline).into_owned(),
            sentence: sentence(receipt, &needs),
            about: about(receipt),
            needs,
            tables: Tables::new(&lines, receipt.tables.tables.list.as_ref()),
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

fn sentence(receipt: &Receipt, needs: &[Need]) -> String {
    let serious = u64::try_from(needs.iter().filter(|need| need.serious).count()).unwrap_or(u64::MAX);
    let complete = match receipt.tables.tables.tables {
        0 => "Every object is copied or gone from the source.",
        _ => "Every object is copied or gone from the source, and every table is whole.",
    };
    match (receipt.outcome, serious) {
        // What the receipt says and what follows from its counts are two things: the worse one is believed.
        (Outcome::Complete, 1..) => {
            format!("The receipt says that the run is complete, and {} against it.", counted(serious, "thing speaks", "things speak"))
        }
        (Outcome::Complete, 0) if needs.is_empty() => format!("{complete} There is nothing to do."),
        (Outcome::Complete, 0) => format!("{complete} There is nothing to mend; what else there is to know is below."),
        (Outcome::Degraded, 0) => {
            "The run has ended and is not complete, and its counts do not show why: read the receipt, and look at the execution.".to_owned()
        }
        (Outcome::Degraded, _) => {
            format!("The run has ended and is not complete: {} below.", counted(serious, "thing to mend is", "things to mend are"))
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
