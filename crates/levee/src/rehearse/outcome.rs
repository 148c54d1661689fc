//! What a rehearsal came to, for people and as JSON.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::settings::Month;

/// What one rehearsal came to. Fields are only ever added.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Backup dates.
    pub days: u16,
    /// Source buckets.
    pub sources: u16,
    /// Executions of the state machine.
    pub runs: u64,
    /// Those that succeeded without a redrive.
    pub succeeded_at_once: u64,
    /// Those that succeeded after one or more redrives.
    pub succeeded_after_redrive: u64,
    /// Those that had not succeeded when the operator left them, by error.
    pub failed: BTreeMap<String, u64>,
    /// Each of those, with its cause.
    pub failures: Vec<Failure>,
    /// Failures, time-outs and aborts that Step Functions put on the event bus.
    pub alarms: u64,
    /// Objects that completion reports say were copied, and that were compared with the warehouse's history.
    pub copies_compared: u64,
    /// Objects that runs which succeeded call vanished, and that the warehouse's history says were gone.
    pub vanished: u64,
    /// API calls.
    pub calls: u64,
    /// Records in the ledger.
    pub ledger_records: u64,
    /// SHA-256 over the ledger's keys and bytes in order: equal for equal ledgers.
    pub ledger_sha256: String,
    /// What must not be. Empty for a good rehearsal.
    pub violations: Vec<String>,
    /// The command that plays the rehearsal again.
    pub command: String,
    /// What the rehearsal took, on this machine's clock.
    pub real_seconds: f64,
}

/// A run that had not succeeded when the operator left it.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The execution's name.
    pub execution: String,
    /// Its error.
    pub error: String,
    /// Its cause, as Step Functions has it.
    pub cause: String,
}

impl Outcome {
    /// Whether nothing was found that must not be.
    #[must_use]
    pub fn good(&self) -> bool {
        self.violations.is_empty()
    }

    /// The outcome of a rehearsal that broke off.
    pub(super) fn broken(month: &Month, error: &anyhow::Error) -> Self {
        Self { violations: vec![format!("the rehearsal broke off: {error:#}")], ..Self::empty(month) }
    }

    pub(super) fn empty(month: &Month) -> Self {
        Self {
            seed: month.seed,
            days: month.days,
            sources: month.sources,
            runs: 0,
            succeeded_at_once: 0,
            succeeded_after_redrive: 0,
            failed: BTreeMap::new(),
            failures: Vec::new(),
            alarms: 0,
            copies_compared: 0,
            vanished: 0,
            calls: 0,
            ledger_records: 0,
            ledger_sha256: String::new(),
            violations: Vec::new(),
            command: month.command(),
            real_seconds: 0.0,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: u64 = self.failed.values().sum();
        write!(
            f,
            "seed {}: {} runs, {} succeeded at once, {} after a redrive, {failed} failed; {} alarms, {} copies compared, \
             {} vanished, {} calls, {} ledger records {}, {:.1} s",
            self.seed,
            self.runs,
            self.succeeded_at_once,
            self.succeeded_after_redrive,
            self.alarms,
            self.copies_compared,
            self.vanished,
            self.calls,
            self.ledger_records,
            self.ledger_sha256.get(..12).unwrap_or_default(),
            self.real_seconds,
        )?;
        for (error, count) in &self.failed {
            write!(f, "\n  left failed: {count} with {error}")?;
        }
        for violation in &self.violations {
            write!(f, "\n  VIOLATION: {violation}")?;
        }
        if !self.good() {
            write!(f, "\n  play it again: {}", self.command)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::rehearse::Faults;

    #[test]
    fn rehearsal_that_breaks_a_promise_prints_the_command_that_plays_it_again() {
        let first_date = "2026-03-01".parse().unwrap();
        let month = Month { seed: 42, days: 31, sources: 5, first_date, faults: Faults::Random };
        let broken = Outcome { violations: vec!["a copy is gone".to_owned()], ..Outcome::empty(&month) };
        let told = broken.to_string();
        let command = "levee rehearse --seed 42 --days 31 --sources 5 --first-date 2026-03-01 --faults random";
        assert!(!broken.good() && told.contains("VIOLATION: a copy is gone") && told.contains(command), "{told}");
        assert!(Outcome::empty(&month).good() && !Outcome::empty(&month).to_string().contains(command));
    }
}
