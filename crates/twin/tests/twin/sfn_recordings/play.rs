//! Plays one case: creates what it needs, runs it, plays its worker.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::compare::{Comparer, fill};
use crate::twin::sfn_common::{ACCOUNT, Names, QUEUE, REGION, ROLE, TOPIC, World};

/// A case in a world of its own.
pub(super) struct Player {
    world: Arc<World>,
    names: Names,
    volatile: Vec<String>,
}

impl Player {
    pub(super) fn new(case: &Value) -> Self {
        let world = World::new();
        let needs = |name: &str| case["requires"].as_array().is_some_and(|needs| needs.iter().any(|need| need == name));
        *world.outside.topic_gone.lock().unwrap() = needs("sns_deleted");
        *world.outside.topic_to_queue.lock().unwrap() = needs("sns_to_sqs");
        let names = [
            ("queue_url", QUEUE.to_owned()),
            ("queue_name", "work".to_owned()),
            ("topic_arn", TOPIC.to_owned()),
            ("role_arn", ROLE.to_owned()),
            ("role_arn_2", format!("{ROLE}-2")),
            ("role_arn_3", format!("{ROLE}-3")),
            ("region", REGION.to_owned()),
            ("account", ACCOUNT.to_owned()),
            ("uid", "c0ffee00".to_owned()),
            ("now", world.clock.now().to_string()),
        ];
        let names = names.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        let volatile = case["volatile"].as_array().into_iter().flatten();
        let volatile = volatile.map(|path| path.as_str().unwrap().to_owned()).collect();
        Self { world: Arc::new(world), names, volatile }
    }

    pub(super) async fn play(mut self, case: &Value) -> Result<(), String> {
        if case["kind"] == "api" {
            return self.steps(case["steps"].as_array().unwrap()).await;
        }
        assert!(case["kind"].is_null() || case["kind"] == "create_error", "unknown kind {}", case["kind"]);
        let Some(runs) = case["runs"].as_array() else { return self.execution(case, case, "", 0).await };
        for (index, run) in runs.iter().enumerate() {
            self.execution(case, run, &format!("runs[{index}]."), index).await?;
        }
        Ok(())
    }

    async fn execution(&mut self, case: &Value, run: &Value, base: &str, index: usize) -> Result<(), String> {
        if let Some(literal) = run.get("literal") {
            self.names.insert("literal".into(), literal.clone());
        }
        let definition = fill(run.get("definition").unwrap_or(&case["definition"]), &self.names).to_string();
        let name = format!("corpus_c0ffee00_{index}");
        let request = json!({ "name": name, "definition": definition, "roleArn": ROLE });
        let created = self.world.call("CreateStateMachine", request).await;
        if case["kind"] == "create_error" {
            return self.refused(&run["expect"]["error"], created.err(), &format!("{base}expect.error"));
        }
        let machine = created.map_err(|error| error.to_string())?["stateMachineArn"].clone();
        let input = fill(run.get("input").unwrap_or(&json!({})), &self.names).to_string();
        let arn = format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:{name}:{name}");
        for (placeholder, value) in [("state_machine_name", &json!(name)), ("state_machine_arn", &machine)] {
            self.names.insert(placeholder.into(), value.clone());
        }
        self.names.insert("execution_name".into(), json!(name));
        self.names.insert("execution_arn".into(), json!(arn));
        let start = json!({ "stateMachineArn": machine, "name": name, "input": input });
        let started = self.world.ok("StartExecution", start).await;
        assert_eq!(started["executionArn"], json!(arn));
        let script: Vec<Value> =
            run["workers"].as_array().into_iter().flatten().map(|w| fill(w, &self.names)).collect();
        let worker = tokio::spawn(work(Arc::clone(&self.world), script));
        let described = self.world.end(&arn).await;
        worker.abort();
        self.compare(&run["expect"], &described, &arn, base).await
    }

    async fn compare(&self, expect: &Value, described: &Value, arn: &str, base: &str) -> Result<(), String> {
        let comparer = self.comparer();
        let path = format!("{base}expect");
        if expect["status"] != described["status"] {
            return Err(format!("{path}.status: expected {}, got {described}", expect["status"]));
        }
        for name in ["output", "error", "cause"] {
            if let Some(want) = expect.get(name) {
                let got = described.get(name).ok_or_else(|| format!("{path}.{name}: expected {want}, missing"))?;
                comparer.diff(want, got, &format!("{path}.{name}"), false)?;
            }
        }
        if let Some(events) = expect["events"].as_array() {
            let request = json!({ "executionArn": arn, "maxResults": 1000 });
            let history = self.world.ok("GetExecutionHistory", request).await;
            comparer.events(events, history["events"].as_array().unwrap(), &format!("{path}.events"))?;
        }
        match expect.get("describe") {
            Some(want) => comparer.diff(want, described, &format!("{path}.describe"), true),
            None => Ok(()),
        }
    }

