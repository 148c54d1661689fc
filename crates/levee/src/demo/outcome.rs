//! What a night came to, for people and as JSON.

use std::{collections::BTreeMap, fmt, time::Duration};

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use levee_twin::FaultPlan;
use serde::Serialize;

use super::{BackOutcome, Comparison, CountedBy, TableOutcome, progress::readable};
use crate::supervised::Lives;

/// What a night came to. The JSON form of the demo's outcome; fields are only ever added.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Objects in the inventory that the night copied; null when the night failed before it was read.
    pub objects: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// Objects that were copied, as `counted_by` has counted them; null when nobody has.
    pub succeeded: Option<u64>,
    /// Objects that were not, and are not gone from the source either.
    pub failed: Option<u64>,
    /// Those by class, where the report was read; classes without objects are absent.
    pub failed_by_class: BTreeMap<String, u64>,
    /// Objects that were gone from the source when their turn came; null where no report was read.
    pub vanished: Option<u64>,
    /// Who counted; null when the night failed before anybody could.
    pub counted_by: Option<CountedBy>,
    /// The source bucket.
    pub source_bucket: String,
    /// The dated bucket; null when the night failed before it was made.
    pub snapshot_bucket: Option<String>,
    /// The day that the snapshot stands for.
    pub backup_date: String,
    /// Whether every object of the source is in the snapshot with the same bytes, user metadata and tags, and nothing else.
    pub identical: bool,
    /// The comparison behind `identical`; null when there is no snapshot bucket.
    pub comparison: Option<Comparison>,
    /// What the night comes to, by its receipt; null when it was not closed.
    pub headline: Option<String>,
    /// The tables of the snapshot with their verdicts; empty when the night did not come so far.
    pub tables: Vec<TableOutcome>,
    /// The page of the run, as a file of this machine; null when there is none.
    pub page: Option<String>,
    /// The stages that every night goes through, in its order.
    pub stages: Vec<StageTime>,
    /// How the execution ended.
    pub execution: ExecutionOutcome,
    /// Where the records of the night are: a folder with `--out`, else a bucket that ended with the demo.
    pub ledger: String,
    /// From the start of the execution to its end, on the night's clock.
    pub simulated_seconds: f64,
    /// What the whole demo took, on this machine's clock.
    pub real_seconds: f64,
    /// The table that was purged after the night and brought back from its snapshot; null when the night failed or there was no
    /// table, and with a plan of faults, which is about the night.
    pub back: Option<BackOutcome>,
    /// What the plan of faults did; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<FaultsOutcome>,
}

/// What a plan of faults did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultsOutcome {
    /// How often each rule struck, by its place in the plan (`calls[0]`).
    pub struck: BTreeMap<String, u64>,
    /// How often the workers' process died by the plan.
    pub deaths: u64,
    /// How often it ended because a worker could not go on.
    pub failures: u64,
}

/// How long a stage took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageTime {
    /// The stage's name.
    pub name: String,
    /// How often the state machine entered it.
    pub entered: u32,
    /// Whether it is done, by the last time it was entered.
    pub done: bool,
    /// The time in it, on the night's clock.
    pub simulated_seconds: f64,
}

/// How the execution ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExecutionOutcome {
    /// Its ARN.
    pub arn: String,
    /// Its status, as Step Functions names it.
    pub status: String,
    /// The name of the error that ended it.
    pub error: Option<String>,
    /// What happened, to what, and what to do.
    pub cause: Option<String>,
}

impl FaultsOutcome {
    pub(super) fn new(plan: &FaultPlan, struck: BTreeMap<String, u64>, lives: Lives) -> Self {
        // Rules that never struck are the surprising ones: they have a line, too.
        let mut all: BTreeMap<_, _> = plan.rules().into_iter().map(|rule| (rule, 0)).collect();
        all.extend(struck);
        Self { struck: all, deaths: lives.deaths, failures: lives.failures }
    }
}

impl Outcome {
    /// Whether the night succeeded and the snapshot is proved.
    #[must_use]
    pub fn good(&self) -> bool {
        let back = self.back.as_ref().is_none_or(|back| back.identical);
        self.execution.status == "SUCCEEDED" && self.identical && back
    }

    fn table_of_tables(&self) -> Table {
        let count = |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
        let mut tables = Table::new();
        tables.load_style(UTF8_FULL_CONDENSED).set_header(["table", "verdict", "version", "files", "rows"]);
        for table in &self.tables {
            let verdict = table.verdict.name().replace('_', " ");
            tables.add_row([table.path.clone(), verdict, count(table.version), count(table.files), count(table.rows)]);
        }
        tables
    }

