//! What of a closed run somebody should look at, worst first, each with what to do.

use levee_delta_log::{TableVerdict, Verdict};
use levee_ledger::{
    receipt::Receipt,
    state::{ObjectPointer, TableLine, VerdictCounts},
};

use crate::{
    document::uri,
    tables::{look, table_name},
    text::{count, counted, visible},
};

/// Tables or places that an item names.
const NAMED: usize = 5;

/// One thing to look at.
pub(crate) struct Need {
    /// Whether it is a failing of the backup; otherwise it is worth knowing.
    pub(crate) serious: bool,
    pub(crate) what: String,
    pub(crate) to_do: String,
    /// Which, and why.
    pub(crate) named: Vec<(String, String)>,
    /// How many more there are.
    pub(crate) more: Option<String>,
    /// Where the full lists are.
    pub(crate) places: Vec<String>,
}

impl Need {
    fn new(serious: bool, what: String, to_do: &str) -> Self {
        Self { serious, what, to_do: to_do.to_owned(), named: Vec::new(), more: None, places: Vec::new() }
    }

    fn at<'a>(mut self, pointers: impl IntoIterator<Item = &'a ObjectPointer>) -> Self {
        self.places.extend(pointers.into_iter().map(uri));
        self
    }

    fn naming(mut self, tables: &[&TableLine], why: impl Fn(&TableLine) -> String) -> Self {
        self.named = tables.iter().take(NAMED).map(|line| (table_name(&line.verdict), why(line))).collect();
        let more = u64::try_from(tables.len().saturating_sub(NAMED)).unwrap_or(u64::MAX);
        self.more = (more > 0).then(|| format!("and {} in the list of tables below", counted(more, "more", "more")));
        self
    }
}

/// What somebody should look at, worst first. `lines` are by path.
pub(crate) fn needs(receipt: &Receipt, lines: &[&TableLine], left_out: &VerdictCounts) -> Vec<Need> {
    let mut needs = Vec::new();
    needs.extend(arithmetic(receipt, lines, left_out));
    for verdict in Verdict::ALL.into_iter().rev().filter(|verdict| !verdict.is_good()) {
        needs.extend(with_verdict(verdict, lines, left_out.of(verdict)));
    }
    needs.extend(objects(receipt));
    needs.extend(does_not_open(lines));
    needs.extend(repaired(lines));
    needs.extend(notes(lines));
    if receipt.tables.tables.tables == 0 && receipt.snapshot.objects > 0 {
        let to_do = "If the source should have tables, look at the selection of the run and at where their _delta_log folders are.";
        needs.push(Need::new(false, "No Delta table was found in the snapshot".to_owned(), to_do));
    }
    needs
}

/// A receipt that contradicts itself is not taken for a good one.
fn arithmetic(receipt: &Receipt, lines: &[&TableLine], left_out: &VerdictCounts) -> Vec<Need> {
    let (objects, inventory) = (&receipt.objects, receipt.inventory.objects);
    let fates = objects.accounted();
    let mut needs = Vec::new();
    if fates != inventory {
        let what = format!(
            "The counts do not add up: {} copied, vanished, skipped or not selected, {} in the inventory",
            count(fates),
            count(inventory)
        );
        let to_do = "Do not rely on this run. Compare the receipt with the records of the stages in the ledger.";
        needs.push(Need::new(true, what, to_do));
    }
    let tables = &receipt.tables.tables;
    let shown = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    let not_shown = left_out.all();
    let (listed, mut verdicts) = (shown.saturating_add(not_shown), *left_out);
    lines.iter().for_each(|line| verdicts.add(line.verdict.verdict));
    if listed != tables.tables || verdicts != tables.verdicts {
        let what = format!(
            "The list of tables is not the one that was counted: {} in the list, {} in the receipt",
            count(listed),
            count(tables.tables)
        );
        let to_do = "Do not rely on the list below. Compare the list's digest with the one in the receipt.";
        needs.push(Need::new(true, what, to_do).at(tables.list.as_ref()));
    }
    if not_shown > 0 {
        let what = format!(
            "{} not on this page, {} of them not whole",
            counted(not_shown, "table is", "tables are"),
            count(not_shown.saturating_sub(left_out.good()))
        );
        let to_do = "A browser shows no more of them. The list of tables has all; levee show prints it.";
        needs.push(Need::new(false, what, to_do).at(tables.list.as_ref()));
    }
    needs
}

fn with_verdict(verdict: Verdict, lines: &[&TableLine], left_out: u64) -> Option<Need> {
    let tables: Vec<_> = lines.iter().copied().filter(|line| line.verdict.verdict == verdict).collect();
    let number = u64::try_from(tables.len()).unwrap_or(u64::MAX).saturating_add(left_out);
    let (one, many, to_do) = match verdict {
        Verdict::Whole | Verdict::CatalogManaged => return None,
        Verdict::Torn => (
            "table is torn: no version of it is wholly in the snapshot",
            "tables are torn: no version of them is wholly in the snapshot",
            "Restore them from an earlier snapshot if they are needed. Then see to the reason that stands with each, so that the next night copies them whole.",
        ),
        Verdict::NotChecked => (
            "table could not be checked, so nothing is proved about it",
            "tables could not be checked, so nothing is proved about them",
            "See the remark of each for what is in the way.",
        ),
        Verdict::Unsupported => (
            "table asks readers for a feature that is not known here, so nothing is proved about it",
            "tables ask readers for features that are not known here, so nothing is proved about them",
            "Open the copy with a reader that knows the feature, and use a release of Levee that does.",
        ),
        Verdict::NotSelfContained => (
            "table has files outside of its folder",
            "tables have files outside of their folders",
            "A restore needs those places too: see that they are backed up, or make the table whole in itself (a deep clone).",
        ),
        Verdict::Behind => (
            "table is behind: an older version than its newest is whole",
            "tables are behind: an older version than their newest is whole",
            "The version that is named can be restored. If this comes back, let the copy and the writers of the table be further apart.",
        ),
    };
    (number > 0).then(|| Need::new(true, counted(number, one, many), to_do).naming(&tables, because))
}

