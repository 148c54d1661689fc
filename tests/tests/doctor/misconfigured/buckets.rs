//! Levee's own buckets and keys.

use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    DefaultRetention, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode, ObjectLockRule,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, VersioningConfiguration,
};
use levee_twin::{
    FaultPlan,
    gate::{CallFault, FaultAnswer},
};
use rstest::rstest;
use serde_json::{Value, json};

use super::assert_found;
use crate::doctor::support::{BREAK_GLASS, SOURCE, Ward};

const MANIFESTS: &str = "levee-manifests";
const REPORTS: &str = "levee-reports";
const LEDGER: &str = "levee-ledger";
const CANARY: &str = "levee-canary";

#[derive(Clone, Copy, Debug)]
enum Setting {
    Versioning,
    PublicAccess,
    Encryption,
    Retention,
    Expiry,
}

#[rstest]
#[case::versioning(Setting::Versioning, "manifest-bucket/versioning", "turn versioning on")]
#[case::public_access(Setting::PublicAccess, "ledger-bucket/public-access", "all four settings")]
#[case::encryption(Setting::Encryption, "report-bucket/encryption", "kms_key_arn")]
#[case::retention(Setting::Retention, "ledger-bucket/object-lock", "ledger_lock")]
#[case::expiry(Setting::Expiry, "manifest-bucket/lifecycle", "manifest_retention_days")]
#[tokio::test(start_paused = true)]
async fn setting_that_is_weaker_than_deployed_is_found(
    #[case] setting: Setting,
    #[case] check: &str,
    #[case] remedy: &str,
) {
    let ward = Ward::new().await;
    weaken(&ward, setting).await;
    assert_found(&ward, check, remedy).await;
}

async fn weaken(ward: &Ward, setting: Setting) {
    let s3 = &ward.backup.aws.s3;
    match setting {
        Setting::Versioning => {
            let off = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
            s3.put_bucket_versioning().bucket(MANIFESTS).versioning_configuration(off).send().await.map(drop).unwrap();
        }
        Setting::PublicAccess => {
            let some =
                PublicAccessBlockConfiguration::builder().block_public_acls(true).block_public_policy(true).build();
            let put = s3.put_public_access_block().bucket(LEDGER).public_access_block_configuration(some);
            put.send().await.map(drop).unwrap();
        }
        Setting::Encryption => {
            let default =
                ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build().unwrap();
            let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
            let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
            let put = s3.put_bucket_encryption().bucket(REPORTS).server_side_encryption_configuration(rules);
            put.send().await.map(drop).unwrap();
        }
        Setting::Retention => {
            let days = DefaultRetention::builder().mode(ObjectLockRetentionMode::Governance).days(30).build();
            let rule = ObjectLockRule::builder().default_retention(days).build();
            let lock =
                ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).rule(rule).build();
            let put = s3.put_object_lock_configuration().bucket(LEDGER).object_lock_configuration(lock);
            put.send().await.map(drop).unwrap();
        }
        Setting::Expiry => {
            let rule = LifecycleRule::builder()
                .id("tidy")
                .status(ExpirationStatus::Enabled)
                .filter(LifecycleRuleFilter::builder().prefix("inventory/").build())
                .expiration(LifecycleExpiration::builder().days(29).build());
            let rules = BucketLifecycleConfiguration::builder().rules(rule.build().unwrap()).build().unwrap();
            let put = s3.put_bucket_lifecycle_configuration().bucket(MANIFESTS).lifecycle_configuration(rules);
            put.send().await.map(drop).unwrap();
        }
    }
}

/// A change of the statements of a policy.
type Edit = fn(&mut Vec<Value>);

fn statement<'a>(statements: &'a mut [Value], sid: &str) -> &'a mut Value {
    statements.iter_mut().find(|statement| statement["Sid"] == sid).unwrap()
}

fn without(statements: &mut Vec<Value>, sid: &str) {
    statements.retain(|statement| statement["Sid"] != sid);
}

