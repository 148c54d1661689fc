//! The exit codes of the command, the same for every subcommand.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | what was asked for is done |
//! | 1 | it was tried and is not good: a night that failed, a snapshot that differs, a file that does not add up |
//! | 2 | it was not tried: unknown or impossible settings, a folder that is empty or unreadable, a port in use |

use std::process::ExitCode;

/// Tried, and not good.
pub const FAILED: u8 = 1;
/// Not tried.
pub const USAGE: u8 = 2;

/// Reports why nothing was tried.
pub fn usage(error: &anyhow::Error) -> ExitCode {
    report(error, USAGE)
}

/// Reports what went wrong on the way.
pub fn failure(error: &anyhow::Error) -> ExitCode {
    report(error, FAILED)
}

#[expect(clippy::print_stderr, reason = "the one place that tells a person why the command ended")]
fn report(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("levee: {error:#}");
    ExitCode::from(code)
}

/// Prints what was found to standard output.
#[expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]
pub fn print(text: &str) {
    print!("{text}");
}

/// Prints help that was asked for.
#[expect(clippy::print_stdout, reason = "help that was asked for goes to standard output")]
pub fn help(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}
