//! The program of the job-submit worker.

use std::process::ExitCode;

use levee_job_submit::JobSubmit;

fn main() -> ExitCode {
    levee_stage::main_of_worker("levee-job-submit", "Makes the copy jobs", JobSubmit::new)
}
