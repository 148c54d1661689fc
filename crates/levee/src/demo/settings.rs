//! What the demo can be told.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use jiff::civil::Date;
use levee_twin::FaultPlan;

use crate::faults;

/// The settings of `levee demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoSettings {
    /// Back up the files below this folder in place of the sample warehouse
    #[arg(long, value_name = "DIR")]
    pub lake: Option<PathBuf>,

    /// The day that the snapshot stands for
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2026-03-31", value_parser = backup_date)]
    pub backup_date: Date,

    /// The source bucket's name; the snapshot's is this and the date
    #[arg(long, value_name = "BUCKET", default_value = "lake-flights")]
    pub source: String,

    /// Seed of everything that is drawn by chance: identifiers, jitter. The same seed plays the same night
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,

    /// Print the outcome as one JSON document on standard output
    #[arg(long)]
    pub json: bool,

    /// Keep the ledger and the snapshot bucket as files in this folder, which must be empty or absent
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Play the faults of this TOML file, from the start of the day of the night on; docs/faults.md describes it
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}

/// Days that Inventory gets to become consistent before the night begins.
pub(super) const SETTLE_DAYS: u8 = 2;

impl DemoSettings {
    /// Finds what would fail only after the night.
    pub(super) fn check(&self) -> Result<()> {
        self.plan_of_faults()?;
        let Some(out) = &self.out else { return Ok(()) };
        if !out.try_exists().with_context(|| format!("cannot look at {}", out.display()))? {
            return Ok(());
        }
        let mut entries = std::fs::read_dir(out).with_context(|| format!("cannot use {} for --out", out.display()))?;
        if entries.next().is_some() {
            bail!("{} is not empty, and --out overwrites nothing; name a new folder", out.display());
        }
        Ok(())
    }
}

impl DemoSettings {
    /// The faults to play; none without a file.
    pub(super) fn plan_of_faults(&self) -> Result<FaultPlan> {
        self.faults.as_deref().map_or_else(|| Ok(FaultPlan::default()), faults::read)
    }
}

/// Dates whose neighbourhood the calendar and the twin's clock can hold.
fn backup_date(text: &str) -> Result<Date, String> {
    let date: Date = text.parse().map_err(|error| format!("{error}; a date looks like 2026-03-31"))?;
    if !(2007..=2199).contains(&date.year()) {
        return Err("the demo plays nights from 2007, the year after S3 began, to 2199".to_owned());
    }
    Ok(date)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::leap_day("2024-02-29", true)]
    #[case::no_leap_day("2026-02-29", false)]
    #[case::thirty_first_of_april("2026-04-31", false)]
    #[case::before_s3("1999-01-01", false)]
    #[case::far_future("9999-12-31", false)]
    #[case::words("yesterday", false)]
    #[case::empty("", false)]
    fn backup_date_is_a_day_of_the_calendar(#[case] text: &str, #[case] accepted: bool) {
        assert_eq!(backup_date(text).is_ok(), accepted);
    }
}
