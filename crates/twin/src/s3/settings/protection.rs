//! Settings that protect a bucket: policy, public access block, ownership, Object Lock.

use s3s::{S3Result, dto, s3_error};

use crate::s3::{Backend, bucket::check_ownership, context::Context, lock, policy::Policy, store::Versioning};

impl Backend {
    pub(crate) fn put_bucket_policy(
        &self,
        context: &Context,
        input: dto::PutBucketPolicyInput,
    ) -> S3Result<dto::PutBucketPolicyOutput> {
        let call = ("PutBucketPolicy", "s3:PutBucketPolicy");
        let text = input.policy;
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            let policy = Policy::parse(&text, &bucket.name).map_err(|why| s3_error!(MalformedPolicy, "{why}"))?;
            let block = bucket.settings.public_access_block.as_ref();
            if policy.is_public() && block.is_some_and(|block| block.block_public_policy == Some(true)) {
                return Err(s3_error!(
                    AccessDenied,
                    "The policy is public and the bucket's BlockPublicPolicy setting prevents it"
                ));
            }
            bucket.settings_mut().policy = Some(policy);
            Ok(dto::PutBucketPolicyOutput::default())
        })
    }

    pub(crate) fn get_bucket_policy(
        &self,
        context: &Context,
        input: dto::GetBucketPolicyInput,
    ) -> S3Result<dto::GetBucketPolicyOutput> {
        let call = ("GetBucketPolicy", "s3:GetBucketPolicy");
        self.read(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            let policy = bucket.settings.policy.as_ref();
            let policy = policy.ok_or_else(|| s3_error!(NoSuchBucketPolicy, "The bucket policy does not exist"))?;
            Ok(dto::GetBucketPolicyOutput { policy: Some(policy.text.clone()) })
        })
    }

    pub(crate) fn delete_bucket_policy(
        &self,
        context: &Context,
        input: dto::DeleteBucketPolicyInput,
    ) -> S3Result<dto::DeleteBucketPolicyOutput> {
        let call = ("DeleteBucketPolicy", "s3:DeleteBucketPolicy");
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            bucket.settings_mut().policy = None;
            Ok(dto::DeleteBucketPolicyOutput::default())
        })
    }

    pub(crate) fn put_public_access_block(
        &self,
        context: &Context,
        input: dto::PutPublicAccessBlockInput,
    ) -> S3Result<dto::PutPublicAccessBlockOutput> {
        let call = ("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock");
        let asked = input.public_access_block_configuration;
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            // A setting that is not named is off.
            let settled = |setting: Option<bool>| Some(setting == Some(true));
            bucket.settings_mut().public_access_block = Some(dto::PublicAccessBlockConfiguration {
                block_public_acls: settled(asked.block_public_acls),
                block_public_policy: settled(asked.block_public_policy),
                ignore_public_acls: settled(asked.ignore_public_acls),
                restrict_public_buckets: settled(asked.restrict_public_buckets),
            });
            Ok(dto::PutPublicAccessBlockOutput::default())
        })
    }

    pub(crate) fn get_public_access_block(
        &self,
        context: &Context,
        input: dto::GetPublicAccessBlockInput,
    ) -> S3Result<dto::GetPublicAccessBlockOutput> {
        let call = ("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock");
        self.read(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            let Some(block) = bucket.settings.public_access_block.clone() else {
                return Err(crate::s3::access::custom(
                    "NoSuchPublicAccessBlockConfiguration",
                    http::StatusCode::NOT_FOUND,
                    "The public access block configuration was not found".to_owned(),
                ));
            };
            Ok(dto::GetPublicAccessBlockOutput { public_access_block_configuration: Some(block) })
        })
    }

    pub(crate) fn delete_public_access_block(
        &self,
        context: &Context,
        input: dto::DeletePublicAccessBlockInput,
    ) -> S3Result<dto::DeletePublicAccessBlockOutput> {
        let call = ("DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock");
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            bucket.settings_mut().public_access_block = None;
            Ok(dto::DeletePublicAccessBlockOutput::default())
        })
    }

    pub(crate) fn put_bucket_ownership_controls(
        &self,
        context: &Context,
        input: dto::PutBucketOwnershipControlsInput,
    ) -> S3Result<dto::PutBucketOwnershipControlsOutput> {
        let call = ("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls");
        let controls = input.ownership_controls;
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            let [rule] = controls.rules.as_slice() else {
                return Err(s3_error!(MalformedXML, "Ownership controls have exactly one rule"));
            };
            check_ownership(&rule.object_ownership)?;
            bucket.settings_mut().ownership = Some(controls);
            Ok(dto::PutBucketOwnershipControlsOutput::default())
        })
    }

    pub(crate) fn get_bucket_ownership_controls(
        &self,
        context: &Context,
        input: dto::GetBucketOwnershipControlsInput,
    ) -> S3Result<dto::GetBucketOwnershipControlsOutput> {
        let call = ("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls");
        self.read(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            let controls = bucket.settings.ownership.clone();
            let controls = controls.ok_or_else(|| {
                s3_error!(OwnershipControlsNotFoundError, "The bucket ownership controls were not found")
            })?;
            Ok(dto::GetBucketOwnershipControlsOutput { ownership_controls: Some(controls) })
        })
    }

    pub(crate) fn put_object_lock_configuration(
        &self,
        context: &Context,
        input: dto::PutObjectLockConfigurationInput,
    ) -> S3Result<dto::PutObjectLockConfigurationOutput> {
        let call = ("PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration");
        let asked = input.object_lock_configuration.unwrap_or_default();
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            if bucket.versioning != Versioning::Enabled {
                return Err(s3_error!(
                    InvalidBucketState,
                    "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
                ));
            }
            if asked.object_lock_enabled.as_ref().is_none_or(|enabled| enabled.as_str() != "Enabled") {
                return Err(s3_error!(MalformedXML, "ObjectLockEnabled must be Enabled"));
            }
            let retention = asked.rule.and_then(|rule| rule.default_retention);
            if let Some(retention) = &retention {
                check_default(retention)?;
            }
            bucket.settings_mut().object_lock = true;
            bucket.settings_mut().default_retention = retention;
            Ok(dto::PutObjectLockConfigurationOutput::default())
        })
    }

    pub(crate) fn get_object_lock_configuration(
        &self,
        context: &Context,
        input: dto::GetObjectLockConfigurationInput,
    ) -> S3Result<dto::GetObjectLockConfigurationOutput> {
        let call = ("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration");
        self.read(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            if !bucket.settings.object_lock {
                return Err(s3_error!(
                    ObjectLockConfigurationNotFoundError,
                    "Object Lock configuration does not exist for this bucket"
                ));
            }
            let rule = |retention| dto::ObjectLockRule { default_retention: Some(retention) };
            let configuration = dto::ObjectLockConfiguration {
                object_lock_enabled: Some(dto::ObjectLockEnabled::from_static("Enabled")),
                rule: bucket.settings.default_retention.clone().map(rule),
            };
            Ok(dto::GetObjectLockConfigurationOutput { object_lock_configuration: Some(configuration) })
        })
    }
}

/// A default retention has a mode and either days or years.
fn check_default(retention: &dto::DefaultRetention) -> S3Result<()> {
    let mode = retention.mode.as_ref().map(|mode| lock::parse_mode(mode.as_str())).transpose()?;
    match (mode, retention.days, retention.years) {
        (Some(_), Some(1..=36_500), None) | (Some(_), None, Some(1..=100)) => Ok(()),
        (Some(_), Some(_), None) | (Some(_), None, Some(_)) => Err(s3_error!(
            InvalidArgument,
            "Default retention period must be a positive integer value, at most 100 years"
        )),
        _ => Err(s3_error!(MalformedXML, "A default retention has a mode and either days or years")),
    }
}