    fn verdict(&self) -> String {
        let compared = self.comparison.as_ref();
        if self.good() {
            let equal = compared.map_or(0, |all| all.source_objects);
            return format!(
                "Every object of the source is in the snapshot: {equal} compared by SHA-256, user metadata and tags."
            );
        }
        let mut lines = Vec::new();
        if self.execution.status != "SUCCEEDED" {
            let error = self.execution.error.as_deref().unwrap_or("no error was given");
            let cause = self.execution.cause.as_deref().unwrap_or("no cause was given");
            lines.push(format!("The night failed ({}): {error}\n{cause}", self.execution.status));
            lines.push(format!("The records of the night: {}", self.ledger));
        }
        match compared {
            Some(all) if !all.identical() => {
                lines.push(format!("{} keys differ between source and snapshot:", all.differences.len()));
                lines.extend(all.differences.iter().take(20).map(|d| format!("  {:?} {}", d.key, d.what)));
                let more = all.differences.len().saturating_sub(20);
                if more > 0 {
                    lines.push(format!("  and {more} more; --json lists all"));
                }
            }
            _ => {}
        }
        lines.join("\n")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown = || "not known".to_owned();
        let counted = |count: Option<u64>| match (count, self.counted_by) {
            (None, _) => unknown(),
            (Some(count), Some(CountedBy::Job)) => {
                format!("{count}, as the job counts, without a report that proves it")
            }
            (Some(count), _) => count.to_string(),
        };
        let mut failed = counted(self.failed);
        if !self.failed_by_class.is_empty() {
            let classes: Vec<_> =
                self.failed_by_class.iter().map(|(class, count)| format!("{class} {count}")).collect();
            failed = format!("{failed} ({})", classes.join(", "));
        }
        let mut facts = Table::new();
        facts.load_style(UTF8_FULL_CONDENSED).set_header(["", "this night"]);
        facts.add_row(["backup date", &self.backup_date]);
        facts.add_row(["source bucket", &self.source_bucket]);
        facts.add_row(["snapshot bucket", self.snapshot_bucket.as_deref().unwrap_or("not made")]);
        facts.add_row(["objects", &self.objects.map_or_else(unknown, |count| count.to_string())]);
        facts.add_row(["bytes", &self.bytes.map_or_else(unknown, |count| count.to_string())]);
        facts.add_row(["succeeded", &counted(self.succeeded)]);
        facts.add_row(["failed", &failed]);
        if let Some(vanished) = self.vanished.filter(|vanished| *vanished > 0) {
            facts.add_row(["vanished", &vanished.to_string()]);
        }
        facts.add_row(["ledger", &self.ledger]);
        if let Some(faults) = &self.faults {
            facts.add_row(["faults", &faults.to_string()]);
        }
        let mut stages = Table::new();
        stages.load_style(UTF8_FULL_CONDENSED).set_header(["stage", "result", "time (simulated)"]);
        for stage in &self.stages {
            let result = match (stage.entered, stage.done) {
                (0, _) => "not reached",
                (_, true) => "done",
                (_, false) => "failed",
            };
            stages.add_row([&stage.name, result, &duration(stage.simulated_seconds)]);
        }
        stages.add_row(["the whole night", &self.execution.status.to_lowercase(), &duration(self.simulated_seconds)]);
        writeln!(f, "{facts}\n{stages}")?;
        if !self.tables.is_empty() {
            writeln!(f, "{}", self.table_of_tables())?;
        }
        writeln!(f, "The night's times are simulated; in real time the demo took {:.1} s.", self.real_seconds)?;
        write!(f, "{}", self.verdict())?;
        if let Some(headline) = &self.headline {
            write!(f, "\n{headline}")?;
        }
        if let Some(back) = &self.back {
            write!(f, "\n\n{back}")?;
        }
        if let Some(page) = &self.page {
            write!(f, "\nThe page of the run: {page}")?;
        }
        Ok(())
    }
}

impl fmt::Display for BackOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, version, purged, restored, rows, .. } = self;
        writeln!(f, "Then somebody purged the table {table}: {purged} data files were deleted.")?;
        writeln!(
            f,
            "levee restore plan --in-place and levee restore apply put {restored} objects back, for version {version}."
        )?;
        writeln!(f, "{}", self.headline)?;
        match self.identical {
            true => write!(f, "Every row is what it was: {rows} compared."),
            false => write!(f, "Of {rows} rows that were compared, some are not what they were."),
        }
    }
}

impl fmt::Display for FaultsOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.struck.iter().map(|(rule, times)| format!("{rule} struck {times} times"));
        let ends = [("the workers died", self.deaths), ("the workers gave up", self.failures)];
        let ends =
            ends.into_iter().filter(|(_, times)| *times > 0).map(|(what, times)| format!("{what} {times} times"));
        write!(f, "{}", rules.chain(ends).collect::<Vec<_>>().join("\n"))
    }
}

fn duration(seconds: f64) -> String {
    readable(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
