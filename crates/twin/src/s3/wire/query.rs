//! Query strings: presigned parameters taken off, unknown ones refused.

use http::{
    HeaderMap, HeaderValue,
    header::{Entry, HeaderName},
};
use jiff::{SignedDuration, civil::DateTime, tz::TimeZone};
use levee_clock::Clock;
use percent_encoding::percent_decode_str;
use s3s::{S3Error, S3Result, s3_error};

/// Parameters that choose or steer an operation that the protocol layer knows.
#[rustfmt::skip]
const KNOWN: [&str; 59] = [
    "accelerate", "acl", "analytics", "attributes", "bucket-region", "continuation-token", "cors", "delete",
    "delimiter", "encoding-type", "encryption", "fetch-owner", "id", "intelligent-tiering", "inventory", "key-marker",
    "legal-hold", "lifecycle", "list-type", "location", "logging", "marker", "max-buckets", "max-keys", "max-parts",
    "max-uploads", "metrics", "notification", "object-lock", "ownershipControls", "part-number-marker", "partNumber",
    "policy", "policyStatus", "prefix", "publicAccessBlock", "replication", "requestPayment",
    "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires", "restore", "retention", "select",
    "select-type", "start-after", "tagging", "torrent", "upload-id-marker", "uploadId", "uploads",
    "version-id-marker", "versionId", "versioning", "versions", "website",
];

/// The query without what belongs to the signature. Headers that a presigned URL carries as parameters become headers
/// again.
pub(super) fn clean(query: &str, headers: &mut HeaderMap, clock: &Clock) -> S3Result<String> {
    let mut kept = Vec::new();
    let (mut date, mut expires) = (None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = || percent_decode_str(value).decode_utf8().map(String::from).map_err(|_| invalid());
        match name.to_ascii_lowercase().as_str() {
            "x-id"
            | "x-amz-algorithm"
            | "x-amz-credential"
            | "x-amz-signedheaders"
            | "x-amz-signature"
            | "x-amz-security-token"
            | "x-amz-content-sha256"
            | "x-amz-user-agent" => {}
            "x-amz-date" => date = Some(decoded()?),
            "x-amz-expires" => expires = Some(decoded()?),
            lower if lower.starts_with("x-amz-") => {
                let name = HeaderName::from_bytes(lower.as_bytes()).map_err(|_| invalid())?;
                let value = HeaderValue::from_str(&decoded()?).map_err(|_| invalid())?;
                if let Entry::Vacant(entry) = headers.entry(name) {
                    entry.insert(value);
                }
            }
            _ if KNOWN.contains(&name) => kept.push(pair),
            _ => return Err(s3_error!(NotImplemented, "the twin does not model the query parameter {name}")),
        }
    }
    if let (Some(date), Some(expires)) = (date, expires) {
        check_expiry(&date, &expires, clock)?;
    }
    Ok(kept.join("&"))
}

fn check_expiry(date: &str, expires: &str, clock: &Clock) -> S3Result<()> {
    let signed = DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok();
    let signed = signed.and_then(|time| TimeZone::UTC.to_timestamp(time).ok());
    let seconds = expires.parse::<i64>().ok().filter(|seconds| (0..=604_800).contains(seconds));
    let (Some(signed), Some(seconds)) = (signed, seconds) else {
        return Err(s3_error!(AuthorizationQueryParametersError, "X-Amz-Date or X-Amz-Expires is not valid"));
    };
    if clock.now().duration_since(signed) > SignedDuration::from_secs(seconds) {
        return Err(s3_error!(AccessDenied, "Request has expired"));
    }
    Ok(())
}

fn invalid() -> S3Error {
    s3_error!(InvalidURI, "Couldn't parse the specified URI.")
}
