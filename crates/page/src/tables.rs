//! The tables: all of them as data for the script, and the worst ones as rows for readers without it.

use std::cmp::Reverse;

use levee_delta_log::{MissingObject, MissingWhy, TableVerdict, Verdict};
use levee_ledger::state::{ObjectPointer, TableLine};
use serde::Serialize;

use crate::{
    document::uri,
    text::{count, counted, duration, minute_of, size, visible},
};

/// Rows that stand in the document itself.
pub(crate) const STATIC_ROWS: usize = 200;

/// How a verdict is told: by a sign and a word, so that no colour is needed.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Look {
    pub(crate) word: &'static str,
    pub(crate) sign: &'static str,
    pub(crate) class: &'static str,
}

pub(crate) const fn look(verdict: Verdict) -> Look {
    let (word, sign, class) = match verdict {
        Verdict::Whole => ("whole", "✓", "good"),
        Verdict::CatalogManaged => ("catalog managed", "✓", "good"),
        Verdict::Behind => ("behind", "↓", "warn"),
        Verdict::NotSelfContained => ("not self-contained", "↗", "warn"),
        Verdict::Unsupported => ("unsupported", "?", "warn"),
        Verdict::NotChecked => ("not checked", "?", "bad"),
        Verdict::Torn => ("torn", "✗", "bad"),
    };
    Look { word, sign, class }
}

/// A table's path as it is shown.
pub(crate) fn table_name(table: &TableVerdict) -> String {
    match table.path.as_str() {
        "" => "(the root of the bucket)".to_owned(),
        path => visible(path).into_owned(),
    }
}

/// Everything about the tables.
pub(crate) struct Tables {
    pub(crate) data: Data,
    /// The worst ones.
    pub(crate) first: Vec<StaticRow>,
    pub(crate) total: String,
    /// Whether `first` is not all of them.
    pub(crate) cut: bool,
    pub(crate) shown: String,
    /// Where the list is.
    pub(crate) list: Option<String>,
}

/// What the script reads.
#[derive(Serialize)]
pub(crate) struct Data {
    verdicts: Vec<Look>,
    rows: Vec<Entry>,
}

