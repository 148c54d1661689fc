//! SQS through the SDK, in process, on the paused clock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_sqs::{
    Client,
    error::ProvideErrorMetadata,
    types::{
        Message, MessageAttributeValue, MessageSystemAttributeName as System, QueueAttributeName as Name,
        SendMessageBatchRequestEntry,
    },
};
use levee_clock::Clock;
use levee_twin::{
    FaultPlan, Twin,
    faults::{MessageFault, MessageFaultKind, When},
    service::Principal,
    sqs::{MessageEvent, MessageWatcher},
};
use rstest::rstest;
use tokio::time::Instant;

use super::common::{BACKUP, WAREHOUSE, twin};

/// A client of the backup account and the URL of a queue `levee-x`.
async fn queue(twin: &Twin, attributes: &[(Name, &str)]) -> (Client, String) {
    let client = Client::new(&twin.sdk_config(BACKUP, &Principal::Root));
    let url = create(&client, "levee-x", attributes).await;
    (client, url)
}

async fn create(client: &Client, name: &str, attributes: &[(Name, &str)]) -> String {
    let attributes: HashMap<_, _> =
        attributes.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
    let made = client.create_queue().queue_name(name).set_attributes(Some(attributes)).send().await.unwrap();
    made.queue_url.unwrap()
}

async fn send(client: &Client, url: &str, body: &str) {
    client.send_message().queue_url(url).message_body(body).send().await.unwrap();
}

async fn receive(client: &Client, url: &str, wait: i32) -> Option<Message> {
    let call = client.receive_message().queue_url(url).wait_time_seconds(wait);
    let call = call.message_system_attribute_names(System::All).message_attribute_names("All");
    call.send().await.unwrap().messages.and_then(|mut messages| messages.pop())
}

async fn attribute(client: &Client, url: &str, name: Name) -> String {
    let answer = client.get_queue_attributes().queue_url(url).attribute_names(Name::All).send().await.unwrap();
    answer.attributes.unwrap()[&name].clone()
}

