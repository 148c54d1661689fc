//! Queues and dead-letter queues.

use aws_sdk_sqs::types::QueueAttributeName;
use rstest::rstest;

use super::assert_found;
use crate::doctor::support::Ward;

async fn url(ward: &Ward, name: &str) -> String {
    ward.backup.aws.sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap()
}

#[rstest]
#[case::no_dead_letters(QueueAttributeName::RedrivePolicy, "", "queue/redrive")]
#[case::dead_letters_elsewhere(
    QueueAttributeName::RedrivePolicy,
    r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:222222222222:levee-job-submit-dlq","maxReceiveCount":5}"#,
    "queue/redrive"
)]
#[case::one_receipt(
    QueueAttributeName::RedrivePolicy,
    r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:222222222222:levee-job-poll-dlq","maxReceiveCount":1}"#,
    "queue/redrive"
)]
#[case::retention(QueueAttributeName::MessageRetentionPeriod, "3600", "queue/settings")]
#[case::visibility(QueueAttributeName::VisibilityTimeout, "0", "queue/settings")]
#[case::size(QueueAttributeName::MaximumMessageSize, "1024", "queue/settings")]
#[tokio::test(start_paused = true)]
async fn attribute_that_loses_messages_is_found(
    #[case] attribute: QueueAttributeName,
    #[case] value: &str,
    #[case] check: &str,
) {
    let ward = Ward::new().await;
    let set = ward.backup.aws.sqs.set_queue_attributes().queue_url(url(&ward, "levee-job-poll").await);
    set.attributes(attribute, value).send().await.unwrap();
    assert_found(&ward, check, "backup module").await;
}

#[rstest]
#[case("levee-job-poll", "queue/exists")]
#[case("levee-report-parse-dlq", "dead-letter-queue/exists")]
#[case("levee-events-dlq", "dead-letter-queue/exists")]
#[tokio::test(start_paused = true)]
async fn queue_that_is_gone_is_found(#[case] queue: &str, #[case] check: &str) {
    let ward = Ward::new().await;
    ward.backup.aws.sqs.delete_queue().queue_url(url(&ward, queue).await).send().await.unwrap();
    assert_found(&ward, check, "terraform apply").await;
}

#[rstest]
#[case("levee-job-poll-dlq", "start-message-move-task")]
#[case("levee-schedules-dlq", "ExecutionAlreadyExists")]
#[case("levee-events-dlq", "topic/policy")]
#[case("levee-notifications-dlq", "endpoint")]
#[tokio::test(start_paused = true)]
async fn message_in_a_dead_letter_queue_is_found(#[case] queue: &str, #[case] remedy: &str) {
    let ward = Ward::new().await;
    let send = ward.backup.aws.sqs.send_message().queue_url(url(&ward, queue).await).message_body("{}");
    send.send().await.unwrap();
    assert_found(&ward, "dead-letter-queue/empty", remedy).await;
}
