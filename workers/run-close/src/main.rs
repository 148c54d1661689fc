//! The program of the run-close worker.

use std::process::ExitCode;

use levee_run_close::RunClose;

fn main() -> ExitCode {
    levee_stage::main_of_worker("levee-run-close", "Closes runs with their receipts", RunClose::new)
}
