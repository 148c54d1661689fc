//! Messages: contents, attributes, checksums, limits.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::{input, wire};
use crate::service::ServiceError;

/// The most bytes of a body with its attributes, and of a whole batch: 1 MiB.
pub(crate) const SIZE_LIMIT: u64 = 1 << 20;
/// The most attributes of one message.
const ATTRIBUTE_LIMIT: usize = 10;

/// What a sender hands over.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) body: String,
    pub(crate) attributes: Attributes,
    pub(crate) system_attributes: Attributes,
    /// The message's own delay; the queue's without one.
    pub(crate) delay: Option<i64>,
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) content: Content,
    /// The sender's principal, as `SenderId`.
    pub(crate) sender: String,
    pub(crate) sent: Timestamp,
    pub(crate) receive_count: u32,
    pub(crate) first_received: Option<Timestamp>,
    pub(crate) last_received: Option<Timestamp>,
    /// The receipt handle of the last receive: only this one acts on the message.
    pub(crate) handle: Option<String>,
    /// The queue that the message came from when it was moved to this dead-letter queue.
    pub(crate) dead_letter_source: Option<String>,
}

/// Message attributes, sorted by name, as the checksum wants them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<(String, Attribute)>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Attribute {
    data_type: String,
    value: AttributeValue,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum AttributeValue {
    Text(String),
    Bytes(Vec<u8>),
}

impl Content {
    /// Reads `MessageBody`, `MessageAttributes`, `MessageSystemAttributes` and `DelaySeconds`.
    pub(crate) fn parse(entry: &Value) -> Result<Self, ServiceError> {
        for name in ["MessageDeduplicationId", "MessageGroupId"] {
            if entry.get(name).is_some_and(|value| !value.is_null()) {
                return Err(ServiceError::not_modelled(format_args!("{name}: FIFO queues and fair queues")));
            }
        }
        let body = input::text(entry, "MessageBody")?;
        if body.is_empty() {
            return Err(wire::missing("MessageBody"));
        }
        if let Some(c) = body.chars().find(|c| !is_allowed(*c)) {
            let reason =
                format!("the body has the character {}, which XML 1.0 and SQS do not allow", c.escape_unicode());
            return Err(ServiceError::client("InvalidMessageContents", reason));
        }
        Ok(Self {
            body: body.to_owned(),
            attributes: Attributes::parse(entry, "MessageAttributes")?,
            system_attributes: Attributes::parse(entry, "MessageSystemAttributes")?,
            delay: input::number(entry, "DelaySeconds", 0..=900)?,
        })
    }

    /// The size that limits count: body and attributes; system attributes are free.
    pub(crate) fn size(&self) -> u64 {
        self.body.len() as u64 + self.attributes.size()
    }

    /// The members of `SendMessageResult`.
    pub(crate) fn receipt(&self, id: &str) -> Map<String, Value> {
        let mut result = Map::new();
        result.insert("MessageId".into(), json!(id));
        result.insert("MD5OfMessageBody".into(), json!(md5_hex(self.body.as_bytes())));
        if let Some(sum) = self.attributes.md5() {
            result.insert("MD5OfMessageAttributes".into(), json!(sum));
        }
        if let Some(sum) = self.system_attributes.md5() {
            result.insert("MD5OfMessageSystemAttributes".into(), json!(sum));
        }
        result
    }
}

impl Message {
    /// A message that was sent now.
    pub(crate) fn new(id: String, content: Content, sender: String, sent: Timestamp) -> Self {
        Self {
            id,
            content,
            sender,
            sent,
            receive_count: 0,
            first_received: None,
            last_received: None,
            handle: None,
            dead_letter_source: None,
        }
    }
}

impl Attributes {
    fn parse(entry: &Value, member: &str) -> Result<Self, ServiceError> {
        let Some(given) = input::object(entry, member)? else { return Ok(Self::default()) };
        if given.len() > ATTRIBUTE_LIMIT {
            let reason = format!("Number of message attributes [{}] exceeds the allowed maximum [10].", given.len());
            return Err(wire::invalid_value(reason));
        }
        let mut attributes = given
            .iter()
            .map(|(name, value)| Ok((checked_name(name)?.to_owned(), Attribute::parse(name, value)?)))
            .collect::<Result<Vec<_>, ServiceError>>()?;
        attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Self(attributes))
    }

    fn size(&self) -> u64 {
        self.0.iter().map(|(name, it)| (name.len() + it.data_type.len() + it.value.bytes().len()) as u64).sum()
    }

    /// The attributes that a receiver asked for: `All`, `.*`, a name, or a prefix `name.*`.
    pub(crate) fn select(&self, wanted: &[String]) -> Self {
        let asked = |name: &str| {
            wanted.iter().any(|want| match want.as_str() {
                "All" | ".*" => true,
                want => want == name || want.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix)),
            })
        };
        Self(self.0.iter().filter(|(name, _)| asked(name)).cloned().collect())
    }

    /// The text of one attribute.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).and_then(|(_, attribute)| match &attribute.value {
            AttributeValue::Text(text) => Some(text.as_str()),
            AttributeValue::Bytes(_) => None,
        })
    }

    /// The members of a `MessageAttributeMap`; `None` without attributes.
    pub(crate) fn to_json(&self) -> Option<Value> {
        let entries = self.0.iter().map(|(name, attribute)| {
            let (member, value) = match &attribute.value {
                AttributeValue::Text(text) => ("StringValue", text.clone()),
                AttributeValue::Bytes(bytes) => ("BinaryValue", STANDARD.encode(bytes)),
            };
            (name.clone(), json!({"DataType": attribute.data_type, member: value}))
        });
        (!self.0.is_empty()).then(|| Value::Object(entries.collect()))
    }

    /// The checksum of the developer guide ("Calculating the MD5 message digest for message attributes"): for each attribute
    /// by name, the name, the type, one byte (1 text, 2 binary) and the value, each with its length in four bytes.
    pub(crate) fn md5(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let mut data = Vec::new();
        let mut part = |bytes: &[u8], kind: Option<u8>| {
            data.extend(kind);
            data.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
            data.extend_from_slice(bytes);
        };
        for (name, attribute) in &self.0 {
            part(name.as_bytes(), None);
            part(attribute.data_type.as_bytes(), None);
            let kind = if matches!(attribute.value, AttributeValue::Text(_)) { 1 } else { 2 };
            part(attribute.value.bytes(), Some(kind));
        }
        Some(md5_hex(&data))
    }
}

