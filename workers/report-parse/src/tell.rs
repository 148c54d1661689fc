//! What is told of rows that are outstanding: the event, and the cause of the failure.

use std::collections::BTreeMap;

use levee_ledger::{
    RunKey,
    state::{FailureClass, ObjectPointer, Report},
};
use serde_json::{Value, json};

use crate::{failures::Counts, keys::Keys};

/// What else is known of the rows.
pub(crate) struct Known<'a> {
    /// The source bucket.
    pub(crate) source: &'a str,
    /// The objects that the copy jobs were given.
    pub(crate) objects: u64,
    /// Whether the inventory has sizes.
    pub(crate) sized: bool,
    /// The KMS keys of the first that failed by one.
    pub(crate) keys: Keys,
}

/// The detail of `Copy Failures`. Counts are over all attempts; `rows` are the objects that copy jobs were given.
pub(crate) fn event(run: &RunKey, report: &Report, counts: &Counts, objects: u64) -> Value {
    let by_class: BTreeMap<_, _> = report.outstanding.iter().map(|(class, count)| (class.name(), count)).collect();
    json!({
        "source": run.source,
        "backup_date": run.backup_date,
        "execution": run.execution_arn,
        "attempt": report.attempt,
        "rows": objects,
        "succeeded": report.copied_in_all,
        "vanished": report.vanished_in_all,
        "failed": report.outstanding_rows(),
        "failed_by_class": by_class,
        "first": counts.first,
        "failure_list": report.failure_list,
        "ledger": run.prefix(),
    })
}

/// The cause of `Levee.CopyIncomplete`.
pub(crate) fn cause(report: &Report, counts: &Counts, known: &Known<'_>) -> String {
    let (source, objects) = (known.source, known.objects);
    let classes: Vec<_> = report.outstanding.iter().map(|(class, count)| format!("{count} {}", class.name())).collect();
    let list = report.failure_list.as_ref().map_or_else(String::new, place);
    let mut remedies: Vec<_> = report.outstanding.keys().filter_map(|class| remedy(*class, known)).collect();
    if counts.unseen > 0 {
        remedies.push(format!(
            "{} of the `denied` are gone if the report is right, but the worker of report-parse was not let look (HTTP 403): its \
             role needs s3:GetObject on arn:aws:s3:::{source}/* and s3:ListBucket on arn:aws:s3:::{source}, in its own policy \
             and in the policy of the bucket",
            counts.unseen
        ));
    }
    format!(
        "{} of {objects} objects were not copied in {} attempts: {}. The first: {}. All are in {list}. {}. Then redrive the \
         execution: exactly these rows are copied again as attempt {}.",
        report.outstanding_rows(),
        report.attempt,
        classes.join(", "),
        counts.first.join(", "),
        remedies.join("; "),
        report.attempt.saturating_add(1)
    )
}

fn place(list: &ObjectPointer) -> String {
    format!("s3://{}/{}", list.bucket, list.key)
}

/// What mends a class, as the beginning or a later part of a sentence.
fn remedy(class: FailureClass, known: &Known<'_>) -> Option<String> {
    let source = known.source;
    Some(match class {
        // Explained and not outstanding.
        FailureClass::Vanished => return None,
        FailureClass::Denied => format!(
            "`denied`: let the role of the copy jobs read the source, in the bucket policy of {source} (s3:GetObject and its \
             kin on arn:aws:s3:::{source}/*, s3:ListBucket on arn:aws:s3:::{source}) and in its own"
        ),
        FailureClass::Key => by_key(&known.keys),
        FailureClass::Archived => "`archived`: restore the objects from their archive; for the coming nights, `archived` of the \
                                   source may be `restore`, which does that by itself, or `skip`"
            .to_owned(),
        FailureClass::TooLarge if known.sized => {
            "`too_large`: above the limit of a copy job, though not when the inventory was made; no redrive mends it as long as \
             they are in the source, and the next night copies them part by part"
                .to_owned()
        }
        FailureClass::TooLarge => "`too_large`: above the limit of a copy job, which the inventory does not tell without sizes; no \
                                   redrive mends it as long as they are in the source: add Size to the optional fields of the \
                                   inventory, and they are copied part by part from then on"
            .to_owned(),
        FailureClass::Throttled => {
            "`throttled`: they only need another try; if it stays, see what else loads the source".to_owned()
        }
        FailureClass::Changed => "`changed`: they have changed since the inventory; see who writes them".to_owned(),
        FailureClass::Unsupported => {
            "`unsupported`: nobody but the owner of their keys (SSE-C) can copy them; no redrive mends it".to_owned()
        }
        FailureClass::Other => "`other`: the list has what AWS said of each".to_owned(),
    })
}

