//! The program of the manifest-ready worker.

use std::process::ExitCode;

use levee_manifest_ready::ManifestReady;

fn main() -> ExitCode {
    levee_stage::main_of_worker("levee-manifest-ready", "Waits for inventories and pins them", ManifestReady::new)
}
