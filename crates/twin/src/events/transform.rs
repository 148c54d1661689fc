//! What a target gets of an event: the whole, a part, a constant, or a text made from parts.

use jiff::Timestamp;
use serde_json::Value;

use super::input;
use crate::service::ServiceError;

/// The most variables of a template.
const VARIABLE_LIMIT: usize = 100;

/// What a target gets.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Whole,
    Constant(String),
    Part(Path),
    Template { parts: Vec<(String, Path)>, template: String },
}

/// A path into an event: `$`, `$.detail.files[0].key`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Item(usize),
}

impl Input {
    /// Reads `Input`, `InputPath` or `InputTransformer` of a target.
    pub(super) fn parse(target: &Value) -> Result<Self, ServiceError> {
        let constant = input::optional_text(target, "Input")?;
        let path = input::optional_text(target, "InputPath")?;
        let transformer = target.get("InputTransformer").filter(|value| !value.is_null());
        match (constant, path, transformer) {
            (None, None, None) => Ok(Self::Whole),
            (Some(text), None, None) => match serde_json::from_str::<Value>(text) {
                Ok(_) => Ok(Self::Constant(text.to_owned())),
                Err(error) => Err(input::invalid(format!("Input is not JSON: {error}"))),
            },
            (None, Some(path), None) => Ok(Self::Part(Path::parse(path)?)),
            (None, None, Some(transformer)) => Self::transformer(transformer),
            _ => Err(input::invalid("Only one of Input, InputPath, or InputTransformer must be provided.")),
        }
    }

    fn transformer(transformer: &Value) -> Result<Self, ServiceError> {
        let template = input::text(transformer, "InputTemplate")?.to_owned();
        let paths = transformer.get("InputPathsMap").and_then(Value::as_object).into_iter().flatten();
        let parts: Vec<_> = paths
            .map(|(name, path)| {
                if name.starts_with("aws.") {
                    return Err(input::invalid(format!("InputPathsMap: the name {name} is reserved")));
                }
                let path = path.as_str().ok_or_else(|| input::invalid("InputPathsMap must hold strings"))?;
                Ok((name.clone(), Path::parse(path)?))
            })
            .collect::<Result<_, ServiceError>>()?;
        if parts.len() > VARIABLE_LIMIT {
            return Err(input::invalid(format!(
                "InputPathsMap has {} names; the limit is {VARIABLE_LIMIT}",
                parts.len()
            )));
        }
        Ok(Self::Template { parts, template })
    }

    /// The text for the target.
    pub(super) fn apply(
        &self,
        event: &Value,
        rule_arn: &str,
        rule: &str,
        now: Timestamp,
    ) -> Result<String, ServiceError> {
        match self {
            Self::Whole => Ok(event.to_string()),
            Self::Constant(text) => Ok(text.clone()),
            Self::Part(path) => {
                let absent = || input::invalid("the event has nothing at InputPath");
                path.of(event).map(Value::to_string).ok_or_else(absent)
            }
            Self::Template { parts, template } => fill(template, |name| {
                let mut without_detail = event.clone();
                without_detail.as_object_mut().map(|members| members.shift_remove("detail"));
                let reserved = match name {
                    "aws.events.rule-arn" => Some(Value::from(rule_arn)),
                    "aws.events.rule-name" => Some(Value::from(rule)),
                    "aws.events.event.ingestion-time" => Some(Value::from(now.to_string())),
                    "aws.events.event" => Some(without_detail),
                    "aws.events.event.json" => Some(event.clone()),
                    _ => None,
                };
                let named = parts.iter().find(|(known, _)| known == name);
                // A part that the event does not have is empty.
                reserved.or_else(|| named.map(|(_, path)| path.of(event).cloned().unwrap_or(Value::Null)))
            })
            .map(minified),
        }
    }
}

/// "The JSON that is passed to the target is minified."
fn minified(text: String) -> String {
    match serde_json::from_str::<Value>(&text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => value.to_string(),
        _ => text,
    }
}

