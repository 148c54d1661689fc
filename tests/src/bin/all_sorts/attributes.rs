//! What an object has, in either bucket.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_s3::{Client, types::ChecksumMode};

/// Objects up to this size are read.
const READ: i64 = 1024 * 1024;

/// What is compared of an object.
pub(crate) struct Attributes {
    facts: BTreeMap<&'static str, String>,
    /// Its bytes, unless it is large.
    bytes: Option<Vec<u8>>,
    /// The checksum of the whole object, where S3 has one of that kind.
    checksum: Option<String>,
    etag: String,
}

impl Attributes {
    /// What the copy has in another way.
    pub(crate) fn differences(&self, copy: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for (what, source) in &self.facts {
            let copied = copy.facts.get(what).map(String::as_str);
            if copied != Some(source) {
                differences.push(format!("{what} is {source:?} in the source and {copied:?} in the snapshot"));
            }
        }
        if self.bytes != copy.bytes {
            differences.push("the bytes differ".to_owned());
        }
        // Of large ones checksums of the same kind, or else entity tags over the same parts.
        let (one, other) = (self.checksum.as_ref(), copy.checksum.as_ref());
        if self.bytes.is_none() && one.is_none_or(|one| other != Some(one)) && self.etag != copy.etag {
            differences.push(format!(
                "neither checksum ({one:?}, {other:?}) nor entity tag ({}, {}) is the same",
                self.etag, copy.etag
            ));
        }
        differences
    }
}

/// Looks at an object.
pub(crate) async fn attributes(s3: &Client, bucket: &str, key: &str) -> Result<Attributes> {
    let head = s3.head_object().bucket(bucket).key(key).checksum_mode(ChecksumMode::Enabled).send().await;
    let head = head.with_context(|| format!("{bucket} has no such object"))?;
    let tagged = s3.get_object_tagging().bucket(bucket).key(key).send().await?;
    let tags: BTreeMap<_, _> = tagged.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    let metadata: BTreeMap<_, _> = head.metadata().into_iter().flatten().collect();
    let text = |text: Option<&str>| format!("{text:?}");
    let facts = BTreeMap::from([
        ("size", format!("{:?}", head.content_length())),
        ("user metadata", format!("{metadata:?}")),
        ("tags", format!("{tags:?}")),
        ("Content-Type", text(head.content_type())),
        ("Content-Encoding", text(head.content_encoding())),
        ("Content-Language", text(head.content_language())),
        ("Content-Disposition", text(head.content_disposition())),
        ("Cache-Control", text(head.cache_control())),
        ("Expires", text(head.expires_string())),
    ]);
    let bytes = match head.content_length() {
        Some(..=READ) => Some(s3.get_object().bucket(bucket).key(key).send().await?.body.collect().await?.to_vec()),
        _ => None,
    };
    let checksum = head.checksum_crc64_nvme().map(str::to_owned);
    Ok(Attributes { facts, bytes, checksum, etag: head.e_tag().unwrap_or_default().to_owned() })
}
