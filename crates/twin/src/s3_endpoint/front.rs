//! The S3 that callers of the twin reach when the buckets are elsewhere.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest, result::ConnectorError};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, VIA},
};
use http_body_util::BodyExt;

use super::Wire;
use crate::{
    env::{Call, Env},
    router::rest_error,
    s3::{S3Service, error_code},
    s3control::{S3Clients, failed_call, with_reasons},
    service::{Caller, HttpService, ServiceError},
};

/// Headers that belong to one connection (RFC 9110, section 7.6.1), besides those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("te"),
    HeaderName::from_static("trailer"),
    HeaderName::from_static("transfer-encoding"),
    HeaderName::from_static("upgrade"),
];

/// Answers requests for inventory configurations, and hands all others on to the endpoint.
pub(crate) struct Front {
    env: Env,
    wire: Wire,
    clients: Arc<dyn S3Clients>,
    configurations: S3Service,
    /// What this front adds to `Via`: a request that carries it already goes round in a circle.
    via: String,
}

impl Front {
    /// `configurations` keeps the inventory configurations; `clients` call the endpoint of `wire`.
    pub(crate) fn new(env: Env, wire: Wire, clients: Arc<dyn S3Clients>, configurations: S3Service) -> Self {
        static FRONTS: AtomicU64 = AtomicU64::new(0);
        let via = format!("1.1 levee-twin-{}-{}", std::process::id(), FRONTS.fetch_add(1, Ordering::Relaxed));
        Self { env, wire, clients, configurations, via }
    }

    /// A configuration can only be put for a bucket that the endpoint has and shows to the caller.
    async fn inventory(&self, caller: &Caller, request: Request<Bytes>) -> Result<Response<Bytes>, ServiceError> {
        let bucket = request.uri().path().trim_matches('/').to_owned();
        match self.clients.client(caller).head_bucket().bucket(&bucket).send().await {
            Ok(_) => self.configurations.keep_configurations_of(caller, &bucket),
            Err(error) => {
                return Err(unseen(&bucket, error.raw_response().map(|raw| raw.status().as_u16()), || {
                    failed_call(&error)
                }));
            }
        }
        Ok(self.configurations.handle(caller, request).await)
    }

    async fn hand_on(&self, caller: &Caller, request: Request<Bytes>) -> Result<Response<Bytes>, ServiceError> {
        // What the request does is the endpoint's to read: method and path are all that is known of it here.
        let (operation, resource) = (request.method().as_str(), request.uri().path());
        let call = Call { service: "s3", operation, caller, resource, needs: &[], facts: &[] };
        let admission = self.env.gate.admit(&call)?;
        let answer = self.forward(request).await;
        let refused = match &answer {
            Err(error) => Some(error.noted()),
            Ok(response) if response.status().as_u16() < 400 => None,
            Ok(response) => Some((error_code(response.body()).unwrap_or("UnknownError"), response.status().as_u16())),
        };
        self.env.gate.conclude(admission, refused);
        answer
    }