    async fn steps(&mut self, steps: &[Value]) -> Result<(), String> {
        for (index, step) in steps.iter().enumerate() {
            if step.get("wait").is_some() {
                let arn = fill(&step["execution"], &self.names);
                if step["wait"] == "terminated" {
                    self.world.end(arn.as_str().unwrap()).await;
                } else {
                    self.world.clock.sleep(Duration::from_millis(100)).await;
                }
                continue;
            }
            self.step(step, &format!("steps[{index}]")).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Value, path: &str) -> Result<(), String> {
        let operation = pascal(step["call"].as_str().unwrap());
        let params = fill(step.get("params").unwrap_or(&json!({})), &self.names);
        let answer = self.world.call(&operation, params).await;
        if let Some(want) = step.pointer("/expect/error") {
            return self.refused(want, answer.err(), &format!("{path}.expect.error"));
        }
        let mut answer = answer.map_err(|error| format!("{path}: {operation} failed with {error}"))?;
        self.names.insert(step["id"].as_str().unwrap().to_owned(), answer.clone());
        let Some(want) = step.pointer("/expect/result") else { return Ok(()) };
        let mut want = want.clone();
        let comparer = self.comparer();
        if let Some(Value::Array(events)) = want.as_object_mut().unwrap().remove("events") {
            let got = answer.as_object_mut().unwrap().remove("events").unwrap();
            comparer.events(&events, got.as_array().unwrap(), &format!("{path}.expect.result.events"))?;
        }
        comparer.diff(&want, &answer, &format!("{path}.expect.result"), true)
    }

    fn refused(
        &self,
        want: &Value,
        error: Option<levee_twin::service::ServiceError>,
        path: &str,
    ) -> Result<(), String> {
        let error = error.ok_or_else(|| format!("{path}: expected {want}, the call succeeded"))?;
        self.comparer().diff(want, &json!({ "code": error.code, "message": error.message }), path, false)
    }

    fn comparer(&self) -> Comparer<'_> {
        Comparer { names: &self.names, volatile: self.volatile.iter().cloned().collect() }
    }
}

/// Plays the script against the messages as they come.
async fn work(world: Arc<World>, script: Vec<Value>) {
    if script.is_empty() {
        return;
    }
    for number in 1.. {
        let body = world.outside.receive().await;
        for action in &script {
            if (action["on_message"] != "each" && action["on_message"] != number) || action["do"] == "none" {
                continue;
            }
            let token = lookup(&body, action["token_path"].as_str().unwrap());
            world.clock.sleep(Duration::from_secs(action["after_seconds"].as_u64().unwrap_or(0))).await;
            for _ in 0..action["times"].as_u64().unwrap_or(1) {
                act(&world, action, &token, &body).await;
            }
        }
    }
}

async fn act(world: &World, action: &Value, token: &Value, body: &Value) {
    match action["do"].as_str().unwrap() {
        "heartbeat" => world.ok("SendTaskHeartbeat", json!({ "taskToken": token })).await,
        "success" => {
            let output = match action.get("output_path") {
                Some(path) => lookup(body, path.as_str().unwrap()),
                None => action["output"].clone(),
            };
            world.ok("SendTaskSuccess", json!({ "taskToken": token, "output": output.to_string() })).await
        }
        "failure" => {
            let mut request = json!({ "taskToken": token });
            for name in ["error", "cause"] {
                if let Some(value) = action.get(name) {
                    request[name] = value.clone();
                }
            }
            world.ok("SendTaskFailure", request).await
        }
        other => panic!("unknown action {other}"),
    };
}

/// A dotted path; JSON text met on the way is parsed; `.` is the whole.
fn lookup(body: &Value, path: &str) -> Value {
    let mut at = body.clone();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        if let Value::String(text) = &at {
            at = serde_json::from_str(text).unwrap();
        }
        at = at.get(part).unwrap_or_else(|| panic!("no {path} in {body}")).clone();
    }
    at
}

fn pascal(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}
