//! What each intrinsic function does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::Md5;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::env::Ids;

/// The longest text that the hash and base64 functions take, in characters.
const TEXT_LIMIT: usize = 10_000;
/// The longest list that `States.ArrayRange` makes.
const RANGE_LIMIT: usize = 1_000;

/// Whether a function exists and takes that many arguments.
pub(super) fn check(name: &str, count: usize) -> Result<(), String> {
    let fits = match name {
        "States.Array" => true,
        "States.Format" => count >= 1,
        "States.UUID" => count == 0,
        "States.StringToJson"
        | "States.JsonToString"
        | "States.ArrayLength"
        | "States.ArrayUnique"
        | "States.Base64Encode"
        | "States.Base64Decode" => count == 1,
        "States.ArrayPartition"
        | "States.ArrayContains"
        | "States.ArrayGetItem"
        | "States.Hash"
        | "States.MathAdd"
        | "States.StringSplit" => count == 2,
        "States.MathRandom" => count == 2 || count == 3,
        "States.ArrayRange" | "States.JsonMerge" => count == 3,
        _ => return Err(format!("there is no intrinsic function '{name}'")),
    };
    if fits { Ok(()) } else { Err(format!("'{name}' does not take {count} arguments")) }
}

/// The value of a function, or what is wrong with its arguments.
pub(super) fn evaluate(name: &str, arguments: &[Value], ids: &Ids) -> Result<Value, String> {
    match (name, arguments) {
        ("States.Array", items) => Ok(Value::Array(items.to_vec())),
        ("States.Format", [template, rest @ ..]) => format(text(template)?, rest).map(Value::String),
        ("States.UUID", []) => Ok(Value::String(ids.uuid())),
        ("States.StringToJson", [a]) => serde_json::from_str(text(a)?).map_err(|error| error.to_string()),
        ("States.JsonToString", [a]) => Ok(Value::String(a.to_string())),
        ("States.ArrayLength", [a]) => Ok(json!(list(a)?.len())),
        ("States.ArrayUnique", [a]) => Ok(unique(list(a)?)),
        ("States.ArrayPartition", [a, size]) => partition(list(a)?, integer(size)?),
        ("States.ArrayContains", [a, item]) => Ok(Value::Bool(list(a)?.iter().any(|value| same(value, item)))),
        ("States.ArrayGetItem", [a, index]) => item(list(a)?, integer(index)?),
        ("States.ArrayRange", [first, last, step]) => range(integer(first)?, integer(last)?, integer(step)?),
        ("States.Base64Encode", [a]) => Ok(Value::String(BASE64.encode(limited(a)?))),
        ("States.Base64Decode", [a]) => decode(limited(a)?),
        ("States.Hash", [a, algorithm]) => hash(a, text(algorithm)?),
        ("States.JsonMerge", [a, b, deep]) => merge(a, b, deep),
        ("States.MathAdd", [a, b]) => add(integer(a)?, integer(b)?),
        ("States.MathRandom", [first, end]) => random(integer(first)?, integer(end)?, ids.below(u64::MAX)),
        ("States.MathRandom", [first, end, seed]) => {
            random(integer(first)?, integer(end)?, integer(seed)?.unsigned_abs())
        }
        ("States.StringSplit", [a, separators]) => Ok(split(text(a)?, text(separators)?)),
        _ => Err(format!("'{name}' does not take {} arguments", arguments.len())),
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("expected a string, got {value}"))
}

fn limited(value: &Value) -> Result<&str, String> {
    let text = text(value)?;
    if text.chars().count() > TEXT_LIMIT {
        return Err(format!("the text is longer than {TEXT_LIMIT} characters"));
    }
    Ok(text)
}

fn list(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| format!("expected an array, got {value}"))
}

/// Numbers with a fraction are rounded, halves towards positive infinity.
#[allow(clippy::cast_possible_truncation)]
fn integer(value: &Value) -> Result<i64, String> {
    value
        .as_i64()
        .or_else(|| value.as_f64().map(|number| (number + 0.5).floor() as i64))
        .ok_or_else(|| format!("expected a number, got {value}"))
}

