//! Compares what was recorded with what the twin says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::twin::sfn_common::{Names, flat};

/// Compares below the root of one case.
pub(super) struct Comparer<'a> {
    pub(super) names: &'a Names,
    pub(super) volatile: BTreeSet<String>,
}

type Difference = Result<(), String>;

impl Comparer<'_> {
    /// The first difference. `subset` ignores further members on the first level.
    pub(super) fn diff(&self, want: &Value, got: &Value, path: &str, subset: bool) -> Difference {
        if self.volatile.contains(path) {
            return Ok(());
        }
        let parsed = match (want, got) {
            (Value::Object(_) | Value::Array(_), Value::String(text)) => parse(text),
            _ => None,
        };
        let got = parsed.as_ref().unwrap_or(got);
        match (want, got) {
            (Value::Object(want), Value::Object(got)) => {
                let mut known = BTreeSet::new();
                for (name, value) in want {
                    let filled = fill_text(name, self.names);
                    known.insert(filled.clone());
                    let place = child(path, &filled);
                    if self.volatile.contains(&child(path, name)) || self.volatile.contains(&place) {
                        continue;
                    }
                    let found = got.get(&filled).ok_or_else(|| format!("{place}: expected {value}, missing"))?;
                    self.diff(value, found, &place, false)?;
                }
                match got.keys().find(|name| !subset && !known.contains(*name)) {
                    Some(extra) => Err(format!("{}: unexpected, got {}", child(path, extra), got[extra])),
                    None => Ok(()),
                }
            }
            (Value::Array(want), Value::Array(got)) => {
                for (index, (want, got)) in want.iter().zip(got).enumerate() {
                    self.diff(want, got, &format!("{path}[{index}]"), false)?;
                }
                if want.len() == got.len() {
                    Ok(())
                } else {
                    Err(format!("{path}: expected {} items, got {}", want.len(), got.len()))
                }
            }
            (Value::String(text), got) => self.text(text, got, path),
            (want, got) if same(want, got) => Ok(()),
            (want, got) => Err(format!("{path}: expected {want}, got {got}")),
        }
    }

    fn text(&self, want: &str, got: &Value, path: &str) -> Difference {
        let filled = fill_text(want, self.names);
        if let Value::String(got) = got
            && (*got == filled || like(&filled, got))
        {
            return Ok(());
        }
        let right = got.as_str().map_or_else(|| Some(got.clone()), parse);
        let left = parse(&filled).filter(|left| !left.is_string());
        if left.zip(right).is_some_and(|(left, right)| same(&left, &right)) {
            return Ok(());
        }
        Err(format!("{path}: expected {filled:?}, got {got}"))
    }

    /// Histories; events that are expected in any order stand in `unordered`.
    pub(super) fn events(&self, want: &[Value], got: &[Value], path: &str) -> Difference {
        let got: Vec<Value> = got.iter().map(flat).collect();
        let mut at = 0;
        for (index, item) in want.iter().enumerate() {
            let place = format!("{path}[{index}]");
            if let Some(any) = item.get("unordered").and_then(Value::as_array) {
                let mut rest: Vec<&Value> = got.iter().skip(at).take(any.len()).collect();
                at += any.len();
                for one in any {
                    let found = rest.iter().position(|event| self.event(one, event, &place).is_ok());
                    rest.remove(found.ok_or_else(|| format!("{place}: no such event: {one}"))?);
                }
                continue;
            }
            let event = got.get(at).ok_or_else(|| format!("{place}: the history ends before {}", item["type"]))?;
            self.event(item, event, &place)?;
            at += 1;
        }
        match got.get(at) {
            Some(event) => Err(format!("{path}: more events than recorded, next {}", event["type"])),
            None => Ok(()),
        }
    }

    fn event(&self, want: &Value, got: &Value, path: &str) -> Difference {
        for name in ["type", "id", "previousEventId"] {
            if want.get(name).is_some_and(|value| *value != got[name]) {
                return Err(format!("{path}.{name}: expected {}, got {} ({})", want[name], got[name], got["type"]));
            }
        }
        for (name, value) in want.as_object().unwrap() {
            let place = child(path, name);
            if ["type", "id", "previousEventId", "absent"].contains(&name.as_str()) || self.volatile.contains(&place) {
                continue;
            }
            let found =
                got.get(name).ok_or_else(|| format!("{place}: expected {value}, missing in {}", got["type"]))?;
            self.diff(value, found, &place, false)?;
        }
        for name in want.get("absent").and_then(Value::as_array).into_iter().flatten() {
            let found = got.get(name.as_str().unwrap());
            if found.is_some_and(|value| !value.is_null() && value != "") {
                return Err(format!("{path}: expected no {name}, got {found:?}"));
            }
        }
        Ok(())
    }
}

/// Fills the placeholders in every text of a value.
pub(super) fn fill(value: &Value, names: &Names) -> Value {
    match value {
        Value::String(text) => match names.get("literal") {
            Some(literal) if text == "{{literal}}" => literal.clone(),
            _ => Value::String(fill_text(text, names)),
        },
        Value::Array(items) => items.iter().map(|item| fill(item, names)).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (fill_text(name, names), fill(value, names))).collect())
        }
        other => other.clone(),
    }
}

fn fill_text(text: &str, names: &Names) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, tail)) = after.split_once("}}") else { break };
        out.push_str(before);
        match placeholder(name, names) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&format!("{{{{{name}}}}}")),
        }
        rest = tail;
    }
    out + rest
}

fn placeholder(name: &str, names: &Names) -> Option<String> {
    if let Some(days) = name.strip_prefix("now+").and_then(|days| days.strip_suffix('d')) {
        let start: jiff::Timestamp = names["now"].as_str()?.parse().ok()?;
        let when = start + jiff::SignedDuration::from_hours(24 * days.parse::<i64>().ok()?);
        return Some(when.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string());
    }
    if let Some((unit, count)) = name.split_once('*')
        && let Ok(count) = count.parse()
    {
        return Some(unit.repeat(count));
    }
    let (path, tail) = name.strip_suffix("#name").map_or((name, false), |path| (path, true));
    let value = match path.split_once('.') {
        Some((step, member)) => names.get(step)?.get(member)?,
        None => names.get(path)?,
    };
    let value = value.as_str()?;
    Some(if tail { value.rsplit(':').next()?.to_owned() } else { value.to_owned() })
}

/// Whether a text matches one with `{{*}}` in it.
fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split("{{*}}");
    let first = parts.next().unwrap();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn child(path: &str, name: &str) -> String {
    let simple = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-$".contains(c));
    if simple { format!("{path}.{name}") } else { format!("{path}[{}]", Value::from(name)) }
}

fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
