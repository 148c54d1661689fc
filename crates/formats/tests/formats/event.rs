use levee_formats::event::{self, EventError, Notification};
use rstest::rstest;

fn message(source: &str, key: &str) -> String {
    format!(
        r#"{{"Records":[{{"eventVersion":"2.1","eventSource":"{source}","awsRegion":"us-east-1",
        "eventTime":"2026-11-21T21:12:55.000Z","eventName":"ObjectRemoved:Delete",
        "s3":{{"bucket":{{"name":"manifests"}},"object":{{"key":"{key}","sequencer":"00"}}}}}}]}}"#
    )
}

#[test]
fn a_key_is_form_decoded_and_a_deletion_has_no_size() {
    let parsed = event::parse(message("aws:s3", "inv/a+b%2Bc").as_bytes()).unwrap();
    let Notification::Objects(objects) = parsed else { panic!("{parsed:?}") };
    assert_eq!(objects.len(), 1);
    assert_eq!((objects[0].key.as_str(), objects[0].size), ("inv/a b+c", None));
}

#[test]
fn the_test_event_stands_for_no_object() {
    let message = br#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#;
    assert_eq!(event::parse(message).unwrap(), Notification::Test);
}

#[rstest]
#[case::not_json("nonsense", "not an S3 event")]
#[case::another_message(r#"{"hello":1}"#, "no member \"Records\"")]
#[case::another_service(&message("aws:sqs", "k"), "not of aws:s3")]
#[case::a_broken_key(&message("aws:s3", "a%4"), "not followed by two hexadecimal digits")]
#[case::a_key_that_is_no_text(&message("aws:s3", "a%FF"), "does not decode to UTF-8")]
fn what_is_not_a_notification_is_refused_by_name(#[case] message: &str, #[case] reason: &str) {
    let error: EventError = event::parse(message.as_bytes()).unwrap_err();
    assert!(error.to_string().contains(reason), "{error}");
}
