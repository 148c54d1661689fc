//! What the twin shows of itself: unsigned GETs below `/_twin/`. No bucket can have that name.

use std::{fmt::Write as _, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use serde::Serialize;

use crate::gate::{CallFilter, CallGate};

const ROOT: &str = "/_twin";
const JSON_LINES: &str = "application/jsonl";
const TEXT: &str = "text/plain; charset=utf-8";

/// The pages of one twin.
pub(crate) struct Page {
    gate: Arc<CallGate>,
}

impl Page {
    pub(crate) fn new(gate: Arc<CallGate>) -> Self {
        Self { gate }
    }

    /// The answer to an unsigned request that is for the twin itself; `None` for those that are for its services.
    pub(crate) fn answer(&self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        if *request.method() != Method::GET {
            return None;
        }
        let path = request.uri().path().strip_prefix(ROOT)?;
        let query = request.uri().query().unwrap_or_default();
        match path {
            "/calls" => Some(self.calls(query)),
            "/counts" => Some(respond(StatusCode::OK, JSON_LINES, lines(&self.gate.call_counts()))),
            "" => Some(unknown()),
            path if path.starts_with('/') => Some(unknown()),
            // A bucket whose name only begins like this.
            _ => None,
        }
    }

    fn calls(&self, query: &str) -> Response<Bytes> {
        match CallFilter::from_query(query) {
            Ok(filter) => respond(StatusCode::OK, JSON_LINES, lines(&self.gate.calls_where(&filter))),
            Err(problem) => respond(StatusCode::BAD_REQUEST, TEXT, format!("{problem}\n")),
        }
    }
}

fn unknown() -> Response<Bytes> {
    respond(StatusCode::NOT_FOUND, TEXT, "the twin has /_twin/calls and /_twin/counts\n".to_owned())
}

/// A JSON document a line.
fn lines<T: Serialize>(items: &[T]) -> String {
    items.iter().fold(String::new(), |mut text, item| {
        match serde_json::to_string(item) {
            Ok(line) => text.push_str(&line),
            // Does not happen: the items have no maps with keys other than texts.
            Err(error) => drop(write!(text, "{{\"error\":{:?}}}", error.to_string())),
        }
        text.push('\n');
        text
    })
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
