//! The description of a deployment: the output `deployment` of the Terraform module for the backup account.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, bail};
use levee_ledger::{names, state::ObjectLock};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the description that is understood here.
const VERSION: u64 = 1;
/// The members of the description, so that all that are missing or unknown can be named at once.
const MEMBERS: [&str; 19] = [
    "version",
    "name",
    "region",
    "account",
    "manifest_bucket",
    "report_bucket",
    "ledger_bucket",
    "canary_bucket",
    "inventory_prefix",
    "queue_prefix",
    "state_machine_arn",
    "event_bus",
    "topic_arn",
    "copy_role_arn",
    "schedule_group",
    "break_glass_arns",
    "kms_key_arn",
    "ledger_lock",
    "sources",
];
/// The members of a source.
const SOURCE_MEMBERS: [&str; 7] =
    ["name", "account", "inventory_id", "schedule", "enabled", "kms_key_arns", "snapshot"];

/// What is deployed, by name. Unknown members are refused, because a check that is not made should not look made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The version of this description.
    pub version: u64,
    /// What the names of all resources begin with.
    pub name: String,
    /// The Region of everything, sources included.
    pub region: String,
    /// The backup account, 12 digits.
    pub account: String,
    /// Where inventories arrive.
    pub manifest_bucket: String,
    /// Where completion reports arrive.
    pub report_bucket: String,
    /// Where Levee keeps its records.
    pub ledger_bucket: String,
    /// Where the doctor copies an object to.
    pub canary_bucket: String,
    /// The prefix of the inventories in the manifest bucket; empty for none.
    pub inventory_prefix: String,
    /// What the queues' names begin with.
    pub queue_prefix: String,
    /// The state machine.
    pub state_machine_arn: String,
    /// The name of the bus that Levee's events go to.
    pub event_bus: String,
    /// The topic that people subscribe to.
    pub topic_arn: String,
    /// The role that Batch Operations copies with.
    pub copy_role_arn: String,
    /// The group of the schedules.
    pub schedule_group: String,
    /// The principals, role ARNs or patterns of them, that may delete snapshots and change their protection.
    pub break_glass_arns: Vec<String>,
    /// The KMS key of Levee's own buckets, queues and topic; keys of the services without it.
    pub kms_key_arn: Option<String>,
    /// The default retention of the ledger bucket.
    pub ledger_lock: ObjectLock,
    /// The buckets that are protected.
    pub sources: Vec<Source>,
}

/// A protected bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The bucket.
    pub name: String,
    /// The account that owns it, 12 digits.
    pub account: String,
    /// The id of its inventory configuration.
    pub inventory_id: String,
    /// The name of its schedule.
    pub schedule: String,
    /// Whether the schedule starts runs.
    pub enabled: bool,
    /// The keys that its objects are encrypted with.
    pub kms_key_arns: Vec<String>,
    /// How its dated buckets are made.
    pub snapshot: Snapshot,
}

/// How dated buckets are made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The KMS key of the bucket; SSE-S3 without it.
    pub kms_key_arn: Option<String>,
    /// The default retention of the bucket.
    pub object_lock: Option<ObjectLock>,
    /// The storage class of the copies; STANDARD without it.
    pub storage_class: Option<String>,
}

/// A description that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// It is not the JSON of one.
    #[error("{0}. Write the file with: terraform output -json deployment > deployment.json")]
    NotADescription(String),
    /// It is of another version.
    #[error(
        "the description has version {0}, this levee knows version {VERSION}: use the levee of the Terraform module's release"
    )]
    Version(String),
    /// Members have values that they cannot have.
    #[error("the description has {} problem(s): {}", .0.len(), .0.join("; "))]
    Problems(Vec<String>),
}

