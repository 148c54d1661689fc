//! STS: who am I. The twin's credentials need no more of it.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::{
    env::{Call, Env},
    service::{Caller, JsonService, Principal, ServiceError},
};

/// The operations that are modelled.
pub(crate) const OPERATIONS: &[&str] = &["GetCallerIdentity"];

/// `GetCallerIdentity`.
pub(crate) struct Sts(pub(crate) Env);

#[async_trait]
impl JsonService for Sts {
    async fn call(&self, caller: &Caller, operation: &str, _: Value) -> Result<Value, ServiceError> {
        // "No permissions are required to perform this operation", says the API reference of GetCallerIdentity.
        let call = Call { service: "sts", operation, caller, resource: "", needs: &[], facts: &[] };
        self.0.pass(&call, async { answer(caller, operation) }).await
    }
}

fn answer(caller: &Caller, operation: &str) -> Result<Value, ServiceError> {
    if operation != "GetCallerIdentity" {
        return Err(ServiceError::not_modelled(format_args!("the STS operation {operation}")));
    }
    let user = match &caller.principal {
        Principal::Root => caller.account.clone(),
        Principal::Role(name) | Principal::Service(name) => name.clone(),
    };
    Ok(json!({"Arn": caller.principal_arn(), "UserId": user, "Account": caller.account}))
}