/// Why a table is not whole, in short.
fn because(line: &TableLine) -> String {
    let table = &line.verdict;
    let mut parts = Vec::new();
    match (table.newest_whole_version, table.latest_version) {
        (Some(whole), Some(latest)) if whole < latest => parts.push(format!("version {whole} of {latest} is whole")),
        _ => {}
    }
    if table.missing_in_all.objects > 0 {
        parts.push(format!("{} missing", counted(table.missing_in_all.objects, "object is", "objects are")));
    }
    if !table.unsupported.is_empty() {
        parts.push(format!("asks for {}", table.unsupported.join(", ")));
    }
    parts.extend(
        table
            .absolute
            .iter()
            .map(|absolute| format!("{} in {}", counted(absolute.files, "file", "files"), absolute.places.join(", "))),
    );
    parts.extend(line.explanation.clone());
    visible(&parts.join("; ")).into_owned()
}

fn objects(receipt: &Receipt) -> Vec<Need> {
    let mut needs = Vec::new();
    if let Some(why) = &receipt.tables.tables.not_checked {
        let to_do = "What the tables of this copy are worth is not known. Restore the copies of one to a readable class, and give it a verdict with levee verify.";
        needs.push(Need::new(true, format!("No table was checked: {}", visible(why)), to_do));
    }
    let skipped = receipt.objects.skipped;
    if skipped > 0 {
        let what = counted(skipped, "selected object was not copied", "selected objects were not copied");
        let to_do = "They are archived and the run skips such objects, or they are under a key of the customer's own. Each is in the list with its reason: have archived ones restored (the setting archived of the source), or leave them out by the selection.";
        needs.push(Need::new(true, what, to_do).at(&receipt.objects.lists));
    }
    let snapshot = &receipt.snapshot;
    if snapshot.changed > 0 {
        let what = counted(
            snapshot.changed,
            "object in the snapshot has another size than the inventory says",
            "objects in the snapshot have other sizes than the inventory says",
        );
        let to_do = "They were overwritten between inventory and copy. Tables overwrite no file but _last_checkpoint; of other objects the copy is the newer one.";
        needs.push(Need::new(false, what, to_do).at(&snapshot.findings));
    }
    if snapshot.unexpected > 0 {
        let what = counted(
            snapshot.unexpected,
            "object in the snapshot was not planned",
            "objects in the snapshot were not planned",
        );
        let to_do = "Copies of an earlier execution for the date are harmless. Find out who else can write into the bucket if it is not that.";
        needs.push(Need::new(true, what, to_do).at(&snapshot.findings));
    }
    needs
}

fn does_not_open(lines: &[&TableLine]) -> Option<Need> {
    let closed = |table: &TableVerdict| table.verdict.is_good() && !table.opens_in_place.yes;
    let tables: Vec<_> = lines.iter().copied().filter(|line| closed(&line.verdict)).collect();
    let number = u64::try_from(tables.len()).unwrap_or(u64::MAX);
    let what = counted(
        number,
        "table is whole, but a reader that opens the copy does not get that version",
        "tables are whole, but a reader that opens the copy does not get that version",
    );
    let to_do = "Every byte of that version is there. Restore it by its version, without the log files above it.";
    let why =
        |line: &TableLine| visible(line.verdict.opens_in_place.why_not.as_deref().unwrap_or_default()).into_owned();
    (number > 0).then(|| Need::new(false, what, to_do).naming(&tables, why))
}

fn repaired(lines: &[&TableLine]) -> Option<Need> {
    let tables: Vec<_> = lines.iter().copied().filter(|line| line.repair.is_some()).collect();
    let number = u64::try_from(tables.len()).unwrap_or(u64::MAX);
    let what = counted(
        number,
        "table was repaired with objects from the source",
        "tables were repaired with objects from the source",
    );
    let to_do =
        "Nothing is to be done. If it is many of them every night, the inventory is taken while they are written.";
    let why = |line: &TableLine| {
        line.repair.as_ref().map_or_else(String::new, |repair| {
            format!("was {}; {} copied", look(repair.before).word, counted(repair.objects, "object", "objects"))
        })
    };
    (number > 0).then(|| Need::new(false, what, to_do).naming(&tables, why))
}

fn notes(lines: &[&TableLine]) -> Option<Need> {
    let tables: Vec<_> =
        lines.iter().copied().filter(|line| line.verdict.verdict.is_good() && !line.verdict.notes.is_empty()).collect();
    let number = u64::try_from(tables.len()).unwrap_or(u64::MAX);
    let what = counted(number, "whole table has a remark", "whole tables have remarks");
    let to_do = "Read what stands with each. A suspected second incarnation is the one to look into: its files may be those of a table that was dropped.";
    let why = |line: &TableLine| visible(&line.verdict.notes.join(" ")).into_owned();
    (number > 0).then(|| Need::new(false, what, to_do).naming(&tables, why))
}
