//! The whole of a worker's program.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use crate::{Aws, CommonSettings, Stage};

/// Runs the program of one worker: settings, logs, AWS clients, signals, and the worker until it is told to stop.
///
/// `about` is the first line of `--help`; `build` makes the stage from the clients, the common settings and the worker's
/// own settings `A` ([`NoSettings`](crate::NoSettings) for none). Exit codes: 0 after a stop by signal, 1 when the worker
/// could not go on, 2 for settings with problems.
pub fn main_of_worker<A: clap::Args, S: Stage>(
    program: &'static str,
    about: &'static str,
    build: impl FnOnce(&Aws, &CommonSettings, &A) -> S,
) -> ExitCode {
    let _ = (program, about, build);
    todo!()
}

/// A token that is cancelled by SIGTERM or SIGINT. Call it inside the runtime, once.
///
/// # Errors
/// The operating system refuses a signal handler.
pub fn shutdown_on_signals() -> std::io::Result<CancellationToken> {
    todo!()
}
