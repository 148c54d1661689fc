//! The program of the table-verify worker.

use std::process::ExitCode;

use levee_table_verify::TableVerify;

fn main() -> ExitCode {
    levee_stage::main_of_worker(
        "levee-table-verify",
        "Gives every Delta table of a snapshot a verdict",
        TableVerify::new,
    )
}
