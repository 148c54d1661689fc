//! Filters: `[?(@.size > 3 && @.kind == 'a')]`.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Segment, select};

/// The comparison signs, longer ones first.
pub(super) const COMPARISONS: &[(&str, Compare)] = &[
    ("==", Compare::Equal),
    ("!=", Compare::NotEqual),
    ("<=", Compare::AtMost),
    (">=", Compare::AtLeast),
    ("<", Compare::Less),
    (">", Compare::More),
];

#[derive(Clone, Copy, Debug)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Clone, Debug)]
pub(super) enum Filter {
    Any(Box<Filter>, Box<Filter>),
    All(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Exists(Operand),
    Compare(Operand, Compare, Operand),
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Path { from_root: bool, segments: Vec<Segment> },
    Literal(Value),
}

impl Filter {
    /// Whether the filter holds for `item` of the document `root`.
    pub(super) fn holds(&self, root: &Value, item: &Value) -> bool {
        match self {
            Self::Any(a, b) => a.holds(root, item) || b.holds(root, item),
            Self::All(a, b) => a.holds(root, item) && b.holds(root, item),
            Self::Not(a) => !a.holds(root, item),
            Self::Exists(operand) => operand.value(root, item).is_some(),
            Self::Compare(a, compare, b) => holds(a.value(root, item), *compare, b.value(root, item)),
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, root: &'a Value, item: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Literal(value) => Some(value),
            Self::Path { from_root, segments } => {
                let from = if *from_root { root } else { item };
                select(segments, root, from).into_iter().next()
            }
        }
    }
}

fn holds(a: Option<&Value>, compare: Compare, b: Option<&Value>) -> bool {
    let order = match (a, b) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            a.as_f64().zip(b.as_f64()).and_then(|(a, b)| a.partial_cmp(&b))
        }
        (Some(Value::String(a)), Some(Value::String(b))) => Some(a.cmp(b)),
        _ => (a == b).then_some(Ordering::Equal),
    };
    match compare {
        Compare::Equal => order == Some(Ordering::Equal),
        Compare::NotEqual => order != Some(Ordering::Equal),
        Compare::Less => order == Some(Ordering::Less),
        Compare::AtMost => order.is_some_and(Ordering::is_le),
        Compare::More => order == Some(Ordering::Greater),
        Compare::AtLeast => order.is_some_and(Ordering::is_ge),
    }
}
