//! What is told of objects that were not copied: the event, and the cause of the failure.

use std::collections::BTreeMap;

use levee_ledger::{RunKey, state::ObjectPointer};
use levee_parts::remedy;
use levee_stage::Stage;
use serde_json::{Value, json};

use crate::{LargeCopying, tally::Counts};

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
    let remedies = counts.failed.keys().map(|class| remedy(*class, LargeCopying::NAME, source, snapshot));
    let remedies: Vec<_> = remedies.collect();
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

#[cfg(test)]
mod tests {
    use levee_ledger::state::FailureClass;
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
