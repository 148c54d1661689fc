//! Names the KMS keys of objects whose copy failed by a key.

use std::collections::BTreeMap;

use aws_sdk_s3::{Client, operation::head_object::HeadObjectOutput};
use levee_stage::aws_error;

/// Rows that are looked at: enough to name the keys of a source, which has few.
pub(crate) const LOOKED_AT: usize = 10;

/// The keys of the objects that were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    /// How many of the objects are under each key, by its ARN.
    pub(crate) objects: BTreeMap<String, usize>,
    /// Objects that tell no key: they could not be looked at, or have been written anew since.
    pub(crate) unknown: usize,
}

impl Keys {
    /// Looks at objects of the source by key and version. A HEAD needs no rights on the KMS key (HeadObject of the S3 API
    /// Reference). What cannot be looked at is counted and no error: the cause tells what is known.
    pub(crate) async fn of(s3: &Client, bucket: &str, owner: &str, rows: &[(String, Option<String>)]) -> Self {
        let mut keys = Self::default();
        for (key, version) in rows {
            let call = s3.head_object().bucket(bucket).key(key).set_version_id(version.clone());
            match call.expected_bucket_owner(owner).send().await {
                Ok(found) => keys.add(&found),
                Err(error) => {
                    let error = aws_error(&format!("HeadObject s3://{bucket}/{key}"), error);
                    tracing::warn!(%error, "the KMS key of an object stays unknown");
                    keys.unknown += 1;
                }
            }
        }
        keys
    }

    fn add(&mut self, found: &HeadObjectOutput) {
        match found.ssekms_key_id() {
            Some(key) => *self.objects.entry(key.to_owned()).or_default() += 1,
            None => self.unknown += 1,
        }
    }

    /// What is known, as a sentence; nothing when nobody has looked.
    pub(crate) fn told(&self) -> Option<String> {
        let looked_at = self.objects.values().sum::<usize>() + self.unknown;
        if looked_at == 0 {
            return None;
        }
        let mut parts: Vec<_> = self.objects.iter().map(|(key, count)| format!("{count} under {key}")).collect();
        if self.unknown > 0 {
            parts.push(format!("{} whose key is not known", self.unknown));
        }
        Some(format!("of the first {looked_at} there are {}", parts.join(", ")))
    }
}
