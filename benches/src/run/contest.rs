//! One task, its contestants, and what they took.

use std::{collections::BTreeSet, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Settings, TaskName,
    measure::{Sample, measure},
};
use crate::{Outcome, number};

/// What a contestant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    Ours,
    Peer,
    /// What any reader has to do.
    Limit,
}

/// A task with its contestants.
pub(super) struct Contest {
    task: TaskName,
    rows: u64,
    contestants: Vec<Contestant>,
}

struct Contestant {
    name: &'static str,
    role: Role,
    program: std::path::PathBuf,
    arguments: Vec<String>,
    samples: Vec<Sample>,
    outcome: Option<Outcome>,
}

/// What a task came to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TaskResult {
    pub(super) task: TaskName,
    pub(super) rows: u64,
    /// What the files hold, uncompressed.
    pub(super) bytes: u64,
    pub(super) contestants: Vec<Measured>,
    /// How many times as fast as the faster peer, by medians; none without one.
    pub(super) ratio_to_peer: Option<f64>,
    /// The part of the fastest limit's speed, by medians.
    pub(super) ratio_to_limit: Option<f64>,
    /// Parts of peers' answers that ours does not have.
    pub(super) not_compared: BTreeSet<String>,
}

/// What a contestant took.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Measured {
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) seconds: Spread,
    pub(super) cpu_seconds: Spread,
    pub(super) peak_mib: Spread,
    pub(super) rows_per_second: f64,
    pub(super) megabytes_per_second: f64,
}

/// The middle of several values, and their ends.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
        } else {
            at(middle)
        };
        Self { median, least: at(0), most: at(values.len().wrapping_sub(1)) }
    }
}

impl Contest {
    /// The contest of a task on the data in a folder: ours first, then the peers, then the limits.
    pub(super) fn new(task: TaskName, rows: u64, folder: &Path, settings: &Settings) -> Result<Self> {
        let bench = std::env::current_exe()?;
        let place =
            ["--folder".to_owned(), folder.display().to_string(), "--threads".to_owned(), settings.threads.to_string()];
        let contestant = |name, role, program: &Path, arguments: &[&str]| Contestant {
            name,
            role,
            program: program.to_owned(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).chain(place.clone()).collect(),
            samples: Vec::new(),
            outcome: None,
        };
        let mut contestants = vec![contestant("Levee", Role::Ours, &bench, &["ours", task.name()])];
        let peers: &[(&str, &str)] = match task {
            TaskName::Scan | TaskName::Report => &[("DuckDB", "peer_duckdb.py"), ("Polars", "peer_polars.py")],
            TaskName::Plan => &[("DuckDB", "peer_duckdb.py")],
            TaskName::Verdict => &[("deltalake", "peer_deltalake.py")],
        };
        if let Some(python) = &settings.python {
            for (name, script) in peers {
                let script = settings.peers.join(script).display().to_string();
                contestants.push(contestant(name, Role::Peer, python, &[&script, task.name()]));
            }
        }
        let limits: &[(&str, &[&str])] = match task {
            TaskName::Scan | TaskName::Plan => &[
                ("gunzip alone, zlib-rs", &["limit", "inflate", "--with", "zlib-rs"]),
                ("gunzip alone, libdeflate", &["limit", "inflate", "--with", "libdeflate"]),
            ],
            TaskName::Report => &[("line ends alone, memchr", &["limit", "memchr"])],
            TaskName::Verdict => &[],
        };
        contestants.extend(limits.iter().map(|(name, arguments)| contestant(name, Role::Limit, &bench, arguments)));
        Ok(Self { task, rows, contestants })
    }

    /// Ours alone.
    pub(super) fn ours_alone(mut self) -> Self {
        self.contestants.retain(|contestant| contestant.role == Role::Ours);
        self
    }

