//! What calls need, as a policy would have to allow it.

use aws_sdk_s3::{
    Client,
    types::{Delete, ObjectIdentifier, ObjectLockMode, TaggingDirective},
};
use levee_twin::{Twin, service::Principal};
use rstest::rstest;
use serde_json::json;

use super::{ROLE, last, s3};
use crate::twin::{
    common::{BACKUP, WAREHOUSE, builder, twin},
    sfn_common::{machine, task},
};

fn needs(twin: &Twin) -> Vec<(&'static str, String)> {
    last(twin).needs.into_iter().map(|need| (need.action, need.resource.to_string())).collect()
}

/// A bucket with an object without tags, one with tags, and their client.
async fn lake(twin: &Twin) -> Client {
    let client = s3(twin, WAREHOUSE, None);
    client.create_bucket().bucket("lake").send().await.unwrap();
    client.put_object().bucket("lake").key("plain").send().await.unwrap();
    client.put_object().bucket("lake").key("tagged").tagging("t=1").send().await.unwrap();
    client
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Get,
    GetVersion,
    GetMissing,
    Head,
    List,
    ListVersions,
    Put,
    PutLocked,
    Delete,
    DeleteMany,
    Copy,
    CopyTagged,
    CopyReplacing,
    Buckets,
}

async fn make(client: &Client, call: Call) {
    match call {
        Call::Get => drop(client.get_object().bucket("lake").key("plain").send().await),
        Call::GetVersion => drop(client.get_object().bucket("lake").key("plain").version_id("null").send().await),
        Call::GetMissing => drop(client.get_object().bucket("lake").key("none").send().await),
        Call::Head => drop(client.head_object().bucket("lake").key("plain").send().await),
        Call::List => drop(client.list_objects_v2().bucket("lake").send().await),
        Call::ListVersions => drop(client.list_object_versions().bucket("lake").send().await),
        Call::Put => drop(client.put_object().bucket("lake").key("new").tagging("a=b").send().await),
        Call::PutLocked => {
            let until = aws_sdk_s3::primitives::DateTime::from_secs(1_900_000_000);
            let put = client.put_object().bucket("lake").key("new").object_lock_mode(ObjectLockMode::Governance);
            drop(put.object_lock_retain_until_date(until).send().await);
        }
        Call::Delete => drop(client.delete_object().bucket("lake").key("plain").send().await),
        Call::DeleteMany => {
            let key = |key: &str| ObjectIdentifier::builder().key(key);
            let both = [key("plain").build().unwrap(), key("tagged").version_id("null").build().unwrap()];
            let delete = Delete::builder().set_objects(Some(both.to_vec())).build().unwrap();
            drop(client.delete_objects().bucket("lake").delete(delete).send().await);
        }
        Call::Copy => drop(client.copy_object().bucket("lake").key("b").copy_source("lake/plain").send().await),
        Call::CopyTagged => drop(client.copy_object().bucket("lake").key("b").copy_source("lake/tagged").send().await),
        Call::CopyReplacing => {
            let copy = client.copy_object().bucket("lake").key("b").copy_source("lake/tagged?versionId=null");
            drop(copy.tagging_directive(TaggingDirective::Replace).tagging("n=1").send().await);
        }
        Call::Buckets => drop(client.list_buckets().send().await),
    }
}

