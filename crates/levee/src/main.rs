//! The `levee` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    levee::cli::main()
}
