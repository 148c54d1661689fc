//! What the operations know of a request besides its typed input.

use std::ops::Range;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method,
    header::{HeaderName, IF_MATCH, IF_NONE_MATCH},
};

use s3s::{S3Result, s3_error};

use super::{flight::Flight, policy::Facts};
use crate::service::{Caller, Principal};

/// Names the bucket for which an AWS service acts (`aws:SourceArn`). Only services of the twin send it.
pub(crate) const SOURCE_ARN: HeaderName = HeaderName::from_static("x-levee-twin-source-arn");
/// Names the account for which an AWS service acts (`aws:SourceAccount`).
pub(crate) const SOURCE_ACCOUNT: HeaderName = HeaderName::from_static("x-levee-twin-source-account");

/// Asks PutObject or UploadPart, sent with an empty body, for so many sparse bytes.
const SPARSE_LENGTH: HeaderName = HeaderName::from_static("x-levee-twin-sparse-length");
/// Where in the pattern of sparse bytes they begin; at its beginning without it.
const SPARSE_OFFSET: HeaderName = HeaderName::from_static("x-levee-twin-sparse-offset");
/// The largest object that there can be, in bytes: 10,000 parts of 5 GiB.
const LARGEST_OBJECT: u64 = 10_000 * 5 * 1024 * 1024 * 1024;

/// Travels with the request through `s3s`.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) caller: Caller,
    pub(crate) facts: Facts,
    /// The call, for the record.
    pub(crate) flight: Flight,
    /// The decoded body.
    pub(crate) body: Bytes,
    /// The sparse bytes that are meant by an empty body.
    pub(crate) sparse: Option<Range<u64>>,
    /// `If-Match` and `If-None-Match`, which the protocol layer does not read for copies.
    pub(crate) if_match: Option<HeaderValue>,
    pub(crate) if_none_match: Option<HeaderValue>,
}

impl Context {
    /// Gathers it from a decoded request.
    pub(crate) fn new(caller: &Caller, flight: Flight, headers: &HeaderMap, body: Bytes) -> Self {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        // Anyone could send these headers; only a service is believed.
        let service = matches!(caller.principal, Principal::Service(_));
        let facts = Facts {
            source_arn: text(&SOURCE_ARN).filter(|_| service),
            source_account: text(&SOURCE_ACCOUNT).filter(|_| service),
            acl: text(&HeaderName::from_static("x-amz-acl")),
            encryption: text(&HeaderName::from_static("x-amz-server-side-encryption")),
        };
        let (if_match, if_none_match) = (headers.get(IF_MATCH).cloned(), headers.get(IF_NONE_MATCH).cloned());
        Self { caller: caller.clone(), facts, flight, body, sparse: None, if_match, if_none_match }
    }
}

/// The sparse bytes that a request asks for in place of its body.
pub(super) fn sparse(method: &Method, path: &str, headers: &HeaderMap, body: &Bytes) -> S3Result<Option<Range<u64>>> {
    if !headers.contains_key(SPARSE_LENGTH) && !headers.contains_key(SPARSE_OFFSET) {
        return Ok(None);
    }
    let writes = *method == Method::PUT
        && path.trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty())
        && !headers.contains_key("x-amz-copy-source");
    if !writes || !body.is_empty() {
        return Err(s3_error!(
            InvalidRequest,
            "{SPARSE_LENGTH} and {SPARSE_OFFSET} are for PutObject and UploadPart with an empty body"
        ));
    }
    let number = |name: &HeaderName| match headers.get(name) {
        None => Ok(None),
        Some(value) => {
            let number = value.to_str().ok().and_then(|value| value.parse().ok()).filter(|n| *n <= LARGEST_OBJECT);
            let invalid = || s3_error!(InvalidArgument, "{name} is a number of bytes, at most {LARGEST_OBJECT}");
            number.map(Some).ok_or_else(invalid)
        }
    };
    let offset = number(&SPARSE_OFFSET)?.unwrap_or_default();
    let length = number(&SPARSE_LENGTH)?;
    let length = length.ok_or_else(|| s3_error!(InvalidArgument, "{SPARSE_OFFSET} needs {SPARSE_LENGTH}"))?;
    Ok(Some(offset..offset + length))
}
