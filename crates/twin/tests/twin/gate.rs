//! The gate: calls are recorded, planned faults strike, clients die where they are told to.

use aws_sdk_sqs::{Client, config::retry::RetryConfig, error::ProvideErrorMetadata};
use levee_twin::{CallFault, FaultAnswer, FaultPlan, When, service::Principal};

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

fn deadly(answer: FaultAnswer) -> FaultPlan {
    CallFault::new(answer).of("sqs", "CreateQueue").when(When::Nth(2)).into()
}

#[rstest::rstest]
#[case::before_the_effect(FaultAnswer::Death, 1)]
#[case::after_the_effect(FaultAnswer::DeathAfter, 2)]
#[tokio::test(start_paused = true)]
async fn mortal_client_dies_over_the_planned_call_and_gets_no_answer_any_more(
    #[case] answer: FaultAnswer,
    #[case] queues: usize,
) {
    let twin = builder().faults(deadly(answer)).build();
    let (connector, died) = twin.connector().mortal();
    let sqs = Client::new(&twin.sdk_config_on(connector, BACKUP, &Principal::Root));
    let waiting = sqs.clone();
    let work = tokio::spawn(async move {
        for name in ["a", "b", "c"] {
            sqs.create_queue().queue_name(name).send().await.unwrap();
        }
    });
    died.cancelled().await;
    let after = waiting.list_queues().send();
    assert!(tokio::time::timeout(std::time::Duration::from_secs(10), after).await.is_err(), "the dead are answered");
    assert!(!work.is_finished());
    work.abort();
    let other = Client::new(&twin.sdk_config(BACKUP, &Principal::Root));
    assert_eq!(other.list_queues().send().await.unwrap().queue_urls().len(), queues);
    assert_eq!(twin.struck()["calls[0]"], 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_else_dies_and_the_sheltered_meet_no_fault() {
    let throttled = CallFault::new(FaultAnswer::Throttled).of("sqs", "ListQueues");
    let twin = builder().faults(deadly(FaultAnswer::Death).and(throttled.into())).build();
    let ordinary = Client::new(&twin.sdk_config(BACKUP, &Principal::Root));
    for name in ["a", "b", "c"] {
        ordinary.create_queue().queue_name(name).send().await.unwrap();
    }
    let watching = Client::new(&twin.sdk_config_on(twin.connector().sheltered(), BACKUP, &Principal::Root));
    assert_eq!(watching.list_queues().send().await.unwrap().queue_urls().len(), 3);
    assert!(twin.struck().is_empty(), "{:?}", twin.struck());
    assert!(ordinary.list_queues().send().await.is_err());
}

/// The code and the HTTP status of a refused call, as the service's own client reads them.
macro_rules! refusal {
    ($call:expr) => {{
        let error = $call.send().await.unwrap_err();
        (error.code().map(str::to_owned).unwrap(), error.raw_response().unwrap().status().as_u16())
    }};
}

#[rstest::rstest]
#[case::throttled(
    FaultAnswer::Throttled,
    ["SlowDown 503", "TooManyRequestsException 400", "ThrottlingException 400", "ThrottlingException 400", "ThrottlingException 400"]
)]
#[case::internal(
    FaultAnswer::Internal,
    ["InternalError 500", "InternalServiceException 500", "InternalFailure 500", "InternalFailure 500", "InternalException 500"]
)]
#[case::denied(
    FaultAnswer::Denied,
    ["AccessDenied 403", "AccessDenied 403", "AccessDeniedException 400", "AccessDeniedException 400", "AccessDeniedException 400"]
)]
#[tokio::test(start_paused = true)]
async fn answers_have_the_code_and_the_form_of_the_service(#[case] answer: FaultAnswer, #[case] expected: [&str; 5]) {
    let twin = builder().faults(CallFault::new(answer).into()).build();
    let config = twin.sdk_config(BACKUP, &Principal::Root).into_builder().retry_config(RetryConfig::disabled()).build();
    let control = aws_sdk_s3control::Client::new(&config);
    let seen = [
        refusal!(aws_sdk_s3::Client::new(&config).list_buckets()),
        refusal!(control.describe_job().account_id(BACKUP).job_id("j")),
        refusal!(Client::new(&config).list_queues()),
        refusal!(aws_sdk_sfn::Client::new(&config).list_state_machines()),
        refusal!(aws_sdk_eventbridge::Client::new(&config).list_event_buses()),
    ];
    assert_eq!(seen.map(|(code, status)| format!("{code} {status}")), expected);
}
