//! The program of the drill-close worker.

use std::process::ExitCode;

use levee_drill_close::DrillClose;

fn main() -> ExitCode {
    levee_stage::main_of_worker(
        "levee-drill-close",
        "Opens the tables that a drill has restored, compares them, and empties the scratch bucket",
        DrillClose::new,
    )
}
