//! The program of the large-copy worker.

use std::process::ExitCode;

use levee_large_copy::LargeCopying;

fn main() -> ExitCode {
    levee_stage::main_of_worker(
        "levee-large-copy",
        "Copies objects that are too large for a batch copy",
        LargeCopying::new,
    )
}
