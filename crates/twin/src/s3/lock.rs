//! Object Lock: retention and legal holds, and what they forbid.

use std::time::{Duration, SystemTime};

use s3s::{
    S3Error, S3Result,
    dto::{self, Timestamp, TimestampFormat},
    s3_error,
};

use super::{
    access,
    context::Context,
    store::{Bucket, Retention, Version, object_arn},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The retention that a request states; both members or neither.
pub(crate) fn requested(mode: Option<&str>, until: Option<&Timestamp>, now: &Timestamp) -> S3Result<Option<Retention>> {
    match (mode, until) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) => {
            if until <= now {
                return Err(s3_error!(InvalidArgument, "The retain until date must be in the future!"));
            }
            Ok(Some(Retention { compliance: parse_mode(mode)?, until: until.clone() }))
        }
        _ => Err(s3_error!(
            InvalidArgument,
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
        )),
    }
}

/// `COMPLIANCE` or `GOVERNANCE`.
pub(crate) fn parse_mode(mode: &str) -> S3Result<bool> {
    match mode {
        "COMPLIANCE" => Ok(true),
        "GOVERNANCE" => Ok(false),
        _ => Err(s3_error!(InvalidArgument, "Unknown wormMode directive.")),
    }
}

/// The name of a mode.
pub(crate) fn mode_name(compliance: bool) -> &'static str {
    if compliance { "COMPLIANCE" } else { "GOVERNANCE" }
}

/// `ON` or `OFF`.
pub(crate) fn parse_legal_hold(status: &str) -> S3Result<bool> {
    match status {
        "ON" => Ok(true),
        "OFF" => Ok(false),
        _ => Err(s3_error!(InvalidArgument, "Legal Hold must be either of 'ON' or 'OFF'")),
    }
}

/// The name of a legal hold's status.
pub(crate) fn legal_hold_name(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

/// The retention that a bucket's default gives an object that is written now.
pub(crate) fn default_retention(default: &dto::DefaultRetention, now: &Timestamp) -> Retention {
    let days = default.days.or_else(|| default.years.map(|years| years.saturating_mul(365))).unwrap_or_default();
    let length = DAY.saturating_mul(u32::try_from(days).unwrap_or_default());
    let compliance = default.mode.as_ref().is_some_and(|mode| mode.as_str() == "COMPLIANCE");
    Retention { compliance, until: later(now, length) }
}

fn later(time: &Timestamp, by: Duration) -> Timestamp {
    // The protocol layer's time cannot be added to without its own library; its text form is read by ours.
    let mut text = Vec::new();
    let written = time.format(TimestampFormat::DateTime, &mut text).ok();
    let parsed = written.and_then(|()| String::from_utf8(text).ok()?.parse::<jiff::Timestamp>().ok());
    let later = parsed.and_then(|time| SystemTime::try_from(time.checked_add(by).ok()?).ok());
    later.map_or_else(|| time.clone(), Timestamp::from)
}

/// Refuses to take away a version that is locked.
pub(crate) fn check_deletion(
    bucket: &Bucket,
    context: &Context,
    key: &str,
    version: &Version,
    bypass: bool,
    now: &Timestamp,
) -> S3Result<()> {
    let Some(object) = version.object() else { return Ok(()) };
    if object.lock.legal_hold == Some(true) {
        return Err(locked());
    }
    match &object.lock.retention {
        Some(retention) if retention.until > *now => {
            if retention.compliance || !bypass {
                return Err(locked());
            }
            authorize_bypass(bucket, context, key)
        }
        _ => Ok(()),
    }
}

/// Whether the caller may pass over a governance retention.
pub(crate) fn authorize_bypass(bucket: &Bucket, context: &Context, key: &str) -> S3Result<()> {
    access::authorize(bucket, context, "s3:BypassGovernanceRetention", &object_arn(&bucket.name, key))
}

pub(crate) fn locked() -> S3Error {
    s3_error!(AccessDenied, "Access Denied because object protected by object lock.")
}
