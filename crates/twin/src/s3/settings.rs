//! Settings of buckets that are kept and returned: policy, public access, ownership, encryption, lifecycle, tags,
//! inventories. Of notifications only none can be set: nothing here delivers them.

mod inventory;
mod protection;

use s3s::{S3Result, dto, s3_error};

use super::{Backend, access::Target, context::Context, object::check_tags, store::Bucket};

/// The most tags of a bucket.
const MOST_TAGS: usize = 50;

impl Backend {
    /// Reads a setting of the bucket.
    fn read<T>(
        &self,
        context: &Context,
        (operation, action): (&str, &'static str),
        bucket: &str,
        owner: Option<&str>,
        read: impl FnOnce(&Bucket) -> S3Result<T>,
    ) -> S3Result<T> {
        let entered = self.enter(context, operation, Target::Bucket(bucket), owner, &[action])?;
        read(entered.bucket()?)
    }

    /// Changes a setting of the bucket.
    fn change<T>(
        &self,
        context: &Context,
        (operation, action): (&str, &'static str),
        bucket: &str,
        owner: Option<&str>,
        change: impl FnOnce(&mut Bucket) -> S3Result<T>,
    ) -> S3Result<T> {
        let mut entered = self.enter(context, operation, Target::Bucket(bucket), owner, &[action])?;
        change(entered.bucket_mut()?)
    }

    pub(crate) fn put_bucket_encryption(
        &self,
        context: &Context,
        input: dto::PutBucketEncryptionInput,
    ) -> S3Result<dto::PutBucketEncryptionOutput> {
        let call = ("PutBucketEncryption", "s3:PutEncryptionConfiguration");
        let configuration = input.server_side_encryption_configuration;
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            let [rule] = configuration.rules.as_slice() else {
                return Err(s3_error!(MalformedXML, "An encryption configuration has exactly one rule"));
            };
            let default = rule.apply_server_side_encryption_by_default.as_ref();
            let known = default.is_none_or(|default| match default.sse_algorithm.as_str() {
                "AES256" => default.kms_master_key_id.is_none(),
                "aws:kms" | "aws:kms:dsse" => true,
                _ => false,
            });
            if !known {
                return Err(s3_error!(MalformedXML, "The encryption configuration is not valid"));
            }
            bucket.settings_mut().encryption = Some(configuration);
            Ok(dto::PutBucketEncryptionOutput::default())
        })
    }