/// Keys are told apart by what can be done: one of the customer's can be granted, the one of AWS cannot.
fn by_key(keys: &Keys) -> String {
    let told = keys.told().map(|told| format!(" ({told})")).unwrap_or_default();
    format!(
        "`key`{told}: let the role of the copy jobs decrypt with the keys of the objects, in their key policies and in its own, and \
         see that the keys are enabled; there may be several. Objects under the AWS managed key `aws/s3` (`aws kms describe-key` \
         says KeyManager AWS) cannot be copied to another account whatever is granted: put them under a customer managed key \
         where they are, with the operation S3UpdateObjectEncryption of S3 Batch Operations or by a copy of each onto itself, or \
         exclude them in `selection` of the source and start a new execution"
    )
}

#[cfg(test)]
mod tests {
    use levee_ledger::state::ReportNext;
    use rstest::rstest;

    use super::*;

    fn told(class: FailureClass, unseen: u64, sized: bool) -> String {
        let pointer = ObjectPointer { bucket: "ledger".into(), key: "list".into(), etag: "e".into(), version_id: None };
        let report = Report {
            attempt: 4,
            rows: 3,
            succeeded: 0,
            failed: 3,
            failed_by_class: BTreeMap::new(),
            copied_in_all: 90,
            vanished_in_all: 7,
            vanished_list: None,
            outstanding: BTreeMap::from([(class, 3)]),
            failure_list: Some(pointer),
            retries: 3,
            next: ReportNext::Retry,
            wait_seconds: None,
            next_attempt: Some(5),
            retry_manifest: None,
        };
        let counts = Counts { first: vec!["\"a\" (x)".to_owned()], unseen, ..Counts::default() };
        let objects = BTreeMap::from([("arn:aws:kms:us-east-1:111111111111:key/1".to_owned(), 2)]);
        let keys = Keys { objects, unknown: 1 };
        cause(&report, &counts, &Known { source: "lake", objects: 100, sized, keys })
    }

    #[rstest]
    #[case(FailureClass::Denied, "the bucket policy of lake")]
    #[case(FailureClass::Key, "key policies")]
    #[case(FailureClass::Archived, "restore")]
    #[case(
        FailureClass::Key,
        "of the first 3 there are 2 under arn:aws:kms:us-east-1:111111111111:key/1, 1 whose key is not known"
    )]
    #[case(FailureClass::Key, "the AWS managed key `aws/s3`")]
    #[case(FailureClass::Key, "S3UpdateObjectEncryption")]
    #[case(FailureClass::TooLarge, "limit of a copy job")]
    #[case(FailureClass::Throttled, "another try")]
    #[case(FailureClass::Changed, "have changed")]
    #[case(FailureClass::Other, "what AWS said")]
    fn cause_has_the_counts_the_list_the_remedy_and_what_a_redrive_does(
        #[case] class: FailureClass,
        #[case] remedy: &str,
    ) {
        let cause = told(class, 0, true);
        let parts = ["3 of 100", "in 4 attempts", class.name(), remedy, "s3://ledger/list", "\"a\"", "as attempt 5"];
        for part in parts {
            assert!(cause.contains(part), "{part:?} is not in: {cause}");
        }
        assert!(!cause.contains("not let look"), "{cause}");
    }

    #[test]
    fn cause_names_the_column_without_which_large_objects_are_not_known_beforehand() {
        assert!(told(FailureClass::TooLarge, 0, false).contains("add Size to the optional fields"));
        assert!(!told(FailureClass::TooLarge, 0, true).contains("add Size"));
    }

    #[test]
    fn cause_names_the_permissions_that_a_look_lacks() {
        let cause = told(FailureClass::Denied, 2, true);
        for part in ["2 of the `denied`", "report-parse", "s3:GetObject on arn:aws:s3:::lake/*", "s3:ListBucket on"] {
            assert!(cause.contains(part), "{part:?} is not in: {cause}");
        }
    }
}
