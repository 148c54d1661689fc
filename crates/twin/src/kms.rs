//! AWS Key Management Service: keys with their state, policy and grants, in AWS JSON 1.1.
//!
//! Symmetric keys encrypt nothing; asymmetric ones, on the curve P-256, sign. State, policy and grants decide whether S3 reads an object for somebody, and describe keys, so
//! that a deployment can be checked. Calls from another account than the key's are refused, which on AWS the key's policy
//! could allow. Aliases, key material, tags and everything that encrypts are refused by name.

mod grants;
mod key;
mod permission;
mod signing;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use serde_json::{Value, json};

use self::key::Key;
pub(crate) use self::permission::Refusal;
use crate::{
    env::{Call, Env},
    events::input,
    needs,
    service::{Caller, JsonService, ServiceError},
};

/// The operations that are modelled.
pub(crate) const OPERATIONS: &[&str] = &[
    "CreateGrant",
    "CreateKey",
    "DescribeKey",
    "DisableKey",
    "EnableKey",
    "GetKeyPolicy",
    "GetPublicKey",
    "ListGrants",
    "PutKeyPolicy",
    "ScheduleKeyDeletion",
    "Sign",
];

/// The KMS of the twin.
pub struct Kms {
    env: Env,
    /// By ARN.
    keys: Mutex<BTreeMap<String, Key>>,
}

impl Kms {
    /// A KMS without keys.
    #[must_use]
    pub fn new(env: Env) -> Self {
        Self { env, keys: Mutex::default() }
    }

    fn answer(&self, caller: &Caller, operation: &str, body: &Value) -> Result<Value, ServiceError> {
        match operation {
            "CreateGrant" => self.create_grant(caller, body),
            "CreateKey" => self.create_key(caller, body),
            "DescribeKey" => self.on_key(caller, body, |arn, key| Ok(json!({"KeyMetadata": key.metadata(arn)}))),
            "DisableKey" => self.switch(caller, body, false),
            "EnableKey" => self.switch(caller, body, true),
            "GetKeyPolicy" => self.key_policy(caller, body),
            "GetPublicKey" => self.public_key(caller, body),
            "ListGrants" => self.list_grants(caller, body),
            "PutKeyPolicy" => self.put_key_policy(caller, body),
            "ScheduleKeyDeletion" => self.schedule_deletion(caller, body),
            "Sign" => self.sign(caller, body),
            _ => Err(ServiceError::not_modelled(format_args!("the KMS operation {operation}"))),
        }
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<String, Key>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the key that `KeyId` names.
    fn on_key<T>(
        &self,
        caller: &Caller,
        body: &Value,
        act: impl FnOnce(&str, &mut Key) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let id = input::text(body, "KeyId")?;
        if id.contains("alias/") {
            return Err(ServiceError::not_modelled(format_args!("aliases of keys ({id})")));
        }
        let arn = key_arn(caller, id);
        let mut keys = self.keys();
        let key = keys.get_mut(&arn).filter(|_| arn.contains(&format!(":{}:", caller.region)));
        let key =
            key.ok_or_else(|| ServiceError::client("NotFoundException", format!("Key '{arn}' does not exist")))?;
        if key.account != caller.account {
            let reason = format!(
                "User: {} is not authorized to use the key {arn} of another account: the twin evaluates no key policies",
                caller.principal_arn()
            );
            return Err(ServiceError::client("AccessDeniedException", reason));
        }
        act(&arn, key)
    }
}

#[async_trait]
impl JsonService for Kms {
    async fn call(&self, caller: &Caller, operation: &str, body: Value) -> Result<Value, ServiceError> {
        let id = body.get("KeyId").and_then(Value::as_str);
        let resource = id.map_or_else(String::new, |id| key_arn(caller, id));
        let needs = needs::kms(operation, &resource);
        let call = Call { service: "kms", operation, caller, resource: &resource, needs: &needs, facts: &[] };
        self.env.pass_now(&call, || self.answer(caller, operation, &body))
    }
}

/// The ARN of a key that is named by its ARN or, in the caller's account and Region, by its id.
fn key_arn(caller: &Caller, id: &str) -> String {
    arn_of(&caller.account, &caller.region, id)
}

/// The ARN of a key that is named by its ARN or, in this account and Region, by its id.
pub(crate) fn arn_of(account: &str, region: &str, id: &str) -> String {
    if id.starts_with("arn:") {
        return id.to_owned();
    }
    format!("arn:aws:kms:{region}:{account}:key/{id}")
}
