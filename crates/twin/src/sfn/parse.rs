//! Reads and checks definitions. Whatever is not modelled is a problem that names the place and the reason.

mod fields;
mod recovery;
mod states;

use serde_json::{Map, Value, json};

use super::definition::{Block, Machine};
use super::history::put;
use fields::Fields;

/// The largest definition, in bytes.
const DEFINITION_LIMIT: usize = 1_048_576;

/// One finding, in the shape of `ValidateStateMachineDefinition`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Diagnostic {
    code: &'static str,
    message: String,
    location: Option<String>,
}

impl Diagnostic {
    /// As `ValidateStateMachineDefinition` answers it.
    pub(super) fn to_json(&self) -> Value {
        let mut value = json!({ "severity": "ERROR", "code": self.code, "message": self.message });
        if let Some(location) = &self.location {
            put(&mut value, "location", json!(location));
        }
        value
    }

    /// As the message of `InvalidDefinition` has it.
    pub(super) fn to_text(&self) -> String {
        match &self.location {
            Some(location) => format!("{}: {} at {location}", self.code, self.message),
            None => format!("{}: {}", self.code, self.message),
        }
    }
}

/// The findings so far.
#[derive(Default)]
pub(super) struct Problems(Vec<Diagnostic>);

impl Problems {
    fn schema(&mut self, location: &str, message: impl Into<String>) {
        self.push("SCHEMA_VALIDATION_FAILED", Some(location), message);
    }

    fn push(&mut self, code: &'static str, location: Option<&str>, message: impl Into<String>) {
        self.0.push(Diagnostic { code, message: message.into(), location: location.map(str::to_owned) });
    }
}

/// Reads a definition; the error is every finding.
pub(super) fn machine(text: &str) -> Result<Machine, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    let machine = read(text, &mut problems);
    match machine {
        Some(machine) if problems.0.is_empty() => Ok(machine),
        _ => Err(problems.0),
    }
}

fn read(text: &str, problems: &mut Problems) -> Option<Machine> {
    const NOT_AN_OBJECT: &str = "Definition must be a valid JSON object";
    if text.trim().is_empty() {
        problems.push("SCHEMA_VALIDATION_FAILED", None, NOT_AN_OBJECT);
        return None;
    }
    if text.len() > DEFINITION_LIMIT {
        problems.push("SCHEMA_VALIDATION_FAILED", None, format!("Definition is larger than {DEFINITION_LIMIT} bytes"));
        return None;
    }
    let value: Value = serde_json::from_str(text).map_err(|error| not_json(text, &error, problems)).ok()?;
    let Value::Object(object) = value else {
        problems.push("SCHEMA_VALIDATION_FAILED", None, NOT_AN_OBJECT);
        return None;
    };
    let mut fields = Fields::new(&object, "", None);
    fields.ignore(&["Comment", "Version"]);
    fields.query_language(problems);
    let timeout = fields.positive("TimeoutSeconds", problems);
    let block = block(&mut fields, problems);
    fields.finish(problems);
    Some(Machine { block: block?, timeout })
}

fn not_json(text: &str, error: &serde_json::Error, problems: &mut Problems) {
    let trimmed = text.trim_start();
    let word: String = trimmed.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let (message, line, column) = if word.is_empty() || trimmed.len() != text.len() {
        (error.to_string(), error.line(), error.column())
    } else {
        let expected = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        (format!("Unrecognized token '{word}': was expecting {expected}"), 1, word.len() + 1)
    };
    let location = format!("[Source: (String)\"{text}\"; line: {line}, column: {column}]");
    let message = format!("{message}\n at {location}");
    problems.push("INVALID_JSON_DESCRIPTION", Some(&location), message);
}

/// Reads `StartAt` and `States`.
fn block(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Block> {
    let start_at = fields.take("StartAt");
    let states = fields.take("States");
    let missing: Vec<&str> =
        [("StartAt", start_at), ("States", states)].iter().filter(|(_, v)| v.is_none()).map(|(n, _)| *n).collect();
    if !missing.is_empty() {
        problems.schema(&fields.root(), format!("These fields are required: [{}]", missing.join(", ")));
        return None;
    }
    let start_at = fields.text_of("StartAt", start_at?, problems)?;
    let at = fields.at("States");
    let Some(objects) = states?.as_object().filter(|states| !states.is_empty()) else {
        problems.schema(&at, "States must be a non-empty object");
        return None;
    };
    let mut block = Block { start_at: start_at.clone(), states: std::collections::BTreeMap::new() };
    for (name, value) in objects {
        if let Some(state) = state(name, value, &at, problems) {
            block.states.insert(name.clone(), state);
        }
    }
    if !objects.contains_key(&start_at) {
        let location = fields.at("StartAt");
        problems.push("MISSING_TRANSITION_TARGET", Some(&location), format!("Missing 'StartAt' target: {start_at}"));
    }
    targets(&block, objects, &at, problems);
    Some(block)
}

fn state(name: &str, value: &Value, at: &str, problems: &mut Problems) -> Option<super::definition::State> {
    let at = format!("{at}/{name}");
    if name.is_empty() || name.chars().count() > 80 {
        problems.schema(&at, "State names have 1 to 80 characters");
    }
    match value.as_object() {
        Some(object) => states::read(name, object, &at, problems),
        None => {
            problems.schema(&at, "A state must be an object");
            None
        }
    }
}

/// Reports transitions to states that are not there.
fn targets(block: &Block, known: &Map<String, Value>, at: &str, problems: &mut Problems) {
    for state in block.states.values() {
        let mut missing = |field: &str, target: &str| {
            if !known.contains_key(target) {
                let location = format!("{at}/{}/{field}", state.name);
                problems.push("MISSING_TRANSITION_TARGET", Some(&location), format!("Missing 'Next' target: {target}"));
            }
        };
        if let Some(next) = &state.next {
            missing("Next", next);
        }
        for (index, catcher) in state.recovery.catch.iter().enumerate() {
            missing(&format!("Catch[{index}]/Next"), &catcher.next);
        }
        if let super::definition::Kind::Choice { rules, default } = &state.kind {
            for (index, (_, next)) in rules.iter().enumerate() {
                missing(&format!("Choices[{index}]/Next"), next);
            }
            if let Some(next) = default {
                missing("Default", next);
            }
        }
    }
}
