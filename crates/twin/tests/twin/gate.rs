//! The gate: calls are recorded, planned faults strike, clients die where they are told to.

use aws_sdk_sqs::{Client, config::retry::RetryConfig, error::ProvideErrorMetadata};
use levee_twin::{FaultAnswer, FaultPlan, When, service::Principal};

use super::common::{BACKUP, builder, twin};

#[tokio::test(start_paused = true)]
async fn operation_that_is_not_modelled_is_refused_by_name() {
    let twin = twin();
    let sqs = Client::new(&twin.sdk_config(BACKUP, &Principal::Root));
    let error =
        sqs.add_permission().queue_url("http://x/1/q").label("l").aws_account_ids("1").actions("*").send().await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Some("NotImplemented"));
    assert!(error.message().unwrap().contains("AddPermission"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn planned_fault_strikes_the_nth_call_and_is_recorded() {
    let plan = FaultPlan::default().call_when("sqs", "ListQueues", When::Nth(2), FaultAnswer::throttling());
    let twin = builder().faults(plan).build();
    let role = Principal::Role("arn:aws:iam::222222222222:role/levee".to_owned());
    let config = twin.sdk_config(BACKUP, &role).into_builder().retry_config(RetryConfig::disabled()).build();
    let sqs = Client::new(&config);
    sqs.list_queues().send().await.unwrap();
    let struck = sqs.list_queues().send().await.unwrap_err();
    assert_eq!(struck.code(), Some("ThrottlingException"));
    twin.set_faults(FaultPlan::default());
    sqs.list_queues().send().await.unwrap();
    let calls = twin.calls();
    let refused: Vec<_> = calls.iter().map(|call| call.planned_fault()).collect();
    assert_eq!(refused, [None, Some("ThrottlingException"), None]);
    assert_eq!((calls[0].operation.as_str(), calls[0].account.as_str()), ("ListQueues", BACKUP));
    assert_eq!(calls[0].principal, "arn:aws:iam::222222222222:role/levee");
}

#[tokio::test(start_paused = true)]
async fn sdk_retries_get_past_a_passing_fault() {
    let plan = FaultPlan::default().call_when("sqs", "ListQueues", When::Nth(1), FaultAnswer::internal_error());
    let twin = builder().faults(plan).build();
    Client::new(&twin.sdk_config(BACKUP, &Principal::Root)).list_queues().send().await.unwrap();
    assert_eq!(twin.gate().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn dying_client_makes_its_calls_and_no_more() {
    let twin = twin();
    let (connector, died) = twin.connector().dying_after(2);
    let sqs = Client::new(&twin.sdk_config_on(connector, BACKUP, &Principal::Root));
    let work = tokio::spawn(async move {
        for name in ["a", "b", "c"] {
            sqs.create_queue().queue_name(name).send().await.unwrap();
        }
    });
    died.cancelled().await;
    assert!(!work.is_finished());
    work.abort();
    let names: Vec<_> = twin.calls().into_iter().map(|call| call.resource).collect();
    assert_eq!(names, ["arn:aws:sqs:us-east-1:222222222222:a", "arn:aws:sqs:us-east-1:222222222222:b"]);
}
