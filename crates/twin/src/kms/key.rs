//! Keys: their state and their policy.

use aws_lc_rs::signature::EcdsaKeyPair;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Kms, Refusal, grants::Grant, signing};
use crate::{
    events::input,
    service::{Caller, ServiceError},
    sfn::epoch,
};

/// The one name that a key's policy can have.
const POLICY_NAME: &str = "default";
/// The largest policy, in bytes.
const LARGEST_POLICY: usize = 32 * 1024;
/// Days until a key is deleted: by default, and what can be asked for.
const WAITING_DAYS: i64 = 30;
const WAITING_DAYS_ALLOWED: std::ops::RangeInclusive<i64> = 7..=30;

/// A key: symmetric, or a pair that signs.
pub(super) struct Key {
    pub(super) account: String,
    pub(super) grants: Vec<Grant>,
    created: Timestamp,
    description: String,
    policy: String,
    state: State,
    pub(super) pair: Option<EcdsaKeyPair>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Enabled,
    Disabled,
    PendingDeletion(Timestamp),
}

impl Key {
    /// The members of KeyMetadata.
    pub(super) fn metadata(&self, arn: &str) -> Value {
        let state = match self.state {
            State::Enabled => "Enabled",
            State::Disabled => "Disabled",
            State::PendingDeletion(_) => "PendingDeletion",
        };
        let (spec, usage, algorithms, algorithm) = match &self.pair {
            None => ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", "SYMMETRIC_DEFAULT"),
            Some(_) => (signing::KEY_SPEC, signing::KEY_USAGE, "SigningAlgorithms", signing::ALGORITHM),
        };
        let mut metadata = json!({
            "AWSAccountId": self.account, "Arn": arn, "KeyId": id_of(arn), "CreationDate": epoch(self.created),
            "Description": self.description, "Enabled": self.state == State::Enabled, "KeyState": state,
            "KeyManager": "CUSTOMER", "KeySpec": spec, "CustomerMasterKeySpec": spec,
            "KeyUsage": usage, algorithms: [algorithm], "MultiRegion": false,
            "Origin": "AWS_KMS",
        });
        if let (State::PendingDeletion(when), Some(members)) = (self.state, metadata.as_object_mut()) {
            members.insert("DeletionDate".to_owned(), epoch(when));
        }
        metadata
    }

    /// The policy's text.
    pub(super) fn policy(&self) -> &str {
        &self.policy
    }

    /// Refuses the use of a key that is not enabled.
    pub(super) fn usable(&self) -> Result<(), Refusal> {
        match self.state {
            State::Enabled => Ok(()),
            State::Disabled => Err(Refusal::Disabled),
            State::PendingDeletion(_) => Err(Refusal::PendingDeletion),
        }
    }

    /// Refuses what cannot be done to a key that is about to be deleted.
    pub(super) fn must_stay(&self, arn: &str) -> Result<(), ServiceError> {
        match self.state {
            State::PendingDeletion(_) => {
                let error = ServiceError::client("KMSInvalidStateException", format!("{arn} is pending deletion."));
                Err(ServiceError { status: 409, ..error })
            }
            _ => Ok(()),
        }
    }
}

impl Kms {
    pub(super) fn create_key(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        input::refuse(body, &["CustomKeyStoreId", "Origin", "Tags", "XksKeyId"], "keys")?;
        let usage = input::optional_text(body, "KeyUsage")?.unwrap_or("ENCRYPT_DECRYPT");
        let spec = input::optional_text(body, "KeySpec")?.unwrap_or("SYMMETRIC_DEFAULT");
        let pair = match (usage, spec) {
            ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT") => None,
            (signing::KEY_USAGE, signing::KEY_SPEC) => Some(signing::pair()?),
            _ => {
                return Err(ServiceError::not_modelled(format_args!(
                    "keys with the usage {usage} and the spec {spec}"
                )));
            }
        };
        if body.get("MultiRegion") == Some(&Value::Bool(true)) {
            return Err(ServiceError::not_modelled("multi-Region keys"));
        }
        let policy = match input::optional_text(body, "Policy")? {
            Some(policy) => checked_policy(policy)?.to_owned(),
            None => default_policy(&caller.account),
        };
        let arn = super::key_arn(caller, &self.env.ids.uuid());
        let key = Key {
            account: caller.account.clone(),
            grants: Vec::new(),
            created: self.env.clock.now(),
            description: input::optional_text(body, "Description")?.unwrap_or_default().to_owned(),
            policy,
            state: State::Enabled,
            pair,
        };
        let answer = json!({"KeyMetadata": key.metadata(&arn)});
        self.keys().insert(arn, key);
        Ok(answer)
    }

    pub(super) fn switch(&self, caller: &Caller, body: &Value, on: bool) -> Result<Value, ServiceError> {
        self.on_key(caller, body, |arn, key| {
            key.must_stay(arn)?;
            key.state = if on { State::Enabled } else { State::Disabled };
            Ok(json!({}))
        })
    }

    pub(super) fn key_policy(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        check_policy_name(body)?;
        self.on_key(caller, body, |_, key| Ok(json!({"Policy": key.policy, "PolicyName": POLICY_NAME})))
    }

    pub(super) fn put_key_policy(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        check_policy_name(body)?;
        let policy = checked_policy(input::text(body, "Policy")?)?;
        self.on_key(caller, body, |arn, key| {
            key.must_stay(arn)?;
            policy.clone_into(&mut key.policy);
            Ok(json!({}))
        })
    }

    /// The key stays for good: the twin deletes none when its time has come.
    pub(super) fn schedule_deletion(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let days = match body.get("PendingWindowInDays").filter(|value| !value.is_null()) {
            None => Some(WAITING_DAYS),
            Some(days) => days.as_i64().filter(|days| WAITING_DAYS_ALLOWED.contains(days)),
        };
        let days = days.ok_or_else(|| input::invalid("PendingWindowInDays must be between 7 and 30"))?;
        let when = self.env.clock.now().saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
        self.on_key(caller, body, |arn, key| {
            key.must_stay(arn)?;
            key.state = State::PendingDeletion(when);
            Ok(json!({
                "KeyId": arn, "DeletionDate": epoch(when), "KeyState": "PendingDeletion", "PendingWindowInDays": days,
            }))
        })
    }
}

fn id_of(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, id)| id)
}

fn check_policy_name(body: &Value) -> Result<(), ServiceError> {
    match input::optional_text(body, "PolicyName")? {
        None | Some(POLICY_NAME) => Ok(()),
        Some(other) => Err(ServiceError::client("NotFoundException", format!("No such policy exists: {other}"))),
    }
}

fn checked_policy(text: &str) -> Result<&str, ServiceError> {
    let is_document = serde_json::from_str::<Value>(text).is_ok_and(|policy| policy.get("Statement").is_some());
    if is_document && text.len() <= LARGEST_POLICY {
        return Ok(text);
    }
    Err(ServiceError::client("MalformedPolicyDocumentException", "The new key policy is not a policy document."))
}

/// What a key gets without a policy of its own ("Default key policy" of the developer guide).
fn default_policy(account: &str) -> String {
    let root = format!("arn:aws:iam::{account}:root");
    let statement = json!({
        "Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*",
        "Resource": "*",
    });
    json!({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}).to_string()
}