#[tokio::test(start_paused = true)]
async fn message_goes_through_with_its_attributes_and_is_gone_after_delete() {
    let twin = twin();
    let (client, url) = queue(&twin, &[]).await;
    assert_eq!(url, format!("https://sqs.us-east-1.amazonaws.com/{BACKUP}/levee-x"));
    let text = MessageAttributeValue::builder().data_type("String").string_value("v").build().unwrap();
    let bytes =
        MessageAttributeValue::builder().data_type("Binary").binary_value(b"\0\xff".to_vec().into()).build().unwrap();
    let call = client.send_message().queue_url(&url).message_body("{\"a\": \"ü\"}");
    // The SDK checks the MD5 of body and attributes itself.
    let sent = call.message_attributes("t", text.clone()).message_attributes("b", bytes.clone()).send().await.unwrap();
    let message = receive(&client, &url, 0).await.unwrap();
    assert_eq!(message.message_id, sent.message_id);
    assert_eq!(message.body(), Some("{\"a\": \"ü\"}"));
    assert_eq!(message.md5_of_message_attributes, sent.md5_of_message_attributes);
    assert_eq!(message.message_attributes(), Some(&HashMap::from([("t".to_owned(), text), ("b".to_owned(), bytes)])));
    let system = message.attributes().unwrap();
    assert_eq!(system[&System::ApproximateReceiveCount], "1");
    assert_eq!(system[&System::SentTimestamp], twin.clock().now().as_millisecond().to_string());
    assert_eq!(system[&System::SenderId], BACKUP);
    assert_eq!(attribute(&client, &url, Name::ApproximateNumberOfMessagesNotVisible).await, "1");
    client.delete_message().queue_url(&url).receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(receive(&client, &url, 0).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn long_poll_ends_at_its_limit_and_at_the_first_message() {
    let twin = twin();
    let (client, url) = queue(&twin, &[]).await;
    let start = Instant::now();
    assert!(receive(&client, &url, 20).await.is_none());
    assert_eq!(start.elapsed().as_secs(), 20);
    let waiting = tokio::spawn({
        let (client, url) = (client.clone(), url.clone());
        async move { receive(&client, &url, 20).await }
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let start = Instant::now();
    send(&client, &url, "now").await;
    assert_eq!(waiting.await.unwrap().unwrap().body(), Some("now"));
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn long_poll_wakes_for_a_delay_and_for_a_visibility_timeout() {
    let twin = twin();
    let (client, url) = queue(&twin, &[(Name::VisibilityTimeout, "7")]).await;
    let start = Instant::now();
    client.send_message().queue_url(&url).message_body("late").delay_seconds(12).send().await.unwrap();
    assert_eq!(attribute(&client, &url, Name::ApproximateNumberOfMessagesDelayed).await, "1");
    let first = receive(&client, &url, 20).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 12);
    let second = receive(&client, &url, 20).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 19);
    assert_eq!(second.attributes().unwrap()[&System::ApproximateReceiveCount], "2");
    assert_ne!(first.receipt_handle, second.receipt_handle);
}

#[tokio::test(start_paused = true)]
async fn only_the_last_receipt_handle_acts_on_a_message() {
    let twin = twin();
    let (client, url) = queue(&twin, &[(Name::VisibilityTimeout, "1")]).await;
    send(&client, &url, "x").await;
    let old = receive(&client, &url, 0).await.unwrap().receipt_handle.unwrap();
    let new = receive(&client, &url, 5).await.unwrap().receipt_handle.unwrap();
    client.delete_message().queue_url(&url).receipt_handle(&old).send().await.unwrap();
    assert_eq!(attribute(&client, &url, Name::ApproximateNumberOfMessagesNotVisible).await, "1");
    let change = |handle: &str, seconds| {
        client.change_message_visibility().queue_url(&url).receipt_handle(handle).visibility_timeout(seconds).send()
    };
    assert_eq!(change(&old, 30).await.unwrap_err().code(), Some("InvalidParameterValue"));
    change(&new, 3600).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3599)).await;
    assert!(receive(&client, &url, 0).await.is_none());
    assert_eq!(change(&new, 43_200).await.unwrap_err().code(), Some("InvalidParameterValue"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(change(&new, 5).await.unwrap_err().into_service_error().is_message_not_inflight());
    let bogus = client.delete_message().queue_url(&url).receipt_handle("bogus").send().await.unwrap_err();
    assert_eq!(bogus.code(), Some("ReceiptHandleIsInvalid"));
}

#[tokio::test(start_paused = true)]
async fn message_received_too_often_goes_to_the_dead_letter_queue_and_can_be_moved_back() {
    let twin = twin();
    let client = Client::new(&twin.sdk_config(BACKUP, &Principal::Root));
    let dead = create(&client, "levee-x-dlq", &[]).await;
    let arn = attribute(&client, &dead, Name::QueueArn).await;
    let policy = format!("{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":2}}");
    let url = create(&client, "levee-x", &[(Name::RedrivePolicy, &policy), (Name::VisibilityTimeout, "0")]).await;
    send(&client, &url, "poison").await;
    assert!(receive(&client, &url, 0).await.is_some());
    assert!(receive(&client, &url, 0).await.is_some());
    assert!(receive(&client, &url, 0).await.is_none());
    let letter = receive(&client, &dead, 0).await.unwrap();
    assert_eq!(letter.body(), Some("poison"));
    let source = &letter.attributes().unwrap()[&System::DeadLetterQueueSourceArn];
    assert_eq!(*source, attribute(&client, &url, Name::QueueArn).await);
    let sources = client.list_dead_letter_source_queues().queue_url(&dead).send().await.unwrap();
    assert_eq!(sources.queue_urls(), std::slice::from_ref(&url));
    tokio::time::sleep(Duration::from_secs(31)).await;
    client.start_message_move_task().source_arn(&arn).send().await.unwrap();
    let tasks = client.list_message_move_tasks().source_arn(&arn).send().await.unwrap();
    assert_eq!(tasks.results()[0].approximate_number_of_messages_moved, 1);
    assert_eq!(receive(&client, &url, 0).await.unwrap().body(), Some("poison"));
}

#[tokio::test(start_paused = true)]
async fn messages_older_than_the_retention_period_are_gone() {
    let twin = twin();
    let (client, url) = queue(&twin, &[(Name::MessageRetentionPeriod, "3600")]).await;
    send(&client, &url, "old").await;
    tokio::time::sleep(Duration::from_secs(1800)).await;
    send(&client, &url, "young").await;
    tokio::time::sleep(Duration::from_secs(1801)).await;
    assert_eq!(receive(&client, &url, 0).await.unwrap().body(), Some("young"));
    assert!(receive(&client, &url, 0).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn batches_say_which_entries_failed() {
    let twin = twin();
    let (client, url) = queue(&twin, &[]).await;
    let entry =
        |id: &str, body: &str| SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap();
    let call = client.send_message_batch().queue_url(&url).entries(entry("a", "x")).entries(entry("b", "\u{1}"));
    let answer = call.send().await.unwrap();
    assert_eq!(answer.successful()[0].id(), "a");
    assert_eq!((answer.failed()[0].id(), answer.failed()[0].code()), ("b", "InvalidMessageContents"));
    let twice = client.send_message_batch().queue_url(&url).entries(entry("a", "x")).entries(entry("a", "y"));
    let error = twice.send().await.unwrap_err().into_service_error();
    assert!(error.is_batch_entry_ids_not_distinct(), "{error:?}");
    let none = client.send_message_batch().queue_url(&url).set_entries(Some(vec![])).send().await.unwrap_err();
    assert!(none.into_service_error().is_empty_batch_request());
}

#[tokio::test(start_paused = true)]
async fn queues_are_made_once_found_by_name_and_gone_when_deleted() {
    let twin = twin();
    let (client, url) = queue(&twin, &[(Name::VisibilityTimeout, "60")]).await;
    assert_eq!(create(&client, "levee-x", &[(Name::VisibilityTimeout, "60")]).await, url);
    let other = client.create_queue().queue_name("levee-x").attributes(Name::VisibilityTimeout, "61").send().await;
    assert!(other.unwrap_err().into_service_error().is_queue_name_exists());
    create(&client, "other", &[]).await;
    let list = client.list_queues().queue_name_prefix("levee-").send().await.unwrap();
    assert_eq!(list.queue_urls(), std::slice::from_ref(&url));
    client.delete_queue().queue_url(&url).send().await.unwrap();
    let gone = client.get_queue_url().queue_name("levee-x").send().await.unwrap_err();
    assert!(gone.into_service_error().is_queue_does_not_exist());
    let soon = client.create_queue().queue_name("levee-x").send().await.unwrap_err();
    assert!(soon.into_service_error().is_queue_deleted_recently());
    tokio::time::sleep(Duration::from_secs(60)).await;
    create(&client, "levee-x", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn other_accounts_are_refused() {
    let twin = twin();
    let (_, url) = queue(&twin, &[]).await;
    let stranger = Client::new(&twin.sdk_config(WAREHOUSE, &Principal::Root));
    let error = stranger.send_message().queue_url(&url).message_body("x").send().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"));
}

#[rstest]
#[case::fifo("orders.fifo", "NotImplemented")]
#[case::bad_name("a b", "InvalidParameterValue")]
#[tokio::test(start_paused = true)]
async fn queue_names_that_cannot_be_are_refused(#[case] name: &str, #[case] code: &str) {
    let client = Client::new(&twin().sdk_config(BACKUP, &Principal::Root));
    assert_eq!(client.create_queue().queue_name(name).send().await.unwrap_err().code(), Some(code));
}

#[tokio::test(start_paused = true)]
async fn body_over_a_mebibyte_is_refused_and_one_of_a_mebibyte_is_not() {
    let twin = twin();
    let (client, url) = queue(&twin, &[]).await;
    send(&client, &url, &"x".repeat(1 << 20)).await;
    let over = client.send_message().queue_url(&url).message_body("x".repeat((1 << 20) + 1)).send().await;
    assert_eq!(over.unwrap_err().code(), Some("InvalidParameterValue"));
}

#[tokio::test(start_paused = true)]
async fn many_long_polls_share_the_messages_without_loss_or_repetition() {
    let twin = twin();
    let (client, url) = queue(&twin, &[(Name::VisibilityTimeout, "600")]).await;
    let workers: Vec<_> = (0..20)
        .map(|_| {
            let (client, url) = (client.clone(), url.clone());
            tokio::spawn(async move {
                let mut bodies = Vec::new();
                while let Some(message) = receive(&client, &url, 20).await {
                    bodies.push(message.body.unwrap());
                }
                bodies
            })
        })
        .collect();
    for number in 0..100 {
        send(&client, &url, &format!("{number:03}")).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let mut bodies = Vec::new();
    for worker in workers {
        bodies.extend(worker.await.unwrap());
    }
    bodies.sort();
    assert_eq!(bodies, (0..100).map(|number| format!("{number:03}")).collect::<Vec<_>>());
}

/// A queue whose messages meet these faults.
async fn faulty(rules: &[MessageFault]) -> (Twin, Client, String) {
    let twin = twin();
    let (client, url) = queue(&twin, &[]).await;
    twin.set_faults(FaultPlan { messages: rules.to_vec(), ..FaultPlan::default() });
    (twin, client, url)
}

async fn delete(client: &Client, url: &str, message: &Message) {
    let handle = message.receipt_handle().unwrap();
    client.delete_message().queue_url(url).receipt_handle(handle).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn duplicated_message_is_received_again_after_its_delete_with_a_handle_of_its_own() {
    let rule = MessageFault { limit: Some(1), ..MessageFault::new(MessageFaultKind::Duplicated { seconds: 60 }) };
    let (twin, client, url) = faulty(&[rule]).await;
    send(&client, &url, "twice").await;
    send(&client, &url, "once").await;
    let first = receive(&client, &url, 0).await.unwrap();
    delete(&client, &url, &first).await;
    let other = receive(&client, &url, 0).await.unwrap();
    delete(&client, &url, &other).await;
    assert!(receive(&client, &url, 20).await.is_none());
    tokio::time::sleep(Duration::from_secs(40)).await;
    let second = receive(&client, &url, 0).await.unwrap();
    assert_eq!((second.body(), second.message_id()), (Some("twice"), first.message_id()));
    assert_ne!(second.receipt_handle(), first.receipt_handle());
    delete(&client, &url, &second).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(receive(&client, &url, 0).await.is_none());
    assert_eq!(twin.struck()["messages[0]"], 1);
}

#[tokio::test(start_paused = true)]
async fn delayed_message_is_hidden_for_so_much_longer_in_the_queues_that_are_named() {
    let kind = MessageFaultKind::Delayed { seconds: 100 };
    let here = MessageFault { queue: Some("levee-*".to_owned()), when: When::Nth(2), ..MessageFault::new(kind) };
    let elsewhere = MessageFault { queue: Some("other-*".to_owned()), ..MessageFault::new(kind) };
    let (twin, client, url) = faulty(&[elsewhere, here]).await;
    send(&client, &url, "now").await;
    client.send_message().queue_url(&url).message_body("later").delay_seconds(50).send().await.unwrap();
    assert_eq!(receive(&client, &url, 0).await.unwrap().body(), Some("now"));
    assert_eq!(attribute(&client, &url, Name::ApproximateNumberOfMessagesDelayed).await, "1");
    let began = Instant::now();
    let message = loop {
        if let Some(message) = receive(&client, &url, 20).await.filter(|message| message.body() == Some("later")) {
            break message;
        }
    };
    assert_eq!((message.body(), began.elapsed().as_secs()), (Some("later"), 150));
    assert_eq!(twin.struck().len(), 1);
}

#[rstest]
#[case::others_come(2, &["b", "c", "a", "d"])]
#[case::too_few_come(9, &["b", "c", "d", "a"])]
#[tokio::test(start_paused = true)]
async fn reordered_message_goes_behind_the_next_ones_and_is_not_lost_when_none_come(
    #[case] behind: u32,
    #[case] order: &[&str],
) {
    let kind = MessageFaultKind::Reordered { behind, seconds: 300 };
    let (_twin, client, url) = faulty(&[MessageFault { when: When::Nth(1), ..MessageFault::new(kind) }]).await;
    for body in ["a", "b", "c", "d"] {
        send(&client, &url, body).await;
    }
    let began = Instant::now();
    let mut got = Vec::new();
    while got.len() < 4 {
        if let Some(message) = receive(&client, &url, 20).await {
            delete(&client, &url, &message).await;
            got.push(message.body().unwrap().to_owned());
        }
    }
    assert_eq!(got, order);
    assert!(began.elapsed() <= Duration::from_secs(300));
}

/// Keeps what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<(String, String)>>);

impl MessageWatcher for Told {
    fn happened(&self, queue: &str, _id: &str, event: MessageEvent<'_>) {
        self.0.lock().unwrap().push((queue.rsplit(':').next().unwrap().to_owned(), format!("{event:?}")));
    }
}

#[tokio::test(start_paused = true)]
async fn watcher_is_told_the_life_of_each_message() {
    let (told, clock) = (Arc::new(Told::default()), Clock::starting_at("2026-04-02T00:00:00Z".parse().unwrap()));
    let watcher = Arc::clone(&told) as Arc<dyn MessageWatcher>;
    let twin = Twin::builder().clock(clock).message_watcher(watcher).build();
    let (client, dead) = queue(&twin, &[]).await;
    let arn = attribute(&client, &dead, Name::QueueArn).await;
    let policy = format!("{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":1}}");
    let url = create(&client, "levee-y", &[(Name::RedrivePolicy, &policy), (Name::VisibilityTimeout, "5")]).await;
    client.send_message().queue_url(&url).message_body("a").delay_seconds(3).send().await.unwrap();
    let handle = receive(&client, &url, 10).await.unwrap().receipt_handle.unwrap();
    client.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
    send(&client, &url, "b").await;
    receive(&client, &url, 0).await.unwrap();
    assert!(receive(&client, &url, 10).await.is_none());
    let sent = |body: &str, ready: &str| ("levee-y".to_owned(), format!("Sent {{ body: {body:?}, ready: {ready} }}"));
    let other = |event: &str| ("levee-y".to_owned(), event.to_owned());
    let expected = [
        sent("a", "2026-04-02T00:00:03Z"),
        other("Received { times: 1 }"),
        other("Deleted"),
        sent("b", "2026-04-02T00:00:03Z"),
        other("Received { times: 1 }"),
        other("GivenUp"),
    ];
    assert_eq!(*told.0.lock().unwrap(), expected);
}
