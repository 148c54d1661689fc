//! Amazon SQS: standard queues.

use async_trait::async_trait;
use serde_json::Value;

use crate::{
    env::Env,
    service::{Caller, JsonService, ServiceError},
};

/// The SQS of the twin.
pub struct Sqs {
    #[allow(dead_code)]
    env: Env,
}

impl Sqs {
    /// An SQS without queues.
    #[must_use]
    pub fn new(env: Env) -> Self {
        Self { env }
    }

    /// Answers one call of a client that uses `endpoint`.
    ///
    /// # Errors
    /// As the API reference says.
    pub async fn call_at(
        &self,
        endpoint: &str,
        caller: &Caller,
        operation: &str,
        body: Value,
    ) -> Result<Value, ServiceError> {
        let _ = (endpoint, caller, body);
        Err(ServiceError::not_modelled(format_args!("the SQS operation {operation}")))
    }
}

#[async_trait]
impl JsonService for Sqs {
    async fn call(&self, caller: &Caller, operation: &str, body: Value) -> Result<Value, ServiceError> {
        let endpoint = format!("https://sqs.{}.amazonaws.com", caller.region);
        self.call_at(&endpoint, caller, operation, body).await
    }
}

/// The value of `x-amzn-query-error`.
pub(crate) fn query_error(error: &ServiceError) -> String {
    let fault = if error.status < 500 { "Sender" } else { "Receiver" };
    format!("{};{fault}", error.code)
}
