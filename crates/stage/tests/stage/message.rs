//! What is a message and what is not.

use levee_stage::{Message, MessageError};
use rstest::rstest;
use serde_json::json;

fn body() -> serde_json::Value {
    json!({
        "version": 1,
        "task_token": "token",
        "execution": {"Id": "arn:aws:states:us-east-1:222222222222:execution:backup:n", "Name": "n", "StartTime": "2026-04-02T00:00:00Z"},
        "state": {"Name": "JobSubmit", "EnteredTime": "2026-04-02T00:00:00Z", "RetryCount": 2},
        "input": {"run": {}}
    })
}

#[test]
fn body_of_the_state_machine_reads_and_counts_default_to_zero() {
    let message = Message::parse(&body().to_string()).unwrap();
    assert_eq!(message.execution.redrive_count, 0);
    assert_eq!(message.state.retry_count, 2);
    assert_eq!(message.wait, None);
}

#[rstest]
#[case::not_json("{", "EOF")]
#[case::no_object("[]", "no `version`")]
#[case::no_version(r#"{"task_token":"t"}"#, "no `version`")]
#[case::no_token(r#"{"version":1}"#, "task_token")]
fn body_that_is_no_message_is_refused_with_the_reason(#[case] body: &str, #[case] reason: &str) {
    let error = Message::parse(body).unwrap_err();
    assert!(matches!(error, MessageError::Unparsable(_)), "{error:?}");
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn refusal_names_the_path() {
    let mut body = body();
    body["state"]["EnteredTime"] = json!("yesterday");
    let error = Message::parse(&body.to_string()).unwrap_err().to_string();
    assert!(error.contains("state.EnteredTime"), "{error}");
}

#[rstest]
#[case(json!(2))]
#[case(json!("1"))]
#[case(json!(null))]
fn unknown_version_is_told_apart(#[case] version: serde_json::Value) {
    let mut body = body();
    body["version"] = version.clone();
    assert_eq!(Message::parse(&body.to_string()), Err(MessageError::UnknownVersion(version.to_string())));
}
