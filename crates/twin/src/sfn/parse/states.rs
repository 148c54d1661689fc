//! Reads one state.

use serde_json::{Map as Object, Value};

use super::fields::Fields;
use super::{Problems, recovery};
use crate::sfn::choice;
use crate::sfn::definition::{Block, Data, Kind, Map, Number, State, Target, Task, Text, Until};
use crate::sfn::retry::Recovery;
use crate::sfn::template::Expression;

/// Reads a state; `None` when a problem was reported that leaves nothing to work with.
pub(super) fn read(name: &str, object: &Object<String, Value>, at: &str, problems: &mut Problems) -> Option<State> {
    let mut fields = Fields::new(object, at, Some(name));
    fields.ignore(&["Comment"]);
    fields.query_language(problems);
    let Some(kind) = fields.text("Type", problems) else {
        problems.schema(at, "These fields are required: [Type]");
        return None;
    };
    let works = matches!(kind.as_str(), "Task" | "Parallel" | "Map");
    let data = data(&kind, &mut fields, problems);
    let recovery = if works { recovery::read(&mut fields, problems) } else { Recovery::default() };
    let next =
        if matches!(kind.as_str(), "Choice" | "Succeed" | "Fail") { None } else { transition(&mut fields, problems) };
    let kind = match kind.as_str() {
        "Pass" => Some(Kind::Pass { result: fields.take("Result").cloned() }),
        "Task" => task(name, &mut fields, problems).map(Kind::Task),
        "Choice" => choices(&mut fields, problems),
        "Wait" => wait(&mut fields, problems).map(Kind::Wait),
        "Succeed" => Some(Kind::Succeed),
        "Fail" => Some(Kind::Fail {
            error: text("Error", "ErrorPath", &mut fields, problems),
            cause: text("Cause", "CausePath", &mut fields, problems),
        }),
        "Parallel" => parallel(&mut fields, problems),
        "Map" => map(name, &mut fields, problems).map(Kind::Map),
        other => {
            problems.schema(&fields.at("Type"), format!("'{other}' is not a type of state"));
            return None;
        }
    };
    fields.finish(problems);
    Some(State { name: name.to_owned(), kind: kind?, data, next, recovery })
}

fn data(kind: &str, fields: &mut Fields<'_>, problems: &mut Problems) -> Data {
    let none = || super::super::definition::Pick::Nothing;
    let mut data = Data { input: none(), parameters: None, selector: None, result: none(), output: none() };
    if kind == "Fail" {
        return data;
    }
    data.input = fields.pick("InputPath", problems);
    data.output = fields.pick("OutputPath", problems);
    if matches!(kind, "Pass" | "Task" | "Parallel" | "Map") {
        data.result = fields.reference("ResultPath", problems);
    }
    if matches!(kind, "Pass" | "Task" | "Parallel") {
        data.parameters = fields.template("Parameters", problems);
    }
    if matches!(kind, "Task" | "Parallel" | "Map") {
        data.selector = fields.template("ResultSelector", problems);
    }
    data
}

