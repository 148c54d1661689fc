//! What a request says of itself, as the condition keys of policies have it.
//!
//! Sources: "AWS global condition context keys" of the IAM user guide; "Condition keys for Amazon S3" of the Service
//! Authorization Reference. What follows from the caller and the resource alone (`aws:PrincipalArn`, `aws:ResourceAccount`)
//! is not repeated here.

use serde::{Serialize, Serializer};

use crate::{
    gate::Name,
    service::{Caller, Principal},
};

/// One condition key with its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fact {
    /// The key, for example `aws:SourceArn`.
    pub key: &'static str,
    /// Its value.
    pub value: Name,
}

impl Fact {
    /// A key with its value.
    pub fn new(key: &'static str, value: impl Into<Name>) -> Self {
        Self { key, value: value.into() }
    }
}

/// Facts as an object of keys and values.
pub(crate) struct AsObject<'a>(pub(crate) &'a [Fact]);

impl Serialize for AsObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|fact| (fact.key, &fact.value)))
    }
}

/// An AWS service that acts for a resource, for example EventBridge for a rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'a> {
    /// The service's principal, for example `events.amazonaws.com`.
    pub(crate) service: &'a str,
    /// The ARN of the resource, which names its account; nothing where the service does not tell for whom it acts.
    pub(crate) source_arn: Option<&'a str>,
}

impl Sender<'_> {
    /// The service as it calls in the account and Region of what it acts on.
    pub(crate) fn caller(&self, account: &str, region: &str) -> Caller {
        let principal = Principal::Service(self.service.to_owned());
        Caller { account: account.to_owned(), region: region.to_owned(), principal }
    }

    /// For whom the service acts.
    pub(crate) fn facts(&self) -> Vec<Fact> {
        let Some(source) = self.source_arn else { return Vec::new() };
        let account = source.split(':').nth(4).unwrap_or_default();
        vec![Fact::new("aws:SourceArn", source), Fact::new("aws:SourceAccount", account)]
    }
}
