//! The program of the table-verify worker.

use std::process::ExitCode;

use levee_table_verify::TableVerify;

fn main() -> ExitCode {
    levee_stage::main_of_worker("levee-table-verify", "Says what the tables of snapshots are worth", TableVerify::new)
}
