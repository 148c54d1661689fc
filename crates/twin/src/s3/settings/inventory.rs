//! Inventory configurations: validated and kept; the twin's inventory service makes the reports.

use std::collections::BTreeMap;

use s3s::{S3Error, S3Result, dto, s3_error};

use crate::{
    s3::{
        Backend, S3Service,
        context::Context,
        store::{Bucket, BucketData, Settings, Versioning},
    },
    service::Caller,
};

/// Configurations on one page of a listing.
const PAGE: usize = 100;
/// The most configurations of a bucket.
const MOST: usize = 1000;

const OPTIONAL_FIELDS: [&str; 16] = [
    "Size",
    "LastModifiedDate",
    "StorageClass",
    "ETag",
    "IsMultipartUploaded",
    "ReplicationStatus",
    "EncryptionStatus",
    "ObjectLockRetainUntilDate",
    "ObjectLockMode",
    "ObjectLockLegalHoldStatus",
    "IntelligentTieringAccessTier",
    "BucketKeyStatus",
    "ChecksumAlgorithm",
    "ObjectAccessControlList",
    "ObjectOwner",
    "LifecycleExpirationDate",
];

impl Backend {
    pub(crate) fn put_bucket_inventory_configuration(
        &self,
        context: &Context,
        input: dto::PutBucketInventoryConfigurationInput,
    ) -> S3Result<dto::PutBucketInventoryConfigurationOutput> {
        let call = ("PutBucketInventoryConfiguration", "s3:PutInventoryConfiguration");
        let (id, configuration) = (input.id, input.inventory_configuration);
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            validate(&id, &configuration)?;
            let inventories = &bucket.settings.inventories;
            if inventories.len() >= MOST && !inventories.contains_key(&id) {
                return Err(crate::s3::access::custom(
                    "TooManyConfigurations",
                    http::StatusCode::BAD_REQUEST,
                    format!(
                        "You are attempting to create a new configuration but have already reached the limit of {MOST}"
                    ),
                ));
            }
            bucket.settings_mut().inventories.insert(id, configuration);
            Ok(())
        })?;
        self.inventories.send_modify(|changes| *changes += 1);
        Ok(dto::PutBucketInventoryConfigurationOutput::default())
    }

    pub(crate) fn get_bucket_inventory_configuration(
        &self,
        context: &Context,
        input: dto::GetBucketInventoryConfigurationInput,
    ) -> S3Result<dto::GetBucketInventoryConfigurationOutput> {
        let call = ("GetBucketInventoryConfiguration", "s3:GetInventoryConfiguration");
        self.read(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            let configuration = bucket.settings.inventories.get(&input.id).cloned().ok_or_else(absent)?;
            Ok(dto::GetBucketInventoryConfigurationOutput { inventory_configuration: Some(configuration) })
        })
    }

    pub(crate) fn list_bucket_inventory_configurations(
        &self,
        context: &Context,
        input: dto::ListBucketInventoryConfigurationsInput,
    ) -> S3Result<dto::ListBucketInventoryConfigurationsOutput> {
        let call = ("ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration");
        let token = input.continuation_token;
        self.read(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            let after = token.clone().unwrap_or_default();
            let mut behind = bucket.settings.inventories.values().filter(|configuration| configuration.id > after);
            let page: Vec<_> = behind.by_ref().take(PAGE).cloned().collect();
            let truncated = behind.next().is_some();
            let last = page.last().map(|configuration| configuration.id.clone());
            Ok(dto::ListBucketInventoryConfigurationsOutput {
                continuation_token: token,
                inventory_configuration_list: (!page.is_empty()).then_some(page),
                is_truncated: Some(truncated),
                next_continuation_token: last.filter(|_| truncated),
            })
        })
    }

    pub(crate) fn delete_bucket_inventory_configuration(
        &self,
        context: &Context,
        input: dto::DeleteBucketInventoryConfigurationInput,
    ) -> S3Result<dto::DeleteBucketInventoryConfigurationOutput> {
        let call = ("DeleteBucketInventoryConfiguration", "s3:PutInventoryConfiguration");
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            bucket.settings_mut().inventories.remove(&input.id).map(drop).ok_or_else(absent)
        })?;
        self.inventories.send_modify(|changes| *changes += 1);
        Ok(dto::DeleteBucketInventoryConfigurationOutput::default())
    }
}

impl S3Service {
    /// Sees to it that the configurations of `bucket` can be kept here although the bucket itself is in an S3 elsewhere: as
    /// an empty bucket of that name. It belongs to the caller's account unless another account has put a configuration.
    pub(crate) fn keep_configurations_of(&self, caller: &Caller, bucket: &str) {
        let created = self.backend.now();
        let mut state = self.backend.store.lock();
        // An owner whose configurations are all gone makes room for another.
        let free = |kept: &Bucket| kept.settings.inventories.is_empty() && kept.account != caller.account;
        if state.buckets().get(bucket).is_some_and(free) {
            state.remove_bucket(bucket);
        }
        if !state.buckets().contains_key(bucket) {
            state.add_bucket(BucketData {
                name: bucket.to_owned(),
                account: caller.account.clone(),
                region: caller.region.clone(),
                created,
                versioning: Versioning::Never,
                settings: Settings::default(),
                objects: BTreeMap::new(),
                uploads: BTreeMap::new(),
            });
        }
    }
}

fn absent() -> S3Error {
    crate::s3::access::custom(
        "NoSuchConfiguration",
        http::StatusCode::NOT_FOUND,
        "The specified configuration does not exist.".to_owned(),
    )
}

fn validate(id: &str, configuration: &dto::InventoryConfiguration) -> S3Result<()> {
    let malformed = |what: &str| s3_error!(MalformedXML, "The inventory configuration is not valid: {what}");
    let id_fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if configuration.id != id || id.is_empty() || id.len() > 64 || !id.bytes().all(id_fits) {
        return Err(s3_error!(
            InvalidArgument,
            "The id must have 1 to 64 letters, digits, '-', '_' or '.', and match the request's"
        ));
    }
    if !["All", "Current"].contains(&configuration.included_object_versions.as_str()) {
        return Err(malformed("IncludedObjectVersions"));
    }
    if !["Daily", "Weekly"].contains(&configuration.schedule.frequency.as_str()) {
        return Err(malformed("Schedule.Frequency"));
    }
    let destination = &configuration.destination.s3_bucket_destination;
    if !["CSV", "ORC", "Parquet"].contains(&destination.format.as_str()) {
        return Err(malformed("Destination.S3BucketDestination.Format"));
    }
    let name = destination.bucket.strip_prefix("arn:aws:s3:::");
    if !name.is_some_and(s3s::path::check_bucket_name) {
        return Err(s3_error!(InvalidArgument, "The destination bucket must be the ARN of a bucket"));
    }
    let fields = configuration.optional_fields.as_deref().unwrap_or_default();
    match fields.iter().find(|field| !OPTIONAL_FIELDS.contains(&field.as_str())) {
        Some(field) => Err(malformed(&format!("the optional field {}", field.as_str()))),
        None => Ok(()),
    }
}