impl Deployment {
    /// Reads the description in a file.
    ///
    /// # Errors
    /// The file cannot be read, or holds no description that can be used.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("cannot use {}", path.display()))
    }

    /// The source of that name.
    ///
    /// # Errors
    /// There is none; those that there are are named.
    pub fn source(&self, name: &str) -> Result<&Source> {
        if let Some(source) = self.sources.iter().find(|source| source.name == name) {
            return Ok(source);
        }
        let all: Vec<&str> = self.sources.iter().map(|source| source.name.as_str()).collect();
        bail!("the deployment has no source {name:?}; it has {}", all.join(", "))
    }

    /// Reads a description.
    ///
    /// # Errors
    /// It is no description, of another version, or has impossible values; these are named all at once.
    pub fn parse(text: &str) -> Result<Self, DeploymentError> {
        let not_one = |error: serde_json::Error| DeploymentError::NotADescription(error.to_string());
        let value: Value = serde_json::from_str(text).map_err(not_one)?;
        let version = value.get("version").cloned().unwrap_or_default();
        if version.as_u64() != Some(VERSION) {
            return Err(DeploymentError::Version(version.to_string()));
        }
        let problems = structure(&value);
        if !problems.is_empty() {
            return Err(DeploymentError::Problems(problems));
        }
        let deployment: Self = serde_path_to_error::deserialize(value)
            .map_err(|error| DeploymentError::NotADescription(format!("at `{}`: {}", error.path(), error.inner())))?;
        let problems = deployment.problems();
        if problems.is_empty() { Ok(deployment) } else { Err(DeploymentError::Problems(problems)) }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (member, value) in [("name", &self.name), ("region", &self.region), ("event_bus", &self.event_bus)] {
            if value.is_empty() {
                problems.push(format!("`{member}` is empty"));
            }
        }
        account(&mut problems, "account", &self.account);
        for (kind, name) in self.buckets() {
            if let Err(error) = names::check_bucket(name) {
                problems.push(format!("`{}_bucket`: {error}", kind.word()));
            }
        }
        arn(&mut problems, "state_machine_arn", &self.state_machine_arn, "states");
        arn(&mut problems, "topic_arn", &self.topic_arn, "sns");
        arn(&mut problems, "copy_role_arn", &self.copy_role_arn, "iam");
        if let Some(key) = &self.kms_key_arn {
            arn(&mut problems, "kms_key_arn", key, "kms");
        }
        if self.sources.is_empty() {
            problems.push("`sources` is empty: there is nothing to back up".to_owned());
        }
        let mut seen = BTreeSet::new();
        for (index, source) in self.sources.iter().enumerate() {
            source.problems(&mut problems, &format!("sources[{index}]"));
            if !seen.insert(&source.name) {
                problems.push(format!("`sources[{index}].name`: {} is there twice", source.name));
            }
        }
        problems
    }

    /// Levee's own buckets.
    #[must_use]
    pub fn buckets(&self) -> [(BucketKind, &str); 4] {
        [
            (BucketKind::Manifest, &self.manifest_bucket),
            (BucketKind::Report, &self.report_bucket),
            (BucketKind::Ledger, &self.ledger_bucket),
            (BucketKind::Canary, &self.canary_bucket),
        ]
    }

    /// The ARN of a queue, by what comes behind the prefix.
    #[must_use]
    pub fn queue_arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{}{name}", self.region, self.account, self.queue_prefix)
    }

    /// The ARN of a role of the deployment, by what comes behind its name.
    #[must_use]
    pub fn role_arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{}-{name}", self.account, self.name)
    }
}

impl Source {
    fn problems(&self, problems: &mut Vec<String>, at: &str) {
        // Whether the dated names fit is a check of its own.
        if self.name.is_empty() || self.schedule.is_empty() || self.inventory_id.is_empty() {
            problems.push(format!("`{at}`: `name`, `schedule` and `inventory_id` must not be empty"));
        }
        account(problems, &format!("{at}.account"), &self.account);
        for key in self.kms_key_arns.iter().chain(&self.snapshot.kms_key_arn) {
            arn(problems, &format!("{at}: the key"), key, "kms");
        }
    }

    /// The name as far as it goes into names that hold it and something more.
    #[must_use]
    pub fn short_name(&self) -> String {
        self.name.chars().take(58).collect()
    }
}

/// What one of Levee's own buckets is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketKind {
    /// Inventories.
    Manifest,
    /// Completion reports.
    Report,
    /// Levee's records.
    Ledger,
    /// What the doctor copies.
    Canary,
}

impl BucketKind {
    /// The word in the description and in the ids of checks.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Report => "report",
            Self::Ledger => "ledger",
            Self::Canary => "canary",
        }
    }
}

/// The members that are missing, and those that are not known: a check that is not made should not look made.
fn structure(value: &Value) -> Vec<String> {
    let mut problems = members(value, "", &MEMBERS);
    let sources = value.get("sources").and_then(Value::as_array).into_iter().flatten();
    for (index, source) in sources.enumerate() {
        problems.extend(members(source, &format!("sources[{index}]."), &SOURCE_MEMBERS));
    }
    problems
}

