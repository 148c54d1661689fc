//! Bucket policies decide who may do what.

use levee_twin::{Twin, service::Principal};
use rstest::rstest;

use super::{bucket, client, code, put, root};
use crate::twin::common::{BACKUP, WAREHOUSE, twin};

const ROLE: &str = "arn:aws:iam::222222222222:role/copy";

async fn policy(twin: &Twin, statement: &str) -> Result<(), String> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    let put = root(twin, WAREHOUSE).put_bucket_policy().bucket("lake").policy(&text).send().await;
    put.map(drop).map_err(|error| error.into_service_error().to_string())
}

async fn lake() -> Twin {
    let twin = twin();
    bucket(&root(&twin, WAREHOUSE), "lake", false).await;
    put(&root(&twin, WAREHOUSE), "lake", "k", "x").await;
    twin
}

#[tokio::test(start_paused = true)]
async fn another_account_may_do_what_the_policy_allows_and_no_more() {
    let twin = lake().await;
    let role = client(&twin, BACKUP, &Principal::Role(ROLE.into()));
    assert_eq!(code(role.get_object().bucket("lake").key("k").send().await), "AccessDenied");
    let statement = format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"{ROLE}"}},"Action":"s3:Get*","Resource":"arn:aws:s3:::lake/*"}}"#
    );
    policy(&twin, &statement).await.unwrap();
    role.get_object().bucket("lake").key("k").send().await.unwrap();
    // Without s3:ListBucket a missing key is not told.
    assert_eq!(code(role.get_object().bucket("lake").key("missing").send().await), "AccessDenied");
    assert_eq!(code(role.list_objects_v2().bucket("lake").send().await), "AccessDenied");
    assert_eq!(code(role.delete_object().bucket("lake").key("k").send().await), "AccessDenied");
}

#[tokio::test(start_paused = true)]
async fn an_explicit_deny_binds_the_owner_but_not_its_hand_on_the_policy() {
    let twin = lake().await;
    let everything =
        r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::lake","arn:aws:s3:::lake/*"]}"#;
    policy(&twin, everything).await.unwrap();
    let owner = root(&twin, WAREHOUSE);
    assert_eq!(code(owner.get_object().bucket("lake").key("k").send().await), "AccessDenied");
    owner.delete_bucket_policy().bucket("lake").send().await.unwrap();
    owner.get_object().bucket("lake").key("k").send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deny_except_for_one_role_lets_that_role_in() {
    let twin = lake().await;
    let keeper = "arn:aws:iam::111111111111:role/keeper";
    let statement = format!(
        r#"{{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::lake/*",
        "Condition":{{"ArnNotLike":{{"aws:PrincipalArn":"{keeper}"}}}}}}"#
    );
    policy(&twin, &statement).await.unwrap();
    let refused = root(&twin, WAREHOUSE).delete_object().bucket("lake").key("k").send().await;
    assert_eq!(code(refused), "AccessDenied");
    let keeper = client(&twin, WAREHOUSE, &Principal::Role(keeper.into()));
    keeper.delete_object().bucket("lake").key("k").send().await.unwrap();
}

#[rstest]
#[case("arn:aws:s3:::source", "bucket-owner-full-control", true)]
#[case("arn:aws:s3:::other", "bucket-owner-full-control", false)]
#[tokio::test(start_paused = true)]
async fn a_service_delivers_for_the_source_that_the_policy_names(
    #[case] source: &'static str,
    #[case] acl: &str,
    #[case] allowed: bool,
) {
    let twin = lake().await;
    let statement = r#"{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"s3:PutObject",
        "Resource":"arn:aws:s3:::lake/*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::source"},
        "StringEquals":{"aws:SourceAccount":"222222222222","s3:x-amz-acl":"bucket-owner-full-control"}}}"#;
    policy(&twin, statement).await.unwrap();
    let service = client(&twin, BACKUP, &Principal::Service("s3.amazonaws.com".into()));
    let put = service.put_object().bucket("lake").key("inventory").acl(acl.into()).customize();
    let put = put.mutate_request(move |request| {
        request.headers_mut().insert("x-levee-twin-source-arn", source);
        request.headers_mut().insert("x-levee-twin-source-account", BACKUP);
    });
    assert_eq!(put.send().await.is_ok(), allowed);
}

#[rstest]
#[case(r#"{"Effect":"Allow","NotPrincipal":{"AWS":"*"},"Action":"s3:*","Resource":"arn:aws:s3:::lake"}"#)]
#[case(r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::other"}"#)]
#[case(r#"{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"arn:aws:s3:::lake"}"#)]
#[case(r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::lake","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#)]
#[case(r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::lake","Condition":{"StringEquals":{"s3:prefix":"a"}}}"#)]
#[tokio::test(start_paused = true)]
async fn a_policy_that_is_not_understood_is_refused(#[case] statement: &str) {
    let twin = lake().await;
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    let put = root(&twin, WAREHOUSE).put_bucket_policy().bucket("lake").policy(text).send().await;
    assert_eq!(code(put), "MalformedPolicy");
}