    /// Runs every contestant once, so that the files are in memory, and then all of them in turns.
    pub(super) fn run(mut self, times: usize) -> Result<TaskResult> {
        for round in 0..=times.max(1) {
            for contestant in &mut self.contestants {
                let (sample, outcome) = contestant.run()?;
                let what = if round == 0 { "warm".to_owned() } else { format!("{round} of {times}") };
                eprintln!(
                    "{}, {}, {what}: {:.2} s, {:.2} s of processors, {:.0} MiB",
                    self.task.name(),
                    contestant.name,
                    sample.seconds,
                    sample.cpu_seconds,
                    number(sample.peak_kib) / 1024.0
                );
                if round > 0 {
                    contestant.samples.push(sample);
                }
                if let Some(before) = &contestant.outcome {
                    ensure!(before.answer == outcome.answer, "{} has another answer than before", contestant.name);
                }
                contestant.outcome = Some(outcome);
            }
        }
        self.result()
    }

    fn result(self) -> Result<TaskResult> {
        let not_compared = self.compare()?;
        let outcomes = self.contestants.iter().filter_map(|contestant| contestant.outcome.as_ref());
        let bytes = outcomes.map(|outcome| outcome.bytes).max().unwrap_or(0);
        let contestants: Vec<_> =
            self.contestants.iter().map(|contestant| contestant.measured(self.rows, bytes)).collect();
        let fastest = |role| {
            let of = contestants.iter().filter(|contestant| contestant.role == role);
            of.map(|contestant| contestant.seconds.median).min_by(f64::total_cmp)
        };
        let ours = fastest(Role::Ours).context("nothing of ours was measured")?;
        let ratio = |role| fastest(role).map(|theirs| theirs / ours);
        let (ratio_to_peer, ratio_to_limit) = (ratio(Role::Peer), ratio(Role::Limit));
        Ok(TaskResult {
            task: self.task,
            rows: self.rows,
            bytes,
            contestants,
            ratio_to_peer,
            ratio_to_limit,
            not_compared,
        })
    }

    /// Whether all have found the same: then they have done the same work.
    fn compare(&self) -> Result<BTreeSet<String>> {
        let answer = |contestant: &Contestant| {
            contestant.outcome.clone().unwrap_or_else(|| Outcome {
                seconds: 0.0,
                rows: 0,
                bytes: 0,
                answer: Map::new(),
            })
        };
        let ours = self.contestants.iter().find(|contestant| contestant.role == Role::Ours);
        let ours = answer(ours.context("there is nothing of ours")?);
        ensure!(ours.rows == self.rows, "{} of {} rows were read", ours.rows, self.rows);
        let mut not_compared = BTreeSet::new();
        for contestant in self.contestants.iter().filter(|contestant| contestant.role != Role::Ours) {
            let theirs = answer(contestant);
            for (name, value) in &theirs.answer {
                match ours.answer.get(name) {
                    None => drop(not_compared.insert(name.clone())),
                    Some(own) if own == value => {}
                    Some(own) => bail!(
                        "{}: {name} of {} is {}, ours is {}: they have not done the same work",
                        self.task.name(),
                        contestant.name,
                        short(value),
                        short(own)
                    ),
                }
            }
        }
        if !not_compared.is_empty() {
            eprintln!("{}: ours does not tell, and nobody compares: {not_compared:?}", self.task.name());
        }
        Ok(not_compared)
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(600).collect()
}

impl Contestant {
    fn run(&self) -> Result<(Sample, Outcome)> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        measure(command)
    }

    fn measured(&self, rows: u64, bytes: u64) -> Measured {
        let of = |value: fn(&Sample) -> f64| Spread::of(self.samples.iter().map(value));
        let seconds = of(|sample| sample.seconds);
        Measured {
            name: self.name,
            role: self.role,
            seconds,
            cpu_seconds: of(|sample| sample.cpu_seconds),
            peak_mib: of(|sample| number(sample.peak_kib) / 1024.0),
            rows_per_second: number(rows) / seconds.median,
            megabytes_per_second: number(bytes) / 1e6 / seconds.median,
        }
    }
}
