//! The record of calls: what each was, by whom, what it needed, and what came of it.

pub(crate) mod endpoint;
mod needs;

use std::time::Duration;

use aws_sdk_s3::Client as S3;
use aws_sdk_sqs::{Client as Sqs, config::retry::RetryConfig};
use levee_twin::{CallFilter, FaultAnswer, FaultPlan, Outcome, OutcomeFilter, RecordedCall, Twin, service::Principal};
use rstest::rstest;

use super::common::{BACKUP, WAREHOUSE, builder, twin};

pub(crate) const ROLE: &str = "arn:aws:iam::222222222222:role/levee-worker";

/// An S3 client of a role, or of the root, that tries once.
pub(crate) fn s3(twin: &Twin, account: &str, role: Option<&str>) -> S3 {
    let principal = role.map_or(Principal::Root, |arn| Principal::Role(arn.to_owned()));
    let config = twin.sdk_config(account, &principal).into_builder().retry_config(RetryConfig::disabled()).build();
    S3::new(&config)
}

fn sqs(twin: &Twin) -> Sqs {
    Sqs::new(&twin.sdk_config(BACKUP, &Principal::Root))
}

pub(crate) fn last(twin: &Twin) -> RecordedCall {
    twin.calls().pop().unwrap()
}

fn error(code: &str, status: u16, planned: bool) -> Option<Outcome> {
    Some(Outcome::Error { code: code.into(), status, planned })
}

