//! What is told of objects that were not copied: the event, and the cause of the failure.

use std::collections::BTreeMap;

use levee_ledger::{
    RunKey,
    state::{FailureClass, ObjectPointer},
};
use serde_json::{Value, json};

use crate::tally::Counts;

/// The detail of `Copy Failures`, as report-parse has it. Counts are those of the large objects; `rows` are all of them.
pub(crate) fn event(run: &RunKey, redrives: u32, counts: &Counts, objects: u64, list: Option<&ObjectPointer>) -> Value {
    let by_class: BTreeMap<_, _> = counts.failed.iter().map(|(class, count)| (class.name(), count)).collect();
    json!({
        "source": run.source,
        "backup_date": run.backup_date,
        "execution": run.execution_arn,
        "attempt": redrives.saturating_add(1),
        "rows": objects,
        "succeeded": counts.copied,
        "vanished": counts.vanished,
        "failed": counts.failures(),
        "failed_by_class": by_class,
        "first": counts.first,
        "failure_list": list,
        "ledger": run.prefix(),
    })
}

/// The cause of `Levee.LargeCopyIncomplete`.
pub(crate) fn cause(
    counts: &Counts,
    objects: u64,
    list: Option<&ObjectPointer>,
    (source, snapshot): (&str, &str),
) -> String {
    let place = list.map(|list| format!(" All are in s3://{}/{}.", list.bucket, list.key)).unwrap_or_default();
    let remedies: Vec<_> = counts.failed.keys().map(|class| remedy(*class, source, snapshot)).collect();
    format!(
        "{} of {objects} large objects were not copied: {}. {}.{place} {}. Then redrive the execution: exactly these objects \
         are copied.",
        counts.failures(),
        classes(counts),
        first(counts),
        remedies.join("; ")
    )
}

/// The cause when some objects failed in passing.
pub(crate) fn passing(counts: &Counts, objects: u64) -> String {
    format!(
        "{} of {objects} large objects were not copied yet: {}. {}. The task is tried again, which copies what is missing; if \
         it stays, look at the AWS Health Dashboard, at the worker's network, and at what else loads the buckets.",
        counts.failures(),
        classes(counts),
        first(counts)
    )
}

fn classes(counts: &Counts) -> String {
    let classes: Vec<_> = counts.failed.iter().map(|(class, count)| format!("{count} {}", class.name())).collect();
    let operations: Vec<_> = counts.operations.iter().map(|(call, count)| format!("{call} {count} times")).collect();
    let refused = (!operations.is_empty()).then(|| format!(" (refused: {})", operations.join(", ")));
    format!("{}{}", classes.join(", "), refused.unwrap_or_default())
}

fn first(counts: &Counts) -> String {
    format!("The first: {}", counts.first.join("; "))
}

/// What mends a class, as the beginning or a later part of a sentence.
fn remedy(class: FailureClass, source: &str, snapshot: &str) -> String {
    match class {
        FailureClass::Vanished => "`vanished`: they are gone from the source".to_owned(),
        FailureClass::Denied => format!(
            "`denied`: let the role of the large-copy worker read the source, in its own policy and in the bucket policy of \
             {source} (s3:GetObject, s3:GetObjectVersion, s3:GetObjectTagging and s3:GetObjectVersionTagging on \
             arn:aws:s3:::{source}/*, s3:ListBucket on arn:aws:s3:::{source}), and write copies (s3:PutObject, \
             s3:PutObjectTagging, s3:GetObject, s3:ListMultipartUploadParts and s3:AbortMultipartUpload on \
             arn:aws:s3:::{snapshot}/*, s3:ListBucket and s3:ListBucketMultipartUploads on arn:aws:s3:::{snapshot}); the \
             refused calls say which"
        ),
        FailureClass::Key => {
            "`key`: let the role of the large-copy worker decrypt with the keys of the objects (kms:Decrypt) and encrypt with \
             that of the snapshot (kms:GenerateDataKey, kms:Decrypt), in its own policy and in the key policies, and see that \
             the keys are enabled; nobody of another account can use the key aws/s3"
                .to_owned()
        }
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

    fn counts(class: FailureClass) -> Counts {
        let first = vec!["\"a\" (x)".to_owned()];
        let operations = BTreeMap::from([("UploadPartCopy".to_owned(), 2)]);
        Counts { failed: BTreeMap::from([(class, 3)]), first, operations, ..Counts::default() }
    }

    #[rstest]
    #[case(FailureClass::Denied, "bucket policy of lake")]
    #[case(FailureClass::Key, "kms:Decrypt")]
    #[case(FailureClass::Archived, "restore")]
    #[case(FailureClass::TooLarge, "no upload can hold")]
    #[case(FailureClass::Changed, "who writes them in lake")]
    #[case(FailureClass::Unsupported, "SSE-C")]
    #[case(FailureClass::Other, "the list has")]
    fn cause_has_the_counts_the_first_keys_the_list_the_remedy_and_what_a_redrive_does(
        #[case] class: FailureClass,
        #[case] remedy: &str,
    ) {
        let list = ObjectPointer { bucket: "ledger".into(), key: "list".into(), etag: "e".into(), version_id: None };
        let told = cause(&counts(class), 9, Some(&list), ("lake", "lake-31-mar-2026"));
        let parts =
            ["3 of 9", class.name(), "UploadPartCopy 2 times", "\"a\"", "s3://ledger/list", remedy, "exactly these"];
        for part in parts {
            assert!(told.contains(part), "{part:?} is not in: {told}");
        }
    }

    #[test]
    fn cause_of_what_may_pass_says_that_it_is_tried_again() {
        let told = passing(&counts(FailureClass::Throttled), 9);
        for part in ["3 of 9", "3 throttled", "\"a\"", "tried again"] {
            assert!(told.contains(part), "{part:?} is not in: {told}");
        }
    }
}
