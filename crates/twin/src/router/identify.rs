//! Which service and operation a request is for.

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header::HOST};

use super::scope::{Scope, header};

/// How a request says what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// An `x-amz-target` header and a JSON body.
    Json,
    /// A form body with an `Action`.
    Query,
    /// Method and path.
    Rest,
}

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The service's name as signed, except `s3control`, which signs as `s3`.
    pub(crate) service: String,
    /// The bare operation name; empty where method and path say it.
    pub(crate) operation: String,
    /// The wire form of request and answer.
    pub(crate) protocol: Protocol,
}

/// The prefixes of `x-amz-target` by service.
const TARGETS: [(&str, &str); 4] =
    [("AmazonSQS", "sqs"), ("AWSStepFunctions", "states"), ("AWSEvents", "events"), ("TrentService", "kms")];

impl Target {
    /// Reads the credential scope first, then the target header, then the path and the form body.
    pub(crate) fn of(request: &Request<Bytes>, scope: Option<&Scope>) -> Self {
        let signed = scope.map(|scope| scope.service.as_str()).filter(|service| !service.is_empty());
        if let Some((prefix, operation)) = header(request, "x-amz-target").and_then(|target| target.rsplit_once('.')) {
            let named = TARGETS.iter().find(|(known, _)| *known == prefix).map_or(prefix, |(_, service)| service);
            return Self::new(signed.unwrap_or(named), operation, Protocol::Json);
        }
        if matches!(signed, None | Some("s3" | "s3-outposts")) && request.uri().path().starts_with("/v20180820/") {
            return Self::new("s3control", "", Protocol::Rest);
        }
        if let Some(action) = form_action(request) {
            return Self::new(signed.unwrap_or("sns"), &action, Protocol::Query);
        }
        Self::new(signed.unwrap_or("s3"), "", Protocol::Rest)
    }

    fn new(service: &str, operation: &str, protocol: Protocol) -> Self {
        Self { service: service.to_owned(), operation: operation.to_owned(), protocol }
    }
}

/// The action of a form body, or of a GET such as the links in the messages of SNS.
fn form_action(request: &Request<Bytes>) -> Option<String> {
    let action = |text: &str| text.split('&').find_map(|pair| pair.strip_prefix("Action=")).map(str::to_owned);
    if request.method() == http::Method::GET && request.uri().path() == "/" {
        let linked = |name: &String| ["ConfirmSubscription", "Unsubscribe"].contains(&name.as_str());
        if let Some(name) = request.uri().query().and_then(action).filter(linked) {
            return Some(name);
        }
    }
    let form = header(request, "content-type")?.starts_with("application/x-www-form-urlencoded");
    std::str::from_utf8(request.body()).ok().filter(|_| form).and_then(action)
}

/// The endpoint that the client used, without a slash at the end: queue URLs begin with it.
pub(crate) fn endpoint(request: &Request<Bytes>) -> String {
    let scheme = request.uri().scheme_str().unwrap_or("http");
    format!("{scheme}://{}", authority(request).unwrap_or("localhost"))
}

fn authority(request: &Request<Bytes>) -> Option<&str> {
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
}

/// Whether the host names a bucket.
pub(crate) fn is_virtual_hosted(request: &Request<Bytes>) -> bool {
    authority(request).and_then(virtual_bucket).is_some()
}

/// Moves the bucket of a virtual-hosted request (`bucket.s3.region.amazonaws.com`, `bucket.localhost`) into the path, and
/// takes it off the `Host` header, so that whoever gets the request next does not find it a second time.
pub(crate) fn to_path_style(mut request: Request<Bytes>) -> Request<Bytes> {
    let Some(bucket) = authority(&request).and_then(virtual_bucket) else { return request };
    let rest = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    if let Ok(uri) = format!("/{bucket}{rest}").parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    let behind = host.and_then(|host| host.strip_prefix(&bucket)?.strip_prefix('.'));
    if let Some(host) = behind.and_then(|host| HeaderValue::from_str(host).ok()) {
        request.headers_mut().insert(HOST, host);
    }
    request
}

