//! The program of the thaw worker.

use std::process::ExitCode;

use levee_thaw::ThawObjects;

fn main() -> ExitCode {
    levee_stage::main_of_worker("levee-thaw", "Restores archived objects before they are copied", ThawObjects::new)
}
