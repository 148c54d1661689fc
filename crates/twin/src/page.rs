//! What the twin shows of itself: unsigned GETs of `/` by a browser, and of paths below `/_twin/`. No bucket can have that
//! name. Looking is no call: it passes no gate and leaves no record.

mod document;
mod graph;
mod state;

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use self::document::Document;
pub(crate) use self::state::Sources;
use crate::gate::{CallFilter, CallGate};

const ROOT: &str = "/_twin";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const JSON_LINES: &str = "application/jsonl";
const TEXT: &str = "text/plain; charset=utf-8";

/// The pages of one twin.
pub(crate) struct Page {
    gate: Arc<CallGate>,
    sources: Sources,
    document: Document,
}

impl Page {
    pub(crate) fn new(sources: Sources) -> Self {
        Self { gate: Arc::clone(&sources.gate), sources, document: Document::new() }
    }

    /// The answer to an unsigned request that is for the twin itself; `None` for those that are for its services.
    pub(crate) fn answer(&self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        if *request.method() != Method::GET {
            return None;
        }
        let path = request.uri().path();
        if path == "/" && request.uri().query().is_none_or(is_ours) && accepts_html(request.headers()) {
            return Some(self.document());
        }
        let query = request.uri().query().unwrap_or_default();
        match path.strip_prefix(ROOT)? {
            "" | "/" => Some(self.document()),
            "/state" => Some(json(&self.sources.state())),
            "/execution" => Some(self.execution(query)),
            "/calls" => Some(self.calls(query)),
            "/counts" => Some(lines(&self.gate.call_counts())),
            path if path.starts_with('/') => Some(respond(StatusCode::NOT_FOUND, TEXT, UNKNOWN.to_owned())),
            // A bucket whose name only begins like this.
            _ => None,
        }
    }

    fn document(&self) -> Response<Bytes> {
        let mut response = respond(StatusCode::OK, HTML, self.document.html.clone());
        if let Ok(policy) = HeaderValue::from_str(&self.document.policy) {
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
        response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }

    fn execution(&self, query: &str) -> Response<Bytes> {
        let arn = query.split('&').find_map(|pair| pair.strip_prefix("arn=")).unwrap_or_default();
        let arn = percent_decode_str(arn).decode_utf8_lossy();
        match self.sources.execution(&arn) {
            Some(execution) => json(&execution),
            None => {
                respond(StatusCode::NOT_FOUND, TEXT, format!("there is no execution {arn:?}; name one as ?arn=ARN\n"))
            }
        }
    }

    fn calls(&self, query: &str) -> Response<Bytes> {
        match CallFilter::from_query(query) {
            Ok(filter) => lines(&self.gate.calls_where(&filter)),
            Err(problem) => respond(StatusCode::BAD_REQUEST, TEXT, format!("{problem}\n")),
        }
    }
}

const UNKNOWN: &str =
    "the twin has /_twin/ for browsers, and /_twin/state, /_twin/execution, /_twin/calls and /_twin/counts\n";

/// Whether a query of `/` is of the page and not of ListBuckets.
fn is_ours(query: &str) -> bool {
    query.starts_with("theme=")
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

fn json<T: Serialize>(value: &T) -> Response<Bytes> {
    match serde_json::to_string(value) {
        Ok(text) => respond(StatusCode::OK, JSON, text),
        Err(error) => unwritable(&error),
    }
}

/// A JSON document a line.
fn lines<T: Serialize>(items: &[T]) -> Response<Bytes> {
    let mut text = String::new();
    for item in items {
        match serde_json::to_string(item) {
            Ok(line) => text.push_str(&line),
            Err(error) => return unwritable(&error),
        }
        text.push('\n');
    }
    respond(StatusCode::OK, JSON_LINES, text)
}

fn unwritable(error: &serde_json::Error) -> Response<Bytes> {
    respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("the answer cannot be written as JSON: {error}\n"))
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
