//! S3 Control. Source: "Actions, resources, and condition keys for Amazon S3" of the Service Authorization Reference
//! (`list_amazons3`), dependent actions included. It does not say what the tags of a new job need, so `s3:PutJobTagging` is
//! asked for.

use super::{Need, pass_role};
use crate::service::Caller;

/// What a call needs. `job` is the ARN of the job that it names; `role` and `tagged` are of a job that is to be made.
pub(crate) fn needs(operation: &str, job: &str, role: Option<&str>, tagged: bool) -> Vec<Need> {
    let on_job = |action| vec![Need::new(action, job)];
    match operation {
        "CreateJob" => {
            let mut needs = vec![Need::any("s3:CreateJob")];
            needs.extend(pass_role(role));
            // The job has no id yet.
            needs.extend(tagged.then(|| Need::any("s3:PutJobTagging")));
            needs
        }
        "ListJobs" => vec![Need::any("s3:ListJobs")],
        "DescribeJob" => on_job("s3:DescribeJob"),
        "UpdateJobPriority" => on_job("s3:UpdateJobPriority"),
        "UpdateJobStatus" => on_job("s3:UpdateJobStatus"),
        "GetJobTagging" => on_job("s3:GetJobTagging"),
        "PutJobTagging" => on_job("s3:PutJobTagging"),
        "DeleteJobTagging" => on_job("s3:DeleteJobTagging"),
        _ => Vec::new(),
    }
}

/// The ARN of the caller's job of that id.
pub(crate) fn job_arn(caller: &Caller, id: &str) -> String {
    format!("arn:aws:s3:{}:{}:job/{id}", caller.region, caller.account)
}
