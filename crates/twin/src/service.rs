//! What the services of the twin have in common: who calls, and how a call is answered or refused.

use std::fmt;

use async_trait::async_trait;
use serde_json::Value;

/// Who makes a call, as the credentials say.
///
/// The access key id is a 12-digit account id, as other emulators have it (any other key is the twin's default account).
/// The session token names a principal of that account: `role:<role ARN>` for an assumed role, `service:<name>` for an
/// AWS service acting for the account; without one the caller is the account's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The caller's account.
    pub account: String,
    /// The Region of the call, from the credential scope.
    pub region: String,
    /// The principal within the account.
    pub principal: Principal,
}

/// A principal within an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The account itself.
    Root,
    /// A role, by its ARN (not the session's).
    Role(String),
    /// An AWS service, for example `s3.amazonaws.com`.
    Service(String),
}

impl Caller {
    /// The value of `aws:PrincipalArn`; for a service its name.
    #[must_use]
    pub fn principal_arn(&self) -> String {
        match &self.principal {
            Principal::Root => format!("arn:aws:iam::{}:root", self.account),
            Principal::Role(arn) => arn.clone(),
            Principal::Service(name) => name.clone(),
        }
    }
}

/// An error as an AWS service answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// The code that SDKs match, for example `QueueDoesNotExist`.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
}

impl ServiceError {
    /// An error of the caller's making (HTTP 400).
    pub fn client(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: 400 }
    }

    /// The refusal of something that AWS has and the twin does not model: never a pretended success.
    pub fn not_modelled(what: impl fmt::Display) -> Self {
        Self { code: "NotImplemented".into(), message: format!("the twin does not model {what}"), status: 501 }
    }

    /// What the record of calls keeps of it.
    pub(crate) fn noted(&self) -> (&str, u16) {
        (&self.code, self.status)
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ServiceError {}

/// A service whose calls are an operation name with a JSON body: SQS, Step Functions, EventBridge, SNS, KMS.
#[async_trait]
pub trait JsonService: Send + Sync {
    /// Answers one call. `operation` is the bare name (`SendMessage`); bodies have the members of the API reference.
    async fn call(&self, caller: &Caller, operation: &str, body: Value) -> Result<Value, ServiceError>;
}

/// A service that is reached by HTTP method and path: S3, S3 Control and EventBridge Scheduler. Bodies are whole; the twin holds data in memory.
#[async_trait]
pub trait HttpService: Send + Sync {
    /// Answers one request, errors included, in the service's own form.
    async fn handle(&self, caller: &Caller, request: http::Request<bytes::Bytes>) -> http::Response<bytes::Bytes>;
}
