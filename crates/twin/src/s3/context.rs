//! What the operations know of a request besides its typed input.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue,
    header::{HeaderName, IF_MATCH, IF_NONE_MATCH},
};

use super::{flight::Flight, policy::Facts};
use crate::service::{Caller, Principal};

/// Names the bucket for which an AWS service acts (`aws:SourceArn`). Only services of the twin send it.
pub(crate) const SOURCE_ARN: HeaderName = HeaderName::from_static("x-levee-twin-source-arn");
/// Names the account for which an AWS service acts (`aws:SourceAccount`).
pub(crate) const SOURCE_ACCOUNT: HeaderName = HeaderName::from_static("x-levee-twin-source-account");

/// Travels with the request through `s3s`.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) caller: Caller,
    pub(crate) facts: Facts,
    /// The call, for the record.
    pub(crate) flight: Flight,
    /// The decoded body.
    pub(crate) body: Bytes,
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
        Self { caller: caller.clone(), facts, flight, body, if_match, if_none_match }
    }
}
