//! Deployments that the doctor may not look at, or that do not answer.

use levee::doctor::Verdict;
use levee_twin::{
    FaultPlan,
    gate::{CallFault, FaultAnswer},
};
use rstest::rstest;

use super::support::{BACKUP, WAREHOUSE, Ward, with};

/// What the doctor finds when every call of an operation in an account is answered like this.
async fn struck(
    ward: &Ward,
    account: &str,
    service: &str,
    operation: &str,
    answer: FaultAnswer,
) -> levee::doctor::Outcome {
    let fault = CallFault { account: Some(account.to_owned()), ..CallFault::new(answer).of(service, operation) };
    ward.rig.set_faults(FaultPlan { calls: vec![fault], ..FaultPlan::default() });
    ward.examined().await
}

#[rstest]
#[case(BACKUP, "s3", "GetBucketVersioning", "ledger-bucket/versioning", "s3:GetBucketVersioning")]
#[case(BACKUP, "s3", "GetPublicAccessBlock", "ledger-bucket/public-access", "s3:GetBucketPublicAccessBlock")]
#[case(BACKUP, "s3", "GetBucketOwnershipControls", "ledger-bucket/ownership", "s3:GetBucketOwnershipControls")]
#[case(BACKUP, "s3", "GetBucketEncryption", "ledger-bucket/encryption", "s3:GetEncryptionConfiguration")]
#[case(BACKUP, "s3", "GetBucketPolicy", "ledger-bucket/removal-denied", "s3:GetBucketPolicy")]
#[case(BACKUP, "s3", "GetObjectLockConfiguration", "ledger-bucket/object-lock", "s3:GetBucketObjectLockConfiguration")]
#[case(BACKUP, "s3", "GetBucketLifecycleConfiguration", "manifest-bucket/lifecycle", "s3:GetLifecycleConfiguration")]
#[case(BACKUP, "s3", "HeadBucket", "report-bucket/exists", "s3:ListBucket")]
#[case(BACKUP, "s3", "ListObjectsV2", "source/last-delivery", "s3:ListBucket")]
#[case(BACKUP, "s3", "ListBuckets", "quota/buckets", "s3:ListAllMyBuckets")]
#[case(BACKUP, "sqs", "GetQueueUrl", "queue/exists", "sqs:GetQueueUrl")]
#[case(BACKUP, "sqs", "GetQueueAttributes", "dead-letter-queue/exists", "sqs:GetQueueAttributes")]
#[case(BACKUP, "states", "DescribeStateMachine", "state-machine/exists", "states:DescribeStateMachine")]
#[case(BACKUP, "scheduler", "GetSchedule", "schedule/exists", "scheduler:GetSchedule")]
#[case(BACKUP, "events", "DescribeEventBus", "bus/exists", "events:DescribeEventBus")]
#[case(BACKUP, "events", "DescribeRule", "rule/enabled", "events:DescribeRule")]
#[case(BACKUP, "events", "ListTargetsByRule", "rule/target", "events:ListTargetsByRule")]
#[case(BACKUP, "sns", "GetTopicAttributes", "topic/exists", "sns:GetTopicAttributes")]
#[case(BACKUP, "sns", "ListSubscriptionsByTopic", "topic/subscriptions", "sns:ListSubscriptionsByTopic")]
#[case(BACKUP, "kms", "DescribeKey", "kms/backup-key", "kms:DescribeKey")]
#[case(WAREHOUSE, "kms", "ListGrants", "kms/source-key-decrypt", "kms:ListGrants")]
#[case(WAREHOUSE, "s3", "GetBucketPolicy", "source/copy-role", "s3:GetBucketPolicy")]
#[case(WAREHOUSE, "s3", "GetBucketInventoryConfiguration", "source/inventory", "s3:GetInventoryConfiguration")]
#[tokio::test(start_paused = true)]
async fn refused_call_says_what_was_not_checked_and_which_action_is_missing(
    #[case] account: &str,
    #[case] service: &str,
    #[case] operation: &str,
    #[case] check: &str,
    #[case] action: &str,
) {
    let ward = Ward::new().await;
    let outcome = struck(&ward, account, service, operation, FaultAnswer::Denied).await;
    assert_eq!(outcome.exit_code(), 2, "{}", outcome.to_text());
    let unknown = with(&outcome, Verdict::CouldNotCheck);
    let found =
        unknown.iter().find(|finding| finding.check == check).unwrap_or_else(|| panic!("{}", outcome.to_text()));
    let remedy = found.remedy.as_deref().unwrap();
    assert!(remedy.contains(&format!("allow the caller {action} on")), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn identity_that_is_not_told_leaves_the_other_checks() {
    let ward = Ward::new().await;
    let outcome = struck(&ward, BACKUP, "sts", "GetCallerIdentity", FaultAnswer::Denied).await;
    let unknown = with(&outcome, Verdict::CouldNotCheck);
    assert_eq!((outcome.exit_code(), unknown.len()), (2, 1), "{}", outcome.to_text());
    assert_eq!(unknown[0].check, "credentials/account");
    assert!(outcome.checks.len() > 50);
}

#[rstest]
#[case(FaultAnswer::Throttled)]
#[case(FaultAnswer::Internal)]
#[tokio::test(start_paused = true)]
async fn aws_that_does_not_answer_is_no_problem_of_the_deployment(#[case] answer: FaultAnswer) {
    let ward = Ward::new().await;
    let outcome = struck(&ward, BACKUP, "states", "DescribeStateMachine", answer).await;
    let unknown = with(&outcome, Verdict::CouldNotCheck);
    assert_eq!((outcome.exit_code(), unknown.len()), (2, 1), "{}", outcome.to_text());
    assert_eq!(unknown[0].check, "state-machine/exists");
    assert!(unknown[0].remedy.as_deref().unwrap().contains("run the doctor again"));
}

#[tokio::test(start_paused = true)]
async fn problem_weighs_more_than_what_could_not_be_checked() {
    let mut ward = Ward::new().await;
    ward.options.bucket_limit = 5;
    let outcome = struck(&ward, BACKUP, "kms", "DescribeKey", FaultAnswer::Denied).await;
    assert_eq!((outcome.problems, outcome.could_not_check, outcome.exit_code()), (1, 1, 1), "{}", outcome.to_text());
}

#[tokio::test(start_paused = true)]
async fn condition_that_cannot_be_decided_is_told() {
    let ward = Ward::new().await;
    let s3 = &ward.warehouse.aws.s3;
    let found = s3.get_bucket_policy().bucket("lake-events").send().await.unwrap();
    let mut policy: serde_json::Value = serde_json::from_str(found.policy().unwrap()).unwrap();
    let deny = serde_json::json!({
        "Sid": "OnlySigned", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake-events/*",
        "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
    });
    policy["Statement"].as_array_mut().unwrap().push(deny);
    s3.put_bucket_policy().bucket("lake-events").policy(policy.to_string()).send().await.unwrap();
    let outcome = ward.examined().await;
    let unknown = with(&outcome, Verdict::CouldNotCheck);
    assert_eq!((outcome.exit_code(), unknown.len()), (2, 1), "{}", outcome.to_text());
    assert_eq!(unknown[0].check, "source/copy-role");
    assert!(unknown[0].detail.contains("OnlySigned"), "{:?}", unknown[0]);
}
