//! `JSONPath` as the Amazon States Language uses it: a definite path gives one value, any other path a list.

mod filter;
mod parse;

use std::fmt;

use serde_json::{Map, Value};

use filter::Filter;

/// A path into the state's input (`$`) or the context object (`$$`).
#[derive(Clone, Debug)]
pub(super) struct Path {
    text: String,
    context: bool,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
struct Segment {
    descend: bool,
    selectors: Vec<Selector>,
}

#[derive(Clone, Debug)]
enum Selector {
    Name(String),
    Index(i64),
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    Wildcard,
    Filter(Filter),
}

/// What paths are read from.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// `$`
    pub(super) input: &'a Value,
    /// `$$`
    pub(super) context: &'a Value,
}

/// A definite path leads nowhere; the text says so in the words of AWS.
#[derive(Debug)]
pub(super) struct NotFound(String);

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Path {
    /// Reads a path. The error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (context, rest) = match text.strip_prefix("$$") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('$').ok_or_else(|| "a path begins with '$'".to_owned())?),
        };
        Ok(Self { text: text.to_owned(), context, segments: parse::segments(rest)? })
    }

    /// The value that the path leads to: one value for a definite path, else the list of all that match.
    pub(super) fn read(&self, scope: Scope<'_>) -> Result<Value, NotFound> {
        let root = if self.context { scope.context } else { scope.input };
        if self.is_definite() {
            return self.follow(root).cloned();
        }
        Ok(Value::Array(select(&self.segments, root, root).into_iter().cloned().collect()))
    }

    /// Whether the path is one that `ResultPath` takes: names and indexes from `$`.
    pub(super) fn is_reference(&self) -> bool {
        !self.context && self.is_definite()
    }

    fn is_definite(&self) -> bool {
        self.segments.iter().all(|segment| {
            !segment.descend && matches!(segment.selectors.as_slice(), [Selector::Name(_) | Selector::Index(_)])
        })
    }

    fn follow<'a>(&self, root: &'a Value) -> Result<&'a Value, NotFound> {
        let mut at = root;
        let mut walked = String::from("$");
        for (depth, segment) in self.segments.iter().enumerate() {
            let next = match segment.selectors.first() {
                Some(Selector::Name(name)) => {
                    walked.push_str(&format!("['{name}']"));
                    at.get(name.as_str())
                }
                Some(Selector::Index(index)) => {
                    walked.push_str(&format!("[{index}]"));
                    element(at, *index)
                }
                _ => None,
            };
            let leaf = depth + 1 == self.segments.len();
            at = next.ok_or_else(|| {
                NotFound(if leaf || at.is_array() {
                    format!("No results for path: {walked}")
                } else {
                    format!("Missing property in path {walked}")
                })
            })?;
        }
        Ok(at)
    }

    /// Writes `value` where the path points, making objects on the way. The error is the step that cannot be made.
    pub(super) fn write(&self, mut root: Value, value: Value) -> Result<Value, String> {
        let mut at = &mut root;
        for segment in &self.segments {
            at = match segment.selectors.first() {
                Some(Selector::Name(name)) => {
                    if at.is_null() {
                        *at = Value::Object(Map::new());
                    }
                    let object = at.as_object_mut().ok_or_else(|| self.unable())?;
                    object.entry(name.clone()).or_insert(Value::Null)
                }
                Some(Selector::Index(index)) => {
                    let index = usize::try_from(*index).map_err(|_| self.unable())?;
                    at.get_mut(index).ok_or_else(|| self.unable())?
                }
                _ => return Err(self.unable()),
            };
        }
        *at = value;
        Ok(root)
    }

    fn unable(&self) -> String {
        format!("Unable to apply ReferencePath {} to input", self.text)
    }
}

fn element(value: &Value, index: i64) -> Option<&Value> {
    let items = value.as_array()?;
    let length = i64::try_from(items.len()).ok()?;
    let index = if index < 0 { length + index } else { index };
    items.get(usize::try_from(index).ok()?)
}

fn select<'a>(segments: &[Segment], root: &'a Value, from: &'a Value) -> Vec<&'a Value> {
    let mut found = vec![from];
    for segment in segments {
        let sources = if segment.descend { found.iter().flat_map(|value| descendants(value)).collect() } else { found };
        found = sources
            .into_iter()
            .flat_map(|value| segment.selectors.iter().flat_map(move |selector| matching(selector, root, value)))
            .collect();
    }
    found
}

fn descendants(value: &Value) -> Vec<&Value> {
    let mut all = vec![value];
    match value {
        Value::Array(items) => all.extend(items.iter().flat_map(descendants)),
        Value::Object(members) => all.extend(members.values().flat_map(descendants)),
        _ => {}
    }
    all
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    }
}

fn matching<'a>(selector: &Selector, root: &'a Value, value: &'a Value) -> Vec<&'a Value> {
    match selector {
        Selector::Name(name) => value.get(name.as_str()).into_iter().collect(),
        Selector::Index(index) => element(value, *index).into_iter().collect(),
        Selector::Wildcard => children(value),
        Selector::Filter(filter) => children(value).into_iter().filter(|item| filter.holds(root, item)).collect(),
        Selector::Slice { start, end, step } => slice(value, *start, *end, *step),
    }
}

/// A slice as in RFC 9535, 2.3.4.2.
fn slice(value: &Value, start: Option<i64>, end: Option<i64>, step: i64) -> Vec<&Value> {
    let Some(items) = value.as_array() else { return Vec::new() };
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let normal = |index: i64| if index < 0 { length + index } else { index };
    let (mut at, stop) = if step > 0 {
        (normal(start.unwrap_or(0)).clamp(0, length), normal(end.unwrap_or(length)).clamp(0, length))
    } else {
        let first = start.map_or(length - 1, normal).clamp(-1, length - 1);
        (first, end.map_or(-1, |end| normal(end).clamp(-1, length - 1)))
    };
    let mut found = Vec::new();
    while step != 0 && (if step > 0 { at < stop } else { at > stop }) {
        found.extend(usize::try_from(at).ok().and_then(|index| items.get(index)));
        at += step;
    }
    found
}