    async fn forward(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ServiceError> {
        let head = request.method() == Method::HEAD;
        let request = self.outgoing(request)?;
        let response = self.wire.call(request).await.map_err(|error| unreachable(&error))?;
        let response = response.try_into_http1x().map_err(|error| foreign(&error))?;
        let (mut parts, body) = response.into_parts();
        let broken = |error| unreachable(&ConnectorError::io(error));
        let body = body.collect().await.map_err(broken)?.to_bytes();
        strip(&mut parts.headers);
        if !head {
            // The body is whole, so its length is set anew; the answer to HEAD has the length of a body that is not there.
            parts.headers.remove(CONTENT_LENGTH);
        }
        Ok(Response::from_parts(parts, body))
    }

    /// The request for the endpoint. `Host` stays as it came, because a signature covers it.
    fn outgoing(&self, request: Request<Bytes>) -> Result<HttpRequest, ServiceError> {
        let (mut parts, body) = request.into_parts();
        let vias = parts.headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok());
        if vias.flat_map(|value| value.split(',')).any(|value| value.trim() == self.via) {
            let message = format!(
                "the S3 endpoint {} leads back to this twin; give the address of another S3",
                self.wire.endpoint()
            );
            return Err(ServiceError { code: "InternalError".into(), message, status: 508 });
        }
        let sized = parts.headers.contains_key(CONTENT_LENGTH) || !body.is_empty();
        strip(&mut parts.headers);
        // The server has answered this one, or the whole body would not be here.
        parts.headers.remove(EXPECT);
        if sized {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        if let Ok(via) = HeaderValue::from_str(&self.via) {
            parts.headers.append(VIA, via);
        }
        let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        parts.uri = format!("{}{path}", self.wire.endpoint()).parse().map_err(|error| foreign(&error))?;
        HttpRequest::try_from(Request::from_parts(parts, SdkBody::from(body))).map_err(|error| foreign(&error))
    }
}

#[async_trait]
impl HttpService for Front {
    async fn handle(&self, caller: &Caller, request: Request<Bytes>) -> Response<Bytes> {
        let bodiless = request.method() == Method::HEAD;
        let answered = if of_inventories(&request) {
            self.inventory(caller, request).await
        } else {
            self.hand_on(caller, request).await
        };
        answered.unwrap_or_else(|error| {
            let mut response = rest_error(&error, &self.env.ids.uuid());
            if bodiless {
                *response.body_mut() = Bytes::new();
            }
            response
        })
    }
}

/// Whether the request is for the `inventory` subresource of a bucket.
fn of_inventories(request: &Request<Bytes>) -> bool {
    let bucket = request.uri().path().trim_matches('/');
    let pairs = request.uri().query().unwrap_or_default().split('&');
    let named = pairs.map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name)).any(|name| name == "inventory");
    named && !bucket.is_empty() && !bucket.contains('/')
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Why a bucket cannot have a configuration: the endpoint does not show it.
fn unseen(bucket: &str, status: Option<u16>, why: impl FnOnce() -> String) -> ServiceError {
    let (code, message, status) = match status {
        Some(404) => ("NoSuchBucket", "The specified bucket does not exist".to_owned(), 404),
        Some(403) => ("AccessDenied", "Access Denied".to_owned(), 403),
        Some(status) => {
            ("InternalError", format!("the bucket {bucket} could not be looked at: {}", why()), status.max(500))
        }
        None => ("ServiceUnavailable", why(), 503),
    };
    ServiceError { code: code.into(), message, status }
}

fn unreachable(error: &ConnectorError) -> ServiceError {
    ServiceError { code: "ServiceUnavailable".into(), message: with_reasons(error), status: 503 }
}

/// A request or an answer that cannot be handed on, such as a header that is no UTF-8.
fn foreign(error: &dyn std::error::Error) -> ServiceError {
    let message = format!("the twin cannot hand this call on to the S3 endpoint: {error}");
    ServiceError { code: "NotImplemented".into(), message, status: 501 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::list("/lake?inventory", true)]
    #[case::one("/lake/?id=daily&inventory=", true)]
    #[case::object("/lake/key?inventory", false)]
    #[case::prefix("/lake?prefix=inventory", false)]
    #[case::service("/?inventory", false)]
    fn only_the_subresource_of_a_bucket_is_answered_here(#[case] uri: &str, #[case] here: bool) {
        assert_eq!(of_inventories(&Request::builder().uri(uri).body(Bytes::new()).unwrap()), here);
    }

    #[test]
    fn headers_of_one_connection_stay_and_all_others_go_on() {
        let pairs =
            [("connection", "close, x-mine"), ("x-mine", "1"), ("te", "trailers"), ("transfer-encoding", "chunked")];
        let kept = [("host", "lake.example"), ("authorization", "AWS4"), ("x-amz-trailer", "x-amz-checksum-crc32")];
        let mut headers = HeaderMap::new();
        for (name, value) in pairs.iter().chain(&kept) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        strip(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "host", "x-amz-trailer"]);
    }
}
