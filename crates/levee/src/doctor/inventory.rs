//! The inventory configuration of a source.

use aws_sdk_s3::types::{
    InventoryConfiguration, InventoryFormat, InventoryFrequency, InventoryIncludedObjectVersions,
    InventoryOptionalField, InventoryS3BucketDestination,
};
use levee_stage::aws::error_code;

use super::{
    Examination, Finding, Source,
    bucket::BucketCheck,
    finding::{Check, Fault, problem, refused},
};
use crate::deploy::INVENTORY_FIELDS;

const APPLY: &str = "run terraform apply for the source module";

impl Examination<'_> {
    /// The configuration that the deployment names: there and enabled, delivered to the right place, of the right content.
    pub(super) async fn inventory(&self, source: &Source, bucket: &BucketCheck<'_>) -> Vec<Finding> {
        let finding = |check: &str, found| Finding::new(format!("source/{check}"), &source.name, found);
        let configuration = match configuration(source, bucket).await {
            Ok(configuration) => configuration,
            Err(fault) => return vec![finding("inventory", Err(fault))],
        };
        vec![
            finding("inventory", enabled(source, &configuration)),
            finding("inventory-destination", self.destination(&configuration)),
            finding("inventory-content", content(&configuration)),
        ]
    }

    fn destination(&self, configuration: &InventoryConfiguration) -> Check {
        let deployment = self.deployment;
        let place = configuration.destination().and_then(|destination| destination.s3_bucket_destination());
        let place = place.ok_or_else(|| problem("it has no destination bucket", APPLY))?;
        let mut wrong = Vec::new();
        let bucket = format!("arn:aws:s3:::{}", deployment.manifest_bucket);
        if place.bucket() != bucket {
            wrong.push(format!("it is delivered to {}, not to {bucket}", place.bucket()));
        }
        let prefix = place.prefix().unwrap_or_default();
        if prefix != deployment.inventory_prefix {
            wrong.push(format!("its prefix is {prefix:?}, not {:?}", deployment.inventory_prefix));
        }
        if place.account_id() != Some(&deployment.account) {
            let said = place.account_id().unwrap_or("not set, so that S3 does not check who owns the destination");
            wrong.push(format!("its AccountId is {said}; {} is expected", deployment.account));
        }
        told(wrong, "delivered to the manifest bucket")
    }
}

async fn configuration(source: &Source, bucket: &BucketCheck<'_>) -> Result<InventoryConfiguration, Fault> {
    let ask = bucket.s3.get_bucket_inventory_configuration().bucket(bucket.name).id(&source.inventory_id);
    let absent = || {
        let detail = format!("there is no inventory configuration {}", source.inventory_id);
        problem(detail, format!("{APPLY} (variable inventory_id)"))
    };
    match ask.expected_bucket_owner(bucket.owner).send().await {
        Ok(found) => found.inventory_configuration.ok_or_else(absent),
        Err(error) if error_code(&error) == Some("NoSuchConfiguration") => Err(absent()),
        Err(error) => Err(refused("s3:GetInventoryConfiguration", &bucket.arn(), &error)),
    }
}

fn enabled(source: &Source, configuration: &InventoryConfiguration) -> Check {
    let id = &source.inventory_id;
    let frequency = configuration.schedule().map(|schedule| schedule.frequency());
    if !configuration.is_enabled() {
        let detail = format!("the inventory configuration {id} is disabled, so that no inventory is delivered");
        return Err(problem(detail, APPLY));
    }
    match frequency {
        Some(frequency @ (InventoryFrequency::Daily | InventoryFrequency::Weekly)) => {
            Ok(format!("{id} is enabled, {}", frequency.as_str()))
        }
        other => {
            let said = other.map_or("not set", InventoryFrequency::as_str);
            Err(problem(format!("the frequency of {id} is {said}"), format!("{APPLY}: Daily or Weekly is expected")))
        }
    }
}

/// What a batch job can read as it is, and what the stages look at.
fn content(configuration: &InventoryConfiguration) -> Check {
    let mut wrong = Vec::new();
    let place = configuration.destination().and_then(|destination| destination.s3_bucket_destination());
    let format = place.map(InventoryS3BucketDestination::format);
    if format != Some(&InventoryFormat::Csv) {
        let said = format.map_or("not set", InventoryFormat::as_str);
        wrong.push(format!("its format is {said}; Batch Operations reads CSV only"));
    }
    if configuration.included_object_versions() != &InventoryIncludedObjectVersions::Current {
        let said = configuration.included_object_versions().as_str();
        wrong.push(format!("it lists the versions {said}; Current is expected"));
    }
    if let Some(filter) = configuration.filter() {
        wrong.push(format!("it lists only what begins with {:?}; the rest would not be backed up", filter.prefix()));
    }
    let has = |field: &InventoryOptionalField| configuration.optional_fields().contains(field);
    let missing: Vec<&str> =
        INVENTORY_FIELDS.iter().filter(|field| !has(field)).map(InventoryOptionalField::as_str).collect();
    if !missing.is_empty() {
        wrong.push(format!("it lacks the fields {}", missing.join(", ")));
    }
    told(wrong, "CSV of the current versions, with every field that is needed")
}

fn told(wrong: Vec<String>, right: &str) -> Check {
    if wrong.is_empty() { Ok(right.to_owned()) } else { Err(problem(wrong.join("; "), APPLY)) }
}