/// Puts values in the place of `<name>`: outside of quotes as JSON, within quotes as text, which is not escaped: "EventBridge
/// doesn't escape values extracted by Input Path". So a value with quotes spoils a JSON template, here as there.
fn fill(template: &str, value: impl Fn(&str) -> Option<Value>) -> Result<String, ServiceError> {
    let (mut out, mut rest, mut quoted) = (String::with_capacity(template.len()), template, false);
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        if let ('<', Some((name, after))) = (c, after.split_once('>')) {
            let value = value(name)
                .ok_or_else(|| input::invalid(format!("the template names <{name}>, which is not defined")))?;
            out.push_str(&placed(&value, quoted));
            rest = after;
            continue;
        }
        if c == '"' && !out.ends_with('\\') {
            quoted = !quoted;
        }
        out.push(c);
        rest = after;
    }
    Ok(out)
}

fn placed(value: &Value, quoted: bool) -> String {
    match value {
        Value::Null if quoted => String::new(),
        Value::String(text) if quoted => text.clone(),
        value => value.to_string(),
    }
}

impl Path {
    fn parse(text: &str) -> Result<Self, ServiceError> {
        let wrong = || ServiceError::not_modelled(format_args!("the path {text}: only $, .name and [index]"));
        let mut rest = text.strip_prefix('$').ok_or_else(wrong)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, after) = after.split_at_checked(end).ok_or_else(wrong)?;
                if name.is_empty() || name.contains(['*', '?', '@', '(']) {
                    return Err(wrong());
                }
                steps.push(Step::Field(name.to_owned()));
                rest = after;
            } else {
                let (index, after) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or_else(wrong)?;
                steps.push(Step::Item(index.parse().map_err(|_| wrong())?));
                rest = after;
            }
        }
        Ok(Self(steps))
    }

    fn of<'a>(&self, event: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(event, |value, step| match step {
            Step::Field(name) => value.get(name),
            Step::Item(index) => value.get(index),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({}), r#"{"detail":{"n":3,"files":[{"key":"a\"b"}]},"detail-type":"Run"}"#)]
    #[case(json!({"Input": "{\"a\":1}"}), r#"{"a":1}"#)]
    #[case(json!({"InputPath": "$.detail.files[0].key"}), r#""a\"b""#)]
    #[case(json!({"InputPath": "$.detail-type"}), r#""Run""#)]
    #[case(
        json!({"InputTransformer": {"InputPathsMap": {"n": "$.detail.n", "k": "$.detail.files[0].key", "no": "$.x"},
            "InputTemplate": "{\"count\": <n>, \"text\": \"part of <n> by <aws.events.rule-name><no>\", \"key\": <k>}"}}),
        r#"{"count":3,"text":"part of 3 by rule","key":"a\"b"}"#
    )]
    #[case::text_is_not_escaped(
        json!({"InputTransformer": {"InputPathsMap": {"k": "$.detail.files[0].key"},
            "InputTemplate": "\"<k> by <aws.events.rule-arn>\""}}),
        r#""a"b by arn""#
    )]
    #[case::event_with_and_without_its_detail(
        json!({"InputTransformer": {"InputTemplate": "{\"all\": <aws.events.event.json>, \"head\": <aws.events.event>, \"at\": <aws.events.event.ingestion-time>}"}}),
        r#"{"all":{"detail":{"n":3,"files":[{"key":"a\"b"}]},"detail-type":"Run"},"head":{"detail-type":"Run"},"at":"1970-01-01T00:00:00Z"}"#
    )]
    fn target_gets_what_it_asked_for(#[case] target: Value, #[case] expected: &str) {
        let event = json!({"detail": {"n": 3, "files": [{"key": "a\"b"}]}, "detail-type": "Run"});
        let text = Input::parse(&target).unwrap().apply(&event, "arn", "rule", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(text, expected);
    }

    #[rstest]
    #[case(json!({"InputPath": "$.a", "Input": "1"}), "ValidationException")]
    #[case(json!({"Input": "{"}), "ValidationException")]
    #[case(json!({"InputPath": "$.a[*]"}), "NotImplemented")]
    #[case(json!({"InputTransformer": {"InputPathsMap": {"aws.events.event": "$"}, "InputTemplate": "1"}}), "ValidationException")]
    fn input_that_is_not_understood_is_refused(#[case] target: Value, #[case] code: &str) {
        assert_eq!(Input::parse(&target).unwrap_err().code, code);
    }
}
