//! Grants of keys.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Kms;
use crate::{
    events::input,
    service::{Caller, ServiceError},
    sfn::epoch,
};

/// The operations that a grant of a symmetric key can name (`GrantOperation` of the API reference).
const GRANTABLE: [&str; 9] = [
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "RetireGrant",
];

/// A grant of a key.
pub(super) struct Grant {
    id: String,
    grantee: String,
    issuer: String,
    created: Timestamp,
    operations: Vec<String>,
    /// `Name`, `RetiringPrincipal` and `Constraints`, as they were given.
    given: Map<String, Value>,
}

impl Kms {
    pub(super) fn create_grant(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        let grantee = input::text(body, "GranteePrincipal")?.to_owned();
        let operations = input::list(body, "Operations")?;
        let operations: Option<Vec<String>> = operations.iter().map(grantable).collect();
        let operations =
            operations.filter(|operations| !operations.is_empty()).ok_or_else(|| input::invalid("Operations"))?;
        let kept = ["Constraints", "Name", "RetiringPrincipal"];
        let given = kept.into_iter().filter_map(|name| Some((name.to_owned(), body.get(name)?.clone()))).collect();
        let (id, token) = (self.env.ids.hex(64), self.env.ids.alphanumeric(120));
        let created = self.env.clock.now();
        self.on_key(caller, body, |arn, key| {
            key.must_stay(arn)?;
            let grant = Grant { id: id.clone(), grantee, issuer: key.account.clone(), created, operations, given };
            key.grants.push(grant);
            Ok(json!({"GrantId": id, "GrantToken": token}))
        })
    }

    pub(super) fn list_grants(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        input::refuse(body, &["Limit", "Marker"], "the pages of ListGrants")?;
        let (id, grantee) = (input::optional_text(body, "GrantId")?, input::optional_text(body, "GranteePrincipal")?);
        self.on_key(caller, body, |arn, key| {
            let wanted = |grant: &&Grant| {
                id.is_none_or(|id| id == grant.id) && grantee.is_none_or(|grantee| grantee == grant.grantee)
            };
            let grants: Vec<Value> = key.grants.iter().filter(wanted).map(|grant| grant.to_json(arn)).collect();
            Ok(json!({"Grants": grants, "Truncated": false}))
        })
    }
}

impl Grant {
    /// Whether the grant lets `who` do `operation`. One with constraints lets nobody: they are not read.
    pub(super) fn allows(&self, who: &str, operation: &str) -> bool {
        self.grantee == who
            && !self.given.contains_key("Constraints")
            && self.operations.iter().any(|name| name == operation)
    }

    fn to_json(&self, key_arn: &str) -> Value {
        let mut members = self.given.clone();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        put("KeyId", json!(key_arn));
        put("GrantId", json!(self.id));
        put("GranteePrincipal", json!(self.grantee));
        put("IssuingAccount", json!(format!("arn:aws:iam::{}:root", self.issuer)));
        put("CreationDate", epoch(self.created));
        put("Operations", json!(self.operations));
        Value::Object(members)
    }
}

fn grantable(operation: &Value) -> Option<String> {
    operation.as_str().filter(|name| GRANTABLE.contains(name)).map(str::to_owned)
}
