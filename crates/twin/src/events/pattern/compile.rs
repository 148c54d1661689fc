//! Reading patterns.

use std::{fmt, net::IpAddr};

use serde_json::{Map, Value};

use super::{
    Node, Pattern,
    matcher::{Comparison, Matcher, Text},
};
use crate::service::ServiceError;

pub(super) fn invalid(reason: impl fmt::Display) -> ServiceError {
    ServiceError::client("InvalidEventPatternException", format!("Event pattern is not valid. Reason: {reason}"))
}

pub(super) fn pattern(value: &Value) -> Result<Pattern, ServiceError> {
    let object = value.as_object().ok_or_else(|| invalid("a pattern must be an object"))?;
    if object.is_empty() {
        return Err(invalid("empty objects are not allowed"));
    }
    let mut pattern = Pattern { fields: Vec::new(), alternatives: Vec::new() };
    for (name, value) in object {
        match value {
            Value::Array(items) if name == "$or" => {
                pattern.alternatives.push(items.iter().map(self::pattern).collect::<Result<_, _>>()?);
            }
            Value::Array(items) => pattern.fields.push((name.clone(), Node::Leaf(leaf(name, items)?))),
            Value::Object(_) => pattern.fields.push((name.clone(), Node::Object(self::pattern(value)?))),
            _ => return Err(invalid(format_args!("\"{name}\" must be an object or an array"))),
        }
    }
    Ok(pattern)
}

fn leaf(name: &str, items: &[Value]) -> Result<Vec<Matcher>, ServiceError> {
    if items.is_empty() {
        return Err(invalid(format_args!("the array of \"{name}\" is empty")));
    }
    items.iter().map(matcher).collect()
}

fn matcher(value: &Value) -> Result<Matcher, ServiceError> {
    match value {
        Value::Object(object) => special(object),
        Value::Array(_) => Err(invalid("arrays within arrays are not allowed")),
        plain => Ok(Matcher::Exact(plain.clone())),
    }
}

fn special(object: &Map<String, Value>) -> Result<Matcher, ServiceError> {
    let (1, Some((name, value))) = (object.len(), object.iter().next()) else {
        return Err(invalid("a matcher must have exactly one key"));
    };
    match name.as_str() {
        "exists" => Ok(Matcher::Exists(value.as_bool().ok_or_else(|| invalid("exists must be true or false"))?)),
        "numeric" => numeric(value),
        "anything-but" => anything_but(value),
        "cidr" => cidr(value),
        _ => Ok(Matcher::Text(text(name, value)?)),
    }
}

fn text(name: &str, value: &Value) -> Result<Text, ServiceError> {
    let folded = value.get("equals-ignore-case").and_then(Value::as_str).map(str::to_owned);
    let plain = value.as_str().map(str::to_owned);
    let wrong = || invalid(format_args!("{name} must be a string"));
    match (name, plain, folded) {
        ("prefix", Some(text), _) => Ok(Text::Prefix(text)),
        ("prefix", _, Some(text)) => Ok(Text::PrefixIgnoreCase(text)),
        ("suffix", Some(text), _) => Ok(Text::Suffix(text)),
        ("suffix", _, Some(text)) => Ok(Text::SuffixIgnoreCase(text)),
        ("equals-ignore-case", Some(text), _) => Ok(Text::EqualsIgnoreCase(text)),
        ("wildcard", Some(text), _) => wildcard(&text),
        ("prefix" | "suffix" | "equals-ignore-case" | "wildcard", ..) => Err(wrong()),
        _ => Err(ServiceError::not_modelled(format_args!("the matcher {name} of event patterns"))),
    }
}

/// `\\*` stands for a star and `\\\\` for a backslash; nothing else can be escaped.
fn wildcard(text: &str) -> Result<Text, ServiceError> {
    let (mut pieces, mut piece, mut letters) = (Vec::new(), String::new(), text.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '*' if piece.is_empty() && !pieces.is_empty() => return Err(invalid("consecutive wildcard characters")),
            '*' => pieces.push(std::mem::take(&mut piece)),
            '\\' => match letters.next() {
                Some(escaped @ ('*' | '\\')) => piece.push(escaped),
                _ => return Err(invalid("a backslash in a wildcard must stand before * or another backslash")),
            },
            letter => piece.push(letter),
        }
    }
    pieces.push(piece);
    Ok(Text::Wildcard(pieces))
}

fn cidr(value: &Value) -> Result<Matcher, ServiceError> {
    let wrong = || invalid("cidr must be an address block such as 10.0.0.0/24");
    let (network, bits) = value.as_str().and_then(|text| text.split_once('/')).ok_or_else(wrong)?;
    let network: IpAddr = network.parse().map_err(|_| wrong())?;
    let most = if network.is_ipv4() { 32 } else { 128 };
    let bits = bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(wrong)?;
    Ok(Matcher::Cidr(network, bits))
}

fn numeric(value: &Value) -> Result<Matcher, ServiceError> {
    let wrong = || invalid("numeric must be a list of operators and numbers");
    let items = value.as_array().filter(|items| matches!(items.len(), 2 | 4)).ok_or_else(wrong)?;
    let ranges = items.chunks(2).map(|pair| {
        let [operator, bound] = pair else { return Err(wrong()) };
        let how = match operator.as_str() {
            Some("<") => Comparison::Less,
            Some("<=") => Comparison::LessOrEqual,
            Some("=") => Comparison::Equal,
            Some(">=") => Comparison::GreaterOrEqual,
            Some(">") => Comparison::Greater,
            _ => return Err(wrong()),
        };
        Ok((how, bound.as_f64().ok_or_else(wrong)?))
    });
    Ok(Matcher::Numeric(ranges.collect::<Result<_, _>>()?))
}

fn anything_but(value: &Value) -> Result<Matcher, ServiceError> {
    let one = |item: &Value| match item {
        Value::String(_) | Value::Number(_) => Ok(Matcher::Exact(item.clone())),
        _ => Err(invalid("anything-but takes strings, numbers, or one text matcher")),
    };
    let none = match value {
        Value::Array(items) if !items.is_empty() => items.iter().map(one).collect::<Result<_, _>>()?,
        Value::Object(object) => {
            let (1, Some((name, value))) = (object.len(), object.iter().next()) else {
                return Err(invalid("a matcher must have exactly one key"));
            };
            match value {
                Value::Array(items) => items.iter().map(|item| Ok(Matcher::Text(text(name, item)?))).collect::<Result<
                    _,
                    ServiceError,
                >>(
                )?,
                value => vec![Matcher::Text(text(name, value)?)],
            }
        }
        value => vec![one(value)?],
    };
    Ok(Matcher::AnythingBut(none))
}
