//! Checks the input of an execution before anything is done.

use levee_stage::StageError;

use crate::{
    Selector, dates,
    names::{NameError, check_bucket},
    state::{ArchivedPolicy, InventoryLocation, Restoration, Run, SnapshotSettings},
};

/// The longest settling that makes sense; Inventory is consistent long before.
const MAX_SETTLE_DAYS: u8 = 30;
/// SendTask answers are waited for at most a year; a fortnight is what the ledger and Step Functions can redrive.
const MAX_LIMIT_HOURS: u16 = 14 * 24;
/// With the longest wait before each, more would keep a run busy for longer than until somebody has looked at it.
const MAX_RETRIES: u8 = 10;
/// Object Lock allows 100 years.
const MAX_LOCK_DAYS: u16 = 36_500;
/// A bucket has at most 50 tags, some of which are Levee's own.
const MAX_TAGS: usize = 40;
/// Restored copies cost as much as STANDARD for every day.
const MAX_RESTORED_DAYS: u16 = 365;
/// The storage classes that a copy job can write (S3CopyObjectOperation of the S3 Control API Reference).
const STORAGE_CLASSES: [&str; 7] =
    ["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];

impl Run {
    /// Checks every field.
    ///
    /// # Errors
    /// `Levee.InputInvalid` with all problems at once.
    pub fn validate(&self) -> Result<(), StageError> {
        let problems = self.problems();
        if problems.is_empty() {
            return Ok(());
        }
        let cause = format!(
            "the input of the execution has {} problem(s): {}. Correct the schedule's input and start a new execution: a redrive repeats the same input.",
            problems.len(),
            problems.join("; ")
        );
        Err(StageError::permanent(StageError::INPUT_INVALID, cause))
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        bucket(&mut problems, "run.source", &self.source);
        account(&mut problems, "run.source_account", &self.source_account);
        match &self.restore {
            None => inventory(&mut problems, &self.inventory),
            Some(restore) => restoration(&mut problems, restore),
        }
        if self.settle_days > MAX_SETTLE_DAYS {
            problems.push(format!("`run.settle_days` is {}, at most {MAX_SETTLE_DAYS} are allowed", self.settle_days));
        }
        limit(&mut problems, "run.manifest_limit_hours", self.manifest_limit_hours);
        limit(&mut problems, "run.stall_limit_hours", self.stall_limit_hours);
        if self.priority < 0 {
            problems.push(format!("`run.priority` is {}, it must be 0 or higher", self.priority));
        }
        if self.retries > MAX_RETRIES {
            problems.push(format!("`run.retries` is {}, at most {MAX_RETRIES} are allowed", self.retries));
        }
        if self.slice_files == 0 {
            problems.push("`run.slice_files` is 0, a slice has one data file at least".to_owned());
        }
        self.date_problems(&mut problems);
        problems.extend(Selector::new(&self.selection).err().unwrap_or_default());
        archived(&mut problems, self.archived);
        snapshot(&mut problems, &self.snapshot);
        problems
    }

    fn date_problems(&self, problems: &mut Vec<String>) {
        if let Err(error) = dates::zone(&self.time_zone) {
            problems.push(format!("`run.time_zone`: {}", error.cause));
            return;
        }
        match dates::backup_date(self) {
            Ok(date) if !(1970..=9999).contains(&date.year()) => {
                problems.push(format!("`run.backup_date` is {date}, use a year from 1970 to 9999"));
            }
            Ok(date) => {
                if let Err(error) = dates::threshold(date, self.settle_days, &self.time_zone) {
                    problems.push(format!("`run.backup_date`: {}", error.cause));
                }
            }
            Err(error) => problems.push(error.cause),
        }
    }
}

pub(crate) fn bucket(problems: &mut Vec<String>, field: &str, name: &str) {
    match check_bucket(name) {
        Err(NameError::Invalid { problems: broken, .. }) => {
            problems.push(format!("`{field}` {name:?} cannot be a bucket's name: {}", broken.join(", ")));
        }
        Err(error) => problems.push(format!("`{field}`: {error}")),
        Ok(()) => {}
    }
}

fn account(problems: &mut Vec<String>, field: &str, account: &str) {
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        problems.push(format!("`{field}` is {account:?}, an account id has 12 digits (quote it in JSON)"));
    }
}

