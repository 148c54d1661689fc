//! Takes members from an object and reports those that nobody took.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Problems;
use crate::sfn::definition::{Number, Pick};
use crate::sfn::path::Path;
use crate::sfn::template::Template;

/// The members of one object of a definition.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    at: String,
    state: Option<&'a str>,
    taken: BTreeSet<&'a str>,
}

impl<'a> Fields<'a> {
    /// `state` is the name of the state that the object is, for messages.
    pub(super) fn new(object: &'a Map<String, Value>, at: &str, state: Option<&'a str>) -> Self {
        Self { object, at: at.to_owned(), state, taken: BTreeSet::new() }
    }

    /// The location of a member.
    pub(super) fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.at)
    }

    /// The location of the object itself.
    pub(super) fn root(&self) -> String {
        if self.at.is_empty() { "/".to_owned() } else { self.at.clone() }
    }

    /// A member, which then counts as understood.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a Value> {
        let (key, value) = self.object.get_key_value(name)?;
        self.taken.insert(key);
        Some(value)
    }

    /// Members that have no effect.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.take(name);
        }
    }

    /// Refuses other query languages than `JSONPath`.
    pub(super) fn query_language(&mut self, problems: &mut Problems) {
        if let Some(language) = self.take("QueryLanguage")
            && language != "JSONPath"
        {
            let whose = self.state.map_or("the state machine".to_owned(), |name| format!("state '{name}'"));
            problems
                .schema(&self.at("QueryLanguage"), format!("{whose}: the twin models JSONPath only, not {language}"));
        }
    }

    /// Reports the members that nobody took.
    pub(super) fn finish(&self, problems: &mut Problems) {
        for name in self.object.keys().filter(|name| !self.taken.contains(name.as_str())) {
            let reason = match name.as_str() {
                "Assign" => "variables are not modelled by the twin",
                "Arguments" | "Output" | "Condition" | "Items" => "JSONata is not modelled by the twin",
                "Credentials" => "roles of other accounts are not modelled by the twin",
                "ItemReader"
                | "ItemBatcher"
                | "ResultWriter"
                | "ToleratedFailurePercentage"
                | "ToleratedFailurePercentagePath"
                | "ToleratedFailureCount"
                | "ToleratedFailureCountPath"
                | "Label" => "distributed Map is not modelled by the twin",
                _ => "Field is not supported",
            };
            let whose = self.state.map_or(String::new(), |state| format!("state '{state}': "));
            problems.schema(&self.at(name), format!("{whose}{reason}"));
        }
    }

    pub(super) fn text_of(&self, name: &str, value: &Value, problems: &mut Problems) -> Option<String> {
        if value.is_string() {
            return value.as_str().map(str::to_owned);
        }
        problems.schema(&self.at(name), format!("{name} must be a string"));
        None
    }

    pub(super) fn text(&mut self, name: &str, problems: &mut Problems) -> Option<String> {
        let value = self.take(name)?;
        self.text_of(name, value, problems)
    }

    pub(super) fn flag(&mut self, name: &str, problems: &mut Problems) -> bool {
        let value = self.take(name);
        if value.is_some_and(|value| !value.is_boolean()) {
            problems.schema(&self.at(name), format!("{name} must be a boolean"));
        }
        value == Some(&Value::Bool(true))
    }

    pub(super) fn positive(&mut self, name: &str, problems: &mut Problems) -> Option<u64> {
        self.integer(name, 1, problems)
    }

    /// An integer from `least` to 99,999,999.
    pub(super) fn integer(&mut self, name: &str, least: u64, problems: &mut Problems) -> Option<u64> {
        let value = self.take(name)?;
        let number = value.as_u64().filter(|number| (least..=99_999_999).contains(number));
        if number.is_none() {
            problems.schema(&self.at(name), format!("{name} must be an integer from {least} to 99999999"));
        }
        number
    }

    pub(super) fn path(&mut self, name: &str, problems: &mut Problems) -> Option<Path> {
        let value = self.take(name)?;
        self.path_of(name, value, problems)
    }

    pub(super) fn path_of(&self, name: &str, value: &Value, problems: &mut Problems) -> Option<Path> {
        let parsed = value.as_str().ok_or_else(|| "a path is a string".to_owned()).and_then(Path::parse);
        parsed
            .map_err(|problem| problems.schema(&self.at(name), format!("Value is not a valid JSONPath: {problem}")))
            .ok()
    }

    /// `name` or `namePath`, not both.
    pub(super) fn number(&mut self, name: &str, least: u64, problems: &mut Problems) -> Option<Number> {
        let fixed = self.integer(name, least, problems).map(Number::Fixed);
        let path = self.path(&format!("{name}Path"), problems).map(Number::Path);
        if fixed.is_some() && path.is_some() {
            problems.schema(&self.at(name), format!("only one of {name} and {name}Path may be given"));
        }
        fixed.or(path)
    }

    /// A path that defaults to `$` and may be null.
    pub(super) fn pick(&mut self, name: &str, problems: &mut Problems) -> Pick {
        match self.take(name) {
            Some(Value::Null) => Pick::Nothing,
            Some(value) => self.path_of(name, value, problems).map_or(Pick::Nothing, Pick::Path),
            None => Path::parse("$").map_or(Pick::Nothing, Pick::Path),
        }
    }

    /// A path that can be written to.
    pub(super) fn reference(&mut self, name: &str, problems: &mut Problems) -> Pick {
        let pick = self.pick(name, problems);
        if let Pick::Path(path) = &pick
            && !path.is_reference()
        {
            problems.schema(&self.at(name), "Value is not a Reference Path");
        }
        pick
    }

    pub(super) fn template(&mut self, name: &str, problems: &mut Problems) -> Option<Template> {
        let value = self.take(name)?;
        let mut found = Vec::new();
        let template = Template::parse(value, &self.at(name), &mut found);
        for (location, message) in found {
            problems.schema(&location, message);
        }
        Some(template)
    }
}