fn transition(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<String> {
    let next = fields.text("Next", problems);
    let end = fields.flag("End", problems);
    if next.is_some() == end {
        let message = "exactly one of Next and End is required";
        problems.schema(&fields.root(), message);
    }
    next
}

fn task(name: &str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Task> {
    let Some(resource) = fields.text("Resource", problems) else {
        problems.schema(&fields.root(), "These fields are required: [Resource]");
        return None;
    };
    let timeout = fields.number("TimeoutSeconds", 1, problems);
    let heartbeat = fields.number("HeartbeatSeconds", 1, problems);
    if let (Some(Number::Fixed(timeout)), Some(Number::Fixed(heartbeat))) = (&timeout, &heartbeat)
        && heartbeat >= timeout
    {
        problems.schema(&fields.at("HeartbeatSeconds"), "HeartbeatSeconds must be smaller than TimeoutSeconds");
    }
    let (action, wait) = match resource.strip_suffix(".waitForTaskToken") {
        Some(action) => (action, true),
        None => (resource.as_str(), false),
    };
    let target = match action.strip_prefix("arn:aws:states:::") {
        Some("sqs:sendMessage") => Some(Target::SqsSendMessage),
        Some("sns:publish") => Some(Target::SnsPublish),
        Some("events:putEvents") => Some(Target::EventsPutEvents),
        _ => None,
    };
    let Some(target) = target else {
        let what = if resource.contains(":activity:") { "activities are" } else { "this resource is" };
        problems.schema(&fields.at("Resource"), format!("state '{name}': {what} not modelled by the twin: {resource}"));
        return None;
    };
    Some(Task { target, wait, timeout, heartbeat })
}

fn choices(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Kind> {
    let default = fields.text("Default", problems);
    let at = fields.at("Choices");
    let Some(items) = fields.take("Choices").and_then(Value::as_array).filter(|items| !items.is_empty()) else {
        problems.schema(&at, "Choices must be a non-empty array");
        return None;
    };
    let mut rules = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let next = item.get("Next").and_then(Value::as_str);
        if next.is_none() {
            problems.schema(&at, "These fields are required: [Next]");
        }
        match choice::Rule::parse(item, true) {
            Ok(rule) => rules.extend(next.map(|next| (rule, next.to_owned()))),
            Err(problem) => problems.schema(&at, problem),
        }
    }
    Some(Kind::Choice { rules, default })
}

fn wait(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Until> {
    let seconds = fields.number("Seconds", 0, problems).map(Until::Seconds);
    let path = fields.path("TimestampPath", problems).map(Until::TimestampPath);
    let fixed = fields.text("Timestamp", problems).and_then(|text| {
        let when = choice::timestamp(&text);
        if when.is_none() {
            problems.schema(&fields.at("Timestamp"), format!("'{text}' is not an RFC 3339 timestamp"));
        }
        when.map(Until::Timestamp)
    });
    let mut given = [seconds, path, fixed].into_iter().flatten();
    let first = given.next();
    if first.is_none() || given.next().is_some() {
        let message = "exactly one of Seconds, SecondsPath, Timestamp and TimestampPath is required";
        problems.schema(&fields.root(), message);
        return None;
    }
    first
}

fn text(fixed: &str, path: &'static str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Text> {
    let plain = fields.text(fixed, problems).map(Text::Fixed);
    let from = fields.text(path, problems).and_then(|text| match Expression::parse(&text) {
        Ok(expression) => Some(Text::From(expression, path)),
        Err(problem) => {
            problems
                .schema(&fields.at(path), format!("Value is not a valid JSONPath or intrinsic function: {problem}"));
            None
        }
    });
    if plain.is_some() && from.is_some() {
        problems.schema(&fields.at(path), format!("only one of {fixed} and {path} may be given"));
    }
    plain.or(from)
}

fn parallel(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Kind> {
    let at = fields.at("Branches");
    let Some(items) = fields.take("Branches").and_then(Value::as_array).filter(|items| !items.is_empty()) else {
        problems.schema(&at, "Branches must be a non-empty array");
        return None;
    };
    let branch = |(index, item)| block(item, &format!("{at}[{index}]"), problems);
    let branches: Option<Vec<Block>> = items.iter().enumerate().map(branch).collect();
    Some(Kind::Parallel { branches: branches? })
}

fn block(value: &Value, at: &str, problems: &mut Problems) -> Option<Block> {
    let Some(object) = value.as_object() else {
        problems.schema(at, "must be an object with StartAt and States");
        return None;
    };
    let mut fields = Fields::new(object, at, None);
    fields.ignore(&["Comment"]);
    if let Some(config) = fields.take("ProcessorConfig")
        && config.get("Mode").is_some_and(|mode| mode != "INLINE")
    {
        let message = format!("distributed Map is not modelled by the twin: {config}");
        problems.schema(&fields.at("ProcessorConfig"), message);
    }
    let block = super::block(&mut fields, problems);
    fields.finish(problems);
    block
}

fn map(name: &str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Map> {
    let items = fields.path("ItemsPath", problems);
    let selector = fields.template("ItemSelector", problems);
    let parameters = fields.template("Parameters", problems);
    if selector.is_some() && parameters.is_some() {
        problems.schema(&fields.at("Parameters"), "only one of ItemSelector and Parameters may be given");
    }
    let concurrency = fields.number("MaxConcurrency", 0, problems);
    let modern = fields.take("ItemProcessor").map(|value| (value, fields.at("ItemProcessor")));
    let legacy = fields.take("Iterator").map(|value| (value, fields.at("Iterator")));
    let Some((value, at)) = modern.or(legacy) else {
        problems.schema(&fields.root(), "These fields are required: [ItemProcessor]");
        return None;
    };
    if value.get("ProcessorConfig").is_some_and(|config| config.get("Mode") == Some(&Value::from("DISTRIBUTED"))) {
        problems.schema(&at, format!("state '{name}': distributed Map is not modelled by the twin"));
        return None;
    }
    Some(Map { items, selector: selector.or(parameters), block: block(value, &at, problems)?, concurrency })
}
