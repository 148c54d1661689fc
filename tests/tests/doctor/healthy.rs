//! A deployment that is right.

use std::collections::BTreeSet;

use aws_sdk_sfn::types::ExecutionStatus;
use jiff::civil::date;
use levee::doctor::{Options, Verdict, Warehouse};
use serde_json::json;

use super::support::{BACKUP, DOCTOR, Ward, with};

#[tokio::test(start_paused = true)]
async fn right_deployment_is_green_and_nothing_in_it_is_changed() {
    let ward = Ward::new().await;
    let before = ward.rig.twin.gate().count();
    let outcome = ward.examined().await;
    assert_eq!(outcome.exit_code(), 0, "{}", outcome.to_text());
    assert_eq!((outcome.ok, outcome.problems, outcome.could_not_check), (outcome.checks.len(), 0, 0));
    let calls: Vec<_> = ward.rig.twin.calls().into_iter().filter(|call| call.number > before).collect();
    assert!(!calls.is_empty());
    let reads = |operation: &str| ["Get", "Head", "List", "Describe"].iter().any(|verb| operation.starts_with(verb));
    let writes: BTreeSet<_> = calls.iter().map(|call| call.operation.as_str()).filter(|name| !reads(name)).collect();
    assert_eq!(writes, BTreeSet::new());
    assert!(calls.iter().filter(|call| call.account == BACKUP).all(|call| call.principal == DOCTOR));
}

#[tokio::test(start_paused = true)]
async fn text_has_a_line_for_each_check_in_an_order_that_stays() {
    let ward = Ward::new().await;
    let outcome = ward.examined().await;
    let text = outcome.to_text();
    assert_eq!(text.lines().count(), outcome.checks.len() + 1, "{text}");
    let (own, of_source) = (ward.deployment.kms_key_arn.clone().unwrap(), ward.source_key());
    let text = text.replace(&own, "OWN-KEY").replace(&of_source, "SOURCE-KEY");
    insta::assert_snapshot!("right_deployment", text);
    assert_eq!(ward.examined().await, outcome);
}

#[tokio::test(start_paused = true)]
async fn json_has_counts_and_for_each_check_what_was_found_and_what_to_do() {
    let ward = Ward::new().await;
    let options = Options { bucket_limit: 10, ..Options::default() };
    let outcome = ward.examined_with(&options, &Warehouse::of(ward.warehouse.clone()).await).await;
    let json = serde_json::to_value(&outcome).unwrap();
    assert_eq!(
        (&json["deployment"], &json["problems"], &json["could_not_check"]),
        (&"levee".into(), &1.into(), &0.into())
    );
    assert_eq!(json["ok"], outcome.checks.len() - 1);
    let found = json["checks"].as_array().unwrap();
    let quota = found.iter().find(|check| check["check"] == "quota/buckets").unwrap();
    let expected = json!({
        "check": "quota/buckets",
        "subject": "222222222222",
        "outcome": "problem",
        "detail": "4 of 10 buckets, 1 more a night: 6 nights are left",
        "remedy": "ask for more in Service Quotas (S3, General purpose buckets) and give the new number as --bucket-limit, or remove old snapshots with a break-glass principal",
    });
    assert_eq!(*quota, expected);
    let right = found.iter().find(|check| check["check"] == "credentials/account").unwrap();
    let expected = json!({
        "check": "credentials/account",
        "subject": "the caller",
        "outcome": "ok",
        "detail": "the caller is of account 222222222222",
    });
    assert_eq!(*right, expected);
}

#[tokio::test(start_paused = true)]
async fn without_a_source_profile_the_source_could_not_be_checked() {
    let ward = Ward::new().await;
    let outcome = ward.examined_with(&Options::default(), &Warehouse::NotGiven).await;
    assert_eq!(outcome.exit_code(), 2, "{}", outcome.to_text());
    let unknown = with(&outcome, Verdict::CouldNotCheck);
    let ids: Vec<&str> = unknown.iter().map(|finding| finding.check.as_str()).collect();
    assert_eq!(
        ids,
        [
            "source/bucket",
            "source/copy-role",
            "source/inventory",
            "source/inventory-destination",
            "source/inventory-content",
            "kms/source-key",
            "kms/source-key-decrypt"
        ]
    );
    assert!(unknown.iter().all(|finding| finding.remedy.as_deref().unwrap().contains("--source-profile")));
}

#[tokio::test(start_paused = true)]
async fn profile_of_another_account_is_named() {
    let ward = Ward::new().await;
    let outcome = ward.examined_with(&Options::default(), &Warehouse::of(ward.backup.clone()).await).await;
    assert_eq!(outcome.exit_code(), 2);
    let unknown = with(&outcome, Verdict::CouldNotCheck);
    assert!(
        unknown.iter().all(|finding| finding.detail.contains("the source profile is of 222222222222")),
        "{unknown:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn night_on_a_guarded_deployment_succeeds_and_leaves_it_green() {
    let mut ward = Ward::new().await;
    let execution = ward.rig.start(date(2026, 3, 31)).await.unwrap();
    let ended = ward.rig.until_ended(&execution).await.unwrap();
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{:?}: {:?}", ended.error, ended.cause);
    let told = ward.rig.accounts.backup.sqs.receive_message().queue_url(url(&ward, "levee-operators").await);
    let told = told.max_number_of_messages(10).send().await.unwrap();
    let told: Vec<String> = told.messages().iter().filter_map(|message| message.body().map(str::to_owned)).collect();
    assert!(told.iter().any(|message| message.contains("Run Started")), "{told:?}");
    assert!(told.iter().any(|message| message.contains("Run Completed")), "{told:?}");
    let outcome = ward.examined().await;
    assert_eq!(outcome.exit_code(), 0, "{}", outcome.to_text());
}

async fn url(ward: &Ward, name: &str) -> String {
    ward.backup.aws.sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap()
}
