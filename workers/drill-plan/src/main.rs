//! The program of the drill-plan worker.

use std::process::ExitCode;

use levee_drill_plan::DrillPlanning;

fn main() -> ExitCode {
    levee_stage::main_of_worker(
        "levee-drill-plan",
        "Chooses tables of the newest backup, and plans their restore into the scratch bucket",
        DrillPlanning::new,
    )
}
