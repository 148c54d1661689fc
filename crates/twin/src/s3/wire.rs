//! Between HTTP and `s3s`: bodies decoded, signatures taken off, and everything refused that
//! the protocol layer would silently leave aside.

mod chunked;
mod query;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{self, HeaderName},
};
use levee_clock::Clock;
use s3s::{HttpError, HttpRequest, HttpResponse, S3Result, s3_error};

use super::{
    context::{self, Context},
    flight::Flight,
};
use crate::service::Caller;

/// Headers of features that are not modelled; the text says which.
const REFUSED: [(&str, &str); 7] = [
    ("x-amz-write-offset-bytes", "appending to objects"),
    ("x-amz-mfa", "MFA delete"),
    ("x-amz-rename-source", "renaming objects"),
    ("x-amz-bucket-namespace", "account-regional bucket names"),
    ("x-amz-if-match-last-modified-time", "conditional deletes by time"),
    ("x-amz-if-match-size", "conditional deletes by size"),
    ("x-amz-object-lock-event-hold", "event holds"),
];

const CHECKSUM_HEADERS: [&str; 8] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256", "algorithm", "type", "mode"];

/// Makes the request that `s3s` gets: unsigned, with a plain body. The router has made it path style already.
pub(super) fn prepare(
    caller: &Caller,
    flight: &Flight,
    clock: &Clock,
    request: Request<Bytes>,
) -> S3Result<HttpRequest> {
    let (mut parts, body) = request.into_parts();
    let query = query::clean(parts.uri.query().unwrap_or_default(), &mut parts.headers, clock)?;
    let path = parts.uri.path().to_owned();
    let body = chunked::decode(&mut parts.headers, body)?;
    refuse_unmodelled(&parts.method, &parts.headers)?;
    let sparse = context::sparse(&parts.method, &path, &parts.headers, &body)?;
    for name in [header::AUTHORIZATION, header::TRANSFER_ENCODING, HeaderName::from_static("x-amz-date")] {
        parts.headers.remove(name);
    }
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    let uri = if query.is_empty() { path } else { format!("{path}?{query}") };
    parts.uri =
        uri.parse::<Uri>().map_err(|error| s3_error!(error, InvalidURI, "Couldn't parse the specified URI."))?;
    let context = Context::new(caller, flight.clone(), &parts.headers, body.clone());
    parts.extensions.insert(Context { sparse, ..context });
    Ok(Request::from_parts(parts, s3s::Body::from(body)))
}

/// The response with its whole body. One that no operation gave is noted as refused.
pub(super) async fn noted(
    flight: &Flight,
    caller: &Caller,
    path: &str,
    response: Result<HttpResponse, HttpError>,
) -> Response<Bytes> {
    let response = match response {
        Ok(response) => {
            let (mut parts, mut body) = response.into_parts();
            if let Some(status) = parts.extensions.remove::<StatusCode>() {
                parts.status = status;
            }
            Response::from_parts(parts, body.store_all_limited(usize::MAX).await.unwrap_or_default())
        }
        Err(error) => {
            tracing::error!(?error, "the S3 protocol layer failed");
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    };
    let status = response.status().as_u16();
    flight.refused(caller, path, error_code(response.body()).unwrap_or("UnknownError"), status);
    response
}

/// Makes the response that leaves the service.
pub(super) fn finish(
    mut response: Response<Bytes>,
    bodiless: bool,
    request_id: &str,
    extended_id: &str,
) -> Response<Bytes> {
    if bodiless || response.status() == StatusCode::NOT_MODIFIED {
        *response.body_mut() = Bytes::new();
        if !response.status().is_success() {
            response.headers_mut().remove(header::CONTENT_TYPE);
        }
    }
    for (name, id) in [("x-amz-request-id", request_id), ("x-amz-id-2", extended_id)] {
        if let Ok(id) = HeaderValue::from_str(id) {
            response.headers_mut().insert(HeaderName::from_static(name), id);
        }
    }
    response
}

/// The code of an error document.
pub(crate) fn error_code(body: &Bytes) -> Option<&str> {
    let (_, rest) = std::str::from_utf8(body).ok()?.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code)
}

fn refuse_unmodelled(method: &Method, headers: &HeaderMap) -> S3Result<()> {
    if let Some((_, what)) = REFUSED.iter().find(|(name, _)| headers.contains_key(*name)) {
        return Err(s3_error!(NotImplemented, "the twin does not model {what}"));
    }
    for name in headers.keys().map(HeaderName::as_str) {
        if let Some(algorithm) = name.strip_prefix("x-amz-checksum-")
            && !CHECKSUM_HEADERS.contains(&algorithm)
        {
            return Err(s3_error!(NotImplemented, "the twin does not model the checksum {algorithm}"));
        }
        if name.starts_with("x-amz-grant-") {
            return Err(s3_error!(AccessControlListNotSupported, "The bucket does not allow ACLs"));
        }
    }
    let form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("multipart/form-data"));
    if form && *method == Method::POST {
        return Err(s3_error!(NotImplemented, "the twin does not model uploads by browser forms"));
    }
    if let Some(acl) = headers.get("x-amz-acl")
        && !["private", "bucket-owner-full-control"].iter().any(|known| acl == known)
    {
        return Err(s3_error!(AccessControlListNotSupported, "The bucket does not allow ACLs"));
    }
    Ok(())
}

/// Whether a request is a GetObjectAttributes.
pub(super) fn asks_for_attributes(uri: &http::Uri) -> bool {
    let name = |pair: &str| pair.split('=').next() == Some("attributes");
    uri.query().is_some_and(|query| query.split('&').any(name))
}

/// The answer of GetObjectAttributes with its ETag as S3 has it there, unlike everywhere else: without quotes
/// (seen against S3 in versity/versitygw issue 1114).
pub(super) fn without_quotes(body: &Bytes) -> Bytes {
    let text = String::from_utf8_lossy(body);
    let Some((before, rest)) = text.split_once("<ETag>") else { return body.clone() };
    let Some((etag, after)) = rest.split_once("</ETag>") else { return body.clone() };
    let etag = etag.replace("&quot;", "");
    format!("{before}<ETag>{}</ETag>{after}", etag.trim_matches('"')).into()
}
