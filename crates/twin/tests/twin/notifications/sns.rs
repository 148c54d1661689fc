//! Subscriptions, filters, retries and dead letters of SNS.

use aws_sdk_sns::{error::ProvideErrorMetadata, types::MessageAttributeValue};
use levee_twin::{FaultAnswer, FaultPlan};
use rstest::rstest;
use serde_json::{Value, json};

use super::super::common::{builder, twin};
use super::{Hook, World, redrive};

#[tokio::test(start_paused = true)]
async fn http_endpoint_gets_messages_once_it_has_confirmed() {
    let world = World::new(twin());
    let (topic, mut hook) = (world.topic("t").await, Hook::start().await);
    let call = world.sns.subscribe().topic_arn(&topic).protocol("http").endpoint(&hook.url);
    call.send().await.unwrap();
    let asked = hook.next().await;
    assert_eq!(asked.path, "/hook?from=sns");
    assert_eq!(asked.header("x-amz-sns-message-type"), Some("SubscriptionConfirmation"));
    assert_eq!(
        (asked.header("x-amz-sns-topic-arn"), asked.header("x-amz-sns-subscription-arn")),
        (Some(topic.as_str()), None)
    );
    assert_eq!(asked.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(asked.json()["TopicArn"], topic);
    let listed = world.sns.list_subscriptions_by_topic().topic_arn(&topic).send().await.unwrap();
    assert_eq!(listed.subscriptions()[0].subscription_arn(), Some("PendingConfirmation"));
    world.publish(&topic, "too early").await;
    let wrong = world.sns.confirm_subscription().topic_arn(&topic).token("guessed").send().await.unwrap_err();
    assert!(wrong.into_service_error().is_invalid_parameter_exception());

    let confirm = world.sns.confirm_subscription().topic_arn(&topic).token(asked.json()["Token"].as_str().unwrap());
    let arn = confirm.send().await.unwrap().subscription_arn.unwrap();
    let call = world.sns.publish().topic_arn(&topic).message("in time").subject("A night");
    let value = MessageAttributeValue::builder().data_type("String").string_value("v").build().unwrap();
    let id = call.message_attributes("k", value).send().await.unwrap().message_id.unwrap();
    let post = hook.next().await;
    assert_eq!(post.header("x-amz-sns-message-type"), Some("Notification"));
    assert_eq!(post.header("x-amz-sns-message-id"), Some(id.as_str()));
    assert_eq!(post.header("x-amz-sns-subscription-arn"), Some(arn.as_str()));
    assert_eq!(post.header("x-amz-sns-rawdelivery"), None);
    let expected = json!({
        "Type": "Notification", "MessageId": id, "TopicArn": topic, "Subject": "A night", "Message": "in time",
        "Timestamp": "2026-04-02T00:00:00.000Z",
        "UnsubscribeURL": format!("https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={arn}"),
        "MessageAttributes": {"k": {"Type": "String", "Value": "v"}},
    });
    assert_eq!(post.json(), expected);
    assert!(hook.pop().is_none());
}

#[tokio::test(start_paused = true)]
async fn endpoint_that_unsubscribes_is_told_how_to_come_back() {
    let world = World::new(twin());
    let (topic, mut hook) = (world.topic("t").await, Hook::start().await);
    let arn = world.subscribe(&topic, &mut hook, &[]).await;
    world.sns.unsubscribe().subscription_arn(&arn).send().await.unwrap();
    let told = hook.next().await;
    assert_eq!(told.header("x-amz-sns-message-type"), Some("UnsubscribeConfirmation"));
    assert!(told.json()["Message"].as_str().unwrap().contains(&arn));
    world.publish(&topic, "not for the one who left").await;
    let listed = world.sns.list_subscriptions_by_topic().topic_arn(&topic).send().await.unwrap();
    assert!(listed.subscriptions().is_empty());
    let token = told.json()["Token"].as_str().unwrap().to_owned();
    let back = world.sns.confirm_subscription().topic_arn(&topic).token(token).send().await.unwrap();
    assert_eq!(back.subscription_arn(), Some(arn.as_str()));
    world.publish(&topic, "back again").await;
    assert_eq!(hook.next().await.json()["Message"], "back again");
}

#[tokio::test(start_paused = true)]
async fn token_is_good_for_two_days() {
    let world = World::new(twin());
    let (topic, mut hook) = (world.topic("t").await, Hook::start().await);
    world.sns.subscribe().topic_arn(&topic).protocol("http").endpoint(&hook.url).send().await.unwrap();
    let token = hook.next().await.json()["Token"].as_str().unwrap().to_owned();
    world.twin.clock().sleep_until("2026-04-04T00:00:01Z".parse().unwrap()).await;
    let late = world.sns.confirm_subscription().topic_arn(&topic).token(token).send().await.unwrap_err();
    assert!(late.message().unwrap().contains("Token"), "{late:?}");
}

#[tokio::test]
async fn links_in_messages_work_over_tcp() {
    let twin = levee_twin::Twin::builder().build();
    let server = twin.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let credentials = aws_credential_types::Credentials::new(super::BACKUP, "any", None, None, "test");
    let config =
        aws_config::defaults(aws_config::BehaviorVersion::latest()).region(aws_config::Region::new("us-east-1"));
    let config = config.credentials_provider(credentials).endpoint_url(server.url()).load().await;
    let sns = aws_sdk_sns::Client::new(&config);
    let (topic, mut hook) =
        (sns.create_topic().name("t").send().await.unwrap().topic_arn.unwrap(), Hook::start().await);
    sns.subscribe().topic_arn(&topic).protocol("http").endpoint(&hook.url).send().await.unwrap();
    let link = hook.next().await.json()["SubscribeURL"].as_str().unwrap().to_owned();
    assert!(link.starts_with(&server.url()), "{link}");
    let (status, text) = get(&link).await;
    assert!(status == 200 && text.contains("<SubscriptionArn>arn:aws:sns:"), "{status} {text}");
    sns.publish().topic_arn(&topic).message("hello").send().await.unwrap();
    let notification = hook.next().await.json();
    assert_eq!(notification["Message"], "hello");
    assert_eq!(get(notification["UnsubscribeURL"].as_str().unwrap()).await.0, 200);
    assert_eq!(hook.next().await.header("x-amz-sns-message-type"), Some("UnsubscribeConfirmation"));
    server.shutdown().await;
}

/// A plain GET, as a browser does it.
async fn get(url: &str) -> (u16, String) {
    use http_body_util::{BodyExt, Empty};
    let uri: http::Uri = url.parse().unwrap();
    let authority = uri.authority().unwrap().to_string();
    let stream = tokio::net::TcpStream::connect(&authority).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(uri.path_and_query().unwrap().as_str()).header("host", authority);
    let response = sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn failing_endpoint_is_tried_by_the_default_policy_and_then_buried() {
    let world = World::new(twin());
    let (topic, mut hook) = (world.topic("t").await, Hook::start().await);
    let (dead, dead_arn) = world.queue("dead").await;
    world.subscribe(&topic, &mut hook, &[("RedrivePolicy", redrive(&dead_arn))]).await;
    // Two failures and success; then failures only: one attempt and three retries, 20 seconds apart.
    hook.answer_with(&[500, 503, 200, 500, 429, 500, 500]);
    let id = world.publish(&topic, "first").await;
    assert_eq!(world.take(&dead, 0).await, None);
    world.twin.clock().sleep(std::time::Duration::from_secs(100)).await;
    for _ in 0..3 {
        let post = hook.pop().unwrap();
        assert_eq!(
            (post.header("x-amz-sns-message-id"), &post.json()["Message"]),
            (Some(id.as_str()), &json!("first"))
        );
    }
    assert!(hook.pop().is_none());
    let began = world.twin.clock().now();
    world.publish(&topic, "second").await;
    world.twin.clock().sleep(std::time::Duration::from_secs(100)).await;
    let letter: Value = serde_json::from_str(&world.take(&dead, 0).await.unwrap()).unwrap();
    assert_eq!((&letter["Message"], &letter["Type"]), (&json!("second"), &json!("Notification")));
    let buried = world.twin.calls().into_iter().find(|call| call.operation == "SendMessage").unwrap();
    assert_eq!(buried.time.duration_since(began).as_secs(), 60);
    assert_eq!(std::iter::from_fn(|| hook.pop()).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn refusal_by_the_endpoint_is_not_tried_again() {
    let world = World::new(twin());
    let (topic, mut hook) = (world.topic("t").await, Hook::start().await);
    let (dead, dead_arn) = world.queue("dead").await;
    world.subscribe(&topic, &mut hook, &[("RedrivePolicy", redrive(&dead_arn))]).await;
    hook.answer_with(&[403]);
    world.publish(&topic, "unwanted").await;
    let letter: Value = serde_json::from_str(&world.take(&dead, 20).await.unwrap()).unwrap();
    assert_eq!(letter["Message"], "unwanted");
    assert_eq!(std::iter::from_fn(|| hook.pop()).count(), 1);
    // Nobody listens any more: that may pass, so it is tried by the policy of the subscription.
    let arn = world.sns.list_subscriptions().send().await.unwrap().subscriptions()[0].subscription_arn.clone().unwrap();
    let policy = json!({"healthyRetryPolicy": {"numRetries": 2, "numNoDelayRetries": 2}}).to_string();
    let set = world.sns.set_subscription_attributes().subscription_arn(arn).attribute_name("DeliveryPolicy");
    set.attribute_value(policy).send().await.unwrap();
    drop(hook);
    world.publish(&topic, "unheard").await;
    let letter: Value = serde_json::from_str(&world.take(&dead, 20).await.unwrap()).unwrap();
    assert_eq!(letter["Message"], "unheard");
}

#[tokio::test(start_paused = true)]
async fn raw_delivery_posts_the_message_alone() {
    let world = World::new(twin());
    let (topic, mut hook) = (world.topic("t").await, Hook::start().await);
    let policy = json!({"requestPolicy": {"headerContentType": "application/json"}});
    let attributes = [("RawMessageDelivery", json!("true")), ("DeliveryPolicy", policy)];
    world.subscribe(&topic, &mut hook, &attributes).await;
    world.publish(&topic, r#"{"a":1}"#).await;
    let post = hook.next().await;
    assert_eq!((post.body.as_str(), post.header("x-amz-sns-rawdelivery")), (r#"{"a":1}"#, Some("true")));
    assert_eq!(post.header("content-type"), Some("application/json"));
}

#[tokio::test(start_paused = true)]
async fn queue_that_is_gone_is_buried_and_one_that_fails_is_tried_again() {
    let world = World::new(builder().build());
    let topic = world.topic("t").await;
    let ((url, arn), (dead, dead_arn)) = (world.queue("q").await, world.queue("dead").await);
    let gone = arn.replace(":q", ":gone");
    for endpoint in [&arn, &gone] {
        let call = world.sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(endpoint);
        call.attributes("RedrivePolicy", redrive(&dead_arn).to_string()).send().await.unwrap();
    }
    let mut plan = FaultPlan::default().call("sqs", "SendMessage", FaultAnswer::internal_error());
    plan.calls[0].resource = Some(arn.clone());
    // One attempt, three retries at once, one after a second.
    plan.calls[0].limit = Some(5);
    world.twin.set_faults(plan);
    world.publish(&topic, "m").await;
    assert!(world.take(&dead, 0).await.unwrap().contains(r#""Message":"m""#));
    assert!(world.take(&url, 0).await.is_none());
    assert!(world.take(&url, 5).await.unwrap().contains(r#""Message":"m""#));
    assert_eq!(world.twin.clock().now().to_string(), "2026-04-02T00:00:02Z");
    let sent: Vec<_> =
        world.twin.calls().into_iter().filter(|call| call.resource == arn && call.operation == "SendMessage").collect();
    assert_eq!((sent.len(), sent[0].principal.as_str()), (6, "sns.amazonaws.com"));
}

#[rstest]
#[case::attributes(json!({"kind": [{"prefix": "fail"}], "rows": [{"numeric": [">", 2]}]}), "MessageAttributes", true)]
#[case::another_value(json!({"kind": ["completed"]}), "MessageAttributes", false)]
#[case::all_must_match(json!({"kind": ["failed"], "absent": [{"exists": true}]}), "MessageAttributes", false)]
#[case::alternatives(json!({"$or": [{"kind": ["x"]}, {"rows": [3]}]}), "MessageAttributes", true)]
#[case::body(json!({"detail": {"source": [{"anything-but": ["lake"]}]}}), "MessageBody", true)]
#[case::network(json!({"ip": [{"cidr": "10.0.0.0/8"}]}), "MessageBody", true)]
#[case::other_body(json!({"detail": {"source": ["lake"]}}), "MessageBody", false)]
#[tokio::test(start_paused = true)]
async fn filter_policy_decides_who_gets_a_message(#[case] policy: Value, #[case] scope: &str, #[case] expected: bool) {
    let world = World::new(twin());
    let topic = world.topic("t").await;
    let (url, arn) = world.queue("q").await;
    let call =
        world.sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(arn).attributes("FilterPolicyScope", scope);
    call.attributes("FilterPolicy", policy.to_string()).send().await.unwrap();
    let value =
        |kind: &str, text: &str| MessageAttributeValue::builder().data_type(kind).string_value(text).build().unwrap();
    let message = json!({"detail": {"source": "sea"}, "ip": "10.1.2.3"}).to_string();
    let call = world.sns.publish().topic_arn(&topic).message(message);
    let call =
        call.message_attributes("kind", value("String", "failed")).message_attributes("rows", value("Number", "3"));
    call.send().await.unwrap();
    assert_eq!(world.take(&url, 0).await.is_some(), expected);
}

#[rstest]
#[case("http", "http://example.com/hook", "other machines")]
#[case("https", "https://127.0.0.1/hook", "TLS")]
#[case("email", "someone@example.com", "email")]
#[tokio::test(start_paused = true)]
async fn endpoint_that_the_twin_does_not_reach_is_refused_by_name(
    #[case] protocol: &str,
    #[case] endpoint: &str,
    #[case] part: &str,
) {
    let world = World::new(twin());
    let topic = world.topic("t").await;
    let error = world.sns.subscribe().topic_arn(topic).protocol(protocol).endpoint(endpoint).send().await.unwrap_err();
    assert_eq!(error.code(), Some("NotImplemented"));
    assert!(error.message().unwrap().contains(part), "{error:?}");
}
