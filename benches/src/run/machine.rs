//! What the figures are of.

use std::{fs, process::Command, thread};

use serde::Serialize;

use super::Settings;

/// The machine, and the versions of the peers.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    /// Its processor.
    pub(super) processor: String,
    /// Its cores.
    pub(super) cores: usize,
    /// Its memory in GiB.
    pub(super) memory_gib: u64,
    /// Packages and versions.
    pub(super) peers: Vec<String>,
}

const PEERS: [&str; 3] = ["duckdb", "polars", "deltalake"];

impl Machine {
    pub(super) fn this(settings: &Settings) -> Self {
        let line = |path: &str, name: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory = line("/proc/meminfo", "MemTotal");
        let kib: u64 = memory.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
        Self {
            processor: line("/proc/cpuinfo", "model name"),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_gib: kib.div_ceil(1024 * 1024),
            peers: versions(settings),
        }
    }
}

fn versions(settings: &Settings) -> Vec<String> {
    let Some(python) = &settings.python else { return Vec::new() };
    let script = format!("import importlib.metadata as m\nfor p in {PEERS:?}: print(p, m.version(p))");
    let answer = Command::new(python).args(["-c", &script]).output();
    let text = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