#[rstest]
#[case(Call::Get, &[("s3:GetObject", "lake/plain")])]
#[case(Call::GetVersion, &[("s3:GetObjectVersion", "lake/plain")])]
#[case(Call::GetMissing, &[("s3:GetObject", "lake/none"), ("s3:ListBucket", "lake")])]
#[case(Call::Head, &[("s3:GetObject", "lake/plain")])]
#[case(Call::List, &[("s3:ListBucket", "lake")])]
#[case(Call::ListVersions, &[("s3:ListBucketVersions", "lake")])]
#[case(Call::Put, &[("s3:PutObject", "lake/new"), ("s3:PutObjectTagging", "lake/new")])]
#[case(Call::PutLocked, &[("s3:PutObject", "lake/new"), ("s3:PutObjectRetention", "lake/new")])]
#[case(Call::Delete, &[("s3:DeleteObject", "lake/plain")])]
#[case(Call::DeleteMany, &[("s3:DeleteObject", "lake/plain"), ("s3:DeleteObjectVersion", "lake/tagged")])]
#[case(Call::Copy, &[("s3:GetObject", "lake/plain"), ("s3:PutObject", "lake/b")])]
#[case(Call::CopyTagged, &[("s3:GetObject", "lake/tagged"), ("s3:PutObject", "lake/b"), ("s3:GetObjectTagging", "lake/tagged"), ("s3:PutObjectTagging", "lake/b")])]
#[case(Call::CopyReplacing, &[("s3:GetObjectVersion", "lake/tagged"), ("s3:PutObject", "lake/b"), ("s3:PutObjectTagging", "lake/b")])]
#[case(Call::Buckets, &[("s3:ListAllMyBuckets", "*")])]
#[tokio::test(start_paused = true)]
async fn s3_calls_need(#[case] call: Call, #[case] expected: &[(&'static str, &str)]) {
    let twin = twin();
    let client = lake(&twin).await;
    make(&client, call).await;
    let arn = |part: &str| if part == "*" { part.to_owned() } else { format!("arn:aws:s3:::{part}") };
    let expected: Vec<_> = expected.iter().map(|(action, part)| (*action, arn(part))).collect();
    assert_eq!(needs(&twin), expected);
}

#[tokio::test(start_paused = true)]
async fn bucket_with_object_lock_needs_more_than_a_plain_one() {
    let twin = twin();
    let client = s3(&twin, BACKUP, Some(ROLE));
    client.create_bucket().bucket("plain").send().await.unwrap();
    assert_eq!(needs(&twin), [("s3:CreateBucket", "arn:aws:s3:::plain".to_owned())]);
    client.create_bucket().bucket("locked").object_lock_enabled_for_bucket(true).send().await.unwrap();
    let actions: Vec<_> = needs(&twin).into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, ["s3:CreateBucket", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"]);
}

#[tokio::test(start_paused = true)]
async fn call_that_is_denied_or_struck_tells_its_needs_all_the_same() {
    let plan = levee_twin::FaultPlan::default().call("s3", "CopyObject", levee_twin::FaultAnswer::slow_down());
    let twin = builder().faults(plan).build();
    let client = lake(&twin).await;
    make(&client, Call::Copy).await;
    assert_eq!(last(&twin).planned_fault(), Some("SlowDown"));
    assert_eq!(needs(&twin).len(), 2);
    let stranger = s3(&twin, BACKUP, Some(ROLE));
    stranger.get_object().bucket("lake").key("plain").send().await.unwrap_err();
    assert_eq!(needs(&twin), [("s3:GetObject", "arn:aws:s3:::lake/plain".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_services_make_of_each_other_are_recorded_with_their_role() {
    let twin = twin();
    let config = twin.sdk_config(BACKUP, &Principal::Root);
    let (sfn, sqs) = (aws_sdk_sfn::Client::new(&config), aws_sdk_sqs::Client::new(&config));
    sqs.create_queue().queue_name("work").send().await.unwrap();
    let mut work = task(json!({}));
    work["End"] = json!(true);
    let definition = machine("Work", json!({ "Work": work })).to_string();
    let made = sfn.create_state_machine().name("m").definition(definition).role_arn(ROLE).send().await.unwrap();
    let create = last(&twin);
    assert_eq!(create.needs[0].resource, made.state_machine_arn());
    assert_eq!((create.needs[1].action, create.needs[1].resource.as_str()), ("iam:PassRole", ROLE));
    sfn.start_execution().state_machine_arn(made.state_machine_arn()).send().await.unwrap();
    twin.gate().reached(4).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let send = last(&twin);
    assert_eq!((send.operation.as_str(), send.principal.as_str(), send.is_ok()), ("SendMessage", ROLE, true));
    assert_eq!(needs(&twin), [("sqs:SendMessage", "arn:aws:sqs:us-east-1:222222222222:work".to_owned())]);
}
