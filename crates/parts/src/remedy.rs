//! What an operator does about objects that were not copied.

use levee_ledger::state::FailureClass;

/// What mends a class, as the beginning or a later part of a sentence. The role that was refused is that of the worker `worker`, which
/// copies from the bucket `source` into the bucket `snapshot`.
#[must_use]
pub fn remedy(class: FailureClass, worker: &str, source: &str, snapshot: &str) -> String {
    match class {
        FailureClass::Vanished => "`vanished`: they are gone from the source".to_owned(),
        FailureClass::Denied => format!(
            "`denied`: let the role of the {worker} worker read the source, in its own policy and in the bucket policy of \
             {source} (s3:GetObject, s3:GetObjectVersion, s3:GetObjectTagging and s3:GetObjectVersionTagging on \
             arn:aws:s3:::{source}/*, s3:ListBucket on arn:aws:s3:::{source}), and write copies (s3:PutObject, \
             s3:PutObjectTagging, s3:GetObject, s3:ListMultipartUploadParts and s3:AbortMultipartUpload on \
             arn:aws:s3:::{snapshot}/*, s3:ListBucket and s3:ListBucketMultipartUploads on arn:aws:s3:::{snapshot}); the \
             refused calls say which"
        ),
        FailureClass::Key => format!(
            "`key`: let the role of the {worker} worker decrypt with the keys of the objects (kms:Decrypt) and encrypt with \
             that of the snapshot (kms:GenerateDataKey, kms:Decrypt), in its own policy and in the key policies, and see that \
             the keys are enabled; nobody of another account can use the key aws/s3"
        ),
        FailureClass::Archived => "`archived`: restore the objects from their archive".to_owned(),
        FailureClass::TooLarge => {
            "`too_large`: no upload can hold so many bytes; no redrive mends it as long as they are in the source".to_owned()
        }
        FailureClass::Throttled => "`throttled`: they only need another try".to_owned(),
        FailureClass::Changed => {
            format!("`changed`: they were overwritten again and again while they were copied; see who writes them in {source}")
        }
        FailureClass::Unsupported => {
            "`unsupported`: nobody but the owner of their keys (SSE-C) can copy them; exclude them from the selection of the \
             source"
                .to_owned()
        }
        FailureClass::Other => "`other`: the list has what was found with each".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(FailureClass::Denied, &["role of the table-verify worker", "bucket policy of lake ", "arn:aws:s3:::lake-31-mar-2026/*"])]
    #[case(FailureClass::Key, &["role of the table-verify worker", "kms:Decrypt"])]
    #[case(FailureClass::Changed, &["who writes them in lake"])]
    fn remedy_names_the_role_and_the_buckets(#[case] class: FailureClass, #[case] parts: &[&str]) {
        let told = remedy(class, "table-verify", "lake", "lake-31-mar-2026");
        for part in parts {
            assert!(told.contains(part), "{part:?} is not in: {told}");
        }
    }
}