#[tokio::test(start_paused = true)]
async fn success_real_errors_and_planned_faults_are_told_apart() {
    let twin = twin();
    let (own, foreign) = (s3(&twin, WAREHOUSE, None), s3(&twin, BACKUP, Some(ROLE)));
    own.create_bucket().bucket("lake").send().await.unwrap();
    assert_eq!(last(&twin).outcome, Some(Outcome::Ok));
    own.get_object().bucket("lake").key("none").send().await.unwrap_err();
    assert_eq!(last(&twin).outcome, error("NoSuchKey", 404, false));
    own.head_object().bucket("lake").key("none").send().await.unwrap_err();
    assert_eq!(last(&twin).outcome, error("NoSuchKey", 404, false));
    foreign.get_object().bucket("lake").key("none").send().await.unwrap_err();
    let denied = last(&twin);
    assert_eq!(denied.outcome, error("AccessDenied", 403, false));
    assert_eq!((denied.account.as_str(), denied.principal.as_str()), (BACKUP, ROLE));
    sqs(&twin).get_queue_url().queue_name("none").send().await.unwrap_err();
    assert_eq!(last(&twin).error(), Some("QueueDoesNotExist"));
    twin.set_faults(FaultPlan::default().call("s3", "PutObject", FaultAnswer::slow_down()));
    own.put_object().bucket("lake").key("a").send().await.unwrap_err();
    assert_eq!(last(&twin).outcome, error("SlowDown", 503, true));
    assert_eq!(last(&twin).planned_fault(), Some("SlowDown"));
    let numbers: Vec<_> = twin.calls().iter().map(|call| call.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test(start_paused = true)]
async fn long_poll_has_no_outcome_until_it_is_answered() {
    let twin = twin();
    let client = sqs(&twin);
    let url = client.create_queue().queue_name("q").send().await.unwrap().queue_url.unwrap();
    let poll = tokio::spawn(client.receive_message().queue_url(url).wait_time_seconds(20).send());
    twin.gate().reached(2).await;
    assert_eq!((last(&twin).operation.as_str(), last(&twin).outcome), ("ReceiveMessage", None));
    let open = twin.call_counts().into_iter().find(|count| count.operation == "ReceiveMessage").unwrap();
    assert_eq!((open.outcome, open.count), (None, 1));
    tokio::time::sleep(Duration::from_secs(21)).await;
    poll.await.unwrap().unwrap();
    assert_eq!(last(&twin).outcome, Some(Outcome::Ok));
    assert!(twin.call_counts().iter().all(|count| count.outcome.is_some()));
}

#[tokio::test(start_paused = true)]
async fn poll_whose_caller_goes_away_stays_without_outcome() {
    let twin = twin();
    let client = sqs(&twin);
    let url = client.create_queue().queue_name("q").send().await.unwrap().queue_url.unwrap();
    let poll = tokio::spawn(client.receive_message().queue_url(url).wait_time_seconds(20).send());
    twin.gate().reached(2).await;
    poll.abort();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(last(&twin).outcome, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_understood_is_recorded_as_refused() {
    let twin = twin();
    let client = s3(&twin, WAREHOUSE, None);
    client.get_bucket_acl().bucket("lake").send().await.unwrap_err();
    let acl = last(&twin);
    assert_eq!((acl.service.as_str(), acl.operation.as_str(), acl.resource.as_str()), ("s3", "", "/lake/"));
    assert_eq!(acl.outcome, error("NotImplemented", 501, false));
    sqs(&twin)
        .add_permission()
        .queue_url("http://x/1/q")
        .label("l")
        .aws_account_ids("1")
        .actions("*")
        .send()
        .await
        .unwrap_err();
    assert_eq!((last(&twin).operation.as_str(), last(&twin).error()), ("AddPermission", Some("NotImplemented")));
}

#[tokio::test(start_paused = true)]
async fn counts_are_of_all_calls_and_the_record_is_of_the_last() {
    let twin = builder().record_limit(2).build();
    let client = s3(&twin, WAREHOUSE, None);
    client.create_bucket().bucket("lake").send().await.unwrap();
    for _ in 0..3 {
        client.head_bucket().bucket("lake").send().await.unwrap();
    }
    client.get_object().bucket("lake").key("none").send().await.unwrap_err();
    let kept: Vec<_> = twin.calls().into_iter().map(|call| (call.number, call.operation.to_string())).collect();
    assert_eq!(kept, [(4, "HeadBucket".to_owned()), (5, "GetObject".to_owned())]);
    let counts: Vec<_> =
        twin.call_counts().into_iter().map(|c| (c.operation.to_string(), c.outcome, c.count)).collect();
    let expected = [
        ("CreateBucket".to_owned(), Some(Outcome::Ok), 1),
        ("GetObject".to_owned(), error("NoSuchKey", 404, false), 1),
        ("HeadBucket".to_owned(), Some(Outcome::Ok), 3),
    ];
    assert_eq!(counts, expected);
    let none = builder().record_limit(0).build();
    s3(&none, WAREHOUSE, None).list_buckets().send().await.unwrap();
    assert_eq!((none.calls().len(), none.call_counts().len(), none.gate().count()), (0, 1, 1));
}

#[rstest]
#[case::all(CallFilter::default(), &[1, 2, 3, 4])]
#[case::operation(CallFilter { operation: Some("PutObject".into()), ..CallFilter::default() }, &[2, 3])]
#[case::service(CallFilter { service: Some("sqs".into()), ..CallFilter::default() }, &[])]
#[case::resource(CallFilter { resource: Some("lake/b".into()), ..CallFilter::default() }, &[3])]
#[case::errors(CallFilter { outcome: Some(OutcomeFilter::Error), ..CallFilter::default() }, &[4])]
#[case::code(CallFilter { outcome: Some(OutcomeFilter::Code("NoSuchKey".into())), ..CallFilter::default() }, &[4])]
#[case::planned(CallFilter { outcome: Some(OutcomeFilter::Planned), ..CallFilter::default() }, &[])]
#[case::ok(CallFilter { outcome: Some(OutcomeFilter::Ok), limit: Some(2), ..CallFilter::default() }, &[1, 2])]
#[case::after(CallFilter { after: 2, ..CallFilter::default() }, &[3, 4])]
#[case::since(CallFilter { since: Some("2026-04-02T00:01:00Z".parse().unwrap()), ..CallFilter::default() }, &[4])]
#[case::account(CallFilter { account: Some(BACKUP.into()), ..CallFilter::default() }, &[])]
#[case::principal(CallFilter { principal: Some("root".into()), after: 3, ..CallFilter::default() }, &[4])]
#[tokio::test(start_paused = true)]
async fn filters_choose_calls(#[case] filter: CallFilter, #[case] expected: &[u64]) {
    let twin = twin();
    let client = s3(&twin, WAREHOUSE, None);
    client.create_bucket().bucket("lake").send().await.unwrap();
    client.put_object().bucket("lake").key("a").send().await.unwrap();
    client.put_object().bucket("lake").key("b").send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    client.get_object().bucket("lake").key("none").send().await.unwrap_err();
    let found: Vec<_> = twin.calls_where(&filter).iter().map(|call| call.number).collect();
    assert_eq!(found, expected);
}
