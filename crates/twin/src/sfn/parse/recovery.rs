//! Reads `Retry` and `Catch`.

use serde_json::{Map, Value};

use super::Problems;
use super::fields::Fields;
use crate::sfn::definition::Pick;
use crate::sfn::path::Path;
use crate::sfn::retry::{Catcher, Recovery, Retrier};

pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Recovery {
    Recovery { retry: list(fields, "Retry", retrier, problems), catch: list(fields, "Catch", catcher, problems) }
}

type ReadOne<T> = fn(&mut Fields<'_>, &mut Problems) -> Option<T>;

fn list<T>(fields: &mut Fields<'_>, name: &str, read: ReadOne<T>, problems: &mut Problems) -> Vec<T> {
    let Some(value) = fields.take(name) else { return Vec::new() };
    let objects: Option<Vec<&Map<String, Value>>> =
        value.as_array().and_then(|items| items.iter().map(Value::as_object).collect());
    let Some(objects) = objects else {
        problems.schema(&fields.at(name), format!("{name} must be an array of objects"));
        return Vec::new();
    };
    let count = objects.len();
    let mut found = Vec::new();
    for (index, object) in objects.into_iter().enumerate() {
        let mut inner = Fields::new(object, &fields.at(&format!("{name}[{index}]")), None);
        inner.ignore(&["Comment"]);
        wildcard_last(object, &inner, index + 1 == count, problems);
        found.extend(read(&mut inner, problems));
        inner.finish(problems);
    }
    found
}

fn wildcard_last(object: &Map<String, Value>, fields: &Fields<'_>, last: bool, problems: &mut Problems) {
    let names = object.get("ErrorEquals").and_then(Value::as_array).map_or(&[] as &[Value], Vec::as_slice);
    if names.iter().any(|name| name == "States.ALL") && (names.len() > 1 || !last) {
        problems.schema(&fields.at("ErrorEquals"), "'States.ALL' must appear alone and in the last element");
    }
}

fn errors(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let names: Option<Vec<String>> = fields
        .take("ErrorEquals")
        .and_then(Value::as_array)
        .and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    let names = names.filter(|names| !names.is_empty());
    if names.is_none() {
        problems.schema(&fields.at("ErrorEquals"), "ErrorEquals must be a non-empty array of strings");
    }
    names
}

fn retrier(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Retrier> {
    let errors = errors(fields, problems)?;
    let interval = fields.positive("IntervalSeconds", problems).unwrap_or(1);
    let attempts = fields.integer("MaxAttempts", 0, problems).unwrap_or(3);
    let rate = fields.take("BackoffRate").map_or(Some(2.0), Value::as_f64).filter(|rate| *rate >= 1.0);
    if rate.is_none() {
        problems.schema(&fields.at("BackoffRate"), "BackoffRate must be a number of at least 1");
    }
    let cap = fields.positive("MaxDelaySeconds", problems);
    if cap.is_some_and(|cap| cap <= interval || cap >= 31_622_400) {
        problems.schema(
            &fields.at("MaxDelaySeconds"),
            "MaxDelaySeconds must be greater than IntervalSeconds and less than 31622400",
        );
    }
    let jitter = match fields.text("JitterStrategy", problems).as_deref() {
        None | Some("NONE") => false,
        Some("FULL") => true,
        Some(_) => {
            problems.schema(&fields.at("JitterStrategy"), "JitterStrategy must be FULL or NONE");
            false
        }
    };
    Some(Retrier { errors, interval, attempts, rate: rate?, cap, jitter })
}

fn catcher(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Catcher> {
    let errors = errors(fields, problems)?;
    let next = fields.text("Next", problems);
    if next.is_none() {
        problems.schema(&fields.root(), "These fields are required: [Next]");
    }
    let result = match fields.take("ResultPath") {
        Some(Value::Null) => Pick::Nothing,
        Some(value) => match fields.path_of("ResultPath", value, problems) {
            Some(path) if path.is_reference() => Pick::Path(path),
            _ => {
                problems.schema(&fields.at("ResultPath"), "Value is not a Reference Path");
                Pick::Nothing
            }
        },
        None => Path::parse("$").map_or(Pick::Nothing, Pick::Path),
    };
    Some(Catcher { errors, next: next?, result })
}
