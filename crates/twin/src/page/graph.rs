//! The picture of a state machine: its states in rows from the first to the last, and the ways between them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use serde::Serialize;
use serde_json::{Map, Value};

/// A definition's states and transitions, with a place for each state.
#[derive(Debug, Serialize)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
}

/// A state. Rows go down from 0, columns to the right from 0.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// `Task`, `Choice` and so on.
    pub(crate) kind: String,
    pub(crate) row: usize,
    pub(crate) column: usize,
    /// States within a Parallel or Map state.
    pub(crate) inside: Vec<String>,
}

/// A transition.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    /// What leads there: the rule of a choice, the errors of a catch; empty for the plain next state.
    pub(crate) label: String,
    /// Whether it leads up or stays in its row.
    pub(crate) back: bool,
}

impl Graph {
    /// Lays out a definition; what it does not understand of it is left out.
    pub(crate) fn of(definition: &Value) -> Self {
        let empty = Map::new();
        let states = definition.get("States").and_then(Value::as_object).unwrap_or(&empty);
        let start = text(definition, "StartAt").unwrap_or_default();
        let edges: Vec<(String, String, String)> = states
            .iter()
            .flat_map(|(name, state)| ways(name, state))
            .filter(|(_, to, _)| states.contains_key(to))
            .collect();
        let rows = rows(start, states, &edges);
        let below = below(&rows, &edges);
        let mut order: Vec<&String> = rows.keys().collect();
        // The longest line of states stands in the first column.
        order.sort_by_key(|name| {
            let (row, found) = rows.get(*name).copied().unwrap_or_default();
            (row, Reverse(below.get(*name).copied().unwrap_or_default()), found)
        });
        let mut used: BTreeMap<usize, usize> = BTreeMap::new();
        let nodes = order.into_iter().filter_map(|name| {
            let (state, (row, _)) = (states.get(name)?, *rows.get(name)?);
            let column = used.entry(row).or_default();
            *column += 1;
            let kind = text(state, "Type").unwrap_or_default().to_owned();
            Some(Node { name: name.clone(), kind, row, column: *column - 1, inside: inside(state) })
        });
        let nodes = nodes.collect();
        let edges = edges.into_iter().filter_map(|(from, to, label)| {
            let back = rows.get(&to)?.0 <= rows.get(&from)?.0;
            Some(Edge { from, to, label, back })
        });
        Self { nodes, edges: edges.collect() }
    }
}

/// The row of each state, and when it was found. A state is below every state that leads to it, loops left aside.
fn rows(
    start: &str,
    states: &Map<String, Value>,
    edges: &[(String, String, String)],
) -> BTreeMap<String, (usize, usize)> {
    let back = loops(start, edges);
    let forward = |edge: &&(String, String, String)| !back.contains(&(edge.0.as_str(), edge.1.as_str()));
    let mut rows: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut queue = VecDeque::from([(start, 0)]);
    let mut found = 0;
    while let Some((name, row)) = queue.pop_front() {
        if !states.contains_key(name) {
            continue;
        }
        let known = rows.get(name).copied();
        if known.is_some_and(|(known, _)| known >= row) {
            continue;
        }
        found += 1;
        rows.insert(name.to_owned(), (row, known.map_or(found, |(_, first)| first)));
        for (_, to, _) in edges.iter().filter(forward).filter(|(from, ..)| from == name) {
            queue.push_back((to, row + 1));
        }
    }
    rows
}

/// How many states follow each one on the longest way down.
fn below(rows: &BTreeMap<String, (usize, usize)>, edges: &[(String, String, String)]) -> BTreeMap<String, usize> {
    let row = |name: &String| rows.get(name).map_or(0, |(row, _)| *row);
    let mut upwards: Vec<&String> = rows.keys().collect();
    upwards.sort_by_key(|name| Reverse(row(name)));
    let mut below: BTreeMap<String, usize> = BTreeMap::new();
    for name in upwards {
        let down = edges.iter().filter(|(from, to, _)| from == name && row(to) > row(name));
        let longest = down.filter_map(|(_, to, _)| below.get(to)).max().map_or(0, |longest| longest + 1);
        below.insert(name.clone(), longest);
    }
    below
}

/// The edges that lead back to a state on the way from the start: without them there is no circle.
fn loops<'a>(start: &'a str, edges: &'a [(String, String, String)]) -> BTreeSet<(&'a str, &'a str)> {
    let after =
        |name: &str| edges.iter().filter(|(from, ..)| from == name).map(|(_, to, _)| to.as_str()).collect::<Vec<_>>();
    let (mut back, mut done) = (BTreeSet::new(), BTreeSet::new());
    let mut way: Vec<(&str, Vec<&str>)> = vec![(start, after(start))];
    while let Some((name, rest)) = way.last_mut() {
        let name = *name;
        let Some(next) = rest.pop() else {
            done.insert(name);
            way.pop();
            continue;
        };
        if way.iter().any(|(above, _)| *above == next) {
            back.insert((name, next));
        } else if !done.contains(next) {
            way.push((next, after(next)));
        }
    }
    back
}

