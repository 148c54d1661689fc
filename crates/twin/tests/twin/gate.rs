//! The gate: calls are recorded, planned faults strike.

use aws_sdk_sqs::{Client, error::ProvideErrorMetadata};
use levee_twin::service::Principal;

use super::common::{BACKUP, twin};

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
