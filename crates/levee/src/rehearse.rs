//! `levee rehearse`: months of nights on twins in this process, audited.
//!
//! Everything runs on tokio's paused clock, so that a month takes seconds, and everything that is drawn by chance comes
//! from the seed, so that a month can be played again.

mod audit;
mod chance;
mod history;
mod month;
mod operator;
mod outcome;
mod settings;
mod warehouse;
mod witness;

use std::{
    io::Write,
    num::NonZero,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::Result;

pub use outcome::Outcome;
pub use settings::{Faults, Month, RehearseSettings};

use crate::exit;

/// Plays the rehearsals and prints their outcomes. Exit codes are those of [`crate::exit`].
pub fn run(settings: &RehearseSettings) -> ExitCode {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = settings.threads.map_or(cores, usize::from);
    let tell = |outcome: &Outcome| if settings.json { Ok(()) } else { say(&outcome.to_string()) };
    let outcomes = play_all(&settings.months(), threads, &tell);
    let good = outcomes.iter().filter(|outcome| outcome.good()).count();
    let summary = if settings.json {
        serde_json::to_string_pretty(&outcomes).map_err(Into::into).and_then(|text| say(&text))
    } else {
        say(&format!("{good} passed, {} failed", outcomes.len() - good))
    };
    match summary {
        Ok(()) if good == outcomes.len() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(exit::FAILED),
        Err(error) => exit::failure(&error),
    }
}

/// Plays one rehearsal on a runtime of its own.
#[must_use]
pub fn play(month: Month) -> Outcome {
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let played = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(month::play(month)));
    let outcome = played.unwrap_or_else(|error| Outcome::broken(&month, &error));
    Outcome { real_seconds: began.elapsed().as_secs_f64(), ..outcome }
}

/// Plays rehearsals side by side; `tell` hears of each as it ends. Answers them in the order of the seeds.
fn play_all(months: &[Month], threads: usize, tell: &(dyn Fn(&Outcome) -> Result<()> + Sync)) -> Vec<Outcome> {
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..threads.min(months.len()) {
            scope.spawn(|| {
                while let Some(month) = months.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = play(*month);
                    // Whoever reads the output may be gone; the exit code still counts.
                    let _ = tell(&outcome);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|outcome| outcome.seed);
    outcomes
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
