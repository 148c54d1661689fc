//! Calls that differ in nothing that a policy could tell apart.

use std::collections::{BTreeMap, BTreeSet};

use levee_twin::{Outcome, RecordedCall};
use serde_json::{Map, Value, json};

use crate::night::Played;

/// One call of each shape, and what else was left behind.
#[derive(Default)]
pub(crate) struct Shapes {
    seen: BTreeSet<String>,
    calls: Vec<Value>,
    policies: BTreeMap<String, Value>,
}

impl Shapes {
    /// Adds what a night has that is not there yet. What the accounts' roots do is the rig's and the operators' doing.
    pub(crate) fn take_in(&mut self, night: &str, played: &Played) {
        let mut buckets = Buckets { owners: &played.owners, with_policy: BTreeSet::new() };
        for call in &played.calls {
            if call.principal != "root" && !call.needs.is_empty() {
                let line = told(call, night, &buckets);
                if self.seen.insert(shape(&line)) {
                    self.calls.push(line);
                }
            }
            buckets.note(call);
        }
        for (bucket, policy) in &played.policies {
            let line = || json!({ "kind": "policy", "night": night, "bucket": bucket, "policy": policy });
            self.policies.entry(bucket.clone()).or_insert_with(line);
        }
    }

    /// How many calls there are.
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// The calls, then the policies.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Value> {
        self.calls.iter().chain(self.policies.values()).cloned()
    }
}

/// The buckets at the time of a call.
struct Buckets<'a> {
    owners: &'a BTreeMap<String, String>,
    with_policy: BTreeSet<String>,
}

impl Buckets<'_> {
    fn note(&mut self, call: &RecordedCall) {
        if call.is_ok() && call.operation == "PutBucketPolicy" {
            self.with_policy.extend(bucket_of(&call.resource).map(str::to_owned));
        }
    }

    /// The account of a resource: of a bucket the one that owns it, else the one that the ARN names, else the caller's.
    fn account<'a>(&'a self, arn: &'a str, caller: &'a str) -> &'a str {
        match bucket_of(arn) {
            Some(bucket) => self.owners.get(bucket).map_or(caller, String::as_str),
            None => arn.split(':').nth(4).filter(|account| !account.is_empty()).unwrap_or(caller),
        }
    }
}

/// The bucket that the ARN of a bucket or an object names.
fn bucket_of(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:aws:s3:::")?.split('/').next()
}

fn told(call: &RecordedCall, night: &str, buckets: &Buckets<'_>) -> Value {
    let needs: Vec<Value> = call
        .needs
        .iter()
        .map(|need| {
            let account = buckets.account(&need.resource, &call.account);
            let bare = bucket_of(&need.resource).is_some_and(|bucket| !buckets.with_policy.contains(bucket));
            let (action, resource) = (need.action, need.resource.as_str());
            json!({ "action": action, "resource": resource, "account": account, "without_bucket_policy": bare })
        })
        .collect();
    let facts: Map<String, Value> =
        call.facts.iter().map(|fact| (fact.key.to_owned(), json!(fact.value.as_str()))).collect();
    let (outcome, planned) = match &call.outcome {
        None => ("open", false),
        Some(Outcome::Ok) => ("ok", false),
        Some(Outcome::Error { code, planned, .. }) => (code.as_str(), *planned),
    };
    json!({
        "kind": "call", "night": night, "principal": call.principal.as_str(), "account": call.account.as_str(),
        "service": call.service.as_str(), "operation": call.operation.as_str(), "needs": needs, "facts": facts,
        "outcome": outcome, "planned": planned,
    })
}

/// The call without the night and with every number and identifier in its resources the same.
fn shape(line: &Value) -> String {
    let mut line = line.clone();
    if let Some(members) = line.as_object_mut() {
        members.remove("night");
    }
    let text = line.to_string();
    let mut shape = String::with_capacity(text.len());
    let mut word = String::new();
    for character in text.chars().chain(['"']) {
        if character.is_ascii_alphanumeric() {
            word.push(character);
            continue;
        }
        shape.push_str(if is_identifier(&word) { "#" } else { &word });
        word.clear();
        // Identifiers of several groups are as one.
        if character != '-' || !shape.ends_with('#') {
            shape.push(character);
        }
    }
    while shape.contains("##") {
        shape = shape.replace("##", "#");
    }
    shape
}

/// Whether it counts or names one of many: a number, hexadecimal digits, or something long. A number of 12 digits is an account.
fn is_identifier(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let hexadecimal = word.chars().all(|character| character.is_ascii_hexdigit());
    match word.len() {
        12 if digits == 12 => false,
        0..4 => digits > 0 && digits == word.len(),
        4..20 => digits > 0 && hexadecimal,
        20..100 => digits > 0,
        _ => true,
    }
}
