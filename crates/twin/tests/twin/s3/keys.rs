//! Objects under keys: of the customer's own, and of KMS.

use aws_sdk_kms::types::GrantOperation;
use aws_sdk_s3::{Client, error::ProvideErrorMetadata, primitives::ByteStream, types::ServerSideEncryption};
use base64::{Engine, engine::general_purpose::STANDARD};
use levee_twin::{Twin, service::Principal};
use md5::{Digest, Md5};
use rstest::rstest;

use super::{bucket, client, code, root};
use crate::twin::common::{BACKUP, WAREHOUSE, twin};

const ROLE: &str = "arn:aws:iam::222222222222:role/copy";

/// A key of the customer's own, and its MD5.
fn customer_key(byte: u8) -> (String, String) {
    let key = [byte; 32];
    (STANDARD.encode(key), STANDARD.encode(Md5::digest(key)))
}

async fn put_secret(s3: &Client) {
    let (key, md5) = customer_key(1);
    let put = s3.put_object().bucket("lake").key("secret").body(ByteStream::from_static(b"x"));
    let put = put.sse_customer_algorithm("AES256").sse_customer_key(key).sse_customer_key_md5(&md5).send();
    let put = put.await.unwrap();
    assert_eq!((put.sse_customer_algorithm(), put.sse_customer_key_md5()), (Some("AES256"), Some(md5.as_str())));
    assert_eq!(put.server_side_encryption(), None);
}

#[tokio::test(start_paused = true)]
async fn object_under_a_customers_key_is_read_and_copied_with_that_key_alone() {
    let twin = twin();
    let s3 = root(&twin, WAREHOUSE);
    bucket(&s3, "lake", false).await;
    put_secret(&s3).await;
    let get = || s3.get_object().bucket("lake").key("secret");
    let copy = || s3.copy_object().bucket("lake").key("copy").copy_source("lake/secret");
    assert_eq!(code(get().send().await), "InvalidRequest");
    assert_eq!(code(copy().send().await), "InvalidRequest");
    let head = s3.head_object().bucket("lake").key("secret").send().await.unwrap_err();
    assert_eq!(head.raw_response().unwrap().status().as_u16(), 400);
    let (other, other_md5) = customer_key(2);
    let wrong = get().sse_customer_algorithm("AES256").sse_customer_key(other).sse_customer_key_md5(other_md5);
    assert_eq!(code(wrong.send().await), "AccessDenied");
    let (key, md5) = customer_key(1);
    let right = get().sse_customer_algorithm("AES256").sse_customer_key(&key).sse_customer_key_md5(&md5);
    assert_eq!(right.send().await.unwrap().body.collect().await.unwrap().to_vec(), b"x");
    let right = copy().copy_source_sse_customer_algorithm("AES256").copy_source_sse_customer_key(&key);
    right.copy_source_sse_customer_key_md5(&md5).send().await.unwrap();
    let copied = s3.get_object().bucket("lake").key("copy").send().await.unwrap();
    assert_eq!(copied.server_side_encryption(), Some(&ServerSideEncryption::Aes256));
}

#[rstest]
#[case::key_without_md5(Some(customer_key(1).0), None, "InvalidArgument")]
#[case::md5_of_another(Some(customer_key(1).0), Some(customer_key(2).1), "InvalidArgument")]
#[case::short_key(Some(STANDARD.encode([1])), Some(STANDARD.encode(Md5::digest([1]))), "InvalidArgument")]
#[tokio::test(start_paused = true)]
async fn customers_keys_that_are_none_are_refused(
    #[case] key: Option<String>,
    #[case] md5: Option<String>,
    #[case] refused: &str,
) {
    let twin = twin();
    let s3 = root(&twin, WAREHOUSE);
    bucket(&s3, "lake", false).await;
    let put = s3.put_object().bucket("lake").key("a").sse_customer_algorithm("AES256");
    let put = put.set_sse_customer_key(key).set_sse_customer_key_md5(md5);
    assert_eq!(code(put.send().await), refused);
    let upload = s3.create_multipart_upload().bucket("lake").key("a").sse_customer_algorithm("AES256");
    assert_eq!(code(upload.send().await), "NotImplemented");
}

/// A lake that another account's role may read, with an object under that key of KMS, or under `aws/s3`.
async fn lake_under(twin: &Twin, key: Option<&str>) -> Client {
    let s3 = root(twin, WAREHOUSE);
    bucket(&s3, "lake", false).await;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{ROLE}"}},
          "Action":"s3:GetObject","Resource":"arn:aws:s3:::lake/*"}}]}}"#
    );
    s3.put_bucket_policy().bucket("lake").policy(policy).send().await.unwrap();
    let put = s3.put_object().bucket("lake").key("a").body(ByteStream::from_static(b"x"));
    let put = put.server_side_encryption(ServerSideEncryption::AwsKms).set_ssekms_key_id(key.map(str::to_owned));
    put.send().await.unwrap();
    let role = client(twin, BACKUP, &Principal::Role(ROLE.to_owned()));
    bucket(&role, "copies", false).await;
    role
}