/// A table in short: a tuple, because thousands of names of fields would be most of the page.
#[derive(Serialize)]
pub(crate) struct Entry(
    /// Path.
    String,
    /// The verdict's place in `verdicts`.
    usize,
    /// The newest version in the log.
    Option<u64>,
    /// The newest whole version.
    Option<u64>,
    /// When that was committed.
    Option<String>,
    /// Its files, bytes and rows.
    Option<u64>,
    Option<u64>,
    Option<u64>,
    /// Missing objects.
    u64,
    /// Why it is not whole.
    Option<String>,
    /// Further facts, name and text.
    Vec<(&'static str, String)>,
);

/// A table as a row of the document.
pub(crate) struct StaticRow {
    pub(crate) path: String,
    pub(crate) look: Look,
    pub(crate) version: String,
    pub(crate) committed: String,
    pub(crate) files: String,
    pub(crate) bytes: String,
    pub(crate) rows: String,
    pub(crate) missing: String,
    pub(crate) reason: Option<String>,
    pub(crate) summary: String,
    pub(crate) details: Vec<(&'static str, String)>,
}

impl Tables {
    /// `lines` are by path.
    pub(crate) fn new(lines: &[&TableLine], list: Option<&ObjectPointer>) -> Self {
        let mut sorted = lines.to_vec();
        sorted.sort_by_key(|line| Reverse(line.verdict.verdict));
        let first: Vec<_> = sorted.iter().take(STATIC_ROWS).map(|line| StaticRow::new(line)).collect();
        Self {
            data: Data {
                verdicts: Verdict::ALL.into_iter().map(look).collect(),
                rows: sorted.iter().map(|line| Entry::new(line)).collect(),
            },
            total: counted(u64::try_from(lines.len()).unwrap_or(u64::MAX), "table", "tables"),
            cut: first.len() < lines.len(),
            shown: count(u64::try_from(first.len()).unwrap_or(u64::MAX)),
            first,
            list: list.map(uri),
        }
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

impl Entry {
    fn new(line: &TableLine) -> Self {
        let table = &line.verdict;
        let whole = table.newest_whole.as_ref();
        Self(
            table_name(table),
            Verdict::ALL.iter().position(|verdict| *verdict == table.verdict).unwrap_or_default(),
            table.latest_version,
            table.newest_whole_version,
            whole.and_then(|version| minute_of(version.timestamp_ms?)),
            whole.map(|version| version.files),
            whole.map(|version| version.bytes),
            whole.and_then(|version| version.rows),
            table.missing_in_all.objects,
            line.explanation.as_deref().map(|text| visible(text).into_owned()),
            details(line),
        )
    }
}

impl StaticRow {
    fn new(line: &TableLine) -> Self {
        let Entry(path, _, latest, whole, committed, files, bytes, rows, missing, reason, details) = Entry::new(line);
        let unknown = || "–".to_owned();
        Self {
            path,
            look: look(line.verdict.verdict),
            version: match (whole, latest) {
                (Some(whole), Some(latest)) if whole < latest => format!("{whole} of {latest}"),
                (Some(whole), _) => whole.to_string(),
                (None, Some(latest)) => format!("none of {latest}"),
                (None, None) => unknown(),
            },
            committed: committed.unwrap_or_else(unknown),
            files: files.map_or_else(unknown, count),
            bytes: bytes.map_or_else(unknown, size),
            rows: rows.map_or_else(unknown, count),
            missing: if missing == 0 { unknown() } else { count(missing) },
            reason,
            summary: details.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
            details,
        }
    }
}

/// What else there is to say of a table; nothing for most.
fn details(line: &TableLine) -> Vec<(&'static str, String)> {
    let table = &line.verdict;
    let mut facts = Vec::new();
    let mut add = |name, text: &str| facts.push((name, visible(text).into_owned()));
    if !table.missing.is_empty() {
        let named = u64::try_from(table.missing.len()).unwrap_or(u64::MAX);
        let all = &table.missing_in_all;
        let first = if all.objects > named { format!(", first {}", count(named)) } else { String::new() };
        let sum = format!("{}, {}{first}", counted(all.objects, "object", "objects"), size(all.bytes));
        let paths: Vec<_> = table.missing.iter().map(missing).collect();
        add("missing", &format!("{sum}: {}", paths.join(", ")));
    }
    if let Some(behind) = &table.behind {
        let time = behind.ms.and_then(|ms| u64::try_from(ms / 1000).ok());
        let time = time.map_or_else(String::new, |seconds| format!(", {}", duration(seconds)));
        let age = line.age_seconds.map_or_else(String::new, |age| format!("; {} old at the inventory", duration(age)));
        add("behind", &format!("by {}{time}{age}", counted(behind.versions, "version", "versions")));
    }
    if !table.unsupported.is_empty() {
        add("unknown features", &table.unsupported.join(", "));
    }
    if let Some(absolute) = &table.absolute {
        let files = counted(absolute.files, "file", "files");
        add("files elsewhere", &format!("{files} in {}", absolute.places.join(", ")));
    }
    if let (Some(why), false) = (&table.opens_in_place.why_not, table.opens_in_place.yes) {
        add("does not open in place", why);
    }
    if let Some(repair) = &line.repair {
        let before = look(repair.before).word;
        let what = counted(repair.objects, "object", "objects");
        let pointer = if repair.last_checkpoint_written { "; _last_checkpoint was written anew" } else { "" };
        add("repaired", &format!("was {before}; {what} ({}) copied from the source{pointer}", size(repair.bytes)));
    }
    if let Some(name) = &table.name {
        add("name", name);
    }
    for note in &table.notes {
        add("remark", note);
    }
    facts
}

fn missing(object: &MissingObject) -> String {
    let path = &object.path;
    match (object.why, object.want, object.have) {
        (MissingWhy::Absent, ..) => path.clone(),
        (MissingWhy::DvAbsent, ..) => format!("{path} (deletion vectors)"),
        (MissingWhy::Size | MissingWhy::DvShort, Some(want), Some(have)) => {
            format!("{path} ({} bytes in place of {})", count(have), count(want))
        }
        (MissingWhy::Size, ..) => format!("{path} (another size)"),
        (MissingWhy::DvShort, ..) => format!("{path} (deletion vectors are cut off)"),
    }
}