/// Equality by value: 1 and 1.0 are the same.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn format(template: &str, values: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            '{' if chars.next_if_eq(&'}').is_some() => {
                show(values.next().ok_or("there are more {} than arguments")?, &mut out);
            }
            '{' | '}' => return Err("a brace that is not part of {} must be escaped".into()),
            _ => out.push(c),
        }
    }
    if values.next().is_some() { Err("there are more arguments than {}".into()) } else { Ok(out) }
}

/// Values as AWS writes them into texts: objects as `{Key=value, …}`.
fn show(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.push_str(text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                show(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                out.push_str(name);
                out.push('=');
                show(member, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn unique(items: &[Value]) -> Value {
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        if !kept.iter().any(|value| same(value, item)) {
            kept.push(item.clone());
        }
    }
    Value::Array(kept)
}

fn partition(items: &[Value], size: i64) -> Result<Value, String> {
    let size =
        usize::try_from(size).ok().filter(|size| *size > 0).ok_or("the chunk size must be a positive integer")?;
    Ok(Value::Array(items.chunks(size).map(|chunk| Value::Array(chunk.to_vec())).collect()))
}

fn item(items: &[Value], index: i64) -> Result<Value, String> {
    let found = usize::try_from(index).ok().and_then(|index| items.get(index));
    found.cloned().ok_or_else(|| format!("index {index} is out of bounds of an array of {}", items.len()))
}

fn range(first: i64, last: i64, step: i64) -> Result<Value, String> {
    if step == 0 {
        return Err("the step must not be 0".into());
    }
    let mut items = Vec::new();
    let mut at = first;
    while if step > 0 { at <= last } else { at >= last } {
        if items.len() == RANGE_LIMIT {
            return Err(format!("the array would have more than {RANGE_LIMIT} elements"));
        }
        items.push(json!(at));
        at = at.checked_add(step).ok_or("the range leaves the integers")?;
    }
    Ok(Value::Array(items))
}

fn decode(text: &str) -> Result<Value, String> {
    let bytes = BASE64.decode(text).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map(Value::String).map_err(|error| error.to_string())
}

fn hash(value: &Value, algorithm: &str) -> Result<Value, String> {
    let data = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if data.chars().count() > TEXT_LIMIT {
        return Err(format!("the data is longer than {TEXT_LIMIT} characters"));
    }
    Ok(Value::String(match algorithm {
        "MD5" => hex::encode(Md5::digest(&data)),
        "SHA-1" => hex::encode(Sha1::digest(&data)),
        "SHA-256" => hex::encode(Sha256::digest(&data)),
        "SHA-384" => hex::encode(Sha384::digest(&data)),
        "SHA-512" => hex::encode(Sha512::digest(&data)),
        other => return Err(format!("'{other}' is not a hash algorithm")),
    }))
}

fn merge(a: &Value, b: &Value, deep: &Value) -> Result<Value, String> {
    if deep != &Value::Bool(false) {
        return Err("only shallow merging (false) is supported".into());
    }
    let object = |value: &Value| value.as_object().cloned().ok_or_else(|| format!("expected an object, got {value}"));
    let mut merged: Map<String, Value> = object(a)?;
    merged.extend(object(b)?);
    Ok(Value::Object(merged))
}

fn add(a: i64, b: i64) -> Result<Value, String> {
    a.checked_add(b).map(Value::from).ok_or_else(|| "the sum leaves the integers".into())
}

/// From the first number, inclusive, to the second, exclusive.
fn random(first: i64, end: i64, seed: u64) -> Result<Value, String> {
    if first >= end {
        return Err("the start must be below the end".into());
    }
    Ok(json!(StdRng::seed_from_u64(seed).random_range(first..end)))
}

fn split(text: &str, separators: &str) -> Value {
    let parts = text.split(|c| separators.contains(c)).filter(|part| !part.is_empty());
    Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
}
