//! SNS, and the way of a notification from an event to queues and HTTP endpoints.

mod hook;
mod path;
mod sns;

use aws_sdk_sqs::types::QueueAttributeName;
use levee_twin::{Twin, service::Principal};
use serde_json::{Value, json};

use self::hook::Hook;
use super::common::BACKUP;

/// The clients of one twin.
struct World {
    twin: Twin,
    events: aws_sdk_eventbridge::Client,
    sfn: aws_sdk_sfn::Client,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
}

impl World {
    fn new(twin: Twin) -> Self {
        let config = twin.sdk_config(BACKUP, &Principal::Root);
        Self {
            events: aws_sdk_eventbridge::Client::new(&config),
            sfn: aws_sdk_sfn::Client::new(&config),
            sns: aws_sdk_sns::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            twin,
        }
    }

    async fn topic(&self, name: &str) -> String {
        self.sns.create_topic().name(name).send().await.unwrap().topic_arn.unwrap()
    }

    /// A queue's URL and ARN.
    async fn queue(&self, name: &str) -> (String, String) {
        let url = self.sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
        let ask = self.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
        let arn = ask.send().await.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
        (url, arn)
    }

    /// The body of the next message within the wait, taken out of the queue.
    async fn take(&self, url: &str, wait_seconds: i32) -> Option<String> {
        let call = self.sqs.receive_message().queue_url(url).wait_time_seconds(wait_seconds);
        let message = call.send().await.unwrap().messages?.remove(0);
        let handle = message.receipt_handle().unwrap();
        self.sqs.delete_message().queue_url(url).receipt_handle(handle).send().await.unwrap();
        message.body
    }

    /// Subscribes an endpoint and confirms it with the token that it was sent; returns the ARN.
    async fn subscribe(&self, topic: &str, hook: &mut Hook, attributes: &[(&str, Value)]) -> String {
        let mut call = self.sns.subscribe().topic_arn(topic).protocol("http").endpoint(&hook.url);
        for (name, value) in attributes {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            call = call.attributes(*name, text);
        }
        assert_eq!(call.send().await.unwrap().subscription_arn(), Some("pending confirmation"));
        let asked = hook.next().await;
        assert_eq!(asked.header("x-amz-sns-message-type"), Some("SubscriptionConfirmation"));
        let token = asked.json()["Token"].as_str().unwrap().to_owned();
        let confirm = self.sns.confirm_subscription().topic_arn(topic).token(token);
        confirm.send().await.unwrap().subscription_arn.unwrap()
    }

    async fn publish(&self, topic: &str, message: &str) -> String {
        self.sns.publish().topic_arn(topic).message(message).send().await.unwrap().message_id.unwrap()
    }
}

fn redrive(arn: &str) -> Value {
    json!({"deadLetterTargetArn": arn})
}
