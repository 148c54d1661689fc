//! Walks through the states of a block.

mod fanout;
mod flow;
mod task;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::definition::{Block, Kind, Number, Pick, State, Until};
use super::failure::{DATA_LIMIT, Failure};
use super::history::{iso, put};
use super::path::Scope;
use super::progress::Node;
use super::retry::Attempts;
use super::run::Run;

/// The largest input or output of a state, in bytes.
pub(super) const DATA_BYTES: usize = 262_144;

/// The item of a Map state that an iteration works on.
#[derive(Clone, Debug)]
pub(super) struct Item {
    index: usize,
    value: Value,
}

/// What a state hands on: its output and the next state.
type Outcome = (Value, Option<String>);

/// Runs a block from where its node stands to its end; the output of its last state.
pub(super) fn block<'a>(
    run: &'a Run,
    block: &'a Block,
    node: &'a Arc<Node>,
    input: Value,
    item: Option<Item>,
) -> BoxFuture<'a, Result<Value, Failure>> {
    Box::pin(async move {
        node.begin(&block.start_at, input);
        let mut resumed = node.resume(run.number, run.resumed_at);
        loop {
            if let Some(output) = node.done() {
                return Ok(output);
            }
            let at = node.at().ok_or_else(|| Failure::runtime("the block has no current state"))?;
            let state = block.states.get(&at.state);
            let state = state.ok_or_else(|| Failure::runtime(format!("there is no state '{}'", at.state)))?;
            // A redrive enters a Fail state anew; other states go on under the event that they were entered with.
            let again = resumed && matches!(state.kind, Kind::Fail { .. });
            resumed = false;
            let entered = match at.entered {
                Some(entered) if !again => entered,
                _ => enter(run, node, state, &at.input)?,
            };
            let step = Step { run, node, state, item: item.as_ref(), input: at.input, entered };
            let (output, next) = step.play().await?;
            step.exit(&output)?;
            node.move_on(next, output);
        }
    })
}

fn enter(run: &Run, node: &Node, state: &State, input: &Value) -> Result<(Timestamp, u64), Failure> {
    let details = json!({ "name": state.name, "input": input.to_string() });
    let id = run.emit(node.last(), &format!("{}StateEntered", state.kind.name()), details)?;
    node.set_last(id);
    let entered = (run.shared.env.clock.now(), id);
    node.enter(Some(entered));
    Ok(entered)
}

/// One state at work.
struct Step<'a> {
    run: &'a Run,
    node: &'a Arc<Node>,
    state: &'a State,
    item: Option<&'a Item>,
    input: Value,
    entered: (Timestamp, u64),
}

impl Step<'_> {
    async fn play(&self) -> Result<Outcome, Failure> {
        match &self.state.kind {
            Kind::Pass { result } => {
                let context = self.context(None, None);
                let input = self.effective_input(&context)?;
                let result = result.clone().unwrap_or(input);
                self.output(result, &context).map(|output| (output, self.state.next.clone()))
            }
            Kind::Choice { rules, default } => self.choose(rules, default.as_deref()),
            Kind::Wait(until) => self.wait(until).await,
            Kind::Succeed => self.pass_through(None),
            Kind::Fail { error, cause } => Err(self.fail(error.as_ref(), cause.as_ref())),
            Kind::Task(_) | Kind::Parallel { .. } | Kind::Map(_) => self.work().await,
        }
    }

    /// Task, Parallel and Map: attempts, retries, catchers.
    async fn work(&self) -> Result<Outcome, Failure> {
        let mut attempts = Attempts::new(&self.state.recovery);
        loop {
            let tried = match &self.state.kind {
                Kind::Task(task) => self.task(task, attempts.count()).await,
                Kind::Parallel { branches } => self.parallel(branches, attempts.count()).await,
                Kind::Map(map) => self.map(map, attempts.count()).await,
                _ => Err(Failure::runtime("the state does no work")),
            };
            let failure = match tried {
                Ok(output) => return Ok((output, self.state.next.clone())),
                Err(failure) => failure,
            };
            if failure.is_fatal() {
                return Err(failure);
            }
            if let Some(delay) = attempts.next(&failure, &self.run.shared.env.ids) {
                self.run.shared.env.clock.sleep(delay).await;
                self.node.set_children(Vec::new());
                continue;
            }
            if failure.error.as_deref() == Some(DATA_LIMIT) {
                self.node.set_children(Vec::new());
            }
            return self.give_up(failure);
        }
    }

    fn give_up(&self, failure: Failure) -> Result<Outcome, Failure> {
        if matches!(self.state.kind, Kind::Parallel { .. } | Kind::Map(_)) {
            self.emit(&format!("{}StateFailed", self.state.kind.name()), Value::Null)?;
        }
        let Some(catcher) = self.state.recovery.catcher(&failure) else { return Err(failure) };
        let output = match &catcher.result {
            Pick::Nothing => self.input.clone(),
            Pick::Path(path) => self.place(path, failure.output())?,
        };
        Ok((output, Some(catcher.next.clone())))
    }

    async fn wait(&self, until: &Until) -> Result<Outcome, Failure> {
        let context = self.context(None, None);
        let input = self.picked_input(&context)?;
        let scope = Scope { input: &input, context: &context };
        let clock = &self.run.shared.env.clock;
        match until {
            Until::Seconds(Number::Fixed(seconds)) => clock.sleep(Duration::from_secs(*seconds)).await,
            Until::Seconds(Number::Path(path)) => {
                let seconds = self.seconds(path, "SecondsPath", scope)?;
                clock.sleep(Duration::from_secs(seconds)).await;
            }
            Until::Timestamp(when) => clock.sleep_until(*when).await,
            Until::TimestampPath(path) => clock.sleep_until(self.timestamp(path, scope)?).await,
        }
        self.pass_through(self.state.next.clone())
    }

    /// The context object as the state sees it.
    fn context(&self, retries: Option<u64>, token: Option<&str>) -> Value {
        let mut context = self.run.context();
        let mut state = json!({ "Name": self.state.name, "EnteredTime": iso(self.entered.0) });
        if let Some(retries) = retries {
            put(&mut state, "RetryCount", json!(retries));
        }
        put(&mut context, "State", state);
        if let Some(token) = token {
            put(&mut context, "Task", json!({ "Token": token }));
        }
        if let Some(item) = self.item {
            put(&mut context, "Map", json!({ "Item": { "Index": item.index, "Value": item.value } }));
        }
        context
    }

    fn exit(&self, output: &Value) -> Result<(), Failure> {
        let text = output.to_string();
        self.emit(&format!("{}StateExited", self.state.kind.name()), json!({ "name": self.state.name, "output": text }))
    }

    /// Adds an event to the block's line of events.
    fn emit(&self, kind: &str, details: Value) -> Result<(), Failure> {
        let id = self.run.emit(self.node.last(), kind, details)?;
        self.node.set_last(id);
        Ok(())
    }
}