fn virtual_bucket(authority: &str) -> Option<String> {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let bucket = match host.strip_suffix(".localhost") {
        Some(bucket) => bucket,
        None => {
            let front = host.strip_suffix(".amazonaws.com")?;
            // Bucket names may contain dots and `.s3.`; the service's label is the last one.
            let at = front.rfind(".s3.").or_else(|| front.strip_suffix(".s3").map(str::len))?;
            front.get(..at)?
        }
    };
    (!bucket.is_empty() && bucket != "s3").then(|| bucket.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)], body: &'static str) -> Request<Bytes> {
        let builder =
            headers.iter().fold(Request::builder().uri(uri), |request, (name, value)| request.header(*name, *value));
        builder.body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    fn scope(service: &str) -> Scope {
        Scope { access_key: "111111111111".into(), region: "us-east-1".into(), service: service.into() }
    }

    #[test]
    fn target_header_names_the_operation_and_the_service_of_unsigned_requests() {
        let request = request("/", &[("x-amz-target", "AmazonSQS.SendMessage")], "{}");
        assert_eq!(Target::of(&request, None), Target::new("sqs", "SendMessage", Protocol::Json));
        assert_eq!(Target::of(&request, Some(&scope("sqs"))), Target::new("sqs", "SendMessage", Protocol::Json));
    }

    #[test]
    fn s3_control_is_told_from_s3_by_its_path() {
        let jobs = request("/v20180820/jobs", &[], "");
        assert_eq!(Target::of(&jobs, Some(&scope("s3"))).service, "s3control");
        assert_eq!(Target::of(&request("/bucket/v20180820/jobs", &[], ""), Some(&scope("s3"))).service, "s3");
    }

    #[test]
    fn form_bodies_name_their_action() {
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let publish = request("/", &form, "Action=Publish&Version=2010-03-31");
        assert_eq!(Target::of(&publish, Some(&scope("sns"))), Target::new("sns", "Publish", Protocol::Query));
    }

    #[test]
    fn links_in_messages_are_calls_of_sns() {
        let confirm = request("/?Action=ConfirmSubscription&Token=t", &[], "");
        assert_eq!(Target::of(&confirm, None), Target::new("sns", "ConfirmSubscription", Protocol::Query));
        assert_eq!(Target::of(&request("/?Action=Publish", &[], ""), None).service, "s3");
    }

    #[test]
    fn virtual_hosts_become_paths() {
        for (host, path, behind) in [
            ("lake.s3.us-east-1.amazonaws.com", "/lake/k?x=1", "s3.us-east-1.amazonaws.com"),
            ("a.b.s3.amazonaws.com", "/a.b/k?x=1", "s3.amazonaws.com"),
            ("lake.localhost:4566", "/lake/k?x=1", "localhost:4566"),
            ("s3.us-east-1.amazonaws.com", "/k?x=1", "s3.us-east-1.amazonaws.com"),
            ("localhost:4566", "/k?x=1", "localhost:4566"),
            ("127.0.0.1:4566", "/k?x=1", "127.0.0.1:4566"),
        ] {
            let moved = to_path_style(request("/k?x=1", &[("host", host)], ""));
            assert_eq!((moved.uri().to_string().as_str(), header(&moved, "host")), (path, Some(behind)), "{host}");
        }
    }

    #[test]
    fn queue_urls_begin_with_the_endpoint_that_the_client_used() {
        assert_eq!(
            endpoint(&request("https://sqs.us-east-1.amazonaws.com/", &[], "")),
            "https://sqs.us-east-1.amazonaws.com"
        );
        assert_eq!(endpoint(&request("/", &[("host", "127.0.0.1:4566")], "")), "http://127.0.0.1:4566");
    }
}
