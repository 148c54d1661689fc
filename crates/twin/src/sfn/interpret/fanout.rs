//! Parallel and inline Map states.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};

use super::{Item, Step, block};
use crate::sfn::definition::{Block, Map, Number};
use crate::sfn::failure::Failure;
use crate::sfn::history::put;
use crate::sfn::path::Scope;
use crate::sfn::progress::Node;

/// The branches or iterations of a state.
struct Fan<'a> {
    lanes: Vec<Lane<'a>>,
    /// How many run at the same time.
    limit: usize,
    /// Iterations have events of their own, branches have not.
    iterations: bool,
}

struct Lane<'a> {
    block: &'a Block,
    input: Value,
    item: Option<Item>,
}

impl Step<'_> {
    pub(super) async fn parallel(&self, branches: &[Block], retries: u64) -> Result<Value, Failure> {
        let context = self.context(Some(retries), None);
        let input = self.effective_input(&context)?;
        let lanes: Vec<Lane<'_>> =
            branches.iter().map(|block| Lane { block, input: input.clone(), item: self.item.cloned() }).collect();
        let result = self.fan_out(Fan { limit: lanes.len(), lanes, iterations: false }).await?;
        self.output(result, &context)
    }

    pub(super) async fn map(&self, map: &Map, retries: u64) -> Result<Value, Failure> {
        let context = self.context(Some(retries), None);
        let input = self.picked_input(&context)?;
        let scope = Scope { input: &input, context: &context };
        let limit = self.concurrency(map.concurrency.as_ref(), scope)?;
        let items = match &map.items {
            Some(path) => self.read(path, scope)?,
            None => input.clone(),
        };
        let Value::Array(items) = items else {
            let path = map.items.as_ref().map_or("$".to_owned(), ToString::to_string);
            let cause = format!("Reference path '{path}' must point to array, but was '{items}'");
            return Err(self.blame(Failure::runtime(cause)));
        };
        let mut lanes = Vec::with_capacity(items.len());
        for (index, value) in items.into_iter().enumerate() {
            let item = Item { index, value };
            lanes.push(Lane {
                block: &map.block,
                input: self.item_input(map, &item, &input, &context)?,
                item: Some(item),
            });
        }
        let result = self.fan_out(Fan { lanes, limit, iterations: true }).await?;
        self.output(result, &context)
    }

    fn concurrency(&self, number: Option<&Number>, scope: Scope<'_>) -> Result<usize, Failure> {
        let limit = match number {
            None => 0,
            Some(Number::Fixed(limit)) => *limit,
            Some(Number::Path(path)) => {
                let value = self.read(path, scope)?;
                value.as_u64().ok_or_else(|| {
                    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    self.blame(Failure::runtime(format!(
                        "The MaxConcurrencyPath field refers to value \"{shown}\" which is not a valid integer: {path}"
                    )))
                })?
            }
        };
        Ok(if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) })
    }

    fn item_input(&self, map: &Map, item: &Item, input: &Value, context: &Value) -> Result<Value, Failure> {
        let Some(selector) = &map.selector else { return Ok(item.value.clone()) };
        let mut context = context.clone();
        put(&mut context, "Map", json!({ "Item": { "Index": item.index, "Value": item.value } }));
        let scope = Scope { input, context: &context };
        selector.value(scope, &self.run.shared.env.ids).map_err(|failure| self.blame(failure))
    }

    /// Runs the lanes that are not done yet; the outputs of all, in order.
    async fn fan_out(&self, fan: Fan<'_>) -> Result<Value, Failure> {
        let nodes = self.nodes(&fan)?;
        let mut waiting: VecDeque<usize> = (0..nodes.len()).filter(|index| !is_done(&nodes, *index)).collect();
        let mut running = FuturesUnordered::new();
        // The event that the next lane starts from, and the one that the state's end refers to.
        let (mut from, mut tail) = (self.node.last(), self.node.last());
        loop {
            while running.len() < fan.limit
                && let Some(index) = waiting.pop_front()
                && let (Some(node), Some(lane)) = (nodes.get(index), fan.lanes.get(index))
            {
                self.start(&fan, index, node, from)?;
                let work = block(self.run, lane.block, node, lane.input.clone(), lane.item.clone());
                running.push(async move { (index, work.await) });
            }
            let Some((index, outcome)) = running.next().await else { break };
            let Some(node) = nodes.get(index) else { continue };
            if let Err(failure) = outcome {
                drop(running);
                return Err(self.failed(&fan, &nodes, index, failure));
            }
            from = node.last();
            tail = if fan.iterations { self.iteration("MapIterationSucceeded", index, from)? } else { from };
        }
        self.node.set_last(tail);
        self.run.emit(tail, &format!("{}StateSucceeded", self.state.kind.name()), Value::Null)?;
        Ok(Value::Array(nodes.iter().filter_map(|node| node.done()).collect()))
    }

    /// The nodes of the lanes: those of the attempt that is redriven, or new ones.
    fn nodes(&self, fan: &Fan<'_>) -> Result<Vec<Arc<Node>>, Failure> {
        let known = self.node.at().map(|at| at.children).unwrap_or_default();
        if !known.is_empty() {
            return Ok(known);
        }
        let details = if fan.iterations { json!({ "length": fan.lanes.len() }) } else { Value::Null };
        self.emit(&format!("{}StateStarted", self.state.kind.name()), details)?;
        let last = self.node.last();
        let nodes: Vec<Arc<Node>> = fan.lanes.iter().map(|_| Node::child_of(self.run.number, last)).collect();
        self.node.set_children(nodes.clone());
        Ok(nodes)
    }

    fn start(&self, fan: &Fan<'_>, index: usize, node: &Node, from: u64) -> Result<(), Failure> {
        if node.has_begun() {
            return Ok(());
        }
        node.resume(self.run.number, from);
        let id = if fan.iterations { self.iteration("MapIterationStarted", index, from)? } else { from };
        node.set_last(id);
        Ok(())
    }

    fn iteration(&self, kind: &str, index: usize, previous: u64) -> Result<u64, Failure> {
        self.run.emit(previous, kind, json!({ "name": self.state.name, "index": index }))
    }

    /// Writes down what the failure of one lane does to all.
    fn failed(&self, fan: &Fan<'_>, nodes: &[Arc<Node>], index: usize, failure: Failure) -> Failure {
        let last = nodes.get(index).map_or(0, |node| node.last());
        self.node.set_last(last);
        if failure.is_fatal() {
            return failure;
        }
        match self.note_failed(fan, nodes, index, last) {
            Ok(()) => failure,
            Err(worse) => worse,
        }
    }

    fn note_failed(&self, fan: &Fan<'_>, nodes: &[Arc<Node>], index: usize, last: u64) -> Result<(), Failure> {
        if fan.iterations {
            self.iteration("MapIterationFailed", index, last)?;
        }
        for (other, (node, lane)) in nodes.iter().zip(&fan.lanes).enumerate() {
            let Some(at) = node.at().filter(|_| other != index || !fan.iterations) else { continue };
            let kind = lane.block.states.get(&at.state).map_or("", |state| state.kind.name());
            if matches!(kind, "Task" | "Wait" | "Parallel" | "Map") && at.entered.is_some() {
                self.run.emit(node.last(), &format!("{kind}StateAborted"), Value::Null)?;
            }
            if fan.iterations {
                self.iteration("MapIterationAborted", other, node.last())?;
            }
        }
        Ok(())
    }
}

fn is_done(nodes: &[Arc<Node>], index: usize) -> bool {
    nodes.get(index).is_some_and(|node| node.done().is_some())
}
