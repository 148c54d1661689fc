//! Rules of `Choice` states.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::path::{Path, Scope};

/// A rule: a test, or tests put together.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Test { variable: Path, operator: Operator, operand: Operand },
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Literal(Value),
    Path(Path),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// Family and sign: `NumericLessThan`.
    Compare(Family, Sign),
    BooleanEquals,
    StringMatches,
    Is(Quality),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    String,
    Numeric,
    Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Equals,
    LessThan,
    GreaterThan,
    LessThanEquals,
    GreaterThanEquals,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quality {
    Null,
    Present,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

impl Rule {
    /// Reads a rule; `top` allows the `Next` of a rule that is not inside another.
    pub(super) fn parse(value: &Value, top: bool) -> Result<Self, String> {
        let object = value.as_object().ok_or("a choice rule must be an object")?;
        let known = |name: &str| name == "Comment" || (top && name == "Next");
        let rest: Vec<(&String, &Value)> = object.iter().filter(|(name, _)| !known(name)).collect();
        match rest.as_slice() {
            [(name, value)] if name.as_str() == "And" => rules(value).map(Self::And),
            [(name, value)] if name.as_str() == "Or" => rules(value).map(Self::Or),
            [(name, value)] if name.as_str() == "Not" => Ok(Self::Not(Box::new(Self::parse(value, false)?))),
            [_, _] => test(object, &rest),
            _ => Err("a choice rule has a Variable and one comparison, or one of And, Or and Not".into()),
        }
    }

    /// Whether the rule holds. The error is the path that leads nowhere.
    pub(super) fn holds(&self, scope: Scope<'_>) -> Result<bool, String> {
        match self {
            Self::And(rules) => {
                for rule in rules {
                    if !rule.holds(scope)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(rules) => {
                for rule in rules {
                    if rule.holds(scope)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(rule) => rule.holds(scope).map(|holds| !holds),
            Self::Test { variable, operator, operand } => {
                let read = |path: &Path| path.read(scope).map_err(|_| path.to_string());
                if *operator == Operator::Is(Quality::Present) {
                    return Ok(literal_flag(operand) == read(variable).is_ok());
                }
                let left = read(variable)?;
                let right = match operand {
                    Operand::Literal(value) => value.clone(),
                    Operand::Path(path) => read(path)?,
                };
                Ok(compare(*operator, &left, &right))
            }
        }
    }
}

/// An RFC 3339 timestamp with an upper-case `T` and an offset, as the language wants it.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let tail = text.get(19..)?;
    let offset =
        tail.strip_prefix('.').map_or(tail, |fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit()));
    let zone = offset == "Z" || (offset.len() == 6 && offset.starts_with(['+', '-']) && offset.get(3..4) == Some(":"));
    (text.get(10..11) == Some("T") && zone).then(|| text.parse().ok())?
}

fn literal_flag(operand: &Operand) -> bool {
    matches!(operand, Operand::Literal(Value::Bool(true)))
}

fn rules(value: &Value) -> Result<Vec<Rule>, String> {
    let items = value.as_array().filter(|items| !items.is_empty()).ok_or("And and Or take a non-empty array")?;
    items.iter().map(|item| Rule::parse(item, false)).collect()
}

fn test(object: &Map<String, Value>, rest: &[(&String, &Value)]) -> Result<Rule, String> {
    let variable = object.get("Variable").and_then(Value::as_str).ok_or("a comparison needs a Variable")?;
    let variable = Path::parse(variable)?;
    let (name, value) = rest.iter().find(|(name, _)| name.as_str() != "Variable").ok_or("a comparison is missing")?;
    if let Some(operator) = operator(name) {
        check_literal(operator, name, value)?;
        return Ok(Rule::Test { variable, operator, operand: Operand::Literal((*value).clone()) });
    }
    let by_path = name.strip_suffix("Path").and_then(operator);
    let operator = by_path
        .filter(|operator| !matches!(operator, Operator::Is(_) | Operator::StringMatches))
        .ok_or_else(|| format!("'{name}' is not a comparison"))?;
    let path = Path::parse(value.as_str().ok_or_else(|| format!("{name} takes a path"))?)?;
    Ok(Rule::Test { variable, operator, operand: Operand::Path(path) })
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        "BooleanEquals" => Operator::BooleanEquals,
        "StringMatches" => Operator::StringMatches,
        "IsNull" => Operator::Is(Quality::Null),
        "IsPresent" => Operator::Is(Quality::Present),
        "IsNumeric" => Operator::Is(Quality::Numeric),
        "IsString" => Operator::Is(Quality::String),
        "IsBoolean" => Operator::Is(Quality::Boolean),
        "IsTimestamp" => Operator::Is(Quality::Timestamp),
        _ => {
            let families = [("String", Family::String), ("Numeric", Family::Numeric), ("Timestamp", Family::Timestamp)];
            let (family, sign) =
                families.iter().find_map(|(prefix, family)| Some((*family, name.strip_prefix(prefix)?)))?;
            let sign = match sign {
                "Equals" => Sign::Equals,
                "LessThan" => Sign::LessThan,
                "GreaterThan" => Sign::GreaterThan,
                "LessThanEquals" => Sign::LessThanEquals,
                "GreaterThanEquals" => Sign::GreaterThanEquals,
                _ => return None,
            };
            Operator::Compare(family, sign)
        }
    })
}

fn check_literal(operator: Operator, name: &str, value: &Value) -> Result<(), String> {
    let (fits, what) = match operator {
        Operator::Compare(Family::Numeric, _) => (value.is_number(), "a number"),
        Operator::Compare(Family::Timestamp, _) => {
            (value.as_str().and_then(timestamp).is_some(), "an RFC 3339 timestamp")
        }
        Operator::Compare(Family::String, _) | Operator::StringMatches => (value.is_string(), "a string"),
        Operator::BooleanEquals | Operator::Is(_) => (value.is_boolean(), "a boolean"),
    };
    if fits { Ok(()) } else { Err(format!("{name} takes {what}")) }
}

fn compare(operator: Operator, left: &Value, right: &Value) -> bool {
    let order = match operator {
        Operator::Compare(Family::String, _) => left.as_str().zip(right.as_str()).map(|(a, b)| a.cmp(b)),
        Operator::Compare(Family::Numeric, _) => left.as_f64().zip(right.as_f64()).and_then(|(a, b)| a.partial_cmp(&b)),
        Operator::Compare(Family::Timestamp, _) => {
            let when = |value: &Value| value.as_str().and_then(timestamp);
            when(left).zip(when(right)).map(|(a, b)| a.cmp(&b))
        }
        Operator::BooleanEquals => return left.is_boolean() && left == right,
        Operator::StringMatches => {
            return left.as_str().zip(right.as_str()).is_some_and(|(text, pattern)| matches(text, pattern));
        }
        Operator::Is(quality) => return right.as_bool() == Some(has(quality, left)),
    };
    let Operator::Compare(_, sign) = operator else { return false };
    order.is_some_and(|order| match sign {
        Sign::Equals => order == Ordering::Equal,
        Sign::LessThan => order == Ordering::Less,
        Sign::GreaterThan => order == Ordering::Greater,
        Sign::LessThanEquals => order.is_le(),
        Sign::GreaterThanEquals => order.is_ge(),
    })
}

fn has(quality: Quality, value: &Value) -> bool {
    match quality {
        Quality::Null => value.is_null(),
        Quality::Present => true,
        Quality::Numeric => value.is_number(),
        Quality::String => value.is_string(),
        Quality::Boolean => value.is_boolean(),
        Quality::Timestamp => value.as_str().and_then(timestamp).is_some(),
    }
}

/// `*` stands for any text; `\*` and `\\` for the characters themselves.
fn matches(text: &str, pattern: &str) -> bool {
    let mut parts = vec![String::new()];
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => parts.push(String::new()),
            _ => {
                let literal = if c == '\\' { chars.next().unwrap_or(c) } else { c };
                if let Some(part) = parts.last_mut() {
                    part.push(literal);
                }
            }
        }
    }
    let Some((first, rest)) = parts.split_first() else { return false };
    let Some(mut left) = text.strip_prefix(first.as_str()) else { return false };
    let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
    for part in middle {
        let Some(at) = left.find(part.as_str()) else { return false };
        left = left.get(at + part.len()..).unwrap_or("");
    }
    left.ends_with(last.as_str())
}
