//! `levee demo`: one night, end to end, on a twin in this process.
//!
//! The night runs on tokio's paused clock. Hours of waiting pass in no time, and every time in the outcome but the last is
//! the night's own, not this machine's.

mod back;
mod compare;
mod counts;
mod follow;
mod keep;
mod load;
mod night;
mod outcome;
mod progress;
mod settings;
mod verdicts;

use std::{io::Write, process::ExitCode, time::Instant};

use anyhow::Result;

pub use back::BackOutcome;
pub use compare::{Comparison, Difference};
pub use counts::CountedBy;
pub use keep::{KeepError, file_name};
pub use outcome::{ExecutionOutcome, FaultsOutcome, Outcome, StageTime};
pub use settings::DemoSettings;
pub use verdicts::TableOutcome;

use crate::{exit, lake};

/// Runs the demo and prints its outcome. Exit codes are those of [`crate::exit`].
pub fn run(settings: &DemoSettings) -> ExitCode {
    let started = Instant::now();
    let prepared = settings.check().and_then(|()| {
        let files = match &settings.lake {
            Some(folder) => lake::folder(folder),
            None => lake::sample(),
        };
        Ok(files?)
    });
    let files = match prepared {
        Ok(files) => files,
        Err(error) => return exit::usage(&error),
    };
    match on_paused_clock(settings, files).and_then(|mut outcome| {
        outcome.real_seconds = started.elapsed().as_secs_f64();
        print(&outcome, settings.json)?;
        Ok(outcome)
    }) {
        Ok(outcome) if outcome.good() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(exit::FAILED),
        Err(error) => exit::failure(&error),
    }
}

fn on_paused_clock(settings: &DemoSettings, files: Vec<lake::LakeFile>) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(night::play(settings, files))
}

fn print(outcome: &Outcome, json: bool) -> Result<()> {
    let text = if json { serde_json::to_string_pretty(outcome)? } else { outcome.to_string() };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
