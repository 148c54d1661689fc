//! What is known of a call.

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::Name;
use crate::{
    facts::{AsObject, Fact},
    needs::Need,
};

/// One call: when it came, what it was, by whom, what it needed, and what the caller got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    /// The number of the call, from 1, in the order in which calls came.
    pub number: u64,
    /// When the call came, by the twin's clock.
    pub time: Timestamp,
    /// The service's signing name: `s3`, `sqs`, `states`, `events`, `scheduler`, `sns`, `kms`, `sts`, or `s3control`.
    pub service: Name,
    /// The operation, for example `PutObject`. Empty for a request that was refused before it was understood.
    pub operation: Name,
    /// The caller's account.
    pub account: Name,
    /// The caller's principal: `root`, a role's ARN, or a service's name.
    pub principal: Name,
    /// The ARN, URL or name of what is acted on; empty where the call names nothing.
    pub resource: Name,
    /// What a policy must allow for the call to be answered as it was, as far as the call came.
    pub needs: Vec<Need>,
    /// What the conditions of a policy are told of it, beside what follows from the caller and the resource.
    pub facts: Vec<Fact>,
    /// What the caller got; `None` while the call is under way, as a long poll, or when the caller went away before its
    /// answer.
    pub outcome: Option<Outcome>,
}

/// What a caller got.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The call did what it should. Entries of a batch may have failed on their own.
    Ok,
    /// An error.
    Error {
        /// Its code, for example `AccessDenied`.
        code: Name,
        /// Its HTTP status.
        status: u16,
        /// Whether it is a planned fault: then the call had no effect.
        planned: bool,
    },
}

impl RecordedCall {
    /// Whether the call did what it should.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.outcome == Some(Outcome::Ok)
    }

    /// The code of the planned fault that the call was answered with, if it was.
    #[must_use]
    pub fn planned_fault(&self) -> Option<&str> {
        match &self.outcome {
            Some(Outcome::Error { code, planned: true, .. }) => Some(code.as_str()),
            _ => None,
        }
    }

    /// The code of the error that the call was answered with, planned or not.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match &self.outcome {
            Some(Outcome::Error { code, .. }) => Some(code.as_str()),
            _ => None,
        }
    }
}

/// How many calls there were of one kind with one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCount {
    /// The service's signing name.
    pub service: Name,
    /// The operation.
    pub operation: Name,
    /// The caller's account.
    pub account: Name,
    /// The caller's principal.
    pub principal: Name,
    /// What the callers got; `None` for calls under way or given up by their caller.
    pub outcome: Option<Outcome>,
    /// How many.
    pub count: u64,
}

/// `outcome` is `"ok"`, the code of an error, or null; an error also has `status` and `planned`.
impl Serialize for RecordedCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut call = serializer.serialize_struct("RecordedCall", 12)?;
        call.serialize_field("number", &self.number)?;
        call.serialize_field("time", &self.time)?;
        call.serialize_field("service", &self.service)?;
        call.serialize_field("operation", &self.operation)?;
        call.serialize_field("account", &self.account)?;
        call.serialize_field("principal", &self.principal)?;
        call.serialize_field("resource", &self.resource)?;
        call.serialize_field("needs", &self.needs)?;
        call.serialize_field("facts", &AsObject(&self.facts))?;
        outcome::<S>(&mut call, self.outcome.as_ref())?;
        call.end()
    }
}

impl Serialize for CallCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut count = serializer.serialize_struct("CallCount", 8)?;
        count.serialize_field("service", &self.service)?;
        count.serialize_field("operation", &self.operation)?;
        count.serialize_field("account", &self.account)?;
        count.serialize_field("principal", &self.principal)?;
        outcome::<S>(&mut count, self.outcome.as_ref())?;
        count.serialize_field("count", &self.count)?;
        count.end()
    }
}

fn outcome<S: Serializer>(fields: &mut S::SerializeStruct, outcome: Option<&Outcome>) -> Result<(), S::Error> {
    match outcome {
        None => fields.serialize_field("outcome", &None::<&str>),
        Some(Outcome::Ok) => fields.serialize_field("outcome", "ok"),
        Some(Outcome::Error { code, status, planned }) => {
            fields.serialize_field("outcome", code)?;
            fields.serialize_field("status", status)?;
            fields.serialize_field("planned", planned)
        }
    }
}
