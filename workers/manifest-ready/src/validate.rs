//! Whether a run's input can be worked with.

use aws_sdk_s3::types::StorageClass;
use levee_ledger::state::Run;
use levee_stage::StageError;

/// What the state machine's ManifestReady state waits for at most, less a day to read the manifest in: 168 hours.
const LONGEST_MANIFEST_WAIT_HOURS: u16 = 168;
/// Half of the time that the state machine's JobPoll state has: 168 hours.
const LONGEST_STALL_HOURS: u16 = 168;
/// Storage classes that a batch copy can write.
const STORAGE_CLASSES: [StorageClass; 7] = [
    StorageClass::Standard,
    StorageClass::StandardIa,
    StorageClass::OnezoneIa,
    StorageClass::IntelligentTiering,
    StorageClass::GlacierIr,
    StorageClass::Glacier,
    StorageClass::DeepArchive,
];

/// Refuses an input that no retry can make work.
///
/// # Errors
/// [`StageError::INPUT_INVALID`] with every problem that was found.
pub fn validate(run: &Run) -> Result<(), StageError> {
    let problems = problems(run);
    if problems.is_empty() {
        return Ok(());
    }
    let cause = format!(
        "the input of the execution cannot be worked with: {}. Correct the schedule's input and start a new execution; a \
         redrive keeps the input.",
        problems.join("; ")
    );
    Err(StageError::permanent(StageError::INPUT_INVALID, cause))
}

fn problems(run: &Run) -> Vec<String> {
    let mut problems = Vec::new();
    let mut check = |holds: bool, problem: String| {
        if !holds {
            problems.push(problem);
        }
    };
    check(!run.source.is_empty(), "`run.source` is empty".into());
    let digits = run.source_account.len() == 12 && run.source_account.bytes().all(|byte| byte.is_ascii_digit());
    check(digits, format!("`run.source_account` is `{}`, not an account of 12 digits", run.source_account));
    check(!run.inventory.bucket.is_empty(), "`run.inventory.bucket` is empty".into());
    check(!run.inventory.id.is_empty() && !run.inventory.id.contains('/'), format!("`run.inventory.id` is `{}`", run.inventory.id));
    let prefix = &run.inventory.prefix;
    check(!prefix.starts_with('/') && !prefix.ends_with('/'), format!("`run.inventory.prefix` is `{prefix}`: leave out slashes at its ends"));
    let wait = run.manifest_limit_hours;
    check(
        (1..=LONGEST_MANIFEST_WAIT_HOURS).contains(&wait),
        format!("`run.manifest_limit_hours` is {wait}, not 1 to {LONGEST_MANIFEST_WAIT_HOURS}"),
    );
    let stall = run.stall_limit_hours;
    check(
        (1..=LONGEST_STALL_HOURS).contains(&stall),
        format!("`run.stall_limit_hours` is {stall}, not 1 to {LONGEST_STALL_HOURS}"),
    );
    check(run.priority >= 0, format!("`run.priority` is {}, below 0", run.priority));
    if let Some(class) = &run.snapshot.storage_class {
        let known = STORAGE_CLASSES.iter().any(|known| known.as_str() == class);
        check(known, format!("`run.snapshot.storage_class` is `{class}`, which a batch copy cannot write"));
    }
    if let Some(lock) = run.snapshot.object_lock {
        check(lock.days > 0, "`run.snapshot.object_lock.days` is 0".into());
    }
    let reserved = run.snapshot.tags.keys().filter(|key| key.starts_with("levee:") || key.starts_with("aws:"));
    for key in reserved {
        check(false, format!("`run.snapshot.tags` has `{key}`; keys that begin with `levee:` or `aws:` are taken"));
    }
    problems
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn run_with(path: &str, value: Value) -> Run {
        let mut run = json!({
            "source": "lake-events", "source_account": "111111111111",
            "inventory": { "bucket": "backup-manifests", "prefix": "inventory", "id": "daily" },
            "snapshot": { "object_lock": { "mode": "GOVERNANCE", "days": 30 }, "storage_class": "GLACIER_IR" },
        });
        if !path.is_empty() {
            let (parent, name) = path.rsplit_once('/').unwrap();
            run.pointer_mut(parent).unwrap()[name] = value;
        }
        serde_json::from_value(run).unwrap()
    }

    #[test]
    fn usual_input_is_taken() {
        assert_eq!(validate(&run_with("", Value::Null)), Ok(()));
    }

    #[rstest]
    #[case("/source", json!(""))]
    #[case("/source_account", json!("12345"))]
    #[case("/source_account", json!("11111111111x"))]
    #[case("/inventory/bucket", json!(""))]
    #[case("/inventory/id", json!("a/b"))]
    #[case("/inventory/prefix", json!("inventory/"))]
    #[case("/manifest_limit_hours", json!(0))]
    #[case("/manifest_limit_hours", json!(1000))]
    #[case("/stall_limit_hours", json!(0))]
    #[case("/priority", json!(-1))]
    #[case("/snapshot/storage_class", json!("REDUCED_REDUNDANCY"))]
    #[case("/snapshot/object_lock/days", json!(0))]
    #[case("/snapshot/tags", json!({ "levee:source": "x" }))]
    fn input_that_cannot_work_is_refused_by_the_name_of_the_field(#[case] path: &str, #[case] value: Value) {
        let error = validate(&run_with(path, value)).unwrap_err();
        assert_eq!(error.name, StageError::INPUT_INVALID);
        let field = path.trim_start_matches('/').replace('/', ".");
        assert!(error.cause.contains(&field), "{field} is not in: {}", error.cause);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut run = run_with("/source", json!(""));
        run.source_account.clear();
        let cause = validate(&run).unwrap_err().cause;
        assert!(cause.contains("run.source`") && cause.contains("run.source_account"), "{cause}");
    }
}
