//! How data goes through a state: paths, templates, choices, and the failures that they can end in.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{DATA_BYTES, Outcome, Step};
use crate::sfn::choice::{Rule, timestamp};
use crate::sfn::definition::{Pick, Text};
use crate::sfn::failure::{DATA_LIMIT, Failure};
use crate::sfn::path::{Path, Scope};

impl Step<'_> {
    /// The input after `InputPath`.
    pub(super) fn picked_input(&self, context: &Value) -> Result<Value, Failure> {
        self.pick(&self.state.data.input, &self.input, context)
    }

    /// The input after `InputPath` and `Parameters`.
    pub(super) fn effective_input(&self, context: &Value) -> Result<Value, Failure> {
        let input = self.picked_input(context)?;
        let Some(template) = &self.state.data.parameters else { return Ok(input) };
        let scope = Scope { input: &input, context };
        template.value(scope, &self.run.shared.env.ids).map_err(|failure| self.blame(failure))
    }

    /// The output that a result becomes: `ResultSelector`, `ResultPath`, `OutputPath`.
    pub(super) fn output(&self, result: Value, context: &Value) -> Result<Value, Failure> {
        let result = match &self.state.data.selector {
            Some(template) => {
                let scope = Scope { input: &result, context };
                template.value(scope, &self.run.shared.env.ids).map_err(|failure| self.blame(failure))?
            }
            None => result,
        };
        let merged = match &self.state.data.result {
            Pick::Nothing => self.input.clone(),
            Pick::Path(path) => self.place(path, result)?,
        };
        let output = self.pick(&self.state.data.output, &merged, context)?;
        self.fits(output)
    }

    /// States that hand on what they got: `InputPath`, `OutputPath`.
    pub(super) fn pass_through(&self, next: Option<String>) -> Result<Outcome, Failure> {
        let context = self.context(None, None);
        let input = self.picked_input(&context)?;
        let output = self.pick(&self.state.data.output, &input, &context)?;
        self.fits(output).map(|output| (output, next))
    }

    pub(super) fn choose(&self, rules: &[(Rule, String)], default: Option<&str>) -> Result<Outcome, Failure> {
        let context = self.context(None, None);
        let input = self.picked_input(&context)?;
        let scope = Scope { input: &input, context: &context };
        let mut next = default;
        for (rule, target) in rules {
            let holds = rule.holds(scope).map_err(|path| {
                let cause =
                    format!("Invalid path '{path}': The choice state's condition path references an invalid value.");
                self.blame(Failure::runtime(cause))
            })?;
            if holds {
                next = Some(target);
                break;
            }
        }
        let Some(next) = next else {
            let cause = "Failed to transition out of the state. The state does not point to a next state.";
            return Err(self.blame(Failure::new("States.NoChoiceMatched", cause)));
        };
        self.pass_through(Some(next.to_owned()))
    }

    pub(super) fn fail(&self, error: Option<&Text>, cause: Option<&Text>) -> Failure {
        let both = self.text(error).and_then(|error| Ok((error, self.text(cause)?)));
        both.map_or_else(|failure| failure, |(error, cause)| Failure::reported(error, cause))
    }

    fn text(&self, text: Option<&Text>) -> Result<Option<String>, Failure> {
        let (expression, field) = match text {
            None => return Ok(None),
            Some(Text::Fixed(text)) => return Ok(Some(text.clone())),
            Some(Text::From(expression, field)) => (expression, field),
        };
        let context = self.context(None, None);
        let scope = Scope { input: &self.input, context: &context };
        let value = expression.value(field, scope, &self.run.shared.env.ids).map_err(|failure| self.blame(failure))?;
        match value {
            Value::String(text) => Ok(Some(text)),
            other => {
                Err(self.blame(Failure::runtime(format!("The {field} field does not refer to a string: {other}"))))
            }
        }
    }

    /// A number of seconds of the input.
    pub(super) fn seconds(&self, path: &Path, field: &str, scope: Scope<'_>) -> Result<u64, Failure> {
        let value = self.read(path, scope)?;
        let seconds = value.as_u64().filter(|seconds| *seconds <= 99_999_999);
        seconds.ok_or_else(|| {
            let cause =
                format!("The {field} parameter does not reference a valid number of seconds: {path} == {value}");
            self.blame(Failure::runtime(cause))
        })
    }

    pub(super) fn timestamp(&self, path: &Path, scope: Scope<'_>) -> Result<Timestamp, Failure> {
        let value = self.read(path, scope)?;
        value.as_str().and_then(timestamp).ok_or_else(|| {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.blame(Failure::runtime(format!(
                "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {path} == {shown}"
            )))
        })
    }

    /// Reads a path whose absence ends the execution.
    pub(super) fn read(&self, path: &Path, scope: Scope<'_>) -> Result<Value, Failure> {
        path.read(scope).map_err(|missing| self.blame(Failure::runtime(format!("Invalid path '{path}' : {missing}"))))
    }

    /// Writes a result into the state's own input.
    pub(super) fn place(&self, path: &Path, result: Value) -> Result<Value, Failure> {
        path.write(self.input.clone(), result).map_err(|problem| {
            let cause = format!("{problem} '{}'", self.input);
            self.blame(Failure::new("States.ResultPathMatchFailure", cause))
        })
    }

    /// Puts the state's name into the cause.
    pub(super) fn blame(&self, failure: Failure) -> Failure {
        failure.within(&self.state.name, self.entered.1)
    }

    pub(super) fn fits(&self, value: Value) -> Result<Value, Failure> {
        within_limit(value, &self.state.name)
    }

    fn pick(&self, pick: &Pick, input: &Value, context: &Value) -> Result<Value, Failure> {
        match pick {
            Pick::Nothing => Ok(json!({})),
            Pick::Path(path) => self.read(path, Scope { input, context }),
        }
    }
}

/// Refuses data above the limit.
pub(super) fn within_limit(value: Value, whose: &str) -> Result<Value, Failure> {
    if value.to_string().len() <= DATA_BYTES {
        return Ok(value);
    }
    let cause = format!(
        "The state/task '{whose}' returned a result with a size exceeding the maximum number of bytes service limit."
    );
    Err(Failure::new(DATA_LIMIT, cause))
}
