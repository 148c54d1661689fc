//! `If-*` conditions of reads, copies and writes.

use s3s::{
    S3Error, S3Result,
    dto::{ETag, ETagCondition, Timestamp},
    s3_error,
};

use super::store::{Bucket, Object};

/// The conditions of a read, or of the source of a copy.
pub(crate) struct ReadConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

/// The conditions of a read, from any input that has them.
macro_rules! read_conditions {
    ($input:expr) => {
        $crate::s3::conditions::ReadConditions {
            if_match: $input.if_match.take(),
            if_none_match: $input.if_none_match.take(),
            if_modified_since: $input.if_modified_since.take(),
            if_unmodified_since: $input.if_unmodified_since.take(),
        }
    };
}
pub(crate) use read_conditions;

impl ReadConditions {
    /// Checks in the order of RFC 9110: `If-Match` takes precedence over `If-Unmodified-Since`, `If-None-Match` over
    /// `If-Modified-Since`. A copy answers 412 where a read answers 304.
    pub(crate) fn check(&self, etag: &str, modified: &Timestamp, copy: bool) -> S3Result<()> {
        let not_modified = || if copy { failed("If-None-Match") } else { s3_error!(NotModified, "Not Modified") };
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !meets(condition, etag) => return Err(failed("If-Match")),
            (None, Some(since)) if modified > since => return Err(failed("If-Unmodified-Since")),
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if meets(condition, etag) => Err(not_modified()),
            (None, Some(since)) if modified <= since => Err(not_modified()),
            _ => Ok(()),
        }
    }
}

/// Checks the conditions of a write against the object that is there now.
pub(crate) fn check_write(
    bucket: &Bucket,
    key: &str,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let current: Option<&Object> = bucket.current(key).map(|(_, object)| object);
    match if_none_match {
        Some(ETagCondition::Any) if current.is_some() => return Err(failed("If-None-Match")),
        Some(ETagCondition::ETag(_)) => {
            return Err(s3_error!(
                NotImplemented,
                "A header you provided implies functionality that is not implemented: If-None-Match takes only * on writes"
            ));
        }
        _ => {}
    }
    match (if_match, current) {
        (Some(_), None) => Err(s3_error!(NoSuchKey, "The specified key does not exist.")),
        (Some(condition), Some(object)) if !meets(condition, &object.etag) => Err(failed("If-Match")),
        _ => Ok(()),
    }
}

fn meets(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(ETag::Strong(value) | ETag::Weak(value)) => value == etag,
    }
}

fn failed(condition: &str) -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold ({condition})")
}
