//! EventBridge Scheduler through the SDK, on a paused clock.

mod calls;
mod invocations;

use aws_sdk_scheduler::{
    Client,
    operation::create_schedule::builders::CreateScheduleFluentBuilder,
    types::{DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, Target},
};
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use levee_twin::{Twin, service::Principal};
use serde_json::{Value, json};

use super::common::BACKUP;

/// The role of every target.
const ROLE: &str = "arn:aws:iam::222222222222:role/schedules";

/// The clients of one twin.
struct World {
    twin: Twin,
    scheduler: Client,
    sqs: aws_sdk_sqs::Client,
    sfn: aws_sdk_sfn::Client,
}

impl World {
    fn new(twin: Twin) -> Self {
        let config = twin.sdk_config(BACKUP, &Principal::Root);
        Self {
            scheduler: Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            sfn: aws_sdk_sfn::Client::new(&config),
            twin,
        }
    }

    /// A queue's URL and ARN.
    async fn queue(&self, name: &str) -> (String, String) {
        let url = self.sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
        let ask = self.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
        let arn = ask.send().await.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
        (url, arn)
    }

    /// The ARN of a state machine that succeeds at once.
    async fn machine(&self, name: &str) -> String {
        let definition = json!({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}).to_string();
        let call = self.sfn.create_state_machine().name(name).definition(definition);
        call.role_arn("arn:aws:iam::222222222222:role/states").send().await.unwrap().state_machine_arn
    }

    /// CreateSchedule of a target without a flexible window.
    fn create(&self, name: &str, expression: &str, target: Target) -> CreateScheduleFluentBuilder {
        let call = self.scheduler.create_schedule().name(name).schedule_expression(expression).target(target);
        call.flexible_time_window(off())
    }

    /// Lets the clock run to a time.
    async fn until(&self, time: &str) {
        self.twin.clock().sleep_until(time.parse().unwrap()).await;
    }

    /// The next message within the wait, taken out of the queue.
    async fn take(&self, url: &str, wait_seconds: i32) -> Option<Message> {
        let call = self.sqs.receive_message().queue_url(url).wait_time_seconds(wait_seconds);
        let message = call.message_attribute_names("All").send().await.unwrap().messages?.remove(0);
        let handle = message.receipt_handle().unwrap();
        self.sqs.delete_message().queue_url(url).receipt_handle(handle).send().await.unwrap();
        Some(message)
    }

    /// The names and inputs of a machine's executions, oldest first.
    async fn executions(&self, machine: &str) -> Vec<(String, Value)> {
        let listed = self.sfn.list_executions().state_machine_arn(machine).send().await.unwrap().executions;
        let mut all = Vec::new();
        for one in listed.into_iter().rev() {
            let seen = self.sfn.describe_execution().execution_arn(one.execution_arn).send().await.unwrap();
            all.push((one.name, serde_json::from_str(seen.input().unwrap()).unwrap()));
        }
        all
    }
}

fn off() -> FlexibleTimeWindow {
    FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().unwrap()
}

fn target(arn: &str, input: &str) -> aws_sdk_scheduler::types::builders::TargetBuilder {
    Target::builder().arn(arn).role_arn(ROLE).input(input)
}

fn dead_letters(arn: &str) -> DeadLetterConfig {
    DeadLetterConfig::builder().arn(arn).build()
}

fn retries(attempts: i32, age_seconds: i32) -> RetryPolicy {
    let policy = RetryPolicy::builder().maximum_retry_attempts(attempts);
    policy.maximum_event_age_in_seconds(age_seconds).build()
}

fn attribute<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.message_attributes()?.get(name)?.string_value()
}
