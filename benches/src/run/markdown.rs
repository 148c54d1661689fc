//! The tables.

use std::{fmt::Write, fs, path::Path};

use anyhow::{Context, Result};

use super::{
    Figures, TaskName,
    contest::{Measured, Role, Spread, TaskResult},
    flat::Growth,
};
use crate::number;

const BEGIN: &str = "<!-- bench -->";
const END: &str = "<!-- /bench -->";

/// Puts the tables between the two comments of a file.
pub(super) fn replace_in(path: &Path, tables: &str) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lacks = || format!("{} lacks the comments {BEGIN} and {END}", path.display());
    let (before, rest) = text.split_once(BEGIN).with_context(lacks)?;
    let (_, after) = rest.split_once(END).with_context(lacks)?;
    fs::write(path, format!("{before}{BEGIN}\n{tables}{END}{after}"))?;
    Ok(())
}

/// All tables.
pub(super) fn tables(figures: &Figures) -> String {
    let mut out = String::new();
    let machine = &figures.machine;
    let peers = if machine.peers.is_empty() { String::new() } else { format!(" Peers: {}.", machine.peers.join(", ")) };
    let _ = writeln!(
        out,
        "{}, {} cores, {} GiB; {} threads each; {}, warm.{peers}\n",
        machine.processor,
        machine.cores,
        machine.memory_gib,
        figures.settings.threads,
        if figures.settings.times == 1 { "once".to_owned() } else { format!("medians of {}", figures.settings.times) },
    );
    out.push_str("| task | contestant | seconds (min–max) | rows/s | MB/s | CPU s | peak MiB | to the faster peer | to the limit |\n");
    out.push_str("|---|---|--:|--:|--:|--:|--:|--:|--:|\n");
    for task in &figures.tasks {
        for contestant in &task.contestants {
            row(&mut out, task, contestant);
        }
    }
    if !figures.growth.is_empty() {
        growth(&mut out, &figures.growth);
    }
    out
}

fn row(out: &mut String, task: &TaskResult, contestant: &Measured) {
    let ours = contestant.role == Role::Ours;
    let mark = if ours { "**" } else { "" };
    let ratio = |ratio: Option<f64>, text: fn(f64) -> String| ratio.filter(|_| ours).map(text).unwrap_or_default();
    let _ = writeln!(
        out,
        "| {} | {mark}{}{mark} | {} | {} | {} | {} | {} | {} | {} |",
        if ours { title(task.task, task.rows) } else { String::new() },
        contestant.name,
        seconds(&contestant.seconds),
        if contestant.role == Role::Limit { String::new() } else { grouped(contestant.rows_per_second) },
        grouped(contestant.megabytes_per_second),
        figure(contestant.cpu_seconds.median),
        grouped(contestant.peak_mib.median),
        ratio(task.ratio_to_peer, |ratio| format!("**{ratio:.2} times**")),
        ratio(task.ratio_to_limit, |ratio| format!("**{:.0} %**", ratio * 100.0)),
    );
}

fn growth(out: &mut String, all: &[Growth]) {
    out.push_str("\n| task | rows | seconds | peak MiB | rows, times | seconds, times | memory, times |\n");
    out.push_str("|---|--:|--:|--:|--:|--:|--:|\n");
    for growth in all {
        let (small, large) = (&growth.small, &growth.large);
        let _ = writeln!(
            out,
            "| {} | {} → {} | {} → {} | {} → {} | {:.0} | **{:.2}** | **{:.2}** |",
            name(growth.task),
            grouped(number(small.rows)),
            grouped(number(large.rows)),
            figure(small.measured.seconds.median),
            figure(large.measured.seconds.median),
            grouped(small.measured.peak_mib.median),
            grouped(large.measured.peak_mib.median),
            growth.rows_ratio,
            growth.seconds_ratio,
            growth.memory_ratio,
        );
    }
}

const fn name(task: TaskName) -> &'static str {
    match task {
        TaskName::Scan => "inventory scan",
        TaskName::Report => "report parse",
        TaskName::Plan => "scan and plan",
        TaskName::Verdict => "Delta verdict",
    }
}

fn title(task: TaskName, rows: u64) -> String {
    let what = if task == TaskName::Verdict { "files" } else { "rows" };
    format!("{}, {} {what}", name(task), grouped(number(rows)))
}

fn seconds(spread: &Spread) -> String {
    if spread.least.total_cmp(&spread.most).is_eq() {
        return figure(spread.median);
    }
    format!("{} ({}–{})", figure(spread.median), figure(spread.least), figure(spread.most))
}

fn figure(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") }
}

/// A whole number with a comma between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0.4, "0")]
    #[case(999.0, "999")]
    #[case(1000.0, "1,000")]
    #[case(12_345_678.0, "12,345,678")]
    fn thousands_are_told_apart(#[case] value: f64, #[case] text: &str) {
        assert_eq!(grouped(value), text);
    }

    #[test]
    fn tables_replace_what_is_between_the_comments() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("README.md");
        fs::write(&path, "a\n<!-- bench -->\nold\n<!-- /bench -->\nb\n").unwrap();
        replace_in(&path, "new\n").unwrap();
        replace_in(&path, "newer\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n<!-- bench -->\nnewer\n<!-- /bench -->\nb\n");
        fs::write(&path, "nothing").unwrap();
        assert!(replace_in(&path, "new").unwrap_err().to_string().contains("lacks the comments"));
    }
}