/// The transitions of a state, with their labels.
fn ways(name: &str, state: &Value) -> Vec<(String, String, String)> {
    let way = |to: &str, label: String| (name.to_owned(), to.to_owned(), label);
    let mut ways: Vec<(String, String, String)> =
        text(state, "Next").map(|to| way(to, String::new())).into_iter().collect();
    let list = |member: &str| state.get(member).and_then(Value::as_array).into_iter().flatten();
    ways.extend(list("Choices").filter_map(|rule| Some(way(text(rule, "Next")?, test(rule)))));
    ways.extend(text(state, "Default").map(|to| way(to, "otherwise".to_owned())));
    ways.extend(list("Catch").filter_map(|catcher| {
        let errors = catcher.get("ErrorEquals").and_then(Value::as_array).into_iter().flatten();
        let errors: Vec<&str> = errors.filter_map(Value::as_str).collect();
        Some(way(text(catcher, "Next")?, format!("on {}", errors.join(", "))))
    }));
    ways
}

/// The rule of a choice in one line.
fn test(rule: &Value) -> String {
    let tests = |member: &str, word: &str| {
        let all = rule.get(member).and_then(Value::as_array)?;
        Some(all.iter().map(test).collect::<Vec<_>>().join(word))
    };
    if let Some(text) = tests("And", " and ").or_else(|| tests("Or", " or ")) {
        return text;
    }
    if let Some(inner) = rule.get("Not") {
        return format!("not {}", test(inner));
    }
    let variable = text(rule, "Variable").unwrap_or_default();
    let operators = rule.as_object().into_iter().flatten();
    let operator = operators.filter(|(name, _)| !["Variable", "Next", "Comment"].contains(&name.as_str())).map(
        |(name, operand)| {
            let operand = operand.as_str().map_or_else(|| operand.to_string(), str::to_owned);
            match name.as_str() {
                "StringEquals" | "NumericEquals" | "BooleanEquals" => format!("= {operand}"),
                name => match name.strip_prefix("Is") {
                    Some(quality) if operand == "false" => format!("is not {}", quality.to_lowercase()),
                    Some(quality) => format!("is {}", quality.to_lowercase()),
                    None => format!("{name} {operand}"),
                },
            }
        },
    );
    format!("{variable} {}", operator.collect::<Vec<_>>().join(" "))
}

/// The names of all states within the branches or the iteration of a state.
fn inside(state: &Value) -> Vec<String> {
    let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
    let iteration = state.get("ItemProcessor").or_else(|| state.get("Iterator"));
    let blocks = branches.chain(iteration).filter_map(|block| block.get("States")?.as_object());
    let names = blocks.flatten().flat_map(|(name, state)| [vec![name.clone()], inside(state)].concat());
    names.collect()
}

fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;

    fn places(graph: &Graph) -> Vec<(&str, usize, usize)> {
        graph.nodes.iter().map(|node| (node.name.as_str(), node.row, node.column)).collect()
    }

    #[test]
    fn states_stand_below_those_that_lead_to_them_and_loops_lead_back() {
        let graph = Graph::of(&json!({"StartAt": "Submit", "States": {
            "Submit": {"Type": "Task", "Next": "Poll"},
            "Poll": {"Type": "Task", "Next": "What", "Catch": [{"ErrorEquals": ["A", "B"], "Next": "Gone"}]},
            "What": {"Type": "Choice", "Default": "Done", "Choices": [
                {"Variable": "$.next", "StringEquals": "again", "Next": "Submit"},
                {"Not": {"Variable": "$.n", "IsPresent": true}, "Next": "Gone"},
            ]},
            "Gone": {"Type": "Fail"},
            "Done": {"Type": "Succeed"},
        }}));
        assert_eq!(places(&graph), [("Submit", 0, 0), ("Poll", 1, 0), ("What", 2, 0), ("Gone", 3, 0), ("Done", 3, 1)]);
        let labels: Vec<_> =
            graph.edges.iter().map(|edge| (edge.to.as_str(), edge.label.as_str(), edge.back)).collect();
        assert!(labels.contains(&("Submit", "$.next = again", true)), "{labels:?}");
        assert!(labels.contains(&("Gone", "not $.n is present", false)), "{labels:?}");
        assert!(labels.contains(&("Gone", "on A, B", false)), "{labels:?}");
        assert!(labels.contains(&("Done", "otherwise", false)), "{labels:?}");
    }

    #[test]
    fn longest_line_of_states_stands_in_the_first_column() {
        let graph = Graph::of(&json!({"StartAt": "If", "States": {
            "If": {"Type": "Choice", "Default": "Work", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "Skip"}]},
            "Skip": {"Type": "Pass", "Next": "Done"},
            "Work": {"Type": "Task", "Next": "Check"},
            "Check": {"Type": "Task", "Next": "Done"},
            "Done": {"Type": "Succeed"},
        }}));
        assert_eq!(places(&graph), [("If", 0, 0), ("Work", 1, 0), ("Skip", 1, 1), ("Check", 2, 0), ("Done", 3, 0)]);
    }

    #[test]
    fn states_within_states_are_named_and_a_circle_ends() {
        let graph = Graph::of(&json!({"StartAt": "A", "States": {
            "A": {"Type": "Parallel", "Branches": [{"States": {"B": {"Type": "Map", "ItemProcessor": {"States": {"C": {}}}}}}], "Next": "A2"},
            "A2": {"Type": "Pass", "Next": "A"},
            "Unreached": {"Type": "Pass", "Next": "A"},
        }}));
        assert_eq!(graph.nodes[0].inside, ["B", "C"]);
        assert_eq!(places(&graph), [("A", 0, 0), ("A2", 1, 0)]);
    }

    #[test]
    fn what_is_no_definition_gives_an_empty_picture() {
        for odd in [json!(null), json!({"States": 7}), json!({"StartAt": "X", "States": {"Y": {}}})] {
            assert!(Graph::of(&odd).nodes.is_empty());
        }
    }
}
