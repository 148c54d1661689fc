//! The program of the job-poll worker.

use std::process::ExitCode;

use levee_job_poll::JobPoll;

fn main() -> ExitCode {
    levee_stage::main_of_worker("levee-job-poll", "Watches the copy jobs", JobPoll::new)
}
