//! The query protocol of SNS and STS: a form body in, an XML document out, with the members of the JSON shapes between.

use std::fmt::Write;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::answer::escape;
use crate::service::ServiceError;

/// The members of a form: `A.B=x` nests, `A.member.N=x` is a list, `A.entry.N.key/value` (or `Name`/`Value`) a map.
pub(super) fn form(body: &[u8]) -> Result<Value, ServiceError> {
    let wrong = |what: &str| ServiceError::client("MalformedQueryString", format!("the form body {what}"));
    let text = std::str::from_utf8(body).map_err(|_| wrong("is not UTF-8"))?;
    let mut root = Value::Object(Map::new());
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| wrong("has a member without a value"))?;
        let (name, value) = (decode(name), decode(value));
        let mut place = &mut root;
        for step in name.split('.') {
            let Value::Object(members) = place else { return Err(wrong("uses one member in two ways")) };
            place = members.entry(step).or_insert_with(|| Value::Object(Map::new()));
        }
        *place = Value::String(value);
    }
    Ok(shape(root))
}

/// The decoded members of a query string, in order.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Turns the numbered members of lists and maps into JSON lists and maps.
fn shape(value: Value) -> Value {
    let Value::Object(mut members) = value else { return value };
    if members.len() == 1 {
        if let Some(Value::Object(items)) = members.get_mut("member").map(Value::take) {
            return Value::Array(numbered(items));
        }
        if let Some(Value::Object(items)) = members.get_mut("entry").map(Value::take) {
            let pairs = numbered(items).into_iter().filter_map(|mut pair| {
                let key = pair.get("key").or_else(|| pair.get("Name"))?.as_str()?.to_owned();
                let name = if pair.get("value").is_some() { "value" } else { "Value" };
                Some((key, pair.get_mut(name)?.take()))
            });
            return Value::Object(pairs.collect());
        }
    }
    Value::Object(members.into_iter().map(|(name, value)| (name, shape(value))).collect())
}

fn numbered(items: Map<String, Value>) -> Vec<Value> {
    let mut items: Vec<(u64, Value)> =
        items.into_iter().map(|(number, item)| (number.parse().unwrap_or(u64::MAX), shape(item))).collect();
    items.sort_by_key(|(number, _)| *number);
    items.into_iter().map(|(_, item)| item).collect()
}

/// The answer's document.
pub(super) fn document(service: &str, operation: &str, result: &Value, request_id: &str) -> String {
    let namespace = match service {
        "sts" => "https://sts.amazonaws.com/doc/2011-06-15/",
        _ => "http://sns.amazonaws.com/doc/2010-03-31/",
    };
    let mut out = format!("<{operation}Response xmlns=\"{namespace}\"><{operation}Result>");
    write_value(&mut out, "", result);
    let metadata = format!("<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>");
    // Writing to a String does not fail.
    let _ = write!(out, "</{operation}Result>{metadata}</{operation}Response>");
    out
}

fn write_value(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Object(members) if name == "Attributes" => {
            for (key, value) in members {
                let _ = write!(out, "<entry><key>{}</key><value>", escape(key));
                write_value(out, "", value);
                out.push_str("</value></entry>");
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                let _ = write!(out, "<{name}>");
                write_value(out, name, value);
                let _ = write!(out, "</{name}>");
            }
        }
        Value::Array(items) => {
            for item in items {
                out.push_str("<member>");
                write_value(out, "", item);
                out.push_str("</member>");
            }
        }
        Value::String(text) => out.push_str(&escape(text)),
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_become_members_lists_and_maps() {
        let body = b"Action=Subscribe&Attributes.entry.1.key=RawMessageDelivery&Attributes.entry.1.value=true\
            &MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=String\
            &MessageAttributes.entry.1.Value.StringValue=x+y%26z&Tags.member.2.Key=b&Tags.member.1.Key=a";
        let expected = json!({
            "Action": "Subscribe", "Attributes": {"RawMessageDelivery": "true"},
            "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x y&z"}},
            "Tags": [{"Key": "a"}, {"Key": "b"}],
        });
        assert_eq!(form(body).unwrap(), expected);
        assert_eq!(form(b"A=1&A.b=2").unwrap_err().code, "MalformedQueryString");
    }

    #[test]
    fn answers_become_documents() {
        let result = json!({"Attributes": {"A&B": "1"}, "Topics": [{"TopicArn": "x"}]});
        let xml = document("sns", "X", &result, "id");
        assert!(xml.contains("<Attributes><entry><key>A&amp;B</key><value>1</value></entry></Attributes>"), "{xml}");
        assert!(xml.contains("<Topics><member><TopicArn>x</TopicArn></member></Topics>"), "{xml}");
    }
}
