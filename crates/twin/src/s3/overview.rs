//! The buckets at a glance.

use jiff::Timestamp;
use s3s::dto::{self, TimestampFormat};
use serde::Serialize;

use super::{
    S3Service,
    store::{Bucket, Versioning},
};

/// A bucket as it is now.
#[derive(Debug, Serialize)]
pub(crate) struct BucketView {
    name: String,
    account: String,
    created: Option<Timestamp>,
    /// Keys whose newest version is an object.
    objects: usize,
    /// Their bytes.
    bytes: u64,
    /// Versions that are not the newest of their key, delete markers included.
    older_versions: usize,
    /// `never`, `enabled` or `suspended`.
    versioning: &'static str,
    object_lock: bool,
    /// The default retention, for example `COMPLIANCE 30 days`.
    retention: Option<String>,
    has_policy: bool,
}

impl S3Service {
    /// All buckets of all accounts, the latest first. Counts every version that there is.
    pub(crate) fn overview(&self) -> Vec<BucketView> {
        let state = self.backend.store.lock();
        let mut buckets: Vec<BucketView> = state.buckets().values().map(view).collect();
        buckets.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.name.cmp(&b.name)));
        buckets
    }
}

fn view(bucket: &Bucket) -> BucketView {
    let (mut objects, mut bytes, mut older_versions) = (0, 0, 0);
    for versions in bucket.objects.values() {
        older_versions += versions.len().saturating_sub(1);
        if let Some(object) = versions.last().and_then(|newest| newest.object()) {
            objects += 1;
            bytes += object.body.len();
        }
    }
    BucketView {
        name: bucket.name.clone(),
        account: bucket.account.clone(),
        created: time(&bucket.created),
        objects,
        bytes,
        older_versions,
        versioning: match bucket.versioning {
            Versioning::Never => "never",
            Versioning::Enabled => "enabled",
            Versioning::Suspended => "suspended",
        },
        object_lock: bucket.settings.object_lock,
        retention: bucket.settings.default_retention.as_ref().map(|retention| {
            let mode = retention.mode.as_ref().map_or("", |mode| mode.as_str());
            match (retention.days, retention.years) {
                (Some(days), _) => format!("{mode} {days} days"),
                (None, Some(years)) => format!("{mode} {years} years"),
                (None, None) => mode.to_owned(),
            }
        }),
        has_policy: bucket.settings.policy.is_some(),
    }
}

fn time(time: &dto::Timestamp) -> Option<Timestamp> {
    let mut text = Vec::new();
    time.format(TimestampFormat::DateTime, &mut text).ok()?;
    std::str::from_utf8(&text).ok()?.parse().ok()
}
