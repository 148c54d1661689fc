//! The program of the restore-plan worker.

use std::process::ExitCode;

use levee_restore_plan::RestorePlanning;

fn main() -> ExitCode {
    levee_stage::main_of_worker(
        "levee-restore-plan",
        "Sees that plans of restores still hold, and lists what is copied",
        RestorePlanning::new,
    )
}