    pub(crate) fn get_bucket_encryption(
        &self,
        context: &Context,
        input: dto::GetBucketEncryptionInput,
    ) -> S3Result<dto::GetBucketEncryptionOutput> {
        let call = ("GetBucketEncryption", "s3:GetEncryptionConfiguration");
        self.read(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            let configuration = bucket.settings.encryption.clone().unwrap_or_else(default_encryption);
            Ok(dto::GetBucketEncryptionOutput { server_side_encryption_configuration: Some(configuration) })
        })
    }

    pub(crate) fn delete_bucket_encryption(
        &self,
        context: &Context,
        input: dto::DeleteBucketEncryptionInput,
    ) -> S3Result<dto::DeleteBucketEncryptionOutput> {
        let call = ("DeleteBucketEncryption", "s3:PutEncryptionConfiguration");
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            bucket.settings_mut().encryption = None;
            Ok(dto::DeleteBucketEncryptionOutput::default())
        })
    }

    pub(crate) fn put_bucket_lifecycle_configuration(
        &self,
        context: &Context,
        input: dto::PutBucketLifecycleConfigurationInput,
    ) -> S3Result<dto::PutBucketLifecycleConfigurationOutput> {
        let call = ("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration");
        let size = input.transition_default_minimum_object_size;
        let configuration = input.lifecycle_configuration;
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            let configuration = configuration
                .filter(|configuration| !configuration.rules.is_empty())
                .ok_or_else(|| s3_error!(MalformedXML, "A lifecycle configuration has at least one rule"))?;
            bucket.settings_mut().lifecycle = Some((configuration, size.clone()));
            Ok(dto::PutBucketLifecycleConfigurationOutput { transition_default_minimum_object_size: size })
        })
    }

    pub(crate) fn get_bucket_lifecycle_configuration(
        &self,
        context: &Context,
        input: dto::GetBucketLifecycleConfigurationInput,
    ) -> S3Result<dto::GetBucketLifecycleConfigurationOutput> {
        let call = ("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration");
        self.read(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            let (configuration, size) =
                bucket.settings.lifecycle.clone().ok_or_else(|| {
                    s3_error!(NoSuchLifecycleConfiguration, "The lifecycle configuration does not exist")
                })?;
            Ok(dto::GetBucketLifecycleConfigurationOutput {
                rules: Some(configuration.rules),
                transition_default_minimum_object_size: size,
            })
        })
    }

    pub(crate) fn delete_bucket_lifecycle(
        &self,
        context: &Context,
        input: dto::DeleteBucketLifecycleInput,
    ) -> S3Result<dto::DeleteBucketLifecycleOutput> {
        let call = ("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration");
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            bucket.settings_mut().lifecycle = None;
            Ok(dto::DeleteBucketLifecycleOutput::default())
        })
    }

    pub(crate) fn put_bucket_tagging(
        &self,
        context: &Context,
        input: dto::PutBucketTaggingInput,
    ) -> S3Result<dto::PutBucketTaggingOutput> {
        let call = ("PutBucketTagging", "s3:PutBucketTagging");
        let tags = pairs(input.tagging.tag_set);
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            bucket.settings_mut().tags = Some(check_tags(tags, MOST_TAGS)?);
            Ok(dto::PutBucketTaggingOutput::default())
        })
    }

    pub(crate) fn get_bucket_tagging(
        &self,
        context: &Context,
        input: dto::GetBucketTaggingInput,
    ) -> S3Result<dto::GetBucketTaggingOutput> {
        let call = ("GetBucketTagging", "s3:GetBucketTagging");
        self.read(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            let tags = bucket.settings.tags.as_ref();
            let tags = tags.ok_or_else(|| s3_error!(NoSuchTagSet, "The TagSet does not exist"))?;
            Ok(dto::GetBucketTaggingOutput { tag_set: tag_set(tags) })
        })
    }

    pub(crate) fn delete_bucket_tagging(
        &self,
        context: &Context,
        input: dto::DeleteBucketTaggingInput,
    ) -> S3Result<dto::DeleteBucketTaggingOutput> {
        let call = ("DeleteBucketTagging", "s3:PutBucketTagging");
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |bucket| {
            bucket.settings_mut().tags = None;
            Ok(dto::DeleteBucketTaggingOutput::default())
        })
    }

    pub(crate) fn put_bucket_notification_configuration(
        &self,
        context: &Context,
        input: dto::PutBucketNotificationConfigurationInput,
    ) -> S3Result<dto::PutBucketNotificationConfigurationOutput> {
        let call = ("PutBucketNotificationConfiguration", "s3:PutBucketNotification");
        let asked = input.notification_configuration;
        self.change(context, call, &input.bucket, input.expected_bucket_owner.as_deref(), |_| {
            let lists = asked.queue_configurations.is_some_and(|list| !list.is_empty())
                || asked.topic_configurations.is_some_and(|list| !list.is_empty())
                || asked.lambda_function_configurations.is_some_and(|list| !list.is_empty());
            if lists || asked.event_bridge_configuration.is_some() {
                return Err(s3_error!(NotImplemented, "the twin does not model the delivery of bucket notifications"));
            }
            Ok(dto::PutBucketNotificationConfigurationOutput::default())
        })
    }

    pub(crate) fn get_bucket_notification_configuration(
        &self,
        context: &Context,
        input: dto::GetBucketNotificationConfigurationInput,
    ) -> S3Result<dto::GetBucketNotificationConfigurationOutput> {
        let call = ("GetBucketNotificationConfiguration", "s3:GetBucketNotification");
        let owner = input.expected_bucket_owner.as_deref();
        self.read(context, call, &input.bucket, owner, |_| Ok(dto::GetBucketNotificationConfigurationOutput::default()))
    }
}

/// Every bucket encrypts; without a setting with SSE-S3.
fn default_encryption() -> dto::ServerSideEncryptionConfiguration {
    let default = dto::ServerSideEncryptionByDefault {
        kms_master_key_id: None,
        sse_algorithm: dto::ServerSideEncryption::from_static("AES256"),
    };
    dto::ServerSideEncryptionConfiguration {
        rules: vec![dto::ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(default),
            bucket_key_enabled: Some(false),
        }],
    }
}

/// Tags as the store keeps them.
pub(crate) fn pairs(tags: Vec<dto::Tag>) -> Vec<(String, String)> {
    tags.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect()
}

/// Tags as responses have them.
pub(crate) fn tag_set(tags: &[(String, String)]) -> Vec<dto::Tag> {
    let tag = |(key, value): &(String, String)| dto::Tag { key: Some(key.clone()), value: Some(value.clone()) };
    tags.iter().map(tag).collect()
}