fn inventory(problems: &mut Vec<String>, inventory: &InventoryLocation) {
    bucket(problems, "run.inventory.bucket", &inventory.bucket);
    inventory_id(problems, &inventory.id);
    if inventory.prefix.starts_with('/') || inventory.prefix.ends_with('/') {
        problems.push("`run.inventory.prefix` must neither begin nor end with `/`".to_owned());
    }
}

fn restoration(problems: &mut Vec<String>, restore: &Restoration) {
    bucket(problems, "run.restore.of", &restore.of);
    bucket(problems, "run.restore.target.name", &restore.target.name);
    account(problems, "run.restore.target.account", &restore.target.account);
    if restore.id.is_empty() || !restore.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        problems.push(format!("`run.restore.id` is {:?}, it has letters, digits and `-`", restore.id));
    }
    if restore.prefix.starts_with('/') || restore.prefix.ends_with('/') {
        problems.push("`run.restore.prefix` must neither begin nor end with `/`".to_owned());
    }
}

/// The rule of PutBucketInventoryConfiguration: 1 to 64 letters, digits, `-`, `_` and `.`.
fn inventory_id(problems: &mut Vec<String>, id: &str) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.is_empty() || id.len() > 64 || !id.chars().all(allowed) {
        problems.push(format!("`run.inventory.id` is {id:?}, it has 1 to 64 letters, digits, `-`, `_` and `.`"));
    }
}

fn limit(problems: &mut Vec<String>, field: &str, hours: u16) {
    if !(1..=MAX_LIMIT_HOURS).contains(&hours) {
        problems.push(format!("`{field}` is {hours}, it must be 1 to {MAX_LIMIT_HOURS}"));
    }
}

fn archived(problems: &mut Vec<String>, policy: ArchivedPolicy) {
    let ArchivedPolicy::Restore(restoring) = policy else { return };
    if !(1..=MAX_RESTORED_DAYS).contains(&restoring.days) {
        problems
            .push(format!("`run.archived.restore.days` is {}, it must be 1 to {MAX_RESTORED_DAYS}", restoring.days));
    }
    limit(problems, "run.archived.restore.limit_hours", restoring.limit_hours);
}

fn snapshot(problems: &mut Vec<String>, snapshot: &SnapshotSettings) {
    if let Some(days) = snapshot.object_lock.map(|lock| lock.days).filter(|days| !(1..=MAX_LOCK_DAYS).contains(days)) {
        problems.push(format!("`run.snapshot.object_lock.days` is {days}, it must be 1 to {MAX_LOCK_DAYS}"));
    }
    if let Some(key) = snapshot.kms_key_arn.as_deref().filter(|key| !is_key_arn(key)) {
        problems.push(format!(
            "`run.snapshot.kms_key_arn` is {key:?}, it must be the full ARN of a key: arn:aws:kms:<region>:<account>:key/<id>"
        ));
    }
    if let Some(class) = snapshot.storage_class.as_deref().filter(|class| !STORAGE_CLASSES.contains(class)) {
        problems.push(format!(
            "`run.snapshot.storage_class` is {class:?}, it must be one of {}",
            STORAGE_CLASSES.join(", ")
        ));
    }
    if snapshot.tags.len() > MAX_TAGS {
        problems.push(format!("`run.snapshot.tags` has {} tags, at most {MAX_TAGS} are allowed", snapshot.tags.len()));
    }
    for (key, value) in &snapshot.tags {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 || key.starts_with("aws:") {
            problems.push(format!(
                "`run.snapshot.tags` has {key:?}: a tag's key has 1 to 128 characters and does not begin with `aws:`, its value has at most 256"
            ));
        }
    }
}

fn is_key_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", partition, "kms", region, account, key]
        if partition.starts_with("aws") && !region.is_empty() && account.len() == 12 && key.len() > 4 && key.starts_with("key/"))
}
