//! The program of the bucket-provision worker.

use std::process::ExitCode;

use levee_bucket_provision::BucketProvision;

fn main() -> ExitCode {
    levee_stage::main_of_worker("levee-bucket-provision", "Makes and protects snapshot buckets", BucketProvision::new)
}
