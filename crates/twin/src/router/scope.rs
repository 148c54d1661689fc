//! The credential scope of a request, and the caller that it stands for.

use bytes::Bytes;
use http::Request;
use percent_encoding::percent_decode_str;

use crate::service::{Caller, Principal};

/// What a signature says about itself: `<access key>/<date>/<region>/<service>/aws4_request`. Signatures are not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key: String,
    /// Empty for SigV4A, which names its Regions elsewhere.
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Scope {
    /// The scope in the `Authorization` header, else in a presigned query; `None` for an unsigned request.
    pub(crate) fn of(request: &Request<Bytes>) -> Option<Self> {
        let header = header(request, "authorization").and_then(|value| {
            let rest = value.split_once("Credential=")?.1;
            Some(rest.split([',', ' ']).next().unwrap_or(rest).to_owned())
        });
        Self::parse(&header.or_else(|| query(request, "X-Amz-Credential"))?)
    }

    fn parse(credential: &str) -> Option<Self> {
        let parts: Vec<&str> = credential.split('/').collect();
        match parts.as_slice() {
            [key, _, region, service, "aws4_request"] => Some(Self::new(key, region, service)),
            [key, _, service, "aws4_request"] => Some(Self::new(key, "", service)),
            _ => None,
        }
    }

    fn new(access_key: &str, region: &str, service: &str) -> Self {
        Self { access_key: access_key.to_owned(), region: region.to_owned(), service: service.to_owned() }
    }
}

/// The caller of a request, by the convention of [`Caller`]. An unsigned request is the default account's.
pub(crate) fn caller(request: &Request<Bytes>, scope: Option<&Scope>, account: &str, region: &str) -> Caller {
    let key = scope.map_or("", |scope| scope.access_key.as_str());
    let is_account = key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit());
    let token = header(request, "x-amz-security-token").map(str::to_owned);
    let token = token.or_else(|| query(request, "X-Amz-Security-Token"));
    Caller {
        account: if is_account { key } else { account }.to_owned(),
        region: scope.map(|scope| scope.region.clone()).filter(|name| !name.is_empty()).unwrap_or(region.to_owned()),
        principal: principal(token.as_deref().unwrap_or_default()),
    }
}

fn principal(token: &str) -> Principal {
    if let Some(arn) = token.strip_prefix("role:") {
        return Principal::Role(arn.to_owned());
    }
    match token.strip_prefix("service:") {
        Some(name) => Principal::Service(name.to_owned()),
        None => Principal::Root,
    }
}

/// A header's value, where it is text.
pub(crate) fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

/// A decoded query parameter.
fn query(request: &Request<Bytes>, name: &str) -> Option<String> {
    let pairs = request.uri().query()?.split('&');
    let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| key.eq_ignore_ascii_case(name))?.1;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn signed(credential: &str, token: Option<&str>) -> Request<Bytes> {
        let value = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00");
        let mut request = Request::builder().uri("http://localhost/").header("authorization", value);
        if let Some(token) = token {
            request = request.header("x-amz-security-token", token);
        }
        request.body(Bytes::new()).unwrap()
    }

    fn caller_of(request: &Request<Bytes>) -> Caller {
        caller(request, Scope::of(request).as_ref(), "000000000000", "us-east-1")
    }

    #[test]
    fn twelve_digits_name_the_account_and_the_scope_the_region() {
        let caller = caller_of(&signed("222222222222/20260402/eu-west-1/sqs/aws4_request", None));
        assert_eq!((caller.account.as_str(), caller.region.as_str()), ("222222222222", "eu-west-1"));
        assert_eq!(caller.principal, Principal::Root);
    }

    #[test]
    fn other_keys_are_the_default_account() {
        assert_eq!(caller_of(&signed("AKIAEXAMPLE/20260402/us-east-1/s3/aws4_request", None)).account, "000000000000");
        let unsigned = Request::builder().uri("/bucket/key").body(Bytes::new()).unwrap();
        assert_eq!(caller_of(&unsigned).account, "000000000000");
    }

    #[test]
    fn session_tokens_name_the_principal() {
        let arn = "arn:aws:iam::222222222222:role/batch";
        let request = signed("222222222222/20260402/us-east-1/s3/aws4_request", Some(&format!("role:{arn}")));
        assert_eq!(caller_of(&request).principal, Principal::Role(arn.to_owned()));
        let request = signed("222222222222/20260402/us-east-1/s3/aws4_request", Some("service:s3.amazonaws.com"));
        assert_eq!(caller_of(&request).principal, Principal::Service("s3.amazonaws.com".to_owned()));
    }

    #[test]
    fn presigned_queries_carry_the_scope_and_the_token() {
        let uri = "/b/k?X-Amz-Credential=111111111111%2F20260402%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Security-Token=role%3Ar";
        let request = Request::builder().uri(uri).body(Bytes::new()).unwrap();
        assert_eq!(Scope::of(&request), Some(Scope::new("111111111111", "us-east-1", "s3")));
        assert_eq!(caller_of(&request).principal, Principal::Role("r".to_owned()));
    }
}
