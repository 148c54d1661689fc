//! Payload templates: `Parameters`, `ItemSelector`, `ResultSelector`.

use serde_json::{Map, Value};

use super::failure::Failure;
use super::intrinsic::Call;
use super::path::{Path, Scope};
use crate::env::Ids;

/// JSON in which members whose name ends in `.$` are read from paths or computed.
#[derive(Clone, Debug)]
pub(super) enum Template {
    Literal(Value),
    Array(Vec<Template>),
    Object(Vec<(String, Template)>),
    /// A member named in the second field, which ends in `.$`.
    Expression(Expression, String),
}

/// A path or an intrinsic function.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Path(Path),
    Call(Call),
}

impl Expression {
    /// Reads an expression. The error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if Call::is_call(text) { Call::parse(text).map(Self::Call) } else { Path::parse(text).map(Self::Path) }
    }

    /// The value; `field` is what the failure blames.
    pub(super) fn value(&self, field: &str, scope: Scope<'_>, ids: &Ids) -> Result<Value, Failure> {
        match self {
            Self::Call(call) => call.value(scope, ids),
            Self::Path(path) => path.read(scope).map_err(|_| {
                Failure::runtime(format!(
                    "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{}'",
                    scope.input
                ))
            }),
        }
    }
}

impl Template {
    /// Reads a template; problems are reported with the place inside of it.
    pub(super) fn parse(value: &Value, at: &str, problems: &mut Vec<(String, String)>) -> Self {
        match value {
            Value::Array(items) => {
                let item = |(index, item)| Self::parse(item, &format!("{at}[{index}]"), problems);
                Self::Array(items.iter().enumerate().map(item).collect())
            }
            Value::Object(members) => {
                Self::Object(members.iter().map(|(name, value)| Self::member(name, value, at, problems)).collect())
            }
            other => Self::Literal(other.clone()),
        }
    }

    fn member(name: &str, value: &Value, at: &str, problems: &mut Vec<(String, String)>) -> (String, Self) {
        let place = format!("{at}/{name}");
        let Some(plain) = name.strip_suffix(".$") else {
            return (name.to_owned(), Self::parse(value, &place, problems));
        };
        let parsed = value.as_str().ok_or_else(|| "must be a string".to_owned()).and_then(Expression::parse);
        let template = match parsed {
            Ok(expression) => Self::Expression(expression, name.to_owned()),
            Err(problem) => {
                let message = format!(
                    "The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call ({problem})"
                );
                problems.push((place, message));
                Self::Literal(Value::Null)
            }
        };
        (plain.to_owned(), template)
    }

    /// Fills the template.
    pub(super) fn value(&self, scope: Scope<'_>, ids: &Ids) -> Result<Value, Failure> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Array(items) => {
                Value::Array(items.iter().map(|item| item.value(scope, ids)).collect::<Result<_, _>>()?)
            }
            Self::Object(members) => {
                let mut object = Map::with_capacity(members.len());
                for (name, member) in members {
                    object.insert(name.clone(), member.value(scope, ids)?);
                }
                Value::Object(object)
            }
            Self::Expression(expression, field) => expression.value(field, scope, ids)?,
        })
    }
}