fn members(value: &Value, at: &str, known: &[&str]) -> Vec<String> {
    let Some(found) = value.as_object() else { return Vec::new() };
    let missing = known.iter().filter(|member| !found.contains_key(**member));
    let missing = missing.map(|member| format!("`{at}{member}` is missing"));
    let unknown = found.keys().filter(|member| !known.contains(&member.as_str()));
    missing.chain(unknown.map(|member| format!("`{at}{member}` is not known"))).collect()
}

fn account(problems: &mut Vec<String>, member: &str, account: &str) {
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        problems.push(format!("`{member}` is {account:?}: an account id has 12 digits"));
    }
}

fn arn(problems: &mut Vec<String>, member: &str, arn: &str, service: &str) {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    if !matches!(parts.as_slice(), ["arn", _, found, _, _, rest] if *found == service && !rest.is_empty()) {
        problems.push(format!("`{member}` is {arn:?}: an ARN of {service} is expected"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn described() -> Value {
        json!({
            "version": 1, "name": "levee", "region": "us-east-1", "account": "222222222222",
            "manifest_bucket": "levee-manifests", "report_bucket": "levee-reports", "ledger_bucket": "levee-ledger",
            "canary_bucket": "levee-canary", "inventory_prefix": "inventory", "queue_prefix": "levee-",
            "state_machine_arn": "arn:aws:states:us-east-1:222222222222:stateMachine:levee-backup",
            "event_bus": "levee", "topic_arn": "arn:aws:sns:us-east-1:222222222222:levee-notifications",
            "copy_role_arn": "arn:aws:iam::222222222222:role/levee-batch-copy", "schedule_group": "default",
            "break_glass_arns": [], "kms_key_arn": null, "ledger_lock": {"mode": "GOVERNANCE", "days": 365},
            "sources": [{
                "name": "lake-events", "account": "111111111111", "inventory_id": "levee-daily",
                "schedule": "levee-lake-events", "enabled": true, "kms_key_arns": [],
                "snapshot": {"kms_key_arn": null, "object_lock": null, "storage_class": null},
            }],
        })
    }

    #[test]
    fn output_of_the_terraform_module_is_read_and_written_alike() {
        let deployment = Deployment::parse(&described().to_string()).unwrap();
        assert_eq!(deployment.sources[0].name, "lake-events");
        assert_eq!(serde_json::to_value(&deployment).unwrap(), described());
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut value = described();
        value["account"] = json!("2222");
        value["ledger_bucket"] = json!("Ledger");
        value["topic_arn"] = json!("levee-notifications");
        value["sources"][0]["account"] = json!("1");
        let twice = value["sources"][0].clone();
        value["sources"].as_array_mut().unwrap().push(twice);
        let told = Deployment::parse(&value.to_string()).unwrap_err().to_string();
        for word in ["`account`", "`ledger_bucket`", "`topic_arn`", "`sources[0].account`", "there twice"] {
            assert!(told.contains(word), "{word} is not in: {told}");
        }
    }

    #[test]
    fn all_members_that_are_missing_or_unknown_are_told_at_once() {
        let text = described().to_string().replace("\"event_bus\"", "\"bus\"").replace("\"inventory_id\"", "\"id\"");
        let told = Deployment::parse(&text).unwrap_err().to_string();
        let expected = "the description has 4 problem(s): `event_bus` is missing; `bus` is not known; \
                        `sources[0].inventory_id` is missing; `sources[0].id` is not known";
        assert_eq!(told, expected);
    }

    #[rstest]
    #[case::not_json("{", "terraform output -json deployment")]
    #[case::other_version(&described().to_string().replace("\"version\":1", "\"version\":2"), "has version 2")]
    #[case::no_version("{}", "has version null")]
    #[case::wrapped(&json!({ "value": described() }).to_string(), "has version null")]
    #[case::unknown_member_of_a_part(&described().to_string().replace("\"storage_class\"", "\"class\""), "unknown field `class`")]
    #[case::wrong_type(&described().to_string().replace("\"enabled\":true", "\"enabled\":1"), "at `sources[0].enabled`")]
    fn what_is_no_description_is_refused(#[case] text: &str, #[case] word: &str) {
        let told = Deployment::parse(text).unwrap_err().to_string();
        assert!(told.contains(word), "{told}");
    }
}
