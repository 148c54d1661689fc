//! What `levee verify` says, as text and as JSON.

use std::{io::Write, process::ExitCode};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use levee_delta_log::{AtVersion, MissingWhy, TableVerdict};
use levee_ledger::state::VerdictCounts;
use levee_page::text::{counted, duration};
use serde::Serialize;

use crate::exit;

/// Tables that were checked.
#[derive(Debug, Serialize)]
pub(super) struct Outlook {
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_version: Option<u64>,
    tables: Vec<Checked>,
    verdicts: VerdictCounts,
    /// Tables that could not be checked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_checked: Vec<NotChecked>,
    /// Why no table was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing: Option<String>,
}

/// A table that was checked.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    #[serde(flatten)]
    pub(super) verdict: TableVerdict,
    /// The answer about the version that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at_version: Option<AtVersion>,
    /// The data files of the version that is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) files: Option<Vec<String>>,
}

impl Checked {
    /// Whether it is whole, in the version that was asked for where one was.
    fn is_good(&self) -> bool {
        self.at_version.as_ref().map_or_else(|| self.verdict.verdict.is_good(), |at| at.whole)
    }
}

#[derive(Debug, Serialize)]
struct NotChecked {
    path: String,
    cause: String,
}

impl Outlook {
    pub(super) fn new(place: String, at_version: Option<u64>) -> Self {
        let (tables, verdicts, not_checked) = (Vec::new(), VerdictCounts::default(), Vec::new());
        Self { place, at_version, tables, verdicts, not_checked, nothing: None }
    }

    /// Of a place where there is nothing to check.
    pub(super) fn nothing(place: String, why: String) -> Self {
        Self { nothing: Some(why), ..Self::new(place, None) }
    }

    pub(super) fn take(&mut self, table: Checked) {
        self.verdicts.add(table.verdict.verdict);
        self.tables.push(table);
    }

    pub(super) fn cannot(&mut self, path: String, cause: String) {
        self.not_checked.push(NotChecked { path, cause });
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        if !self.not_checked.is_empty() || self.nothing.is_some() {
            ExitCode::from(exit::USAGE)
        } else if self.tables.iter().all(Checked::is_good) {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(exit::FAILED)
        }
    }

    pub(super) fn print(&self, json: bool) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let written = if json {
            serde_json::to_writer_pretty(&mut out, self).map_err(std::io::Error::from).and_then(|()| writeln!(out))
        } else {
            self.write_text(&mut out)
        };
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written.context("standard output could not be written"),
        }
    }

    fn write_text(&self, out: &mut impl Write) -> std::io::Result<()> {
        if let Some(nothing) = &self.nothing {
            return writeln!(out, "{nothing}");
        }
        writeln!(out, "{}", self.headline())?;
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(["table", "verdict", "newest", "whole", "files", "bytes", "missing", "opens in place"]);
        for column in 2..=6 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for checked in &self.tables {
            table.add_row(row(&checked.verdict));
        }
        writeln!(out, "{table}")?;
        for table in self.tables.iter().filter(|table| !table.is_good() || !table.verdict.opens_in_place.yes) {
            write_finding(out, &table.verdict)?;
            if let Some(at) = table.at_version.as_ref().filter(|at| !at.whole) {
                writeln!(out, "  version {} is not whole: it lacks {} objects", at.version, at.missing_in_all.objects)?;
                at.notes.iter().try_for_each(|note| writeln!(out, "  {note}"))?;
            }
        }
        for table in &self.not_checked {
            writeln!(out, "\n{} could not be checked: {}", named(&table.path), table.cause)?;
        }
        Ok(())
    }

    fn headline(&self) -> String {
        let at = self.at_version.map(|version| format!(" at version {version}")).unwrap_or_default();
        let good = self.tables.iter().filter(|table| table.is_good()).count();
        let failed = match self.not_checked.len() {
            0 => String::new(),
            count => format!(", {count} could not be checked"),
        };
        format!("{good} of {} tables below {} are whole{at}{failed}", self.tables.len(), self.place)
    }
}

fn row(verdict: &TableVerdict) -> [String; 8] {
    let version = |version: Option<u64>| version.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let whole = verdict.newest_whole.as_ref();
    let count = |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
    [
        named(&verdict.path),
        verdict.verdict.name().replace('_', " "),
        version(verdict.latest_version),
        version(verdict.newest_whole_version),
        count(whole.map(|facts| facts.files)),
        count(whole.map(|facts| facts.bytes)),
        verdict.missing_in_all.objects.to_string(),
        if verdict.opens_in_place.yes { "yes" } else { "no" }.to_owned(),
    ]
}

fn write_finding(out: &mut impl Write, verdict: &TableVerdict) -> std::io::Result<()> {
    writeln!(out, "\n{} is {}", named(&verdict.path), verdict.verdict.name().replace('_', " "))?;
    if let Some(version) = verdict.latest_loadable_version.filter(|_| verdict.missing_in_all.objects > 0) {
        writeln!(out, "  version {version} lacks {} objects:", verdict.missing_in_all.objects)?;
    }
    if let Some(behind) = &verdict.behind {
        let time = behind.ms.and_then(|ms| u64::try_from(ms / 1000).ok()).map(duration);
        let time = time.map_or_else(String::new, |time| format!(", {time}"));
        writeln!(
            out,
            "  the newest whole version is behind by {}{time}",
            counted(behind.versions, "version", "versions")
        )?;
    }
    for missing in &verdict.missing {
        let why = match missing.why {
            MissingWhy::Absent => "is not there",
            MissingWhy::Size => "has another size",
            MissingWhy::DvAbsent => "has deletion vectors and is not there",
            MissingWhy::DvShort => "ends before its deletion vectors do",
        };
        let sizes = match (missing.want, missing.have) {
            (Some(want), Some(have)) => format!(": {have} bytes, {want} wanted"),
            _ => String::new(),
        };
        writeln!(out, "    {} {why}{sizes}", named(&missing.path))?;
    }
    if let Some(absolute) = &verdict.absolute {
        writeln!(out, "  {} files are elsewhere: {}", absolute.files, absolute.places.join(", "))?;
    }
    if !verdict.unsupported.is_empty() {
        writeln!(out, "  readers must know {}, which is not known here", verdict.unsupported.join(", "))?;
    }
    if let Some(why_not) = &verdict.opens_in_place.why_not {
        writeln!(out, "  it does not open where it is: {why_not}")?;
    }
    verdict.notes.iter().try_for_each(|note| writeln!(out, "  {note}"))
}

/// A path as a terminal can show it.
fn named(path: &str) -> String {
    if path.is_empty() { ".".to_owned() } else { path.escape_debug().to_string() }
}
