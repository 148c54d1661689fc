//! The attributes of a queue that can be set.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{message::SIZE_LIMIT, wire};
use crate::service::ServiceError;

/// What a queue is set to. Times are in seconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    numbers: BTreeMap<&'static str, i64>,
    pub(crate) redrive: Option<Redrive>,
    /// Kept and returned; of these only `RedriveAllowPolicy` has an effect.
    pub(crate) others: BTreeMap<String, String>,
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redrive {
    pub(crate) target_arn: String,
    pub(crate) max_receives: u32,
}

/// Name, least, most and default of the numeric attributes.
const NUMBERS: [(&str, i64, i64, i64); 5] = [
    ("DelaySeconds", 0, 900, 0),
    ("MaximumMessageSize", 1024, SIZE_LIMIT as i64, SIZE_LIMIT as i64),
    ("MessageRetentionPeriod", 60, 1_209_600, 345_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, 0),
    ("VisibilityTimeout", 0, 43_200, 30),
];

/// Attributes that are kept as they are given.
const KEPT: [&str; 5] =
    ["KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "Policy", "RedriveAllowPolicy", "SqsManagedSseEnabled"];

/// Attributes that only FIFO queues have.
const FIFO: [&str; 4] = ["ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit"];

impl Default for Settings {
    fn default() -> Self {
        Self {
            numbers: NUMBERS.iter().map(|(name, _, _, default)| (*name, *default)).collect(),
            redrive: None,
            others: BTreeMap::from([("SqsManagedSseEnabled".to_owned(), "true".to_owned())]),
        }
    }
}

impl Settings {
    /// Sets one attribute. An empty text takes a policy or a key away.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), ServiceError> {
        if let Some((known, least, most, _)) = NUMBERS.iter().find(|(known, ..)| *known == name) {
            let number = value.parse().ok().filter(|number| (least..=most).contains(&number));
            self.numbers.insert(known, number.ok_or_else(|| invalid(name, "not a whole number within its limits"))?);
            return Ok(());
        }
        if name == "RedrivePolicy" {
            self.redrive = if value.is_empty() { None } else { Some(Redrive::parse(value)?) };
            return Ok(());
        }
        if FIFO.contains(&name) {
            return Err(ServiceError::not_modelled(format_args!("FIFO queues (attribute {name})")));
        }
        if !KEPT.contains(&name) {
            return Err(ServiceError::client("InvalidAttributeName", format!("Unknown Attribute {name}.")));
        }
        if name.ends_with("Policy") && !value.is_empty() && serde_json::from_str::<Value>(value).is_err() {
            return Err(invalid(name, "not a JSON document"));
        }
        if value.is_empty() {
            self.others.remove(name);
        } else {
            self.others.insert(name.to_owned(), value.to_owned());
        }
        Ok(())
    }

    /// Every attribute with its text, as GetQueueAttributes has it.
    pub(crate) fn texts(&self) -> BTreeMap<String, String> {
        let numbers = self.numbers.iter().map(|(name, number)| ((*name).to_owned(), number.to_string()));
        let mut texts: BTreeMap<_, _> = numbers.chain(self.others.clone()).collect();
        if let Some(redrive) = &self.redrive {
            texts.insert("RedrivePolicy".to_owned(), redrive.to_json());
        }
        texts
    }

    /// The name of the first of `given` that this queue has set otherwise.
    pub(crate) fn differing(&self, given: &[(String, String)]) -> Result<Option<String>, ServiceError> {
        let mut other = self.clone();
        for (name, value) in given {
            other.set(name, value)?;
            if other != *self {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }

    /// Whether this dead-letter queue takes messages of the queue `source_arn` (`RedriveAllowPolicy`).
    pub(crate) fn allows_source(&self, source_arn: &str) -> bool {
        let policy = self.others.get("RedriveAllowPolicy").and_then(|text| serde_json::from_str::<Value>(text).ok());
        let Some(policy) = policy else { return true };
        match policy.get("redrivePermission").and_then(Value::as_str) {
            Some("denyAll") => false,
            Some("byQueue") => policy
                .get("sourceQueueArns")
                .and_then(Value::as_array)
                .is_some_and(|arns| arns.iter().any(|arn| arn.as_str() == Some(source_arn))),
            _ => true,
        }
    }

    pub(crate) fn max_size(&self) -> u64 {
        u64::try_from(self.number("MaximumMessageSize")).unwrap_or(SIZE_LIMIT)
    }

    pub(crate) fn delay(&self) -> i64 {
        self.number("DelaySeconds")
    }

    pub(crate) fn wait(&self) -> i64 {
        self.number("ReceiveMessageWaitTimeSeconds")
    }

    pub(crate) fn visibility(&self) -> i64 {
        self.number("VisibilityTimeout")
    }

    pub(crate) fn retention(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.number("MessageRetentionPeriod")).unwrap_or_default())
    }

    fn number(&self, name: &str) -> i64 {
        self.numbers.get(name).copied().unwrap_or_default()
    }
}

impl Redrive {
    fn parse(text: &str) -> Result<Self, ServiceError> {
        let wrong = |reason: &str| invalid("RedrivePolicy", reason);
        let policy: Value = serde_json::from_str(text).map_err(|_| wrong("not a JSON document"))?;
        let target = policy.get("deadLetterTargetArn").and_then(Value::as_str);
        // Consoles and SDKs write the count as a number or as a text.
        let count = policy.get("maxReceiveCount");
        let count = count.and_then(|it| it.as_u64().or_else(|| it.as_str().and_then(|text| text.parse().ok())));
        let count = count.and_then(|count| u32::try_from(count).ok()).filter(|count| (1..=1000).contains(count));
        Ok(Self {
            target_arn: target.ok_or_else(|| wrong("deadLetterTargetArn is missing"))?.to_owned(),
            max_receives: count.ok_or_else(|| wrong("maxReceiveCount must be between 1 and 1000"))?,
        })
    }

    fn to_json(&self) -> String {
        json!({"deadLetterTargetArn": self.target_arn, "maxReceiveCount": self.max_receives}).to_string()
    }
}

/// An attribute with a value that the queue does not take.
pub(crate) fn invalid(name: &str, reason: &str) -> ServiceError {
    wire::invalid_value(format!("Invalid value for the parameter {name}. Reason: {reason}."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("VisibilityTimeout", "43201", "InvalidParameterValue")]
    #[case("VisibilityTimeout", "soon", "InvalidParameterValue")]
    #[case("MessageRetentionPeriod", "59", "InvalidParameterValue")]
    #[case("RedrivePolicy", "{}", "InvalidParameterValue")]
    #[case("Policy", "{", "InvalidParameterValue")]
    #[case("FifoQueue", "true", "NotImplemented")]
    #[case("QueueArn", "x", "InvalidAttributeName")]
    fn bad_attributes_are_refused(#[case] name: &str, #[case] value: &str, #[case] code: &str) {
        assert_eq!(Settings::default().set(name, value).unwrap_err().code, code);
    }

    #[test]
    fn redrive_count_may_be_a_text() {
        let mut settings = Settings::default();
        settings.set("RedrivePolicy", r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":"3"}"#).unwrap();
        assert_eq!(settings.redrive, Some(Redrive { target_arn: "arn:x".into(), max_receives: 3 }));
    }
}
