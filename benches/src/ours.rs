//! Levee's own code, as its stages call it, over files in a folder.

mod discarding;
mod folder;
mod hoard;
mod plan;
mod report;
mod scan;
mod verdict;

use std::{future::Future, path::Path};

use anyhow::Result;
use clap::ValueEnum;
pub use discarding::discarding;
pub use folder::Folder;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::Outcome;

/// A task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Read an inventory: decode keys, count, add up, split by size and class, group by table.
    Scan,
    /// The same, and write the plan, to a network that takes everything.
    Plan,
    /// Read a completion report: decode and hash every key, count by status and code.
    Report,
    /// Give the verdict on a Delta table.
    Verdict,
    /// Read an inventory and keep every key, which no stage does: what a limit of memory has to stop.
    Hoard,
}

/// Does a task on what is in a folder, with so many threads.
///
/// # Errors
/// The files are not what they are said to be.
pub fn run(task: Task, folder: &Path, threads: usize) -> Result<Outcome> {
    match task {
        Task::Scan => scan::scan(folder, threads),
        Task::Plan => plan::plan(folder, threads),
        Task::Report => report::report(folder, threads),
        Task::Verdict => verdict::verdict(folder, threads),
        Task::Hoard => hoard::hoard(folder, threads),
    }
}

/// Lets this process have no more memory of its own than this (`RLIMIT_DATA`): what goes beyond ends it.
///
/// # Errors
/// The system refuses.
pub fn limit_memory(mebibytes: u64) -> Result<()> {
    let most = Some(mebibytes << 20);
    setrlimit(Resource::Data, Rlimit { current: most, maximum: most })?;
    Ok(())
}

/// Waits for a future on a runtime like a worker's, with so many threads.
fn wait<T>(threads: usize, future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads.max(1)).enable_all().build()?;
    runtime.block_on(future)
}
