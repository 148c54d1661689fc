//! Names that are functions of (source, backup date, manifest ETag, attempt), so that doing a stage twice finds what the
//! first time made.

use jiff::civil::Date;
use levee_stage::StageError;
use sha2::{Digest, Sha256};

use crate::state::Run;

/// The longest bucket name.
const MAX_BUCKET: usize = 63;
/// What the date adds to the source's name: `-dd-mmm-yyyy`.
const DATE_SUFFIX: usize = 12;
/// What a job's description has room for beside the token, the date and the attempt.
const MAX_WORK: usize = 115;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// Reserved beginnings and ends of bucket names (S3 User Guide, "General purpose bucket naming rules").
const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: [&str; 6] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an"];

/// Why a name cannot be a bucket's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// More than 63 characters.
    #[error(
        "the snapshot bucket's name {name} has {length} characters, {over} more than the 63 that S3 allows: back up from a bucket whose name has at most 51 characters",
        over = .length - MAX_BUCKET
    )]
    TooLong {
        /// The name.
        name: String,
        /// Its length.
        length: usize,
    },
    /// Against another rule of bucket names.
    #[error("{name:?} cannot be a bucket's name: {}", .problems.join("; "))]
    Invalid {
        /// The name.
        name: String,
        /// Every rule that it breaks.
        problems: Vec<String>,
    },
    /// A date that the name's `yyyy` cannot hold.
    #[error("the backup date {0} cannot be part of a bucket's name: use a year from 1970 to 9999")]
    Year(Date),
}

impl From<NameError> for StageError {
    fn from(error: NameError) -> Self {
        let name = match error {
            NameError::TooLong { .. } => "Levee.BucketNameTooLong",
            NameError::Invalid { .. } => "Levee.BucketNameInvalid",
            NameError::Year(_) => StageError::INPUT_INVALID,
        };
        StageError::permanent(name, error.to_string())
    }
}

/// The snapshot bucket: `<source>-<dd-mmm-yyyy>` with the English month in lower case whatever the locale.
///
/// # Errors
/// The name would be too long or break another rule; all broken rules are named.
pub fn snapshot_bucket(source: &str, backup_date: Date) -> Result<String, NameError> {
    let month = usize::from(backup_date.month().unsigned_abs()).checked_sub(1).and_then(|index| MONTHS.get(index));
    let (Some(month), 1970..=9999) = (month, backup_date.year()) else {
        return Err(NameError::Year(backup_date));
    };
    let name = format!("{source}-{:02}-{month}-{:04}", backup_date.day(), backup_date.year());
    let length = name.chars().count();
    if length > MAX_BUCKET {
        return Err(NameError::TooLong { name, length });
    }
    check_bucket(&name)?;
    Ok(name)
}

/// Checks a name against every rule for general purpose buckets.
///
/// # Errors
/// All rules that it breaks.
pub fn check_bucket(name: &str) -> Result<(), NameError> {
    let problems = bucket_problems(name);
    if problems.is_empty() { Ok(()) } else { Err(NameError::Invalid { name: name.to_owned(), problems }) }
}

fn bucket_problems(name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let length = name.chars().count();
    if length < 3 {
        problems.push(format!("it has {length} characters, at least 3 are needed"));
    }
    if length > MAX_BUCKET {
        problems.push(format!("it has {length} characters, {} more than the 63 that are allowed", length - MAX_BUCKET));
    }
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut strange: Vec<char> = name.chars().filter(|c| !alphanumeric(*c) && !matches!(c, '.' | '-')).collect();
    strange.dedup();
    if !strange.is_empty() {
        problems.push(format!("only a-z, 0-9, `.` and `-` are allowed, it has {strange:?}"));
    }
    if !name.starts_with(alphanumeric) || !name.ends_with(alphanumeric) {
        problems.push("it must begin and end with a letter or a digit".to_owned());
    }
    if name.contains("..") {
        problems.push("two dots may not be next to each other".to_owned());
    }
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        problems.push("it has the form of an IPv4 address".to_owned());
    }
    let reserved = |what: &str, part: &&str| format!("names that {what} with {part} are reserved");
    problems.extend(RESERVED_PREFIXES.iter().filter(|p| name.starts_with(**p)).map(|p| reserved("begin", p)));
    let suffixes = RESERVED_SUFFIXES.iter().filter(|s| name.ends_with(**s) && !is_account_regional(name));
    problems.extend(suffixes.map(|s| reserved("end", s)));
    problems
}

/// Whether a name is one of the account-regional namespace: `<prefix>-<account>-<region>-an`.
fn is_account_regional(name: &str) -> bool {
    name.ends_with("-an") && name.split('-').any(|part| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit()))
}

/// The client request token of a copy job: 64 lower-case hex digits. The same job asked for twice is one job; a deliberate
/// repetition has a higher attempt. `subject` is [`Run::subject`](crate::state::Run::subject).
#[must_use]
pub fn job_token(subject: &str, backup_date: Date, manifest_etag: &str, attempt: u32) -> String {
    token("levee-job", subject, backup_date, manifest_etag, attempt)
}

/// The client request token of a restore job; see [`job_token`].
#[must_use]
pub fn restore_token(subject: &str, backup_date: Date, manifest_etag: &str, attempt: u32) -> String {
    token("levee-restore", subject, backup_date, manifest_etag, attempt)
}

fn token(kind: &str, subject: &str, backup_date: Date, manifest_etag: &str, attempt: u32) -> String {
    hex::encode(Sha256::digest(format!("{kind}\n{subject}\n{backup_date}\n{manifest_etag}\n{attempt}")))
}

/// Where the report of a copy job goes in the report bucket: `<subject>/<yyyy-mm-dd>/attempt-<n>-<12 hex digits>`. No slash
/// at the end, because Batch Operations adds `/job-<id>` itself.
#[must_use]
pub fn report_prefix(subject: &str, backup_date: Date, manifest_etag: &str, attempt: u32) -> String {
    let token = job_token(subject, backup_date, manifest_etag, attempt);
    let short: String = token.chars().take(DATE_SUFFIX).collect();
    format!("{subject}/{backup_date}/attempt-{attempt}-{short}")
}

/// Where the report of a restore job goes: `<subject>/<yyyy-mm-dd>/restore-<n>-<12 hex digits>`; see [`report_prefix`].
#[must_use]
pub fn restore_report_prefix(subject: &str, backup_date: Date, manifest_etag: &str, attempt: u32) -> String {
    let token = restore_token(subject, backup_date, manifest_etag, attempt);
    let short: String = token.chars().take(DATE_SUFFIX).collect();
    format!("{subject}/{backup_date}/restore-{attempt}-{short}")
}

/// The description of a restore job; see [`job_description`].
#[must_use]
pub fn restore_description(run: &Run, backup_date: Date, manifest_etag: &str, attempt: u32) -> String {
    let token = restore_token(&run.subject(), backup_date, manifest_etag, attempt);
    let work: String = run.work().chars().take(MAX_WORK).collect();
    format!("Levee restore for the {work} for {backup_date}, attempt {attempt}, token {token}")
}

/// The description of a copy job, at most 256 characters. It ends with the token, because `ListJobs` returns descriptions
/// but neither tags nor tokens, and it says nothing that changes from one call to the next.
#[must_use]
pub fn job_description(run: &Run, backup_date: Date, manifest_etag: &str, attempt: u32) -> String {
    let token = job_token(&run.subject(), backup_date, manifest_etag, attempt);
    let work: String = run.work().chars().take(MAX_WORK).collect();
    format!("Levee {work} for {backup_date}, attempt {attempt}, token {token}")
}
