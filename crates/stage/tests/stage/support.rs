//! A queue with a dead-letter queue, a state machine of one task, and a stage that does what a test says.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aws_sdk_sfn::types::ExecutionStatus;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use futures::future::BoxFuture;
use levee_clock::Clock;
use levee_stage::{Aws, Context, Progress, RetrySettings, Stage, StageError, Worker, WorkerError, WorkerSettings};
use levee_twin::{Twin, TwinBuilder, service::Principal};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const ACCOUNT: &str = "222222222222";
const QUEUE: &str = "levee-probe";
const DEAD_LETTERS: &str = "levee-probe-dlq";

pub(crate) type Answer = Result<Progress<Value>, StageError>;
type Script = Arc<dyn Fn(u32, Context) -> BoxFuture<'static, Answer> + Send + Sync>;

/// A stage that a test writes: called with the number of the call, from 1.
#[derive(Clone)]
pub(crate) struct Probe {
    script: Script,
    pub(crate) calls: Arc<AtomicU32>,
    pub(crate) finished: Arc<AtomicU32>,
}

impl Probe {
    pub(crate) fn new<F, Fut>(script: F) -> Self
    where
        F: Fn(u32, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        Self {
            script: Arc::new(move |call, context| Box::pin(script(call, context))),
            calls: Arc::default(),
            finished: Arc::default(),
        }
    }

    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Calls that came to their end, rather than being broken off.
    pub(crate) fn finished(&self) -> u32 {
        self.finished.load(Ordering::SeqCst)
    }
}

#[derive(Deserialize)]
pub(crate) struct Input {
    #[allow(dead_code)]
    run: InputRun,
}

#[derive(Deserialize)]
struct InputRun {
    #[allow(dead_code)]
    source: String,
}

impl Stage for Probe {
    const NAME: &'static str = "probe";
    type Input = Input;
    type Output = Value;

    async fn run(&self, context: &Context, _input: Input) -> Answer {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = (self.script)(call, context.clone()).await;
        self.finished.fetch_add(1, Ordering::SeqCst);
        answer
    }
}

/// The twin with everything that one task needs.
pub(crate) struct World {
    pub(crate) twin: Twin,
    pub(crate) aws: Aws,
    pub(crate) clock: Clock,
    machine: String,
    started: Mutex<u32>,
}

