//! Answers of the JSON services, and errors in the form of the service that was meant.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::identify::{Protocol, Target};
use crate::{service::ServiceError, sqs};

/// The body of a JSON call; an empty one is an empty object.
pub(crate) fn json_body(body: &Bytes) -> Result<Value, ServiceError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(ServiceError::client("SerializationException", "the body is not a JSON object")),
        Err(error) => Err(ServiceError::client("SerializationException", format!("the body is not JSON: {error}"))),
    }
}

/// A successful JSON answer. Operations without output answer with an empty object.
pub(crate) fn json(target: &Target, result: &Value) -> Response<Bytes> {
    let body = if result.is_null() { "{}".to_owned() } else { result.to_string() };
    respond(200, content_type(target), body)
}

/// A successful answer in XML.
pub(crate) fn xml(body: String) -> Response<Bytes> {
    respond(200, "text/xml", body)
}

/// An error in the form of the service: a JSON document for the JSON services, XML for the others.
pub(crate) fn error(target: &Target, error: &ServiceError, request_id: &str) -> Response<Bytes> {
    let mut response = match target.protocol {
        Protocol::Json => json_error(target, error),
        Protocol::Query => {
            let fault = if error.status < 500 { "Sender" } else { "Receiver" };
            let (code, message) = (escape(&error.code), escape(&error.message));
            let inner = format!("<Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message>");
            let body =
                format!("<ErrorResponse><Error>{inner}</Error><RequestId>{request_id}</RequestId></ErrorResponse>");
            respond(error.status, "text/xml", body)
        }
        Protocol::Rest => rest_error(error, request_id),
    };
    stamp(&mut response, request_id);
    response
}

/// An error in the form of S3.
pub(crate) fn rest_error(error: &ServiceError, request_id: &str) -> Response<Bytes> {
    let (code, message) = (escape(&error.code), escape(&error.message));
    let inner = format!("<Code>{code}</Code><Message>{message}</Message><RequestId>{request_id}</RequestId>");
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    respond(error.status, "application/xml", format!("{head}<Error>{inner}</Error>"))
}

fn json_error(target: &Target, error: &ServiceError) -> Response<Bytes> {
    let kind = if target.service == "sqs" { format!("com.amazonaws.sqs#{}", error.code) } else { error.code.clone() };
    let body = json!({"__type": kind, "message": error.message});
    let mut response = respond(error.status, content_type(target), body.to_string());
    if let Ok(code) = HeaderValue::from_str(&error.code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    if target.service == "sqs"
        && let Ok(value) = HeaderValue::from_str(&sqs::query_error(error))
    {
        response.headers_mut().insert("x-amzn-query-error", value);
    }
    response
}

/// Puts the request id on an answer that has none.
pub(crate) fn stamp(response: &mut Response<Bytes>, request_id: &str) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        let has_one = response.headers().contains_key("x-amz-request-id");
        if !has_one {
            response.headers_mut().insert("x-amzn-requestid", id.clone());
            response.headers_mut().insert("x-amz-request-id", id);
        }
    }
}

/// EventBridge and KMS speak JSON 1.1, the others 1.0.
fn content_type(target: &Target) -> &'static str {
    if matches!(target.service.as_str(), "events" | "kms") {
        "application/x-amz-json-1.1"
    } else {
        "application/x-amz-json-1.0"
    }
}

fn respond(status: u16, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Text as XML character data; characters that XML 1.0 cannot carry become U+FFFD.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            c if c < ' ' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