async fn copy(role: &Client) -> Result<(), (String, String)> {
    let copy = role.copy_object().bucket("copies").key("a").copy_source("lake/a").send().await;
    copy.map(|_| ()).map_err(|error| (error.code().unwrap().to_owned(), error.message().unwrap().to_owned()))
}

#[tokio::test(start_paused = true)]
async fn object_under_the_managed_key_is_read_by_its_own_account_alone() {
    let twin = twin();
    let role = lake_under(&twin, None).await;
    let (code, message) = copy(&role).await.unwrap_err();
    assert_eq!(code, "AccessDenied");
    assert!(message.contains(ROLE) && message.contains("kms:Decrypt"), "{message}");
    root(&twin, WAREHOUSE).get_object().bucket("lake").key("a").send().await.unwrap();
    role.head_object().bucket("lake").key("a").send().await.unwrap();
}

/// What lets the role decrypt, or not.
#[derive(Clone, Copy)]
enum Leave {
    Nothing,
    Grant(GrantOperationName),
    Policy(&'static str),
    GrantOfADisabledKey,
    KeyNobodyMade,
}

#[derive(Clone, Copy)]
enum GrantOperationName {
    Decrypt,
    DescribeKey,
}

const LETS_THE_ACCOUNT: &str =
    r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:root"},"Action":"kms:Decrypt","Resource":"*"}"#;
const LETS_THE_ROLE: &str = r#"{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::222222222222:role/copy"]},"Action":["kms:*"],"Resource":"*"}"#;
const LETS_ANOTHER: &str =
    r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:role/other"},"Action":"kms:*","Resource":"*"}"#;
const LETS_UNDER_A_CONDITION: &str =
    r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"Bool":{"a":"b"}}}"#;
const DENIES: &str = r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"},{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::222222222222:role/copy"},"Action":"kms:Decrypt","Resource":"*"}"#;

#[rstest]
#[case::nothing(Leave::Nothing, Some("AccessDenied"))]
#[case::grant(Leave::Grant(GrantOperationName::Decrypt), None)]
#[case::grant_of_something_else(Leave::Grant(GrantOperationName::DescribeKey), Some("AccessDenied"))]
#[case::policy_for_the_account(Leave::Policy(LETS_THE_ACCOUNT), None)]
#[case::policy_for_the_role(Leave::Policy(LETS_THE_ROLE), None)]
#[case::policy_for_another(Leave::Policy(LETS_ANOTHER), Some("AccessDenied"))]
#[case::policy_under_a_condition(Leave::Policy(LETS_UNDER_A_CONDITION), Some("AccessDenied"))]
#[case::policy_that_denies(Leave::Policy(DENIES), Some("AccessDenied"))]
#[case::disabled(Leave::GrantOfADisabledKey, Some("KMS.DisabledException"))]
#[case::unknown(Leave::KeyNobodyMade, Some("AccessDenied"))]
#[tokio::test(start_paused = true)]
async fn copy_of_an_object_under_anothers_key_needs_leave_to_decrypt(
    #[case] leave: Leave,
    #[case] refused: Option<&str>,
) {
    let twin = twin();
    let kms = aws_sdk_kms::Client::new(&twin.sdk_config(WAREHOUSE, &Principal::Root));
    let made = kms.create_key().send().await.unwrap();
    let key = made.key_metadata().unwrap().arn().unwrap();
    let grant = |operation| kms.create_grant().key_id(key).grantee_principal(ROLE).operations(operation).send();
    match leave {
        Leave::Nothing | Leave::KeyNobodyMade => {}
        Leave::Grant(GrantOperationName::Decrypt) => drop(grant(GrantOperation::Decrypt).await.unwrap()),
        Leave::Grant(GrantOperationName::DescribeKey) => drop(grant(GrantOperation::DescribeKey).await.unwrap()),
        Leave::Policy(statements) => {
            let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
            kms.put_key_policy().key_id(key).policy(policy).send().await.unwrap();
        }
        Leave::GrantOfADisabledKey => {
            grant(GrantOperation::Decrypt).await.unwrap();
            kms.disable_key().key_id(key).send().await.unwrap();
        }
    }
    let unknown = "arn:aws:kms:us-east-1:111111111111:key/nobody-made-it";
    let key = if matches!(leave, Leave::KeyNobodyMade) { unknown } else { key };
    let role = lake_under(&twin, Some(key)).await;
    let outcome = copy(&role).await;
    assert_eq!(outcome.err().map(|(code, _)| code).as_deref(), refused);
}