/// How an execution ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) status: ExecutionStatus,
    pub(crate) output: Value,
    pub(crate) error: String,
    pub(crate) cause: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|twin| twin, json!({})).await
    }

    /// `task` overrides fields of the task state.
    pub(crate) async fn with(set_up: impl FnOnce(TwinBuilder) -> TwinBuilder, task: Value) -> Self {
        let clock = Clock::starting_at("2026-04-02T00:00:00Z".parse().unwrap());
        let twin = set_up(Twin::builder().clock(clock.clone())).build();
        let aws = Aws::new(&twin.sdk_config(ACCOUNT, &Principal::Root));
        let url = queues(&aws).await;
        let machine = machine(&aws, &url, task).await;
        Self { twin, aws, clock, machine, started: Mutex::new(0) }
    }

    pub(crate) fn settings() -> WorkerSettings {
        WorkerSettings {
            retry: RetrySettings { seed: Some(1), ..RetrySettings::default() },
            ..WorkerSettings::for_queue(QUEUE)
        }
    }

    pub(crate) fn work(&self, stage: &Probe) -> (CancellationToken, JoinHandle<Result<(), WorkerError>>) {
        self.work_with(stage, Self::settings())
    }

    pub(crate) fn work_with(
        &self,
        stage: &Probe,
        settings: WorkerSettings,
    ) -> (CancellationToken, JoinHandle<Result<(), WorkerError>>) {
        let shutdown = CancellationToken::new();
        let worker = Worker::new(stage.clone(), &self.aws, settings, self.clock.clone());
        (shutdown.clone(), tokio::spawn(worker.run(shutdown)))
    }

    pub(crate) async fn start(&self) -> String {
        self.start_with(json!({"run": {"source": "lake-events", "backup_date": "2026-03-31"}})).await
    }

    pub(crate) async fn start_with(&self, input: Value) -> String {
        let number = {
            let mut started = self.started.lock().unwrap();
            *started += 1;
            *started
        };
        let call = self.aws.sfn.start_execution().state_machine_arn(&self.machine).name(format!("run-{number}"));
        call.input(input.to_string()).send().await.unwrap().execution_arn
    }

    /// Lets time pass until the execution has ended.
    pub(crate) async fn end_of(&self, execution: &str) -> End {
        for look in 1..5_000 {
            let told = self.aws.sfn.describe_execution().execution_arn(execution).send().await.unwrap();
            if told.status != ExecutionStatus::Running {
                let output = told.output.map_or(Value::Null, |output| serde_json::from_str(&output).unwrap());
                let (error, cause) = (told.error.unwrap_or_default(), told.cause.unwrap_or_default());
                return End { status: told.status, output, error, cause };
            }
            self.clock.sleep(Duration::from_secs(5 * look.min(60))).await;
        }
        panic!("the execution does not end");
    }

    pub(crate) async fn send(&self, body: &str) {
        let url = self.url(QUEUE).await;
        self.aws.sqs.send_message().queue_url(url).message_body(body).send().await.unwrap();
    }

    /// Takes the dead-letter queue away from the stage's queue.
    pub(crate) async fn without_dead_letters(&self) {
        let call = self.aws.sqs.set_queue_attributes().queue_url(self.url(QUEUE).await);
        call.attributes(QueueAttributeName::RedrivePolicy, "").send().await.unwrap();
    }

    /// (visible, hidden, delayed) messages of the stage's queue.
    pub(crate) async fn backlog(&self) -> (u32, u32, u32) {
        let url = self.url(QUEUE).await;
        let call = self.aws.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let attributes = call.send().await.unwrap().attributes.unwrap();
        let count = |name| attributes.get(&name).map_or(0, |count| count.parse().unwrap());
        (
            count(QueueAttributeName::ApproximateNumberOfMessages),
            count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        )
    }

    /// Takes one message from the stage's queue, as another worker would: (body, receives).
    pub(crate) async fn take(&self) -> Option<(String, u32)> {
        let url = self.url(QUEUE).await;
        let call = self.aws.sqs.receive_message().queue_url(url).visibility_timeout(0);
        let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
        let message = call.send().await.unwrap().messages?.into_iter().next()?;
        let receives = message.attributes?.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().unwrap();
        Some((message.body?, receives))
    }

    /// The dead letters: (body, reason).
    pub(crate) async fn dead_letters(&self) -> Vec<(String, String)> {
        let url = self.url(DEAD_LETTERS).await;
        let call = self.aws.sqs.receive_message().queue_url(url).max_number_of_messages(10);
        let messages = call.message_attribute_names("All").send().await.unwrap().messages.unwrap_or_default();
        let read = |message: aws_sdk_sqs::types::Message| {
            let attributes = message.message_attributes.unwrap_or_default();
            let reason = attributes.get("LeveeReason").and_then(|reason| reason.string_value.clone());
            (message.body.unwrap_or_default(), reason.unwrap_or_default())
        };
        messages.into_iter().map(read).collect()
    }

    async fn url(&self, name: &str) -> String {
        self.aws.sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap()
    }

    /// How many calls of an operation the twin has had.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.twin.calls().iter().filter(|call| call.operation == operation).count()
    }
}

async fn queues(aws: &Aws) -> String {
    let dead = aws.sqs.create_queue().queue_name(DEAD_LETTERS).send().await.unwrap().queue_url.unwrap();
    let call = aws.sqs.get_queue_attributes().queue_url(dead).attribute_names(QueueAttributeName::QueueArn);
    let arn = call.send().await.unwrap().attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap();
    let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 3}).to_string();
    let queue = aws.sqs.create_queue().queue_name(QUEUE).attributes(QueueAttributeName::RedrivePolicy, policy);
    queue.send().await.unwrap().queue_url.unwrap()
}

async fn machine(aws: &Aws, url: &str, task: Value) -> String {
    let mut state = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": url, "MessageBody": {
            "version": 1,
            "task_token.$": "$$.Task.Token",
            "execution": {"Id.$": "$$.Execution.Id", "Name.$": "$$.Execution.Name",
                "StartTime.$": "$$.Execution.StartTime", "RedriveCount.$": "$$.Execution.RedriveCount"},
            "state": {"Name.$": "$$.State.Name", "EnteredTime.$": "$$.State.EnteredTime", "RetryCount.$": "$$.State.RetryCount"},
            "input.$": "$"
        }},
        "ResultPath": "$.probe",
        "TimeoutSeconds": 864_000,
        "HeartbeatSeconds": 900,
        "End": true
    });
    for (name, value) in task.as_object().unwrap() {
        state[name] = value.clone();
    }
    let definition = json!({"StartAt": "Probe", "States": {"Probe": state}}).to_string();
    let call = aws.sfn.create_state_machine().name("probe").definition(definition);
    let call = call.role_arn(format!("arn:aws:iam::{ACCOUNT}:role/states"));
    call.send().await.unwrap().state_machine_arn
}