impl Attribute {
    fn parse(name: &str, value: &Value) -> Result<Self, ServiceError> {
        let data_type = input::text(value, "DataType")?;
        let base = data_type.split('.').next().unwrap_or_default();
        let invalid = |reason: String| Err(wire::invalid_value(reason));
        let value = match (
            base,
            input::optional_text(value, "StringValue")?,
            input::optional_text(value, "BinaryValue")?,
        ) {
            ("String" | "Number", Some(text), None) if !text.is_empty() => {
                if base == "Number" && text.trim().parse::<f64>().is_err() {
                    return invalid(format!("Can't cast the value of message (user) attribute '{name}' to a number."));
                }
                AttributeValue::Text(text.to_owned())
            }
            ("Binary", None, Some(text)) if !text.is_empty() => match STANDARD.decode(text) {
                Ok(bytes) => AttributeValue::Bytes(bytes),
                Err(error) => return invalid(format!("The binary value of attribute '{name}' is not base64: {error}")),
            },
            ("String" | "Number" | "Binary", ..) => {
                let expected = if base == "Binary" { "binary" } else { "string" };
                return invalid(format!(
                    "The message (user) attribute '{name}' must contain a non-empty message attribute value of the type {expected}."
                ));
            }
            _ => {
                return invalid(format!(
                    "The type of message (user) attribute '{name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String."
                ));
            }
        };
        Ok(Self { data_type: data_type.to_owned(), value })
    }
}

impl AttributeValue {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// The MD5 of `data` in lower-case hexadecimal.
pub(crate) fn md5_hex(data: &[u8]) -> String {
    hex::encode(Md5::digest(data))
}

fn checked_name(name: &str) -> Result<&str, ServiceError> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let lower = name.to_ascii_lowercase();
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    if name.is_empty() || name.len() > 256 || !plain || dots || reserved {
        return Err(wire::invalid_value(format!("Message (user) attribute name '{name}' is invalid.")));
    }
    Ok(name)
}

/// The characters of a message body: `#x9 | #xA | #xD | #x20-#xD7FF | #xE000-#xFFFD | #x10000-#x10FFFF`.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use rstest::rstest;

    use super::*;

    #[test]
    fn attribute_checksum_is_the_one_that_sdks_compute() {
        // The vector of the AWS SDK for Java's MessageMD5ChecksumHandler and of moto: one string attribute.
        let entry = json!({"MessageBody": "x", "MessageAttributes": {"timestamp": {"DataType": "Number", "StringValue": "1493147359900"}}});
        let content = Content::parse(&entry).unwrap();
        assert_eq!(content.attributes.md5().unwrap(), "235c5c510d26fb653d073faed50ae77c");
    }

    #[rstest]
    #[case(json!({}), "MissingParameter")]
    #[case(json!({"MessageBody": ""}), "MissingParameter")]
    #[case(json!({"MessageBody": "\u{1}"}), "InvalidMessageContents")]
    #[case(json!({"MessageBody": "x", "DelaySeconds": 901}), "InvalidParameterValue")]
    #[case(json!({"MessageBody": "x", "MessageGroupId": "g"}), "NotImplemented")]
    #[case(json!({"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Float", "StringValue": "1"}}}), "InvalidParameterValue")]
    #[case(json!({"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}}), "InvalidParameterValue")]
    #[case(json!({"MessageBody": "x", "MessageAttributes": {"AWS.a": {"DataType": "String", "StringValue": "v"}}}), "InvalidParameterValue")]
    fn bad_messages_are_refused(#[case] entry: Value, #[case] code: &str) {
        assert_eq!(Content::parse(&entry).unwrap_err().code, code);
    }

    #[test]
    fn receivers_select_attributes_by_name_and_prefix() {
        let value = json!({"DataType": "String", "StringValue": "v"});
        let entry = json!({"MessageBody": "x", "MessageAttributes": {"a.one": value, "a.two": value, "b": value}});
        let attributes = Content::parse(&entry).unwrap().attributes;
        let names = |wanted: &str| attributes.select(&[wanted.to_owned()]).0.len();
        assert_eq!((names("All"), names("a.*"), names("b"), names("c")), (3, 2, 1, 0));
    }
}
