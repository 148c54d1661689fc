//! The program of the snapshot-check worker.

use std::process::ExitCode;

use levee_snapshot_check::SnapshotCheck;

fn main() -> ExitCode {
    levee_stage::main_of_worker(
        "levee-snapshot-check",
        "Compares snapshot buckets with what was planned",
        SnapshotCheck::new,
    )
}
