//! What `levee plan` says, as text and as JSON.

use std::{collections::BTreeMap, fmt};

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use jiff::Timestamp;
use levee_formats::inventory::{Column, Manifest};
use levee_ledger::state::{Amount, COPY_LIMIT_BYTES, Decision, SkippedRow};
use levee_manifest_ready::scan::Count;
use serde::Serialize;

use super::{
    cost::{Cost, Line, size},
    prices::Origin,
    survey::{Named, NamedTable, Survey},
};

/// What a run would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outlook {
    /// The bucket that would be backed up.
    pub source_bucket: String,
    /// When the scan of the inventory began.
    pub scan_started: Timestamp,
    /// Its data files.
    pub files: usize,
    /// All its objects.
    pub objects: u64,
    /// Their bytes; absent where it has no sizes.
    pub bytes: Option<u64>,
    /// Objects and bytes by what would be done with them.
    pub decisions: BTreeMap<Decision, Amount>,
    /// The same by storage class; the class is empty where the inventory does not say it.
    pub storage_classes: BTreeMap<Decision, BTreeMap<String, Amount>>,
    /// Whether the run would be given the inventory as it is.
    pub one_job_for_all: bool,
    /// Whether the run would fail because the selection takes nothing.
    pub nothing_selected: bool,
    /// The largest objects that would be copied.
    pub largest: Vec<Named>,
    /// The largest folders that are tables if any are, by their objects that would be copied: partitions and logs belong to the
    /// folder above them.
    pub largest_tables: Vec<NamedTable>,
    /// All such folders; absent where they are too many to be told apart.
    pub tables: Option<usize>,
    /// The first objects that are selected and would not be copied.
    pub not_copied: Vec<SkippedRow>,
    /// What the inventory does not tell.
    pub unknown: Vec<String>,
    /// The storage class of the copies.
    pub copies_storage_class: String,
    /// What the run and its snapshot would cost; absent where the inventory has no sizes.
    pub cost: Option<Cost>,
    /// Where the prices are from.
    pub prices: Origin,
}

impl Outlook {
    pub(super) fn new(
        manifest: &Manifest,
        count: &Count,
        survey: &Survey,
        class: &str,
        cost: Option<Cost>,
        prices: Origin,
    ) -> Self {
        let mut storage_classes = BTreeMap::<_, BTreeMap<_, _>>::new();
        for ((decision, class), amount) in survey.classes() {
            storage_classes.entry(decision).or_default().insert(class.to_owned(), amount);
        }
        let (largest_tables, tables) = survey.largest_tables();
        Self {
            source_bucket: manifest.source_bucket.clone(),
            scan_started: manifest.created,
            files: manifest.files.len(),
            objects: count.objects,
            bytes: manifest.schema.has(&Column::Size).then_some(count.bytes),
            decisions: count.decisions(),
            storage_classes,
            one_job_for_all: count.is_all_batch(),
            nothing_selected: count.is_nothing_selected(),
            largest: survey.largest(),
            largest_tables,
            tables,
            not_copied: survey.not_copied.clone(),
            unknown: unknown(manifest),
            copies_storage_class: class.to_owned(),
            cost,
            prices,
        }
    }
}

/// What missing columns leave unknown.
fn unknown(manifest: &Manifest) -> Vec<String> {
    let missing =
        |(column, what): (Column, &str)| (!manifest.schema.has(&column)).then(|| format!("without {column}: {what}"));
    [
        (Column::Size, "which objects are too large for a copy job, and what the run would cost"),
        (Column::StorageClass, "which objects are archived"),
        (Column::IntelligentTieringAccessTier, "which objects of INTELLIGENT_TIERING are archived"),
        (Column::EncryptionStatus, "which objects are under keys of the customer's own (SSE-C)"),
    ]
    .into_iter()
    .filter_map(missing)
    .collect()
}