#[rstest]
#[case::plain_http(CANARY, |all: &mut Vec<Value>| without(all, "LeveeDenyPlainHttp"), "canary-bucket/tls-only", "LeveeDenyPlainHttp")]
#[case::plain_http_by_some(
    REPORTS,
    |all: &mut Vec<Value>| statement(all, "LeveeDenyPlainHttp")["Condition"]["StringEquals"] = json!({"aws:PrincipalAccount": "1"}),
    "report-bucket/tls-only",
    "LeveeDenyPlainHttp"
)]
#[case::no_denial(REPORTS, |all: &mut Vec<Value>| without(all, "LeveeDenyRemoval"), "report-bucket/removal-denied", "LeveeDenyRemoval")]
#[case::one_action_less(
    LEDGER,
    |all: &mut Vec<Value>| statement(all, "LeveeDenyRemoval")["Action"].as_array_mut().unwrap().retain(|it| it != "s3:PutLifecycleConfiguration"),
    "ledger-bucket/removal-denied",
    "LeveeDenyRemoval"
)]
#[case::one_principal_more(
    LEDGER,
    |all: &mut Vec<Value>| statement(all, "LeveeDenyRemoval")["Condition"]["ArnNotLike"]["aws:PrincipalArn"] =
        json!([BREAK_GLASS, "arn:aws:iam::222222222222:role/admin"]),
    "ledger-bucket/removal-denied",
    "LeveeDenyRemoval"
)]
#[case::bucket_without_its_objects(
    MANIFESTS,
    |all: &mut Vec<Value>| statement(all, "LeveeDenyRemoval")["Resource"] = json!("arn:aws:s3:::levee-manifests"),
    "manifest-bucket/removal-denied",
    "LeveeDenyRemoval"
)]
#[case::no_delivery(MANIFESTS, |all: &mut Vec<Value>| without(all, "InventoryDelivery"), "manifest-bucket/delivery", "InventoryDelivery")]
#[case::delivery_of_another_source(
    MANIFESTS,
    |all: &mut Vec<Value>| statement(all, "InventoryDelivery")["Condition"]["ArnLike"]["aws:SourceArn"] = json!("arn:aws:s3:::other"),
    "manifest-bucket/delivery",
    SOURCE
)]
#[case::delivery_in_any_name(
    MANIFESTS,
    |all: &mut Vec<Value>| drop(statement(all, "InventoryDelivery")["Condition"].as_object_mut().unwrap().remove("ArnLike")),
    "manifest-bucket/delivery",
    "aws:SourceArn"
)]
#[case::denial_that_catches_services(
    MANIFESTS,
    |all: &mut Vec<Value>| all.push(json!({
        "Sid": "OnlyUs", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::levee-manifests/*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": BREAK_GLASS}},
    })),
    "manifest-bucket/delivery",
    "aws:PrincipalIsAWSService"
)]
#[tokio::test(start_paused = true)]
async fn policy_that_lets_out_too_much_or_too_little_is_found(
    #[case] bucket: &str,
    #[case] edit: Edit,
    #[case] check: &str,
    #[case] remedy: &str,
) {
    let ward = Ward::new().await;
    let s3 = &ward.backup.aws.s3;
    let found = s3.get_bucket_policy().bucket(bucket).send().await.unwrap();
    let mut policy: Value = serde_json::from_str(found.policy().unwrap()).unwrap();
    edit(policy["Statement"].as_array_mut().unwrap());
    s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await.unwrap();
    assert_found(&ward, check, remedy).await;
}

#[tokio::test(start_paused = true)]
async fn bucket_that_is_gone_or_another_accounts_is_found() {
    let ward = Ward::new().await;
    ward.backup.aws.s3.delete_bucket().bucket(REPORTS).send().await.unwrap();
    assert_found(&ward, "report-bucket/exists", "terraform apply").await;
    ward.warehouse.aws.s3.create_bucket().bucket(REPORTS).send().await.unwrap();
    assert_found(&ward, "report-bucket/exists", "bucket_names").await;
}

#[tokio::test(start_paused = true)]
async fn bucket_of_another_region_is_found() {
    let ward = Ward::new().await;
    let s3 = &ward.backup.aws.s3;
    s3.delete_bucket().bucket(REPORTS).send().await.unwrap();
    let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::EuWest1).build();
    s3.create_bucket().bucket(REPORTS).create_bucket_configuration(place).send().await.unwrap();
    assert_found(&ward, "report-bucket/exists", "in the Region of the bucket").await;
}

#[rstest]
#[case("GetBucketOwnershipControls", "OwnershipControlsNotFoundError", "ownership", "BucketOwnerEnforced")]
#[case("GetPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration", "public-access", "all four settings")]
#[case("GetBucketVersioning", "NoSuchBucket", "versioning", "")]
#[tokio::test(start_paused = true)]
async fn setting_that_is_not_there_is_a_problem_and_an_unknown_error_is_not(
    #[case] operation: &str,
    #[case] code: &str,
    #[case] check: &str,
    #[case] remedy: &str,
) {
    let ward = Ward::new().await;
    let answer = FaultAnswer::Error { code: code.to_owned(), status: 404, message: String::new() };
    let fault = CallFault { resource: Some(REPORTS.to_owned()), ..CallFault::new(answer).of("s3", operation) };
    ward.rig.set_faults(FaultPlan { calls: vec![fault], ..FaultPlan::default() });
    if remedy.is_empty() {
        let outcome = ward.examined().await;
        assert_eq!((outcome.problems, outcome.could_not_check), (0, 1), "{}", outcome.to_text());
    } else {
        assert_found(&ward, &format!("report-bucket/{check}"), remedy).await;
    }
}

#[tokio::test(start_paused = true)]
async fn key_that_is_off_or_about_to_go_is_found() {
    let ward = Ward::new().await;
    let key = ward.deployment.kms_key_arn.clone().unwrap();
    ward.backup.kms.disable_key().key_id(&key).send().await.unwrap();
    assert_found(&ward, "kms/backup-key", &format!("aws kms enable-key --key-id {key}")).await;
    ward.backup.kms.schedule_key_deletion().key_id(&key).send().await.unwrap();
    assert_found(&ward, "kms/backup-key", "aws kms cancel-key-deletion").await;
}

#[tokio::test(start_paused = true)]
async fn key_of_snapshots_that_is_elsewhere_or_missing_is_found() {
    let mut ward = Ward::new().await;
    for (key, remedy) in
        [("us-east-1:222222222222:key/none", "kms_key_arns"), ("eu-west-1:222222222222:key/k", "the Region")]
    {
        ward.deployment.sources[0].snapshot.kms_key_arn = Some(format!("arn:aws:kms:{key}"));
        let outcome = ward.examined().await;
        let mut found = outcome.checks.iter().filter(|finding| finding.check == "kms/backup-key");
        assert!(
            found.any(|finding| finding.remedy.as_deref().is_some_and(|text| text.contains(remedy))),
            "{}",
            outcome.to_text()
        );
    }
}
