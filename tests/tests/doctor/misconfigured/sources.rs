//! The protected buckets, their inventories and their keys.

use std::time::Duration;

use aws_sdk_s3::types::{InventoryConfiguration, InventoryFilter, InventoryFormat, InventoryOptionalField};
use levee_clock::Clock;
use rstest::rstest;
use serde_json::{Value, json};

use super::assert_found;
use crate::doctor::support::{SOURCE, Ward};

const INVENTORY: &str = "daily";
const COPY_ROLE: &str = "arn:aws:iam::222222222222:role/levee-batch-copy";

/// A change of an inventory configuration.
type Edit = fn(&mut InventoryConfiguration);

#[rstest]
#[case::disabled(|it: &mut InventoryConfiguration| it.is_enabled = false, "source/inventory")]
#[case::prefix(|it: &mut InventoryConfiguration| place(it).prefix = Some("elsewhere".to_owned()), "source/inventory-destination")]
#[case::bucket(|it: &mut InventoryConfiguration| place(it).bucket = "arn:aws:s3:::levee-reports".to_owned(), "source/inventory-destination")]
#[case::no_account(|it: &mut InventoryConfiguration| place(it).account_id = None, "source/inventory-destination")]
#[case::format(|it: &mut InventoryConfiguration| place(it).format = InventoryFormat::Orc, "source/inventory-content")]
#[case::all_versions(|it: &mut InventoryConfiguration| it.included_object_versions = "All".into(), "source/inventory-content")]
#[case::no_size(
    |it: &mut InventoryConfiguration| it.optional_fields.as_mut().unwrap().retain(|field| *field != InventoryOptionalField::Size),
    "source/inventory-content"
)]
#[case::part_of_the_bucket(
    |it: &mut InventoryConfiguration| it.filter = Some(InventoryFilter::builder().prefix("events/").build().unwrap()),
    "source/inventory-content"
)]
#[tokio::test(start_paused = true)]
async fn inventory_that_a_night_cannot_use_is_found(#[case] edit: Edit, #[case] check: &str) {
    let ward = Ward::new().await;
    let s3 = &ward.warehouse.aws.s3;
    let found = s3.get_bucket_inventory_configuration().bucket(SOURCE).id(INVENTORY).send().await.unwrap();
    let mut configuration = found.inventory_configuration.unwrap();
    edit(&mut configuration);
    let put = s3.put_bucket_inventory_configuration().bucket(SOURCE).id(INVENTORY);
    put.inventory_configuration(configuration).send().await.unwrap();
    assert_found(&ward, check, "source module").await;
}

fn place(configuration: &mut InventoryConfiguration) -> &mut aws_sdk_s3::types::InventoryS3BucketDestination {
    configuration.destination.as_mut().unwrap().s3_bucket_destination.as_mut().unwrap()
}

#[tokio::test(start_paused = true)]
async fn inventory_that_is_not_configured_is_found() {
    let ward = Ward::new().await;
    let delete = ward.warehouse.aws.s3.delete_bucket_inventory_configuration().bucket(SOURCE).id(INVENTORY);
    delete.send().await.unwrap();
    assert_found(&ward, "source/inventory", "inventory_id").await;
}

#[tokio::test(start_paused = true)]
async fn inventory_that_has_not_come_or_is_old_is_found() {
    let mut ward = Ward::new().await;
    let now = ward.rig.clock.now();
    ward.clock = Clock::starting_at(now + Duration::from_secs(46 * 3600));
    assert_eq!(ward.examined().await.exit_code(), 0);
    ward.clock = Clock::starting_at(now + Duration::from_secs(47 * 3600));
    assert_found(&ward, "source/last-delivery", "manifest-bucket/delivery").await;
    let key = "inventory/lake-events/daily/2026-04-02T01-00Z/manifest.checksum";
    ward.backup.aws.s3.delete_object().bucket("levee-manifests").key(key).send().await.unwrap();
    assert_found(&ward, "source/last-delivery", "48 hours").await;
}

#[rstest]
#[case::no_tags(
    |all: &mut Vec<Value>| all[0]["Action"].as_array_mut().unwrap().retain(|action| action != "s3:GetObjectTagging"),
    "source module"
)]
#[case::no_listing(|all: &mut Vec<Value>| drop(all.remove(1)), "bucket_policy_json")]
#[case::denied(
    |all: &mut Vec<Value>| all.push(json!({
        "Sid": "OnlyTheLake", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::lake-events/*",
        "Condition": {"StringNotEquals": {"aws:PrincipalAccount": "111111111111"}},
    })),
    "ArnNotLike"
)]
#[tokio::test(start_paused = true)]
async fn policy_that_keeps_the_copy_role_out_is_found(#[case] edit: fn(&mut Vec<Value>), #[case] remedy: &str) {
    let ward = Ward::new().await;
    let s3 = &ward.warehouse.aws.s3;
    let found = s3.get_bucket_policy().bucket(SOURCE).send().await.unwrap();
    let mut policy: Value = serde_json::from_str(found.policy().unwrap()).unwrap();
    edit(policy["Statement"].as_array_mut().unwrap());
    s3.put_bucket_policy().bucket(SOURCE).policy(policy.to_string()).send().await.unwrap();
    assert_found(&ward, "source/copy-role", remedy).await;
}

#[tokio::test(start_paused = true)]
async fn source_without_a_policy_is_found() {
    let ward = Ward::new().await;
    ward.warehouse.aws.s3.delete_bucket_policy().bucket(SOURCE).send().await.unwrap();
    assert_found(&ward, "source/copy-role", "source module").await;
}

#[tokio::test(start_paused = true)]
async fn key_of_the_source_that_the_copy_role_cannot_use_is_found() {
    let mut ward = Ward::new().await;
    let kms = ward.warehouse.kms.clone();
    let made = kms.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    ward.deployment.sources[0].kms_key_arns = vec![made.clone()];
    assert_found(&ward, "kms/source-key-decrypt", "kms_key_arns").await;
    let statement =
        json!({"Effect": "Allow", "Principal": {"AWS": COPY_ROLE}, "Action": "kms:Decrypt", "Resource": "*"});
    let policy = json!({ "Statement": [statement] }).to_string();
    kms.put_key_policy().key_id(&made).policy(policy).send().await.unwrap();
    assert_eq!(ward.examined().await.exit_code(), 0);
    kms.disable_key().key_id(&made).send().await.unwrap();
    assert_found(&ward, "kms/source-key", "aws kms enable-key").await;
}