/// What a decision means.
fn meaning(decision: Decision) -> String {
    match decision {
        Decision::Batch => "copied by a copy job".to_owned(),
        Decision::Large => format!("above {COPY_LIMIT_BYTES} bytes: copied in parts"),
        Decision::Restore => "archived: restored first, then copied".to_owned(),
        Decision::SkippedArchived => "archived: not copied, and named".to_owned(),
        Decision::Unsupported => "under a key of the customer's own (SSE-C): cannot be copied, and named".to_owned(),
        Decision::Excluded => "not selected".to_owned(),
    }
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.map_or_else(String::new, |bytes| format!(", {}", size(bytes)));
        writeln!(
            f,
            "{} objects{bytes} of {} in {} data files, scanned at {}",
            self.objects, self.source_bucket, self.files, self.scan_started
        )?;
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header([
            "objects",
            "bytes",
            "what a run does with them",
            "storage classes",
        ]);
        for (decision, amount) in &self.decisions {
            let classes = self.storage_classes.get(decision).map(told).unwrap_or_default();
            table.add_row([amount.rows.to_string(), size(amount.bytes), meaning(*decision), classes]);
        }
        align(&mut table, [0, 1]);
        writeln!(f, "{table}")?;
        if self.nothing_selected {
            writeln!(f, "The selection takes none of the objects: a run fails with Levee.NothingSelected.")?;
        } else if self.one_job_for_all {
            writeln!(f, "One copy job is given the inventory as it is; nothing has to be planned.")?;
        }
        for unknown in &self.unknown {
            writeln!(f, "Not known {unknown}.")?;
        }
        self.objects_by_name(f)?;
        self.costs(f)
    }
}

impl Outlook {
    fn objects_by_name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.largest_tables.is_empty() {
            let all = self.tables.map_or_else(|| "very many".to_owned(), |tables| tables.to_string());
            writeln!(f, "\nThe largest of {all} folders that may be tables, partitions and logs counted with them:")?;
            for table in &self.largest_tables {
                writeln!(f, "  {:>10}  {} objects  {:?}", size(table.bytes), table.objects, table.folder)?;
            }
        }
        if !self.largest.is_empty() {
            writeln!(f, "\nThe largest objects that are copied:")?;
            for object in &self.largest {
                writeln!(f, "  {:>10}  {:?}", size(object.size), object.key)?;
            }
        }
        if !self.not_copied.is_empty() {
            writeln!(f, "\nThe first that are selected and not copied:")?;
            for row in &self.not_copied {
                let bytes = row.size.map(size).unwrap_or_default();
                writeln!(f, "  {bytes:>10}  {:?}  ({})", row.key, meaning(row.reason))?;
            }
        }
        Ok(())
    }

    fn costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cost) = &self.cost else {
            return write!(f, "\nWithout sizes the cost cannot be estimated.");
        };
        let currency = &self.prices.currency;
        writeln!(f, "\nEstimated cost of the run")?;
        writeln!(f, "{}", sums(&cost.run, cost.run_total, currency))?;
        writeln!(f, "Estimated cost of the snapshot, a month, in {}", self.copies_storage_class)?;
        writeln!(f, "{}", sums(&cost.month, cost.month_total, currency))?;
        if cost.minimum_days > 0 {
            writeln!(f, "At least {} days of storage are charged, however soon it is deleted.", cost.minimum_days)?;
        }
        writeln!(
            f,
            "Prices of {} for {}, from {}. Not in it: KMS requests, Step Functions, queues, workers, taxes, and retries.",
            self.prices.date, self.prices.region, self.prices.source
        )?;
        write!(f, "Not confirmed: {}.", self.prices.unconfirmed.join("; "))
    }
}

fn told(classes: &BTreeMap<String, Amount>) -> String {
    let known = classes.iter().filter(|(class, _)| !class.is_empty());
    known.map(|(class, amount)| format!("{class} {}", amount.rows)).collect::<Vec<_>>().join(", ")
}

fn sums(lines: &[Line], total: f64, currency: &str) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["", "", currency]);
    for line in lines {
        table.add_row([line.what.clone(), line.quantity.clone(), money(line.amount)]);
    }
    table.add_row(["in all".to_owned(), String::new(), money(total)]);
    align(&mut table, [2, 2]);
    table
}

/// Cents, and more digits where there would be nothing but zeros.
fn money(amount: f64) -> String {
    if amount == 0.0 || amount >= 0.01 { format!("{amount:.2}") } else { format!("{amount:.6}") }
}

fn align(table: &mut Table, columns: [usize; 2]) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
