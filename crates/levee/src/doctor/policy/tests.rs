#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rstest::rstest;
use serde_json::json;

use super::*;

const BUCKET: &str = "arn:aws:s3:::lake";
const OBJECTS: &str = "arn:aws:s3:::lake/*";
const ROLE: &str = "arn:aws:iam::222222222222:role/levee-batch-copy";
const BREAK_GLASS: &str = "arn:aws:iam::222222222222:role/break-glass";

fn document(statements: Value) -> Document {
    Document::parse(&json!({ "Statement": statements }).to_string()).unwrap()
}

fn allow(principal: Value) -> Value {
    json!({"Sid": "Reads", "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject*", "Resource": OBJECTS})
}

fn deny(condition: Value) -> Value {
    json!({
        "Sid": "Wall", "Effect": "Deny", "Principal": "*", "Action": ["s3:*"], "Resource": [BUCKET, OBJECTS],
        "Condition": condition,
    })
}

fn read() -> Request<'static> {
    Request {
        who: Who::Role(ROLE),
        action: "s3:GetObject",
        resource: "arn:aws:s3:::lake/key".to_owned(),
        facts: vec![
            ("aws:SecureTransport", Fact::Is("true".to_owned())),
            ("aws:PrincipalArn", Fact::Is(ROLE.to_owned())),
            ("aws:SourceArn", Fact::Absent),
        ],
    }
}

#[rstest]
#[case::role(json!({"AWS": ROLE}), Answer::Allowed)]
#[case::one_of_several(json!({"AWS": ["arn:aws:iam::222222222222:role/other", ROLE]}), Answer::Allowed)]
#[case::its_account(json!({"AWS": "222222222222"}), Answer::Allowed)]
#[case::root_of_its_account(json!({"AWS": "arn:aws:iam::222222222222:root"}), Answer::Allowed)]
#[case::anyone(json!("*"), Answer::Allowed)]
#[case::other_account(json!({"AWS": "arn:aws:iam::333333333333:root"}), Answer::Silent)]
#[case::service(json!({"Service": "s3.amazonaws.com"}), Answer::Silent)]
fn principal_covers_the_role_or_not(#[case] principal: Value, #[case] expected: Answer) {
    assert_eq!(document(json!([allow(principal)])).answer(&read()), expected);
}

#[rstest]
#[case::plain_http(json!({"Bool": {"aws:SecureTransport": "false"}}), Answer::Allowed)]
#[case::exempt(json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:role/levee-*"}}), Answer::Allowed)]
#[case::not_exempt(json!({"ArnNotLike": {"aws:PrincipalArn": [BREAK_GLASS]}}), Answer::Denied("Wall".to_owned()))]
#[case::absent_key(json!({"StringEquals": {"aws:SourceArn": "x"}}), Answer::Allowed)]
#[case::absent_key_if_exists(json!({"StringEqualsIfExists": {"aws:SourceArn": "x"}}), Answer::Denied("Wall".to_owned()))]
#[case::absent_key_negated(json!({"StringNotEquals": {"aws:SourceArn": "x"}}), Answer::Denied("Wall".to_owned()))]
#[case::null(json!({"Null": {"aws:SourceArn": "true"}}), Answer::Denied("Wall".to_owned()))]
#[case::unknown_key(json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}), Answer::PerhapsDenied("Wall".to_owned()))]
#[case::unknown_operator(json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), Answer::PerhapsDenied("Wall".to_owned()))]
#[case::unknown_key_beside_one_that_fails(
    json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}, "Bool": {"aws:SecureTransport": "false"}}),
    Answer::Allowed
)]
fn denial_wins_where_its_condition_holds(#[case] condition: Value, #[case] expected: Answer) {
    let document = document(json!([deny(condition), allow(json!({"AWS": ROLE}))]));
    assert_eq!(document.answer(&read()), expected);
}

#[rstest]
#[case::services_let_out(json!({"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}), true)]
#[case::break_glass_too(
    json!({"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}, "ArnNotLike": {"aws:PrincipalArn": BREAK_GLASS}}), true)]
#[case::nobody_let_out(json!({}), true)]
#[case::another_role(json!({"ArnNotLike": {"aws:PrincipalArn": [BREAK_GLASS, ROLE]}}), false)]
#[case::only_some_roles(json!({"ArnLike": {"aws:PrincipalArn": BREAK_GLASS}}), false)]
#[case::other_condition(json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}), false)]
fn removal_is_denied_to_all_but_break_glass_and_services(#[case] condition: Value, #[case] holds: bool) {
    let found =
        document(json!([deny(condition)])).denies_to_all_but("s3:DeleteObject", OBJECTS, &[BREAK_GLASS.to_owned()]);
    assert_eq!(found.is_ok(), holds, "{found:?}");
}

#[test]
fn denial_for_part_of_the_bucket_or_some_principals_does_not_count() {
    let mut part = deny(json!({}));
    part["Resource"] = json!("arn:aws:s3:::lake/data/*");
    let mut some = deny(json!({}));
    some["Principal"] = json!({"AWS": "333333333333"});
    let mut others = deny(json!({}));
    others["Action"] = json!("s3:PutObject");
    let document = document(json!([part, some, others]));
    assert!(document.denies_to_all_but("s3:DeleteObject", OBJECTS, &[]).is_err());
}

#[test]
fn plain_http_is_denied_by_exactly_that_condition() {
    let plain = json!({"Bool": {"aws:SecureTransport": "false"}});
    assert!(document(json!([deny(plain)])).denies_plain_http([BUCKET, OBJECTS]));
    let narrowed = json!({"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:SourceVpce": "vpce-1"}});
    assert!(!document(json!([deny(narrowed)])).denies_plain_http([BUCKET, OBJECTS]));
}

#[rstest]
#[case::not_json("{")]
#[case::no_statement("{}")]
#[case::no_action(r#"{"Statement":{"Effect":"Deny","Principal":"*","Resource":"*"}}"#)]
#[case::no_principal(r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#)]
#[case::other_effect(r#"{"Statement":{"Effect":"Maybe","Principal":"*","Action":"*","Resource":"*"}}"#)]
fn what_is_not_understood_is_an_error(#[case] text: &str) {
    assert!(Document::parse(text).is_err());
}
