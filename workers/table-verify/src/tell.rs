//! What is told of tables that are not whole: the event, and the cause of the failure.

use levee_delta_log::Verdict;
use levee_ledger::{
    RunKey,
    state::{TableLine, Tables},
};
use serde_json::{Value, json};

/// Tables that are named.
const NAMED: usize = 10;

/// What a cause and an event name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// The first tables that are not whole, each with what is known.
    first: Vec<String>,
    /// The first tables that could not be mended before somebody has done something, each with what that is.
    refused: Vec<String>,
    /// How many those are.
    pub(crate) refusals: u64,
    /// Tables that are torn and the source does not explain why.
    pub(crate) unexplained: u64,
}

impl Told {
    pub(crate) fn take(&mut self, line: &TableLine) {
        let path = &line.verdict.path;
        if let Some(refused) = &line.refused {
            self.refusals += 1;
            keep(&mut self.refused, || format!("{path:?}: {}", refused.trim_end_matches('.')));
        }
        if matches!(line.verdict.verdict, Verdict::Behind | Verdict::Torn | Verdict::NotChecked) {
            if line.explanation.is_none() && line.refused.is_none() {
                self.unexplained += 1;
            }
            let why = line.explanation.as_deref().unwrap_or("nothing is known of why");
            let (verdict, why) = (line.verdict.verdict.name(), why.trim_end_matches('.'));
            keep(&mut self.first, || format!("{path:?} is {verdict}: {why}"));
        }
    }

    /// Whether somebody has to do something before a further look can be better.
    pub(crate) const fn needs_somebody(&self) -> bool {
        self.refusals > 0 || self.unexplained > 0
    }
}

fn keep(list: &mut Vec<String>, line: impl FnOnce() -> String) {
    if list.len() < NAMED {
        list.push(line());
    }
}

/// In a line, what the tables are worth.
pub(crate) fn headline(run: &RunKey, tables: &Tables) -> String {
    let verdicts = &tables.verdicts;
    let kinds = [(verdicts.torn, "torn"), (verdicts.not_checked, "not checked"), (verdicts.behind, "behind")];
    let kinds: Vec<_> =
        kinds.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(", {}", kinds.join(", ")) };
    format!("{} {}: {} of {} tables whole{kinds}", run.source, run.backup_date, verdicts.good(), tables.tables)
}

/// The detail of `Tables Torn`.
pub(crate) fn event(run: &RunKey, redrives: u32, tables: &Tables, told: &Told) -> Value {
    json!({
        "headline": headline(run, tables),
        "source": run.source,
        "backup_date": run.backup_date,
        "execution": run.execution_arn,
        "attempt": redrives.saturating_add(1),
        "tables": tables.tables,
        "verdicts": tables.verdicts,
        "repaired": tables.repaired,
        "first": told.first,
        "refused": told.refused,
        "table_list": tables.list,
        "ledger": run.prefix(),
    })
}

/// The cause of `Levee.TablesTorn`.
pub(crate) fn cause(run: &RunKey, tables: &Tables, told: &Told) -> String {
    let list =
        tables.list.as_ref().map_or_else(String::new, |list| format!(" All are in s3://{}/{}.", list.bucket, list.key));
    let refused = match told.refused.as_slice() {
        [] => String::new(),
        refused => format!(
            " What the copies lack could not be copied from the source: {}. Let the role of the table-verify worker list and \
             read the source (s3:ListBucket, s3:GetObject, s3:GetObjectTagging, and the keys) and write into the snapshot \
             bucket.",
            refused.join("; ")
        ),
    };
    let first = match told.first.as_slice() {
        [] => String::new(),
        first => format!(" {}.", first.join("; ")),
    };
    format!(
        "{}.{first}{refused}{list} Then redrive the execution: every table is looked at again, and torn copies are mended from the \
         source while it still has the files.",
        headline(run, tables)
    )
}
