//! S3 event notifications as S3 sends them to SQS, SNS and Lambda.
//!
//! Source: Amazon S3 User Guide, "Event message structure". Keys are form-encoded there, unlike in manifests.
//! Notifications arrive at least once and in no order.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{KeyCodec, KeyError};

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notification {
    /// The message that S3 sends when the notification configuration is set. It stands for no object.
    Test,
    /// What happened to objects, in the order of the message.
    Objects(Vec<ObjectEvent>),
}

/// What happened to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectEvent {
    /// The event, such as `ObjectCreated:Put`.
    pub name: String,
    /// When it happened.
    pub time: Timestamp,
    /// The Region of the bucket.
    pub region: String,
    /// The bucket's name.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The version, in a versioned bucket.
    pub version_id: Option<String>,
    /// The entity tag without quotes; absent for deletions.
    pub etag: Option<String>,
    /// Bytes; absent for deletions.
    pub size: Option<u64>,
    /// Orders events of one key: the longer one is later, and among those of one length the greater one.
    pub sequencer: Option<String>,
}

/// A message that is not a notification of S3.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The bytes are not JSON, or not the members that a notification has.
    #[error("the message is not an S3 event notification: {0}")]
    NotANotification(#[from] serde_json::Error),
    /// There is neither a list of records nor the test event.
    #[error("the message is not an S3 event notification: it has no member \"Records\"")]
    NoRecords,
    /// A record is of another service.
    #[error("record {index} of the message is of {source_name:?}, not of aws:s3")]
    OtherSource {
        /// The place of the record, from 0.
        index: usize,
        /// Its source.
        source_name: String,
    },
    /// A key has a broken escape.
    #[error("the key {key:?} of record {index}: {error}")]
    Key {
        /// The place of the record, from 0.
        index: usize,
        /// The key as the message has it.
        key: String,
        /// What is wrong with it.
        error: KeyError,
    },
    /// A decoded key is not UTF-8.
    #[error("the key {key:?} of record {index} does not decode to UTF-8")]
    KeyNotUtf8 {
        /// The place of the record, from 0.
        index: usize,
        /// The key as the message has it.
        key: String,
    },
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "Event")]
    event: Option<String>,
    #[serde(rename = "Records")]
    records: Option<Vec<Record>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_source: String,
    event_name: String,
    event_time: Timestamp,
    aws_region: String,
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    key: String,
    size: Option<u64>,
    e_tag: Option<String>,
    version_id: Option<String>,
    sequencer: Option<String>,
}

/// Parses the body of a message. Members that are not known are ignored.
pub fn parse(message: &[u8]) -> Result<Notification, EventError> {
    let message: Message = serde_json::from_slice(message)?;
    match (message.records, message.event.as_deref()) {
        (Some(records), _) => {
            let objects = records.into_iter().enumerate().map(|(index, record)| object_event(index, record));
            Ok(Notification::Objects(objects.collect::<Result<_, _>>()?))
        }
        (None, Some("s3:TestEvent")) => Ok(Notification::Test),
        (None, _) => Err(EventError::NoRecords),
    }
}

fn object_event(index: usize, record: Record) -> Result<ObjectEvent, EventError> {
    if record.event_source != "aws:s3" {
        return Err(EventError::OtherSource { index, source_name: record.event_source });
    }
    let Entity { bucket, object } = record.s3;
    let key = match KeyCodec::Form.decode(object.key.as_bytes()) {
        Err(error) => return Err(EventError::Key { index, key: object.key, error }),
        Ok(key) => String::from_utf8(key.into_owned()),
    };
    Ok(ObjectEvent {
        name: record.event_name,
        time: record.event_time,
        region: record.aws_region,
        bucket: bucket.name,
        key: key.map_err(|_| EventError::KeyNotUtf8 { index, key: object.key })?,
        version_id: object.version_id,
        etag: object.e_tag,
        size: object.size,
        sequencer: object.sequencer,
    })
}
