//! Intrinsic functions: `States.Format('{}', $.a)` and the like.

mod functions;

use serde_json::Value;

use super::failure::Failure;
use super::path::{Path, Scope};
use crate::env::Ids;

/// A call of an intrinsic function.
#[derive(Clone, Debug)]
pub(super) struct Call {
    text: String,
    name: String,
    arguments: Vec<Argument>,
}

#[derive(Clone, Debug)]
enum Argument {
    /// Text in quotes, with its escapes: `States.Format` looks at them.
    Text(String),
    Literal(Value),
    Path(Path),
    Call(Call),
}

impl Call {
    /// Whether `text` is a call and not a path.
    pub(super) fn is_call(text: &str) -> bool {
        text.starts_with("States.")
    }

    /// Reads a call. The error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (call, rest) = parse_call(text.trim())?;
        if rest.trim().is_empty() { Ok(call) } else { Err(format!("unexpected '{rest}' after the call")) }
    }

    /// The function's value.
    pub(super) fn value(&self, scope: Scope<'_>, ids: &Ids) -> Result<Value, Failure> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            values.push(match argument {
                Argument::Text(raw) if self.name == "States.Format" => Value::String(raw.clone()),
                Argument::Text(raw) => Value::String(unescape(raw)),
                Argument::Literal(value) => value.clone(),
                Argument::Path(path) => path.read(scope).map_err(|_| self.missing(path, scope))?,
                Argument::Call(call) => call.value(scope, ids)?,
            });
        }
        functions::evaluate(&self.name, &values, ids).map_err(|problem| {
            let text = &self.text;
            Failure::new("States.IntrinsicFailure", format!("The function '{text}' had the following error: {problem}"))
        })
    }

    fn missing(&self, path: &Path, scope: Scope<'_>) -> Failure {
        Failure::runtime(format!(
            "The function '{}' had the following error: The JsonPath argument for the field '{path}' could not be found in the input '{}'",
            self.text, scope.input
        ))
    }
}

fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

fn parse_call(text: &str) -> Result<(Call, &str), String> {
    let (name, mut rest) = text.split_once('(').ok_or_else(|| format!("'{text}' is not a function call"))?;
    let name = name.trim_end();
    let mut arguments = Vec::new();
    loop {
        rest = rest.trim_start();
        if arguments.is_empty()
            && let Some(after) = rest.strip_prefix(')')
        {
            rest = after;
            break;
        }
        let (argument, after) = parse_argument(rest)?;
        arguments.push(argument);
        rest = after.trim_start();
        if let Some(after) = rest.strip_prefix(')') {
            rest = after;
            break;
        }
        rest = rest.strip_prefix(',').ok_or_else(|| format!("expected ',' or ')' before '{rest}'"))?;
    }
    functions::check(name, arguments.len())?;
    let length = text.len() - rest.len();
    let own = text.get(..length).unwrap_or(text).to_owned();
    Ok((Call { text: own, name: name.to_owned(), arguments }, rest))
}

fn parse_argument(text: &str) -> Result<(Argument, &str), String> {
    if let Some(body) = text.strip_prefix('\'') {
        return parse_text(body);
    }
    if Call::is_call(text) {
        return parse_call(text).map(|(call, rest)| (Argument::Call(call), rest));
    }
    let mut depth = 0_usize;
    let end = text
        .find(|c: char| match c {
            '(' | '[' => {
                depth += 1;
                false
            }
            ']' => {
                depth = depth.saturating_sub(1);
                false
            }
            ')' if depth > 0 => {
                depth -= 1;
                false
            }
            ',' | ')' => depth == 0,
            _ => false,
        })
        .unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let word = word.trim();
    let argument = if word.starts_with('$') {
        Argument::Path(Path::parse(word)?)
    } else {
        Argument::Literal(serde_json::from_str(word).map_err(|_| format!("'{word}' is not an argument"))?)
    };
    Ok((argument, rest))
}

fn parse_text(body: &str) -> Result<(Argument, &str), String> {
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => {
                let (raw, rest) = body.split_at_checked(at).unwrap_or((body, ""));
                return Ok((Argument::Text(raw.to_owned()), rest.strip_prefix('\'').unwrap_or(rest)));
            }
            '\\' if !chars.next().is_some_and(|(_, c)| "'{}\\".contains(c)) => {
                return Err("a backslash must be followed by one of ' { } \\".into());
            }
            _ => {}
        }
    }
    Err("a text without a closing '".into())
}
